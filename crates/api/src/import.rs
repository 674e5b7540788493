//! Many entries at once, a line each (NDJSON), and what became of each line.

use crate::Code;
use serde::{Deserialize, Serialize};
use vernport_registry::Entry;
use vernport_types::{EntryHash, Identifier};

/// The media type of an import.
pub const NDJSON: &str = "application/x-ndjson";
/// The most lines of one import.
pub const MAX_IMPORT_LINES: u32 = 10_000;
/// The longest line, in bytes: the largest entry, written generously, with its identifiers.
pub const MAX_LINE_BYTES: usize = 64 * 1024;
/// The longest import, in bytes.
pub const MAX_IMPORT_BYTES: usize = 64 * 1024 * 1024;

/// One line of an import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportLine {
    /// The entry. It may refer to what earlier lines say.
    pub entry: Entry,
    /// The identifier behind the blind index of this entry, if it has one, as
    /// [`identifiers`](crate::LedgerRequest::identifiers).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identifiers: Vec<Identifier>,
}

/// The query of an import.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportQuery {
    /// Whether nothing is recorded and the answer says what would be.
    #[serde(default)]
    pub dry_run: bool,
    /// What to do at a line that is refused.
    #[serde(default)]
    pub on_error: OnError,
}

/// What to do at a line that is refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnError {
    /// Record nothing that stands behind it.
    #[default]
    Stop,
    /// Go on with the next line.
    Continue,
}

/// What became of an import.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportAnswer {
    /// Whether nothing was recorded whatever the lines say.
    pub dry_run: bool,
    /// How many lines were recorded.
    pub recorded: u32,
    /// How many were recorded before.
    pub already: u32,
    /// How many were refused.
    pub refused: u32,
    /// Why lines behind the last one in `lines` were not looked at; none if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<ImportStop>,
    /// One for each line that was looked at, in order.
    pub lines: Vec<ImportedLine>,
}

/// Where an import stopped. What stands before it in `lines` stays as it is said there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportStop {
    /// At which line, from 1.
    pub line: u32,
    /// Why.
    pub code: Code,
    /// The same in words, and how to mend it.
    pub detail: String,
}

/// What became of one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportedLine {
    /// Which line, from 1.
    pub line: u32,
    /// What became of it.
    pub outcome: LineOutcome,
    /// The entry; none where it was refused or would be recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<EntryHash>,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// The same in words, and how to mend it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What became of one line, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LineOutcome {
    /// It was recorded; in a dry run, it would be.
    Recorded,
    /// The same was recorded before: nothing changed.
    Already,
    /// It was not recorded.
    Refused,
}

impl ImportAnswer {
    /// Adds what became of the next line.
    pub fn push(&mut self, line: ImportedLine) {
        match line.outcome {
            LineOutcome::Recorded => self.recorded += 1,
            LineOutcome::Already => self.already += 1,
            LineOutcome::Refused => self.refused += 1,
        }
        self.lines.push(line);
    }
}
