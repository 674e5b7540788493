//! What came of a simulation: frames by kind, and what a decoder understood.

use super::Simulation;
use crate::show;
use std::collections::BTreeMap;
use vernport_decode::Decoded;
use vernport_types::{CanFrame, CanId, Catalogue, FrameKind};

/// The most rows that are kept of what a decoder understood: signal and source.
const MAX_ROWS: usize = 500;

const QUESTION: &str = "diagnostic question";

/// Frames by kind.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Sent and heard.
    kinds: BTreeMap<&'static str, (u64, u64)>,
}

impl Tally {
    pub(super) fn send(&mut self, frame: &CanFrame) {
        self.kinds.entry(kind(frame)).or_default().0 += 1;
    }

    pub(super) fn hear(&mut self, frame: &CanFrame) {
        self.kinds.entry(kind(frame)).or_default().1 += 1;
    }

    pub(super) fn of(&self, kind: &str) -> (u64, u64) {
        self.kinds.get(kind).copied().unwrap_or_default()
    }
}

/// What a frame is, in words.
fn kind(frame: &CanFrame) -> &'static str {
    match frame.kind() {
        FrameKind::Remote => return "remote request",
        FrameKind::Error => return "error frame",
        FrameKind::Data | FrameKind::FdData => {}
    }
    let flow_control = frame.data().first().is_some_and(|control| control >> 4 == 3);
    match frame.id() {
        CanId::Standard(0x7DF..=0x7EF) if flow_control => "ISO-TP flow control",
        CanId::Standard(0x7DF..=0x7E7) => QUESTION,
        CanId::Standard(0x7E8..=0x7EF) => "diagnostic answer",
        CanId::Standard(_) => "raw, 11 bits",
        CanId::Extended(id) => match (id >> 16 & 0x3FF, id >> 8 & 0xFF) {
            (0xDA | 0xDB, _) if flow_control => "ISO-TP flow control",
            (0xDA, 0xF1) => "diagnostic answer",
            (0xDA | 0xDB, _) => QUESTION,
            (0xEB | 0xEC, _) => "J1939 transport",
            (0xEA, _) => "J1939 request",
            _ => "J1939 message",
        },
    }
}

/// What a decoder understood.
pub(super) struct Heard {
    catalogue: Catalogue,
    /// By signal and source: how often, and what last.
    rows: BTreeMap<(String, String), (u64, String)>,
    rejected: BTreeMap<String, u64>,
}

impl Heard {
    pub(super) const fn new(catalogue: Catalogue) -> Self {
        Self { catalogue, rows: BTreeMap::new(), rejected: BTreeMap::new() }
    }

    pub(super) fn take(&mut self, decoded: Decoded) {
        let (path, source, value) = match decoded {
            Decoded::Signal { signal, value, source, .. } => {
                let signal = self.catalogue.signal(signal);
                (signal.path.to_string(), source, show::value(value, &signal.unit))
            }
            // It comes as a signal as well.
            Decoded::Vin { .. } => return,
            Decoded::Rejected { code } => {
                *self.rejected.entry(code.to_string()).or_default() += 1;
                return;
            }
        };
        let key = (path, source.to_string());
        if self.rows.len() < MAX_ROWS || self.rows.contains_key(&key) {
            let row = self.rows.entry(key).or_default();
            *row = (row.0 + 1, value);
        }
    }
}

/// The report of a simulation.
pub(super) fn text(simulation: &Simulation) -> String {
    let kinds = &simulation.tally.kinds;
    let mut text = String::new();
    if kinds.is_empty() {
        text += "no frame was sent or heard\n";
    } else {
        let rows = kinds
            .iter()
            .map(|(kind, (sent, heard))| [(*kind).to_owned(), sent.to_string(), heard.to_string()]);
        text += &show::table(&["frames", "sent", "heard"], rows);
    }
    if simulation.sent.lost > 0 {
        text += &format!("{} frames were lost, as the fault has it\n", simulation.sent.lost);
    }
    if simulation.sent.crowded_out > 0 {
        text += &format!("{} frames found the bus full\n", simulation.sent.crowded_out);
    }
    if simulation.asleep {
        text += "the bus sleeps\n";
    }
    let nobody_asked = simulation.tally.of(QUESTION) == (0, 0);
    text + &simulation.heard.as_ref().map(|heard| understood(heard, nobody_asked)).unwrap_or_default()
}

fn understood(heard: &Heard, nobody_asked: bool) -> String {
    let mut text = "\nwhat a decoder on the same bus understood:\n".to_owned();
    if heard.rows.is_empty() {
        text += "  nothing at all\n";
        if nobody_asked {
            text += "  it only listens; let another tester ask: --fault tester\n";
        }
    } else {
        let rows = heard.rows.iter().map(|((path, source), (count, last))| {
            [path.clone(), source.clone(), count.to_string(), last.clone()]
        });
        text += &show::table(&["signal", "source", "times", "last"], rows);
    }
    for (code, count) in &heard.rejected {
        text += &format!("{count} times not taken: {code}\n");
    }
    text
}
