//! Exceptions: what may be used in spite of a restriction, and what is kept in
//! spite of an order to erase.

use super::{
    Facts,
    history::{Book, Filed, Item},
};
use crate::{ErasureExcepted, HoldScope, ReceiptCode, RestrictionExcepted, RestrictionException, Whom};
use std::collections::BTreeSet;
use vernport_types::{AssetId, EntryHash, EpochId, Slug, UtcMicros};

/// Exceptions by what they are from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Exceptions {
    restrictions: Book<EntryHash, Excepted>,
    erasures: Book<EntryHash, Kept>,
}

/// The part of an exception from a restriction that decides.
#[derive(Debug, Clone)]
struct Excepted {
    flows: BTreeSet<Slug>,
    /// The consent that it rests on; none: it rests on something else.
    consent: Option<Option<ReceiptCode>>,
    until: UtcMicros,
}

#[derive(Debug, Clone)]
struct Kept {
    scope: HoldScope,
    until: UtcMicros,
}

impl Exceptions {
    pub(crate) fn use_restricted(&mut self, excepted: &RestrictionExcepted, filed: &Filed) {
        let by_consent = excepted.exception == RestrictionException::Consent;
        let says = Excepted {
            flows: excepted.flows.clone(),
            consent: by_consent.then_some(excepted.receipt),
            until: excepted.until,
        };
        self.restrictions.file(excepted.restriction, filed.item(says));
    }

    pub(crate) fn keep_erased(&mut self, excepted: &ErasureExcepted, filed: &Filed) {
        let says = Kept { scope: excepted.scope.clone(), until: excepted.until };
        self.erasures.file(excepted.erasure, filed.item(says));
    }
}

impl Facts {
    /// The exception that lifts one restriction for an asset and a flow of a
    /// purpose now, and the first moment at which it no longer does: of several,
    /// the one that lasts longest. Other restrictions need exceptions of their own.
    ///
    /// An exception by consent counts as long as the consent is in force for
    /// the purpose, and only from a restriction of the person who gave it.
    pub fn restriction_excepted(
        &self,
        restriction: EntryHash,
        asset: AssetId,
        purpose: &Slug,
        flow: &Slug,
        now: UtcMicros,
    ) -> Option<(EntryHash, UtcMicros)> {
        let (whom, _) = self.rights.restricted(&restriction)?;
        let until = |item: &Item<Excepted>| match (item.says.consent, whom) {
            (None, _) => Some(item.says.until),
            (Some(Some(receipt)), Whom::Subject(subject)) => {
                let consent = self.receipt_in_force(&receipt, *subject, Some(purpose), Some(asset), now)?;
                Some(item.says.until.min(consent))
            }
            (Some(_), _) => None,
        };
        self.exceptions
            .restrictions
            .of(&restriction)
            .filter(|item| item.says.flows.contains(flow) && self.voids.counts(item, now))
            .filter_map(|item| Some((until(item)?, item.place())))
            .filter(|(until, _)| now < *until)
            .max()
            .map(|(until, (.., entry))| (entry, until))
    }

    /// The exception that keeps a key epoch of an asset and a flow in spite of
    /// an order to erase, and the first moment at which it no longer does: the
    /// one that lasts longest. What is kept so is used for nothing else.
    pub fn erasure_excepted(
        &self,
        erasure: EntryHash,
        asset: AssetId,
        flow: &Slug,
        epoch: EpochId,
        now: UtcMicros,
    ) -> Option<(EntryHash, UtcMicros)> {
        let members = self.assets.members(asset, &self.voids);
        self.exceptions
            .erasures
            .of(&erasure)
            .filter(|item| item.says.scope.covers(&members, flow, epoch))
            .filter(|item| self.voids.counts(item, now) && now < item.says.until)
            .max_by_key(|item| (item.says.until, item.place()))
            .map(|item| (item.entry, item.says.until))
    }
}
