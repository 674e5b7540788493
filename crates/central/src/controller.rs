//! One controller's live state: its facts, its grants and what each of its
//! gateways knows; changed only together with the store.

use crate::{
    StartError,
    book::{Book, Changes, Draft},
    chain,
    deps::ControllerDeps,
    feed::Watch,
    refusal::Refusal,
    tls::Peer,
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};
use tokio::sync::{Mutex, MutexGuard, watch};
use tokio_util::sync::CancellationToken;
use vernport_api::{Answer, Code, LedgerRequest};
use vernport_crypto::{IdentityKey, SigningKey, VerifyingKey, WrappingKey};
use vernport_policy::{GrantId, Rules, Snapshot, SnapshotFor, Tip, snapshot};
use vernport_registry::{Entry, Event, Facts, GatewayEnrolled, Touched};
use vernport_store::{Change, CommitError, Incoming, RecordError, Store, StoreError};
use vernport_types::{AssetId, Catalogue, Clock, ControllerId, KeyId, Slug, UtcMicros};

/// How often grants are computed again although nothing was said and nothing
/// is known to end: something said may begin to hold at a later time.
const REFRESH_MICROS: i64 = 5_000_000;

/// The controllers that this central serves.
pub(crate) struct Controllers(BTreeMap<ControllerId, Controller>);

impl Controllers {
    /// Reads the ledgers of all controllers.
    pub(crate) async fn load(
        store: &Arc<Store>,
        head_key: SigningKey,
        clock: Arc<dyn Clock>,
        controllers: Vec<ControllerDeps>,
        shutdown: &CancellationToken,
    ) -> Result<Self, StartError> {
        let head_key = Arc::new(head_key);
        let mut loaded = BTreeMap::new();
        for deps in controllers {
            let id = deps.rules.controller().clone();
            store.add_controller(&id).await?;
            let controller = Controller {
                id: id.clone(),
                rules: deps.rules,
                catalogue: deps.catalogue,
                identity_key: deps.identity_key,
                recovery_key: deps.recovery_key,
                head_key: Arc::clone(&head_key),
                store: Arc::clone(store),
                clock: Arc::clone(&clock),
                state: Mutex::new(State::empty(id.clone())),
                shutdown: shutdown.clone(),
                changed: watch::Sender::new(()),
            };
            let state = controller.locked().await.map_err(|error| match error {
                LoadError::Store(error) => StartError::Store(error),
                LoadError::Entry => StartError::Ledger { controller: id.clone() },
            })?;
            let news = controller.enrolments(&state, &deps.gateways);
            drop(state);
            if !news.is_empty() {
                let asked = LedgerRequest { entries: news, identifiers: Vec::new(), wait_ms: 0 };
                controller.record(asked).await.map_err(|refusal| StartError::Enrol {
                    controller: id.clone(),
                    problem: refusal.0.to_string(),
                })?;
            }
            loaded.insert(id, controller);
        }
        Ok(Self(loaded))
    }

    /// The controller of a peer's certificate.
    pub(crate) fn of(&self, peer: &Peer) -> Result<&Controller, Refusal> {
        self.0.get(&peer.controller).ok_or_else(|| {
            Refusal::new(
                Code::OtherController,
                "this central does not serve the controller of the certificate",
            )
        })
    }
}

/// One controller.
pub(crate) struct Controller {
    pub(crate) id: ControllerId,
    pub(crate) rules: Rules,
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) identity_key: IdentityKey,
    pub(crate) recovery_key: WrappingKey,
    pub(crate) head_key: Arc<SigningKey>,
    pub(crate) store: Arc<Store>,
    pub(crate) clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Cancelled when central stops: nobody waits any longer.
    pub(crate) shutdown: CancellationToken,
    /// Whenever a snapshot changed or a gateway told that it applied one.
    pub(crate) changed: watch::Sender<()>,
}

pub(crate) struct State {
    pub(crate) facts: Facts,
    pub(crate) book: Book,
    /// Every gateway that was ever enrolled, as it was last.
    pub(crate) places: BTreeMap<Slug, GatewayEnrolled>,
    /// Active keys, with recipient and purpose.
    pub(crate) keys: BTreeMap<KeyId, (Slug, Slug)>,
    pub(crate) watches: HashMap<Slug, Watch>,
    /// How much of what was said at each station the facts know.
    pub(crate) segments: BTreeMap<Slug, Tip>,
    /// No time before this counts any more: a clock set back reopens nothing.
    floor: UtcMicros,
    refreshed_at: UtcMicros,
    /// When the first open grant ends by itself.
    next_end: UtcMicros,
    /// INVARIANT: false while memory may differ from the store; whoever finds
    /// it false loads again. So a request that breaks off in between harms nobody.
    pub(crate) is_stored: bool,
}

impl State {
    fn empty(id: ControllerId) -> Self {
        Self {
            facts: Facts::new(id),
            book: Book::default(),
            places: BTreeMap::new(),
            keys: BTreeMap::new(),
            watches: HashMap::new(),
            segments: BTreeMap::new(),
            floor: UtcMicros(i64::MIN),
            refreshed_at: UtcMicros(i64::MIN),
            next_end: UtcMicros(i64::MIN),
            is_stored: false,
        }
    }

    /// The time that counts.
    pub(crate) fn now(&mut self, clock: &dyn Clock) -> UtcMicros {
        self.floor = self.floor.max(clock.now().wall);
        self.floor
    }

    pub(crate) fn note_place(&mut self, entry: &Entry) {
        if let Event::GatewayEnrolled(enrolled) = &entry.event {
            self.places.insert(enrolled.gateway.clone(), enrolled.clone());
        }
    }
}

/// Why a ledger is not in memory.
#[derive(Debug)]
pub(crate) enum LoadError {
    Store(StoreError),
    Entry,
}

impl From<StoreError> for LoadError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<LoadError> for Refusal {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Store(error) => error.into(),
            LoadError::Entry => Self::new(Code::Internal, "the ledger cannot be read; update central"),
        }
    }
}

/// What holds now, not yet recorded.
pub(crate) struct Computed {
    pub(crate) changes: Changes,
    pub(crate) snapshots: Vec<(Slug, Snapshot)>,
    keys: BTreeMap<KeyId, (Slug, Slug)>,
}

impl Controller {
    pub(crate) fn id(&self) -> &ControllerId {
        &self.id
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// The state, read from the store first where it has to be.
    pub(crate) async fn locked(&self) -> Result<MutexGuard<'_, State>, LoadError> {
        let mut state = self.state.lock().await;
        if !state.is_stored {
            let loaded = self.store.load(&self.id).await?;
            let mut fresh = State::empty(self.id.clone());
            for row in &loaded.entries {
                let entry: Entry = serde_json::from_slice(&row.json).map_err(|_| LoadError::Entry)?;
                fresh.facts.replay(&entry).map_err(|_| LoadError::Entry)?;
                fresh.note_place(&entry);
            }
            for tip in &loaded.tips {
                let at = Tip { segment: tip.segment, sequence: tip.sequence, link: tip.link };
                fresh.segments.insert(tip.gateway.clone(), at);
            }
            fresh.book = Book::from_stored(loaded).ok_or(LoadError::Entry)?;
            fresh.watches = std::mem::take(&mut state.watches);
            fresh.floor = state.floor;
            fresh.is_stored = true;
            *state = fresh;
        }
        Ok(state)
    }

    /// Brings grants and snapshots up to `now`: what is open, to the moment at
    /// which it ends; what is closed, now and then, and `asked` grants in any case.
    pub(crate) async fn refresh(
        &self,
        state: &mut State,
        asked: &[GrantId],
        now: UtcMicros,
    ) -> Result<(), Refusal> {
        let due = now >= state.next_end || now >= state.refreshed_at.plus_micros(REFRESH_MICROS);
        if !due && !asked.iter().any(|id| state.book.may_change(*id)) {
            return Ok(());
        }
        let computed = self.compute(state, now, |id, _| due || asked.contains(&id));
        self.adopt(state, computed, Change::default(), now).await
    }

    /// Computes what holds now. Closed grants are asked about again if `again` says so.
    pub(crate) fn compute(
        &self,
        state: &State,
        now: UtcMicros,
        again: impl Fn(GrantId, AssetId) -> bool,
    ) -> Computed {
        let State { facts, book, .. } = state;
        let mut draft = Draft::new(book);
        let mut snapshots = Vec::with_capacity(state.places.len());
        for gateway in state.places.keys() {
            let snapshot = match facts.enrolment(gateway, now) {
                Some(enrolment) => {
                    let whom = SnapshotFor {
                        gateway: gateway.clone(),
                        at: enrolment.station,
                        recovery: self.recovery_key,
                        closed: Vec::new(),
                    };
                    snapshot(facts, &self.rules, whom, now, draft.at(gateway))
                }
                None => self.nothing_open(gateway),
            };
            snapshots.push((gateway.clone(), snapshot));
        }
        let changes = draft.changes(facts, &self.rules, now, |id, known| again(id, known.opening.asset));
        for (gateway, snapshot) in &mut snapshots {
            snapshot.closed = draft.closed_at(gateway, &changes, now);
        }
        let mut keys = BTreeMap::new();
        for flow in self.rules.flows() {
            for (key, _) in facts.recipient_keys(&flow.recipient, &flow.purpose, now) {
                keys.insert(key.key_id(), (flow.recipient.clone(), flow.purpose.clone()));
            }
        }
        Computed { changes, snapshots, keys }
    }

    /// What a gateway hears after its enrolment ended.
    fn nothing_open(&self, gateway: &Slug) -> Snapshot {
        Snapshot {
            format: Snapshot::FORMAT,
            controller: self.id.clone(),
            gateway: gateway.clone(),
            bundle_hash: self.rules.hash(),
            identify_open: false,
            grants: Vec::new(),
            closed: Vec::new(),
            recipient_keys: Vec::new(),
            recovery: self.recovery_key,
        }
    }

    /// Records what was computed (with `change`, if entries came in) and makes
    /// it what holds. When this returns, it is durable.
    pub(crate) async fn adopt(
        &self,
        state: &mut State,
        computed: Computed,
        mut change: Change,
        now: UtcMicros,
    ) -> Result<(), Refusal> {
        let Computed { changes, snapshots, keys } = computed;
        change.opened.clone_from(&changes.opened);
        change.closed.clone_from(&changes.closed);
        change.aliases.clone_from(&changes.aliases);
        for (key_id, (recipient, purpose)) in &keys {
            if !state.keys.contains_key(key_id) {
                change.recipient_keys.push(vernport_store::RecipientKeyRow {
                    key_id: *key_id,
                    recipient: recipient.clone(),
                    purpose: purpose.clone(),
                    active_from: now,
                });
            }
        }
        change.revoked_keys.extend(state.keys.keys().filter(|key| !keys.contains_key(key)));
        if !change.is_empty() {
            state.is_stored = false;
            self.store.record(&self.id, &change, now).await.map_err(|error| match error {
                RecordError::ReferenceReused { item } => {
                    Refusal::new(Code::ExternalRefReused, "choose a new external_ref").at_item(item)
                }
                RecordError::Store(error) => {
                    tracing::error!(error = chain(&error), "a change could not be recorded");
                    error.into()
                }
            })?;
        }
        state.is_stored = true;
        state.keys = keys;
        state.book.adopt(changes, now);
        state.refreshed_at = now;
        let opened =
            snapshots.iter().flat_map(|(_, snapshot)| &snapshot.grants).flat_map(|grant| &grant.flows);
        let ends = opened.map(|flow| flow.believe.until).min();
        state.next_end = ends.unwrap_or(UtcMicros(i64::MAX));
        let mut changed = false;
        for (gateway, snapshot) in snapshots {
            match state.watches.get_mut(&gateway) {
                Some(watch) => changed |= watch.hold(snapshot),
                None => {
                    state.watches.insert(gateway, Watch::new(snapshot));
                    changed = true;
                }
            }
        }
        if changed {
            self.changed.send_replace(());
        }
        Ok(())
    }

    /// The keys that a gateway was enrolled with, whether or not it still is:
    /// what it sealed before is still lawful. At least one.
    pub(crate) async fn device_keys(&self, gateway: &Slug) -> Result<Vec<VerifyingKey>, Refusal> {
        let mut state = self.locked().await?;
        let now = state.now(&*self.clock);
        let keys = state.facts.device_keys(gateway, now);
        if keys.is_empty() { Err(not_enrolled()) } else { Ok(keys) }
    }

    /// Commits batches; whether their grants stand is brought up to this moment first.
    pub(crate) async fn commit(
        &self,
        gateway: &Slug,
        incoming: &[Incoming],
    ) -> Result<Result<Vec<Answer>, CommitError>, Refusal> {
        let grants: Vec<GrantId> = incoming.iter().map(|item| item.grant).collect();
        let mut state = self.locked().await?;
        let now = state.now(&*self.clock);
        self.refresh(&mut state, &grants, now).await?;
        drop(state);
        Ok(self.store.commit(&self.id, gateway, incoming, now).await)
    }
}

pub(crate) fn not_enrolled() -> Refusal {
    Refusal::new(Code::OtherGateway, "this gateway was never enrolled: record gateway-enrolled first")
}

/// The union of two sets of assets.
pub(crate) fn union(one: Touched, other: Touched) -> Touched {
    match (one, other) {
        (Touched::Assets(mut one), Touched::Assets(other)) => {
            one.extend(other);
            Touched::Assets(one)
        }
        _ => Touched::All,
    }
}
