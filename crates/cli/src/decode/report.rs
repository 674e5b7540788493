//! What was found in a capture, as text and as JSON (`schema/decode-v1.json`).

use super::ids::Ids;
use crate::show;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use vernport_decode::{
    Decoded,
    capture::{Counts, Format, SkipReason},
    dbc::Plan,
};
use vernport_mqtt::FleetValue;
use vernport_types::{CanFrame, Catalogue, Fault, FaultState, FrameKind, SignalId, Source, Value};

/// JSON Schema (2020-12) of the object for one file.
pub const SCHEMA: &str = include_str!("../../schema/decode-v1.json");

/// Lines that could not be read and are told one by one.
const MAX_TOLD: usize = 5;

/// Counts while a file is read.
#[derive(Default)]
pub(super) struct Tally {
    ids: Ids,
    channels: usize,
    not_decoded: u64,
    vins: BTreeSet<String>,
    signals: HashMap<(SignalId, Source), Seen>,
    dtcs: BTreeMap<(Source, Code), TroubleCode>,
    /// Control units that were asked for trouble codes and had none.
    without_codes: BTreeSet<Source>,
    rejected: BTreeMap<&'static str, u64>,
    told: Vec<(u64, String)>,
}

/// What makes a trouble code the same as another of its source.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Code {
    J1939 { spn: u32, fmi: u8 },
    Obd(u16),
    Uds(u32),
}

/// The values of one signal from one source.
struct Seen {
    n: u64,
    first: Value,
    last: Value,
}

impl Tally {
    pub(super) fn frame(&mut self, frame: &CanFrame) {
        // An error frame has no identifier of its own.
        if frame.kind() != FrameKind::Error {
            self.ids.insert(frame.id());
        }
    }

    pub(super) fn channel(&mut self) {
        self.channels += 1;
    }

    pub(super) fn not_decoded(&mut self) {
        self.not_decoded += 1;
    }

    pub(super) fn skipped(&mut self, number: u64, reason: &SkipReason) {
        if self.told.len() < MAX_TOLD {
            self.told.push((number, reason.to_string()));
        }
    }

    pub(super) fn decoded(&mut self, decoded: &Decoded) {
        match *decoded {
            Decoded::Signal { value: Value::TroubleCode(code), source, .. } => {
                self.trouble_code(source, &code);
            }
            Decoded::Signal { value: Value::Nothing, source, .. } => {
                self.without_codes.insert(source);
            }
            Decoded::Signal { signal, value, source, .. } => {
                let seen =
                    self.signals.entry((signal, source)).or_insert(Seen { n: 0, first: value, last: value });
                seen.n += 1;
                seen.last = value;
            }
            Decoded::Vin { vin, .. } => {
                self.vins.insert(vin.expose().to_owned());
            }
            Decoded::Rejected { code } => *self.rejected.entry(code.as_str()).or_default() += 1,
        }
    }

    fn trouble_code(&mut self, source: Source, code: &vernport_types::TroubleCode) {
        let written = source.to_string();
        let (key, row) = match code.fault {
            Fault::J1939 { spn, fmi, occurrence } => {
                (Code::J1939 { spn, fmi }, TroubleCode::J1939 { source: written, spn, fmi, oc: occurrence })
            }
            Fault::Obd(number) => {
                let status = state(code.state).to_owned();
                (Code::Obd(number), TroubleCode::Coded { source: written, code: j2012(number), status })
            }
            Fault::Uds { code: number, status } => {
                let [_, high, middle, failure_type] = number.to_be_bytes();
                let text = format!("{}-{failure_type:02X}", j2012(u16::from_be_bytes([high, middle])));
                let status = format!("{status:02X}");
                (Code::Uds(number), TroubleCode::Coded { source: written, code: text, status })
            }
        };
        // The last word on a code is the one that holds.
        self.dtcs.insert((source, key), row);
    }

    pub(super) fn report(
        self,
        file: String,
        format: Format,
        counts: Counts,
        catalogue: &Catalogue,
        dbc: Option<&Plan>,
    ) -> Report {
        let row = |((signal, source), seen): ((SignalId, Source), Seen)| {
            let signal = catalogue.signal(signal);
            SignalRow {
                path: signal.path.to_string(),
                source: written(source, dbc),
                unit: signal.unit.to_string(),
                n: seen.n,
                first: FleetValue(seen.first),
                last: FleetValue(seen.last),
            }
        };
        let mut signals: Vec<SignalRow> = self.signals.into_iter().map(row).collect();
        signals.sort_by(|a, b| (&a.path, &a.source).cmp(&(&b.path, &b.source)));
        Report {
            file,
            format,
            skipped: counts.skipped,
            told: self.told,
            channels: self.channels,
            not_decoded: self.not_decoded,
            without_codes: self.without_codes.iter().map(Source::to_string).collect(),
            held: Held {
                file: None,
                frames: counts.frames,
                ids: self.ids.count(),
                vins: self.vins.into_iter().collect(),
                signals,
                dtcs: self.dtcs.into_values().collect(),
                rejected: self.rejected,
            },
        }
    }
}

/// What one file holds. It has no `Debug`: it holds values and VINs.
pub struct Report {
    file: String,
    format: Format,
    skipped: u64,
    told: Vec<(u64, String)>,
    channels: usize,
    not_decoded: u64,
    without_codes: Vec<String>,
    held: Held,
}

/// The object of the schema.
#[derive(Clone, Serialize)]
struct Held {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    frames: u64,
    ids: u64,
    vins: Vec<String>,
    signals: Vec<SignalRow>,
    dtcs: Vec<TroubleCode>,
    rejected: BTreeMap<&'static str, u64>,
}

#[derive(Clone, Serialize)]
struct SignalRow {
    path: String,
    source: String,
    unit: String,
    n: u64,
    first: FleetValue,
    last: FleetValue,
}

#[derive(Clone, Serialize)]
#[serde(untagged)]
enum TroubleCode {
    J1939 { source: String, spn: u32, fmi: u8, oc: Option<u8> },
    Coded { source: String, code: String, status: String },
}

impl Report {
    /// One line of JSON, as `schema/decode-v1.json` states; with the name of the file where there are several.
    pub fn json(&self, with_file: bool) -> String {
        let held = Held { file: with_file.then(|| self.file.clone()), ..self.held.clone() };
        serde_json::to_string(&held).unwrap_or_default()
    }

    /// Lines on what could not be read; none if all could.
    pub fn skips(&self) -> Vec<String> {
        let (file, part) = (&self.file, self.format.part());
        let mut lines: Vec<String> =
            self.told.iter().map(|(number, reason)| format!("{file}: {part} {number}: {reason}")).collect();
        if self.skipped > self.told.len() as u64 {
            lines.push(format!("{file}: {} {part}s skipped in all", self.skipped));
        }
        if self.not_decoded > 0 {
            let channels = self.channels;
            lines.push(format!(
                "{file}: {} frames beyond the first {channels} channels not decoded",
                self.not_decoded
            ));
        }
        lines
    }

    /// Tables for a person.
    pub fn text(&self) -> String {
        let held = &self.held;
        let mut text = format!(
            "{}: {}, {} frames, {} ids, {} channel{}\n",
            self.file,
            self.format,
            held.frames,
            held.ids,
            self.channels,
            if self.channels == 1 { "" } else { "s" },
        );
        if !held.vins.is_empty() {
            text += &format!("\nVIN: {}\n", held.vins.join(", "));
        }
        let rows: Vec<_> = held.signals.iter().map(SignalRow::cells).collect();
        text += "\n";
        if rows.is_empty() {
            text += "no signal of the catalogue\n";
        } else {
            text += &show::table(&["signal", "source", "unit", "n", "first", "last"], rows);
        }
        let rows: Vec<_> = held.dtcs.iter().map(TroubleCode::cells).collect();
        if !rows.is_empty() {
            text += "\n";
            text += &show::table(&["trouble code", "source", "status"], rows);
        }
        if !self.without_codes.is_empty() {
            text += &format!("\nasked for trouble codes, none: {}\n", self.without_codes.join(", "));
        }
        if !held.rejected.is_empty() {
            let rows = held.rejected.iter().map(|(code, n)| [(*code).to_owned(), n.to_string()]);
            text += "\n";
            text += &show::table(&["not taken as a value", "times"], rows);
        }
        let skips = self.skips();
        if !skips.is_empty() {
            text += &format!("\n{}\n", skips.join("\n"));
        }
        text
    }
}

impl SignalRow {
    fn cells(&self) -> [String; 6] {
        let value = |value: &FleetValue| show::value(value.0, "");
        [
            self.path.clone(),
            self.source.clone(),
            self.unit.clone(),
            self.n.to_string(),
            value(&self.first),
            value(&self.last),
        ]
    }
}

impl TroubleCode {
    fn cells(&self) -> [String; 3] {
        match self {
            Self::J1939 { source, spn, fmi, oc } => {
                let times = oc.map_or_else(|| "count unknown".to_owned(), |oc| format!("{oc} times"));
                [format!("SPN {spn} FMI {fmi}"), source.clone(), times]
            }
            Self::Coded { source, code, status } => [code.clone(), source.clone(), status.clone()],
        }
    }
}

/// A source as it is printed: that of a DBC file by its names there.
fn written(source: Source, dbc: Option<&Plan>) -> String {
    match source {
        Source::Dbc { signal } => match dbc.and_then(|plan| plan.name(signal)) {
            Some(name) => format!("dbc:{name}"),
            None => source.to_string(),
        },
        _ => source.to_string(),
    }
}

const fn state(state: FaultState) -> &'static str {
    match state {
        FaultState::Present => "present",
        FaultState::Stored => "stored",
        FaultState::Pending => "pending",
    }
}

/// `P0456` of its two bytes (SAE J2012).
fn j2012(code: u16) -> String {
    let letter = ['P', 'C', 'B', 'U'][usize::from(code >> 14)];
    format!("{letter}{:04X}", code & 0x3FFF)
}

#[cfg(test)]
mod tests;
