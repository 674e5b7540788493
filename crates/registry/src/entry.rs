//! One entry of the ledger: an event, who says so, and when.

use crate::{Event, Text, canonical::canonical, quiet::quiet};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;
use vernport_crypto::sha256;
use vernport_types::{ControllerId, EntryHash, Slug, UtcMicros};

/// The format that this version reads and writes.
pub const ENTRY_FORMAT: u16 = 1;

/// In what capacity somebody speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActorRole {
    /// The person concerned.
    Subject,
    /// Staff of the controller.
    Staff,
    /// A program of the controller.
    System,
    /// A station's gateway.
    Gateway,
}

/// Who says so: a pseudonym, never a name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Actor {
    /// In what capacity.
    pub role: ActorRole,
    /// Who: a staff pseudonym, a program, a gateway, a subject id.
    pub id: Slug,
}

/// Why a text is not an entry. Repeats no value of it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not a ledger entry: {0}")]
pub struct EntryError(String);

/// One entry. Append-only: it is never changed, only voided by another one.
///
/// Written form (frozen, decision note 0005): JSON; its hash is that of its
/// canonical form (RFC 8785). Times are whole microseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// [`ENTRY_FORMAT`].
    pub format: u16,
    /// In whose ledger.
    pub controller: ControllerId,
    /// What happened.
    pub event: Event,
    /// Who says so.
    pub actor: Actor,
    /// When it happened.
    pub occurred_at: UtcMicros,
    /// When it was written into the ledger.
    pub recorded_at: UtcMicros,
    /// Which system brought it.
    pub source: Slug,
    /// The reference of that system, unique within it: the same one twice is the same entry.
    pub external_ref: Text,
}

impl Entry {
    /// Reads an entry out of JSON. Unknown members are refused, unknown kinds of
    /// events are not ([`crate::Unknown`]).
    ///
    /// # Errors
    /// [`EntryError`] names the member, the line and the column.
    pub fn from_json(text: &str) -> Result<Self, EntryError> {
        serde_json::from_str(text).map_err(|e| EntryError(quiet(&e.to_string())))
    }

    /// The canonical text: what is stored, and what the hash is taken of.
    pub fn canonical(&self) -> String {
        canonical(&self.to_json())
    }

    /// SHA-256 of the canonical text: the entry's name.
    pub fn hash(&self) -> EntryHash {
        EntryHash::from_bytes(sha256(self.canonical().as_bytes()))
    }

    /// The entry's name, and SHA-256 of the canonical text without `recorded_at`:
    /// equal for a request and its repetition.
    pub(crate) fn name_and_statement(&self) -> (EntryHash, [u8; 32]) {
        let mut json = self.to_json();
        let name = EntryHash::from_bytes(sha256(canonical(&json).as_bytes()));
        if let Some(members) = json.as_object_mut() {
            members.remove("recorded_at");
        }
        (name, sha256(canonical(&json).as_bytes()))
    }

    pub(crate) fn to_json(&self) -> Value {
        serde_json::to_value(self).expect("an entry has text keys and whole numbers only")
    }
}
