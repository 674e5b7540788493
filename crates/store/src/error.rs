//! What can go wrong in the store, and whether asking again helps.

#[cfg(feature = "model")]
use crate::model::Refused;
use sqlx::{Error, migrate::MigrateError, postgres::PgDatabaseError, sqlite::SqliteError};
use thiserror::Error;

/// Why the store did not do what was asked.
#[derive(Debug, Error)]
pub enum StoreError {
    /// A URL is not one that the store knows.
    #[error(
        "the database URL of the {database} database cannot be used: write sqlite://PATH or \
         postgres://USER@HOST/DATABASE"
    )]
    Url {
        /// `main` or `erasure`.
        database: &'static str,
    },
    /// Both URLs name one database.
    #[error("both database URLs are the same: give the erasure keys a database of their own")]
    SameDatabase,
    /// A database cannot be opened or brought to the form this program knows.
    #[error(
        "the {database} database cannot be opened: check folder, owner and free space, or server, user and network"
    )]
    Open {
        /// `main` or `erasure`.
        database: &'static str,
        /// What failed.
        source: MigrateError,
    },
    /// A statement failed.
    #[error("a statement of the store failed")]
    Statement(#[from] Error),
    /// The journal does not take or give rows.
    #[error("the journal failed")]
    Journal(#[from] crate::JournalError),
    /// A row does not have the form that this program writes.
    #[error("a row of table {table} cannot be read: restore the database from a backup")]
    Row {
        /// Which table.
        table: &'static str,
    },
}

impl StoreError {
    /// Whether another transaction was in the way: asking again helps.
    pub fn is_busy(&self) -> bool {
        let Some(Error::Database(error)) = self.cause() else { return false };
        #[cfg(feature = "model")]
        if let Some(refused) = error.try_downcast_ref::<Refused>() {
            return *refused == Refused::Busy;
        }
        if let Some(error) = error.try_downcast_ref::<PgDatabaseError>() {
            // Serialization failure, deadlock, lock not available, statement cancelled by its
            // timeout (PostgreSQL, appendix A).
            return matches!(error.code(), "40001" | "40P01" | "55P03" | "57014");
        }
        // SQLITE_BUSY is 5, with extended codes in the high bytes (sqlite.org/rescode.html).
        error.try_downcast_ref::<SqliteError>().is_some()
            && error.code().and_then(|code| code.parse::<u32>().ok()).is_some_and(|code| code & 0xFF == 5)
    }

    /// Whether the database cannot be reached or cannot serve now: asking again later helps.
    pub fn is_unavailable(&self) -> bool {
        match self.cause() {
            Some(Error::Io(_) | Error::PoolTimedOut | Error::PoolClosed | Error::WorkerCrashed) => true,
            Some(Error::Database(error)) => {
                error.try_downcast_ref::<PgDatabaseError>().is_some_and(|error| {
                    // Connection lost, out of resources, stopping or starting, and a server that
                    // only reads since another one took over (PostgreSQL, appendix A).
                    let code = error.code();
                    let class = code.get(..2).unwrap_or_default();
                    matches!(class, "08" | "53")
                        || matches!(code, "57P01" | "57P02" | "57P03" | "57P05" | "25006" | "25P03")
                })
            }
            _ => false,
        }
    }

    /// Whether a row had no partition to lie in: somebody dropped it after it was made.
    pub(crate) fn lacks_partition(&self) -> bool {
        let Some(Error::Database(error)) = self.cause() else { return false };
        let error = error.try_downcast_ref::<PgDatabaseError>();
        // A check violation, of which there is no other kind here.
        error.is_some_and(|error| error.code() == "23514")
    }

    fn cause(&self) -> Option<&Error> {
        match self {
            Self::Statement(error)
            | Self::Open {
                source: MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _),
                ..
            } => Some(error),
            _ => None,
        }
    }
}
