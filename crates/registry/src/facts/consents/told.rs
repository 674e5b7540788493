//! Consents as a person at the counter is told of them: what was given, what of
//! it still holds, and until when.

use super::{ConsentQuestion, ConsentState, Given};
use crate::{
    ReceiptCode, Role,
    facts::{Facts, history::Item},
};
use std::collections::BTreeSet;
use vernport_types::{AssetId, Category, EntryHash, Slug, SubjectId, UtcMicros};

/// An id that no asset has: ids are random.
const NO_ASSET: AssetId = AssetId::from_bytes([0; 16]);

/// One consent, as far as one asset is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentFacts {
    /// The entry by which it was given.
    pub entry: EntryHash,
    /// Who gave it, by the id that stands for them after merges.
    pub subject: SubjectId,
    /// In which role.
    pub role: Role,
    /// For which purpose.
    pub purpose: Slug,
    /// Towards whom.
    pub recipient: Slug,
    /// The form that was used.
    pub form: Slug,
    /// To what it was given.
    pub categories: BTreeSet<Category>,
    /// What of that still holds.
    pub in_force: BTreeSet<Category>,
    /// When it was given.
    pub given_at: UtcMicros,
    /// The first moment at which it is no longer valid by itself.
    pub until: UtcMicros,
    /// When the last of it was withdrawn; none if nothing was.
    pub withdrawn_at: Option<UtcMicros>,
}

impl Facts {
    /// All consents of everybody linked to an asset now, oldest first: given and
    /// not voided, whether or not they still hold.
    pub fn consents_at(&self, asset: AssetId, now: UtcMicros) -> Vec<ConsentFacts> {
        let people: BTreeSet<SubjectId> = Role::ALL
            .iter()
            .flat_map(|role| self.subjects(asset, *role, now))
            .flat_map(|linked| self.subjects.members(linked.subject, &self.voids))
            .collect();
        let given = self.consents.given.of_all(people).filter(|item| self.voids.counts(item, now));
        let mut told: Vec<_> = given.map(|item| self.told(item, asset, now)).collect();
        told.sort_by_key(|consent| (consent.given_at, consent.entry));
        told
    }

    /// The consent of a receipt, as far as it concerns an asset. Without one,
    /// nothing that was said at a vehicle counts.
    pub fn consent_of(
        &self,
        receipt: &ReceiptCode,
        asset: Option<AssetId>,
        now: UtcMicros,
    ) -> Option<ConsentFacts> {
        let holder = self.receipt(receipt)?;
        let people = self.subjects.members(holder, &self.voids);
        let given = self.consents.given.of_all(people);
        let item = given
            .filter(|item| item.says.receipt == *receipt && self.voids.counts(item, now))
            .max_by_key(|item| item.place())?;
        Some(self.told(item, asset.unwrap_or(NO_ASSET), now))
    }

    fn told(&self, item: &Item<Given>, asset: AssetId, now: UtcMicros) -> ConsentFacts {
        let said = &item.says;
        let subject = self.canonical_subject(said.subject);
        let mut in_force = BTreeSet::new();
        let mut withdrawn_at = None;
        for category in &said.categories {
            let asked = ConsentQuestion {
                asset,
                subject,
                role: said.role,
                purpose: &said.purpose,
                category: *category,
                recipient: &said.recipient,
            };
            match self.consent(&asked, now) {
                // A later consent to the same is another one: this one is not what holds.
                ConsentState::Given { entry, .. } if entry == item.entry => {
                    in_force.insert(*category);
                }
                ConsentState::Withdrawn { at, .. } => withdrawn_at = withdrawn_at.max(Some(at)),
                _ => {}
            }
        }
        ConsentFacts {
            entry: item.entry,
            subject,
            role: said.role,
            purpose: said.purpose.clone(),
            recipient: said.recipient.clone(),
            form: said.form.clone(),
            categories: said.categories.clone(),
            in_force,
            given_at: item.occurred,
            until: said.until,
            withdrawn_at,
        }
    }
}
