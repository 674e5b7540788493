//! How long a consent lasts, and consents that are apart from any asset.

use super::{ConsentQuestion, ConsentState, Given, Wanted};
use crate::{
    ReceiptCode,
    facts::{Facts, history::Item},
};
use vernport_types::{AssetId, Category, Slug, SubjectId, UtcMicros};

impl Facts {
    /// Whether a person consents now in whatever role, apart from any asset: as
    /// for messages. What was withdrawn at a vehicle is not about this.
    pub fn person_consent(
        &self,
        subject: SubjectId,
        purpose: &Slug,
        category: Category,
        recipient: &Slug,
        now: UtcMicros,
    ) -> ConsentState {
        let wanted = Wanted { asset: None, subject, role: None, purpose, category, recipient };
        self.consent_state(&wanted, now)
    }

    /// When the consent that was in force at `since` ended for the first time,
    /// by what is known now: withdrawn, or run out without a renewal in time.
    /// None if it is in force still. A consent that is given again later is
    /// another one. Where none was in force at `since`, it had ended by then.
    ///
    /// `end` says for how long a consent holds by the rules: of its form, when it
    /// was given, and its own end.
    pub fn consent_ended(
        &self,
        asked: &ConsentQuestion<'_>,
        end: impl Fn(&Slug, UtcMicros, UtcMicros) -> UtcMicros,
        since: UtcMicros,
        now: UtcMicros,
    ) -> Option<UtcMicros> {
        let said = self.said_of(&asked.into(), now);
        let until = |item: &Item<Given>| end(&item.says.form, item.occurred, item.says.until);
        let known = |item: &&&Item<Given>, at: UtcMicros| item.occurred.max(item.recorded) <= at;
        let in_force = |at: UtcMicros| {
            let last = said.given.iter().filter(|item| known(item, at)).max_by_key(|item| item.place());
            last.is_some_and(|last| {
                let withdrawn = said.withdrawals.iter().any(|(w, ..)| last.occurred <= *w && *w <= at);
                at < until(last) && !withdrawn
            })
        };
        // It can only end where something was withdrawn, ran out, or was replaced.
        let replaced = said.given.iter().map(|item| item.occurred.max(item.recorded));
        let ran_out = said.given.iter().map(|item| until(item));
        let withdrawn = said.withdrawals.iter().map(|(at, ..)| *at);
        let mut moments: Vec<UtcMicros> = replaced.chain(ran_out).chain(withdrawn).collect();
        moments.push(since);
        moments.sort();
        moments.into_iter().filter(|at| since <= *at && *at <= now).find(|at| !in_force(*at))
    }

    /// The first moment at which the consent of a receipt is no longer valid.
    /// None if it is not in force now: not of that person, not for the purpose,
    /// run out, voided, or withdrawn for any part of it. What was withdrawn at a
    /// vehicle counts as far as that asset is concerned.
    pub(in crate::facts) fn receipt_in_force(
        &self,
        receipt: &ReceiptCode,
        subject: SubjectId,
        purpose: Option<&Slug>,
        asset: Option<AssetId>,
        now: UtcMicros,
    ) -> Option<UtcMicros> {
        let subjects = self.subjects.members(subject, &self.voids);
        let assets = asset.map(|asset| self.assets.members(asset, &self.voids)).unwrap_or_default();
        let consent = self
            .consents
            .given
            .of_all(subjects.iter().copied())
            .filter(|item| item.says.receipt == *receipt && self.voids.counts(item, now))
            .filter(|item| purpose.is_none_or(|purpose| item.says.purpose == *purpose))
            .max_by_key(|item| item.place())?;
        let said = &consent.says;
        let towards = (&said.purpose, &said.recipient);
        let (_, receipts) = self.given_by(&subjects, towards, |given| given.overlaps(said));
        let withdrawals = self.withdrawals(|scope| scope.narrows(said), &subjects, &assets, &receipts, now);
        let withdrawn = withdrawals.iter().any(|(at, ..)| consent.occurred <= *at);
        (now < said.until && !withdrawn).then_some(said.until)
    }
}
