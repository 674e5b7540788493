//! Milestones and accounts: what periods of storage run from.

use super::{
    Facts,
    history::{Book, Filed},
};
use crate::{Milestone, MilestoneReached, Whom};
use vernport_types::{EntryHash, SubjectId, UtcMicros};

/// Milestones by whom or what reached them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Milestones(Book<Whom, Milestone>);

impl Milestones {
    pub(crate) fn reach(&mut self, reached: &MilestoneReached, filed: &Filed) {
        self.0.file(reached.whom, filed.item(reached.milestone));
    }
}

impl Facts {
    /// The last time that a person or an asset reached a milestone, and the entry that says so.
    pub fn milestone(
        &self,
        whom: Whom,
        milestone: Milestone,
        now: UtcMicros,
    ) -> Option<(EntryHash, UtcMicros)> {
        self.milestones
            .0
            .of_all(self.members(whom))
            .filter(|item| item.says == milestone && self.voids.counts(item, now))
            .max_by_key(|item| item.place())
            .map(|item| (item.entry, item.occurred))
    }

    /// The entry by which a person opened the account that is open now. An
    /// account that was opened and closed at one moment is closed.
    pub fn account(&self, subject: SubjectId, now: UtcMicros) -> Option<EntryHash> {
        let whom = Whom::Subject(subject);
        let (entry, opened) = self.milestone(whom, Milestone::AccountOpened, now)?;
        let closed = self.milestone(whom, Milestone::AccountClosed, now);
        closed.is_none_or(|(_, closed)| closed < opened).then_some(entry)
    }
}
