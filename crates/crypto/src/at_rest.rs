//! Long-lived keys for rows at rest: the gateway's storage key, central's
//! master key, the erasure keys, and the key of a backup.
//!
//! One such key seals any number of rows, so each row gets a key of its own:
//!
//! | Bytes | What |
//! |---|---|
//! | 1 | format, `01` |
//! | 16 | salt, random |
//! | n | AES-256-GCM of the plaintext, with the caller's additional data |
//! | 16 | tag |
//!
//! Key and nonce of a row are HKDF-SHA256 (RFC 5869) of the long-lived key with
//! that salt and the label of its use, 32 and 12 bytes.

use crate::{
    OpenError,
    data_key::{open_in_place, seal_in_place},
    derive::{hkdf_sha256, hmac_sha256, pbkdf2_sha256},
    random,
};
use std::{marker::PhantomData, num::NonZeroU32};
use zeroize::{Zeroize as _, ZeroizeOnDrop, Zeroizing};

const FORMAT: u8 = 1;
const SALT_BYTES: usize = 16;

/// What a key at rest is for; keys of two uses never open each other's rows.
pub trait AtRestUse {
    /// Goes into the derivation; frozen.
    const LABEL: &'static str;
}

/// Marks the gateway's storage key.
#[derive(Debug)]
pub enum Storage {}
/// Marks central's master key.
#[derive(Debug)]
pub enum Master {}
/// Marks an erasure key.
#[derive(Debug)]
pub enum Erasure {}
/// Marks the key of a backup that opens with a passphrase.
#[derive(Debug)]
pub enum Backup {}

impl AtRestUse for Storage {
    const LABEL: &'static str = "vernport storage v1";
}
impl AtRestUse for Master {
    const LABEL: &'static str = "vernport master v1";
}
impl AtRestUse for Erasure {
    const LABEL: &'static str = "vernport erasure v1";
}
impl AtRestUse for Backup {
    const LABEL: &'static str = "vernport backup v1";
}

/// The gateway's key for queued plaintext-topic messages.
pub type StorageKey = AtRestKey<Storage>;
/// Central's key that wraps the erasure keys in the second database.
pub type MasterKey = AtRestKey<Master>;
/// The key of one key epoch at central; without it the wraps of that epoch are gone.
pub type ErasureKey = AtRestKey<Erasure>;
/// The key of a backup that opens with a passphrase.
pub type BackupKey = AtRestKey<Backup>;

/// A long-lived key that seals rows.
#[derive(ZeroizeOnDrop)]
pub struct AtRestKey<Use>(Zeroizing<[u8; 32]>, PhantomData<fn() -> Use>);

impl<Use> std::fmt::Debug for AtRestKey<Use> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AtRestKey(<redacted>)")
    }
}

impl<Use: AtRestUse> AtRestKey<Use> {
    /// Draws a new key.
    pub fn generate() -> Self {
        Self::from_bytes(random())
    }

    /// The key of 32 stored bytes.
    pub fn from_bytes(mut bytes: [u8; 32]) -> Self {
        let key = Self(Zeroizing::new(bytes), PhantomData);
        bytes.zeroize();
        key
    }

    /// The bytes, for a credential or to be sealed under another key.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        self.0.clone()
    }

    /// Seals a row, bound to `aad` (which row it is).
    pub fn seal(&self, aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
        self.seal_with_salt(random(), aad, plaintext)
    }

    fn seal_with_salt(&self, salt: [u8; SALT_BYTES], aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let (key, nonce) = self.row_key(&salt);
        let sealed = seal_in_place(&key, nonce, aad, plaintext.to_vec());
        [&[FORMAT][..], &salt, &sealed].concat()
    }

    /// Opens a row that [`Self::seal`] made with the same `aad`.
    ///
    /// # Errors
    /// [`OpenError::Refused`] if key, `aad` or bytes differ.
    pub fn open(&self, aad: &[u8], row: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let (&format, rest) = row.split_first().ok_or(OpenError::Refused)?;
        let (salt, sealed) = rest.split_first_chunk::<SALT_BYTES>().ok_or(OpenError::Refused)?;
        if format != FORMAT {
            return Err(OpenError::Refused);
        }
        let (key, nonce) = self.row_key(salt);
        open_in_place(&key, nonce, aad, sealed.to_vec()).map(Zeroizing::new)
    }

    /// A keyed hash, to find again what may not be stored: HMAC-SHA256 of the
    /// label of the use, a colon, `index`, a zero byte and `bytes`.
    pub fn index(&self, bytes: &[u8]) -> [u8; 32] {
        hmac_sha256(&self.0[..], &[Use::LABEL.as_bytes(), b":index\0", bytes])
    }

    fn row_key(&self, salt: &[u8; SALT_BYTES]) -> (Zeroizing<[u8; 32]>, [u8; 12]) {
        let mut okm = Zeroizing::new([0; 44]);
        hkdf_sha256(&self.0[..], salt, Use::LABEL.as_bytes(), &mut okm[..])
            .expect("44 bytes are within HKDF's limit");
        let key = Zeroizing::new(okm[..32].try_into().expect("32 of 44"));
        (key, okm[32..].try_into().expect("12 of 44"))
    }
}

impl BackupKey {
    /// How often a passphrase is hashed for a new backup: what OWASP's "Password Storage Cheat Sheet"
    /// (2023) asks of PBKDF2 with HMAC-SHA256.
    pub const ITERATIONS: NonZeroU32 = NonZeroU32::new(600_000).expect("not zero");

    /// The key of a passphrase: PBKDF2 with HMAC-SHA256 (RFC 8018, 5.2).
    pub fn from_passphrase(passphrase: &[u8], salt: &[u8; 16], iterations: NonZeroU32) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        pbkdf2_sha256(passphrase, salt, iterations, &mut key[..]);
        Self(key, PhantomData)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_row_has_its_frozen_bytes() {
        let row = StorageKey::from_bytes([1; 32]).seal_with_salt([2; 16], b"row 7", b"plaintext");
        assert_eq!(
            hex::encode(&row),
            "010202020202020202020202020202020209daaf7dc1c19fee2ed980b0c8da9776393331bc4736a42c05"
        );
        let opened = StorageKey::from_bytes([1; 32]).open(b"row 7", &row).expect("opens");
        assert_eq!(opened.as_slice(), b"plaintext");
    }

    #[test]
    fn equal_bytes_under_two_uses_are_two_keys() {
        let row = StorageKey::from_bytes([1; 32]).seal(b"", b"x");
        assert_eq!(MasterKey::from_bytes([1; 32]).open(b"", &row), Err(OpenError::Refused));
        assert_eq!(ErasureKey::from_bytes([1; 32]).open(b"", &row), Err(OpenError::Refused));
    }

    #[test]
    fn an_index_is_equal_under_one_key_and_use_only() {
        let index = StorageKey::from_bytes([1; 32]).index(b"x");
        assert_eq!(index, StorageKey::from_bytes([1; 32]).index(b"x"));
        assert_ne!(index, StorageKey::from_bytes([1; 32]).index(b"y"));
        assert_ne!(index, StorageKey::from_bytes([2; 32]).index(b"x"));
        assert_ne!(index, MasterKey::from_bytes([1; 32]).index(b"x"));
    }

    #[test]
    fn two_rows_of_one_content_do_not_look_alike() {
        let key = StorageKey::generate();
        assert_ne!(key.seal(b"", b"x"), key.seal(b"", b"x"));
    }

    proptest! {
        #[test]
        fn a_row_opens_in_its_place_only_and_a_changed_or_cut_one_never(
            plain in prop::collection::vec(any::<u8>(), 0..100),
            aad in prop::collection::vec(any::<u8>(), 0..20),
            at: prop::sample::Index,
        ) {
            let key = MasterKey::generate();
            let row = key.seal(&aad, &plain);
            prop_assert_eq!(&key.open(&aad, &row).expect("opens")[..], &plain[..]);
            prop_assert!(key.open(&[&aad[..], &[0]].concat(), &row).is_err());
            prop_assert!(key.open(&aad, &row[..at.index(row.len())]).is_err());
            let mut changed = row.clone();
            let bit = at.index(8 * row.len());
            changed[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(key.open(&aad, &changed).is_err());
        }
    }
}
