//! The blind index: a keyed hash of a VIN, plate or serial number, so that two
//! places can compare what neither shows.
//!
//! `HMAC-SHA256(identity key, "vernport identifier v1" 00 normal form)`.

use crate::{derive::hmac_sha256, public::public_32, random, redacted_debug};
use vernport_types::Identifier;
use zeroize::{Zeroize as _, ZeroizeOnDrop, Zeroizing};

const LABEL: &[u8] = b"vernport identifier v1\0";
const MESSAGE_LABEL: &[u8] = b"vernport tool message v1\0";

public_32!(
    /// An identifier under the identity key of one controller. Says nothing without the key.
    BlindIndex
);

/// A controller's identity key.
#[derive(ZeroizeOnDrop)]
pub struct IdentityKey(Zeroizing<[u8; 32]>);

redacted_debug!(IdentityKey);

impl IdentityKey {
    /// Draws a new key.
    pub fn generate() -> Self {
        Self::from_bytes(random())
    }

    /// The key of 32 stored bytes.
    pub fn from_bytes(mut bytes: [u8; 32]) -> Self {
        let key = Self(Zeroizing::new(bytes));
        bytes.zeroize();
        key
    }

    /// The bytes, for a credential.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        self.0.clone()
    }

    /// What stands for the id of a tool's message, in which a tool may have put a plate:
    /// `HMAC-SHA256(identity key, "vernport tool message v1" 00 id)`.
    pub fn message(&self, id: &[u8]) -> [u8; 32] {
        hmac_sha256(&self.0[..], &[MESSAGE_LABEL, id])
    }

    /// The blind index of an identifier.
    pub fn index(&self, identifier: &Identifier) -> BlindIndex {
        let normal = Zeroizing::new(identifier.normal_form());
        BlindIndex::from_bytes(hmac_sha256(&self.0[..], &[LABEL, &normal]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vernport_types::Plate;

    fn vin() -> Identifier {
        Identifier::Vin("WDB9634031L738001".parse().expect("valid"))
    }

    #[test]
    fn the_blind_index_is_the_hmac_of_the_normal_form() {
        // Made with Python: hmac.new(b"\x2a" * 32, b"vernport identifier v1\0vin\0WDB9634031L738001", "sha256").
        let index = IdentityKey::from_bytes([0x2A; 32]).index(&vin());
        assert_eq!(index.to_string(), "eecc7be352f63f6de7e634ac71b69860da2b8fd40de0d02dfa19cdfab047d4b3");
    }

    #[test]
    fn the_id_of_a_message_is_no_blind_index() {
        let key = IdentityKey::from_bytes([0x2A; 32]);
        assert_ne!(&key.message(&vin().normal_form()), key.index(&vin()).as_bytes());
        assert_eq!(key.message(b"x"), IdentityKey::from_bytes([0x2A; 32]).message(b"x"));
        assert_ne!(key.message(b"x"), IdentityKey::generate().message(b"x"));
    }

    #[test]
    fn controllers_cannot_compare_their_indexes_and_kinds_do_not_collide() {
        let (one, two) = (IdentityKey::generate(), IdentityKey::generate());
        assert_ne!(one.index(&vin()), two.index(&vin()));
        let plate = Identifier::Plate(Plate::new("NO", "AB12345").expect("valid"));
        let serial = Identifier::serial("NO AB12345").expect("valid");
        assert_ne!(one.index(&plate), one.index(&serial));
    }
}
