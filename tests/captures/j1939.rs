//! J1939: distances, levels, voltages, trouble codes, lamps, long messages.

use crate::captures::{Captures, Log, frame, values_of};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use vernport_decode::{
    Decoded, RejectCode,
    j1939::{
        Id, dm1, pgn,
        transport::{self, Broadcasts},
    },
};
use vernport_types::{Fault, FaultState, Position, Source, TroubleCode, Value};

const LOGS: [&str; 5] = [
    "eti_truck_keyon_2021.log.json",
    "css_engine_dm1bam_gnss.log.json",
    "css_tacho_uds_session.log.json",
    "css_tacho_vdhr_wakeup.log.json",
    "css_tractor_vi_bam.log.json",
];

/// What a cluster sends before it was told: its start value and zero, in km. None of them is an odometer.
const WAKE_UP_KM: [f64; 2] = [37.5, 0.0];

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-6
}

/// `sa_17` and so on.
fn by_source<'a>(log: &'a Log, signal: &str) -> Vec<(u8, &'a Json)> {
    let sources = log.expected["j1939"]["signals"][signal].as_object();
    let source = |key: &str| u8::from_str_radix(key.strip_prefix("sa_").expect("sa_XX"), 16).expect("sa_XX");
    sources.into_iter().flatten().map(|(key, values)| (source(key), values)).collect()
}

/// Compares the numbers of one signal from one source with the expected ones.
fn compare(log: &Log, signal: &str, sa: u8, expected: &Json, got: &[f64], scale: f64, none: &[f64]) {
    let name = format!("{} {signal} sa={sa:02X}", log.name);
    let all = expected["distinct"].as_array().expect("distinct");
    let is_none =
        |value: &Json| value.as_f64().is_none_or(|value| none.iter().any(|other| close(*other, value)));
    let distinct: Vec<f64> = all.iter().filter(|value| !is_none(value)).filter_map(Json::as_f64).collect();
    for value in &distinct {
        assert!(got.iter().any(|got| close(*got, value * scale)), "{name}: a value is missing");
    }
    for got in got {
        assert!(distinct.iter().any(|value| close(*got, value * scale)), "{name}: a value too many");
    }
    if distinct.len() == all.len() {
        assert_eq!(Some(got.len() as u64), expected["n"].as_u64(), "{name}");
        assert!(close(got[0], expected["first"].as_f64().expect("first") * scale), "{name}");
    }
    if let Some(last) = expected["last"].as_f64().filter(|_| !is_none(&expected["last"])) {
        assert!(got.last().is_some_and(|got| close(*got, last * scale)), "{name}");
    }
}

#[test]
fn numbers_are_those_that_other_tools_read() {
    let Some(captures) = Captures::find() else { return };
    let fuel = "Vehicle.Powertrain.FuelSystem.RelativeLevel";
    let mut compared = 0;
    for log in LOGS.map(|name| captures.log(name)) {
        let decoded = log.decode();
        for (signal, group, path, scale, none) in [
            (
                "VDHR_total_km",
                pgn::DISTANCE_HIGH_RESOLUTION,
                "Vehicle.TraveledDistance",
                1000.0,
                &WAKE_UP_KM[..],
            ),
            ("VD_total_km", pgn::DISTANCE, "Vehicle.TraveledDistance", 1000.0, &WAKE_UP_KM[..]),
            ("CCVS1_wheel_speed_kmh", pgn::SPEED, "Vehicle.Speed", 1.0, &[]),
            ("DD_fuel_level1_pct", pgn::DASH_DISPLAY, fuel, 1.0, &[]),
            (
                "VEP1_batt_input1_V",
                pgn::ELECTRICAL_POWER,
                "Vehicle.LowVoltageBattery.CurrentVoltage",
                1.0,
                &[],
            ),
            ("HOURS_total_h", pgn::ENGINE_HOURS, "Vehicle.Powertrain.CombustionEngine.EngineHours", 1.0, &[]),
        ] {
            for (sa, expected) in by_source(&log, signal) {
                let values = values_of(&decoded, path, |source| source == Source::J1939 { pgn: group, sa });
                let numbers: Vec<f64> = values.iter().filter_map(Value::as_f64).collect();
                compare(&log, signal, sa, expected, &numbers, scale, none);
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 20, "sources with values");
}

#[test]
fn a_cluster_that_wakes_up_gives_no_odometer_until_it_is_told() {
    let Some(captures) = Captures::find() else { return };
    let cluster = |source| matches!(source, Source::J1939 { sa: 0x17, .. });
    let before = captures.log("css_tacho_uds_session.log.json").decode();
    assert_eq!(values_of(&before, "Vehicle.TraveledDistance", cluster), []);
    assert_eq!(before.iter().filter(|e| is_rejected(e, RejectCode::OdometerWakeUp)).count(), 7);
    let waking = captures.log("css_tacho_vdhr_wakeup.log.json").decode();
    assert_eq!(values_of(&waking, "Vehicle.TraveledDistance", cluster), [Value::Integer(158_910_600); 9]);
    assert_eq!(waking.iter().filter(|e| is_rejected(e, RejectCode::OdometerWakeUp)).count(), 5);
}

fn is_rejected(event: &Decoded, why: RejectCode) -> bool {
    matches!(event, Decoded::Rejected { code } if *code == why)
}

#[test]
fn trouble_codes_are_those_that_other_tools_read() {
    let Some(captures) = Captures::find() else { return };
    let narrow = |number: &Json| u8::try_from(number.as_u64().expect("a number")).expect("a byte");
    let mut sources = 0;
    for log in LOGS.map(|name| captures.log(name)) {
        let decoded = log.decode();
        for (sa, expected) in by_source(&log, "DM1") {
            assert_eq!(expected["distinct"].as_array().map(Vec::len), Some(1), "{}", log.name);
            let mut message: Vec<Value> = Vec::new();
            for code in expected["first"]["dtcs"].as_array().expect("dtcs") {
                let spn = u32::try_from(code["spn"].as_u64().expect("spn")).expect("19 bits");
                let occurrence = Some(narrow(&code["oc"])).filter(|count| *count != 127);
                let fault = Fault::J1939 { spn, fmi: narrow(&code["fmi"]), occurrence };
                message.push(Value::TroubleCode(TroubleCode { fault, state: FaultState::Present }));
            }
            if message.is_empty() {
                message.push(Value::Nothing);
            }
            let times = usize::try_from(expected["n"].as_u64().expect("n")).expect("a count");
            let from = |source| source == Source::J1939 { pgn: pgn::ACTIVE_TROUBLE_CODES, sa };
            let got = values_of(&decoded, "Vehicle.Diagnostics.DTCList", from);
            assert_eq!(got, message.repeat(times), "{} sa={sa:02X}", log.name);
            sources += 1;
        }
    }
    assert_eq!(sources, 7);
}

/// Every message of the log: single frames, and broadcasts of every group put together.
fn messages(log: &Log) -> Vec<(Id, Vec<u8>, bool)> {
    let (mut broadcasts, mut messages) = (Broadcasts::default(), Vec::new());
    for logged in &log.frames {
        let Some(id) = Id::from_can(logged.frame.id()) else { continue };
        let (data, now) = (logged.frame.data(), logged.at.boot);
        match id.pgn {
            transport::CONNECTION => {
                assert_eq!(broadcasts.announce(id.source, data, now, |_| true), None, "{}", log.name);
            }
            transport::DATA => {
                let step = broadcasts.packet(id.source, data, now);
                assert_eq!(step.dropped, None, "{}", log.name);
                if let Some((group, bytes)) = step.message {
                    messages.push((Id { pgn: group, ..id }, bytes.to_vec(), true));
                }
            }
            _ => messages.push((id, data.to_vec(), false)),
        }
    }
    messages
}

#[test]
fn long_messages_are_those_that_other_tools_put_together() {
    let Some(captures) = Captures::find() else { return };
    for log in LOGS.map(|name| captures.log(name)) {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for (id, bytes, _) in messages(&log).iter().filter(|(.., long)| *long) {
            let kind = format!("BAM {:04X} sa_{:02X} len {}", id.pgn, id.source, bytes.len());
            *counts.entry(kind).or_default() += 1;
        }
        let expected: BTreeMap<String, u64> =
            serde_json::from_value(log.expected["j1939"]["transport_messages"].clone()).expect("counts");
        assert_eq!(counts, expected, "{}", log.name);
    }
}

#[test]
fn lamps_are_those_that_other_tools_read() {
    let Some(captures) = Captures::find() else { return };
    for log in LOGS.map(|name| captures.log(name)) {
        for (sa, expected) in by_source(&log, "DM1") {
            let lamp = |name: &str| match expected["first"]["lamps"][name].as_u64() {
                Some(0) => dm1::Lamp::Off,
                Some(1) => dm1::Lamp::On,
                Some(2) => dm1::Lamp::Reserved,
                _ => dm1::Lamp::NotAvailable,
            };
            let expected = dm1::Lamps {
                malfunction: lamp("MIL"),
                red_stop: lamp("RSL"),
                amber_warning: lamp("AWL"),
                protect: lamp("PL"),
            };
            let of_sa =
                |(id, ..): &(Id, Vec<u8>, bool)| id.pgn == pgn::ACTIVE_TROUBLE_CODES && id.source == sa;
            for (_, bytes, _) in messages(&log).into_iter().filter(of_sa) {
                assert_eq!(dm1::lamps(&bytes), Ok(expected), "{} sa={sa:02X}", log.name);
            }
        }
    }
}

#[test]
fn a_vehicle_identification_with_bytes_that_are_not_text_is_no_vin() {
    let Some(captures) = Captures::find() else { return };
    let decoded = captures.log("css_tractor_vi_bam.log.json").decode();
    assert!(!decoded.iter().any(|event| matches!(event, Decoded::Vin { .. })));
    assert_eq!(decoded.iter().filter(|event| is_rejected(event, RejectCode::NotText)).count(), 3);
}

#[test]
fn a_position_is_the_one_that_another_decoder_reads() {
    let Some(captures) = Captures::find() else { return };
    let vectors = captures.json("vectors/j1939_vehicle_position.json");
    for vector in vectors["vectors"].as_array().expect("vectors") {
        let frame = frame(vector["frame"].as_str().expect("a frame"));
        let number = |key: &str| vector[key].as_f64().expect(key);
        let expected = Position::from_degrees(number("latitude"), number("longitude"));
        assert_eq!(pgn::position(frame.data()).ok(), expected.ok());
    }
}
