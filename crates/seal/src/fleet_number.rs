//! A fleet operator's own number of a vehicle, sealed to the operator by central when it is told it. From
//! then on nobody but the operator reads it; the roster carries it as it lies in the store (decision note 0025).
//!
//! The value (see `value`) is the number in UTF-8, filled up with zero bytes to 40, and bound to `"vernport fleet
//! number"`, a zero byte, controller, a zero byte, operator, a zero byte and purpose. All sealed numbers are of one
//! length, so that it tells nothing.

use crate::value::{OVERHEAD_BYTES, open_value, seal_value};
use std::fmt;
use vernport_crypto::{OpenError, OpeningKey, WrapError, WrappingKey};
use vernport_types::{ControllerId, FleetNumber, KeyId, Slug};

/// How long every sealed fleet number is.
pub const SEALED_FLEET_NUMBER_BYTES: usize = FleetNumber::MAX_BYTES + OVERHEAD_BYTES;

/// A fleet number that one key of an operator opens. `Debug` names the key only.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedFleetNumber {
    key: KeyId,
    bytes: [u8; SEALED_FLEET_NUMBER_BYTES],
}

impl fmt::Debug for SealedFleetNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedFleetNumber({})", self.key)
    }
}

fn info(controller: &ControllerId, operator: &Slug, purpose: &Slug) -> Vec<u8> {
    let (operator, purpose) = (operator.as_str().as_bytes(), purpose.as_str().as_bytes());
    [b"vernport fleet number\0", controller.as_str().as_bytes(), b"\0", operator, b"\0", purpose].concat()
}

impl SealedFleetNumber {
    /// Seals a number to the key that an operator has for a purpose.
    ///
    /// # Errors
    /// [`WrapError`] for a key that is none.
    pub fn seal(
        controller: &ControllerId,
        operator: &Slug,
        purpose: &Slug,
        to: &WrappingKey,
        number: &FleetNumber,
    ) -> Result<Self, WrapError> {
        // Sealed in place: no copy of the number stays behind.
        let mut value = Vec::with_capacity(SEALED_FLEET_NUMBER_BYTES);
        value.extend_from_slice(number.expose().as_bytes());
        value.resize(FleetNumber::MAX_BYTES, 0);
        let bytes = seal_value(to, &info(controller, operator, purpose), value)?;
        Ok(Self { key: to.key_id(), bytes: bytes.try_into().expect("values of one length") })
    }

    /// What was sealed to this key; none if it has another length.
    pub fn from_bytes(key: KeyId, bytes: &[u8]) -> Option<Self> {
        Some(Self { key, bytes: bytes.try_into().ok()? })
    }

    /// Which key opens it.
    pub fn key(&self) -> KeyId {
        self.key
    }

    /// The bytes, as in the table above.
    pub fn as_bytes(&self) -> &[u8; SEALED_FLEET_NUMBER_BYTES] {
        &self.bytes
    }

    /// Opens it as the operator.
    ///
    /// # Errors
    /// [`OpenError::OtherKey`] for another key than it names, [`OpenError::Refused`] if it was made for another
    /// place or changed.
    pub fn open(
        &self,
        key: &OpeningKey,
        controller: &ControllerId,
        operator: &Slug,
        purpose: &Slug,
    ) -> Result<FleetNumber, OpenError> {
        let value = open_value(key, self.key, &info(controller, operator, purpose), &self.bytes)?;
        let text = std::str::from_utf8(&value).map_err(|_| OpenError::Refused)?;
        text.trim_end_matches('\0').parse().map_err(|_| OpenError::Refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slug(text: &str) -> Slug {
        text.parse().expect("a slug")
    }

    fn controller() -> ControllerId {
        "NO-999999999".parse().expect("a controller")
    }

    fn sealed(to: &OpeningKey, number: &str) -> SealedFleetNumber {
        let number = number.parse().expect("a number");
        let to = to.wrapping_key();
        SealedFleetNumber::seal(&controller(), &slug("fjord"), &slug("service"), &to, &number).expect("a key")
    }

    #[test]
    fn only_the_operator_s_key_for_that_purpose_opens_it_there() {
        let key = OpeningKey::generate();
        let sealed = sealed(&key, "Lastebil 17");
        let open = |key: &OpeningKey, operator: &str, purpose: &str| {
            sealed.open(key, &controller(), &slug(operator), &slug(purpose))
        };
        assert_eq!(open(&key, "fjord", "service").expect("its own").expose(), "Lastebil 17");
        let other = OpeningKey::generate();
        let wanted = sealed.key();
        let given = other.wrapping_key().key_id();
        assert_eq!(open(&other, "fjord", "service"), Err(OpenError::OtherKey { wanted, given }));
        assert_eq!(open(&key, "fjord", "insurance"), Err(OpenError::Refused));
        assert_eq!(open(&key, "sund", "service"), Err(OpenError::Refused));
        let elsewhere: ControllerId = "NO-999999998".parse().expect("a controller");
        let there = sealed.open(&key, &elsewhere, &slug("fjord"), &slug("service"));
        assert_eq!(there, Err(OpenError::Refused));
    }

    #[test]
    fn its_length_says_nothing_and_any_changed_byte_closes_it() {
        let key = OpeningKey::generate();
        let short = sealed(&key, "1");
        let long = sealed(&key, &"å".repeat(20));
        assert_eq!(short.as_bytes().len(), long.as_bytes().len());
        let opens = |bytes: &[u8]| {
            let read = SealedFleetNumber::from_bytes(short.key(), bytes)?;
            read.open(&key, &controller(), &slug("fjord"), &slug("service")).ok()
        };
        assert_eq!(opens(short.as_bytes()).expect("unchanged").expose(), "1");
        for at in 0..SEALED_FLEET_NUMBER_BYTES {
            let mut bytes = *short.as_bytes();
            bytes[at] ^= 1;
            assert_eq!(opens(&bytes), None, "byte {at}");
            assert_eq!(opens(&bytes[..at]), None, "{at} bytes");
        }
    }
}
