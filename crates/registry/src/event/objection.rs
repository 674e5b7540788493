//! Objections (GDPR Art. 21): raised, weighed, upheld.

use super::Method;
use crate::Text;
use serde::{Deserialize, Serialize};
use vernport_types::{EntryHash, Slug, SubjectId};

/// What an objection is against. Marketing and profiling are two flags of
/// their own (clauses.md 1.4, CARS-4.15); neither implies the other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Against {
    /// Direct marketing: absolute, upheld the moment it is raised (CARS-9.2).
    Marketing,
    /// Profiling: absolute, too (CARS-4.15).
    Profiling,
    /// One purpose of the bundle.
    Purpose(Slug),
}

impl Against {
    /// Whether nothing outweighs it: it is upheld the moment it is raised.
    pub const fn is_absolute(&self) -> bool {
        matches!(self, Self::Marketing | Self::Profiling)
    }
}

/// `objection-raised`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Objection {
    /// Who.
    pub subject: SubjectId,
    /// Against what.
    pub against: Against,
    /// How it was said.
    pub method: Method,
    /// Who wrote it down; none if the person did so without staff.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded_by: Option<Slug>,
}

/// `objection-weighed`, `objection-upheld`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectionOutcome {
    /// The entry that raised it.
    pub objection: EntryHash,
    /// Where the reasons are written.
    pub reasons: Text,
    /// Who decided: a staff pseudonym.
    pub decided_by: Slug,
}
