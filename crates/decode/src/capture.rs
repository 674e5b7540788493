//! Captures of other tools: bytes of a file in, timed frames with their channel out.
//!
//! ```text
//! bytes ─► head ─► which format? ─► lines, or objects of Vector BLF ─► frames
//! ```
//!
//! Promises:
//! - The format is told by what the file holds, never by its name.
//! - A line or an object that cannot be read is counted and passed over, with
//!   its number. Headers, comments and events of the recorder are no frames
//!   and are passed over without a word.
//! - A file of any size is read in a bounded room: 64 KiB to tell the format,
//!   4 KiB a line, 16 MiB a block of BLF. No claimed length is allocated.
//! - Nothing that a file holds is repeated in an error.
//!
//! Times are those of the file. Where its header has a date they count from
//! 1970, else from the beginning of the recording. No format says its time zone;
//! all are taken as UTC. A format without any time gets one: frame *n* was
//! heard *n* milliseconds after the first.

mod asc;
mod blf;
mod busmaster;
pub mod candump;
mod civil;
mod crtd;
mod csv;
mod detect;
mod fields;
mod gvret;
mod lines;
mod microchip;
mod millis;
mod reader;
mod rp1210;
mod screen;
mod trc;

pub use detect::UnknownFormat;
pub use reader::{Counts, Reader};

use std::fmt;
use thiserror::Error;
use vernport_types::{CanFrame, UtcMicros};

/// Between two frames of a format without times.
const PSEUDO_STEP_MICROS: i64 = 1_000;

/// The formats that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// `candump -l` and `-L` of can-utils.
    CandumpLog,
    /// What `candump` shows on a screen.
    CandumpScreen,
    /// Vector ASC, as CANalyzer, CANoe, `log2asc` and python-can write it.
    VectorAsc,
    /// Vector BLF.
    VectorBlf,
    /// PEAK TRC 1.0 to 2.1.
    PeakTrc,
    /// CSV of SavvyCAN and of GVRET firmware.
    GvretCsv,
    /// CRTD of OVMS.
    Crtd,
    /// "Generic CSV" of SavvyCAN: ids and data, no times.
    GenericCsv,
    /// CSV of python-can, with data in base64.
    PythonCanCsv,
    /// Log of BUSMASTER.
    Busmaster,
    /// Log of the Microchip CAN Bus Analyzer.
    Microchip,
    /// Lines of an RP1210 adapter in a log of a Java program.
    Rp1210,
    /// Milliseconds, id and bytes: `820298   0x085: 7C 33`.
    MillisText,
}

impl Format {
    /// All of them, in the order in which they are tried.
    pub const ALL: [Self; 13] = [
        Self::VectorBlf,
        Self::CandumpLog,
        Self::CandumpScreen,
        Self::VectorAsc,
        Self::PeakTrc,
        Self::GvretCsv,
        Self::Crtd,
        Self::GenericCsv,
        Self::PythonCanCsv,
        Self::Busmaster,
        Self::Microchip,
        Self::Rp1210,
        Self::MillisText,
    ];

    /// What people call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CandumpLog => "candump log",
            Self::CandumpScreen => "candump screen",
            Self::VectorAsc => "Vector ASC",
            Self::VectorBlf => "Vector BLF",
            Self::PeakTrc => "PEAK TRC",
            Self::GvretCsv => "GVRET CSV",
            Self::Crtd => "CRTD",
            Self::GenericCsv => "SavvyCAN generic CSV",
            Self::PythonCanCsv => "python-can CSV",
            Self::Busmaster => "BUSMASTER log",
            Self::Microchip => "Microchip CAN Bus Analyzer log",
            Self::Rp1210 => "RP1210 adapter lines",
            Self::MillisText => "milliseconds, id and bytes",
        }
    }

    /// What its parts are called: lines, or objects.
    pub const fn part(self) -> &'static str {
        match self {
            Self::VectorBlf => "object",
            _ => "line",
        }
    }

    /// Reads `bytes` as this format, whatever they are: the one entry to each
    /// parser, also for a fuzzer.
    pub fn read(self, bytes: &[u8], sink: &mut impl FnMut(Event<'_>)) -> Counts {
        let mut reader = Reader::of(self);
        // A reader that knows its format cannot fail to find it.
        let _ = reader.push(bytes, sink);
        reader.finish(sink).map_or_else(|_| Counts::default(), |(_, counts)| counts)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One frame of a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// When the frame was recorded.
    pub time: UtcMicros,
    /// The interface or number of the bus; empty where the format tells none.
    pub channel: &'a str,
    /// The frame.
    pub frame: CanFrame,
}

/// Why a line cannot be read. Never repeats the line.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("column {column}: {problem}; {remedy}")]
pub struct LineError {
    /// Where, in bytes from 1.
    pub column: usize,
    /// What is wrong.
    pub problem: &'static str,
    /// How to mend it.
    pub remedy: &'static str,
}

/// Why a part of a file was passed over.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SkipReason {
    /// A line that is none of its format.
    #[error(transparent)]
    Line(#[from] LineError),
    /// A line longer than any of its format.
    #[error("longer than {} bytes; no line of a capture is", lines::LINE_MAX_BYTES)]
    TooLong,
    /// An object of a BLF file.
    #[error("{0}; the file is damaged there: export it again")]
    Object(&'static str),
}

/// What a [`Reader`] finds.
#[derive(Debug)]
pub enum Event<'a> {
    /// A frame.
    Frame(Line<'a>),
    /// A part that should have been a frame and could not be read.
    Skipped {
        /// Number of the line, or of the object, from 1.
        number: u64,
        /// Why.
        reason: SkipReason,
    },
}

/// Reads the lines of one format.
trait LineFormat: Send {
    /// The frame of a line; none if it is a header, a comment or an event.
    fn line<'a>(&mut self, line: &'a str) -> Result<Option<Line<'a>>, LineError>;

    /// Whether a header was seen that only this format has.
    fn has_header(&self) -> bool {
        false
    }
}

/// Times for frames that have none.
#[derive(Debug, Default)]
struct PseudoTime(i64);

impl PseudoTime {
    fn next(&mut self) -> UtcMicros {
        let now = self.0;
        self.0 = now.saturating_add(PSEUDO_STEP_MICROS);
        UtcMicros(now)
    }
}

#[cfg(test)]
mod tests;
