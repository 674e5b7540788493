//! Data identifiers as they are written under a bus.

use serde::{Deserialize, Deserializer, de::Error};
use vernport_decode::{dids::Rule, poll::Unit};

/// Which bytes of which unit's answer to service 22 are which signal.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BusDid {
    /// The identifier, 4 hexadecimal digits.
    #[serde(deserialize_with = "did")]
    pub did: u16,
    /// The unit, by the id of its requests: 7E0 to 7E7, 18DAxxF1.
    #[serde(deserialize_with = "unit")]
    pub unit: Unit,
    /// The signal, by its path in the catalogue.
    pub path: String,
    /// The first byte behind the identifier is 0. Default 0.
    #[serde(default)]
    pub first_byte: u16,
    /// How many bytes, the high one first: 1 to 6.
    pub bytes: u8,
    /// What one step is, in the catalogue's unit. Default 1.
    #[serde(default = "one")]
    pub scale: f64,
    /// What a raw value of 0 is, in the catalogue's unit. Default 0.
    #[serde(default)]
    pub offset: f64,
    /// Whether the raw value may be negative (two's complement). Default false.
    #[serde(default)]
    pub signed: bool,
}

impl BusDid {
    /// As the decoder takes it.
    pub(super) fn rule(&self) -> Rule {
        let Self { did, unit, first_byte, bytes, scale, offset, signed, .. } = *self;
        Rule { did, unit, path: self.path.clone(), first_byte, bytes, scale, offset, signed }
    }
}

fn one() -> f64 {
    1.0
}

fn did<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    let text = String::deserialize(deserializer)?;
    let digits = text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = u16::from_str_radix(&text, 16).ok().filter(|_| digits);
    number.ok_or_else(|| D::Error::custom("a data identifier has 4 hexadecimal digits, as \"DD01\""))
}

fn unit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Unit, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use crate::config::Bus;
    use vernport_decode::dids::Why;
    use vernport_types::Catalogue;

    const DID: &str =
        "did = \"DD01\", unit = \"7E0\", path = \"Vehicle.TraveledDistance\", bytes = 3, scale = 1000";

    fn bus(did: &str) -> Result<Bus, toml::de::Error> {
        toml::from_str(&format!("source = \"virtual:bay\"\ndids = [{{ {did} }}]"))
    }

    fn catalogue() -> Catalogue {
        let text = include_str!("../../../../config/signals/vehicle.toml");
        Catalogue::from_toml([("vehicle.toml", text)]).expect("the shipped catalogue")
    }

    #[test]
    fn an_identifier_is_read_and_fits_the_catalogue() {
        let bus = bus(DID).expect("a bus");
        assert_eq!((bus.dids[0].did, bus.dids[0].first_byte, bus.dids[0].signed), (0xDD01, 0, false));
        assert!(bus.data_identifiers(&catalogue()).is_ok());
    }

    #[test]
    fn what_is_no_identifier_or_no_unit_is_refused_in_its_line() {
        for (from, to, remedy) in [
            ("DD01", "DD1", "4 hexadecimal digits"),
            ("DD01", "+D01", "4 hexadecimal digits"),
            ("7E0", "7DF", "7E0 to 7E7 or 18DAxxF1"),
            ("7E0", "6F1", "7E0 to 7E7 or 18DAxxF1"),
            ("bytes = 3", "bytes = 3, service = 46", "unknown field `service`"),
            ("bytes = 3", "bytes = 300", "300"),
        ] {
            let text = bus(&DID.replace(from, to)).expect_err(to).to_string();
            assert!(text.contains(remedy) && text.contains("line 2"), "{text}");
        }
    }

    #[test]
    fn what_does_not_fit_the_catalogue_is_refused_at_start() {
        for (from, to, why) in [
            ("Vehicle.TraveledDistance", "Vehicle.Odometer", Why::UnknownSignal),
            ("bytes = 3", "bytes = 9", Why::Place),
            ("scale = 1000", "scale = -1000, offset = -1", Why::NeverBelieved),
        ] {
            let error =
                bus(&DID.replace(from, to)).expect("a bus").data_identifiers(&catalogue()).expect_err(to);
            assert_eq!(error.why, why);
        }
    }
}
