//! The document that begins a new era of a registry, after its central was
//! restored from a backup. Frozen bytes (decision note 0019).
//!
//! Signed bytes: `"vernport era v1" 00`, then postcard of [`Era`].

use serde::{Deserialize, Serialize};
use vernport_crypto::{Signature, SigningKey, VerifyError, VerifyingKey, hash_text};
use vernport_types::{ControllerId, UtcMicros};

const ERA_TAG: &[u8] = b"vernport era v1\0";

/// A controller lets its registry go on after a restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Era {
    /// Whose registry.
    pub controller: ControllerId,
    /// The era that begins: higher than any before.
    pub era: u32,
    /// When it was signed.
    pub at: UtcMicros,
    /// How many entries the ledger has, with those that the journal brought back.
    pub entries: u64,
    /// SHA-256 of the hashes of these entries, sorted.
    #[serde(with = "hash_text")]
    pub ledger_hash: [u8; 32],
}

impl Era {
    /// The first era, which needs no document.
    pub const FIRST: u32 = 1;

    /// The bytes that are signed.
    pub fn signed_bytes(&self) -> Vec<u8> {
        postcard::to_extend(self, ERA_TAG.to_vec()).expect("texts and numbers always encode")
    }

    /// Signs it with the controller's bundle key.
    pub fn sign(self, key: &SigningKey) -> SignedEra {
        SignedEra { signature: key.sign(&self.signed_bytes()), era: self }
    }
}

/// An era and its controller's signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedEra {
    /// The era.
    pub era: Era,
    /// The signature over [`Era::signed_bytes`].
    pub signature: Signature,
}

impl SignedEra {
    /// The era, if the bundle key signed it.
    ///
    /// # Errors
    /// [`VerifyError`].
    pub fn verify(&self, bundle_key: &VerifyingKey) -> Result<&Era, VerifyError> {
        bundle_key.verify(&self.era.signed_bytes(), &self.signature)?;
        Ok(&self.era)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_era_has_its_frozen_bytes_and_counts_as_it_was_signed_only() {
        let era = Era {
            controller: "NO-999999999".parse().expect("an id"),
            era: 2,
            at: UtcMicros(1_000_000),
            entries: 300,
            ledger_hash: [7; 32],
        };
        let expected = [
            "7665726e706f72742065726120763100", // "vernport era v1", NUL
            "0c4e4f2d393939393939393939",       // controller
            "02",                               // era
            "80897a",                           // at, zigzag
            "ac02",                             // entries
            &"07".repeat(32),                   // hash of the ledger
        ]
        .concat();
        assert_eq!(hex::encode(era.signed_bytes()), expected);
        let key = SigningKey::from_seed([1; 32]);
        let signed = era.clone().sign(&key);
        assert_eq!(signed.verify(&key.verifying_key()), Ok(&era));
        assert!(signed.verify(&SigningKey::from_seed([2; 32]).verifying_key()).is_err());
        let raised = SignedEra { era: Era { era: 3, ..era }, ..signed };
        assert!(raised.verify(&key.verifying_key()).is_err());
    }
}
