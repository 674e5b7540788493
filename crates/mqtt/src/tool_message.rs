//! What a workshop tool sends (frozen, decision note 0010).
//!
//! ```json
//! {"id":"visit-81-3","vehicle":{"vin":"…"},
//!  "readings":[{"path":"Vehicle.TraveledDistance","value":158910.6,"unit":"km","time":"2026-11-20T09:30:00+01:00"}]}
//! ```
//!
//! `vehicle` is `{"vin":…}`, `{"plate":{"country":…,"number":…}}`, `{"order":…}`
//! or absent, which means the vehicle of the station's visit. Read in two steps:
//! the shape, which `schema/tool-reading-v1.json` states and a test compares;
//! then the meaning, against the catalogue. A message is taken whole or not at all.
//!
//! Promises: no input panics; nothing is allocated by a claimed length; no error
//! repeats what came in; a time without a zone is refused, never guessed.

use crate::{
    fleet_value::dtc_code,
    shape::{self, Object},
    tool_result::{Refused, ResultCode},
    units,
};
use jiff::tz::TimeZone;
use std::fmt;
use vernport_types::{
    Catalogue, Fault, Identifier, Label, Number, OrderId, Plate, Position, Signal, SignalId, TroubleCode,
    UtcMicros, Value, ValueKind,
};

/// The largest payload of a tool's message, in bytes.
pub const MAX_PAYLOAD_BYTES: usize = 64 * 1024;
/// The most readings in one message.
pub const MAX_READINGS: usize = 64;
/// How far ahead of our clock a tool's clock may be.
pub const MAX_AHEAD_SECONDS: i64 = 300;

/// Which vehicle a tool means.
#[derive(Clone, PartialEq, Eq)]
pub enum VehicleRef {
    /// The one standing at the station now.
    Visit,
    /// By VIN or plate.
    Identifier(Identifier),
    /// The one of a work order.
    Order(OrderId),
}

impl fmt::Debug for VehicleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Visit => f.write_str("Visit"),
            Self::Identifier(identifier) => identifier.fmt(f),
            Self::Order(_) => f.write_str("Order(<redacted>)"),
        }
    }
}

/// One value of a tool, in the catalogue's kind and unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToolReading {
    /// Which signal.
    pub signal: SignalId,
    /// Its value.
    pub value: Value,
    /// When the tool read it, by the tool's clock.
    pub at: UtcMicros,
}

/// A message that can be decided on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolMessage {
    /// The tool's own id of the message: once per tool.
    pub id: MessageKey,
    /// Whose readings.
    pub vehicle: VehicleRef,
    /// At least one, at most [`MAX_READINGS`].
    pub readings: Vec<ToolReading>,
}

/// The tool's id of a message: 1 to 64 of `A-Z a-z 0-9 . _ : -`. A tool might
/// put a plate into it, so it is not shown either.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct MessageKey(Box<str>);

impl MessageKey {
    pub(crate) fn new(text: &str) -> Option<Self> {
        shape::is_key(text).then(|| Self(text.into()))
    }

    /// The text, for the answer to the tool that sent it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for MessageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MessageKey(<redacted>)")
    }
}

impl ToolMessage {
    /// Reads a payload. `now` bounds how far ahead a tool's clock may be.
    ///
    /// # Errors
    /// [`Refused`] with the code for the tool.
    pub fn from_json(payload: &[u8], catalogue: &Catalogue, now: UtcMicros) -> Result<Self, Refused> {
        Self::from_json_of(payload, catalogue, now, None)
    }

    /// The same from a tool whose clock is known to stand in a zone: its times need none of their own.
    ///
    /// # Errors
    /// [`Refused`] with the code for the tool.
    pub fn from_json_of(
        payload: &[u8],
        catalogue: &Catalogue,
        now: UtcMicros,
        zone: Option<&TimeZone>,
    ) -> Result<Self, Refused> {
        if payload.len() > MAX_PAYLOAD_BYTES {
            return Err(Refused { id: None, code: ResultCode::TooLarge });
        }
        let raw = shape::Message::from_json(payload);
        let raw = raw.ok_or(Refused { id: None, code: ResultCode::Malformed })?;
        Self::from_shape(&raw, catalogue, now, zone)
    }

    /// The meaning of what has the shape of a message, in whichever form it came.
    pub(crate) fn from_shape(
        raw: &shape::Message,
        catalogue: &Catalogue,
        now: UtcMicros,
        zone: Option<&TimeZone>,
    ) -> Result<Self, Refused> {
        let refused = |id: Option<&MessageKey>, code| Refused { id: id.cloned(), code };
        let id = MessageKey::new(&raw.id).ok_or_else(|| refused(None, ResultCode::Malformed))?;
        raw.check(zone.is_some()).map_err(|code| refused(Some(&id), code))?;
        let vehicle = raw.vehicle.as_ref().map_or(Some(VehicleRef::Visit), vehicle);
        let vehicle = vehicle.ok_or_else(|| refused(Some(&id), ResultCode::Vehicle))?;
        let read = |raw: &_| reading(raw, catalogue, now, zone).map_err(|code| refused(Some(&id), code));
        let readings = raw.readings.iter().map(|object| read(&object.0)).collect::<Result<_, _>>()?;
        Ok(Self { id, vehicle, readings })
    }
}

fn vehicle(raw: &shape::Vehicle) -> Option<VehicleRef> {
    Some(match raw {
        shape::Vehicle::Vin(vin) => VehicleRef::Identifier(Identifier::Vin(vin.parse().ok()?)),
        shape::Vehicle::Plate(Object(plate)) => {
            VehicleRef::Identifier(Identifier::Plate(Plate::new(&plate.country, &plate.number).ok()?))
        }
        shape::Vehicle::Order(order) => VehicleRef::Order(order.parse().ok()?),
    })
}

fn reading(
    raw: &shape::Reading,
    catalogue: &Catalogue,
    now: UtcMicros,
    zone: Option<&TimeZone>,
) -> Result<ToolReading, ResultCode> {
    let signal = catalogue.find(&raw.path).ok_or(ResultCode::UnknownSignal)?;
    let value = value(&raw.value, raw.unit.as_deref(), catalogue.signal(signal))?;
    let at = match (&raw.time, zone) {
        (shape::Time::Micros(micros), _) => crate::time::of_micros(*micros),
        (shape::Time::Text(text), Some(zone)) if !shape::has_zone(text) => crate::time::read_in(text, zone),
        (shape::Time::Text(text), _) => crate::time::read(text),
    };
    let at = at.ok_or(ResultCode::Time)?;
    if at > now.plus_seconds(MAX_AHEAD_SECONDS) {
        return Err(ResultCode::Time);
    }
    Ok(ToolReading { signal, value, at })
}

fn value(raw: &shape::Value, unit: Option<&str>, signal: &Signal) -> Result<Value, ResultCode> {
    let number = match raw {
        shape::Value::Number(n) => Some(converted(n.as_f64().ok_or(ResultCode::Value)?, unit, signal)?),
        // Nothing to convert: a unit may be left out, and has to be the right one.
        _ if unit.is_some_and(|unit| *unit != *signal.unit) => return Err(ResultCode::Unit),
        _ => None,
    };
    Ok(match (signal.kind, raw, number) {
        (ValueKind::Integer | ValueKind::Number, _, Some(number)) => return numeric(number, signal),
        (ValueKind::Flag, shape::Value::Flag(flag), _) => Value::Flag(*flag),
        (ValueKind::Label, shape::Value::Text(text), _) => {
            Value::Label(Label::new(text).map_err(|_| ResultCode::Value)?)
        }
        (ValueKind::Position, shape::Value::Position(Object(p)), _) => {
            Value::Position(Position::from_degrees(p.latitude, p.longitude).map_err(|_| ResultCode::Value)?)
        }
        (ValueKind::TroubleCode, shape::Value::Dtc(Object(dtc)), _) => {
            let code = dtc_code(&dtc.dtc).ok_or(ResultCode::Value)?;
            trouble_code(Fault::Obd(code), dtc.state)
        }
        (ValueKind::TroubleCode, shape::Value::J1939(Object(code)), _) => {
            let narrow = |number: u32| u8::try_from(number).map_err(|_| ResultCode::Value);
            let occurrence = code.occurrence.map(|n| narrow(n.0)).transpose()?;
            let fault = Fault::J1939 { spn: code.spn.0, fmi: narrow(code.fmi.0)?, occurrence };
            trouble_code(fault, code.state)
        }
        (ValueKind::TroubleCode, shape::Value::Nothing, _) => Value::Nothing,
        _ => return Err(ResultCode::Value),
    })
}

/// A number of the signal's unit as its value.
pub(crate) fn numeric(number: f64, signal: &Signal) -> Result<Value, ResultCode> {
    match signal.kind {
        // From 2^53 on a float no longer names one integer.
        ValueKind::Integer if number.abs() < 9_007_199_254_740_992.0 =>
        {
            #[expect(clippy::cast_possible_truncation, reason = "rounded, and bounded just above")]
            Ok(Value::Integer(number.round() as i64))
        }
        ValueKind::Number => Number::new(number).map(Value::Number).map_err(|_| ResultCode::Value),
        _ => Err(ResultCode::Value),
    }
}

/// A number in the signal's unit and range.
pub(crate) fn converted(number: f64, unit: Option<&str>, signal: &Signal) -> Result<f64, ResultCode> {
    let number = units::convert(number, unit.unwrap_or(""), &signal.unit).ok_or(ResultCode::Unit)?;
    let in_range = number.is_finite()
        && signal.min.is_none_or(|min| number >= min)
        && signal.max.is_none_or(|max| number <= max);
    if in_range { Ok(number) } else { Err(ResultCode::Value) }
}

fn trouble_code(fault: Fault, state: shape::State) -> Value {
    Value::TroubleCode(TroubleCode { fault, state: state.0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use vernport_types::FaultState;

    const CATALOGUE: &str = r#"
        format = 1
        [[signal]]
        path = "Vehicle.TraveledDistance"
        unit = "m"
        kind = "integer"
        category = "odometer"
        min = 0
        max = 5e9
        [[signal]]
        path = "Vehicle.CurrentLocation"
        kind = "position"
        category = "location"
        [[signal]]
        path = "Vehicle.Exterior.AirTemperature"
        unit = "Celsius"
        kind = "number"
        category = "component-status"
        [[signal]]
        path = "Vehicle.OBD.Code"
        kind = "trouble-code"
        category = "component-status"
        [[signal]]
        path = "Vehicle.Body.IsOpen"
        kind = "flag"
        category = "body-function"
        [[signal]]
        path = "Vehicle.Part"
        kind = "label"
        category = "service-history"
    "#;
    // 2026-11-20T09:00:00Z
    const NOW: UtcMicros = UtcMicros(1_795_165_200_000_000);

    fn read(json: &str) -> Result<ToolMessage, Refused> {
        let catalogue = Catalogue::from_toml([("test", CATALOGUE)]).expect("a catalogue");
        ToolMessage::from_json(json.as_bytes(), &catalogue, NOW)
    }

    fn one(path: &str, value: &str, unit: &str) -> Result<Value, ResultCode> {
        let unit = if unit.is_empty() { String::new() } else { format!(r#","unit":"{unit}""#) };
        let json = format!(
            r#"{{"id":"1","readings":[{{"path":"{path}","value":{value}{unit},"time":"2026-11-20T09:00:00Z"}}]}}"#
        );
        read(&json).map(|m| m.readings[0].value).map_err(|refused| refused.code)
    }

    #[test]
    fn a_message_is_read_into_the_catalogues_units_and_utc() {
        let message = read(
            r#"{"id":"visit-81-3","vehicle":{"vin":"wdb9634031l738001"},"readings":[
                {"path":"Vehicle.TraveledDistance","value":158910.6,"unit":"km","time":"2026-11-20T09:30:00+01:00"},
                {"path":"Vehicle.CurrentLocation","value":{"latitude":59.91,"longitude":10.75},"time":"2026-11-20T08:30:00.5Z"}]}"#,
        )
        .expect("valid");
        assert_eq!(message.id.as_str(), "visit-81-3");
        let vin = "WDB9634031L738001".parse().expect("a VIN");
        assert_eq!(message.vehicle, VehicleRef::Identifier(Identifier::Vin(vin)));
        assert_eq!(message.readings[0].value, Value::Integer(158_910_600));
        assert_eq!(message.readings[0].at, UtcMicros(1_795_163_400_000_000));
        assert_eq!(message.readings[1].at, UtcMicros(1_795_163_400_500_000));
    }

    #[test]
    fn the_vehicle_is_a_vin_a_plate_an_order_or_the_visits() {
        let with = |vehicle: &str| {
            read(&format!(
                r#"{{"id":"1"{vehicle},"readings":[{{"path":"Vehicle.Body.IsOpen","value":true,"time":"2026-11-20T09:00:00Z"}}]}}"#
            ))
            .map(|m| m.vehicle)
            .map_err(|refused| refused.code)
        };
        assert_eq!(with(""), Ok(VehicleRef::Visit));
        let plate = Plate::new("NO", "AB12345").expect("a plate");
        assert_eq!(
            with(r#","vehicle":{"plate":{"country":"no","number":"ab 12345"}}"#),
            Ok(VehicleRef::Identifier(Identifier::Plate(plate)))
        );
        assert_eq!(
            with(r#","vehicle":{"order":"0101010101010101010101010101010a"}"#),
            Ok(VehicleRef::Order("0101010101010101010101010101010a".parse().expect("an id")))
        );
        assert_eq!(with(r#","vehicle":{"plate":{"country":"no","number":"- -"}}"#), Err(ResultCode::Vehicle));
        assert_eq!(with(r#","vehicle":{"vin":"short"}"#), Err(ResultCode::Vehicle));
        for bad in
            [r#"{"plate":["NO","AB12345"]}"#, r#"{"name":"x"}"#, "{}", r#"{"vin":"a","order":"b"}"#, "null"]
        {
            assert_eq!(with(&format!(r#","vehicle":{bad}"#)), Err(ResultCode::Malformed), "{bad}");
        }
    }

    #[test]
    fn each_kind_takes_its_own_values_and_no_other() {
        let at = "Vehicle.Exterior.AirTemperature";
        assert_eq!(one(at, "212", "fahrenheit").map(|v| v.as_f64().map(f64::round)), Ok(Some(100.0)));
        assert_eq!(one(at, "1", ""), Err(ResultCode::Unit));
        assert_eq!(one(at, "1", "km"), Err(ResultCode::Unit));
        assert_eq!(one(at, "true", "Celsius"), Err(ResultCode::Value));
        assert_eq!(one(at, "true", "km"), Err(ResultCode::Unit));
        assert_eq!(one("Vehicle.TraveledDistance", "-1", "m"), Err(ResultCode::Value));
        assert_eq!(one("Vehicle.TraveledDistance", "1e300", "km"), Err(ResultCode::Value));
        assert_eq!(one("Vehicle.Body.IsOpen", "true", "m"), Err(ResultCode::Unit));
        assert_eq!(one("Vehicle.Nowhere", "1", ""), Err(ResultCode::UnknownSignal));
        assert_eq!(
            one("Vehicle.Part", "\"A 963\"", ""),
            Ok(Value::Label(Label::new("A 963").expect("short")))
        );
        assert_eq!(
            one("Vehicle.CurrentLocation", r#"{"latitude":91,"longitude":0}"#, ""),
            Err(ResultCode::Value)
        );
        let code = |fault| Ok(Value::TroubleCode(TroubleCode { fault, state: FaultState::Stored }));
        assert_eq!(
            one("Vehicle.OBD.Code", r#"{"dtc":"U0420","state":"stored"}"#, ""),
            code(Fault::Obd(0xC420))
        );
        let j1939 = Fault::J1939 { spn: 629, fmi: 12, occurrence: Some(3) };
        let sent = r#"{"spn":629,"fmi":12,"occurrence":3,"state":"stored"}"#;
        assert_eq!(one("Vehicle.OBD.Code", sent, ""), code(j1939));
        assert_eq!(one("Vehicle.OBD.Code", "null", ""), Ok(Value::Nothing));
        assert_eq!(one("Vehicle.Body.IsOpen", "null", ""), Err(ResultCode::Value));
    }

    #[test]
    fn times_need_a_zone_and_may_not_lie_ahead() {
        let at = |time: &str| {
            read(&format!(
                r#"{{"id":"1","readings":[{{"path":"Vehicle.Body.IsOpen","value":true,"time":"{time}"}}]}}"#
            ))
            .map(|m| m.readings[0].at)
            .map_err(|refused| refused.code)
        };
        assert_eq!(at("2026-11-20T09:00:00"), Err(ResultCode::TimeWithoutZone));
        assert_eq!(at("2026-11-20T09:00:00.123"), Err(ResultCode::TimeWithoutZone));
        assert_eq!(at("2026-02-30T09:00:00Z"), Err(ResultCode::Time));
        assert_eq!(at("2026-11-20T09:05:01Z"), Err(ResultCode::Time));
        assert_eq!(at("2026-11-20T09:05:00Z"), Ok(NOW.plus_seconds(300)));
        assert_eq!(at("yesterday"), Err(ResultCode::Time));
    }

    #[test]
    fn a_refusal_names_the_message_and_repeats_nothing_of_it() {
        let refused = read(
            r#"{"id":"k-7","vehicle":{"vin":"WDB9634031L738001"},"readings":[{"path":"Vehicle.Secret","value":1234,"time":"2026-11-20T09:00:00Z"}]}"#,
        )
        .expect_err("unknown signal");
        assert_eq!(refused.result().to_json(), br#"{"id":"k-7","accepted":false,"code":"unknown-signal"}"#);
        let shown = format!("{refused} {refused:?}");
        assert!(!shown.contains("WDB") && !shown.contains("Secret") && !shown.contains("k-7"), "{shown}");
        let unread = read("{").expect_err("malformed");
        assert_eq!(unread.result().to_json(), br#"{"accepted":false,"code":"malformed"}"#);
    }

    #[test]
    fn a_message_over_the_bounds_is_refused() {
        let huge = format!(r#"{{"id":"{}"}}"#, "x".repeat(MAX_PAYLOAD_BYTES));
        assert_eq!(read(&huge).map_err(|r| r.code), Err(ResultCode::TooLarge));
        let reading = r#"{"path":"Vehicle.Body.IsOpen","value":true,"time":"2026-11-20T09:00:00Z"}"#;
        let with = |n| read(&format!(r#"{{"id":"1","readings":[{}]}}"#, vec![reading; n].join(",")));
        assert!(with(MAX_READINGS).is_ok());
        for n in [0, MAX_READINGS + 1] {
            assert_eq!(with(n).map_err(|r| r.code), Err(ResultCode::Malformed), "{n}");
        }
    }
}
