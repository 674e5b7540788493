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
//! - Identifiers of vehicles and ledger entries arrive here sealed.
//!
//! The tables and their columns are described in `migrations/`. Statements use
//! `$1` and plain SQL, so that they mean the same to PostgreSQL.

mod batch;
mod change;
mod erasure;
mod grant;
mod ledger;
mod link;
mod places;
mod read;
mod rewrap;

pub use batch::{CommitError, Incoming};
pub use change::{
    AliasRow, Change, GrantRow, IdentifierRow, Loaded, NewEntry, RecipientKeyRow, RecordedEntry,
};
pub use ledger::RecordError;
pub use link::LinkRow;
pub use places::Place;
pub use read::{Page, ReadQuery, Released};
pub use rewrap::Rewrapped;

use sqlx::{
    Sqlite, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{str::FromStr, time::Duration};
use thiserror::Error;
use tokio::sync::{Mutex, MutexGuard};
use vernport_crypto::MasterKey;

/// How long a statement waits for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// Connections to each database; one of them writes.
const MAX_CONNECTIONS: u32 = 4;

/// Why the store did not do what was asked.
#[derive(Debug, Error)]
pub enum StoreError {
    /// A URL is not one of SQLite.
    #[error("the database URL of the {database} database cannot be used: write sqlite://PATH")]
    Url {
        /// `main` or `erasure`.
        database: &'static str,
    },
    /// A database cannot be opened or brought to the form this program knows.
    #[error("the {database} database cannot be opened: check its folder, owner and free space")]
    Open {
        /// `main` or `erasure`.
        database: &'static str,
        /// What failed.
        source: sqlx::migrate::MigrateError,
    },
    /// A statement failed.
    #[error("a statement of the store failed")]
    Statement(#[from] sqlx::Error),
    /// A row does not have the form that this program writes.
    #[error("a row of table {table} cannot be read: restore the database from a backup")]
    Row {
        /// Which table.
        table: &'static str,
    },
}

impl StoreError {
    /// Whether another process held the database for too long: asking again helps.
    pub fn is_busy(&self) -> bool {
        // SQLITE_BUSY is 5, with extended codes in the high bytes (sqlite.org/rescode.html).
        let Self::Statement(sqlx::Error::Database(error)) = self else { return false };
        error.code().and_then(|code| code.parse::<u32>().ok()).is_some_and(|code| code & 0xFF == 5)
    }
}

/// Central's two databases.
#[derive(Debug)]
pub struct Store {
    main: SqlitePool,
    erasure: SqlitePool,
    master: MasterKey,
    /// SQLite has one writer: waiting here is fair and needs no polling.
    writer: Mutex<()>,
}

impl Store {
    /// Opens both databases, making and migrating them where needed. `master`
    /// wraps the erasure keys.
    ///
    /// # Errors
    /// [`StoreError::Url`] and [`StoreError::Open`].
    pub async fn open(main_url: &str, erasure_url: &str, master: MasterKey) -> Result<Self, StoreError> {
        let main = open("main", main_url, SqliteJournalMode::Wal).await?;
        // A WAL would keep copies of deleted keys until its next checkpoint.
        let erasure = open("erasure", erasure_url, SqliteJournalMode::Truncate).await?;
        let broken = |database| move |source| StoreError::Open { database, source };
        sqlx::migrate!("migrations/main").run(&main).await.map_err(broken("main"))?;
        sqlx::migrate!("migrations/erasure").run(&erasure).await.map_err(broken("erasure"))?;
        Ok(Self { main, erasure, master, writer: Mutex::new(()) })
    }

    /// Waits for running statements and closes both databases.
    pub async fn close(&self) {
        self.main.close().await;
        self.erasure.close().await;
    }

    /// A transaction on the main database that holds the write lock from its beginning.
    async fn write(&self) -> Result<Write<'_>, StoreError> {
        let turn = self.writer.lock().await;
        let transaction = self.main.begin_with("BEGIN IMMEDIATE").await?;
        Ok(Write { transaction, _turn: turn })
    }
}

/// A write transaction and the turn to write; rolled back when dropped.
struct Write<'a> {
    transaction: Transaction<'a, Sqlite>,
    _turn: MutexGuard<'a, ()>,
}

impl Write<'_> {
    async fn commit(self) -> Result<(), StoreError> {
        Ok(self.transaction.commit().await?)
    }
}

async fn open(
    database: &'static str,
    url: &str,
    journal: SqliteJournalMode,
) -> Result<SqlitePool, StoreError> {
    let wrong = StoreError::Url { database };
    if !url.starts_with("sqlite:") {
        return Err(wrong);
    }
    let options = SqliteConnectOptions::from_str(url)
        .map_err(|_| wrong)?
        .create_if_missing(true)
        .foreign_keys(true)
        .journal_mode(journal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("secure_delete", "ON");
    SqlitePoolOptions::new()
        .max_connections(MAX_CONNECTIONS)
        .connect_with(sqlx::ConnectOptions::disable_statement_logging(options))
        .await
        .map_err(|source| StoreError::Open { database, source: source.into() })
}

/// Reads a column of `N` bytes.
fn bytes<const N: usize>(table: &'static str, column: &[u8]) -> Result<[u8; N], StoreError> {
    column.try_into().map_err(|_| StoreError::Row { table })
}

/// Reads a column of text that has a checked form.
fn text<T: FromStr>(table: &'static str, column: &str) -> Result<T, StoreError> {
    column.parse().map_err(|_| StoreError::Row { table })
}
