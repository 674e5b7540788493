//! Golden bytes; what JSON says and refuses, postcard says and refuses.

use super::*;
use crate::{VehicleRef, tool_message::ToolReading};
use proptest::prelude::*;
use vernport_types::{Identifier, Value as Meant};

const CATALOGUE: &str = r#"
    format = 1
    [[signal]]
    path = "Vehicle.TraveledDistance"
    unit = "m"
    kind = "integer"
    category = "odometer"
    [[signal]]
    path = "Vehicle.CurrentLocation"
    kind = "position"
    category = "location"
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
// 2026-11-20T09:00:00Z, and half an hour before.
const NOW: UtcMicros = UtcMicros(1_795_165_200_000_000);
const AT: i64 = 1_795_163_400_000_000;

fn catalogue() -> Catalogue {
    Catalogue::from_toml([("test", CATALOGUE)]).expect("a catalogue")
}

fn reading<'a>(path: &'a str, value: Value<'a>, unit: Option<&'a str>) -> Reading<'a> {
    Reading { path, value, unit, time: AT }
}

fn everything() -> Message<'static> {
    Message {
        id: "k-7",
        vehicle: Vehicle::Vin("WDB9634031L738001"),
        readings: vec![
            reading("Vehicle.TraveledDistance", Value::Number(158_910.6), Some("km")),
            reading("Vehicle.TraveledDistance", Value::Integer(-3), Some("m")),
            reading("Vehicle.CurrentLocation", Value::Position(59.91, 10.75), None),
            reading("Vehicle.Body.IsOpen", Value::Flag(true), None),
            reading("Vehicle.Part", Value::Text("A 963"), None),
            reading("Vehicle.OBD.Code", Value::Dtc(0x0420, Fault::Stored), None),
            reading("Vehicle.OBD.Code", Value::J1939(629, 12, Some(3), Fault::Present), None),
            reading("Vehicle.OBD.Code", Value::Nothing, None),
        ],
    }
}

/// The same in the JSON contract.
const JSON: &str = r#"{"id":"k-7","vehicle":{"vin":"WDB9634031L738001"},"readings":[
    {"path":"Vehicle.TraveledDistance","value":158910.6,"unit":"km","time":"2026-11-20T08:30:00Z"},
    {"path":"Vehicle.TraveledDistance","value":-3,"unit":"m","time":"2026-11-20T08:30:00Z"},
    {"path":"Vehicle.CurrentLocation","value":{"latitude":59.91,"longitude":10.75},"time":"2026-11-20T08:30:00Z"},
    {"path":"Vehicle.Body.IsOpen","value":true,"time":"2026-11-20T08:30:00Z"},
    {"path":"Vehicle.Part","value":"A 963","time":"2026-11-20T08:30:00Z"},
    {"path":"Vehicle.OBD.Code","value":{"dtc":"P0420","state":"stored"},"time":"2026-11-20T08:30:00Z"},
    {"path":"Vehicle.OBD.Code","value":{"spn":629,"fmi":12,"occurrence":3,"state":"present"},"time":"2026-11-20T08:30:00Z"},
    {"path":"Vehicle.OBD.Code","value":null,"time":"2026-11-20T08:30:00Z"}]}"#;

#[test]
fn a_message_keeps_its_bytes() {
    let lines = include_str!("golden.txt").lines().filter(|line| !line.starts_with('#'));
    let digits: String =
        lines.filter_map(|line| line.split('#').next()).flat_map(str::split_whitespace).collect();
    let shown: String = everything().to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(shown, digits);
}

#[test]
fn both_forms_mean_the_same() {
    let json = ToolMessage::from_json(JSON.as_bytes(), &catalogue(), NOW).expect("valid");
    assert_eq!(read(&everything().to_bytes(), &catalogue(), NOW), Ok(json));
}

#[test]
fn the_vehicle_is_named_in_every_way() {
    let with = |vehicle| {
        let flag = vec![reading("Vehicle.Body.IsOpen", Value::Flag(true), None)];
        let message = Message { id: "1", vehicle, readings: flag };
        read(&message.to_bytes(), &catalogue(), NOW).map(|m| m.vehicle).map_err(|refused| refused.code)
    };
    assert_eq!(with(Vehicle::Visit), Ok(VehicleRef::Visit));
    assert_eq!(with(Vehicle::Order([7; 16])), Ok(VehicleRef::Order(OrderId::from_bytes([7; 16]))));
    let plate = vernport_types::Plate::new("NO", "AB12345").expect("a plate");
    assert_eq!(with(Vehicle::Plate("no", "ab 12345")), Ok(VehicleRef::Identifier(Identifier::Plate(plate))));
    assert_eq!(with(Vehicle::Vin("short")), Err(ResultCode::Vehicle));
    assert_eq!(with(Vehicle::Plate("NO", "ABCDEFGHIJKLM")), Err(ResultCode::Vehicle));
}

#[test]
fn what_json_refuses_is_refused_with_the_same_code() {
    let one = |path, value, unit, time| {
        let message =
            Message { id: "1", vehicle: Vehicle::Visit, readings: vec![Reading { path, value, unit, time }] };
        read(&message.to_bytes(), &catalogue(), NOW).map(|_| ()).map_err(|refused| refused.code)
    };
    let flag = "Vehicle.Body.IsOpen";
    for (path, value, unit, time, code) in [
        ("Vehicle.Nowhere", Value::Flag(true), None, AT, ResultCode::UnknownSignal),
        ("no path", Value::Flag(true), None, AT, ResultCode::Malformed),
        (flag, Value::Integer(1), None, AT, ResultCode::Value),
        (flag, Value::Flag(true), Some("m"), AT, ResultCode::Unit),
        (flag, Value::Flag(true), Some(""), AT, ResultCode::Malformed),
        (flag, Value::Flag(true), None, NOW.0 + 301_000_000, ResultCode::Time),
        (flag, Value::Flag(true), None, i64::MAX, ResultCode::Time),
        (flag, Value::Flag(true), None, i64::MIN, ResultCode::Time),
        ("Vehicle.TraveledDistance", Value::Number(1.0), None, AT, ResultCode::Unit),
        ("Vehicle.TraveledDistance", Value::Number(f64::NAN), Some("m"), AT, ResultCode::Malformed),
        ("Vehicle.TraveledDistance", Value::Integer(i64::MAX), Some("m"), AT, ResultCode::Value),
        ("Vehicle.CurrentLocation", Value::Position(91.0, 0.0), None, AT, ResultCode::Value),
        ("Vehicle.CurrentLocation", Value::Position(f64::INFINITY, 0.0), None, AT, ResultCode::Malformed),
        ("Vehicle.OBD.Code", Value::J1939(524_288, 0, None, Fault::Pending), None, AT, ResultCode::Malformed),
        ("Vehicle.Part", Value::Text("a\u{7}"), None, AT, ResultCode::Value),
    ] {
        assert_eq!(one(path, value, unit, time), Err(code), "{path} {unit:?} {time}");
    }
    let flags = |n| {
        let flags = vec![reading(flag, Value::Flag(true), None); n];
        let message = Message { id: "1", vehicle: Vehicle::Visit, readings: flags };
        read(&message.to_bytes(), &catalogue(), NOW).map(|m| m.readings.len()).map_err(|refused| refused.code)
    };
    assert_eq!(flags(MAX_READINGS), Ok(MAX_READINGS));
    assert_eq!((flags(0), flags(MAX_READINGS + 1)), (Err(ResultCode::Malformed), Err(ResultCode::Malformed)));
    let mut longer = everything().to_bytes();
    longer.push(0);
    let code = |bytes: &[u8]| read(bytes, &catalogue(), NOW).map(|_| ()).map_err(|refused| refused.code);
    assert_eq!(code(&longer), Err(ResultCode::Malformed));
    assert_eq!(code(&vec![1; MAX_PAYLOAD_BYTES + 1]), Err(ResultCode::TooLarge));
    // A list that claims more than there is.
    assert_eq!(code(&[1, b'a', 0, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F]), Err(ResultCode::Malformed));
}

proptest! {
    #[test]
    fn foreign_bytes_never_panic_and_what_is_read_has_the_signals_kind(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        cut in 0_usize..400,
        place in any::<prop::sample::Index>(),
    ) {
        let catalogue = catalogue();
        let whole = everything().to_bytes();
        let mut mangled = whole[..cut.min(whole.len())].to_vec();
        mangled.extend(&bytes);
        let mut turned = whole.clone();
        let at = place.index(turned.len());
        turned[at] ^= bytes.first().copied().unwrap_or(1);
        for payload in [&bytes, &mangled, &turned] {
            let Ok(message) = read(payload, &catalogue, NOW) else { continue };
            for ToolReading { signal, value, .. } in message.readings {
                let is_none = value == Meant::Nothing;
                let kind = format!("{:?}", catalogue.signal(signal).kind).to_lowercase();
                prop_assert!(is_none || kind == value.kind().replace('-', ""));
            }
        }
    }
}
