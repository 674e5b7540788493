//! One controller's live state: its facts, its grants and what each of its
//! gateways knows; changed only together with the store.

use crate::{
    StartError,
    book::{Book, Changes, Draft},
    cache::{ATTEMPTS, LoadError, NotAdopted, overtaken},
    chain,
    deps::ControllerDeps,
    feed::Watch,
    refusal::Refusal,
    tls::Peer,
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Instant,
};
use tokio::sync::{Mutex, Notify, watch};
use tokio_util::sync::CancellationToken;
use vernport_api::{Answer, Code, LedgerRequest};
use vernport_crypto::{IdentityKey, SigningKey, VerifyingKey, WrappingKey};
use vernport_policy::{GrantId, Rules, Snapshot, SnapshotFor, Tip, snapshot};
use vernport_registry::{Entry, Event, Facts, GatewayEnrolled, Touched};
use vernport_store::{Change, CommitError, Incoming, RecordError, Revision, Store, Turn};
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
            if store.current(&id).await?.rules != Some(deps.rules.hash()) {
                store.claim_rules(&id, &deps.rules.hash()).await?;
            }
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
                applied: watch::Sender::new(()),
                recorded: Notify::new(),
            };
            let state = controller.locked().await.map_err(|error| match error {
                LoadError::Store(error) => StartError::Store(error),
                LoadError::Entry => StartError::Ledger { controller: id.clone() },
                LoadError::OtherRules => StartError::OtherRules { controller: id.clone() },
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

    pub(crate) fn ids(&self) -> Vec<ControllerId> {
        self.0.keys().cloned().collect()
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Controller> {
        self.0.values()
    }

    pub(crate) fn find(&self, id: &ControllerId) -> Option<&Controller> {
        self.0.get(id)
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
    pub(crate) state: Mutex<State>,
    /// Cancelled when central stops: nobody waits any longer.
    pub(crate) shutdown: CancellationToken,
    /// Whenever a snapshot changed.
    pub(crate) changed: watch::Sender<()>,
    /// Whenever a gateway told that it applied one, here or at another process.
    pub(crate) applied: watch::Sender<()>,
    /// Whenever another process recorded something.
    pub(crate) recorded: Notify,
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
    pub(crate) floor: UtcMicros,
    refreshed_at: UtcMicros,
    /// When the first open grant ends by itself.
    next_end: UtcMicros,
    /// What of the store this is.
    pub(crate) revision: Revision,
    /// When the store was last asked for its revision.
    pub(crate) looked_at: Instant,
    /// Whether the snapshots are older than what they are computed from, and for which assets
    /// closed grants are to be asked about again then.
    pub(crate) is_behind: bool,
    pub(crate) touched: Touched,
    /// INVARIANT: false while memory may differ from the store; whoever finds
    /// it false loads again. So a request that breaks off in between harms nobody.
    pub(crate) is_stored: bool,
}

impl State {
    pub(crate) fn empty(id: ControllerId) -> Self {
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
            revision: Revision::NONE,
            looked_at: Instant::now(),
            is_behind: false,
            touched: Touched::none(),
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

    /// Brings grants and snapshots up to `now`: what is open, to the moment at
    /// which it ends; what is closed, now and then, and `asked` grants in any case.
    pub(crate) async fn refresh(
        &self,
        state: &mut State,
        asked: &[GrantId],
        now: UtcMicros,
    ) -> Result<(), Refusal> {
        for _ in 0..ATTEMPTS {
            let due = now >= state.next_end || now >= state.refreshed_at.plus_micros(REFRESH_MICROS);
            if !due && !state.is_behind && !asked.iter().any(|id| state.book.may_change(*id)) {
                return Ok(());
            }
            let again = |id: GrantId, asset| due || asked.contains(&id) || state.touched.includes(asset);
            let computed = self.compute(state, now, again);
            let adopted = self.adopt(state, None, computed, Change::default(), now).await;
            // Nothing in memory rests on what was not recorded.
            state.is_stored = true;
            match adopted {
                Ok(()) => return Ok(()),
                Err(NotAdopted::Stale) => self.catch_up(state).await?,
                Err(NotAdopted::Refused(refusal)) => return Err(refusal),
            }
        }
        Err(overtaken())
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
        turn: Option<Turn>,
        computed: Computed,
        mut change: Change,
        now: UtcMicros,
    ) -> Result<(), NotAdopted> {
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
            let recorded = match turn {
                Some(turn) => self.store.record_in(turn, &self.id, state.revision, &change, now).await,
                None => self.store.record(&self.id, state.revision, &change, now).await,
            };
            state.revision = recorded.map_err(|error| match error {
                RecordError::Stale => NotAdopted::Stale,
                RecordError::ReferenceReused { item } => {
                    Refusal::new(Code::ExternalRefReused, "choose a new external_ref").at_item(item).into()
                }
                RecordError::Store(error) => {
                    tracing::error!(error = chain(&error), "a change could not be recorded");
                    error.into()
                }
            })?;
        }
        (state.is_behind, state.touched) = (false, Touched::none());
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
                Some(watch) => changed |= watch.hold(snapshot, state.revision),
                None => {
                    state.watches.insert(gateway, Watch::new(snapshot, state.revision));
                    changed = true;
                }
            }
        }
        if changed {
            self.changed.send_replace(());
        }
        Ok(())
    }

    /// The key that a gateway was enrolled with, whether or not it still is:
    /// what it sealed before is still lawful.
    pub(crate) async fn device_key(&self, gateway: &Slug) -> Result<VerifyingKey, Refusal> {
        let state = self.locked().await?;
        state.places.get(gateway).map(|place| place.device_key).ok_or_else(not_enrolled)
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
