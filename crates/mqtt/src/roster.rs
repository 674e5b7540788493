//! What a fleet operator is told of its own vehicles: which alias is which of its own numbers (frozen, decision
//! note 0025). On `vernport/v1/fleet/<operator>/roster`, from central, never retained.
//!
//! ```json
//! {"v":1,"controller":"NO-999999999","at":"2026-11-22T08:00:00Z","vehicles":[
//!   {"purpose":"service-planning","vehicle":"…","key":"…","number":"<base64>"}],"signature":"…"}
//! ```
//!
//! Each message lists some vehicles. What it says of one holds until another message says something else, and all
//! are listed again once a day. `number` is sealed to the operator's key for that purpose
//! (`seal::SealedFleetNumber`). The signature is Ed25519 by the key of central's heads over: `"vernport roster v1"`,
//! a zero byte, controller, a zero byte, operator, a zero byte, `at` in microseconds since 1970 (8 bytes, most
//! significant first), and of each vehicle its purpose, a zero byte, alias (16), key (16) and sealed number.
//! `schema/roster-v1.json` states the same, and a test compares.

use crate::{
    fleet_message::{Time, Version},
    shape::Object,
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::fmt;
use thiserror::Error;
use vernport_crypto::{Signature, SigningKey, VerifyError, VerifyingKey};
use vernport_seal::{SEALED_FLEET_NUMBER_BYTES, SealedFleetNumber};
use vernport_types::{ControllerId, KeyId, Slug, UtcMicros, VehicleAlias};

/// The most vehicles in one message.
pub const MAX_ROSTER_VEHICLES: usize = 128;
/// The largest payload that is read, in bytes.
pub const MAX_ROSTER_PAYLOAD_BYTES: usize = 64 * 1_024;

/// Not a roster of version 1. Never repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a roster of version 1 (schema/roster-v1.json)")]
pub struct NotARoster;

/// Some vehicles of one controller, as their operator calls them. `Debug` names no vehicle.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roster {
    v: Version,
    /// Whose central says it.
    pub controller: ControllerId,
    /// When it was said.
    pub at: Time,
    /// 1 to [`MAX_ROSTER_VEHICLES`].
    #[serde(deserialize_with = "objects")]
    vehicles: Vec<RosterVehicle>,
    signature: Signature,
}

/// One vehicle under the alias that it has for one purpose.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RosterVehicle {
    /// For what it is called so.
    pub purpose: Slug,
    /// What it is called on topics.
    pub vehicle: VehicleAlias,
    key: KeyId,
    number: Number,
}

impl RosterVehicle {
    /// A vehicle whose number is sealed to a key that the operator has for the purpose.
    pub fn new(purpose: Slug, vehicle: VehicleAlias, number: &SealedFleetNumber) -> Self {
        Self { purpose, vehicle, key: number.key(), number: Number(*number.as_bytes()) }
    }

    /// What the operator calls it, closed.
    pub fn number(&self) -> SealedFleetNumber {
        let number = SealedFleetNumber::from_bytes(self.key, &self.number.0);
        number.expect("its own length")
    }
}

impl fmt::Debug for RosterVehicle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RosterVehicle({})", self.purpose)
    }
}

/// A sealed number, in base64.
#[derive(Clone, PartialEq, Eq)]
struct Number([u8; SEALED_FLEET_NUMBER_BYTES]);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(self.0))
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = BASE64.decode(String::deserialize(deserializer)?).map_err(D::Error::custom)?;
        bytes.try_into().map(Self).map_err(|_| D::Error::custom("another length"))
    }
}

/// A list of objects: each alone would take an array of its fields, too.
fn objects<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<RosterVehicle>, D::Error> {
    let objects: Vec<Object<RosterVehicle>> = Vec::deserialize(deserializer)?;
    Ok(objects.into_iter().map(|Object(vehicle)| vehicle).collect())
}

impl Roster {
    /// Signs what is told to an operator; of more than [`MAX_ROSTER_VEHICLES`] the first ones. `at` is rounded
    /// down to a second.
    pub fn sign(
        controller: ControllerId,
        operator: &Slug,
        at: UtcMicros,
        mut vehicles: Vec<RosterVehicle>,
        key: &SigningKey,
    ) -> Self {
        vehicles.truncate(MAX_ROSTER_VEHICLES);
        let at = Time(at.truncated(1_000_000));
        let mut roster =
            Self { v: Version, controller, at, vehicles, signature: Signature::from_bytes([0; 64]) };
        roster.signature = key.sign(&roster.signed(operator));
        roster
    }

    /// Checks who says it, and to which operator.
    ///
    /// # Errors
    /// [`VerifyError`] if it is not signed by this key for this operator.
    pub fn verify(&self, operator: &Slug, key: &VerifyingKey) -> Result<(), VerifyError> {
        key.verify(&self.signed(operator), &self.signature)
    }

    fn signed(&self, operator: &Slug) -> Vec<u8> {
        let (controller, operator) = (self.controller.as_str().as_bytes(), operator.as_str().as_bytes());
        let at = self.at.0.0.to_be_bytes();
        let mut signed = [b"vernport roster v1\0", controller, b"\0", operator, b"\0", &at[..]].concat();
        for of in &self.vehicles {
            let purpose = of.purpose.as_str().as_bytes();
            let parts = [purpose, &b"\0"[..], of.vehicle.as_bytes(), of.key.as_bytes(), &of.number.0];
            parts.iter().for_each(|part| signed.extend_from_slice(part));
        }
        signed
    }

    /// The vehicles that it lists.
    pub fn vehicles(&self) -> &[RosterVehicle] {
        &self.vehicles
    }

    /// Reads a payload. Whose it is says [`Roster::verify`].
    ///
    /// # Errors
    /// [`NotARoster`].
    pub fn from_json(payload: &[u8]) -> Result<Self, NotARoster> {
        if payload.len() > MAX_ROSTER_PAYLOAD_BYTES {
            return Err(NotARoster);
        }
        let Object(roster): Object<Self> = serde_json::from_slice(payload).map_err(|_| NotARoster)?;
        let is_one = (1..=MAX_ROSTER_VEHICLES).contains(&roster.vehicles.len());
        if is_one { Ok(roster) } else { Err(NotARoster) }
    }

    /// The payload.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("text keys always encode")
    }
}

impl fmt::Debug for Roster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Roster({}, {} vehicles)", self.controller, self.vehicles.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vernport_crypto::OpeningKey;

    const AT: UtcMicros = UtcMicros(1_795_334_400_123_456);

    fn slug(text: &str) -> Slug {
        text.parse().expect("a slug")
    }

    fn controller() -> ControllerId {
        "NO-999999999".parse().expect("a controller")
    }

    fn vehicle(n: u8, number: &[u8]) -> RosterVehicle {
        let number =
            SealedFleetNumber::from_bytes(KeyId::from_bytes([0x4B; 16]), number).expect("its length");
        RosterVehicle::new(slug("service"), VehicleAlias::from_bytes([n; 16]), &number)
    }

    fn roster(vehicles: usize) -> Roster {
        let of = |n| vehicle(u8::try_from(n % 256).expect("a byte"), &[7; SEALED_FLEET_NUMBER_BYTES]);
        let vehicles = (1..=vehicles).map(of).collect();
        Roster::sign(controller(), &slug("fjord"), AT, vehicles, &SigningKey::from_seed([1; 32]))
    }

    /// What the signature is over is said in words above, and here once more by hand.
    #[test]
    fn it_keeps_its_bytes_and_its_signature() {
        let one = roster(1);
        let number = BASE64.encode([7; SEALED_FLEET_NUMBER_BYTES]);
        let mut signed = b"vernport roster v1\0NO-999999999\0fjord\0".to_vec();
        signed.extend(1_795_334_400_000_000_i64.to_be_bytes());
        signed.extend(b"service\0");
        signed.extend([[1; 16], [0x4B; 16]].concat());
        signed.extend([7; SEALED_FLEET_NUMBER_BYTES]);
        let signature = SigningKey::from_seed([1; 32]).sign(&signed);
        let text = format!(
            "{{\"v\":1,\"controller\":\"NO-999999999\",\"at\":\"2026-11-22T08:00:00Z\",\"vehicles\":[\
             {{\"purpose\":\"service\",\"vehicle\":\"{}\",\"key\":\"{}\",\"number\":\"{number}\"}}],\
             \"signature\":\"{signature}\"}}",
            "01".repeat(16),
            "4b".repeat(16),
        );
        assert_eq!(String::from_utf8(one.to_json()).expect("UTF-8"), text);
        assert_eq!(Roster::from_json(text.as_bytes()), Ok(one));
    }

    #[test]
    fn it_is_believed_of_central_for_that_operator_only_and_unchanged() {
        let [key, other] = [[1; 32], [2; 32]].map(|seed| SigningKey::from_seed(seed).verifying_key());
        let good = roster(2);
        assert_eq!(good.verify(&slug("fjord"), &key), Ok(()));
        assert!(good.verify(&slug("sund"), &key).is_err());
        assert!(good.verify(&slug("fjord"), &other).is_err());
        let text = String::from_utf8(good.to_json()).expect("UTF-8");
        let changes = [
            ("NO-999999999", "NO-999999998"),
            ("08:00:00", "08:00:01"),
            ("service", "services"),
            (&"01".repeat(16), &"03".repeat(16)),
            (&"4b".repeat(16), &"4c".repeat(16)),
            ("BwcH", "CAcH"),
        ];
        for (old, new) in changes {
            let changed = Roster::from_json(text.replacen(old, new, 1).as_bytes()).expect("a roster");
            assert!(changed.verify(&slug("fjord"), &key).is_err(), "{old}");
        }
        let turned = Roster { vehicles: good.vehicles.iter().rev().cloned().collect(), ..good };
        assert!(turned.verify(&slug("fjord"), &key).is_err());
    }

    #[test]
    fn what_it_carries_opens_at_the_operator() {
        let key = OpeningKey::generate();
        let (operator, purpose) = (slug("fjord"), slug("service"));
        let number = "Lastebil 17".parse().expect("a number");
        let sealed =
            SealedFleetNumber::seal(&controller(), &operator, &purpose, &key.wrapping_key(), &number);
        let alias = VehicleAlias::from_bytes([1; 16]);
        let vehicles = vec![RosterVehicle::new(purpose.clone(), alias, &sealed.expect("a key"))];
        let sent = Roster::sign(controller(), &operator, AT, vehicles, &SigningKey::generate());
        let heard = Roster::from_json(&sent.to_json()).expect("a roster");
        let [of] = heard.vehicles() else { panic!("one vehicle") };
        assert_eq!(of.number().open(&key, &controller(), &operator, &of.purpose), Ok(number));
    }

    #[test]
    fn it_has_room_for_its_most_and_what_is_more_or_nothing_is_none() {
        let full = roster(MAX_ROSTER_VEHICLES + 1);
        assert_eq!(full.vehicles().len(), MAX_ROSTER_VEHICLES);
        let payload = full.to_json();
        assert!(payload.len() <= MAX_ROSTER_PAYLOAD_BYTES, "{} bytes", payload.len());
        assert_eq!(Roster::from_json(&payload), Ok(full.clone()));
        let one_more = Roster { vehicles: [full.vehicles.clone(), roster(1).vehicles].concat(), ..full };
        for bad in [one_more.to_json(), roster(0).to_json(), b"[1]".to_vec(), payload[..99].to_vec()] {
            assert_eq!(Roster::from_json(&bad), Err(NotARoster));
        }
        let long = [b" ".repeat(MAX_ROSTER_PAYLOAD_BYTES), roster(1).to_json()].concat();
        assert_eq!(Roster::from_json(&long), Err(NotARoster));
        assert!(!format!("{:?} {:?}", roster(1), roster(1).vehicles()).contains("0101"));
    }
}
