//! What can go wrong, per operation.

use std::path::PathBuf;
use thiserror::Error;
use vernport_types::{BatchId, MessageId, Slug};

/// Why the spool did not open.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another process works on it.
    #[error(
        "the spool {path} is in use by another process: stop it, or give this gateway a spool of its own"
    )]
    InUse {
        /// The database file.
        path: PathBuf,
    },
    /// A file beside the database could not be made or read.
    #[error("cannot {what} {path}: check that the folder exists, is writable and has room")]
    File {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The reserve in the configuration is too small.
    #[error(
        "a spool needs a reserve of at least {least_bytes} bytes for settling on a full disk, {given_bytes} are configured"
    )]
    ReserveTooSmall {
        /// What is configured.
        given_bytes: u64,
        /// What is needed.
        least_bytes: u64,
    },
    /// The SQLite that was linked can corrupt its log.
    #[error(
        "SQLite {found} is linked, which can corrupt a write-ahead log on reset: build with 3.51.3 or newer"
    )]
    OldSqlite {
        /// The version it tells.
        found: String,
    },
    /// SQLite did not take a setting that the promises rest on.
    #[error(
        "SQLite runs with {setting} = {found}, not {wanted}: the file system of the spool may not allow it"
    )]
    Setting {
        /// Name of the pragma.
        setting: &'static str,
        /// What it is.
        found: String,
        /// What it has to be.
        wanted: &'static str,
    },
    /// A newer program wrote the spool.
    #[error(
        "the spool {path} was written by a newer vernport (schema {version}): run that one, or deliver the queue with it first"
    )]
    Newer {
        /// The database file.
        path: PathBuf,
        /// Its schema version.
        version: i64,
    },
    /// The file is no spool, or damaged.
    #[error("cannot open the spool {path}: if it is damaged, move it away to start with an empty one")]
    Database {
        /// The database file.
        path: PathBuf,
        /// What SQLite said.
        source: sqlx::Error,
    },
    /// The schema could not be brought up to date.
    #[error("cannot bring the schema of the spool {path} up to date")]
    Schema {
        /// The database file.
        path: PathBuf,
        /// What SQLite said.
        source: sqlx::migrate::MigrateError,
    },
}

/// Why a unit was not queued. Nothing of it is kept.
#[derive(Debug, Error)]
pub enum QueueError {
    /// The bound is reached.
    #[error(
        "the spool is full: {used_bytes} of {max_bytes} bytes wait and {asked_bytes} more were to be queued; restore the connection to central or give the spool more room"
    )]
    Full {
        /// How many bytes wait.
        used_bytes: u64,
        /// How many the unit needs.
        asked_bytes: u64,
        /// How many may wait.
        max_bytes: u64,
    },
    /// The disk, or the file's own bound, has no room.
    #[error(
        "there is no room on the disk for the spool {path}: make room; what was accepted is kept and still goes out"
    )]
    Disk {
        /// The database file.
        path: PathBuf,
        /// What SQLite or the system said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A tool message of the unit was accepted before.
    #[error("a message of the tool {tool} was accepted before: it is taken once")]
    Seen {
        /// The tool.
        tool: Slug,
    },
    /// A batch with this id waits already.
    #[error("batch {id} is queued already")]
    DuplicateBatch {
        /// The id.
        id: BatchId,
    },
    /// A topic message with this id waits already.
    #[error("topic message {id} is queued already")]
    DuplicateMessage {
        /// The id.
        id: MessageId,
    },
    /// The spool was closed, or stopped after a failure that it cannot mend.
    #[error("the spool is closed: open it again")]
    Closed,
    /// SQLite failed.
    #[error("the spool {path} could not be written")]
    Store {
        /// The database file.
        path: PathBuf,
        /// What SQLite said.
        source: sqlx::Error,
    },
}

/// Why something was not settled. What was settled before the failure stays so; settling again is harmless.
#[derive(Debug, Error)]
pub enum SettleError {
    /// Even the reserve did not suffice.
    #[error(
        "there is no room on the disk to settle in the spool {path}, the reserve is used up: make room and settle again"
    )]
    NoRoom {
        /// The database file.
        path: PathBuf,
        /// What SQLite said.
        source: sqlx::Error,
    },
    /// The spool was closed, or stopped after a failure that it cannot mend.
    #[error("the spool is closed: open it again")]
    Closed,
    /// SQLite failed.
    #[error("the spool {path} could not be written")]
    Store {
        /// The database file.
        path: PathBuf,
        /// What SQLite said.
        source: sqlx::Error,
    },
}

/// Why something could not be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The spool was closed.
    #[error("the spool is closed: open it again")]
    Closed,
    /// SQLite failed.
    #[error("the spool {path} could not be read")]
    Store {
        /// The database file.
        path: PathBuf,
        /// What SQLite said.
        source: sqlx::Error,
    },
    /// The log does not keep that far back, or a tile was taken out of it.
    #[error("the evidence log of the spool has no {tile} any more: nothing can be proven with it")]
    NotKept {
        /// The path of the tile.
        tile: String,
    },
    /// A row does not read and could not be put aside.
    #[error("a damaged row could not be put into quarantine")]
    Quarantine(#[source] SettleError),
}

/// Whether SQLite says that there is no room (`SQLITE_FULL`; `SQLITE_IOERR_SHMSIZE` for the index of the log).
pub(crate) fn is_full(error: &sqlx::Error) -> bool {
    result_code(error).is_some_and(|code| code & 0xff == 13 || code == 4874)
}

/// Whether nothing may be written any more: a sync failed, so what the disk holds is unknown, or the
/// file is damaged (`SQLITE_IOERR_FSYNC`, `SQLITE_IOERR_DIR_FSYNC`, `SQLITE_CORRUPT`, `SQLITE_NOTADB`).
pub(crate) fn is_fatal(error: &sqlx::Error) -> bool {
    result_code(error).is_some_and(|code| matches!(code, 1034 | 1290) || matches!(code & 0xff, 11 | 26))
}

fn result_code(error: &sqlx::Error) -> Option<i32> {
    error.as_database_error()?.code()?.parse().ok()
}
