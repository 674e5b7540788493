//! A refusal with its place, in the mapping and in the payload: for the one who writes the mapping.

use super::path::{Path, Row};
use crate::{
    MessageKey,
    tool_result::{Refused, ResultCode},
};
use std::fmt;

/// What was looked at when a payload was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The payload as a whole: its length, its form.
    Payload,
    /// A text that is to be a document itself.
    Embedded,
    /// Where its messages stand.
    Messages,
    /// Which message it is.
    Id,
    /// What it has to be.
    Require,
    /// Of which vehicle.
    Vehicle,
    /// A reading.
    Reading,
}

/// Why a payload was refused, and where. `Debug` does not show the row, which may hold names of the payload.
#[derive(Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What the sender would be answered.
    pub refused: Refused,
    /// What was looked at.
    pub step: Step,
    /// The line of the mapping that asks for it, from 1; none where no line does.
    pub line: Option<usize>,
    /// Where in the payload, as a path; none where that is all of it.
    pub row: Option<String>,
    /// The path of the catalogue that was to be read.
    pub signal: Option<Box<str>>,
}

impl fmt::Debug for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trouble({}, {:?}, line {:?})", self.refused.code.as_str(), self.step, self.line)
    }
}

impl Trouble {
    pub(super) fn new(code: ResultCode, step: Step) -> Self {
        Self { refused: Refused { id: None, code }, step, line: None, row: None, signal: None }
    }

    /// Of the message with this id.
    pub(super) fn of(self, id: Option<&MessageKey>) -> Self {
        Self { refused: Refused { id: id.cloned(), ..self.refused }, ..self }
    }

    pub(super) fn in_line(self, line: usize) -> Self {
        Self { line: Some(line), ..self }
    }

    /// In a row that a path found, or in the whole.
    pub(super) fn in_row(self, path: Option<&Path>, row: &Row<'_>) -> Self {
        let shown = path.map(|path| path.shown(row)).filter(|shown| !shown.is_empty());
        Self { row: shown.or(self.row), ..self }
    }

    /// Within a message that stands in a larger whole.
    pub(super) fn within(self, outer: Option<String>) -> Self {
        let row = match (outer, self.row) {
            (Some(outer), Some(row)) => Some(format!("{outer} at {row}")),
            (outer, row) => outer.or(row),
        };
        Self { row, ..self }
    }
}
