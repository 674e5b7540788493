//! The data key of one key epoch: AES-256-GCM with a counter for a nonce.
//!
//! Nonce (12 bytes): four zero bytes, then the counter, high byte first. Two
//! messages must never share a counter; `seal::EpochSealer` owns both the key
//! and the counter, so that it cannot happen.

use crate::{random, redacted_debug};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use thiserror::Error;
use vernport_types::KeyId;
use zeroize::{ZeroizeOnDrop, Zeroizing};

/// How much longer a sealed message is than its plaintext: the tag of GCM.
pub const TAG_BYTES: usize = 16;

/// Why something does not open.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OpenError {
    /// The wrap names another key.
    #[error("the wrap is for key {wanted} and was tried with key {given}; take the key it names")]
    OtherKey {
        /// The key it was made for.
        wanted: KeyId,
        /// The key that was tried.
        given: KeyId,
    },
    /// The tag does not fit: other key, other context, or changed bytes.
    #[error("the bytes do not open under this key and context; key, context or bytes differ")]
    Refused,
}

/// AES-256-GCM key of one key epoch.
#[derive(ZeroizeOnDrop)]
pub struct DataKey(Zeroizing<[u8; 32]>);

redacted_debug!(DataKey);

impl DataKey {
    /// Draws a new key.
    pub fn generate() -> Self {
        Self(Zeroizing::new(random()))
    }

    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        Some(Self(Zeroizing::new(bytes.try_into().ok()?)))
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Seals a message: ciphertext, then tag. The caller answers for the
    /// counter being used once under this key.
    pub fn seal(&self, counter: u64, aad: &[u8], plaintext: Vec<u8>) -> Vec<u8> {
        seal_in_place(&self.0, nonce(counter), aad, plaintext)
    }

    /// Opens what [`Self::seal`] made.
    ///
    /// # Errors
    /// [`OpenError::Refused`] if key, counter, `aad` or bytes differ.
    pub fn open(&self, counter: u64, aad: &[u8], sealed: Vec<u8>) -> Result<Vec<u8>, OpenError> {
        open_in_place(&self.0, nonce(counter), aad, sealed)
    }
}

fn nonce(counter: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&counter.to_be_bytes());
    nonce
}

fn cipher(key: &[u8; 32]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("AES-256 takes 32 bytes"))
}

pub(crate) fn seal_in_place(key: &[u8; 32], nonce: [u8; 12], aad: &[u8], mut message: Vec<u8>) -> Vec<u8> {
    // Room for the tag first: growing later would leave a copy of the plaintext behind.
    if message.capacity() - message.len() < TAG_BYTES {
        let tight = Zeroizing::new(message);
        message = Vec::with_capacity(tight.len() + TAG_BYTES);
        message.extend_from_slice(&tight);
    }
    cipher(key)
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut message)
        .expect("a message in memory is below the 64 GiB of GCM");
    message
}

pub(crate) fn open_in_place(
    key: &[u8; 32],
    nonce: [u8; 12],
    aad: &[u8],
    mut message: Vec<u8>,
) -> Result<Vec<u8>, OpenError> {
    let plain_bytes = cipher(key)
        .open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut message)
        .map_err(|_| OpenError::Refused)?
        .len();
    message.truncate(plain_bytes);
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes<const N: usize>(text: &str) -> [u8; N] {
        let mut bytes = [0; N];
        hex::decode_to_slice(text, &mut bytes).expect("hex of the right length");
        bytes
    }

    /// McGrew and Viega, "The Galois/Counter Mode of Operation", test case 14:
    /// key, nonce and one block of plaintext all zero, which is counter 0 here.
    #[test]
    fn aes_256_gcm_gives_the_published_bytes() {
        let key = DataKey(Zeroizing::new([0; 32]));
        let sealed = key.seal(0, b"", vec![0; 16]);
        assert_eq!(hex::encode(sealed), "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
    }

    #[test]
    fn the_counter_stands_in_the_last_eight_bytes_of_the_nonce() {
        assert_eq!(nonce(0x0102_0304_0506_0708), bytes("000000000102030405060708"));
        assert_eq!(nonce(u64::MAX), bytes("00000000ffffffffffffffff"));
    }

    proptest! {
        #[test]
        fn what_was_sealed_opens_under_the_same_key_counter_and_context_only(
            plain in prop::collection::vec(any::<u8>(), 0..200),
            aad in prop::collection::vec(any::<u8>(), 0..50),
            counter: u64,
            flip: prop::sample::Index,
        ) {
            let key = DataKey::generate();
            let sealed = key.seal(counter, &aad, plain.clone());
            prop_assert_eq!(sealed.len(), plain.len() + TAG_BYTES);
            prop_assert_eq!(key.open(counter, &aad, sealed.clone()), Ok(plain));
            let refused = Err(OpenError::Refused);
            prop_assert_eq!(&key.open(counter ^ 1, &aad, sealed.clone()), &refused);
            prop_assert_eq!(&key.open(counter, &[&aad[..], b"x"].concat(), sealed.clone()), &refused);
            prop_assert_eq!(&DataKey::generate().open(counter, &aad, sealed.clone()), &refused);
            prop_assert_eq!(&key.open(counter, &aad, sealed[..flip.index(sealed.len())].to_vec()), &refused);
            let mut changed = sealed;
            let bit = flip.index(changed.len() * 8);
            changed[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(&key.open(counter, &aad, changed), &refused);
        }
    }
}
