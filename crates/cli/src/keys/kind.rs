//! What a key is for, and what may be shown of it.

use vernport_crypto::{IdentityKey, MasterKey, OpeningKey, SigningKey, StorageKey};

/// What is hashed under a key that has no public half, so that two copies can be told to be one.
const CHECK: &[u8] = b"vernport key check";

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Device,
    Storage,
    Identity,
    Head,
    Master,
    Bundle,
    Recovery,
    Recipient,
}

impl Kind {
    /// The name of its file, but for a recipient's.
    pub(super) fn file(self) -> &'static str {
        match self {
            Self::Device => "device.key",
            Self::Storage => "storage.key",
            Self::Identity => "identity.key",
            Self::Head => "head.key",
            Self::Master => "master.key",
            Self::Bundle => "bundle.key",
            Self::Recovery => "recovery.key",
            Self::Recipient => "recipient.key",
        }
    }

    /// What it is called.
    pub(super) fn name(self) -> &'static str {
        self.file().trim_end_matches(".key")
    }

    /// Where its public half belongs, or where the key itself does.
    pub(super) fn belongs(self) -> &'static str {
        match self {
            Self::Device => "device_key of this gateway in central's configuration",
            Self::Storage => "stays on the box",
            Self::Identity => "the same at central and at every gateway of the controller",
            Self::Head => "head_key in the configuration of every gateway",
            Self::Master => "stays at central; without it no erasure key opens",
            Self::Bundle => "bundle_key in the configurations of gateways and central",
            Self::Recovery => "recovery_key in central's configuration; keep the file offline",
            Self::Recipient => "recipient-key-activated in the ledger",
        }
    }

    /// What may be shown: the public half, or a check value where there is none.
    pub(super) fn shown(self, key: [u8; 32]) -> String {
        let check = |hash: [u8; 32]| format!("check value {}", hex::encode(&hash[..8]));
        match self {
            Self::Device | Self::Head | Self::Bundle => {
                format!("public {}", SigningKey::from_seed(key).verifying_key())
            }
            Self::Recovery | Self::Recipient => {
                let public = OpeningKey::from_bytes(key).wrapping_key();
                format!("public {public}, key id {}", public.key_id())
            }
            Self::Storage => check(StorageKey::from_bytes(key).index(CHECK)),
            Self::Master => check(MasterKey::from_bytes(key).index(CHECK)),
            Self::Identity => check(IdentityKey::from_bytes(key).message(CHECK)),
        }
    }
}
