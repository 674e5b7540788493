//! Every kind of row, against the published schema.

use super::*;
use crate::shipped;
use serde_json::Value as Json;
use vernport_types::{
    BootMicros, CanId, Number, Position, Stamp, TimeQuality, TroubleCode as Heard, UtcMicros, Vin,
};

const ENGINE: Source = Source::J1939 { pgn: 65226, sa: 0 };

fn at() -> Stamp {
    Stamp { wall: UtcMicros(0), boot: BootMicros(0), quality: TimeQuality::Synced }
}

fn signal(path: &str, value: Value, source: Source) -> Decoded {
    let signal = shipped::catalogue().find(path).expect("in the catalogue");
    Decoded::Signal { signal, value, source, at: at() }
}

fn code(fault: Fault, state: FaultState, source: Source) -> Decoded {
    let value = Value::TroubleCode(Heard { fault, state });
    signal("Vehicle.Diagnostics.DTCList", value, source)
}

fn report(decoded: &[Decoded]) -> Report {
    let mut tally = Tally::default();
    tally.channel();
    tally.frame(&CanFrame::data_frame(CanId::Standard(1), &[]).expect("short"));
    tally.frame(&CanFrame::new(CanId::Extended(1), FrameKind::Error, &[]).expect("short"));
    decoded.iter().for_each(|decoded| tally.decoded(decoded));
    tally.skipped(17, &SkipReason::TooLong);
    let counts = Counts { frames: 2, skipped: 1 };
    tally.report("drive.log".to_owned(), Format::CandumpLog, counts, &shipped::catalogue(), None)
}

fn checked(report: &Report, with_file: bool) -> Json {
    let schema: Json = serde_json::from_str(SCHEMA).expect("the schema is JSON");
    let schema = jsonschema::validator_for(&schema).expect("the schema is a schema");
    let json: Json = serde_json::from_str(&report.json(with_file)).expect("JSON");
    if let Err(error) = schema.validate(&json) {
        panic!("{error}");
    }
    json
}

#[test]
fn every_kind_of_row_follows_the_schema() {
    let vin: Vin = "WDB9634031L738001".parse().expect("a VIN");
    let number = |number| Value::Number(Number::new(number).expect("finite"));
    let obd = |service, pid| Source::Obd { service, pid, responder: 0x7E8 };
    let uds = Source::Uds { service: 0x19, did: 2, responder: 0x18DA_F100 };
    let j1939 = |occurrence| Fault::J1939 { spn: 980, fmi: 9, occurrence };
    let json = checked(
        &report(&[
            Decoded::Vin { vin, source: obd(9, 2), at: at() },
            Decoded::Vin { vin, source: uds, at: at() },
            signal(
                "Vehicle.TraveledDistance",
                Value::Integer(57_088_920),
                Source::J1939 { pgn: 65217, sa: 0x17 },
            ),
            signal("Vehicle.TraveledDistance", Value::Integer(1), Source::J1939 { pgn: 65217, sa: 0 }),
            signal("Vehicle.TraveledDistance", Value::Integer(2), Source::J1939 { pgn: 65217, sa: 0 }),
            signal("Vehicle.Speed", number(0.5), obd(1, 0x0D)),
            signal(
                "Vehicle.CurrentLocation",
                Value::Position(Position::from_degrees(59.5, 10.25).expect("on it")),
                ENGINE,
            ),
            signal("Vehicle.Extension.PowerTakeOffs.IsEngagedAtLeastOne", Value::Flag(true), ENGINE),
            code(j1939(Some(1)), FaultState::Present, ENGINE),
            code(j1939(Some(2)), FaultState::Present, ENGINE),
            code(Fault::J1939 { spn: 980, fmi: 10, occurrence: None }, FaultState::Present, ENGINE),
            code(Fault::Obd(0x0456), FaultState::Pending, obd(7, 0)),
            code(Fault::Uds { code: 0xC4_56_12, status: 0x2F }, FaultState::Present, uds),
            signal("Vehicle.Diagnostics.DTCList", Value::Nothing, obd(3, 0)),
            Decoded::Rejected { code: vernport_decode::RejectCode::OdometerWakeUp },
            Decoded::Rejected { code: vernport_decode::RejectCode::OdometerWakeUp },
        ]),
        false,
    );
    assert_eq!((&json["frames"], &json["ids"]), (&2.into(), &1.into()));
    assert_eq!(json["vins"], serde_json::json!(["WDB9634031L738001"]));
    let paths: Vec<(&str, &str)> = json["signals"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| (row["path"].as_str().expect("text"), row["source"].as_str().expect("text")))
        .collect();
    assert!(paths.is_sorted() && paths.len() == 5, "{paths:?}");
    let odometer =
        json["signals"].as_array().expect("rows").iter().find(|row| row["source"] == "j1939:65217:sa=00");
    let expected = serde_json::json!({
        "path": "Vehicle.TraveledDistance", "source": "j1939:65217:sa=00", "unit": "m", "n": 2, "first": 1, "last": 2
    });
    assert_eq!(odometer, Some(&expected));
    assert_eq!(
        json["dtcs"],
        serde_json::json!([
            {"source": "j1939:65226:sa=00", "spn": 980, "fmi": 9, "oc": 2},
            {"source": "j1939:65226:sa=00", "spn": 980, "fmi": 10, "oc": null},
            {"source": "obd:07:00:7E8", "code": "P0456", "status": "pending"},
            {"source": "uds:19:0002:18DAF100", "code": "U0456-12", "status": "2F"},
        ])
    );
    assert_eq!(json["rejected"], serde_json::json!({"odometer-wake-up": 2}));
}

#[test]
fn the_file_is_named_where_there_are_several_only() {
    assert_eq!(checked(&report(&[]), false).get("file"), None);
    assert_eq!(checked(&report(&[]), true)["file"], "drive.log");
}

#[test]
fn a_person_reads_values_codes_and_what_was_passed_over() {
    let fault = Fault::J1939 { spn: 980, fmi: 9, occurrence: Some(126) };
    let text = report(&[
        signal("Vehicle.TraveledDistance", Value::Integer(57_088_920), Source::J1939 { pgn: 65217, sa: 0 }),
        code(fault, FaultState::Present, ENGINE),
        signal(
            "Vehicle.Diagnostics.DTCList",
            Value::Nothing,
            Source::Obd { service: 3, pid: 0, responder: 0x7E8 },
        ),
        Decoded::Rejected { code: vernport_decode::RejectCode::NotAvailable },
    ])
    .text();
    for part in [
        "candump log, 2 frames, 1 ids, 1 channel\n",
        "57088920",
        "SPN 980 FMI 9",
        "126 times",
        "none: obd:03:00:7E8",
        "not-available",
        "drive.log: line 17: longer than",
    ] {
        assert!(text.contains(part), "{part} is missing in:\n{text}");
    }
}

#[test]
fn the_schema_refuses_what_is_never_printed() {
    let schema: Json = serde_json::from_str(SCHEMA).expect("the schema is JSON");
    let schema = jsonschema::validator_for(&schema).expect("the schema is a schema");
    let good: Json = serde_json::from_str(&report(&[]).json(false)).expect("JSON");
    assert!(schema.is_valid(&good));
    for (member, value) in [
        ("frames", serde_json::json!(-1)),
        ("vins", serde_json::json!(["short"])),
        ("dtcs", serde_json::json!([{"source": "obd:03:00:7E8", "code": "X0456", "status": "present"}])),
        ("signals", serde_json::json!([{"path": "Vehicle.Speed"}])),
        ("rejected", serde_json::json!({"not-a-vin": 0})),
        ("more", serde_json::json!(1)),
    ] {
        let mut bad = good.clone();
        bad[member] = value;
        assert!(!schema.is_valid(&bad), "{member}");
    }
}
