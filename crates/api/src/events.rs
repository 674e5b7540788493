//! The ledger as it grows: a caller's own system follows it with a cursor, or
//! asks what became of an entry by its own reference.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{fmt, str::FromStr};
use thiserror::Error;
use vernport_registry::{Entry, EntryState, Text};
use vernport_types::{EntryHash, Slug, UtcMicros};

/// The most events in one answer.
pub const MAX_EVENTS: u16 = 500;

/// How much of an entry's hash a cursor has.
const NAMED_BYTES: usize = 8;

/// A text is not a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a cursor: send `next` of an earlier answer as it was, or none to begin")]
pub struct CursorError;

/// A place in a ledger: `1.<era>.<position>.<first 16 hexadecimal digits of the entry there>`.
///
/// To callers it is a word that they send back. It names the entry so that a registry that was
/// rolled back is noticed, whether or not it knows of that itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The era of the registry.
    pub era: u32,
    /// The position of the last entry that was handed out.
    pub position: i64,
    named: [u8; NAMED_BYTES],
}

impl Cursor {
    /// The cursor at an entry.
    pub fn at(era: u32, position: i64, entry: &EntryHash) -> Self {
        let mut named = [0; NAMED_BYTES];
        named.copy_from_slice(&entry.as_bytes()[..NAMED_BYTES]);
        Self { era, position, named }
    }

    /// Whether it is at this entry.
    pub fn names(&self, entry: &EntryHash) -> bool {
        entry.as_bytes()[..NAMED_BYTES] == self.named
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1.{}.{}.{}", self.era, self.position, hex::encode(self.named))
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let mut parts = text.splitn(4, '.');
        let mut part = || parts.next().ok_or(CursorError);
        let (version, era, position, name) = (part()?, part()?, part()?, part()?);
        let mut named = [0; NAMED_BYTES];
        hex::decode_to_slice(name, &mut named).map_err(|_| CursorError)?;
        let era = era.parse().map_err(|_| CursorError)?;
        let position = position.parse().map_err(|_| CursorError)?;
        let cursor = Self { era, position, named };
        // One text for one cursor.
        if version == "1" && position >= 0 && cursor.to_string() == text {
            Ok(cursor)
        } else {
            Err(CursorError)
        }
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// What was recorded after a cursor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventsRequest {
    /// `next` of the last answer; none to begin with the first entry.
    pub after: Option<Cursor>,
    /// The most events wanted, 1 to [`MAX_EVENTS`].
    pub limit: u16,
    /// How long central may wait for the next entry if there is none yet, in milliseconds; cut to
    /// [`crate::MAX_WAIT_MS`].
    #[serde(default)]
    pub wait_ms: u32,
}

/// Entries in the order of recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventsAnswer {
    /// Oldest first; empty if nothing was recorded until the wait was over.
    pub events: Vec<LedgerEvent>,
    /// What to send as `after` next time; none while the ledger is empty.
    pub next: Option<Cursor>,
}

/// One entry, as far as the caller may see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerEvent {
    /// Its place in the order of recording. Positions rise; other things have places in between.
    pub position: i64,
    /// The kind of its event.
    pub kind: String,
    /// The entry itself; none for a processor whose agreement does not cover it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<EventEntry>,
}

/// An entry with its name. When it happened, when it was recorded, who said so and under which
/// reference stands in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventEntry {
    /// SHA-256 of its canonical text (RFC 8785).
    pub hash: EntryHash,
    /// What was recorded.
    pub statement: Entry,
}

/// What became of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FindEntryRequest {
    /// The `source` that it was recorded with; a processor asks for its own only.
    pub source: Slug,
    /// The `external_ref` that it was recorded with.
    pub external_ref: Text,
}

/// What is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FindEntryAnswer {
    /// None if this source recorded nothing under the reference.
    pub found: Option<FoundEntry>,
}

/// An entry that was found by its reference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FoundEntry {
    /// Its hash.
    pub entry: EntryHash,
    /// Its place in the order of recording.
    pub position: i64,
    /// The kind of its event.
    pub kind: String,
    /// When it was recorded.
    pub recorded_at: UtcMicros,
    /// What became of it.
    pub state: EntryState,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written_and_in_no_other_form() {
        let entry = EntryHash::from_bytes([0xE1; 32]);
        let cursor = Cursor::at(2, 41, &entry);
        assert_eq!(cursor.to_string(), "1.2.41.e1e1e1e1e1e1e1e1");
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        assert!(cursor.names(&entry) && !cursor.names(&EntryHash::from_bytes([0xE2; 32])));
        for bad in [
            "",
            "1.2.41",
            "2.2.41.e1e1e1e1e1e1e1e1",
            "1.2.041.e1e1e1e1e1e1e1e1",
            "1.+2.41.e1e1e1e1e1e1e1e1",
            "1.2.-1.e1e1e1e1e1e1e1e1",
            "1.2.41.E1e1e1e1e1e1e1e1",
            "1.2.41.e1e1e1e1e1e1e1e1.5",
            "1.2.41.e1",
        ] {
            assert_eq!(bad.parse::<Cursor>(), Err(CursorError), "{bad}");
        }
    }
}
