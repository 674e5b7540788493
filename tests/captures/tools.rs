//! What real senders publish, through the shipped mappings.

use crate::captures::{Captures, catalogue};
use serde_json::Value as Json;
use vernport_crypto::IdentityKey;
use vernport_mqtt::{FleetValue, Mapping, ResultCode, Said};
use vernport_types::UtcMicros;

/// 2026-11-20T09:00:00Z, after all of them.
const NOW: UtcMicros = UtcMicros(1_795_165_200_000_000);

const OPENXC: &str = include_str!("../../config/tools/openxc.toml");
const AUTOPI: &str = include_str!("../../config/tools/autopi.toml");
const RUPTELA: &str = include_str!("../../config/tools/ruptela.toml");
const FLEETWISE: &str = include_str!("../../config/tools/fleetwise-dtc.toml");

fn read(mapping: &str, payload: &str) -> Result<Said, ResultCode> {
    let mapping = Mapping::from_toml("shipped", mapping, &catalogue()).expect("a shipped mapping");
    let mapped = mapping.read(payload.as_bytes(), NOW, None, &IdentityKey::from_bytes([7; 32]));
    mapped.map_err(|refused| refused.code)
}

/// Path, value as an operator sees it, seconds since 1970.
fn said(mapping: &str, payload: &str) -> Vec<(String, String, f64)> {
    let mapped = read(mapping, payload).unwrap_or_else(|code| panic!("refused: {}", code.as_str()));
    let catalogue = catalogue();
    let reading = |reading: &vernport_mqtt::ToolReading| {
        let path = catalogue.signal(reading.signal).path.to_string();
        let value = serde_json::to_string(&FleetValue(reading.value)).expect("a value");
        #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
        let seconds = reading.at.0 as f64 / 1e6;
        (path, value, seconds)
    };
    mapped.messages[0].readings.iter().map(reading).collect()
}

/// How often a path is said, and with which values, each once.
fn of(said: &[(String, String, f64)], path: &str) -> (usize, Vec<String>) {
    let mut values: Vec<String> =
        said.iter().filter(|(other, ..)| other == path).map(|(_, value, _)| value.clone()).collect();
    let count = values.len();
    values.dedup();
    (count, values)
}

#[test]
fn a_trace_of_openxc_gives_what_stands_in_it() {
    let Some(captures) = Captures::find() else { return };
    let trace = captures.text("json/openxc_trace.json");
    let all = said(OPENXC, &trace);
    assert_eq!(of(&all, "Vehicle.TraveledDistance"), (6, vec!["13966579".to_owned()]));
    let fuel = of(&all, "Vehicle.Powertrain.FuelSystem.RelativeLevel");
    assert_eq!(fuel, (5, vec!["89.674202".to_owned()]));
    let place = r#"{"latitude":40.77092,"longitude":-73.953773}"#.to_owned();
    assert_eq!(of(&all, "Vehicle.CurrentLocation"), (1, vec![place]));
    // Each line with a name that the mapping lists is a reading; two lines make the position.
    let listed = ["odometer", "fuel_level", "vehicle_speed", "parking_brake_status"];
    let lines = trace.lines().map(|line| serde_json::from_str::<Json>(line).expect("JSON"));
    let listed = lines.filter(|line| listed.contains(&line["name"].as_str().expect("a name"))).count();
    assert_eq!(all.len(), listed + 1);
    let first = &all.iter().find(|(path, ..)| path == "Vehicle.TraveledDistance").expect("one").2;
    assert!((first - 1_364_323_939.058).abs() < 1e-5, "{first}");
}

#[test]
fn every_kind_of_message_of_openxc_is_taken_and_what_is_no_measurement_passed_over() {
    let Some(captures) = Captures::find() else { return };
    let examples = captures.json("json/openxc_message_examples.json");
    let examples = examples.as_array().expect("messages");
    assert_eq!(examples.len(), 33);
    for example in examples {
        let mapped = read(OPENXC, &example.to_string()).expect("taken");
        assert_eq!((mapped.messages[0].readings.len(), mapped.passed_over.unlisted), (0, 1), "{example}");
    }
}

#[test]
fn messages_of_autopi_give_what_stands_in_them() {
    let Some(captures) = Captures::find() else { return };
    let status = said(AUTOPI, &captures.text("json/dimo_autopi_status.json"));
    let at = 1_713_460_846.435;
    let expected = [
        ("Vehicle.CurrentLocation", r#"{"latitude":56.27014,"longitude":-56.5015183}"#),
        ("Vehicle.Speed", "39.0"),
        ("Vehicle.Powertrain.FuelSystem.RelativeLevel", "50.0"),
        ("Vehicle.LowVoltageBattery.CurrentVoltage", "12.28"),
    ];
    assert_eq!(status, expected.map(|(path, value)| (path.to_owned(), value.to_owned(), at)));
    let codes = said(AUTOPI, &captures.text("json/dimo_autopi_dtc.json"));
    let codes: Vec<&str> = codes.iter().map(|(_, value, _)| value.as_str()).collect();
    let code = |code| format!(r#"{{"dtc":"{code}","state":"present"}}"#);
    assert_eq!(codes, [code("P00BD"), code("P0456"), code("P0446")]);
    let nil = said(AUTOPI, &captures.text("json/dimo_autopi_nil_signals.json"));
    assert_eq!(nil, [("Vehicle.LowVoltageBattery.CurrentVoltage".to_owned(), "12.28".to_owned(), at)]);
}

#[test]
fn messages_of_ruptela_give_what_stands_in_them() {
    let Some(captures) = Captures::find() else { return };
    let places = said(RUPTELA, &captures.text("json/dimo_ruptela_location.json"));
    let place = |latitude: &str, at: f64| {
        let value = format!(r#"{{"latitude":{latitude},"longitude":-71.50142}}"#);
        ("Vehicle.CurrentLocation".to_owned(), value, at)
    };
    let expected = [
        place("43.2699983", 1_727_360_340.0),
        place("44.2699983", 1_727_360_341.0),
        place("45.2699983", 1_727_360_342.0),
    ];
    assert_eq!(places, expected);
    let codes = captures.json("json/dimo_ruptela_dtc.json");
    let of = |name: &str| -> Vec<String> {
        said(RUPTELA, &codes[name].to_string()).into_iter().map(|(_, value, _)| value).collect()
    };
    let code = |code| format!(r#"{{"dtc":"{code}","state":"present"}}"#);
    assert_eq!(of("dtcInputJSON"), [code("P0101"), code("P0202")]);
    assert_eq!(of("emptyDtcInputJSON"), ["null"], "asked, and there is none");
    assert_eq!(of("noDtcInputJSON"), [""; 0], "not asked");
}

#[test]
fn codes_of_fleetwise_are_the_three_bytes_that_stand_in_them() {
    let Some(captures) = Captures::find() else { return };
    let codes = said(FLEETWISE, &captures.text("json/fleetwise_uds_dtc.json"));
    let values: Vec<&str> = codes.iter().map(|(_, value, _)| value.as_str()).collect();
    assert_eq!(values, [r#"{"uds":"AAA123","status":0,"state":"stored"}"#]);
}

#[test]
fn a_mapping_refuses_what_is_not_its_senders() {
    let Some(captures) = Captures::find() else { return };
    let autopi = captures.text("json/dimo_autopi_status.json");
    assert_eq!(read(FLEETWISE, &autopi).map(|_| ()), Err(ResultCode::Malformed));
    let fleetwise = captures.text("json/fleetwise_uds_dtc.json");
    for other in [AUTOPI, RUPTELA] {
        assert_eq!(read(other, &fleetwise).map(|_| ()), Err(ResultCode::Malformed));
    }
}
