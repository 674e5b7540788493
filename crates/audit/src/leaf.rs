//! Leaves: salted commitments to what was queued, recorded, read, erased or withheld.
//!
//! A leaf goes into the transaction of the thing itself: no evidence, no release
//! (invariant 13).
//!
//! Bytes of a leaf (postcard, frozen; kinds grow at their end):
//!
//! | Bytes | What |
//! |---|---|
//! | 1 | kind, by its place in [`LeafKind`]: `00` batch ... `06` commit |
//! | 16 | salt, random; without it the commitment cannot be tried against guesses |
//! | 32 | commitment: SHA-256 of salt, then the bytes of the thing |
//!
//! The hash of a leaf is that of RFC 6962, 2.1: SHA-256 of `00`, then the leaf.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use vernport_crypto::sha256;

/// How long a leaf is.
pub const LEAF_BYTES: usize = 49;

/// What a leaf commits to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LeafKind {
    /// An envelope queued for the store.
    Batch,
    /// A message queued for a fleet topic.
    Message,
    /// What was withheld between two times: the bytes of [`Counts`](crate::Counts).
    Withheld,
    /// An entry of the ledger, as it is signed for.
    Entry,
    /// A read that a recipient made.
    Read,
    /// Keys and bodies that were erased.
    Erasure,
    /// A batch that central committed.
    Commit,
}

/// One entry of the evidence log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaf {
    kind: LeafKind,
    salt: [u8; 16],
    commitment: [u8; 32],
}

/// Bytes that are no leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{bytes} bytes are no evidence leaf of this version; expected {LEAF_BYTES} with a known kind")]
pub struct LeafError {
    /// How many bytes there were.
    pub bytes: usize,
}

impl Leaf {
    /// Commits to a thing of some kind. The caller draws the salt.
    pub fn new(kind: LeafKind, salt: [u8; 16], subject: &[u8]) -> Self {
        Self { kind, salt, commitment: sha256(&[&salt, subject].concat()) }
    }

    /// What it commits to.
    pub fn kind(&self) -> LeafKind {
        self.kind
    }

    /// Whether it commits to exactly these sealed bytes.
    pub fn commits_to(&self, subject: &[u8]) -> bool {
        *self == Self::new(self.kind, self.salt, subject)
    }

    /// The stored form.
    pub fn to_bytes(&self) -> [u8; LEAF_BYTES] {
        let mut bytes = [0; LEAF_BYTES];
        postcard::to_slice(self, &mut bytes).expect("a leaf has its fixed length");
        bytes
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`LeafError`] for another length or an unknown kind.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LeafError> {
        match postcard::take_from_bytes(bytes) {
            // A kind that is written longer than it has to be would give one leaf two hashes.
            Ok((leaf, [])) if bytes.len() == LEAF_BYTES => Ok(leaf),
            _ => Err(LeafError { bytes: bytes.len() }),
        }
    }

    /// The hash of this leaf in the log's tree (RFC 6962, 2.1).
    pub fn hash(&self) -> [u8; 32] {
        crate::leaf_hash(&self.to_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SALT: [u8; 16] = [0x11; 16];

    #[test]
    fn a_leaf_and_its_hash_have_their_frozen_bytes() {
        // Commitment and hash were made with Python's hashlib.
        let batch = Leaf::new(LeafKind::Batch, SALT, b"sealed");
        assert_eq!(
            hex::encode(batch.to_bytes()),
            "001111111111111111111111111111111181355fd8e0bf3e323e8ec50c23d3e3b698440d25dde82a87400432871fc9ef84"
        );
        assert_eq!(
            hex::encode(batch.hash()),
            "eb35fdb81285d5df2bb00ab31b8ba241efacdb62779552c7cd663ef52022f199"
        );
        let message = Leaf::new(LeafKind::Message, SALT, b"sealed");
        assert_eq!(
            hex::encode(message.to_bytes()),
            "011111111111111111111111111111111181355fd8e0bf3e323e8ec50c23d3e3b698440d25dde82a87400432871fc9ef84"
        );
        // Kinds are told by their first byte, and only added at the end.
        let kinds =
            [LeafKind::Withheld, LeafKind::Entry, LeafKind::Read, LeafKind::Erasure, LeafKind::Commit];
        for (kind, first) in kinds.into_iter().zip(2..) {
            let mut bytes = message.to_bytes();
            bytes[0] = first;
            assert_eq!(Leaf::new(kind, SALT, b"sealed").to_bytes(), bytes, "{kind:?}");
        }
    }

    #[test]
    fn an_unknown_kind_and_every_wrong_length_are_refused() {
        let bytes = Leaf::new(LeafKind::Batch, SALT, b"sealed").to_bytes();
        for len in 0..LEAF_BYTES {
            assert!(Leaf::from_bytes(&bytes[..len]).is_err(), "{len} bytes");
        }
        assert!(Leaf::from_bytes(&[&bytes[..], &[0]].concat()).is_err());
        // The kind 00 as a varint of two bytes.
        assert!(Leaf::from_bytes(&[&[0x80], &bytes[..]].concat()).is_err());
        let mut unknown = bytes;
        unknown[0] = 7;
        let error = Leaf::from_bytes(&unknown).expect_err("kind 7 does not exist");
        assert!(error.to_string().contains("49 bytes"), "{error}");
    }

    proptest! {
        #[test]
        fn a_leaf_commits_to_its_subject_and_kind_only(salt: [u8; 16], a: Vec<u8>, b: Vec<u8>) {
            let leaf = Leaf::new(LeafKind::Batch, salt, &a);
            prop_assert!(leaf.commits_to(&a));
            prop_assert_eq!(leaf.commits_to(&b), a == b);
            prop_assert_eq!(Leaf::from_bytes(&leaf.to_bytes()), Ok(leaf));
            prop_assert_ne!(leaf.hash(), Leaf::new(LeafKind::Message, salt, &a).hash());
        }
    }
}
