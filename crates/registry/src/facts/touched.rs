//! Where answers may change when an entry comes in: so that grants are
//! computed again for those assets only.

use super::Facts;
use crate::{Event, ReceiptCode, Text, Whom, WithdrawalScope};
use std::collections::BTreeSet;
use vernport_types::{AssetId, EntryHash, OrderId, SubjectId};

/// The assets whose grants may change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Touched {
    /// Every asset of the controller.
    All,
    /// These, by every id they have or had, also by a merge that was voided.
    Assets(BTreeSet<AssetId>),
}

impl Touched {
    /// No asset.
    pub fn none() -> Self {
        Self::Assets(BTreeSet::new())
    }

    /// The assets of either.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Assets(mut one), Self::Assets(other)) => {
                one.extend(other);
                Self::Assets(one)
            }
            _ => Self::All,
        }
    }

    /// Whether the grants of no asset may change.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Assets(assets) if assets.is_empty())
    }

    /// Whether the grants of an asset may change.
    pub fn includes(&self, asset: AssetId) -> bool {
        match self {
            Self::All => true,
            Self::Assets(assets) => assets.contains(&asset),
        }
    }
}

/// What an entry is about: kept of each entry, for references to it.
#[derive(Debug, Clone)]
pub(crate) enum About {
    Everything,
    Notice(Text),
    Nothing,
    Assets(Vec<AssetId>),
    Subjects(Vec<SubjectId>),
    Consent(SubjectId),
    Receipt(ReceiptCode),
    Objection {
        subject: SubjectId,
        absolute: bool,
    },
    Restriction(Whom),
    Erasure(Whom),
    Disclosure(Vec<AssetId>),
    Order(OrderId),
    Hold,
    Agreement,
    Pause,
    /// Refers to another entry, and is about what that is about.
    Entry(EntryHash),
    Voids(EntryHash),
}

impl About {
    pub(crate) fn of(event: &Event) -> Self {
        match event {
            Event::NoticeServed(served) => Self::Notice(served.notice.clone()),
            Event::GatewayEnrolled(_)
            | Event::EnrolmentEnded(_)
            | Event::GatewayRevoked(_)
            | Event::RecipientKeyActivated(_)
            | Event::RecipientKeyRevoked(_) => Self::Everything,
            Event::ConsentGiven(consent) => Self::Consent(consent.subject),
            Event::ConsentRenewed(renewal) => Self::Consent(renewal.consent.subject),
            Event::ConsentWithdrawn(withdrawal) => match &withdrawal.scope {
                WithdrawalScope::Receipt(receipt) => Self::Receipt(*receipt),
                WithdrawalScope::Subject { subject, .. } => Self::Subjects(vec![*subject]),
                WithdrawalScope::Asset(asset) => Self::Assets(vec![*asset]),
            },
            Event::ObjectionRaised(objection) => {
                Self::Objection { subject: objection.subject, absolute: objection.against.is_absolute() }
            }
            Event::ObjectionWeighed(outcome) | Event::ObjectionUpheld(outcome) => {
                Self::Entry(outcome.objection)
            }
            Event::RestrictionSet(restriction) => Self::Restriction(restriction.whom),
            Event::RestrictionLiftingAnnounced(lifting) => Self::Entry(lifting.restriction),
            Event::RestrictionLifted(lifted) => Self::Entry(lifted.restriction),
            Event::OrderOpened(order) => Self::Assets(order.assets.clone()),
            Event::OrderClosed(order) => Self::Order(order.order),
            Event::AssetIdentified(identified) => Self::Assets(vec![identified.asset]),
            Event::IdentifierEnded(ended) => Self::Assets(vec![ended.asset]),
            Event::Linked(link) => Self::Assets(vec![link.asset]),
            Event::Unlinked(unlink) => Self::Assets(vec![unlink.asset]),
            Event::OwnerChanged(change) => Self::Assets(vec![change.asset]),
            Event::SubjectMerged(merge) => Self::Subjects(vec![merge.from, merge.into]),
            Event::AssetMerged(merge) => Self::Assets(vec![merge.from, merge.into]),
            Event::PrivateModeStarted(private) | Event::PrivateModeEnded(private) => {
                Self::Assets(vec![private.asset])
            }
            Event::HoldSet(_) => Self::Hold,
            Event::HoldLifted(lifted) => Self::Entry(lifted.hold),
            Event::ErasureOrdered(erasure) => Self::Erasure(erasure.whom),
            Event::MilestoneReached(reached) => match reached.whom {
                Whom::Subject(subject) => Self::Subjects(vec![subject]),
                Whom::Asset(asset) => Self::Assets(vec![asset]),
            },
            Event::DisclosureApproved(approved) => Self::Disclosure(approved.assets.clone()),
            Event::DisclosureEnded(ended) => Self::Entry(ended.disclosure),
            Event::RestrictionExcepted(excepted) => Self::Entry(excepted.restriction),
            // What is kept so is used for nothing: no grant rests on it.
            Event::ErasureExcepted(_) => Self::Nothing,
            Event::ProcessorAgreed(_) => Self::Agreement,
            Event::ProcessorEnded(ended) => Self::Entry(ended.agreement),
            Event::RecipientPaused(_) => Self::Pause,
            Event::RecipientResumed(resumed) => Self::Entry(resumed.pause),
            Event::Voided(voided) => Self::Voids(voided.entry),
            Event::Unknown(unknown) => match (unknown.closes(), unknown.asset()) {
                (false, _) => Self::Nothing,
                (true, None) => Self::Everything,
                (true, Some(asset)) => Self::Assets(vec![asset]),
            },
        }
    }
}

impl Facts {
    /// The assets whose grants an entry of this ledger may change: when it is
    /// filed, and when time reaches one of its moments.
    pub fn touched_by(&self, entry: &EntryHash) -> Touched {
        // A chain of references has three links at most: a voiding, what became
        // of an objection, the objection.
        let about_of = |entry| self.log.get(entry).map(|logged| &logged.about);
        let mut about = about_of(entry);
        for _ in 0..3 {
            if let Some(About::Entry(of) | About::Voids(of)) = about {
                about = about_of(of);
            }
        }
        let assets = match about {
            None | Some(About::Nothing | About::Hold | About::Agreement) => Vec::new(),
            Some(About::Everything | About::Pause | About::Notice(_) | About::Entry(_) | About::Voids(_)) => {
                return Touched::All;
            }
            Some(About::Assets(assets) | About::Disclosure(assets)) => assets.clone(),
            Some(About::Subjects(subjects)) => {
                subjects.iter().flat_map(|subject| self.assets_of(*subject)).collect()
            }
            Some(About::Consent(subject) | About::Objection { subject, .. }) => self.assets_of(*subject),
            Some(About::Receipt(receipt)) => {
                self.receipt(receipt).map(|subject| self.assets_of(subject)).unwrap_or_default()
            }
            Some(About::Restriction(whom) | About::Erasure(whom)) => match whom {
                Whom::Subject(subject) => self.assets_of(*subject),
                Whom::Asset(asset) => vec![*asset],
            },
            Some(About::Order(order)) => self.orders.assets_of(*order).collect(),
        };
        let all_ids = assets.into_iter().flat_map(|asset| self.assets.ever(asset));
        Touched::Assets(all_ids.collect())
    }

    /// The notice, with its version, that an entry served.
    pub fn notice_of(&self, entry: &EntryHash) -> Option<&Text> {
        match self.log.get(entry).map(|logged| &logged.about) {
            Some(About::Notice(notice)) => Some(notice),
            _ => None,
        }
    }

    /// One asset, by every id that it has.
    pub fn touched_asset(&self, asset: AssetId) -> Touched {
        Touched::Assets(self.assets.ever(asset).into_iter().collect())
    }

    /// The assets that a person was ever linked to.
    pub(super) fn assets_of(&self, subject: SubjectId) -> Vec<AssetId> {
        let members = self.subjects.ever(subject);
        members.into_iter().flat_map(|subject| self.links.assets_of(subject)).collect()
    }
}
