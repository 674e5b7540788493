//! What the naive model answers, once it has read the ledger.

use super::{Held, Naive, Said, all_assets};
use std::collections::BTreeSet;
use vernport_crypto::BlindIndex;
use vernport_registry::*;
use vernport_types::*;

impl Naive {
    pub(crate) fn notice_served(&self, notice: &str) -> Option<EntryHash> {
        self.notices.get(notice).copied()
    }

    pub(crate) fn identifiers(&self, asset: AssetId) -> BTreeSet<BlindIndex> {
        let asset = self.asset(asset);
        self.identifiers.iter().filter(|(of, _)| *of == asset).map(|(_, index)| *index).collect()
    }

    pub(crate) fn find_asset(&self, index: &BlindIndex) -> Option<AssetId> {
        let found: Vec<_> = self.identifiers.iter().filter(|(_, of)| of == index).collect();
        if found.len() == 1 { Some(found[0].0) } else { None }
    }

    pub(crate) fn subjects(&self, asset: AssetId, role: Role) -> Vec<Linked> {
        let asset = self.asset(asset);
        self.links
            .iter()
            .filter(|((of, as_what, _), _)| *of == asset && *as_what == role)
            .map(|(_, linked)| *linked)
            .filter(|linked| linked.until.is_none_or(|until| until > self.now()))
            .collect()
    }

    fn open_orders(&self) -> impl DoubleEndedIterator<Item = &OrderFacts> {
        self.orders
            .iter()
            .filter(|order| !self.closed_orders.contains(&order.id) && order.expires > self.now())
    }

    pub(crate) fn open_order(&self, asset: AssetId, station: Option<&StationRef>) -> Option<OrderFacts> {
        let asset = self.asset(asset);
        self.open_orders()
            .filter(|order| order.assets.iter().any(|of| self.asset(*of) == asset))
            .rfind(|order| station.is_none_or(|station| order.station == *station))
            .cloned()
    }

    pub(crate) fn assets_of_interest(&self, station: &StationRef) -> BTreeSet<AssetId> {
        let mut assets = BTreeSet::new();
        for order in self.open_orders().filter(|order| order.station == *station) {
            assets.extend(order.assets.iter().map(|asset| self.asset(*asset)));
        }
        for enrolment in self.enrolments.values().filter(|enrolment| enrolment.station == *station) {
            assets.extend(enrolment.pinned.map(|asset| self.asset(asset)));
        }
        assets
    }

    pub(crate) fn consent(&self, asked: &ConsentQuestion<'_>) -> ConsentState {
        let subject = self.subject(asked.subject);
        let (purpose, recipient) = (asked.purpose.clone(), asked.recipient.clone());
        self.state(self.consents.get(&(asked.asset, subject, asked.role, purpose, recipient, asked.category)))
    }

    pub(crate) fn person_consent(
        &self,
        subject: SubjectId,
        purpose: &Slug,
        category: Category,
        recipient: &Slug,
    ) -> ConsentState {
        let key = (self.subject(subject), purpose.clone(), recipient.clone(), category);
        self.state(self.personal.get(&key))
    }

    fn state(&self, said: Option<&Said>) -> ConsentState {
        match said {
            None => ConsentState::Missing,
            Some(Said::Withdrawn { entry, at }) => ConsentState::Withdrawn { entry: *entry, at: *at },
            Some(Said::Given { entry, until, form, at }) if *until > self.now() => {
                ConsentState::Given { entry: *entry, until: *until, form: form.clone(), at: *at }
            }
            Some(Said::Given { entry, until, .. }) => ConsentState::Expired { entry: *entry, at: *until },
        }
    }

    pub(crate) fn objection(&self, subject: SubjectId, against: &Against) -> Objected {
        let subject = self.subject(subject);
        let mine = || self.objections.iter().filter(|(of, o)| *of == subject && o.against == *against).rev();
        for (_, o) in mine() {
            if o.outcome == Some(true) || matches!(against, Against::Marketing | Against::Profiling) {
                return Objected::Upheld { entry: o.entry };
            }
        }
        for (_, o) in mine() {
            if o.outcome.is_none() {
                return Objected::Pending { entry: o.entry };
            }
        }
        Objected::No
    }

    pub(crate) fn objected(&self, subject: SubjectId, against: &Against) -> Option<UtcMicros> {
        let subject = self.subject(subject);
        let mut stand = self.objections.iter().filter(|(of, o)| {
            let absolute = matches!(against, Against::Marketing | Against::Profiling);
            let upheld = o.outcome == Some(true) || absolute;
            *of == subject && o.against == *against && upheld
        });
        stand.next().map(|(_, o)| self.times[&o.entry])
    }

    pub(crate) fn restriction(&self, whom: Whom, purpose: &Slug) -> Option<EntryHash> {
        let whom = self.whom(whom);
        self.restrictions
            .iter()
            .filter(|(of, r)| *of == whom && !r.lifted)
            .find(|(_, r)| r.purpose.as_ref().is_none_or(|only| only == purpose))
            .map(|(_, r)| r.entry)
    }

    pub(crate) fn restrictions(&self, whom: Whom, purpose: &Slug) -> Vec<EntryHash> {
        let whom = self.whom(whom);
        let mut found = Vec::new();
        for (of, r) in &self.restrictions {
            if *of == whom && !r.lifted && r.purpose.as_ref().is_none_or(|only| only == purpose) {
                found.push(r.entry);
            }
        }
        found
    }

    pub(crate) fn restriction_excepted(
        &self,
        restriction: EntryHash,
        asset: AssetId,
        purpose: &Slug,
        flow: &Slug,
    ) -> Option<(EntryHash, UtcMicros)> {
        let whom = self.whom(*self.restricted.get(&restriction)?);
        let mut longest: Option<(EntryHash, UtcMicros)> = None;
        for (entry, excepted) in &self.excepted {
            if excepted.restriction != restriction || !excepted.flows.contains(flow) {
                continue;
            }
            let mut until = excepted.until;
            if excepted.exception == RestrictionException::Consent {
                let consent = self.receipted.iter().find(|receipted| {
                    Some(receipted.consent.receipt) == excepted.receipt
                        && Whom::Subject(self.subject(receipted.consent.subject)) == whom
                        && receipted.consent.purpose == *purpose
                        && !receipted.withdrawn
                        && !receipted.withdrawn_at.contains(&asset)
                });
                match consent {
                    Some(receipted) => until = until.min(receipted.consent.valid_until),
                    None => continue,
                }
            }
            if until > self.now() && longest.is_none_or(|(_, longest)| longest <= until) {
                longest = Some((*entry, until));
            }
        }
        longest
    }

    pub(crate) fn private_mode(&self, asset: AssetId) -> Option<EntryHash> {
        self.private.get(&self.asset(asset)).copied()
    }

    pub(crate) fn enrolment(&self, gateway: &Slug) -> Option<EnrolmentFacts> {
        self.enrolments.get(gateway).cloned()
    }

    pub(crate) fn recipient_keys(&self, recipient: &Slug, purpose: &Slug) -> Vec<(KeyId, EntryHash)> {
        self.keys
            .iter()
            .filter(|((r, p, key), _)| r == recipient && p == purpose && !self.revoked.contains(key))
            .map(|((_, _, key), entry)| (*key, *entry))
            .collect()
    }

    pub(crate) fn hold(&self, asset: AssetId, flow: &Slug, epoch: EpochId) -> Option<HoldFacts> {
        let mut longest: Option<HoldFacts> = None;
        for held in self.holds(asset, flow, epoch) {
            if longest.is_none_or(|longest| longest.until <= held.until) {
                longest = Some(held);
            }
        }
        longest
    }

    pub(crate) fn holds(&self, asset: AssetId, flow: &Slug, epoch: EpochId) -> Vec<HoldFacts> {
        let mut found = Vec::new();
        for Held { entry, hold, lifted } in &self.holds {
            if !lifted && hold.until > self.now() && self.covers(&hold.scope, asset, flow, epoch) {
                found.push(HoldFacts { entry: *entry, ground: hold.ground, until: hold.until });
            }
        }
        found.sort_by_key(|held| held.until);
        found
    }

    pub(crate) fn erasures(&self, whom: Whom, purpose: &Slug) -> Vec<(EntryHash, UtcMicros)> {
        let whom = self.whom(whom);
        let mut found = Vec::new();
        for (of, only, entry, at) in &self.erasures {
            if *of == whom && only.as_ref().is_none_or(|only| only == purpose) {
                found.push((*entry, *at));
            }
        }
        found
    }

    pub(crate) fn order_ended(&self, order: OrderId) -> Option<UtcMicros> {
        let expires = *self.order_ends.get(&order)?;
        let ended = self.closings.get(&order).map_or(expires, |closed| expires.min(*closed));
        if ended <= self.now() { Some(ended) } else { None }
    }

    pub(crate) fn sold(&self, asset: AssetId, after: UtcMicros) -> Option<UtcMicros> {
        let asset = self.asset(asset);
        let mut sales = self.sales.iter().filter(|(of, at)| *of == asset && *at > after);
        sales.next().map(|(_, at)| *at)
    }

    pub(crate) fn customer(&self, subject: SubjectId) -> Option<EntryHash> {
        let subject = self.subject(subject);
        let ended = |whom| self.milestone(whom, Milestone::RelationshipEnded).map(|(_, at)| at);
        let mut last: Option<(UtcMicros, EntryHash)> = None;
        let mut sign = |entry: EntryHash, ends: [Option<UtcMicros>; 2]| {
            let since = self.times[&entry];
            if ends.into_iter().flatten().all(|end| end < since) {
                last = last.max(Some((since, entry)));
            }
        };
        for asset in all_assets() {
            for role in [Role::Owner, Role::Orderer] {
                for linked in self.subjects(asset, role) {
                    if linked.subject == subject {
                        let ends = [ended(Whom::Subject(subject)), ended(Whom::Asset(asset))];
                        sign(linked.entry, ends);
                    }
                }
            }
        }
        if let Some(entry) = self.account(subject) {
            sign(entry, [ended(Whom::Subject(subject)), None]);
        }
        last.map(|(_, entry)| entry)
    }

    fn covers(&self, scope: &HoldScope, asset: AssetId, flow: &Slug, epoch: EpochId) -> bool {
        match scope {
            HoldScope::Epochs(epochs) => epochs.contains(&epoch),
            HoldScope::Flows { asset: None, flows } => flows.contains(flow),
            HoldScope::Flows { asset: Some(of), flows } => {
                flows.contains(flow) && self.asset(*of) == self.asset(asset)
            }
        }
    }

    pub(crate) fn erasure_excepted(
        &self,
        erasure: EntryHash,
        asset: AssetId,
        flow: &Slug,
        epoch: EpochId,
    ) -> Option<(EntryHash, UtcMicros)> {
        let mut longest: Option<(EntryHash, UtcMicros)> = None;
        for (entry, kept) in &self.kept {
            let covers = kept.erasure == erasure && self.covers(&kept.scope, asset, flow, epoch);
            let lasts = kept.until > self.now();
            if covers && lasts && longest.is_none_or(|(_, longest)| longest <= kept.until) {
                longest = Some((*entry, kept.until));
            }
        }
        longest
    }

    pub(crate) fn notice_told(&self, notice: &str, subject: SubjectId) -> Option<EntryHash> {
        let notice = notice.parse().expect("a text");
        self.told.get(&(notice, self.subject(subject))).copied()
    }

    pub(crate) fn milestone(&self, whom: Whom, milestone: Milestone) -> Option<(EntryHash, UtcMicros)> {
        self.milestones.get(&(self.whom(whom), milestone)).copied()
    }

    pub(crate) fn account(&self, subject: SubjectId) -> Option<EntryHash> {
        self.accounts.get(&self.subject(subject)).copied()
    }

    pub(crate) fn disclosure(&self, asset: AssetId, flow: &Slug) -> Option<Disclosed> {
        let asset = self.asset(asset);
        let mut longest: Option<Disclosed> = None;
        for (entry, approved) in &self.disclosures {
            let open = approved.assets.iter().any(|of| self.asset(*of) == asset)
                && approved.flows.contains(flow)
                && !self.ended_disclosures.contains(entry)
                && approved.until > self.now();
            if open && longest.is_none_or(|longest| longest.until <= approved.until) {
                let (until, ground) = (approved.until, approved.ground);
                longest = Some(Disclosed { entry: *entry, until, ground });
            }
        }
        longest
    }

    pub(crate) fn erasure(&self, whom: Whom, purpose: &Slug) -> Option<(EntryHash, UtcMicros)> {
        let whom = self.whom(whom);
        self.erasures
            .iter()
            .rfind(|(of, only, ..)| *of == whom && only.as_ref().is_none_or(|only| only == purpose))
            .map(|(_, _, entry, at)| (*entry, *at))
    }

    pub(crate) fn agreement(&self, processor: &ControllerId) -> Option<Agreement> {
        let (entry, agreed) = self.agreements.get(processor)?;
        if self.ended_agreements.contains(entry) || agreed.until <= self.now() {
            return None;
        }
        let ProcessorAgreed { name, scope, until, .. } = agreed.clone();
        Some(Agreement { entry: *entry, name, scope, until })
    }

    pub(crate) fn pauses(&self, recipient: &Slug, purpose: &Slug) -> Vec<(EntryHash, PauseGround)> {
        let about = self.pauses.iter().filter(|(_, of)| of.recipient == *recipient && of.purpose == *purpose);
        let open = about.filter(|(entry, _)| !self.ended_pauses.contains(entry));
        open.map(|(entry, of)| (*entry, of.ground)).collect()
    }

    pub(crate) fn closed_by_unknown(&self, asset: AssetId) -> Option<EntryHash> {
        let asset = self.asset(asset);
        self.closed
            .iter()
            .find(|(of, _)| of.is_none_or(|of| self.asset(of) == asset))
            .map(|(_, entry)| *entry)
    }
}
