//! Mappings: what a foreign sender publishes, read as a [`crate::ToolMessage`] by a
//! file of rules alone (`config/tools/*.toml`, written down in its README).
//!
//! A mapping is declarative: where the readings stand, what their names or
//! fields are in the catalogue, in which unit, when they were read, of which
//! vehicle, and which message it is. It is checked when it is loaded, against
//! the catalogue and the closed list of conversions.
//!
//! Promises: no payload panics; depth, work and readings are bounded; a message
//! is taken whole or refused with one code; what is passed over is counted and
//! never shown; no vehicle is guessed: a message of two vehicles is nobody's,
//! unless the file says where the messages of each stand.

mod build;
mod clock;
mod document;
mod dtc;
mod file;
mod identify;
mod input;
mod path;
mod read;
mod rules;
mod trouble;
mod value;

pub use trouble::{Step, Trouble};

use crate::{dialect::Said, tool_result::Refused};
use jiff::tz::TimeZone;
use std::fmt;
use thiserror::Error;
use vernport_crypto::IdentityKey;
use vernport_types::{Catalogue, UtcMicros};

/// Why a mapping cannot be used. Says file, place and remedy.
#[derive(Debug, Error)]
pub enum MappingError {
    /// Not TOML of the expected shape.
    #[error("{file}: not a mapping of a sender: {message}")]
    Syntax {
        /// Which file.
        file: String,
        /// Line, column and what is wrong.
        message: String,
    },
    /// A format that this version cannot read.
    #[error("{file}: format {format} is not known here; this version reads format 1")]
    Format {
        /// Which file.
        file: String,
        /// The number found.
        format: u32,
    },
    /// Something in it that cannot work.
    #[error("{file}, line {line}: {what}")]
    Rule {
        /// Which file.
        file: String,
        /// Which line, from 1.
        line: usize,
        /// What is wrong and how to mend it.
        what: String,
    },
}

/// What of a message became no reading, by why.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PassedOver {
    /// Rows whose name the mapping does not list, or that have none.
    pub unlisted: u32,
    /// Values that the sender says it does not have.
    pub unavailable: u32,
    /// Values that are none of the signal, where the mapping lets them be passed over.
    pub bad: u32,
    /// Latitudes without a longitude, or the other way round.
    pub halves: u32,
}

impl PassedOver {
    /// How many, by a word for why.
    pub const fn by_why(&self) -> [(&'static str, u32); 4] {
        let Self { unlisted, unavailable, bad, halves } = *self;
        [("unlisted", unlisted), ("unavailable", unavailable), ("bad", bad), ("half", halves)]
    }
}

/// How one kind of sender is read.
pub struct Mapping(rules::Rules);

impl fmt::Debug for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mapping({} groups)", self.0.groups.len())
    }
}

impl Mapping {
    /// The largest file that is read, in bytes.
    pub const MAX_FILE_BYTES: usize = build::MAX_FILE_BYTES;

    /// Reads and checks the text of a file against a catalogue.
    ///
    /// # Errors
    /// [`MappingError`], with file, line and what to mend.
    pub fn from_toml(file: &str, text: &str, catalogue: &Catalogue) -> Result<Self, MappingError> {
        build::build(file, text, catalogue).map(Self)
    }

    /// Reads a payload. `now` is the time of arrival and bounds how far ahead a sender's clock may be;
    /// `zone` is where its clock stands, if that is known; `key` makes ids of what has none of its own.
    ///
    /// # Errors
    /// [`Refused`] with the code for the sender.
    pub fn read(
        &self,
        payload: &[u8],
        now: UtcMicros,
        zone: Option<&TimeZone>,
        key: &IdentityKey,
    ) -> Result<Said, Refused> {
        self.read_closely(payload, now, zone, key).map_err(|trouble| trouble.refused)
    }

    /// The same for who writes a mapping: a refusal with its place in file and payload.
    ///
    /// # Errors
    /// [`Trouble`]. It may hold names of the payload: for the one whose payload it is, and for no log.
    pub fn read_closely(
        &self,
        payload: &[u8],
        now: UtcMicros,
        zone: Option<&TimeZone>,
        key: &IdentityKey,
    ) -> Result<Said, Trouble> {
        read::read(&self.0, payload, now, zone, key)
    }
}

#[cfg(test)]
mod tests;
