//! `vernport decode --json` over every capture, against what other tools read in it.
//!
//! The expected facts come from `expected/*.json` as they stand there; no value of
//! a capture is written down here.

use crate::captures::{Captures, catalogue};
use serde_json::Value as Json;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};
use vernport_decode::{dbc::Database, j1939::pgn};

const ODOMETER: &str = "Vehicle.TraveledDistance";
const LOCATION: &str = "Vehicle.CurrentLocation";
const FUEL: &str = "Vehicle.Powertrain.FuelSystem.RelativeLevel";
const BATTERY: &str = "Vehicle.LowVoltageBattery.CurrentVoltage";
const SPEED: &str = "Vehicle.Speed";
const ENGINE_HOURS: &str = "Vehicle.Powertrain.CombustionEngine.EngineHours";

/// What the command prints for one file, checked against the published schema.
fn decoded(path: &Path) -> Json {
    decoded_with(path, &[])
}

/// The same with DBC files.
fn decoded_with(path: &Path, dbc: &[PathBuf]) -> Json {
    let catalogue = catalogue();
    let dbc = vernport_gateway::dbc::read(dbc, None, &catalogue).expect("DBC files").plan;
    let report =
        vernport::decode::decode(path, &catalogue, dbc.as_ref()).unwrap_or_else(|error| panic!("{error:#}"));
    let json: Json = serde_json::from_str(&report.json(false)).expect("JSON");
    let schema: Json = serde_json::from_str(vernport::decode::SCHEMA).expect("JSON");
    if let Err(error) = jsonschema::validate(&schema, &json) {
        panic!("{}: {error}", path.display());
    }
    json
}

/// Name, what is printed, what is expected.
fn logs(captures: &Captures) -> Vec<(String, Json, Json)> {
    let logs = captures.logs().into_iter();
    logs.map(|log| (log.name.clone(), decoded(&captures.path(&log.name)), log.expected)).collect()
}

fn row<'a>(json: &'a Json, path: &str, source: &str) -> Option<&'a Json> {
    json["signals"]
        .as_array()
        .expect("rows")
        .iter()
        .find(|row| row["path"] == path && row["source"] == source)
}

fn close(got: &Json, expected: f64) -> bool {
    got.as_f64().is_some_and(|got| (got - expected).abs() < 1e-5 * expected.abs().max(1.0))
}

/// The values of a J1939 signal by source address, as `(00, values)`.
fn by_address<'a>(expected: &'a Json, signal: &str) -> Vec<(&'a str, &'a Json)> {
    let sources = expected["j1939"]["signals"][signal].as_object().into_iter().flatten();
    sources.map(|(key, values)| (key.strip_prefix("sa_").expect("sa_XX"), values)).collect()
}

fn numbers(values: &Json) -> Vec<f64> {
    values["distinct"].as_array().expect("distinct").iter().filter_map(Json::as_f64).collect()
}

#[test]
fn frames_and_ids_are_those_that_other_tools_count() {
    let Some(captures) = Captures::find() else { return };
    for (name, json, expected) in logs(&captures) {
        assert_eq!((&json["frames"], &json["ids"]), (&expected["frames"], &expected["ids"]), "{name}");
    }
    for (name, expected) in captures.json("expected/formats.json").as_object().expect("files") {
        let json = decoded(&captures.path(&format!("formats/{name}")));
        let frames = expected["frames"].as_u64().expect("frames") + captures.lost_by_the_tool(name, expected);
        assert_eq!(json["frames"], frames, "{name}");
        if expected["ids"].is_u64() {
            assert_eq!(json["ids"], expected["ids"], "{name}");
        }
    }
}

#[test]
fn odometers_are_those_that_other_tools_read_without_start_values() {
    let Some(captures) = Captures::find() else { return };
    let mut compared = 0;
    for (name, json, expected) in logs(&captures) {
        for (total, trip, group) in [
            ("VDHR_total_km", "VDHR_trip_km", pgn::DISTANCE_HIGH_RESOLUTION),
            ("VD_total_km", "VD_trip_km", pgn::DISTANCE),
        ] {
            for (sa, values) in by_address(&expected, total) {
                // A total that is zero or its own trip is a start value.
                let trips = numbers(&expected["j1939"]["signals"][trip][format!("sa_{sa}")]);
                let is_start = |km: f64| km == 0.0 || trips.contains(&km);
                let believed: Vec<f64> = numbers(values).into_iter().filter(|km| !is_start(*km)).collect();
                let row = row(&json, ODOMETER, &format!("j1939:{group}:sa={sa}"));
                let Some(last) = values["last"].as_f64().filter(|_| !believed.is_empty()) else {
                    assert_eq!(row, None, "{name}: {total} of {sa}");
                    continue;
                };
                let row = row.unwrap_or_else(|| panic!("{name}: no {total} of {sa}"));
                assert!(close(&row["last"], last * 1000.0), "{name}: {total} of {sa}");
                assert_eq!(row["unit"], "m");
                compared += 1;
            }
        }
    }
    assert!(compared >= 5, "{compared}");
}

#[test]
fn levels_voltages_speeds_and_hours_are_those_that_other_tools_read() {
    let Some(captures) = Captures::find() else { return };
    let mut compared = 0;
    for (name, json, expected) in logs(&captures) {
        for (signal, path, group) in [
            ("DD_fuel_level1_pct", FUEL, pgn::DASH_DISPLAY),
            ("VEP1_batt_input1_V", BATTERY, pgn::ELECTRICAL_POWER),
            ("CCVS1_wheel_speed_kmh", SPEED, pgn::SPEED),
            ("HOURS_total_h", ENGINE_HOURS, pgn::ENGINE_HOURS),
        ] {
            for (sa, values) in by_address(&expected, signal) {
                let row = row(&json, path, &format!("j1939:{group}:sa={sa}"));
                if numbers(values).is_empty() {
                    assert_eq!(row, None, "{name}: {signal} of {sa} is not available");
                    continue;
                }
                let row = row.unwrap_or_else(|| panic!("{name}: no {signal} of {sa}"));
                for end in ["first", "last"] {
                    let Some(value) = values[end].as_f64() else { continue };
                    assert!(close(&row[end], value), "{name}: {end} {signal} of {sa}");
                }
                compared += 1;
            }
        }
        for (key, path, pid) in [("412F", FUEL, "2F"), ("4142", BATTERY, "42"), ("410D", SPEED, "0D")] {
            for (answer, values) in expected["diag_payloads"].as_object().into_iter().flatten() {
                let Some(id) = answer.strip_suffix(key).map(str::trim) else { continue };
                let row = row(&json, path, &format!("obd:01:{pid}:{id}"));
                let row = row.unwrap_or_else(|| panic!("{name}: no {answer}"));
                assert_eq!(row["n"], values["n"], "{name}: {answer}");
                for end in ["first", "last"] {
                    let value = values[format!("{end}_decoded")]["value"].as_f64().expect("a number");
                    assert!(close(&row[end], value), "{name}: {end} {answer}");
                }
                compared += 1;
            }
        }
    }
    assert!(compared >= 15, "{compared}");
}

#[test]
fn trouble_codes_are_those_that_other_tools_read_each_once() {
    let Some(captures) = Captures::find() else { return };
    let mut compared = 0;
    for (name, json, expected) in logs(&captures) {
        for (sa, values) in by_address(&expected, "DM1") {
            let source = format!("j1939:{}:sa={sa}", pgn::ACTIVE_TROUBLE_CODES);
            let mut wanted = BTreeSet::new();
            for message in values["distinct"].as_array().expect("messages") {
                for code in message["dtcs"].as_array().expect("codes") {
                    wanted.insert((code["spn"].as_u64(), code["fmi"].as_u64(), code["oc"].as_u64()));
                }
            }
            let rows = json["dtcs"].as_array().expect("rows").iter().filter(|row| row["source"] == *source);
            let got: Vec<_> =
                rows.map(|row| (row["spn"].as_u64(), row["fmi"].as_u64(), row["oc"].as_u64())).collect();
            assert_eq!(got.len(), wanted.len(), "{name}: {source}");
            assert_eq!(got.into_iter().collect::<BTreeSet<_>>(), wanted, "{name}: {source}");
            compared += 1;
        }
    }
    assert!(compared >= 7, "{compared}");
}

#[test]
fn vins_are_those_that_other_tools_read_and_no_others() {
    let Some(captures) = Captures::find() else { return };
    let mut found = 0;
    for (name, json, expected) in logs(&captures) {
        let diagnostic = expected["diag_payloads"].as_object().into_iter().flatten();
        let said = diagnostic.filter_map(|(_, payload)| payload["vin"].as_str());
        let broadcast = by_address(&expected, "VI_vin").into_iter();
        let broadcast = broadcast.filter_map(|(_, values)| values["last"]["vin"].as_str());
        let wanted: BTreeSet<&str> = said.chain(broadcast).collect();
        let got: Vec<&str> = json["vins"].as_array().expect("VINs").iter().filter_map(Json::as_str).collect();
        assert!(got.iter().copied().eq(wanted.iter().copied()), "{name}");
        found += got.len();
    }
    assert!(found >= 2, "{found}");
}

#[test]
fn one_drive_in_several_formats_decodes_to_the_same() {
    let Some(captures) = Captures::find() else { return };
    let files = ["asc", "trc", "csv", "blf"].map(|end| captures.path(&format!("car/mustang_s550_2s.{end}")));
    let [first, others @ ..] = files.each_ref().map(|path| decoded(path));
    for (other, path) in others.iter().zip(&files[1..]) {
        assert_eq!(*other, first, "{}", path.display());
    }
}

/// Whether a DBC file has the message of an expected signal under its identifier.
fn describes(database: &Database, name: &str, values: &Json) -> bool {
    let message = name.split_once('.').map_or(name, |(message, _)| message);
    let id = values["id"].as_str().and_then(|id| u32::from_str_radix(id, 16).ok());
    database.messages.iter().any(|one| *one.name == *message && Some(one.id.raw()) == id)
}

#[test]
fn dbc_files_add_the_odometers_levels_and_places_that_another_decoder_reads() {
    let Some(captures) = Captures::find() else { return };
    let (mut compared, mut paths) = (0, BTreeSet::new());
    for log in captures.logs() {
        let decoded = log.expected["decoded"].as_object().into_iter().flatten();
        let located = log.expected["location"].as_object().into_iter().flatten();
        let expected: Vec<(&String, &Json)> = decoded.chain(located).collect();
        for name in captures.names("dbc", ".dbc") {
            let (database, _) = Database::read(&captures.bytes(&name)).expect("a DBC file");
            if !expected.iter().any(|(name, values)| describes(&database, name, values)) {
                continue;
            }
            let json = decoded_with(&captures.path(&log.name), &[captures.path(&name)]);
            for row in json["signals"].as_array().expect("rows") {
                let source = row["source"].as_str().expect("text");
                let values = source.strip_prefix("dbc:").and_then(|source| {
                    expected.iter().find(|(name, _)| *name == source).map(|(_, values)| *values)
                });
                let Some(values) = values else { continue };
                compare(row, values, &format!("{} by {name}: {source}", log.name));
                paths.insert(row["path"].as_str().expect("text").to_owned());
                compared += 1;
            }
        }
    }
    for path in [ODOMETER, FUEL, LOCATION] {
        assert!(paths.contains(path), "{path} was not compared");
    }
    assert!(compared >= 10, "{compared}");
}

/// A row against what cantools reads; of a place it gives the latitude alone.
fn compare(row: &Json, values: &Json, name: &str) {
    assert_eq!(row["n"], values["n"], "{name}");
    let factor = if row["path"] == ODOMETER { 1000.0 } else { 1.0 };
    for end in ["first", "last"] {
        let expected = values[end].as_f64().expect("a number") * factor;
        let agrees = match &row[end] {
            Json::Bool(flag) => (expected != 0.0) == *flag,
            Json::Object(place) => close(&place["latitude"], expected),
            value => close(value, expected),
        };
        assert!(agrees, "{name}: {end}");
    }
}
