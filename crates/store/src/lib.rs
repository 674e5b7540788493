//! Central's tables: ledger, grants, sealed batches, reads; and, behind a
//! database URL of their own, the erasure keys.
//!
//! Promises:
//! - Nothing stored here opens a batch: envelopes are sealed to recipients, and
//!   their wraps are sealed once more under the erasure key of their key epoch.
//! - A batch is committed once: `batch_seen` is written in the commit's own
//!   transaction, and the same id with other bytes is refused.
//! - A withdrawal that committed before wins: whether a grant stands is asked
//!   in the transaction that commits the batch.
//! - A read is in the log, durably, before an envelope is handed out.
//! - No evidence, no record: the leaf of an entry, a commit or a read stands in its own transaction.
//! - Identifiers of vehicles and ledger entries arrive here sealed.
//! - What was computed from a state that others changed meanwhile is not recorded.
//!
//! The databases are SQLite files or databases of PostgreSQL, chosen by their
//! URLs. Any number of processes may have one and the same PostgreSQL open.
//! The tables and their columns are described in `migrations/` (SQLite) and
//! `migrations/postgres/`; statements are written once for both.
//!
//! With the feature `model` there is a third kind, in memory (module `model`). It says the
//! same promises once more without SQL, for simulations and to be compared with. No
//! daemon is built with it.

#![cfg_attr(
    not(feature = "model"),
    expect(clippy::infallible_destructuring_match, reason = "with the model there is another arm")
)]

/// Who has the tables: SQL's come back from this, the model answers at once.
macro_rules! sql_or {
    ($store:ident, $call:ident($($given:expr),*)) => {
        match &$store.databases {
            crate::Databases::Sql(db) => db,
            #[cfg(feature = "model")]
            crate::Databases::Model(model) => return model.$call($($given),*).await,
        }
    };
}

mod batch;
mod callers;
mod change;
mod deletion;
mod enrolment;
mod era;
mod erase;
mod erasure;
mod error;
mod evidence;
mod fleet_number;
mod grant;
mod journal;
mod journaled;
mod ledger;
mod link;
mod listen;
mod look;
#[cfg(feature = "model")]
pub mod model;
mod notice;
mod open;
mod partition;
mod places;
mod read;
mod reseal;
mod revision;
mod rewrap;
mod sql;
mod standing;
mod sweep;
mod witnessed;

pub use batch::{CommitError, Incoming};
pub use callers::{Answered, Begun, EntryRow, KEPT_SECONDS, Keyed, MAX_KEYED};
pub use change::{
    AliasRow, Change, GrantRow, IdentifierRow, Loaded, NewEntry, RecipientKeyRow, RecordedEntry,
};
pub use deletion::DeletionRow;
pub use enrolment::{GatewayCertificate, Invitation, InvitationUsed};
pub use erase::{CertificateRow, Erased, Fence};
pub use error::StoreError;
pub use evidence::LogHead;
pub use fleet_number::{FleetNumberRow, ListedRow};
pub use journal::{Journal, JournalError, MAX_ROW_BYTES, Row, RowKind};
pub use ledger::{RecordError, stand_in_ref};
pub use link::LinkRow;
pub use listen::{Heard, Listener};
pub use look::{Look, Recorded, Things};
pub use notice::NoticeRow;
pub use open::Opened;
pub use places::{Place, Told};
pub use read::{Page, ReadQuery, Released};
pub use revision::{Current, Revision, Turn};
pub use rewrap::Rewrapped;
pub use standing::OpenWork;
pub use sweep::{KeptBatch, LookAt};
pub use witnessed::Witnessed;

use evidence::Pending;
use sql::{Pool, Transaction, sql};
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fmt,
    str::FromStr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicBool},
};
use tokio::sync::{OwnedMutexGuard, Semaphore};
use vernport_crypto::MasterKey;
use vernport_types::{ControllerId, EntryHash};

/// How many turns to record a process may hold at a time, of its connections.
const MAX_TURNS: usize = open::POSTGRES_CONNECTIONS as usize / 2;

/// Central's two databases, and the keys and the journal that belong to them.
pub struct Store {
    databases: Databases,
    /// Wraps erasure keys, seals entries.
    master: MasterKey,
    /// Where every entry and fence is written once more.
    journal: Option<Journaling>,
}

/// A journal, and which entries lie in it.
struct Journaling {
    journal: Journal,
    entries: Mutex<HashSet<EntryHash>>,
    fails: AtomicBool,
}

/// Who has the tables. Everything above them, sealing and the journal, is the same for all.
enum Databases {
    Sql(Sql),
    #[cfg(feature = "model")]
    Model(model::Session),
}

/// Two databases of SQL.
struct Sql {
    main: Pool,
    erasure: Pool,
    /// Who writes next, of those in this process: waiting here is fair, needs no
    /// polling and no connection. SQLite has one writer, PostgreSQL one for each controller.
    turns: Mutex<BTreeMap<Option<ControllerId>, Arc<tokio::sync::Mutex<()>>>>,
    /// How many turns to record may be taken at a time: each holds a connection
    /// while its owner needs others.
    recording: Arc<Semaphore>,
    /// Partitions that are known to be there.
    months: Mutex<BTreeSet<i64>>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    /// Opens both databases, making and migrating them where needed. `master`
    /// wraps the erasure keys.
    ///
    /// # Errors
    /// As [`Opened::open`].
    pub async fn open(main_url: &str, erasure_url: &str, master: MasterKey) -> Result<Self, StoreError> {
        Ok(Self::over(Opened::open(main_url, erasure_url).await?, master))
    }

    /// The store over databases that were opened. `master` wraps the erasure keys.
    pub fn over(opened: Opened, master: MasterKey) -> Self {
        let Opened { main, erasure } = opened;
        let recording = Arc::new(Semaphore::new(MAX_TURNS));
        let (turns, months) = (Mutex::default(), Mutex::default());
        let databases = Databases::Sql(Sql { main, erasure, turns, recording, months });
        Self { databases, master, journal: None }
    }

    /// Waits for running statements and closes both databases.
    pub async fn close(&self) {
        let db = sql_or!(self, close());
        db.main.close().await;
        db.erasure.close().await;
    }
}

impl Sql {
    /// A transaction on the main database that is the only one that writes for
    /// this controller, from its beginning to its end.
    ///
    /// SQLite has one writer anyway. In PostgreSQL each such transaction first
    /// locks the row of its controller. So whoever commits a batch sees every
    /// withdrawal that committed before, a withdrawal waits for the commits that
    /// began before it, positions become visible in their order (a reader that
    /// goes on behind a position misses nothing), and two such transactions
    /// cannot wait for each other. Each statement of a `READ COMMITTED`
    /// transaction sees what was committed until it begins, so what is read
    /// after the lock is what holds.
    async fn write(&self, controller: &ControllerId) -> Result<Write, StoreError> {
        let mut write = self.write_aside(Some(controller)).await?;
        if let Transaction::Postgres(_) = &write.transaction {
            // Not FOR UPDATE: rows of other transactions may refer to this one meanwhile.
            let _: (i64,) =
                sql("SELECT next_position FROM controller WHERE controller = $1 FOR NO KEY UPDATE")
                    .bind(controller.as_str())
                    .fetch_one(&mut write.transaction)
                    .await?;
        }
        Ok(write)
    }

    /// A transaction on the main database that writes beside others: it rests on nothing that they write.
    async fn write_aside(&self, controller: Option<&ControllerId>) -> Result<Write, StoreError> {
        let turn = match (&self.main, controller) {
            (Pool::Sqlite(_), _) => Some(self.next(None)),
            (Pool::Postgres(_), Some(controller)) => Some(self.next(Some(controller))),
            (Pool::Postgres(_), None) => None,
        };
        let turn = match turn {
            Some(turn) => Some(turn.lock_owned().await),
            None => None,
        };
        let (controller, evidence) = (controller.cloned(), Pending::default());
        Ok(Write { transaction: self.main.writing().await?, controller, evidence, _turn: turn })
    }

    fn next(&self, controller: Option<&ControllerId>) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(controller.cloned()).or_default())
    }

    fn months(&self) -> MutexGuard<'_, BTreeSet<i64>> {
        self.months.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A write transaction and the turn to write; rolled back when dropped.
struct Write {
    transaction: Transaction,
    controller: Option<ControllerId>,
    evidence: Pending,
    _turn: Option<OwnedMutexGuard<()>>,
}

impl Write {
    async fn commit(mut self) -> Result<(), StoreError> {
        if let Some(controller) = self.controller.take() {
            self.append_evidence(&controller).await?;
        }
        self.transaction.commit().await
    }
}

/// Reads a column of `N` bytes.
fn bytes<const N: usize>(table: &'static str, column: &[u8]) -> Result<[u8; N], StoreError> {
    column.try_into().map_err(|_| StoreError::Row { table })
}

/// Reads a column of text that has a checked form.
fn text<T: FromStr>(table: &'static str, column: &str) -> Result<T, StoreError> {
    column.parse().map_err(|_| StoreError::Row { table })
}
