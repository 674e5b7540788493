//! Agreements with processors: which one is in force.

use super::{
    Facts,
    history::{Book, Filed},
};
use crate::{ProcessorAgreed, ProcessorEnded};
use std::collections::BTreeSet;
use vernport_types::{ControllerId, EntryHash, Slug, UtcMicros};

/// Agreements by processor, and the ends by agreement.
#[derive(Debug, Clone, Default)]
pub(crate) struct Processors {
    agreed: Book<ControllerId, Agreed>,
    ended: Book<EntryHash, ()>,
}

/// The part of an agreement that decides.
#[derive(Debug, Clone)]
struct Agreed {
    name: Slug,
    scope: BTreeSet<Slug>,
    until: UtcMicros,
}

/// An agreement in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// The entry that says so.
    pub entry: EntryHash,
    /// What the controller calls the processor.
    pub name: Slug,
    /// Which kinds of entries it covers.
    pub scope: BTreeSet<Slug>,
    /// The first moment at which it is over.
    pub until: UtcMicros,
}

impl Processors {
    pub(crate) fn agree(&mut self, agreed: &ProcessorAgreed, filed: &Filed) {
        let ProcessorAgreed { processor, name, scope, until, .. } = agreed.clone();
        self.agreed.file(processor, filed.item(Agreed { name, scope, until }));
    }

    pub(crate) fn end(&mut self, ended: &ProcessorEnded, filed: &Filed) {
        self.ended.file(ended.agreement, filed.item(()));
    }
}

impl Facts {
    /// The agreement with a processor that is in force now: the latest one, unless it ended. An
    /// earlier one does not come back when a later one ends.
    pub fn agreement(&self, processor: &ControllerId, now: UtcMicros) -> Option<Agreement> {
        let counting = self.processors.agreed.of(processor).filter(|item| self.voids.counts(item, now));
        let latest = counting.max_by_key(|item| item.place())?;
        let is_over = now >= latest.says.until || self.is_agreement_ended(&latest.entry, now);
        let Agreed { name, scope, until } = &latest.says;
        (!is_over).then(|| Agreement {
            entry: latest.entry,
            name: name.clone(),
            scope: scope.clone(),
            until: *until,
        })
    }

    /// An end holds however the times of the two compare.
    fn is_agreement_ended(&self, agreement: &EntryHash, now: UtcMicros) -> bool {
        self.processors.ended.of(agreement).any(|item| self.voids.counts(item, now))
    }
}
