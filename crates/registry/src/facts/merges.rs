//! Ids that turned out to be one thing.
//!
//! Entries stay filed under the id they name; a question about any id of a
//! group looks at all of them. A voided merge is no merge.

use super::history::Voids;
use crate::Merge;
use std::{collections::HashMap, hash::Hash};
use vernport_types::EntryHash;

/// Merges of one kind of id, seen from both ends.
#[derive(Debug, Clone)]
pub(crate) struct Merges<Id> {
    into: HashMap<Id, Vec<(Id, EntryHash)>>,
    from: HashMap<Id, Vec<(Id, EntryHash)>>,
}

impl<Id> Default for Merges<Id> {
    fn default() -> Self {
        Self { into: HashMap::new(), from: HashMap::new() }
    }
}

impl<Id: Copy + Ord + Hash> Merges<Id> {
    pub(crate) fn merge(&mut self, merge: &Merge<Id>, entry: EntryHash) {
        self.into.entry(merge.from).or_default().push((merge.into, entry));
        self.from.entry(merge.into).or_default().push((merge.from, entry));
    }

    /// All ids of the thing, the asked one first.
    pub(crate) fn members(&self, id: Id, voids: &Voids) -> Vec<Id> {
        self.reached(id, |entry| voids.at(entry).is_none())
    }

    /// All ids that the thing has or was ever said to have: what was opened before a merge was
    /// voided still names the other.
    pub(crate) fn ever(&self, id: Id) -> Vec<Id> {
        self.reached(id, |_| true)
    }

    fn reached(&self, id: Id, counts: impl Fn(&EntryHash) -> bool) -> Vec<Id> {
        let mut members = vec![id];
        let mut next = 0;
        while next < members.len() {
            let here = members[next];
            next += 1;
            let (up, down) = (self.into.get(&here), self.from.get(&here));
            for (other, entry) in up.into_iter().chain(down).flatten() {
                if counts(entry) && !members.contains(other) {
                    members.push(*other);
                }
            }
        }
        members
    }

    /// The id that stands for the thing: the one that was not merged into
    /// another. Of several (which no admitted ledger has) the smallest.
    pub(crate) fn canonical(&self, id: Id, voids: &Voids) -> Id {
        let members = self.members(id, voids);
        let kept = members.iter().filter(|id| !self.is_merged(**id, voids)).min();
        *kept.or(members.iter().min()).unwrap_or(&id)
    }

    /// Whether an id was given up.
    pub(crate) fn is_merged(&self, id: Id, voids: &Voids) -> bool {
        self.into.get(&id).into_iter().flatten().any(|(_, entry)| voids.at(entry).is_none())
    }
}
