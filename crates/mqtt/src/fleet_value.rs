//! A value in the JSON of a fleet message.
//!
//! | Value | JSON |
//! |---|---|
//! | integer, number, flag, label | number, `true`/`false`, text |
//! | position | `{"latitude":59.91,"longitude":10.75}`, degrees |
//! | cell | `{"h3":"861f1d48fffffff","resolution":6}` |
//! | bucket | `{"at_least":158000,"less_than":159000}` |
//! | only that there was one | `{"present":true}` |
//! | asked, and there is none | `null` |
//! | trouble code | `{"dtc":"P0420","state":"stored"}`, `{"spn":629,"fmi":12,"occurrence":3,"state":"present"}`, `{"uds":"012345","status":47,"state":"pending"}` |

use crate::shape::{self, Object, State, Whole};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::SerializeMap};
use serde_json::Number as JsonNumber;
use vernport_types::{Cell, Fault, Label, Number, Position, TroubleCode, Value};

/// A value, written as in the table above. `Debug` does not show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FleetValue(pub Value);

impl Serialize for FleetValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Integer(n) => serializer.serialize_i64(n),
            Value::Number(n) => serializer.serialize_f64(n.get()),
            Value::Flag(flag) => serializer.serialize_bool(flag),
            Value::Label(label) => serializer.serialize_str(label.expose()),
            Value::Nothing => serializer.serialize_unit(),
            Value::Position(position) => {
                let (latitude, longitude) = position.degrees();
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry("latitude", &latitude)?;
                map.serialize_entry("longitude", &longitude)?;
                map.end()
            }
            Value::Cell(cell) => {
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry("h3", &format_args!("{:x}", cell.0))?;
                map.serialize_entry("resolution", &cell.resolution())?;
                map.end()
            }
            Value::Bucket(from, to) => {
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry("at_least", &from)?;
                map.serialize_entry("less_than", &to)?;
                map.end()
            }
            Value::Present => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("present", &true)?;
                map.end()
            }
            Value::TroubleCode(TroubleCode { fault, state }) => {
                let mut map = serializer.serialize_map(None)?;
                match fault {
                    Fault::Obd(code) => map.serialize_entry("dtc", &dtc_text(code))?,
                    Fault::J1939 { spn, fmi, occurrence } => {
                        map.serialize_entry("spn", &spn)?;
                        map.serialize_entry("fmi", &fmi)?;
                        if let Some(occurrence) = occurrence {
                            map.serialize_entry("occurrence", &occurrence)?;
                        }
                    }
                    Fault::Uds { code, status } => {
                        map.serialize_entry("uds", &format_args!("{:06X}", code & 0xFF_FFFF))?;
                        map.serialize_entry("status", &status)?;
                    }
                }
                map.serialize_entry("state", &state)?;
                map.end()
            }
        }
    }
}

/// `P0420` of its two bytes (SAE J2012).
pub(crate) fn dtc_text(code: u16) -> String {
    let letter = ['P', 'C', 'B', 'U'][usize::from(code >> 14)];
    format!("{letter}{:04X}", code & 0x3FFF)
}

/// The two bytes of `P0420` (SAE J2012): letter and first digit in the top four bits.
pub(crate) fn dtc_code(text: &str) -> Option<u16> {
    let letter = u16::try_from("PCBU".find(text.get(..1)?)?).ok()?;
    let digits = u16::from_str_radix(text.get(1..)?, 16).ok().filter(|digits| *digits < 0x4000)?;
    Some(letter << 14 | digits)
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Nothing,
    Flag(bool),
    Number(JsonNumber),
    Text(String),
    Position(Object<shape::Position>),
    Cell(Object<WrittenCell>),
    Bucket(Object<WrittenBucket>),
    Present(Object<WrittenPresent>),
    Dtc(Object<shape::Dtc>),
    J1939(Object<shape::J1939>),
    Uds(Object<WrittenUds>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenCell {
    h3: String,
    resolution: Whole<15>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenBucket {
    at_least: i64,
    less_than: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPresent {
    present: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenUds {
    uds: String,
    status: Whole<255>,
    state: State,
}

impl Written {
    fn value(self) -> Option<Value> {
        let narrow = |number: u32| u8::try_from(number).ok();
        Some(match self {
            Self::Nothing => Value::Nothing,
            Self::Flag(flag) => Value::Flag(flag),
            Self::Number(n) => match n.as_i64() {
                Some(n) => Value::Integer(n),
                None => Value::Number(Number::new(n.as_f64()?).ok()?),
            },
            Self::Text(text) => Value::Label(Label::new(&text).ok()?),
            Self::Position(Object(p)) => {
                Value::Position(Position::from_degrees(p.latitude, p.longitude).ok()?)
            }
            Self::Cell(Object(cell)) => {
                let index = u64::from_str_radix(&cell.h3, 16).ok().map(Cell)?;
                let same =
                    format!("{:x}", index.0) == cell.h3 && u32::from(index.resolution()) == cell.resolution.0;
                Value::Cell(Some(index).filter(|_| same)?)
            }
            Self::Bucket(Object(bucket)) => Value::Bucket(bucket.at_least, bucket.less_than),
            Self::Present(Object(present)) => Some(Value::Present).filter(|_| present.present)?,
            Self::Dtc(Object(dtc)) => {
                let code = Some(dtc.dtc).filter(|dtc| shape::is_dtc(dtc.as_bytes()))?;
                fault(Fault::Obd(dtc_code(&code)?), dtc.state)
            }
            Self::J1939(Object(code)) => {
                let occurrence = match code.occurrence {
                    Some(n) => Some(narrow(n.0)?),
                    None => None,
                };
                fault(Fault::J1939 { spn: code.spn.0, fmi: narrow(code.fmi.0)?, occurrence }, code.state)
            }
            Self::Uds(Object(uds)) => {
                let code = u32::from_str_radix(&uds.uds, 16).ok()?;
                let same = format!("{code:06X}") == uds.uds && code <= 0xFF_FFFF;
                let status = narrow(uds.status.0)?;
                fault(Fault::Uds { code: Some(code).filter(|_| same)?, status }, uds.state)
            }
        })
    }
}

fn fault(fault: Fault, state: State) -> Value {
    Value::TroubleCode(TroubleCode { fault, state: state.0 })
}

impl<'de> Deserialize<'de> for FleetValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Written::deserialize(deserializer).map_err(|_| D::Error::custom("not a value"))?;
        written.value().map(Self).ok_or_else(|| D::Error::custom("not a value"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vernport_types::FaultState;

    #[test]
    fn every_kind_of_value_keeps_its_json_and_is_read_back() {
        let code = |fault, state| Value::TroubleCode(TroubleCode { fault, state });
        let j1939 = |occurrence| Fault::J1939 { spn: 629, fmi: 12, occurrence };
        for (value, json) in [
            (Value::Integer(158_910_600), "158910600"),
            (Value::Integer(i64::MIN), "-9223372036854775808"),
            (Value::Number(Number::new(81.6).expect("finite")), "81.6"),
            (Value::Number(Number::new(12.0).expect("finite")), "12.0"),
            (Value::Flag(true), "true"),
            (Value::Label(Label::new("A \"963\"").expect("short")), r#""A \"963\"""#),
            (
                Value::Position(Position::from_e7(599_139_000, 107_522_451).expect("on the globe")),
                r#"{"latitude":59.9139,"longitude":10.7522451}"#,
            ),
            (Value::Cell(Cell(0x0861_f1d4_8fff_ffff)), r#"{"h3":"861f1d48fffffff","resolution":6}"#),
            (Value::Bucket(158_000, 159_000), r#"{"at_least":158000,"less_than":159000}"#),
            (Value::Present, r#"{"present":true}"#),
            (Value::Nothing, "null"),
            (code(Fault::Obd(0x0420), FaultState::Stored), r#"{"dtc":"P0420","state":"stored"}"#),
            (code(Fault::Obd(0xD00A), FaultState::Present), r#"{"dtc":"U100A","state":"present"}"#),
            (
                code(j1939(Some(3)), FaultState::Present),
                r#"{"spn":629,"fmi":12,"occurrence":3,"state":"present"}"#,
            ),
            (code(j1939(None), FaultState::Present), r#"{"spn":629,"fmi":12,"state":"present"}"#),
            (
                code(Fault::Uds { code: 0x01_2345, status: 47 }, FaultState::Pending),
                r#"{"uds":"012345","status":47,"state":"pending"}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&FleetValue(value)).expect("encodes"), json);
            assert_eq!(serde_json::from_str::<FleetValue>(json).expect(json).0, value);
        }
    }

    #[test]
    fn what_is_almost_a_value_is_none() {
        for bad in [
            r#"{"present":false}"#,
            r#"{"h3":"861f1d48fffffff","resolution":7}"#,
            r#"{"h3":"0861f1d48fffffff","resolution":6}"#,
            r#"{"latitude":91,"longitude":0}"#,
            r#"{"latitude":1,"longitude":0,"altitude":3}"#,
            r#"{"dtc":"P4420","state":"stored"}"#,
            r#"{"uds":"12345","status":1,"state":"stored"}"#,
            "[59.9,10.7]",
            "{}",
        ] {
            assert!(serde_json::from_str::<FleetValue>(bad).is_err(), "{bad}");
        }
    }
}
