//! The contract of workshop tools in postcard (frozen, decision note 0010): for
//! tools that are short of room, on `…/reading.postcard`.
//!
//! [`Message`] in postcard 1.x: fields in the order below, a variant as its
//! number. Variants and fields grow only at their end. What the JSON contract
//! refuses is refused here, with the same codes; times are UTC and need no zone.
//!
//! Promises: no input panics; nothing is allocated by a claimed length; what
//! follows behind a message refuses it.

use crate::{
    shape::{self, Object, State, Whole},
    tool_message::{MAX_PAYLOAD_BYTES, MAX_READINGS, ToolMessage},
    tool_result::{Refused, ResultCode},
};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error as _, SeqAccess, Visitor},
};
use std::fmt;
use vernport_types::{Catalogue, FaultState, OrderId, UtcMicros};

/// What a tool sends. `Debug` is left out: it holds values and identifiers.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Message<'a> {
    /// The tool's id of the message, once per tool: 1 to 64 of `A-Z a-z 0-9 . _ : -`.
    pub id: &'a str,
    /// Whose readings.
    #[serde(borrow)]
    pub vehicle: Vehicle<'a>,
    /// 1 to 64 of them.
    #[serde(borrow, deserialize_with = "bounded")]
    pub readings: Vec<Reading<'a>>,
}

/// Which vehicle is meant.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub enum Vehicle<'a> {
    /// 0: the one that stands at the station.
    Visit,
    /// 1: by VIN.
    Vin(&'a str),
    /// 2: by plate: country (ISO 3166) and number.
    Plate(&'a str, &'a str),
    /// 3: by work order.
    Order([u8; 16]),
}

/// One reading.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Reading<'a> {
    /// VSS path of the signal.
    pub path: &'a str,
    /// Its value.
    #[serde(borrow)]
    pub value: Value<'a>,
    /// Required for a number where the catalogue has a unit; converted if the conversion is listed.
    pub unit: Option<&'a str>,
    /// Microseconds since 1970-01-01T00:00:00Z.
    pub time: i64,
}

/// A value, of the signal's kind.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub enum Value<'a> {
    /// 0: asked, and there is none: of a trouble code.
    Nothing,
    /// 1
    Flag(bool),
    /// 2
    Integer(i64),
    /// 3
    Number(f64),
    /// 4: a label.
    Text(&'a str),
    /// 5: degrees north and east.
    Position(f64, f64),
    /// 6: the two bytes of SAE J2012.
    Dtc(u16, Fault),
    /// 7: SPN, FMI and occurrence of SAE J1939-73.
    J1939(u32, u8, Option<u8>, Fault),
}

/// The state of a fault.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// 0
    Present,
    /// 1
    Stored,
    /// 2
    Pending,
}

impl Message<'_> {
    /// The payload.
    pub fn to_bytes(&self) -> Vec<u8> {
        postcard::to_allocvec(self).expect("plain fields always encode")
    }
}

/// Reads a payload. `now` bounds how far ahead a tool's clock may be.
///
/// # Errors
/// [`Refused`] with the code for the tool.
pub fn read(payload: &[u8], catalogue: &Catalogue, now: UtcMicros) -> Result<ToolMessage, Refused> {
    if payload.len() > MAX_PAYLOAD_BYTES {
        return Err(Refused { id: None, code: ResultCode::TooLarge });
    }
    let whole = postcard::take_from_bytes::<Message<'_>>(payload).ok().filter(|(_, rest)| rest.is_empty());
    let message = whole.and_then(|(message, _)| shape(&message));
    let message = message.ok_or(Refused { id: None, code: ResultCode::Malformed })?;
    ToolMessage::from_shape(&message, catalogue, now, None)
}

/// The same in the shape that JSON has, so that one check holds for both.
fn shape(message: &Message<'_>) -> Option<shape::Message> {
    let vehicle = match message.vehicle {
        Vehicle::Visit => None,
        Vehicle::Vin(vin) => Some(shape::Vehicle::Vin(vin.to_owned())),
        Vehicle::Plate(country, number) => {
            let (country, number) = (country.to_owned(), number.to_owned());
            Some(shape::Vehicle::Plate(Object(shape::Plate { country, number })))
        }
        Vehicle::Order(order) => Some(shape::Vehicle::Order(OrderId::from_bytes(order).to_string())),
    };
    let readings = message.readings.iter().map(|reading| {
        Some(Object(shape::Reading {
            path: reading.path.to_owned(),
            value: value(&reading.value)?,
            unit: reading.unit.map(str::to_owned),
            time: shape::Time::Micros(reading.time),
        }))
    });
    Some(shape::Message { id: message.id.to_owned(), vehicle, readings: readings.collect::<Option<_>>()? })
}

fn value(value: &Value<'_>) -> Option<shape::Value> {
    Some(match *value {
        Value::Nothing => shape::Value::Nothing,
        Value::Flag(flag) => shape::Value::Flag(flag),
        Value::Integer(number) => shape::Value::Number(number.into()),
        Value::Number(number) => shape::Value::Number(serde_json::Number::from_f64(number)?),
        Value::Text(text) => shape::Value::Text(text.to_owned()),
        Value::Position(latitude, longitude) if latitude.is_finite() && longitude.is_finite() => {
            shape::Value::Position(Object(shape::Position { latitude, longitude }))
        }
        Value::Position(..) => return None,
        Value::Dtc(code, state) => {
            let dtc = crate::fleet_value::dtc_text(code);
            shape::Value::Dtc(Object(shape::Dtc { dtc, state: state.into() }))
        }
        Value::J1939(spn, fmi, occurrence, state) => shape::Value::J1939(Object(shape::J1939 {
            spn: whole(spn)?,
            fmi: whole(fmi)?,
            occurrence: match occurrence {
                Some(count) => Some(whole(count)?),
                None => None,
            },
            state: state.into(),
        })),
    })
}

fn whole<const MAX: u32>(number: impl Into<f64>) -> Option<Whole<MAX>> {
    Whole::try_from(number.into()).ok()
}

impl From<Fault> for State {
    fn from(fault: Fault) -> Self {
        Self(match fault {
            Fault::Present => FaultState::Present,
            Fault::Stored => FaultState::Stored,
            Fault::Pending => FaultState::Pending,
        })
    }
}

/// A list as long as it turns out to be, and no longer than may be.
fn bounded<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Reading<'a>>, D::Error> {
    struct Bounded;
    impl<'de> Visitor<'de> for Bounded {
        type Value = Vec<Reading<'de>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("readings")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut readings = Vec::new();
            while let Some(reading) = seq.next_element()? {
                if readings.len() == MAX_READINGS {
                    return Err(A::Error::custom("too many readings"));
                }
                readings.push(reading);
            }
            Ok(readings)
        }
    }
    deserializer.deserialize_seq(Bounded)
}

#[cfg(test)]
mod tests;
