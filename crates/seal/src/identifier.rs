//! Identifiers kept sealed to the controller, beside the ledger that holds
//! their blind indexes only. Who seals one cannot open it afterwards.
//!
//! | Bytes | What |
//! |---|---|
//! | 1 | format, `01` |
//! | 32 | `enc` of the wrap to the recovery key (RFC 9180) |
//! | 48 | the wrapped key |
//! | n + 16 | AES-256-GCM of the identifier's normal form, counter 0 |
//!
//! Both are bound to `"vernport identifier"`, a zero byte, controller, a zero
//! byte and the blind index.

use vernport_crypto::{BlindIndex, DataKey, WrapError, WrappingKey};
use vernport_types::{ControllerId, Identifier};

const FORMAT: u8 = 1;

/// Seals an identifier to the controller's recovery key.
///
/// # Errors
/// [`WrapError`] for a key that is none.
pub fn seal_identifier(
    controller: &ControllerId,
    recovery: &WrappingKey,
    index: &BlindIndex,
    identifier: &Identifier,
) -> Result<Vec<u8>, WrapError> {
    let info = [b"vernport identifier\0", controller.as_str().as_bytes(), b"\0", index.as_bytes()].concat();
    let key = DataKey::generate();
    let wrap = recovery.wrap(&key, &info)?;
    let sealed = key.seal(0, &info, identifier.normal_form());
    Ok([&[FORMAT][..], &wrap.enc, &wrap.ciphertext, &sealed].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use vernport_crypto::{IdentityKey, OpeningKey, Wrap};

    #[test]
    fn only_the_controller_opens_a_sealed_identifier() {
        let controller: ControllerId = "NO-999999999".parse().expect("a controller");
        let identifier = Identifier::Vin("WDB9634031L738001".parse().expect("a VIN"));
        let index = IdentityKey::generate().index(&identifier);
        let recovery = OpeningKey::generate();
        let row =
            seal_identifier(&controller, &recovery.wrapping_key(), &index, &identifier).expect("a good key");

        let info =
            [b"vernport identifier\0", controller.as_str().as_bytes(), b"\0", index.as_bytes()].concat();
        let wrap = Wrap {
            key_id: recovery.wrapping_key().key_id(),
            enc: row[1..33].try_into().expect("32"),
            ciphertext: row[33..81].try_into().expect("48"),
        };
        let key = recovery.unwrap(&wrap, &info).expect("the controller's key");
        assert_eq!(key.open(0, &info, row[81..].to_vec()).expect("in place"), identifier.normal_form());
        assert!(OpeningKey::generate().unwrap(&wrap, &info).is_err());
        assert!(recovery.unwrap(&wrap, b"another place").is_err());
    }
}
