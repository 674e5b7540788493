//! Ed25519 (RFC 8032): device keys, bundle keys and the key of central's heads.

use crate::{public::public_32, public::public_bytes, random, redacted_debug, sha256};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use thiserror::Error;
use vernport_types::KeyId;
use zeroize::{Zeroize as _, ZeroizeOnDrop, Zeroizing};

public_32!(
    /// Checks signatures. Public.
    VerifyingKey
);

public_bytes!(
    /// An Ed25519 signature.
    Signature, 64, ([u8; 32], [u8; 32]));

impl From<Signature> for ([u8; 32], [u8; 32]) {
    fn from(signature: Signature) -> Self {
        let (r, s) = signature.0.split_at(32);
        (r.try_into().expect("half of 64"), s.try_into().expect("half of 64"))
    }
}

impl From<([u8; 32], [u8; 32])> for Signature {
    fn from((r, s): ([u8; 32], [u8; 32])) -> Self {
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&r);
        bytes[32..].copy_from_slice(&s);
        Self(bytes)
    }
}

/// A signature that is not by this key over this message.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the signature is not by key {key} over these bytes; the bytes or the signer differ")]
pub struct VerifyError {
    /// Which key was asked.
    pub key: KeyId,
}

/// Signs. Holds the seed only; the expanded key lives for one call.
#[derive(ZeroizeOnDrop)]
pub struct SigningKey(Zeroizing<[u8; 32]>);

redacted_debug!(SigningKey);

impl SigningKey {
    /// Draws a new key.
    pub fn generate() -> Self {
        Self::from_seed(random())
    }

    /// The key of a seed (RFC 8032, 5.1.5: the private key).
    pub fn from_seed(mut seed: [u8; 32]) -> Self {
        let key = Self(Zeroizing::new(seed));
        seed.zeroize();
        key
    }

    /// The seed, for a credential file.
    pub fn seed(&self) -> Zeroizing<[u8; 32]> {
        self.0.clone()
    }

    /// The public half.
    pub fn verifying_key(&self) -> VerifyingKey {
        let public = self.expanded().public_key().as_ref().try_into();
        VerifyingKey(public.expect("an Ed25519 public key has 32 bytes"))
    }

    /// Signs a message.
    pub fn sign(&self, message: &[u8]) -> Signature {
        let signature = self.expanded().sign(message);
        Signature(signature.as_ref().try_into().expect("an Ed25519 signature has 64 bytes"))
    }

    fn expanded(&self) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(self.0.as_ref()).expect("every 32 bytes are an Ed25519 seed")
    }
}

impl VerifyingKey {
    /// The name of this key.
    pub fn key_id(&self) -> KeyId {
        key_id(&self.0)
    }

    /// Checks a signature.
    ///
    /// # Errors
    /// [`VerifyError`] if it is not by this key over this message.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), VerifyError> {
        UnparsedPublicKey::new(&ED25519, &self.0)
            .verify(message, &signature.0)
            .map_err(|_| VerifyError { key: self.key_id() })
    }
}

/// The name of a public key: the first 16 bytes of its SHA-256.
pub(crate) fn key_id(public: &[u8; 32]) -> KeyId {
    let digest = sha256(public);
    KeyId::from_bytes(digest[..16].try_into().expect("16 of 32 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032, 7.1, test 2.
    #[test]
    fn the_signature_of_rfc_8032_comes_out() {
        let mut seed = [0; 32];
        hex::decode_to_slice("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", &mut seed)
            .expect("hex");
        let key = SigningKey::from_seed(seed);
        let public = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
        assert_eq!(key.verifying_key().to_string(), public);
        let signature = key.sign(&[0x72]);
        assert_eq!(
            signature.to_string(),
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        );
        assert_eq!(key.verifying_key().verify(&[0x72], &signature), Ok(()));
    }

    #[test]
    fn another_message_another_key_or_a_flipped_bit_does_not_verify() {
        let (key, other) = (SigningKey::generate(), SigningKey::generate());
        let signature = key.sign(b"head");
        let refused = Err(VerifyError { key: key.verifying_key().key_id() });
        assert_eq!(key.verifying_key().verify(b"heads", &signature), refused);
        assert!(other.verifying_key().verify(b"head", &signature).is_err());
        for bit in 0..512 {
            let mut bytes = *signature.as_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(key.verifying_key().verify(b"head", &Signature(bytes)), refused, "bit {bit}");
        }
    }

    #[test]
    fn public_halves_are_hex_in_text_and_raw_in_postcard() {
        let signature = SigningKey::from_seed([7; 32]).sign(b"x");
        let json = serde_json::to_string(&signature).expect("encodes");
        assert_eq!(json, format!("\"{signature}\""));
        assert_eq!(serde_json::from_str::<Signature>(&json).expect("decodes"), signature);
        let raw = postcard::to_allocvec(&signature).expect("encodes");
        assert_eq!(raw, signature.as_bytes());
        assert_eq!(postcard::from_bytes::<Signature>(&raw).expect("decodes"), signature);
        assert!(serde_json::from_str::<VerifyingKey>("\"00\"").is_err());
    }
}
