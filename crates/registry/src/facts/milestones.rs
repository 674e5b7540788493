//! Milestones and accounts: what periods of storage run from.

use super::{
    Facts,
    history::{Book, Filed},
};
use crate::{Milestone, MilestoneReached, Role, Whom};
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

    /// The entry that makes a person a customer now: the last by which they own
    /// an asset, order for it or opened their account. A relationship that ended
    /// at or after that moment, with the person or as far as the asset goes, is
    /// over; getting in touch alone does not take it up again.
    pub fn customer(&self, subject: SubjectId, now: UtcMicros) -> Option<EntryHash> {
        let ended = |whom| self.milestone(whom, Milestone::RelationshipEnded, now).map(|(_, at)| at);
        let with_person = ended(Whom::Subject(subject));
        let account = self.account(subject, now).map(|entry| (entry, None));
        let person = self.canonical_subject(subject);
        let linked = self.assets_of(subject).into_iter().flat_map(|asset| {
            let roles = [Role::Owner, Role::Orderer].into_iter();
            let people = roles.flat_map(move |role| self.subjects(asset, role, now));
            let own = people.filter(move |linked| linked.subject == person);
            own.map(move |linked| (linked.entry, ended(Whom::Asset(asset))))
        });
        linked
            .chain(account)
            .filter_map(|(entry, with_asset)| {
                let since = self.occurred_at(&entry)?;
                let ended = with_person.max(with_asset);
                ended.is_none_or(|ended| ended < since).then_some((since, entry))
            })
            .max()
            .map(|(_, entry)| entry)
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
