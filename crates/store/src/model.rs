//! The store in memory: what SQLite and PostgreSQL promise, said once more as plain
//! maps. For simulations, which need a store that does the same each time and breaks when
//! told to, and as something to hold the SQL against.
//!
//! A [`Model`] is what lies on the disks: whoever [opens](Model::open) it gets a
//! [`Store`] as any other. Several may be open at a time, as processes of central are over one
//! PostgreSQL: they take [turns](Store::turn) and [hear](Store::listen) each other. Dropping one
//! loses what was not committed and nothing else.
//!
//! How a transaction works: it copies the tables of its controller (a copy shares what it does not
//! change), works on the copy, and at its commit the copy becomes the tables. One transaction of a
//! controller writes at a time, so nobody is overtaken; who waits longer than
//! [`LOCK_TIMEOUT`] is told that the store is busy. Who reads sees the last commit, whole.
//!
//! Promises:
//! - No thread, no clock, no order but that of ids: what differs between two runs is what the
//!   store draws anyway (keys, salts, nonces, names of logs), and never an answer.
//! - It never blocks: it waits by tokio only, also under a paused clock.
//! - Each transaction [asks](Model::on_call) at its begin and at its commit how it goes; the
//!   default is well.
//! - What was committed is not taken back by any fault, and what failed before its commit left nothing.
//!
//! What it is not: sealing is real, but nothing is a file, so "no file holds it" is for the SQL to
//! prove; there are no partitions and no migrations; and transactions that PostgreSQL lets run beside
//! each other in one controller wait for each other here, as in SQLite. A process that hangs in a
//! transaction keeps it until it is dropped; PostgreSQL ends it after 10 s.

mod batches;
mod callers;
mod enrolments;
mod erasures;
mod evidence;
mod fault;
mod fleet_numbers;
mod keys;
mod notices;
mod places;
mod records;
mod standing;
mod sweeps;
mod tables;
mod tape;

pub(crate) use fault::Refused;
pub use fault::{Call, Database, Outcome, When};
pub(crate) use places::Ear;
pub(crate) use tables::Tables as Moment;
pub(crate) use tape::Pen;
pub use tape::Tape;

use crate::{Databases, Heard, Look, Store, StoreError};
use fault::{Hook, gone};
use keys::KeyTable;
use sqlx::{Error, migrate::MigrateError};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tables::Tables;
use tokio::{
    sync::{OwnedMutexGuard, broadcast},
    time::timeout,
};
use vernport_crypto::MasterKey;
use vernport_types::ControllerId;

/// How long a transaction waits for another one, as `lock_timeout` in PostgreSQL.
pub const LOCK_TIMEOUT: Duration = Duration::from_secs(2);
/// How much a listener may be behind before it is told that anything may have happened.
const MAX_UNHEARD: usize = 64;

/// Both databases, as they lie on their disks. A handle: clones are the same databases.
#[derive(Clone, Default)]
pub struct Model(Arc<Inner>);

struct Inner {
    main: Mutex<BTreeMap<ControllerId, Tables>>,
    erasure: Mutex<KeyTable>,
    hook: Hook,
    /// Who writes next of each controller.
    writing: Locks,
    /// Whose turn to record it is.
    turns: Locks,
    heard: broadcast::Sender<Heard>,
}

impl Default for Inner {
    fn default() -> Self {
        let (heard, _) = broadcast::channel(MAX_UNHEARD);
        let (main, erasure) = (Mutex::default(), Mutex::default());
        Self {
            main,
            erasure,
            hook: Hook::default(),
            writing: Locks::default(),
            turns: Locks::default(),
            heard,
        }
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model").finish_non_exhaustive()
    }
}

/// Copies of both databases as of one moment.
#[derive(Clone)]
pub struct Backup {
    main: BTreeMap<ControllerId, Tables>,
    erasure: KeyTable,
}

impl fmt::Debug for Backup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backup").finish_non_exhaustive()
    }
}

impl Model {
    /// Empty databases.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens a store over these databases, as one process of central does. `master` wraps the erasure keys.
    ///
    /// # Errors
    /// [`StoreError::Open`], if the [hook](Self::on_call) says so to the call `open`.
    pub async fn open(&self, master: MasterKey) -> Result<Store, StoreError> {
        for (database, name) in [(Database::Main, "main"), (Database::Erasure, "erasure")] {
            let open = Call { database, operation: "open", when: When::Begin };
            self.0.hook.begin(open).await.map_err(|error| match error {
                StoreError::Statement(error) => {
                    StoreError::Open { database: name, source: MigrateError::Execute(error) }
                }
                other => other,
            })?;
        }
        let session = Session { model: self.clone(), is_closed: AtomicBool::new(false) };
        Ok(Store { databases: Databases::Model(session), master, journal: None })
    }

    /// Looks at a controller's evidence log as it is now, as [`Look::open`] does. Asks no hook.
    pub fn look(&self, controller: ControllerId) -> Look {
        let tables = self.main().get(&controller).cloned().unwrap_or_default();
        Look::at(tables, controller)
    }

    /// Has each call to these databases ask `hook` how it goes, in place of the hook before. A transaction
    /// asks at its begin and, if it writes, at its commit; what only reads asks at its begin.
    pub fn on_call(&self, hook: impl Fn(Call) -> Outcome + Send + Sync + 'static) {
        self.0.hook.set(hook);
    }

    /// Copies both databases.
    pub fn backup(&self) -> Backup {
        Backup { main: self.main().clone(), erasure: self.erasure().clone() }
    }

    /// Databases as they were, each from a copy of its own. Stores over the ones before do not see them.
    pub fn restored(main: &Backup, erasure: &Backup) -> Self {
        let model = Self::default();
        model.main().clone_from(&main.main);
        model.erasure().clone_from(&erasure.erasure);
        model
    }

    /// Takes the last entry's leaf out of a controller's evidence log, as damage would: whoever looks for what
    /// has no evidence can be shown to find it.
    pub fn lose_leaf(&self, controller: &ControllerId) {
        if let Some(tables) = self.main().get_mut(controller)
            && let Some(last) = tables.entries.keys().next_back().copied()
        {
            tables.leaves.retain(|_, (position, _)| *position != last);
        }
    }

    fn main(&self) -> MutexGuard<'_, BTreeMap<ControllerId, Tables>> {
        self.0.main.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn erasure(&self) -> MutexGuard<'_, KeyTable> {
        self.0.erasure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One lock a controller, given in the order of asking.
#[derive(Default)]
struct Locks(Mutex<BTreeMap<ControllerId, Arc<tokio::sync::Mutex<()>>>>);

impl Locks {
    async fn take(&self, controller: &ControllerId) -> Result<OwnedMutexGuard<()>, StoreError> {
        let lock = {
            let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(locks.entry(controller.clone()).or_default())
        };
        timeout(LOCK_TIMEOUT, lock.lock_owned()).await.map_err(|_| Refused::Busy.into())
    }
}

/// What one store has open.
pub(crate) struct Session {
    model: Model,
    is_closed: AtomicBool,
}

impl Session {
    pub(crate) async fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
    }

    /// Asks how the begin of an operation goes.
    async fn ask(&self, database: Database, operation: &'static str) -> Result<(), StoreError> {
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(Error::PoolClosed.into());
        }
        self.model.0.hook.begin(Call { database, operation, when: When::Begin }).await
    }

    /// A transaction that reads: the tables as they were committed last; empty ones of a
    /// controller that is not there.
    async fn reading(
        &self,
        operation: &'static str,
        controller: &ControllerId,
    ) -> Result<Tables, StoreError> {
        self.ask(Database::Main, operation).await?;
        Ok(self.model.main().get(controller).cloned().unwrap_or_default())
    }

    /// A transaction that is the only one that writes for this controller, which has to be there.
    async fn writing(&self, operation: &'static str, controller: &ControllerId) -> Result<Write, StoreError> {
        self.ask(Database::Main, operation).await?;
        let turn = self.model.0.writing.take(controller).await?;
        let tables = self.model.main().get(controller).cloned().ok_or(Error::RowNotFound)?;
        let (model, controller) = (self.model.clone(), controller.clone());
        Ok(Write { model, operation, controller, tables, announced: Vec::new(), _turn: turn })
    }
}

/// A write transaction on a copy of the tables; rolled back when dropped.
struct Write {
    model: Model,
    operation: &'static str,
    controller: ControllerId,
    tables: Tables,
    /// What listeners hear when this commits.
    announced: Vec<Heard>,
    _turn: OwnedMutexGuard<()>,
}

impl Write {
    async fn commit(self) -> Result<(), StoreError> {
        let commit = Call { database: Database::Main, operation: self.operation, when: When::Commit };
        let is_answered = self.model.0.hook.commit(commit).await?;
        self.model.main().insert(self.controller, self.tables);
        for heard in self.announced {
            // Nobody may be listening.
            let _ = self.model.0.heard.send(heard);
        }
        if is_answered { Ok(()) } else { Err(gone()) }
    }
}
