//! The shape of a tool's message: exactly what `schema/tool-reading-v1.json`
//! says, no more and no less. Meaning comes later, in `tool_message`.
//!
//! Two things a schema cannot say: a key given twice is refused, and the bytes
//! have to be UTF-8.

use crate::{tool_message::MAX_READINGS, tool_result::ResultCode};
use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, value::MapAccessDeserializer},
};
use serde_json::Number;
use std::{fmt, marker::PhantomData};
use vernport_types::{FaultState, Vin};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Message {
    pub(crate) id: String,
    #[serde(default, deserialize_with = "present")]
    pub(crate) vehicle: Option<Vehicle>,
    pub(crate) readings: Vec<Object<Reading>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Vehicle {
    Vin(String),
    Plate(Object<Plate>),
    Order(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plate {
    pub(crate) country: String,
    pub(crate) number: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reading {
    pub(crate) path: String,
    pub(crate) value: Value,
    #[serde(default, deserialize_with = "present")]
    pub(crate) unit: Option<String>,
    pub(crate) time: Time,
}

/// A time: a text in JSON, microseconds in postcard.
#[derive(Deserialize)]
#[serde(from = "String")]
pub(crate) enum Time {
    Text(String),
    /// Since 1970 in UTC.
    Micros(i64),
}

impl From<String> for Time {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Value {
    Nothing,
    Flag(bool),
    Number(Number),
    Text(String),
    Position(Object<Position>),
    Dtc(Object<Dtc>),
    J1939(Object<J1939>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Position {
    pub(crate) latitude: f64,
    pub(crate) longitude: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Dtc {
    pub(crate) dtc: String,
    pub(crate) state: State,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct J1939 {
    pub(crate) spn: Whole<0x7_FFFF>,
    pub(crate) fmi: Whole<31>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) occurrence: Option<Whole<126>>,
    pub(crate) state: State,
}

/// A whole number from 0 to `MAX`, written as one or as `3.0`: JSON Schema does
/// not tell the two apart.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "f64")]
pub(crate) struct Whole<const MAX: u32>(pub(crate) u32);

impl<const MAX: u32> TryFrom<f64> for Whole<MAX> {
    type Error = &'static str;

    fn try_from(number: f64) -> Result<Self, Self::Error> {
        if number.fract() != 0.0 || !(0.0..=f64::from(MAX)).contains(&number) {
            return Err("not a whole number within the bounds");
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked just above")]
        Ok(Self(number as u32))
    }
}

/// `present`, `stored` or `pending`, as a text and in no other guise of an enum.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct State(pub(crate) FaultState);

impl TryFrom<String> for State {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "present" => Ok(Self(FaultState::Present)),
            "stored" => Ok(Self(FaultState::Stored)),
            "pending" => Ok(Self(FaultState::Pending)),
            _ => Err("not a fault state"),
        }
    }
}

/// A JSON object. On its own, a derived struct would take an array of its fields, too.
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> de::Visitor<'de> for Visitor<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }
        deserializer.deserialize_map(Visitor(PhantomData)).map(Self)
    }
}

/// An optional field that may be absent but not null.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl Message {
    /// Reads the structure; [`Message::check`] has to follow.
    pub(crate) fn from_json(payload: &[u8]) -> Option<Self> {
        serde_json::from_slice::<Object<Self>>(payload).ok().map(|object| object.0)
    }

    /// Checks the texts, except for the id. `zone_known`: times may come without one.
    pub(crate) fn check(&self, zone_known: bool) -> Result<(), ResultCode> {
        if self.readings.is_empty() || self.readings.len() > MAX_READINGS {
            return Err(ResultCode::Malformed);
        }
        if self.vehicle.as_ref().is_some_and(|vehicle| !vehicle.is_well_written()) {
            return Err(ResultCode::Vehicle);
        }
        self.readings.iter().try_for_each(|reading| reading.0.check(zone_known))
    }
}

impl Vehicle {
    fn is_well_written(&self) -> bool {
        match self {
            Self::Vin(vin) => vin.parse::<Vin>().is_ok(),
            Self::Plate(Object(Plate { country, number })) => {
                let signs = number.chars().filter(|c| !matches!(c, ' ' | '-'));
                let is_letter = |c: char| c.is_ascii_alphanumeric() || "ÆØÅÄÖÜæøåäöü".contains(c);
                country.len() == 2
                    && country.bytes().all(|b| b.is_ascii_alphabetic())
                    && number.chars().count() <= 32
                    && (1..=12).contains(&signs.clone().count())
                    && { signs }.all(is_letter)
            }
            Self::Order(order) => order.len() == 32 && order.bytes().all(|b| b.is_ascii_hexdigit()),
        }
    }
}

impl Reading {
    fn check(&self, zone_known: bool) -> Result<(), ResultCode> {
        let path = (1..=128).contains(&self.path.len())
            && self.path.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_'));
        let unit = self.unit.as_ref().is_none_or(|unit| (1..=32).contains(&unit.chars().count()));
        if !path || !unit {
            return Err(ResultCode::Malformed);
        }
        let value = match &self.value {
            Value::Text(text) => text.chars().count() <= 40 && !text.chars().any(char::is_control),
            Value::Position(Object(p)) => p.latitude.abs() <= 90.0 && p.longitude.abs() <= 180.0,
            Value::Dtc(Object(Dtc { dtc, .. })) => is_dtc(dtc.as_bytes()),
            Value::Nothing | Value::Flag(_) | Value::Number(_) | Value::J1939(_) => true,
        };
        if !value {
            return Err(ResultCode::Value);
        }
        let Time::Text(time) = &self.time else { return Ok(()) };
        match Zone::of(time) {
            Some(Zone::Given) => Ok(()),
            Some(Zone::Absent) if zone_known => Ok(()),
            Some(Zone::Absent) => Err(ResultCode::TimeWithoutZone),
            None => Err(ResultCode::Time),
        }
    }
}

/// The id of a message: 1 to 64 of `A-Z a-z 0-9 . _ : -`.
pub(crate) fn is_key(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'-'))
}

/// SAE J2012: a letter, a digit 0 to 3, three hexadecimal digits in upper case.
pub(crate) fn is_dtc(text: &[u8]) -> bool {
    let hex = |b: &u8| b.is_ascii_digit() || (b'A'..=b'F').contains(b);
    matches!(text, [b'P' | b'C' | b'B' | b'U', b'0'..=b'3', rest @ ..] if rest.len() == 3 && rest.iter().all(hex))
}

/// Whether a text is a time in the form of RFC 3339, with its zone.
pub(crate) fn has_zone(text: &str) -> bool {
    matches!(Zone::of(text), Some(Zone::Given))
}

/// Whether a time in the form of RFC 3339 has its zone.
enum Zone {
    Given,
    Absent,
}

impl Zone {
    fn of(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let rest = digits(bytes, b"0000-00-00T00:00:00")?;
        let rest = match rest {
            [b'.', fraction @ ..] => {
                let n = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
                if !(1..=9).contains(&n) {
                    return None;
                }
                &fraction[n..]
            }
            rest => rest,
        };
        match rest {
            [] => Some(Self::Absent),
            [b'Z'] => Some(Self::Given),
            [b'+' | b'-', offset @ ..] => {
                digits(offset, b"00:00").filter(|r| r.is_empty()).map(|_| Self::Given)
            }
            _ => None,
        }
    }
}

/// What follows after a part of `text` in which each `0` of `form` is a digit
/// and every other byte itself.
fn digits<'a>(text: &'a [u8], form: &[u8]) -> Option<&'a [u8]> {
    let (part, rest) = text.split_at_checked(form.len())?;
    let same = part.iter().zip(form).all(|(b, f)| if *f == b'0' { b.is_ascii_digit() } else { b == f });
    same.then_some(rest)
}
