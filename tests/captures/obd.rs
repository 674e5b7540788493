//! ISO-TP, OBD-II and UDS: payloads, values, VINs, answers that miss a frame.

use crate::captures::{Captures, Log, catalogue, frame, values_of};
use std::collections::BTreeMap;
use vernport_decode::{
    Config, Decoded, Decoder, RejectCode,
    isotp::{Heard, Receiver},
    obd,
};
use vernport_types::{BootMicros, CanId, Source, Stamp, TimeQuality, UtcMicros, Value};

const LOGS: [&str; 3] =
    ["css_octavia_obd_gnss.log.json", "css_ev_uds_gnss.log.json", "css_tacho_uds_session.log.json"];

/// What one sender sent by ISO-TP.
#[derive(Default)]
struct Sent {
    receiver: Receiver,
    messages: Vec<String>,
    /// For each message how many frames it came in.
    frames: Vec<u64>,
    frames_under_way: u64,
    first_frames: usize,
    dropped: Vec<RejectCode>,
}

fn reassemble(log: &Log, ids: &[CanId]) -> BTreeMap<CanId, Sent> {
    let mut senders: BTreeMap<CanId, Sent> = ids.iter().map(|id| (*id, Sent::default())).collect();
    for logged in &log.frames {
        let Some(sent) = senders.get_mut(&logged.frame.id()) else { continue };
        let step = sent.receiver.push(logged.frame.data(), logged.at.boot);
        sent.dropped.extend(step.dropped);
        sent.frames_under_way += 1;
        match step.heard {
            Heard::Message(message) => {
                sent.messages.push(hex::encode_upper(message));
                sent.frames.push(std::mem::take(&mut sent.frames_under_way));
            }
            Heard::First => {
                sent.first_frames += 1;
                sent.frames_under_way = 1;
            }
            Heard::Nothing | Heard::TooLong => {}
        }
    }
    senders
}

fn can_id(text: &str) -> CanId {
    let raw = u32::from_str_radix(text, 16).expect("an id");
    if text.len() == 3 { CanId::Standard(u16::try_from(raw).expect("11 bits")) } else { CanId::Extended(raw) }
}

#[test]
fn payloads_are_those_that_other_tools_put_together() {
    let Some(captures) = Captures::find() else { return };
    let mut compared = 0;
    for log in LOGS.map(|name| captures.log(name)) {
        let expected = log.expected["diag_payloads"].as_object().expect("payloads");
        let split = |key: &str| {
            let (id, prefix) = key.split_once(' ').expect("id and service");
            (can_id(id), prefix.to_owned())
        };
        let ids: Vec<CanId> = expected.keys().map(|key| split(key).0).collect();
        let senders = reassemble(&log, &ids);
        for (key, payload) in expected {
            let (id, prefix) = split(key);
            let sent = &senders[&id];
            let of_key = |message: &&String| message.starts_with(&prefix);
            let messages: Vec<&String> = sent.messages.iter().filter(of_key).collect();
            let text = |message: Option<&&String>| message.map(|text| text.as_str().into());
            let name = format!("{} {key}", log.name);
            assert_eq!(Some(messages.len() as u64), payload["n"].as_u64(), "{name}");
            assert!(text(messages.first()) == Some(payload["first"].clone()), "{name}: the first one");
            assert!(text(messages.last()) == Some(payload["last"].clone()), "{name}: the last one");
            // Flow control goes the same way as requests; an answer has no other frames between.
            let frames = sent.messages.iter().zip(&sent.frames).filter(|(message, _)| of_key(message));
            let answers = prefix.starts_with(['4', '6']);
            for (_, frames) in frames.filter(|_| answers) {
                assert_eq!(Some(*frames), payload["frames_per_msg"].as_u64(), "{name}");
            }
            compared += 1;
        }
    }
    assert_eq!(compared, 94);
}

#[test]
fn answers_that_miss_a_frame_are_dropped_and_not_joined() {
    let Some(captures) = Captures::find() else { return };
    let log = captures.log("css_ev_uds_gnss.log.json");
    let climate = CanId::Standard(0x7BB);
    let sent = &reassemble(&log, &[climate])[&climate];
    assert_eq!((sent.first_frames, sent.messages.len()), (15, 1));
    // One that was cut off is dropped at the next answer, or at its own wrong frame.
    let under_way = usize::from(sent.receiver.is_under_way());
    assert_eq!(sent.dropped.len() + under_way, 14);
}

/// The decoded value of a PID, with the tolerance of the rounding in the file.
fn agrees(value: Value, expected: f64) -> bool {
    value.as_f64().is_some_and(|value| (value - expected).abs() < 1e-6)
}

const LAMP: &str = "Vehicle.Extension.Lamps.IsMalfunctionIndicatorOn";

const PIDS: [(u8, &str, f64); 4] = [
    (0x0D, "Vehicle.Speed", 1.0),
    (0x2F, "Vehicle.Powertrain.FuelSystem.RelativeLevel", 1.0),
    (0x42, "Vehicle.LowVoltageBattery.CurrentVoltage", 1.0),
    (0xA6, "Vehicle.TraveledDistance", 1000.0),
];

#[test]
fn current_data_of_a_real_car_is_what_other_tools_read() {
    let Some(captures) = Captures::find() else { return };
    let log = captures.log("css_octavia_obd_gnss.log.json");
    let decoded = log.decode();
    let mut compared = 0;
    for (pid, path, scale) in PIDS {
        let expected = &log.expected["diag_payloads"][format!("7E8 41{pid:02X}")];
        let source = Source::Obd { service: 1, pid, responder: 0x7E8 };
        let values = values_of(&decoded, path, |from| from == source);
        assert_eq!(values.len() as u64, expected["n"].as_u64().unwrap_or(0), "{path}");
        let (Some(first), Some(last)) = (values.first(), values.last()) else { continue };
        let number = |key: &str| expected[key]["value"].as_f64().expect("a value") * scale;
        assert!(agrees(*first, number("first_decoded")) && agrees(*last, number("last_decoded")), "{path}");
        compared += 1;
    }
    assert_eq!(compared, 3);
    let lamp = values_of(&decoded, LAMP, |source| matches!(source, Source::Obd { service: 1, pid: 1, .. }));
    let expected = &log.expected["diag_payloads"]["7E8 4101"]["last_decoded"]["value"]["MIL"];
    assert_eq!(lamp, [Value::Flag(expected.as_bool().expect("MIL"))]);
    let stored = |source| matches!(source, Source::Obd { service: 3, .. });
    assert_eq!(values_of(&decoded, "Vehicle.Diagnostics.DTCList", stored), [Value::Nothing]);
    let odometer = values_of(&decoded, "Vehicle.TraveledDistance", |_| true);
    assert_eq!(odometer, [], "distance since the codes were cleared is not the odometer");
}

#[test]
fn real_answers_give_what_two_other_tools_agree_on() {
    let Some(captures) = Captures::find() else { return };
    let vectors = captures.json("vectors/obd_mode01_real_payloads.json");
    let vectors = vectors["vectors"].as_array().expect("vectors");
    let mut compared = 0;
    for vector in vectors {
        let text = vector["frame"].as_str().expect("a frame");
        let payload = hex::decode(vector["payload"].as_str().expect("a payload")).expect("hexadecimal");
        let mut decoder = Decoder::new(&catalogue(), Config::default()).expect("the shipped catalogue fits");
        let mut decoded = Vec::new();
        let at = Stamp { wall: UtcMicros(0), boot: BootMicros(0), quality: TimeQuality::Unset };
        decoder.push(&frame(text), at, &mut |event| decoded.push(event));
        let expected = &vector["python_obd"]["value"];
        if payload[1] == obd::STATUS {
            let lamp = values_of(&decoded, LAMP, |_| true);
            assert_eq!(lamp, [Value::Flag(expected["MIL"].as_bool().expect("MIL"))]);
            compared += 1;
            continue;
        }
        // Every real answer is as long as the table says, where it says anything.
        let length = obd::data_bytes(payload[1]).unwrap_or(payload.len() - 2);
        assert_eq!(length, payload.len() - 2, "{text}");
        let Some((_, path, scale)) = PIDS.into_iter().find(|(pid, ..)| *pid == payload[1]) else {
            assert_eq!(decoded, [], "{text}: read, but not in the catalogue");
            continue;
        };
        let values = values_of(&decoded, path, |_| true);
        let number = expected.as_f64().expect("a number") * scale;
        assert!(values.len() == 1 && agrees(values[0], number), "{text}");
        let raw = vector["cantools_css_dbc"]
            .as_object()
            .expect("signals")
            .values()
            .filter_map(|value| value.as_f64());
        // The DBC file rounds its factor of percent.
        assert!(raw.into_iter().any(|raw| (raw * scale - number).abs() < 1e-3), "{text}: the other tool");
        compared += 1;
    }
    assert_eq!((compared, vectors.len()), (11, 100));
}

#[test]
fn vins_are_heard_whichever_service_carries_them() {
    let Some(captures) = Captures::find() else { return };
    for (log, key, responder) in [
        ("css_octavia_obd_gnss.log.json", "7E8 4902", 0x7E8),
        ("css_tacho_uds_session.log.json", "18DAFBEE 62F190", 0x18DA_FBEE),
    ] {
        let log = captures.log(log);
        let expected = log.expected["diag_payloads"][key]["vin"].as_str().expect("a VIN");
        let source = if responder == 0x7E8 {
            Source::Obd { service: 9, pid: 2, responder }
        } else {
            Source::Uds { service: 0x22, did: 0xF190, responder }
        };
        let vins: Vec<(String, Source)> = log.decode().iter().filter_map(vin).collect();
        assert!(vins == [(expected.to_owned(), source)], "{}", log.name);
    }
}

fn vin(event: &Decoded) -> Option<(String, Source)> {
    match event {
        Decoded::Vin { vin, source, .. } => Some((vin.expose().to_owned(), *source)),
        _ => None,
    }
}

#[test]
fn a_car_that_speaks_a_language_of_its_own_is_not_guessed_at() {
    let Some(captures) = Captures::find() else { return };
    let decoded = captures.log("mustang_s550_drive.log.json").decode();
    assert_eq!(decoded, []);
}
