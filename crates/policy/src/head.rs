//! Snapshots and signed heads: what central tells a gateway, and what makes it
//! believable. Frozen bytes (decision note 0004).
//!
//! A snapshot is what holds for one controller at one gateway; a head binds its
//! hash to a time, a place in a sequence that never goes down, and the nonce
//! of the gateway that asked.
//!
//! Snapshot bytes: postcard of [`Snapshot`]. Signed bytes of a head:
//! `"vernport head v1" 00`, then postcard of [`Head`].

use crate::Grant;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use vernport_crypto::{Signature, SigningKey, VerifyingKey, WrappingKey, hash_text, sha256};
use vernport_types::{ControllerId, GrantId, Reason, Slug, UtcMicros};

/// The longest that any opening may be believed after a head: 30 days, our assumption for a duty by law.
pub const MAX_BELIEF_SECONDS: i64 = 30 * 86_400;

const HEAD_TAG: &[u8] = b"vernport head v1\0";

/// An opening that is over, and why: its batches go on, wait or are destroyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosedGrant {
    /// Which opening.
    pub id: GrantId,
    /// Why it is over.
    pub reason: Reason,
}

/// The key that a recipient opens one purpose with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecipientKey {
    /// The recipient of the bundle.
    pub recipient: Slug,
    /// The purpose of the bundle.
    pub purpose: Slug,
    /// Its public key.
    pub key: WrappingKey,
}

/// What holds for one controller at one gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// 1 for this form.
    pub format: u16,
    /// The controller.
    pub controller: ControllerId,
    /// The gateway that it is for.
    pub gateway: Slug,
    /// The bundle that the grants were computed from.
    #[serde(with = "hash_text")]
    pub bundle_hash: [u8; 32],
    /// Whether the VIN may be read, because somebody waits for a vehicle here.
    pub identify_open: bool,
    /// The assets of interest.
    pub grants: Vec<Grant>,
    /// Openings that are over and may still have batches on the way.
    pub closed: Vec<ClosedGrant>,
    /// The active keys of the recipients.
    pub recipient_keys: Vec<RecipientKey>,
    /// The controller's recovery key.
    pub recovery: WrappingKey,
}

/// Why bytes are not a snapshot.
#[derive(Debug, Error)]
pub enum SnapshotError {
    /// Not postcard of a snapshot, or bytes left over.
    #[error("not a snapshot")]
    Shape(#[source] postcard::Error),
    /// Bytes are left over.
    #[error("{bytes} bytes after the snapshot")]
    LeftOver {
        /// How many.
        bytes: usize,
    },
    /// A form that this version cannot read.
    #[error("snapshot of format {format}; this version reads format 1, so update the gateway")]
    Format {
        /// The number found.
        format: u16,
    },
}

impl Snapshot {
    /// The form that this version writes and reads.
    pub const FORMAT: u16 = 1;

    /// The frozen bytes.
    pub fn encode(&self) -> Vec<u8> {
        postcard::to_allocvec(self).expect("ids, numbers and lists always encode")
    }

    /// Reads the frozen bytes.
    ///
    /// # Errors
    /// [`SnapshotError`] for anything but one snapshot of a known form.
    pub fn decode(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let (snapshot, rest): (Self, _) = postcard::take_from_bytes(bytes).map_err(SnapshotError::Shape)?;
        if !rest.is_empty() {
            return Err(SnapshotError::LeftOver { bytes: rest.len() });
        }
        if snapshot.format != Self::FORMAT {
            return Err(SnapshotError::Format { format: snapshot.format });
        }
        Ok(snapshot)
    }

    /// SHA-256 of the frozen bytes.
    pub fn hash(&self) -> [u8; 32] {
        sha256(&self.encode())
    }

    /// The active keys of a recipient for a purpose: a batch is sealed to each of them.
    pub fn keys_for<'a>(
        &'a self,
        recipient: &'a Slug,
        purpose: &'a Slug,
    ) -> impl Iterator<Item = &'a WrappingKey> {
        let asked = move |key: &&RecipientKey| key.recipient == *recipient && key.purpose == *purpose;
        self.recipient_keys.iter().filter(asked).map(|key| &key.key)
    }
}

/// A point in the sequence of what holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Raised by an operator after central was restored from a backup.
    pub era: u32,
    /// Never goes down within an era.
    pub sequence: u64,
    /// Central's time when it was signed.
    pub at: UtcMicros,
    /// What the gateway asked with.
    #[serde(with = "nonce_text")]
    pub nonce: [u8; 16],
    /// Which snapshot holds.
    #[serde(with = "hash_text")]
    pub snapshot_hash: [u8; 32],
}

/// Why a head is not believed.
#[derive(Debug, Error)]
pub enum HeadError {
    /// Not signed by the configured head key.
    #[error("head is not signed by the key of central that is configured here")]
    Signature(#[from] vernport_crypto::VerifyError),
    /// The answer to another question.
    #[error("head answers another nonce")]
    Nonce,
    /// Before the last one: central was restored from a backup, or somebody plays old heads.
    #[error(
        "head ({era}, {sequence}) comes before ({last_era}, {last_sequence}); \
         if central was restored, start a new era: `vernport registry restored`"
    )]
    Backwards {
        /// Era of the head.
        era: u32,
        /// Sequence of the head.
        sequence: u64,
        /// Era of the last head.
        last_era: u32,
        /// Sequence of the last head.
        last_sequence: u64,
    },
    /// The snapshot that came with it is another.
    #[error("snapshot does not have the hash that the head names")]
    Snapshot,
}

impl Head {
    /// The bytes that are signed.
    pub fn signed_bytes(&self) -> Vec<u8> {
        postcard::to_extend(self, HEAD_TAG.to_vec()).expect("numbers always encode")
    }

    /// Signs it.
    pub fn sign(self, key: &SigningKey) -> SignedHead {
        SignedHead { signature: key.sign(&self.signed_bytes()), head: self }
    }

    /// Whether it comes before another one.
    pub fn is_before(&self, other: &Self) -> bool {
        (self.era, self.sequence) < (other.era, other.sequence)
    }
}

/// A head and its signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedHead {
    /// The head.
    pub head: Head,
    /// Central's signature over [`Head::signed_bytes`].
    pub signature: Signature,
}

impl SignedHead {
    /// The head, if it is signed, answers the nonce and does not come before the last one.
    ///
    /// # Errors
    /// [`HeadError`] says which of these it fails.
    pub fn verify(
        &self,
        key: &VerifyingKey,
        nonce: &[u8; 16],
        last: Option<&Head>,
    ) -> Result<Head, HeadError> {
        key.verify(&self.head.signed_bytes(), &self.signature)?;
        if self.head.nonce != *nonce {
            return Err(HeadError::Nonce);
        }
        match last {
            Some(last) if self.head.is_before(last) => Err(HeadError::Backwards {
                era: self.head.era,
                sequence: self.head.sequence,
                last_era: last.era,
                last_sequence: last.sequence,
            }),
            _ => Ok(self.head),
        }
    }
}

/// Writes a nonce as hexadecimal where people read, and as bytes elsewhere.
mod nonce_text {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
    use std::borrow::Cow;

    pub(super) fn serialize<S: Serializer>(nonce: &[u8; 16], serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(&hex::encode(nonce))
        } else {
            nonce.serialize(serializer)
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 16], D::Error> {
        if !deserializer.is_human_readable() {
            return <[u8; 16]>::deserialize(deserializer);
        }
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        let mut nonce = [0; 16];
        hex::decode_to_slice(text.as_ref(), &mut nonce)
            .map_err(|_| D::Error::custom("expected 32 hexadecimal digits"))?;
        Ok(nonce)
    }
}
