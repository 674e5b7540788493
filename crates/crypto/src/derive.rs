//! Keys out of keys: HMAC, HKDF and PBKDF2, all over SHA-256.

use ring::{
    hkdf::{HKDF_SHA256, KeyType, Salt},
    hmac, pbkdf2,
};
use std::num::NonZeroU32;

/// HMAC-SHA256 (RFC 2104) of the parts in a row.
pub(crate) fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    for part in parts {
        context.update(part);
    }
    context.sign().as_ref().try_into().expect("HMAC-SHA256 has 32 bytes")
}

/// HKDF-SHA256 (RFC 5869): extract with `salt`, expand with `info` into all of `okm`.
/// None if `okm` is longer than 255 hashes.
pub(crate) fn hkdf_sha256(ikm: &[u8], salt: &[u8], info: &[u8], okm: &mut [u8]) -> Option<()> {
    struct Length(usize);
    impl KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    let pseudorandom = Salt::new(HKDF_SHA256, salt).extract(ikm);
    let info = [info];
    pseudorandom.expand(&info, Length(okm.len())).and_then(|expanded| expanded.fill(okm)).ok()
}

/// PBKDF2 with HMAC-SHA256 (RFC 8018, 5.2) into all of `key`.
pub(crate) fn pbkdf2_sha256(passphrase: &[u8], salt: &[u8], iterations: NonZeroU32, key: &mut [u8]) {
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, salt, passphrase, key);
}
