//! One controller's live state: its facts, its grants and what each of its
//! gateways knows; changed only together with the store.

use crate::{
    StartError,
    book::Book,
    cache::{ATTEMPTS, LoadError, NotAdopted, overtaken},
    caller::By,
    chain,
    compute::{Computed, compute},
    counted::OfController,
    deps::ControllerDeps,
    feed::Watch,
    import::MAX_IMPORTS,
    keyed,
    refusal::Refusal,
    tls::Peer,
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};
use tokio::{
    sync::{Mutex, Notify, Semaphore, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use vernport_api::{Answer, Code, LedgerRequest};
use vernport_crypto::{IdentityKey, SigningKey, VerifyingKey, WrappingKey};
use vernport_mqtt::Endpoint;
use vernport_policy::{Agenda, Era, Rules, SignedEra, Tip};
use vernport_registry::{Applied, Entry, Event, Facts, GatewayEnrolled, MAX_FUTURE_SECONDS, Touched};
use vernport_store::{Change, CommitError, Incoming, RecordError, Revision, Store, StoreError, Turn};
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
                entered: watch::Sender::new(()),
                imports: Semaphore::new(MAX_IMPORTS),
                duties: Notify::new(),
                fleet: deps.fleet,
                notices: Notify::new(),
                counted: OfController::default(),
                era: era(store, &id).await?,
            };
            let state = controller.locked().await.map_err(|error| match error {
                LoadError::Store(error) => StartError::Store(error),
                LoadError::Entry => StartError::Ledger { controller: id.clone() },
                LoadError::OtherRules => StartError::OtherRules { controller: id.clone() },
                LoadError::SetBack => StartError::Restored { controller: id.clone(), missing: 0 },
            })?;
            let mut gateways = deps.gateways;
            let issued = store.certificates_until(&id).await?;
            gateways.retain(|gateway| controller.may_configure(&state, gateway, &issued));
            let news = controller.enrolments(&state, &gateways);
            drop(state);
            if !news.is_empty() {
                let asked = LedgerRequest { entries: news, identifiers: Vec::new(), wait_ms: 0 };
                controller.record(asked, &By::Controller, None).await.map_err(|refusal| {
                    StartError::Enrol { controller: id.clone(), problem: Box::new(refusal.0) }
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

    pub(crate) fn all(&self) -> impl Iterator<Item = &Controller> {
        self.0.values()
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
    pub(crate) state: Mutex<State>,
    /// Cancelled when central stops: nobody waits any longer.
    pub(crate) shutdown: CancellationToken,
    /// Whenever a snapshot changed.
    pub(crate) changed: watch::Sender<()>,
    /// Whenever a gateway told that it applied one, here or at another process.
    pub(crate) applied: watch::Sender<()>,
    /// Whenever another process recorded something.
    pub(crate) recorded: Notify,
    /// Whenever entries were recorded, here or at another process.
    pub(crate) entered: watch::Sender<()>,
    /// Who may import now: each holds a copy of the facts.
    pub(crate) imports: Semaphore,
    /// Rung when there may be something to erase.
    pub(crate) duties: Notify,
    /// The broker of its fleet operators, who are told there what to delete.
    pub(crate) fleet: Option<Endpoint>,
    /// Rung when there may be something to tell them.
    pub(crate) notices: Notify,
    /// What is counted for those who run central.
    pub(crate) counted: OfController,
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
    pub(crate) floor: UtcMicros,
    /// Where what was said begins to count or ends, later than the last computation.
    agenda: Agenda,
    /// Whose grants may have changed since the last computation.
    pub(crate) touched: Touched,
    /// What of the store this is.
    pub(crate) revision: Revision,
    /// When the store was last asked for its revision.
    pub(crate) looked_at: Instant,
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
            revision: Revision::NONE,
            looked_at: Instant::now(),
            is_stored: false,
        }
    }

    /// The time that counts.
    pub(crate) fn now(&mut self, clock: &dyn Clock) -> UtcMicros {
        self.floor = self.floor.max(clock.now().wall);
        self.floor
    }

    /// The time that counts for what is recorded now: not before it happened by the clock of who says it, as far
    /// as the registry lets that clock be ahead. Else a withdrawal would be answered before it counts. INVARIANT:
    /// measured from the time that counts, as the registry does: all that it lets in counts at once.
    pub(crate) fn now_for(&mut self, said: impl Iterator<Item = UtcMicros>, clock: &dyn Clock) -> UtcMicros {
        self.now(clock);
        let mut said: Vec<UtcMicros> = said.collect();
        said.sort_unstable();
        for at in said {
            if at <= self.floor.plus_seconds(MAX_FUTURE_SECONDS) {
                self.floor = self.floor.max(at);
            }
        }
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
                Some(watch) => changed |= watch.hold(snapshot, self.revision),
                None => {
                    self.watches.insert(gateway, Watch::new(snapshot, self.revision));
                    changed = true;
                }
            }
        }
        changed
    }
}

impl Controller {
    pub(crate) fn id(&self) -> &ControllerId {
        &self.id
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Brings grants and snapshots up to `now`: what was touched since they were
    /// computed, and what began or ended by itself.
    pub(crate) async fn refresh(&self, state: &mut State, now: UtcMicros) -> Result<(), Refusal> {
        for _ in 0..ATTEMPTS {
            state.pass(&self.rules, now);
            if state.touched.is_empty() {
                return Ok(());
            }
            let computed = self.compute(state, now);
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

    /// Computes what holds now.
    pub(crate) fn compute(&self, state: &State, now: UtcMicros) -> Computed {
        compute(&self.rules, self.recovery_key, state, now)
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
            let recorded = match turn {
                Some(turn) => self.store.record_in(turn, &self.id, state.revision, &change, now).await,
                None => self.store.record(&self.id, state.revision, &change, now).await,
            };
            state.revision = recorded.map_err(|error| match error {
                RecordError::Stale => NotAdopted::Stale,
                RecordError::Overtaken => keyed::in_use().into(),
                RecordError::ReferenceReused { item } => {
                    Refusal::new(Code::ExternalRefReused, "choose a new external_ref").at_item(item).into()
                }
                // Computed again, it is found used.
                RecordError::InvitationUsed => NotAdopted::Stale,
                RecordError::Store(error) => {
                    tracing::error!(error = chain(&error), "a change could not be recorded");
                    error.into()
                }
            })?;
        }
        if !change.entries.is_empty() {
            self.entered.send_replace(());
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
