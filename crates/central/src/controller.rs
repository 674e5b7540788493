//! One controller's live state: its facts, its grants and what each of its
//! gateways knows; changed only together with the store.

use crate::{
    StartError,
    book::Book,
    chain,
    compute::{Computed, compute},
    deps::ControllerDeps,
    feed::Watch,
    refusal::Refusal,
    tls::Peer,
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};
use tokio::sync::{Mutex, MutexGuard, Notify, watch};
use tokio_util::sync::CancellationToken;
use vernport_api::{Answer, Code, LedgerRequest};
use vernport_crypto::{IdentityKey, SigningKey, VerifyingKey, WrappingKey};
use vernport_policy::{Agenda, Era, Rules, SignedEra, Tip};
use vernport_registry::{Applied, Entry, Event, Facts, GatewayEnrolled, Touched};
use vernport_store::{Change, CommitError, Incoming, RecordError, Store, StoreError};
use vernport_types::{Catalogue, Clock, ControllerId, KeyId, Slug, UtcMicros};

/// Kinds of entries after which something may have to be erased.
const DUTIES: [&str; 4] = ["erasure-ordered", "hold-lifted", "restriction-lifted", "voided"];

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
                duties: Notify::new(),
                era: era(store, &id).await?,
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

    /// Their ids.
    pub(crate) fn ids(&self) -> Vec<ControllerId> {
        self.0.keys().cloned().collect()
    }

    pub(crate) fn get(&self, id: &ControllerId) -> Option<&Controller> {
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
    state: Mutex<State>,
    /// Cancelled when central stops: nobody waits any longer.
    pub(crate) shutdown: CancellationToken,
    /// Whenever a snapshot changed or a gateway told that it applied one.
    pub(crate) changed: watch::Sender<()>,
    /// Rung when there may be something to erase.
    pub(crate) duties: Notify,
    /// The era of the registry, and what the controller signed to begin it.
    pub(crate) era: (u32, Option<SignedEra>),
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
    /// Where what was said begins to count or ends, later than the last computation.
    agenda: Agenda,
    /// Whose grants may have changed since the last computation.
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
            agenda: Agenda::default(),
            touched: Touched::All,
            is_stored: false,
        }
    }

    /// The time that counts.
    pub(crate) fn now(&mut self, clock: &dyn Clock) -> UtcMicros {
        self.floor = self.floor.max(clock.now().wall);
        self.floor
    }

    /// Notes an entry that the facts took just now.
    pub(crate) fn note(&mut self, rules: &Rules, entry: &Entry, applied: Applied) {
        if let Event::GatewayEnrolled(enrolled) = &entry.event {
            self.places.insert(enrolled.gateway.clone(), enrolled.clone());
        }
        self.agenda.note(rules, entry, applied.entry);
        self.touch(applied.touched);
    }

    /// Has the grants of more assets computed.
    pub(crate) fn touch(&mut self, touched: Touched) {
        let before = std::mem::replace(&mut self.touched, Touched::none());
        self.touched = before.and(touched);
    }

    /// Has computed what begins or ends by now.
    pub(crate) fn pass(&mut self, rules: &Rules, now: UtcMicros) {
        if self.agenda.is_due(rules, now) {
            let touched = self.agenda.pass(&self.facts, rules, now);
            self.touch(touched);
        }
    }

    /// Makes what was computed what holds; says whether a snapshot changed.
    pub(crate) fn take(&mut self, computed: Computed, now: UtcMicros) -> bool {
        self.keys = computed.keys;
        self.book.adopt(computed.changes, now);
        self.touched = Touched::none();
        let mut changed = false;
        for (gateway, snapshot) in computed.snapshots {
            match self.watches.get_mut(&gateway) {
                Some(watch) => changed |= watch.hold(snapshot),
                None => {
                    self.watches.insert(gateway, Watch::new(snapshot));
                    changed = true;
                }
            }
        }
        changed
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
                let applied = fresh.facts.replay(&entry).map_err(|_| LoadError::Entry)?;
                fresh.note(&self.rules, &entry, applied);
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

    /// Brings grants and snapshots up to `now`: what was touched since they were
    /// computed, and what began or ended by itself.
    pub(crate) async fn refresh(&self, state: &mut State, now: UtcMicros) -> Result<(), Refusal> {
        state.pass(&self.rules, now);
        if state.touched.is_empty() {
            return Ok(());
        }
        let computed = self.compute(state, now);
        self.adopt(state, computed, Change::default(), now).await
    }

    /// Computes what holds now.
    pub(crate) fn compute(&self, state: &State, now: UtcMicros) -> Computed {
        compute(&self.rules, self.recovery_key, state, now)
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
        let Computed { changes, keys, .. } = &computed;
        change.opened.clone_from(&changes.opened);
        change.closed.clone_from(&changes.closed);
        change.aliases.clone_from(&changes.aliases);
        for (key_id, (recipient, purpose)) in keys {
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
        // What an earlier attempt recorded and could not put into the journal.
        self.store.settle_journal().await?;
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
        if change.entries.iter().any(|entry| DUTIES.contains(&&*entry.kind)) {
            self.duties.notify_one();
        }
        state.is_stored = true;
        if state.take(computed, now) {
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
        let mut state = self.locked().await?;
        let now = state.now(&*self.clock);
        self.refresh(&mut state, now).await?;
        drop(state);
        Ok(self.store.commit(&self.id, gateway, incoming, now).await)
    }
}

/// The era of a controller's registry.
async fn era(store: &Store, id: &ControllerId) -> Result<(u32, Option<SignedEra>), StoreError> {
    match store.era(id).await? {
        None => Ok((Era::FIRST, None)),
        Some((era, document)) => {
            let document = crate::restored::decode(&document).ok_or(StoreError::Row { table: "era" })?;
            Ok((era, Some(document)))
        }
    }
}

pub(crate) fn not_enrolled() -> Refusal {
    Refusal::new(Code::OtherGateway, "this gateway was never enrolled: record gateway-enrolled first")
}
