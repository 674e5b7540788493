//! Invariant 14 on any bus: what is sent only asks for data, and nothing is sent beside another tester.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vernport_decode::{
    dids::Dids,
    poll::{Asker, Config, Wanted},
    uds,
};
use vernport_fuzz::{CATALOGUE, Step, Steps};
use vernport_types::{CanFrame, CanId};

/// How long another tester keeps us silent, in microseconds.
const QUIET_MICROS: u64 = 60_000_000;
/// Within which time a frame like ours may be ours.
const ECHO_MICROS: u64 = 200_000;

fn only_asks(frame: &CanFrame) -> bool {
    match frame.data() {
        // ISO-TP: flow control, or a request for data.
        [0x30, 0, 0, ..] => true,
        [1..=7, service, ..] if matches!(frame.id(), CanId::Standard(_)) => {
            matches!(service, 1..=3 | 7 | 9 | 0x0A | 0x19 | 0x22)
        }
        data => match frame.id() {
            CanId::Extended(raw) if raw >> 16 & 0xFFF == 0x8DA || raw >> 16 & 0xFFF == 0x8DB => {
                matches!(data, [1..=7, 1..=3 | 7 | 9 | 0x0A | 0x19 | 0x22, ..])
            }
            // J1939: a request for a group, or the flow control of an answer.
            CanId::Extended(raw) => raw & 0xFF == 0xF9 && matches!(raw >> 16 & 0x3FF, 0xEA | 0xEC),
            CanId::Standard(_) => false,
        },
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut asker = Asker::new(&CATALOGUE, &Dids::default(), Config::default());
    let mut tester_at: Option<u64> = None;
    let mut sent: Vec<(u64, CanFrame)> = Vec::new();
    for step in Steps::new(bytes) {
        let now = match step {
            Step::Frame(frame, at) => {
                // A frame of ours may come back as an echo; any other request is of another tester.
                let ours = sent.iter().any(|(when, ours)| *ours == frame && at.boot.0 - when <= ECHO_MICROS);
                if uds::request_heard(&frame).is_some() && !ours {
                    tester_at = Some(at.boot.0);
                }
                asker.heard(&frame, at.boot);
                at.boot
            }
            Step::Silence(at) => at.boot,
            Step::Other(what, at) => {
                match what % 4 {
                    0 => asker.visit_ended(),
                    1 => asker.want(&Wanted { signals: Vec::new(), identify: true }),
                    _ => {
                        let signals =
                            CATALOGUE.iter().map(|(id, _)| (id, u64::from(what) * 10_000)).collect();
                        asker.want(&Wanted { signals, identify: what % 2 == 0 });
                    }
                }
                at.boot
            }
        };
        // One request at a time, so two in a row are a flow control and a request at most.
        for _ in 0..8 {
            let Some(frame) = asker.due(now) else { break };
            assert!(only_asks(&frame), "{frame:?}");
            assert!(
                tester_at.is_none_or(|at| now.0 - at >= QUIET_MICROS),
                "beside another tester: {frame:?}"
            );
            sent.push((now.0, frame));
        }
    }
});
