//! What may be written into the ledger, given what stands there.

use super::{Facts, history::Voids, merges::Merges, touched::About};
use crate::{
    ENTRY_FORMAT, Entry, Event, Invalid, Merge, ReceiptCode, RestrictionExcepted, RestrictionException, Whom,
    WithdrawalScope,
};
use std::hash::Hash;
use thiserror::Error;
use vernport_types::{ControllerId, EntryHash, Slug};

/// Why an entry cannot be written. Never repeats what it says about anybody.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refused {
    /// It belongs into another ledger.
    #[error("the entry is of {found}, this is the ledger of {expected}")]
    OtherController {
        /// Whose ledger this is.
        expected: ControllerId,
        /// Whose entry it is.
        found: ControllerId,
    },
    /// A format that this version does not know.
    #[error("entry format {0} is not known here; this version reads format {ENTRY_FORMAT}")]
    Format(u16),
    /// Something is wrong with the entry itself.
    #[error("the entry cannot be written as it is")]
    Invalid(#[from] Invalid),
    /// The source used its reference before, for something else.
    #[error("{origin} used this external_ref before for another entry; choose a new one")]
    ReferenceTaken {
        /// The source of the entry.
        origin: Slug,
        /// The entry that has the reference.
        first: EntryHash,
    },
    /// It refers to an entry that is not there, was voided, or is of another kind.
    #[error("{kind} refers to entry {entry}, which is not {wanted} in force; look up its hash again")]
    NoSuchEntry {
        /// The kind of the entry.
        kind: Box<str>,
        /// What it refers to.
        entry: EntryHash,
        /// What it should refer to.
        wanted: &'static str,
    },
    /// It voids a voiding.
    #[error("a voiding cannot be voided; write the right entry anew")]
    VoidsVoid,
    /// Nobody got that receipt code.
    #[error("no consent has this receipt code; read it again from the receipt, or withdraw by plate")]
    NoSuchReceipt,
    /// The receipt code belongs to another consent.
    #[error("this receipt code belongs to another consent; draw a new one")]
    ReceiptTaken,
    /// No order has that number.
    #[error("no order has this id, so nothing was closed; look it up again")]
    NoSuchOrder,
    /// An order has that number.
    #[error("an order of this id was opened before; an order is opened once, draw a new id")]
    OrderExists,
    /// An objection to marketing or profiling is not weighed.
    #[error("an objection to marketing or profiling is absolute: it stands without being weighed")]
    AbsoluteNotWeighed,
    /// The person was not told before.
    #[error("the person has to be told first: write restriction-lifting-announced with an earlier time")]
    NotAnnounced,
    /// The consent that an exception rests on is not there.
    #[error(
        "the receipt is of no consent in force of the restricted person, for what is restricted; take \
         the consent first, or name another exception (a restriction of an asset has no consent)"
    )]
    NoConsentToException,
    /// The ids are the same, or one was merged before.
    #[error("the ids are one already, or the first was merged into another one; name the ids that stand")]
    MergeInCircle,
    /// Another asset has the identifier.
    #[error("another asset has this identifier now; end it there first, or merge the two")]
    IdentifierInUse,
    /// The key was revoked.
    #[error("this key was revoked; a recipient has to make a new one")]
    KeyRevoked,
}

impl Facts {
    /// Whether an entry may be written. Some: the same was written before,
    /// under that name, and nothing is to be done.
    ///
    /// # Errors
    /// [`Refused`] says what is wrong and how to mend it.
    pub fn admit(&self, entry: &Entry) -> Result<Option<EntryHash>, Refused> {
        self.own(entry)?;
        entry.check()?;
        let before = self.references.get(&entry.source).and_then(|refs| refs.get(&entry.external_ref));
        if let Some(first) = before {
            return if first.statement == entry.name_and_statement().1 {
                Ok(Some(first.entry))
            } else {
                Err(Refused::ReferenceTaken { origin: entry.source.clone(), first: first.entry })
            };
        }
        self.admit_event(entry)?;
        Ok(None)
    }

    /// Whether an entry can belong to this ledger at all.
    pub(super) fn own(&self, entry: &Entry) -> Result<(), Refused> {
        if entry.format != ENTRY_FORMAT {
            return Err(Refused::Format(entry.format));
        }
        if entry.controller != self.controller {
            return Err(Refused::OtherController {
                expected: self.controller.clone(),
                found: entry.controller.clone(),
            });
        }
        Ok(())
    }

    fn admit_event(&self, entry: &Entry) -> Result<(), Refused> {
        match &entry.event {
            Event::ConsentGiven(consent) => self.fresh_receipt(&consent.receipt),
            Event::ConsentRenewed(renewal) => {
                let consent = &renewal.consent;
                let subject = self.canonical_subject(consent.subject);
                match self.in_force(&renewal.renews) {
                    Some(About::Consent(of)) if self.canonical_subject(*of) == subject => {}
                    _ => return Err(no_such(entry, renewal.renews, "a consent of that person")),
                }
                self.fresh_receipt(&consent.receipt)
            }
            Event::ConsentWithdrawn(withdrawal) => match &withdrawal.scope {
                WithdrawalScope::Receipt(receipt) if self.receipt(receipt).is_none() => {
                    Err(Refused::NoSuchReceipt)
                }
                _ => Ok(()),
            },
            Event::ObjectionWeighed(outcome) | Event::ObjectionUpheld(outcome) => {
                match self.in_force(&outcome.objection) {
                    Some(About::Objection { absolute: false, .. }) => Ok(()),
                    Some(About::Objection { absolute: true, .. }) => Err(Refused::AbsoluteNotWeighed),
                    _ => Err(no_such(entry, outcome.objection, "an objection")),
                }
            }
            Event::RestrictionLiftingAnnounced(lifting) => self.restricted(entry, &lifting.restriction),
            Event::RestrictionLifted(lifted) => {
                self.restricted(entry, &lifted.restriction)?;
                let told = self.told_before(&lifted.restriction, entry.occurred_at);
                if told { Ok(()) } else { Err(Refused::NotAnnounced) }
            }
            Event::OrderOpened(order) if self.orders.is_known(order.order) => Err(Refused::OrderExists),
            Event::OrderClosed(order) if !self.orders.is_known(order.order) => Err(Refused::NoSuchOrder),
            Event::AssetIdentified(identified) => {
                let holder = self.find_asset(&identified.index, entry.occurred_at);
                let asset = self.canonical_asset(identified.asset);
                if holder.is_none_or(|holder| holder == asset) {
                    Ok(())
                } else {
                    Err(Refused::IdentifierInUse)
                }
            }
            Event::SubjectMerged(merge) => mergeable(merge, &self.subjects, &self.voids),
            Event::AssetMerged(merge) => mergeable(merge, &self.assets, &self.voids),
            Event::RecipientKeyActivated(key) if self.is_revoked(&key.key.key_id()) => {
                Err(Refused::KeyRevoked)
            }
            Event::HoldLifted(lifted) => match self.in_force(&lifted.hold) {
                Some(About::Hold) => Ok(()),
                _ => Err(no_such(entry, lifted.hold, "a hold")),
            },
            Event::DisclosureEnded(ended) => match self.in_force(&ended.disclosure) {
                Some(About::Disclosure(_)) => Ok(()),
                _ => Err(no_such(entry, ended.disclosure, "a disclosure")),
            },
            Event::RestrictionExcepted(excepted) => {
                self.restricted(entry, &excepted.restriction)?;
                match excepted.exception {
                    RestrictionException::Consent => self.consents_to(entry, excepted),
                    _ => Ok(()),
                }
            }
            Event::ErasureExcepted(excepted) => match self.in_force(&excepted.erasure) {
                Some(About::Erasure(_)) => Ok(()),
                _ => Err(no_such(entry, excepted.erasure, "an order to erase")),
            },
            Event::ProcessorEnded(ended) => match self.in_force(&ended.agreement) {
                Some(About::Agreement) => Ok(()),
                _ => Err(no_such(entry, ended.agreement, "an agreement with a processor")),
            },
            Event::RecipientResumed(resumed) => match self.in_force(&resumed.pause) {
                Some(About::Pause) => Ok(()),
                _ => Err(no_such(entry, resumed.pause, "a pause of a recipient")),
            },
            Event::Voided(voided) => match self.in_force(&voided.entry) {
                Some(About::Voids(_)) => Err(Refused::VoidsVoid),
                Some(_) => Ok(()),
                None => Err(no_such(entry, voided.entry, "an entry")),
            },
            _ => Ok(()),
        }
    }

    fn fresh_receipt(&self, receipt: &ReceiptCode) -> Result<(), Refused> {
        if self.receipt(receipt).is_none() { Ok(()) } else { Err(Refused::ReceiptTaken) }
    }

    /// What an entry is about, unless it is not there or was voided.
    fn in_force(&self, entry: &EntryHash) -> Option<&About> {
        self.log.get(entry).filter(|_| self.voids.at(entry).is_none()).map(|logged| &logged.about)
    }

    /// Whether the person who is restricted consents, by the receipt of the
    /// exception, to something that the restriction stops.
    fn consents_to(&self, entry: &Entry, excepted: &RestrictionExcepted) -> Result<(), Refused> {
        let written = entry.occurred_at.max(entry.recorded_at);
        let consent = match (excepted.receipt, self.rights.restricted(&excepted.restriction)) {
            (Some(receipt), Some((Whom::Subject(subject), purpose))) => {
                self.receipt_in_force(&receipt, *subject, purpose.as_ref(), None, written)
            }
            _ => None,
        };
        if consent.is_some() { Ok(()) } else { Err(Refused::NoConsentToException) }
    }

    fn restricted(&self, entry: &Entry, restriction: &EntryHash) -> Result<(), Refused> {
        match self.in_force(restriction) {
            Some(About::Restriction(_)) => Ok(()),
            _ => Err(no_such(entry, *restriction, "a restriction")),
        }
    }
}

fn no_such(entry: &Entry, of: EntryHash, wanted: &'static str) -> Refused {
    Refused::NoSuchEntry { kind: entry.event.kind().into(), entry: of, wanted }
}

/// Merges form trees: the id that is given up stands for itself until now.
fn mergeable<Id: Copy + Ord + Hash>(
    merge: &Merge<Id>,
    merges: &Merges<Id>,
    voids: &Voids,
) -> Result<(), Refused> {
    let one_already = merges.members(merge.from, voids).contains(&merge.into);
    if one_already || merges.is_merged(merge.from, voids) { Err(Refused::MergeInCircle) } else { Ok(()) }
}
