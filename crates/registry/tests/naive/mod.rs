//! The naive model: for each question it reads the whole ledger again, sorts
//! what counts into the order of time, and lets one event after the other
//! change a small state. Written from decision note 0005 and not from the
//! code of the crate; it shares nothing with it but the types.

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
        // A receipt is known from the consent it was given for, whenever that was recorded.
        let receipts: BTreeMap<ReceiptCode, Consent> = ledger
            .iter()
            .filter(|(hash, _)| !voided.contains_key(hash))
            .filter_map(|(_, entry)| match &entry.event {
                Event::ConsentGiven(consent) => Some(consent.clone()),
                Event::ConsentRenewed(renewal) => Some(renewal.consent.clone()),
                _ => None,
            })
            .map(|consent| (consent.receipt, consent))
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

    fn happens(&mut self, entry: &Entry, hash: EntryHash, receipts: &BTreeMap<ReceiptCode, Consent>) {
        let at = entry.occurred_at;
        match &entry.event {
            Event::NoticeServed(served) => {
                if served.subject.is_none() {
                    self.notices.entry(served.notice.clone()).or_insert(hash);
                }
            }
            Event::ConsentGiven(consent) => self.given(consent, (hash, at)),
            Event::ConsentRenewed(renewal) => self.given(&renewal.consent, (hash, at)),
            Event::ConsentWithdrawn(withdrawal) => {
                let covers = |naive: &Self, key: &ConsentKey| match &withdrawal.scope {
                    WithdrawalScope::Asset(asset) => naive.asset(*asset) == naive.asset(key.0),
                    WithdrawalScope::Receipt(receipt) => receipts.get(receipt).is_some_and(|consent| {
                        naive.subject(consent.subject) == key.1
                            && consent.role == key.2
                            && consent.purpose == key.3
                            && consent.recipient == key.4
                            && consent.categories.contains(&key.5)
                    }),
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
            Event::OrderClosed(order) => _ = self.closed_orders.insert(order.order),
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
            Event::Unknown(unknown) => {
                if unknown.closes() {
                    self.closed.push((unknown.asset(), hash));
                }
            }
            Event::SubjectMerged(_) | Event::AssetMerged(_) | Event::Voided(_) => {}
        }
    }

    fn given(&mut self, consent: &Consent, (entry, at): (EntryHash, UtcMicros)) {
        for asset in all_assets() {
            for category in &consent.categories {
                let subject = self.subject(consent.subject);
                let (purpose, recipient) = (consent.purpose.clone(), consent.recipient.clone());
                let key = (asset, subject, consent.role, purpose, recipient, *category);
                let (until, form) = (consent.valid_until, consent.form.clone());
                let said = Said::Given { entry, until, form, at };
                self.consents.insert(key, said);
            }
        }
    }

    fn weighed(&mut self, objection: EntryHash, upheld: bool) {
        for (_, objecting) in self.objections.iter_mut().filter(|(_, o)| o.entry == objection) {
            objecting.outcome = Some(upheld);
        }
    }

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
        match self.consents.get(&(asked.asset, subject, asked.role, purpose, recipient, asked.category)) {
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

    pub(crate) fn restriction(&self, whom: Whom, purpose: &Slug) -> Option<EntryHash> {
        let whom = self.whom(whom);
        self.restrictions
            .iter()
            .filter(|(of, r)| *of == whom && !r.lifted)
            .find(|(_, r)| r.purpose.as_ref().is_none_or(|only| only == purpose))
            .map(|(_, r)| r.entry)
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
        let asset = self.asset(asset);
        let mut longest: Option<HoldFacts> = None;
        for held in self.holds.iter().filter(|held| !held.lifted && held.hold.until > self.now()) {
            let covers = match &held.hold.scope {
                HoldScope::Epochs(epochs) => epochs.contains(&epoch),
                HoldScope::Flows { asset: of, flows } => {
                    flows.contains(flow) && of.is_none_or(|of| self.asset(of) == asset)
                }
            };
            if covers && longest.is_none_or(|longest| longest.until <= held.hold.until) {
                longest =
                    Some(HoldFacts { entry: held.entry, ground: held.hold.ground, until: held.hold.until });
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

    pub(crate) fn closed_by_unknown(&self, asset: AssetId) -> Option<EntryHash> {
        let asset = self.asset(asset);
        self.closed
            .iter()
            .find(|(of, _)| of.is_none_or(|of| self.asset(of) == asset))
            .map(|(_, entry)| *entry)
    }
}

/// At one and the same moment: how the world is, what opens, what closes. A
/// sale comes before links and links before their ends.
fn rank(event: &Event) -> (u8, u8) {
    match event {
        Event::Linked(_) | Event::IdentifierEnded(_) => (0, 1),
        Event::Unlinked(_) => (0, 2),
        event => match event.effect() {
            Effect::States => (0, 0),
            Effect::Opens => (1, 0),
            Effect::Closes => (2, 0),
        },
    }
}
