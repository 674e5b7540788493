//! Consents: whether one is in force for a person, a purpose, a category and a
//! recipient, as far as an asset is concerned.
//!
//! The latest that a person said decides. Expiry equals withdrawal (invariant 3).

mod told;

pub use told::ConsentFacts;

use super::{
    Facts,
    history::{Book, Filed, Item},
};
use crate::{Consent, ReceiptCode, Role, WithdrawalScope};
use std::collections::{BTreeSet, HashMap};
use vernport_types::{AssetId, Category, EntryHash, Slug, SubjectId, UtcMicros};

/// What was given by subject; what was withdrawn by subject, receipt or asset.
#[derive(Debug, Clone, Default)]
pub(crate) struct Consents {
    given: Book<SubjectId, Given>,
    by_subject: Book<SubjectId, Scope>,
    by_receipt: Book<ReceiptCode, ()>,
    by_asset: Book<AssetId, ()>,
    receipts: HashMap<ReceiptCode, SubjectId>,
}

/// The part of a consent that decides.
#[derive(Debug, Clone)]
struct Given {
    subject: SubjectId,
    role: Role,
    purpose: Slug,
    recipient: Slug,
    categories: BTreeSet<Category>,
    form: Slug,
    receipt: ReceiptCode,
    until: UtcMicros,
}

#[derive(Debug, Clone)]
struct Scope {
    purpose: Option<Slug>,
    recipient: Option<Slug>,
    categories: BTreeSet<Category>,
}

/// Which consent is asked for.
#[derive(Debug, Clone, Copy)]
pub struct ConsentQuestion<'a> {
    /// As far as which asset is concerned.
    pub asset: AssetId,
    /// Whose.
    pub subject: SubjectId,
    /// In which role towards the asset.
    pub role: Role,
    /// For which purpose.
    pub purpose: &'a Slug,
    /// For which data.
    pub category: Category,
    /// Towards whom.
    pub recipient: &'a Slug,
}

/// Whether a consent is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConsentState {
    /// It is.
    Given {
        /// The entry by which it was given.
        entry: EntryHash,
        /// The first moment at which it is no longer valid.
        until: UtcMicros,
        /// The form that was used.
        form: Slug,
        /// When it was given.
        at: UtcMicros,
    },
    /// It was given and withdrawn.
    Withdrawn {
        /// The entry by which it was withdrawn.
        entry: EntryHash,
        /// When the person said so.
        at: UtcMicros,
    },
    /// It was given and has run out.
    Expired {
        /// The entry by which it was given.
        entry: EntryHash,
        /// The first moment at which it was no longer valid.
        at: UtcMicros,
    },
    /// Nobody gave it.
    Missing,
}

impl Consents {
    pub(crate) fn give(&mut self, consent: &Consent, filed: &Filed) {
        let given = Given {
            subject: consent.subject,
            role: consent.role,
            purpose: consent.purpose.clone(),
            recipient: consent.recipient.clone(),
            categories: consent.categories.clone(),
            form: consent.form.clone(),
            receipt: consent.receipt,
            until: consent.valid_until,
        };
        self.given.file(consent.subject, filed.item(given));
        self.receipts.entry(consent.receipt).or_insert(consent.subject);
    }

    pub(crate) fn withdraw(&mut self, scope: &WithdrawalScope, filed: &Filed) {
        match scope {
            WithdrawalScope::Receipt(receipt) => self.by_receipt.file(*receipt, filed.item(())),
            WithdrawalScope::Asset(asset) => self.by_asset.file(*asset, filed.item(())),
            WithdrawalScope::Subject { subject, purpose, recipient, categories } => {
                let scope = Scope {
                    purpose: purpose.clone(),
                    recipient: recipient.clone(),
                    categories: categories.clone(),
                };
                self.by_subject.file(*subject, filed.item(scope));
            }
        }
    }
}

impl Given {
    fn answers(&self, asked: &ConsentQuestion<'_>) -> bool {
        self.role == asked.role
            && self.purpose == *asked.purpose
            && self.recipient == *asked.recipient
            && self.categories.contains(&asked.category)
    }

    /// Whether two consents are in part about the same.
    fn overlaps(&self, other: &Self) -> bool {
        self.role == other.role
            && self.purpose == other.purpose
            && self.recipient == other.recipient
            && !self.categories.is_disjoint(&other.categories)
    }
}

impl Scope {
    /// Whether it takes any part of a consent back.
    fn narrows(&self, given: &Given) -> bool {
        self.purpose.as_ref().is_none_or(|purpose| *purpose == given.purpose)
            && self.recipient.as_ref().is_none_or(|recipient| *recipient == given.recipient)
            && (self.categories.is_empty() || !self.categories.is_disjoint(&given.categories))
    }

    fn covers(&self, asked: &ConsentQuestion<'_>) -> bool {
        self.purpose.as_ref().is_none_or(|purpose| purpose == asked.purpose)
            && self.recipient.as_ref().is_none_or(|recipient| recipient == asked.recipient)
            && (self.categories.is_empty() || self.categories.contains(&asked.category))
    }
}

impl Facts {
    /// Whether a consent is in force now.
    pub fn consent(&self, asked: &ConsentQuestion<'_>, now: UtcMicros) -> ConsentState {
        let subjects = self.subjects.members(asked.subject, &self.voids);
        let given: Vec<&Item<Given>> = self
            .consents
            .given
            .of_all(subjects.iter().copied())
            .filter(|item| self.voids.at(&item.entry).is_none() && item.says.answers(asked))
            .collect();
        let counting = given.iter().filter(|item| self.voids.counts(item, now));
        let Some(last) = counting.max_by_key(|item| item.place()) else { return ConsentState::Missing };
        let assets = self.assets.members(asked.asset, &self.voids);
        // All receipts of consents that answer the question count, whenever recorded.
        let receipts: Vec<ReceiptCode> = given.iter().map(|item| item.says.receipt).collect();
        if let Some((entry, at)) =
            self.withdrawal(|scope| scope.covers(asked), &subjects, &assets, &receipts, now)
            && last.occurred <= at
        {
            return ConsentState::Withdrawn { entry, at };
        }
        let until = last.says.until;
        if now < until {
            let form = last.says.form.clone();
            ConsentState::Given { entry: last.entry, until, form, at: last.occurred }
        } else {
            ConsentState::Expired { entry: last.entry, at: until }
        }
    }

    /// The first moment at which the consent of a receipt is no longer valid.
    /// None if it is not in force now: not of that person, not for the purpose,
    /// run out, voided, or withdrawn for any part of it. What was withdrawn at a
    /// vehicle counts as far as that asset is concerned.
    pub(super) fn receipt_in_force(
        &self,
        receipt: &ReceiptCode,
        subject: SubjectId,
        purpose: Option<&Slug>,
        asset: Option<AssetId>,
        now: UtcMicros,
    ) -> Option<UtcMicros> {
        let subjects = self.subjects.members(subject, &self.voids);
        let assets = asset.map(|asset| self.assets.members(asset, &self.voids)).unwrap_or_default();
        let given: Vec<&Item<Given>> = self
            .consents
            .given
            .of_all(subjects.iter().copied())
            .filter(|item| self.voids.at(&item.entry).is_none())
            .collect();
        let consent = given
            .iter()
            .filter(|item| item.says.receipt == *receipt && self.voids.counts(item, now))
            .filter(|item| purpose.is_none_or(|purpose| item.says.purpose == *purpose))
            .max_by_key(|item| item.place())?;
        let said = &consent.says;
        let same = given.iter().filter(|item| item.says.overlaps(said));
        let receipts: Vec<ReceiptCode> = same.map(|item| item.says.receipt).collect();
        let withdrawn = self
            .withdrawal(|scope| scope.narrows(said), &subjects, &assets, &receipts, now)
            .is_some_and(|(_, at)| consent.occurred <= at);
        (now < said.until && !withdrawn).then_some(said.until)
    }

    /// The last withdrawal: of the people as far as its scope fits, at one of
    /// the assets, or by one of the receipts.
    fn withdrawal(
        &self,
        fits: impl Fn(&Scope) -> bool,
        subjects: &[SubjectId],
        assets: &[AssetId],
        receipts: &[ReceiptCode],
        now: UtcMicros,
    ) -> Option<(EntryHash, UtcMicros)> {
        let consents = &self.consents;
        let by_subject = consents
            .by_subject
            .of_all(subjects.iter().copied())
            .filter(|item| fits(&item.says) && self.voids.counts(item, now))
            .map(Item::place);
        let by_asset = consents.by_asset.of_all(assets.iter().copied());
        let by_receipt = consents.by_receipt.of_all(receipts.iter().copied());
        let unscoped =
            by_asset.chain(by_receipt).filter(|item| self.voids.counts(item, now)).map(Item::place);
        by_subject.chain(unscoped).max().map(|(at, _, _, entry)| (entry, at))
    }

    /// Whose consent a receipt code stands for, by the id that stands for them after merges.
    pub fn receipt(&self, receipt: &ReceiptCode) -> Option<SubjectId> {
        self.consents.receipts.get(receipt).map(|subject| self.canonical_subject(*subject))
    }
}
