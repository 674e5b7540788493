//! The naive model: for each question it reads the whole ledger again, sorts
//! what counts into the order of time, and lets one event after the other
//! change a small state. Written from decision note 0005 and not from the
//! code of the crate; it shares nothing with it but the types.

mod answers;

use std::collections::{BTreeMap, BTreeSet};
use vernport_crypto::BlindIndex;
use vernport_registry::*;
use vernport_types::*;

/// What a person last said about one consent.
#[derive(Clone)]
enum Said {
    Given { entry: EntryHash, until: UtcMicros, form: Slug, at: UtcMicros },
    Withdrawn { entry: EntryHash, at: UtcMicros },
}

/// The consent of each receipt, and since when it is known to be a mistake.
type Receipts = BTreeMap<ReceiptCode, (Consent, Option<UtcMicros>)>;
type ConsentKey = (AssetId, SubjectId, Role, Slug, Slug, Category);

struct Restricted {
    entry: EntryHash,
    purpose: Option<Slug>,
    told: Option<UtcMicros>,
    lifted: bool,
}

struct Objecting {
    entry: EntryHash,
    against: Against,
    outcome: Option<bool>,
}

struct Held {
    entry: EntryHash,
    hold: HoldSet,
    lifted: bool,
}

/// A consent as such, by the asset that it was withdrawn at, if any.
struct Receipted {
    consent: Consent,
    withdrawn: bool,
    withdrawn_at: BTreeSet<AssetId>,
}

/// The world at one time.
#[derive(Default)]
pub(crate) struct Naive {
    now: i64,
    assets: BTreeMap<AssetId, AssetId>,
    subjects: BTreeMap<SubjectId, SubjectId>,
    notices: BTreeMap<Text, EntryHash>,
    identifiers: BTreeSet<(AssetId, BlindIndex)>,
    links: BTreeMap<(AssetId, Role, SubjectId), Linked>,
    orders: Vec<OrderFacts>,
    closed_orders: BTreeSet<OrderId>,
    consents: BTreeMap<ConsentKey, Said>,
    objections: Vec<(SubjectId, Objecting)>,
    restrictions: Vec<(Whom, Restricted)>,
    private: BTreeMap<AssetId, EntryHash>,
    enrolments: BTreeMap<Slug, EnrolmentFacts>,
    keys: BTreeMap<(Slug, Slug, KeyId), EntryHash>,
    revoked: BTreeSet<KeyId>,
    holds: Vec<Held>,
    erasures: Vec<(Whom, Option<Slug>, EntryHash, UtcMicros)>,
    closed: Vec<(Option<AssetId>, EntryHash)>,
    told: BTreeMap<(Text, SubjectId), EntryHash>,
    milestones: BTreeMap<(Whom, Milestone), (EntryHash, UtcMicros)>,
    accounts: BTreeMap<SubjectId, EntryHash>,
    disclosures: Vec<(EntryHash, DisclosureApproved)>,
    ended_disclosures: BTreeSet<EntryHash>,
    receipted: Vec<Receipted>,
    times: BTreeMap<EntryHash, UtcMicros>,
    order_ends: BTreeMap<OrderId, UtcMicros>,
    closings: BTreeMap<OrderId, UtcMicros>,
    sales: Vec<(AssetId, UtcMicros)>,
    /// Consents apart from any asset and role.
    personal: BTreeMap<(SubjectId, Slug, Slug, Category), Said>,
    restricted: BTreeMap<EntryHash, Whom>,
    excepted: Vec<(EntryHash, RestrictionExcepted)>,
    kept: Vec<(EntryHash, ErasureExcepted)>,
    agreements: BTreeMap<ControllerId, (EntryHash, ProcessorAgreed)>,
    ended_agreements: BTreeSet<EntryHash>,
    pauses: Vec<(EntryHash, RecipientPaused)>,
    ended_pauses: BTreeSet<EntryHash>,
}

/// All assets of the small world: a consent is kept for each of them apart,
/// because a station withdraws for one.
pub(crate) fn all_assets() -> [AssetId; 3] {
    [1, 2, 3].map(super::samples::asset)
}

impl Naive {
    /// Reads the whole ledger.
    pub(crate) fn read(ledger: &[(EntryHash, Entry)], now: UtcMicros) -> Self {
        let mut voided: BTreeMap<EntryHash, UtcMicros> = BTreeMap::new();
        for (_, entry) in ledger {
            if let Event::Voided(void) = &entry.event {
                let at = voided.entry(void.entry).or_insert(entry.recorded_at);
                *at = (*at).min(entry.recorded_at);
            }
        }
        let mut naive = Self { now: now.0, ..Self::default() };
        for (_, entry) in ledger.iter().filter(|(hash, _)| !voided.contains_key(hash)) {
            match &entry.event {
                Event::AssetMerged(merge) => _ = naive.assets.insert(merge.from, merge.into),
                Event::SubjectMerged(merge) => _ = naive.subjects.insert(merge.from, merge.into),
                _ => {}
            }
        }
        for (hash, entry) in ledger {
            naive.times.insert(*hash, entry.occurred_at);
            match &entry.event {
                Event::RestrictionSet(set) => _ = naive.restricted.insert(*hash, set.whom),
                Event::OrderOpened(order) if !voided.contains_key(hash) => {
                    _ = naive.order_ends.insert(order.order, order.expires_at);
                }
                _ => {}
            }
        }
        let mut counting: Vec<&(EntryHash, Entry)> = ledger
            .iter()
            .filter(|(hash, entry)| {
                let void = voided.get(hash);
                match entry.event.effect() {
                    Effect::Opens => void.is_none() && entry.occurred_at <= now && entry.recorded_at <= now,
                    Effect::States => void.is_none() && entry.occurred_at <= now,
                    Effect::Closes => entry.occurred_at <= now && void.is_none_or(|void| *void > now),
                }
            })
            .collect();
        counting
            .sort_by_key(|(hash, entry)| (entry.occurred_at, rank(&entry.event), entry.recorded_at, *hash));
        // A receipt is known from the consent it was given for, whenever that was recorded,
        // also when it was a mistake: up to when that was recorded.
        let receipts: Receipts = ledger
            .iter()
            .filter_map(|(hash, entry)| match &entry.event {
                Event::ConsentGiven(consent) => Some((consent.clone(), voided.get(hash).copied())),
                Event::ConsentRenewed(renewal) => Some((renewal.consent.clone(), voided.get(hash).copied())),
                _ => None,
            })
            .map(|(consent, mistake)| (consent.receipt, (consent, mistake)))
            .collect();
        for (hash, entry) in counting {
            naive.happens(entry, *hash, &receipts);
        }
        naive
    }

    fn asset(&self, mut asset: AssetId) -> AssetId {
        while let Some(into) = self.assets.get(&asset) {
            asset = *into;
        }
        asset
    }

    fn subject(&self, mut subject: SubjectId) -> SubjectId {
        while let Some(into) = self.subjects.get(&subject) {
            subject = *into;
        }
        subject
    }

    fn whom(&self, whom: Whom) -> Whom {
        match whom {
            Whom::Subject(subject) => Whom::Subject(self.subject(subject)),
            Whom::Asset(asset) => Whom::Asset(self.asset(asset)),
        }
    }

    fn now(&self) -> UtcMicros {
        UtcMicros(self.now)
    }

    fn happens(&mut self, entry: &Entry, hash: EntryHash, receipts: &Receipts) {
        let at = entry.occurred_at;
        match &entry.event {
            Event::NoticeServed(served) => {
                let notice = served.notice.clone();
                match served.subject {
                    None => _ = self.notices.entry(notice).or_insert(hash),
                    Some(subject) => {
                        _ = self.told.entry((notice, self.subject(subject))).or_insert(hash);
                    }
                }
            }
            Event::ConsentGiven(consent) => self.given(consent, (hash, at)),
            Event::ConsentRenewed(renewal) => self.given(&renewal.consent, (hash, at)),
            Event::ConsentWithdrawn(withdrawal) => {
                let covers = |naive: &Self, key: &ConsentKey| match &withdrawal.scope {
                    WithdrawalScope::Asset(asset) => naive.asset(*asset) == naive.asset(key.0),
                    WithdrawalScope::Receipt(receipt) => {
                        receipts.get(receipt).is_some_and(|(consent, mistake)| {
                            mistake.is_none_or(|voided| at <= voided)
                                && naive.subject(consent.subject) == key.1
                                && consent.purpose == key.3
                                && consent.recipient == key.4
                                && (mistake.is_some()
                                    || consent.role == key.2 && consent.categories.contains(&key.5))
                        })
                    }
                    WithdrawalScope::Subject { subject, purpose, recipient, categories } => {
                        naive.subject(*subject) == key.1
                            && purpose.as_ref().is_none_or(|purpose| *purpose == key.3)
                            && recipient.as_ref().is_none_or(|recipient| *recipient == key.4)
                            && (categories.is_empty() || categories.contains(&key.5))
                    }
                };
                let keys: Vec<_> = self.consents.keys().filter(|key| covers(self, key)).cloned().collect();
                for key in keys {
                    self.consents.insert(key, Said::Withdrawn { entry: hash, at });
                }
                self.withdrawn_in_part(&withdrawal.scope, receipts, at);
                self.withdrawn_in_person(&withdrawal.scope, receipts, &Said::Withdrawn { entry: hash, at });
            }
            Event::ObjectionRaised(objection) => {
                let subject = self.subject(objection.subject);
                let against = objection.against.clone();
                self.objections.push((subject, Objecting { entry: hash, against, outcome: None }));
            }
            Event::ObjectionWeighed(outcome) => self.weighed(outcome.objection, false),
            Event::ObjectionUpheld(outcome) => self.weighed(outcome.objection, true),
            Event::RestrictionSet(set) => {
                let purpose = set.purpose.clone();
                let restricted = Restricted { entry: hash, purpose, told: None, lifted: false };
                self.restrictions.push((self.whom(set.whom), restricted));
            }
            Event::RestrictionLiftingAnnounced(lifting) => {
                for (_, restricted) in &mut self.restrictions {
                    if restricted.entry == lifting.restriction {
                        restricted.told.get_or_insert(at);
                    }
                }
            }
            Event::RestrictionLifted(lifted) => {
                for (_, restricted) in &mut self.restrictions {
                    if restricted.entry == lifted.restriction && restricted.told.is_some_and(|told| told < at)
                    {
                        restricted.lifted = true;
                    }
                }
            }
            Event::OrderOpened(order) => self.orders.push(OrderFacts {
                id: order.order,
                assets: order.assets.clone(),
                station: order.station.clone(),
                opened: at,
                expires: order.expires_at,
                entry: hash,
            }),
            Event::OrderClosed(order) => {
                self.closed_orders.insert(order.order);
                self.closings.entry(order.order).or_insert(at);
            }
            Event::AssetIdentified(identified) => {
                _ = self.identifiers.insert((self.asset(identified.asset), identified.index));
            }
            Event::IdentifierEnded(ended) => {
                _ = self.identifiers.remove(&(self.asset(ended.asset), ended.index));
            }
            Event::Linked(link) => {
                let subject = self.subject(link.subject);
                let linked = Linked { subject, entry: hash, until: link.until };
                self.links.insert((self.asset(link.asset), link.role, subject), linked);
            }
            Event::Unlinked(unlink) => {
                let key = (self.asset(unlink.asset), unlink.role, self.subject(unlink.subject));
                self.links.remove(&key);
            }
            Event::OwnerChanged(change) => {
                let asset = self.asset(change.asset);
                self.links.retain(|key, _| key.0 != asset);
                self.sales.push((asset, at));
                for owner in &change.owners {
                    let subject = self.subject(*owner);
                    let linked = Linked { subject, entry: hash, until: None };
                    self.links.insert((asset, Role::Owner, subject), linked);
                }
            }
            Event::PrivateModeStarted(private) => {
                _ = self.private.insert(self.asset(private.asset), hash);
            }
            Event::PrivateModeEnded(private) => _ = self.private.remove(&self.asset(private.asset)),
            Event::GatewayEnrolled(enrolled) => {
                let enrolment = EnrolmentFacts {
                    gateway: enrolled.gateway.clone(),
                    station: enrolled.station.clone(),
                    device_key: enrolled.device_key,
                    pinned: enrolled.pinned,
                    entry: hash,
                };
                self.enrolments.insert(enrolled.gateway.clone(), enrolment);
            }
            Event::EnrolmentEnded(ended) => _ = self.enrolments.remove(&ended.gateway),
            Event::GatewayRevoked(revoked) => _ = self.enrolments.remove(&revoked.gateway),
            Event::RecipientKeyActivated(key) => {
                let name = (key.recipient.clone(), key.purpose.clone(), key.key.key_id());
                self.keys.entry(name).or_insert(hash);
            }
            Event::RecipientKeyRevoked(key) => _ = self.revoked.insert(key.key),
            Event::HoldSet(hold) => self.holds.push(Held { entry: hash, hold: hold.clone(), lifted: false }),
            Event::HoldLifted(lifted) => {
                for held in self.holds.iter_mut().filter(|held| held.entry == lifted.hold) {
                    held.lifted = true;
                }
            }
            Event::ErasureOrdered(erasure) => {
                self.erasures.push((self.whom(erasure.whom), erasure.purpose.clone(), hash, at));
            }
            Event::MilestoneReached(reached) => {
                let whom = self.whom(reached.whom);
                self.milestones.insert((whom, reached.milestone), (hash, at));
                match (whom, reached.milestone) {
                    (Whom::Subject(subject), Milestone::AccountOpened) => {
                        _ = self.accounts.insert(subject, hash);
                    }
                    (Whom::Subject(subject), Milestone::AccountClosed) => {
                        _ = self.accounts.remove(&subject);
                    }
                    _ => {}
                }
            }
            Event::DisclosureApproved(approved) => self.disclosures.push((hash, approved.clone())),
            Event::DisclosureEnded(ended) => _ = self.ended_disclosures.insert(ended.disclosure),
            Event::RestrictionExcepted(excepted) => self.excepted.push((hash, excepted.clone())),
            Event::ErasureExcepted(excepted) => self.kept.push((hash, excepted.clone())),
            Event::ProcessorAgreed(agreed) => {
                _ = self.agreements.insert(agreed.processor.clone(), (hash, agreed.clone()));
            }
            Event::ProcessorEnded(ended) => _ = self.ended_agreements.insert(ended.agreement),
            Event::RecipientPaused(paused) => self.pauses.push((hash, paused.clone())),
            Event::RecipientResumed(resumed) => _ = self.ended_pauses.insert(resumed.pause),
            Event::Unknown(unknown) => {
                if unknown.closes() {
                    self.closed.push((unknown.asset(), hash));
                }
            }
            Event::SubjectMerged(_) | Event::AssetMerged(_) | Event::Voided(_) => {}
        }
    }

    /// A consent that rests on its receipt ends when any part of it is taken back.
    fn withdrawn_in_part(&mut self, scope: &WithdrawalScope, receipts: &Receipts, at: UtcMicros) {
        let mut receipted = std::mem::take(&mut self.receipted);
        for Receipted { consent, withdrawn, withdrawn_at } in &mut receipted {
            let same_person = |subject| self.subject(subject) == self.subject(consent.subject);
            let some_of = |categories: &BTreeSet<Category>| {
                consent.categories.iter().any(|category| categories.contains(category))
            };
            match scope {
                WithdrawalScope::Asset(asset) => {
                    let all = all_assets().into_iter();
                    withdrawn_at.extend(all.filter(|of| self.asset(*of) == self.asset(*asset)));
                }
                WithdrawalScope::Receipt(receipt) => {
                    *withdrawn |= receipts.get(receipt).is_some_and(|(other, mistake)| {
                        mistake.is_none_or(|voided| at <= voided)
                            && same_person(other.subject)
                            && (&other.purpose, &other.recipient) == (&consent.purpose, &consent.recipient)
                            && (mistake.is_some() || other.role == consent.role && some_of(&other.categories))
                    });
                }
                WithdrawalScope::Subject { subject, purpose, recipient, categories } => {
                    *withdrawn |= same_person(*subject)
                        && purpose.as_ref().is_none_or(|purpose| *purpose == consent.purpose)
                        && recipient.as_ref().is_none_or(|recipient| *recipient == consent.recipient)
                        && (categories.is_empty() || some_of(categories));
                }
            }
        }
        self.receipted = receipted;
    }

    fn withdrawn_in_person(&mut self, scope: &WithdrawalScope, receipts: &Receipts, said: &Said) {
        let Said::Withdrawn { at, .. } = *said else { return };
        let covers = |(subject, purpose, recipient, category): &(SubjectId, Slug, Slug, Category)| match scope
        {
            WithdrawalScope::Asset(_) => false,
            WithdrawalScope::Receipt(receipt) => receipts.get(receipt).is_some_and(|(consent, mistake)| {
                mistake.is_none_or(|voided| at <= voided)
                    && self.subject(consent.subject) == *subject
                    && (&consent.purpose, &consent.recipient) == (purpose, recipient)
                    && (mistake.is_some() || consent.categories.contains(category))
            }),
            WithdrawalScope::Subject { subject: of, purpose: p, recipient: r, categories } => {
                self.subject(*of) == *subject
                    && p.as_ref().is_none_or(|p| p == purpose)
                    && r.as_ref().is_none_or(|r| r == recipient)
                    && (categories.is_empty() || categories.contains(category))
            }
        };
        let keys: Vec<_> = self.personal.keys().filter(|key| covers(key)).cloned().collect();
        for key in keys {
            self.personal.insert(key, said.clone());
        }
    }

    fn given(&mut self, consent: &Consent, (entry, at): (EntryHash, UtcMicros)) {
        for category in &consent.categories {
            let (purpose, recipient) = (consent.purpose.clone(), consent.recipient.clone());
            let key = (self.subject(consent.subject), purpose, recipient, *category);
            let said = Said::Given { entry, until: consent.valid_until, form: consent.form.clone(), at };
            self.personal.insert(key, said);
        }
        let (withdrawn, withdrawn_at) = (false, BTreeSet::new());
        self.receipted.push(Receipted { consent: consent.clone(), withdrawn, withdrawn_at });
        for asset in all_assets() {
            for category in &consent.categories {
                let subject = self.subject(consent.subject);
                let (purpose, recipient) = (consent.purpose.clone(), consent.recipient.clone());
                let key = (asset, subject, consent.role, purpose, recipient, *category);
                let said = Said::Given { entry, until: consent.valid_until, form: consent.form.clone(), at };
                self.consents.insert(key, said);
            }
        }
    }

    fn weighed(&mut self, objection: EntryHash, upheld: bool) {
        for (_, objecting) in self.objections.iter_mut().filter(|(_, o)| o.entry == objection) {
            objecting.outcome = Some(upheld);
        }
    }
}

/// At one and the same moment: how the world is, what opens, what closes. A
/// sale comes before links and links before their ends, an account is opened
/// before it is closed.
fn rank(event: &Event) -> (u8, u8) {
    match event {
        Event::Linked(_) | Event::IdentifierEnded(_) => (0, 1),
        Event::Unlinked(_) => (0, 2),
        Event::MilestoneReached(reached) if reached.milestone == Milestone::AccountClosed => (0, 1),
        event => match event.effect() {
            Effect::States => (0, 0),
            Effect::Opens => (1, 0),
            Effect::Closes => (2, 0),
        },
    }
}
