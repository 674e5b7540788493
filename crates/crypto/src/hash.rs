//! SHA-256, its written form, and the system's random bytes.

use crate::public::public_32;
use ring::{
    digest::{SHA256, digest},
    rand::{SecureRandom, SystemRandom},
};

/// SHA-256 (FIPS 180-4).
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest(&SHA256, bytes).as_ref().try_into().expect("SHA-256 has 32 bytes")
}

public_32!(
    /// A digest as serde writes it.
    Digest
);

/// For `#[serde(with = "vernport_crypto::hash_text")]` on a `[u8; 32]`:
/// hexadecimal where the format is for people, else the bytes.
pub mod hash_text {
    use super::Digest;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// Writes a hash.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(hash: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
        Digest(*hash).serialize(serializer)
    }

    /// Reads a hash.
    ///
    /// # Errors
    /// Those of the deserializer, and a text that is not 64 hexadecimal digits.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
        Digest::deserialize(deserializer).map(Into::into)
    }
}

/// Random bytes from the kernel.
///
/// # Panics
/// If the kernel gives none: nothing can be protected then.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    #[cfg(feature = "danger-seeded-random")]
    if seeded::fill(&mut bytes) {
        return bytes;
    }
    SystemRandom::new().fill(&mut bytes).expect("the kernel gives random bytes");
    bytes
}

/// From here on [`random`] gives, on this thread, what follows from `seed`, and nothing that protects anything;
/// with none, the kernel's again. Keys of HPKE come from the kernel in any case.
#[cfg(feature = "danger-seeded-random")]
pub fn danger_seed_random(seed: Option<u64>) {
    seeded::set(seed);
}

#[cfg(feature = "danger-seeded-random")]
mod seeded {
    use super::sha256;
    use std::cell::Cell;

    thread_local! {
        /// The seed and how many blocks were drawn from it.
        static DRAWN: Cell<Option<(u64, u64)>> = const { Cell::new(None) };
    }

    pub(super) fn set(seed: Option<u64>) {
        DRAWN.set(seed.map(|seed| (seed, 0)));
    }

    /// SHA-256 of seed and number of the block; false where the thread has no seed.
    pub(super) fn fill(bytes: &mut [u8]) -> bool {
        for part in bytes.chunks_mut(32) {
            let Some((seed, drawn)) = DRAWN.get() else { return false };
            DRAWN.set(Some((seed, drawn + 1)));
            let block = sha256(&[seed.to_be_bytes(), drawn.to_be_bytes()].concat());
            part.copy_from_slice(&block[..part.len()]);
        }
        DRAWN.get().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sha256_gives_the_published_digest() {
        // FIPS 180-2, appendix B.1.
        let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hex::encode(sha256(b"abc")), digest);
    }

    #[test]
    fn a_hash_is_hex_in_text_and_raw_in_postcard() {
        #[derive(serde::Serialize, serde::Deserialize, Debug, PartialEq)]
        struct Named {
            #[serde(with = "hash_text")]
            hash: [u8; 32],
        }
        let named = Named { hash: [0xAB; 32] };
        let json = serde_json::to_string(&named).expect("encodes");
        assert_eq!(json, format!(r#"{{"hash":"{}"}}"#, "ab".repeat(32)));
        assert_eq!(serde_json::from_str::<Named>(&json).expect("decodes"), named);
        assert_eq!(postcard::to_allocvec(&named).expect("encodes"), named.hash);
    }

    #[test]
    fn two_draws_differ() {
        assert_ne!(random::<16>(), random::<16>());
    }
}
