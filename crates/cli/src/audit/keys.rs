//! The keys that a log is held against.

use super::Unreadable;
use vernport_audit::{CheckpointError, KeyKind, NoteKey, SignedCheckpoint};
use vernport_crypto::VerifyingKey;

/// Keys of the keeper and of witnesses.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keys {
    keepers: Vec<KeeperKey>,
    witnesses: Vec<NoteKey>,
}

#[derive(Debug, Clone)]
enum KeeperKey {
    /// Of whatever log.
    Plain(VerifyingKey),
    /// Of one log.
    Named(NoteKey),
}

impl Keys {
    pub(crate) fn read(keepers: &[String], witnesses: &[String]) -> Result<Self, Unreadable> {
        let keeper = |text: &String| {
            let plain = text.parse().map(KeeperKey::Plain);
            plain.or_else(|_| text.parse().map(KeeperKey::Named)).map_err(|_| {
                Unreadable::Typed(
                    "--key: expected 64 hexadecimal digits, or a verifier key <name>+<id>+<base64>".into(),
                )
            })
        };
        let witness = |text: &String| {
            let key = text.parse::<NoteKey>().ok().filter(|key| key.kind() == KeyKind::Cosignature);
            key.ok_or_else(|| {
                Unreadable::Typed(
                    "--witness: expected the verifier key of a cosigner, <name>+<id>+<base64>".into(),
                )
            })
        };
        Ok(Self {
            keepers: keepers.iter().map(keeper).collect::<Result<_, _>>()?,
            witnesses: witnesses.iter().map(witness).collect::<Result<_, _>>()?,
        })
    }

    /// Whether there is any key to hold a signature against.
    pub(crate) fn is_empty(&self) -> bool {
        self.keepers.is_empty()
    }

    /// The keys that may have signed for a log.
    pub(crate) fn of(&self, origin: &str) -> Vec<NoteKey> {
        let named = self.keepers.iter().filter_map(|key| match key {
            KeeperKey::Plain(key) => NoteKey::new(origin, KeyKind::Note, *key).ok(),
            KeeperKey::Named(key) => Some(key.clone()),
        });
        named.collect()
    }

    /// Reads a checkpoint that one of the keys signed.
    pub(crate) fn checkpoint(&self, note: &str) -> Result<SignedCheckpoint, CheckpointError> {
        let origin = SignedCheckpoint::origin_of(note.as_bytes())?;
        let mut refused = CheckpointError::Form;
        for key in self.of(&origin) {
            match SignedCheckpoint::read(note.as_bytes(), &key) {
                Ok(signed) => return Ok(signed),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }

    /// Holds the cosignatures against the witnesses that were named: each has to be there.
    pub(crate) fn witnessed(&self, signed: &SignedCheckpoint) -> Result<(), String> {
        for witness in &self.witnesses {
            signed.cosigned_by(witness).map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}
