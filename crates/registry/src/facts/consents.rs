//! Consents: whether one is in force for a person, a purpose, a category and a
//! recipient, as far as an asset is concerned.
//!
//! The latest that a person said decides. Expiry equals withdrawal (invariant 3).

mod terms;
mod told;

pub use told::ConsentFacts;

use super::{
    Facts,
    history::{Book, Filed, Item, Place},
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

/// A receipt by which a consent can be withdrawn, and when the consent was voided, if it was.
struct Receipt {
    code: ReceiptCode,
    voided: Option<UtcMicros>,
}

/// Which consent is wanted: towards an asset and in a role, or apart from both.
struct Wanted<'a> {
    asset: Option<AssetId>,
    subject: SubjectId,
    role: Option<Role>,
    purpose: &'a Slug,
    category: Category,
    recipient: &'a Slug,
}

/// The consents that answer a question and are not voided, whenever recorded,
/// and the withdrawals that cover it.
struct Said<'a> {
    given: Vec<&'a Item<Given>>,
    withdrawals: Vec<Place>,
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
    fn answers(&self, wanted: &Wanted<'_>) -> bool {
        wanted.role.is_none_or(|role| self.role == role)
            && self.is_towards(wanted.purpose, wanted.recipient)
            && self.categories.contains(&wanted.category)
    }

    /// Whether two consents are in part about the same.
    fn overlaps(&self, other: &Self) -> bool {
        self.role == other.role
            && self.is_towards(&other.purpose, &other.recipient)
            && !self.categories.is_disjoint(&other.categories)
    }

    fn is_towards(&self, purpose: &Slug, recipient: &Slug) -> bool {
        self.purpose == *purpose && self.recipient == *recipient
    }
}

impl Scope {
    /// Whether it takes any part of a consent back.
    fn narrows(&self, given: &Given) -> bool {
        self.purpose.as_ref().is_none_or(|purpose| *purpose == given.purpose)
            && self.recipient.as_ref().is_none_or(|recipient| *recipient == given.recipient)
            && (self.categories.is_empty() || !self.categories.is_disjoint(&given.categories))
    }

    fn covers(&self, wanted: &Wanted<'_>) -> bool {
        self.purpose.as_ref().is_none_or(|purpose| purpose == wanted.purpose)
            && self.recipient.as_ref().is_none_or(|recipient| recipient == wanted.recipient)
            && (self.categories.is_empty() || self.categories.contains(&wanted.category))
    }
}

impl<'a> From<&ConsentQuestion<'a>> for Wanted<'a> {
    fn from(asked: &ConsentQuestion<'a>) -> Self {
        Self {
            asset: Some(asked.asset),
            subject: asked.subject,
            role: Some(asked.role),
            purpose: asked.purpose,
            category: asked.category,
            recipient: asked.recipient,
        }
    }
}

impl Facts {
    /// Whether a consent is in force now.
    pub fn consent(&self, asked: &ConsentQuestion<'_>, now: UtcMicros) -> ConsentState {
        self.consent_state(&asked.into(), now)
    }

    fn consent_state(&self, wanted: &Wanted<'_>, now: UtcMicros) -> ConsentState {
        let said = self.said_of(wanted, now);
        let counting = said.given.iter().filter(|item| self.voids.counts(item, now));
        let Some(last) = counting.max_by_key(|item| item.place()) else { return ConsentState::Missing };
        if let Some((at, _, _, entry)) = said.withdrawals.iter().max()
            && last.occurred <= *at
        {
            return ConsentState::Withdrawn { entry: *entry, at: *at };
        }
        let until = last.says.until;
        if now < until {
            let form = last.says.form.clone();
            ConsentState::Given { entry: last.entry, until, form, at: last.occurred }
        } else {
            ConsentState::Expired { entry: last.entry, at: until }
        }
    }

    /// All that was said about what is wanted, as known now.
    fn said_of(&self, wanted: &Wanted<'_>, now: UtcMicros) -> Said<'_> {
        let subjects = self.subjects.members(wanted.subject, &self.voids);
        let assets = wanted.asset.map(|asset| self.assets.members(asset, &self.voids)).unwrap_or_default();
        let (given, receipts) =
            self.given_by(&subjects, (wanted.purpose, wanted.recipient), |given| given.answers(wanted));
        let withdrawals = self.withdrawals(|scope| scope.covers(wanted), &subjects, &assets, &receipts, now);
        Said { given, withdrawals }
    }

    /// What people gave that fits and is not voided, and the receipts by which it can be withdrawn.
    ///
    /// INVARIANT: what was withdrawn does not come back when its consent is voided and written again
    /// with its old date. Up to its voiding the receipt of a voided consent stands for all that
    /// its person gave towards that purpose and recipient: nobody can tell what in it was the mistake.
    fn given_by(
        &self,
        subjects: &[SubjectId],
        (purpose, recipient): (&Slug, &Slug),
        fits: impl Fn(&Given) -> bool,
    ) -> (Vec<&Item<Given>>, Vec<Receipt>) {
        let (mut given, mut receipts) = (Vec::new(), Vec::new());
        for item in self.consents.given.of_all(subjects.iter().copied()) {
            let (code, voided) = (item.says.receipt, self.voids.at(&item.entry));
            match voided {
                None if fits(&item.says) => {
                    given.push(item);
                    receipts.push(Receipt { code, voided });
                }
                Some(_) if item.says.is_towards(purpose, recipient) => {
                    receipts.push(Receipt { code, voided });
                }
                _ => {}
            }
        }
        (given, receipts)
    }

    /// The withdrawals that count now: of the people as far as its scope fits,
    /// at one of the assets, or by one of the receipts.
    fn withdrawals(
        &self,
        fits: impl Fn(&Scope) -> bool,
        subjects: &[SubjectId],
        assets: &[AssetId],
        receipts: &[Receipt],
        now: UtcMicros,
    ) -> Vec<Place> {
        let consents = &self.consents;
        let by_subject = consents
            .by_subject
            .of_all(subjects.iter().copied())
            .filter(|item| fits(&item.says) && self.voids.counts(item, now))
            .map(Item::place);
        let by_asset = consents.by_asset.of_all(assets.iter().copied());
        let by_receipt = receipts.iter().flat_map(|receipt| {
            let said = consents.by_receipt.of(&receipt.code);
            said.filter(|item| receipt.voided.is_none_or(|at| item.occurred <= at))
        });
        let unscoped =
            by_asset.chain(by_receipt).filter(|item| self.voids.counts(item, now)).map(Item::place);
        by_subject.chain(unscoped).collect()
    }

    /// Whose consent a receipt code stands for, by the id that stands for them after merges.
    pub fn receipt(&self, receipt: &ReceiptCode) -> Option<SubjectId> {
        self.consents.receipts.get(receipt).map(|subject| self.canonical_subject(*subject))
    }
}
