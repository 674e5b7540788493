//! J1939: distances, levels, voltages, trouble codes, lamps, long messages.

use crate::captures::{Captures, Log, frame, values_of};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use vernport_decode::{
    Decoded, RejectCode,
    j1939::{
        Id, pgn,
        transport::{Step, Transport},
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

/// How what others read becomes what the catalogue holds.
#[derive(Clone, Copy)]
enum As {
    /// A number times this.
    Number(f64),
    /// Two bits: 0 off, 1 on, and no value.
    Flag,
}

const FUEL: &str = "Vehicle.Powertrain.FuelSystem.RelativeLevel";
const DISTANCE: &str = "Vehicle.TraveledDistance";
const VOLTS: &str = "Vehicle.LowVoltageBattery.CurrentVoltage";
const COOLANT: &str = "Vehicle.Extension.EngineCoolant.RelativeLevel";
const OIL: &str = "Vehicle.Extension.EngineOil.RelativeLevel";
const USED: &str = "Vehicle.Extension.FuelSystem.AccumulatedConsumption";
const EXHAUST_FLUID: &str = "Vehicle.Powertrain.CombustionEngine.DieselExhaustFluid.Level";
const HOURS: &str = "Vehicle.Powertrain.CombustionEngine.EngineHours";
const GOVERNOR: &str = "Vehicle.Extension.PowerTakeOffs.IsGovernorSwitchOn";

/// What others read, by the name they give it: the group and the signal of the catalogue.
const READ_BY_OTHERS: [(&str, u32, &str, As); 13] = [
    ("VDHR_total_km", pgn::DISTANCE_HIGH_RESOLUTION, DISTANCE, As::Number(1000.0)),
    ("VD_total_km", pgn::DISTANCE, DISTANCE, As::Number(1000.0)),
    ("CCVS1_wheel_speed_kmh", pgn::SPEED, "Vehicle.Speed", As::Number(1.0)),
    ("TCO1_speed_kmh", pgn::TACHOGRAPH, "Vehicle.Speed", As::Number(1.0)),
    ("CCVS1_parking_brake", pgn::SPEED, "Vehicle.Chassis.ParkingBrake.IsEngaged", As::Flag),
    ("PTO_gov_enable_switch", pgn::PTO, GOVERNOR, As::Flag),
    ("DD_fuel_level1_pct", pgn::DASH_DISPLAY, FUEL, As::Number(1.0)),
    ("VEP1_batt_input1_V", pgn::ELECTRICAL_POWER, VOLTS, As::Number(1.0)),
    ("HOURS_total_h", pgn::ENGINE_HOURS, HOURS, As::Number(1.0)),
    ("EFLP1_coolant_level_pct", pgn::ENGINE_FLUIDS, COOLANT, As::Number(1.0)),
    ("EFLP1_oil_level_pct", pgn::ENGINE_FLUIDS, OIL, As::Number(1.0)),
    ("LFC_total_fuel_l", pgn::FUEL_CONSUMPTION, USED, As::Number(1.0)),
    ("DEF_level_pct", pgn::EXHAUST_FLUID, EXHAUST_FLUID, As::Number(1.0)),
];

/// What others read that is no signal of the catalogue, or has a test of its own.
const ELSEWHERE: [&str; 6] = ["VD_trip_km", "VDHR_trip_km", "VEP1_keyswitch_V", "TD_raw", "DM1", "VI_vin"];

#[test]
fn values_are_those_that_other_tools_read() {
    let Some(captures) = Captures::find() else { return };
    let mut compared = 0;
    for log in LOGS.map(|name| captures.log(name)) {
        let decoded = log.decode();
        for signal in log.expected["j1939"]["signals"].as_object().expect("signals").keys() {
            let Some((_, group, path, read_as)) = READ_BY_OTHERS.iter().find(|(name, ..)| name == signal)
            else {
                assert!(ELSEWHERE.contains(&signal.as_str()), "{}: {signal} is compared nowhere", log.name);
                continue;
            };
            for (sa, expected) in by_source(&log, signal) {
                let values = values_of(&decoded, path, |source| source == Source::J1939 { pgn: *group, sa });
                match read_as {
                    As::Number(scale) => {
                        let numbers: Vec<f64> = values.iter().filter_map(Value::as_f64).collect();
                        let none = if *path == DISTANCE { &WAKE_UP_KM[..] } else { &[] };
                        compare(&log, signal, sa, expected, &numbers, *scale, none);
                    }
                    As::Flag => compare_flags(&log, signal, sa, expected, &values),
                }
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 36, "sources with values");
}

/// Two bits from one source, which no log changes.
fn compare_flags(log: &Log, signal: &str, sa: u8, expected: &Json, got: &[Value]) {
    let name = format!("{} {signal} sa={sa:02X}", log.name);
    assert_eq!(expected["distinct"].as_array().map(Vec::len), Some(1), "{name}");
    let times = usize::try_from(expected["n"].as_u64().expect("n")).expect("a count");
    let value = match expected["first"].as_u64() {
        Some(0) => Some(Value::Flag(false)),
        Some(1) => Some(Value::Flag(true)),
        _ => None,
    };
    assert_eq!(got, value.map_or_else(Vec::new, |value| vec![value; times]), "{name}");
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

/// Every message of the log: single frames, and long messages of every group put together.
fn messages(log: &Log) -> Vec<(Id, Vec<u8>, bool)> {
    let (mut transport, mut messages) = (Transport::default(), Vec::new());
    for logged in &log.frames {
        let Some(id) = Id::from_can(logged.frame.id()) else { continue };
        let (data, now) = (logged.frame.data(), logged.at.boot);
        if !Transport::is(id.pgn) {
            messages.push((id, data.to_vec(), false));
            continue;
        }
        let Step { dropped, message } = transport.push(id, data, now, |_| true);
        assert_eq!(dropped, None, "{}", log.name);
        if let Some((group, bytes)) = message {
            messages.push((Id { pgn: group, ..id }, bytes.to_vec(), true));
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
fn lamps_are_those_that_other_tools_read_and_one_that_is_not_there_is_not_off() {
    let Some(captures) = Captures::find() else { return };
    let mut compared = 0;
    for log in LOGS.map(|name| captures.log(name)) {
        let decoded = log.decode();
        for (sa, expected) in by_source(&log, "DM1") {
            for (lamp, name) in [
                ("MIL", "IsMalfunctionIndicatorOn"),
                ("RSL", "IsRedStopOn"),
                ("AWL", "IsAmberWarningOn"),
                ("PL", "IsProtectOn"),
            ] {
                let source = Source::J1939 { pgn: pgn::ACTIVE_TROUBLE_CODES, sa };
                let got =
                    values_of(&decoded, &format!("Vehicle.Extension.Lamps.{name}"), |from| from == source);
                let lamps = serde_json::json!({
                    "n": expected["n"],
                    "first": expected["first"]["lamps"][lamp],
                    "distinct": [expected["first"]["lamps"][lamp]],
                });
                compare_flags(&log, lamp, sa, &lamps, &got);
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 28, "lamps");
}

#[test]
fn no_truck_is_taken_for_a_boat() {
    let Some(captures) = Captures::find() else { return };
    for log in LOGS.map(|name| captures.log(name)) {
        let foreign = |event: &Decoded| is_rejected(event, RejectCode::ForeignNetwork);
        assert!(!log.decode().iter().any(foreign), "{}", log.name);
    }
}

#[test]
fn small_files_of_others_hold_what_others_say() {
    let Some(captures) = Captures::find() else { return };
    let decode = |name: &str| captures.whole(&format!("formats/pretty_j1939_{name}")).decode();
    let fault = |fault| Value::TroubleCode(TroubleCode { fault, state: FaultState::Present });
    let dm1 = decode("test_dm1.log");
    let malfunction = "Vehicle.Extension.Lamps.IsMalfunctionIndicatorOn";
    assert_eq!(
        values_of(&dm1, "Vehicle.Diagnostics.DTCList", |_| true),
        [Value::Nothing, fault(Fault::J1939 { spn: 91, fmi: 3, occurrence: Some(1) })]
    );
    assert_eq!(values_of(&dm1, malfunction, |_| true), [Value::Flag(false), Value::Flag(true)]);
    // 6839472 eighths of a kilometre, and a trip that is not there.
    let distance = values_of(&decode("candump.log"), DISTANCE, |_| true);
    assert_eq!(distance, [Value::Integer(6_839_472 * 125)]);
    // An RTS to everybody (SAE J1939-21, 5.10.3): no message, and counted.
    let addressed = Decoded::Rejected { code: RejectCode::TransportAddress };
    assert_eq!(decode("test_tp_frames.txt"), [addressed]);
    for nothing in ["test_priority.log", "test_requests.log", "test_unknown_real.log"] {
        assert_eq!(decode(nothing), [], "{nothing}");
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
