//! The state in memory as a cache of the store. Any number of processes may
//! serve a controller over one database: each request looks at the revision
//! first (one row), takes over what others recorded since, and records only
//! what was computed from the state that holds.
//!
//! What others record is heard of at once (PostgreSQL's NOTIFY); whoever waits
//! looks by itself once a second in case that fails.

use crate::{
    controller::{Controller, Controllers, State},
    refusal::Refusal,
};
use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};
use tokio::{
    sync::MutexGuard,
    task::JoinSet,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use vernport_api::Code;
use vernport_policy::{Rules, Tip};
use vernport_registry::{Entry, Touched};
use vernport_store::{Current, Heard, Listener, Loaded, Revision, Store, StoreError, Turn};
use vernport_types::chain;

/// How often something is computed anew because others recorded something meanwhile.
pub(crate) const ATTEMPTS: u32 = 8;
/// How old what is known of the revision may be for somebody who waits.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The pause before listening again after that failed.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);

/// Why a ledger is not in memory.
#[derive(Debug)]
pub(crate) enum LoadError {
    Store(StoreError),
    Entry,
    OtherRules,
    /// The database is from before what this process has answered for.
    SetBack,
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
            LoadError::OtherRules => {
                let detail = "another process of central serves with another bundle; ask that one";
                Self::new(Code::Busy, detail)
            }
            LoadError::SetBack => {
                let detail = "central's database was set back while it ran: whoever runs it has to stop it and bring \
                              the registry back";
                Self::new(Code::Busy, detail)
            }
        }
    }
}

/// Why something that was computed does not hold.
#[derive(Debug)]
pub(crate) enum NotAdopted {
    /// Others recorded something meanwhile.
    Stale,
    Refused(Refusal),
}

impl From<Refusal> for NotAdopted {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<LoadError> for NotAdopted {
    fn from(error: LoadError) -> Self {
        Self::Refused(error.into())
    }
}

impl From<StoreError> for NotAdopted {
    fn from(error: StoreError) -> Self {
        Self::Refused(error.into())
    }
}

/// When something was tried [`ATTEMPTS`] times.
pub(crate) fn overtaken() -> Refusal {
    Refusal::new(Code::Busy, "others record all the time; ask again later")
}

impl Controller {
    /// The state, at least as new as the store was when this was called.
    pub(crate) async fn locked(&self) -> Result<MutexGuard<'_, State>, LoadError> {
        // Before the lock: while the database cannot be reached, nobody waits for others' attempts.
        let mut current = self.current().await?;
        let mut state = self.state.lock().await;
        state.looked_at = Instant::now();
        if state.revision > current.revision {
            // Somebody here was faster; or the database is an older one now.
            current = self.current().await?;
            state.is_stored &= state.revision <= current.revision;
        }
        if !state.is_stored || state.revision < current.revision {
            self.catch_up(&mut state).await?;
        }
        Ok(state)
    }

    /// The state, for somebody who waits: no more than a second older.
    pub(crate) async fn locked_lately(&self) -> Result<MutexGuard<'_, State>, LoadError> {
        let mut state = self.state.lock().await;
        if state.is_stored && state.looked_at.elapsed() < LOOK_EVERY {
            return Ok(state);
        }
        // Of all who wait, one looks.
        state.looked_at = Instant::now();
        drop(state);
        self.locked().await
    }

    /// Sees to it that all that is recorded lies in the journal of this process, which will answer for it.
    pub(crate) async fn journaled(&self) -> Result<(), Refusal> {
        drop(self.locked().await?);
        Ok(self.store.settle_journal().await?)
    }

    /// The turn to record, and with it the state that nobody else changes meanwhile.
    pub(crate) async fn turn(&self, state: &mut State) -> Result<Turn, LoadError> {
        let turn = self.store.turn(&self.id).await?;
        if turn.revision != state.revision {
            self.catch_up(state).await?;
        }
        Ok(turn)
    }

    /// Takes over what others recorded; reads everything if what is in memory may not be stored. INVARIANT: what
    /// was recorded is never forgotten by a process with a journal. A database that knows less, a standby that
    /// lagged or a backup put in its place, is told from the journal at a start; here, by its revision.
    pub(crate) async fn catch_up(&self, state: &mut State) -> Result<(), LoadError> {
        if self.counted.is_set_back.load(Relaxed) {
            return Err(LoadError::SetBack);
        }
        let behind = if state.is_stored { state.revision } else { Revision::NONE };
        let loaded = self.store.load(&self.id, behind).await?;
        if loaded.revision < state.revision && self.store.has_journal() {
            state.is_stored = false;
            self.counted.is_set_back.store(true, Relaxed);
            tracing::error!(
                controller = %self.id,
                "the database was set back to an older state while central ran: nothing is answered any more; stop \
                 every central on it, run `vernport registry restored`, and start again"
            );
            return Err(LoadError::SetBack);
        }
        if loaded.rules != Some(self.rules.hash()) {
            return Err(LoadError::OtherRules);
        }
        if !state.is_stored {
            let mut fresh = State::empty(self.id.clone());
            fresh.watches = std::mem::take(&mut state.watches);
            (fresh.floor, fresh.looked_at) = (state.floor, state.looked_at);
            *state = fresh;
        }
        state.is_stored = false;
        let is_longer = !loaded.entries.is_empty();
        state.take_over(&self.rules, loaded).ok_or(LoadError::Entry)?;
        state.is_stored = true;
        if is_longer {
            self.entered.send_replace(());
        }
        Ok(())
    }

    async fn current(&self) -> Result<Current, LoadError> {
        let current = self.store.current(&self.id).await?;
        if current.rules == Some(self.rules.hash()) { Ok(current) } else { Err(LoadError::OtherRules) }
    }

    /// Brings memory and whoever waits up to what another process recorded, whenever one did.
    async fn follow_others(&self) {
        loop {
            self.recorded.notified().await;
            let brought = async {
                let mut state = self.locked().await?;
                let now = state.now(&*self.clock);
                self.refresh(&mut state, now).await
            };
            if let Err(Refusal(problem)) = brought.await {
                // Whoever waits tries by itself within a second.
                tracing::warn!(%problem, "what another process recorded could not be taken over");
            }
        }
    }
}

impl State {
    /// None if something stored cannot be read. What it bears on is computed at the next [refresh](Controller::refresh).
    fn take_over(&mut self, rules: &Rules, loaded: Loaded) -> Option<()> {
        for row in &loaded.entries {
            let entry: Entry = serde_json::from_slice(&row.json).ok()?;
            let applied = self.facts.replay(&entry).ok()?;
            // Whoever recorded it was there: a process that starts with its clock behind would undo that.
            self.floor = self.floor.max(entry.recorded_at);
            if !applied.duplicate {
                self.note(rules, &entry, applied);
            }
        }
        for tip in loaded.tips {
            let at = Tip { segment: tip.segment, sequence: tip.sequence, link: tip.link };
            self.segments.insert(tip.gateway, at);
        }
        let keys = loaded.keys.into_iter().map(|key| (key.key_id, (key.recipient, key.purpose)));
        self.keys = keys.collect();
        self.revision = loaded.revision;
        if self.touched != Touched::All {
            for grant in &loaded.grants {
                self.touch(self.facts.touched_asset(grant.asset));
            }
        }
        self.book.take_over(loaded.grants, loaded.aliases)
    }
}

/// Listens for all controllers until `shutdown`; over SQLite there is nothing to hear.
pub(crate) async fn listen(store: Arc<Store>, controllers: Arc<Controllers>, shutdown: CancellationToken) {
    let hearing = async {
        let mut followers = JoinSet::new();
        for id in controllers.ids() {
            let controllers = Arc::clone(&controllers);
            followers.spawn(async move {
                if let Some(controller) = controllers.get(&id) {
                    controller.follow_others().await;
                }
            });
        }
        loop {
            match store.listen().await {
                Ok(None) => return,
                Ok(Some(listener)) => {
                    let Err(error) = hear(listener, &controllers).await;
                    tracing::warn!(error = chain(&error), "other processes are not heard for a while");
                }
                Err(error) => tracing::warn!(error = chain(&error), "other processes are not heard yet"),
            }
            sleep(LISTEN_AGAIN).await;
        }
    };
    tokio::select! {
        biased;
        () = hearing => {}
        () = shutdown.cancelled() => {}
    }
}

async fn hear(
    mut listener: Listener,
    controllers: &Controllers,
) -> Result<std::convert::Infallible, StoreError> {
    // Anything may have happened before.
    let mut heard = Heard::Anything;
    loop {
        match heard {
            Heard::Recorded(id) => controllers.get(&id).into_iter().for_each(|of| of.recorded.notify_one()),
            Heard::Applied(id) => {
                controllers.get(&id).into_iter().for_each(|of| of.applied.send_replace(()));
            }
            Heard::Anything => {
                for controller in controllers.all() {
                    controller.recorded.notify_one();
                    controller.applied.send_replace(());
                }
            }
        }
        heard = listener.next().await?;
    }
}
