//! Recipients that get nothing for a while.

use super::{
    Facts,
    history::{Book, Filed},
};
use crate::{PauseGround, RecipientPaused, RecipientResumed};
use vernport_types::{EntryHash, Slug, UtcMicros};

/// Pauses by recipient and purpose, and their ends by pause.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pauses {
    paused: Book<(Slug, Slug), PauseGround>,
    resumed: Book<EntryHash, ()>,
}

impl Pauses {
    pub(crate) fn pause(&mut self, paused: &RecipientPaused, filed: &Filed) {
        let RecipientPaused { recipient, purpose, ground } = paused.clone();
        self.paused.file((recipient, purpose), filed.item(ground));
    }

    pub(crate) fn resume(&mut self, resumed: &RecipientResumed, filed: &Filed) {
        self.resumed.file(resumed.pause, filed.item(()));
    }
}

impl Facts {
    /// The entry that keeps a recipient from getting anything for a purpose now: the first of them.
    pub fn paused(&self, recipient: &Slug, purpose: &Slug, now: UtcMicros) -> Option<EntryHash> {
        self.pauses(recipient, purpose, now).first().map(|(entry, _)| *entry)
    }

    /// All entries that do, each with its ground, in the order of time: each has to be lifted.
    pub fn pauses(&self, recipient: &Slug, purpose: &Slug, now: UtcMicros) -> Vec<(EntryHash, PauseGround)> {
        let key = (recipient.clone(), purpose.clone());
        let counting = self.pauses.paused.of(&key).filter(|item| self.voids.counts(item, now));
        let mut open: Vec<_> = counting.filter(|item| !self.is_resumed(&item.entry, now)).collect();
        open.sort_by_key(|item| item.place());
        open.into_iter().map(|item| (item.entry, item.says)).collect()
    }

    /// An end holds however the times of the two compare.
    fn is_resumed(&self, pause: &EntryHash, now: UtcMicros) -> bool {
        self.pauses.resumed.of(pause).any(|item| self.voids.counts(item, now))
    }
}
