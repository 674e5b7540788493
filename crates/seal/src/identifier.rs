//! Identifiers kept sealed to the controller, beside the ledger that holds
//! their blind indexes only. Who seals one cannot open it afterwards.
//!
//! The value of the row (see `value`) is the identifier's normal form, sealed to the recovery key and bound to
//! `"vernport identifier"`, a zero byte, controller, a zero byte and the blind index.

use crate::value::seal_value;
use vernport_crypto::{BlindIndex, WrapError, WrappingKey};
use vernport_types::{ControllerId, Identifier};

fn info(controller: &ControllerId, index: &BlindIndex) -> Vec<u8> {
    [b"vernport identifier\0", controller.as_str().as_bytes(), b"\0", index.as_bytes()].concat()
}

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
    seal_value(recovery, &info(controller, index), identifier.normal_form())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::open_value;
    use vernport_crypto::{IdentityKey, OpeningKey};

    #[test]
    fn only_the_controller_opens_a_sealed_identifier() {
        let controller: ControllerId = "NO-999999999".parse().expect("a controller");
        let identifier = Identifier::Vin("WDB9634031L738001".parse().expect("a VIN"));
        let index = IdentityKey::generate().index(&identifier);
        let recovery = OpeningKey::generate();
        let row =
            seal_identifier(&controller, &recovery.wrapping_key(), &index, &identifier).expect("a good key");

        let key_id = recovery.wrapping_key().key_id();
        let opened = open_value(&recovery, key_id, &info(&controller, &index), &row);
        assert_eq!(*opened.expect("the controller's key"), identifier.normal_form());
        let (other, elsewhere) = (OpeningKey::generate(), b"another place");
        assert!(open_value(&other, key_id, &info(&controller, &index), &row).is_err());
        assert!(open_value(&recovery, key_id, elsewhere, &row).is_err());
    }
}
