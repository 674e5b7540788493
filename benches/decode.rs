//! Budget: a CAN frame to its wanted signals (figures and method in `README.md`). Built in protocols
//! here; `dbc.rs` has DBC files. One run is a whole recorded second or session, so that half-received
//! messages are part of it.

mod harness;

use harness::{Case, Run};
use std::hint::black_box;
use vernport_decode::{Config, Decoded, Decoder};
use vernport_types::{BootMicros, CanFrame, CanId, Catalogue, Stamp, TimeQuality, UtcMicros};

/// What a loaded 250 kbit/s truck bus says in a second: group, sender, how often. The first part is never
/// wanted (engine, transmission, brakes), as on the real ones; the second part is.
const TRUCK_SECOND: [(u32, u8, u32); 22] = [
    (61444, 0x00, 50),
    (61443, 0x00, 20),
    (61442, 0x03, 100),
    (61445, 0x03, 10),
    (61441, 0x0B, 10),
    (65215, 0x0B, 10),
    (65247, 0x00, 4),
    (65266, 0x00, 10),
    (65263, 0x00, 2),
    (65270, 0x00, 2),
    (65264, 0x21, 10),
    (65262, 0x00, 1),
    (65265, 0x00, 10),
    (65265, 0x0B, 10),
    (65248, 0x00, 10),
    (65217, 0x17, 1),
    (65217, 0x00, 1),
    (65271, 0x00, 1),
    (65276, 0x17, 1),
    (65253, 0x00, 1),
    (65226, 0x00, 1),
    (65226, 0x0B, 1),
];

/// A car that is asked for six values, its VIN and its trouble codes, with the tester's own frames.
const OBD_SESSION: [&str; 13] = [
    "7DF#06010D2F42A6051F",
    "7E8#1015410D322F8042",
    "7E0#300000CCCCCCCCCC",
    "7E8#212FEAA600A0415A",
    "7E8#2205501F012CCCCC",
    "7DF#020902CCCCCCCCCC",
    "7E8#1014490201544D42",
    "7E0#300000CCCCCCCCCC",
    "7E8#214A50374E58354E",
    "7E8#2259303834393233",
    "7DF#0103CCCCCCCCCCCC",
    "7E8#04430201010202CC",
    "7E9#024300CCCCCCCCCC",
];

const CASES: [Case; 3] = [
    Case { name: "j1939_truck_second", build: truck },
    Case { name: "j1939_truck_capture", build: captured_truck },
    Case { name: "obd_session", build: obd },
];

fn decoder() -> Decoder {
    let text = include_str!("../config/signals/vehicle.toml");
    let catalogue = Catalogue::from_toml([("vehicle.toml", text)]).expect("the shipped catalogue");
    Decoder::new(&catalogue, Config::default()).expect("it fits")
}

/// One run over frames that repeat: time goes on from run to run.
fn runs_over(frames: Vec<CanFrame>) -> Option<Run> {
    let (mut decoder, mut now) = (decoder(), 1_000_000);
    let count = frames.len() as u64;
    let step = 1_000_000 / count.max(1);
    let run = move || {
        let mut values = 0_u64;
        for frame in &frames {
            now += step;
            let at = Stamp { wall: UtcMicros(0), boot: BootMicros(now), quality: TimeQuality::Synced };
            decoder.push(black_box(frame), at, &mut |decoded| {
                values += u64::from(matches!(decoded, Decoded::Signal { .. }));
            });
        }
        assert!(values > 0, "something is read in every run");
    };
    Some((Box::new(run), count))
}

fn truck() -> Option<Run> {
    let mut frames: Vec<(u32, CanFrame)> = Vec::new();
    for (group, source, times) in TRUCK_SECOND {
        let id = CanId::extended(6 << 26 | group << 8 | u32::from(source)).expect("29 bits");
        // Plausible everywhere: distances and levels in range, no trouble code.
        let data = if group == 65226 {
            [0, 0xFF, 0, 0, 0, 0, 0xFF, 0xFF]
        } else {
            [0x40, 0x7D, 0x20, 0, 0x20, 0x01, 0x20, 0]
        };
        let frame = CanFrame::data_frame(id, &data).expect("8 bytes");
        frames.extend((0..times).map(|n| (n * 1_000_000 / times + u32::from(source), frame)));
    }
    frames.sort_by_key(|(at, _)| *at);
    runs_over(frames.into_iter().map(|(_, frame)| frame).collect())
}

fn captured_truck() -> Option<Run> {
    let folder = std::env::var_os("VERNPORT_CAPTURES")?;
    let path = std::path::Path::new(&folder).join("j1939/eti_truck_keyon_2021.log");
    let text = std::fs::read_to_string(path).expect("the captures have it");
    runs_over(text.lines().map(frame_of_line).collect())
}

fn obd() -> Option<Run> {
    runs_over(OBD_SESSION.iter().map(|text| frame_of_line(&format!("(0.0) can0 {text}"))).collect())
}

fn frame_of_line(line: &str) -> CanFrame {
    vernport_decode::candump::parse(line).expect("a candump line").frame
}

fn main() {
    harness::run("decode", &CASES, 1_000);
}
