//! DBC files: whole messages against cantools, and captures through the shipped mapping.

use crate::captures::{Captures, Log, catalogue};
use proptest::{collection::vec, prelude::*, test_runner::TestRunner};
use serde_json::Value as Json;
use std::{collections::BTreeMap, sync::Arc};
use vernport_decode::{
    Config, Decoded, Decoder,
    dbc::{Database, Mapping, Plan, Read, Severity},
};
use vernport_types::{CanId, Source, Value};

fn database(captures: &Captures, name: &str) -> Database {
    Database::read(&captures.bytes(name)).unwrap_or_else(|error| panic!("{name}: {error}")).0
}

fn id(case: &Json) -> CanId {
    let raw = u32::from_str_radix(case["id"].as_str().expect("an id"), 16).expect("hexadecimal");
    match case["ext"].as_bool() {
        Some(true) => CanId::extended(raw).expect("29 bits"),
        _ => CanId::standard(u16::try_from(raw).expect("16 bits")).expect("11 bits"),
    }
}

/// Equal but for the ten digits that the expected values are written with.
fn close(got: f64, expected: f64) -> bool {
    (got - expected).abs() <= 1e-9 * got.abs().max(expected.abs()).max(1e-30)
}

#[test]
fn every_message_has_the_values_that_cantools_reads() {
    let Some(captures) = Captures::find() else { return };
    let cases = captures.json("dbc_cases/expected_cantools.json");
    let (mut compared, mut refused) = (0, 0);
    for (file, cases) in cases["cases"].as_object().expect("cases") {
        let database = database(&captures, &format!("dbc_cases/{file}"));
        let everything = Plan::everything(std::slice::from_ref(&database)).expect("small");
        for case in cases.as_array().expect("a list") {
            let data = hex::decode(case["data"].as_str().expect("data")).expect("hexadecimal");
            let decoded = database.decode_all(id(case), &data).unwrap_or_else(|| panic!("{file}: {case}"));
            let Some(expected) = case["signals"].as_object() else {
                assert!(decoded.is_err(), "{file}: {case} is to be refused");
                refused += 1;
                continue;
            };
            let decoded = decoded.unwrap_or_else(|error| panic!("{file}: {case}: {error}"));
            let mut planned = BTreeMap::new();
            everything.frame(id(case), data.len() > 8, &data, &mut |read: Read| {
                let name = everything.name(read.index).expect("named").split_once('.').expect("a dot").1;
                planned.insert(name.to_owned(), read.value.ok().and_then(|value| value.as_f64()));
            });
            assert_eq!(decoded.len(), expected.len(), "{file}: {case}");
            assert_eq!(planned.len(), expected.len(), "{file}: {case}");
            for (signal, value) in decoded {
                // null: not a number, or infinite.
                let fits = match expected[&*signal.name].as_f64() {
                    Some(expected) => close(value, expected),
                    None => expected[&*signal.name].is_null() && !value.is_finite(),
                };
                assert!(fits, "{file}: {} of {case}", signal.name);
                assert_eq!(planned[&*signal.name].is_some(), value.is_finite(), "{file}: {}", signal.name);
                assert!(planned[&*signal.name].is_none_or(|planned| close(planned, value)), "{file}: {case}");
                compared += 1;
            }
        }
    }
    assert!(compared > 700 && refused == 4, "{compared} compared, {refused} refused");
}

#[test]
fn answers_of_a_real_car_have_the_values_that_cantools_reads() {
    let Some(captures) = Captures::find() else { return };
    let database = database(&captures, "dbc/css_OBD-v4.4.dbc");
    let vectors = captures.json("vectors/obd_mode01_real_payloads.json");
    let mut compared = 0;
    for vector in vectors["vectors"].as_array().expect("vectors") {
        let Some(expected) = vector["cantools_css_dbc"].as_object() else { continue };
        let (id, data) = vector["frame"].as_str().and_then(|frame| frame.split_once('#')).expect("a frame");
        let id = CanId::standard(u16::from_str_radix(id, 16).expect("hexadecimal")).expect("11 bits");
        let data = hex::decode(data).expect("hexadecimal");
        let Some(Ok(decoded)) = database.decode_all(id, &data) else { panic!("{vector}") };
        for (name, expected) in expected {
            let Some(expected) = expected.as_f64() else { continue };
            let (_, value) =
                decoded.iter().find(|(signal, _)| *signal.name == **name).unwrap_or_else(|| panic!("{name}"));
            assert!((value - expected).abs() < 1e-5 * expected.abs().max(1.0), "{name}: {vector}");
            compared += 1;
        }
    }
    assert!(compared > 100, "{compared} compared");
}

#[test]
fn real_files_are_read_without_a_finding_that_loses_a_signal() {
    let Some(captures) = Captures::find() else { return };
    let (mut messages, mut signals) = (0, 0);
    for name in captures.names("dbc", ".dbc").into_iter().chain(captures.names("dbc_cases", ".dbc")) {
        let (database, findings) =
            Database::read(&captures.bytes(&name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let errors: Vec<String> = findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .map(ToString::to_string)
            .collect();
        // m256 of a switch of 8 bits: the file has no SG_MUL_VAL_ for it.
        let known = usize::from(name == "dbc/css_tp_uds.dbc");
        assert_eq!(errors.len(), known, "{name}: {errors:?}");
        messages += database.messages.len();
        signals += database.messages.iter().map(|message| message.signals.len()).sum::<usize>();
    }
    assert!(messages > 500 && signals > 3_000, "{messages} messages, {signals} signals");
}

/// What a log says through one DBC file, channel by channel: the values of each source of it.
fn heard(captures: &Captures, log: &Log, dbc: &str) -> BTreeMap<String, Vec<Value>> {
    let plan = Plan::new(&[database(captures, dbc)], &Mapping::shipped(), &catalogue()).expect("small");
    let plan = Arc::new(plan);
    let mut heard: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for channel in log.channels() {
        let mut decoder = Decoder::new(&catalogue(), Config::default()).expect("fits").with_dbc(&plan);
        for logged in log.frames.iter().filter(|logged| logged.channel == channel) {
            decoder.push(&logged.frame, logged.at, &mut |decoded| {
                if let Decoded::Signal { value, source: Source::Dbc { signal }, .. } = decoded {
                    heard.entry(plan.name(signal).expect("named").to_owned()).or_default().push(value);
                }
            });
        }
    }
    heard
}

fn expect_numbers(got: &[Value], expected: &Json, factor: f64, name: &str) {
    let numbers: Vec<f64> = got
        .iter()
        .map(|value| match value {
            Value::Flag(flag) => f64::from(u8::from(*flag)),
            value => value.as_f64().expect("a number"),
        })
        .collect();
    assert_eq!(Some(numbers.len() as u64), expected["n"].as_u64(), "{name}");
    let lowest = numbers.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    for (got, key) in
        [(numbers[0], "first"), (numbers[numbers.len() - 1], "last"), (lowest, "min"), (highest, "max")]
    {
        let expected = expected[key].as_f64().expect("a number") * factor;
        assert!((got - expected).abs() < 1e-6, "{name}: {key}");
    }
}

#[test]
fn a_car_is_read_by_the_file_of_its_sister_and_the_shipped_mapping() {
    let Some(captures) = Captures::find() else { return };
    let log = captures.log("mustang_s550_drive.log.json");
    let heard = heard(&captures, &log, "dbc/ford_lincoln_base_pt.dbc");
    for (name, factor) in [
        ("Cluster_Info1_FD1.OdometerMasterValue", 1_000.0),
        ("Cluster_Info_3_FD1.FuelLvl_Pc_Dsply", 1.0),
        ("Cluster_Info_3_FD1.FuelLvlWarn_D_Actl", 1.0),
        ("Body_Info_4_FD1.BattULo_U_Actl", 1.0),
        ("Battery_Mgmt_3_FD1.BSBattSOC", 1.0),
        ("Tire_Pressure_Data_FD1.Tire_Press_LF_Data", 1.0),
        ("Tire_Pressure_Data_FD1.Tire_Press_RR_ORR_Data", 1.0),
        ("EngVehicleSpThrottle2.Veh_V_ActlEng", 1.0),
        ("EngineData_6.EngOil_Te_Actl", 1.0),
        ("EngineData_7.EngOilLife_Pc_Actl", 1.0),
        ("BCM_Lamp_Stat_FD1.HeadLampLoFlOn_B_Stat", 1.0),
    ] {
        let got = heard.get(name).unwrap_or_else(|| panic!("{name} is not read"));
        expect_numbers(got, &log.expected["decoded"][name], factor, name);
    }
    assert!(!heard.keys().any(|name| name.contains("Trip")), "a trip is no odometer");
}

#[test]
fn places_of_loggers_are_joined_and_only_where_they_are_valid() {
    let Some(captures) = Captures::find() else { return };
    for (log, dbc, message) in [
        ("css_ev_uds_gnss.log.json", "dbc/css_gnss.dbc", "gnss_pos"),
        ("css_engine_dm1bam_gnss.log.json", "dbc/css_canmod-gps.dbc", "gnss_pos"),
        ("css_octavia_obd_gnss.log.json", "dbc/css_canedge-internal-can9.dbc", "GnssPos"),
        ("css_tacho_vdhr_wakeup.log.json", "dbc/css_canedge-internal-can9.dbc", "GnssPos"),
    ] {
        let log = captures.log(log);
        let heard = heard(&captures, &log, dbc);
        let places: Vec<(f64, f64)> = heard[&format!("{message}.Latitude")]
            .iter()
            .map(|value| match value {
                Value::Position(place) => place.degrees(),
                _ => panic!("{}: no place", log.name),
            })
            .collect();
        for (name, half) in [("Latitude", 0), ("Longitude", 1)] {
            let got: Vec<f64> = places.iter().map(|place| [place.0, place.1][half]).collect();
            let expected = &log.expected["location"][format!("{message}.{name}")];
            assert_eq!(Some(got.len() as u64), expected["n"].as_u64(), "{}", log.name);
            for (got, key) in [(got[0], "first"), (got[got.len() - 1], "last")] {
                assert!((got - expected[key].as_f64().expect("degrees")).abs() < 1e-7, "{}", log.name);
            }
        }
    }
}

#[test]
fn a_whole_diagnostic_answer_is_read_by_the_file_of_a_logger() {
    let Some(captures) = Captures::find() else { return };
    let log = captures.log("css_ev_uds_gnss.log.json");
    let heard = heard(&captures, &log, "dbc/css_tp_uds.dbc");
    let name = "Battery.M_SID_0x220101_StateOfChargeBMS";
    let expected = &log.expected["dbc_decoded_multiframe"]["values"]["7EC M_SID_0x220101_StateOfChargeBMS"];
    expect_numbers(&heard[name], expected, 1.0, name);
}

#[test]
fn what_is_read_without_a_file_is_not_read_again_by_one() {
    let Some(captures) = Captures::find() else { return };
    for (log, dbc) in [
        ("css_engine_dm1bam_gnss.log.json", "dbc/css_J1939_demo.dbc"),
        ("css_octavia_obd_gnss.log.json", "dbc/css_OBD-v4.4.dbc"),
    ] {
        let heard = heard(&captures, &captures.log(log), dbc);
        assert!(!heard.keys().any(|name| name.contains("Speed")), "{log}: {:?}", heard.keys());
    }
}

#[test]
fn real_files_with_changes_are_read_or_refused_and_no_more() {
    let Some(captures) = Captures::find() else { return };
    let files: Vec<Vec<u8>> = ["multiplex_2.dbc", "long_names.dbc", "foobar.dbc", "j1939.dbc", "cp1252.dbc"]
        .map(|name| captures.bytes(&format!("dbc_cases/{name}")))
        .into();
    let changes = vec((any::<u16>(), 0_usize..20, vec(any::<u8>(), 0..6)), 1..8);
    let input = (0..files.len(), changes, vec(any::<u8>(), 0..9));
    TestRunner::default()
        .run(&input, |(file, changes, data)| {
            let mut bytes = files[file].clone();
            for (at, cut, insert) in changes {
                let from = usize::from(at) % (bytes.len() + 1);
                let to = (from + cut).min(bytes.len());
                bytes.splice(from..to, insert);
            }
            if let Ok((database, _)) = Database::read(&bytes) {
                let plan = Plan::everything(std::slice::from_ref(&database)).expect("small");
                for message in &database.messages {
                    let _ = message.decode(&data);
                    plan.frame(message.id, false, &data, &mut |_| {});
                }
            }
            Ok(())
        })
        .expect("no panic");
}
