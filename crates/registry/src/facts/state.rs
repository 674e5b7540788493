//! What an entry is worth as such: for whoever wrote it and asks again.

use super::Facts;
use serde::{Deserialize, Serialize};
use vernport_types::{EntryHash, Slug, UtcMicros};

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntryState {
    /// It counts, also where what it says has ended by its time.
    InForce,
    /// It was a mistake.
    Voided,
    /// A consent that was renewed: the renewal counts.
    Superseded,
}

impl Facts {
    /// What became of an entry by now; none if this ledger does not hold it.
    pub fn entry_state(&self, entry: &EntryHash, now: UtcMicros) -> Option<EntryState> {
        self.log.get(entry)?;
        let renewed = self.renewals.of(entry).any(|item| self.voids.counts(item, now));
        Some(match self.voids.at(entry) {
            Some(_) => EntryState::Voided,
            None if renewed => EntryState::Superseded,
            None => EntryState::InForce,
        })
    }

    /// Which system brought an entry.
    pub fn source_of(&self, entry: &EntryHash) -> Option<&Slug> {
        self.log.get(entry).map(|logged| &logged.source)
    }
}
