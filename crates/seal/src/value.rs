//! One value sealed to one key, as it lies in a store: an identifier, a fleet number.
//!
//! | Bytes | What |
//! |---|---|
//! | 1 | format, `01` |
//! | 32 | `enc` of the wrap to the key (RFC 9180) |
//! | 48 | the wrapped data key |
//! | n + 16 | AES-256-GCM of the value, counter 0 |
//!
//! Wrap and value are bound to `info`: what it is, and its place. The data key is used once.

use vernport_crypto::{DataKey, OpenError, OpeningKey, Wrap, WrapError, WrappingKey, Zeroizing};
use vernport_types::KeyId;

const FORMAT: u8 = 1;
/// How much longer what is sealed is than the value.
pub(crate) const OVERHEAD_BYTES: usize = 1 + 32 + 48 + 16;

/// Seals a value in place; with room for a tag of 16 bytes behind it no copy of it stays behind.
///
/// # Errors
/// [`WrapError`] for a key that is none.
pub(crate) fn seal_value(to: &WrappingKey, info: &[u8], value: Vec<u8>) -> Result<Vec<u8>, WrapError> {
    let key = DataKey::generate();
    let wrap = to.wrap(&key, info)?;
    let sealed = key.seal(0, info, value);
    Ok([&[FORMAT][..], &wrap.enc, &wrap.ciphertext, &sealed].concat())
}

/// Opens what [`seal_value`] made for the key of this name and with the same `info`.
///
/// # Errors
/// [`OpenError::OtherKey`] for another key, [`OpenError::Refused`] for anything else.
pub(crate) fn open_value(
    key: &OpeningKey,
    key_id: KeyId,
    info: &[u8],
    bytes: &[u8],
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let (format, rest) = bytes.split_first().ok_or(OpenError::Refused)?;
    let (enc, rest) = rest.split_first_chunk().ok_or(OpenError::Refused)?;
    let (wrapped, sealed) = rest.split_first_chunk().ok_or(OpenError::Refused)?;
    let data_key = key.unwrap(&Wrap { key_id, enc: *enc, ciphertext: *wrapped }, info)?;
    if *format != FORMAT {
        return Err(OpenError::Refused);
    }
    data_key.open(0, info, sealed.to_vec()).map(Zeroizing::new)
}
