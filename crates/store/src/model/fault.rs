//! Faults of the model: what may happen to a call, and the errors that come of it, which
//! are those that the SQL gives.

use crate::StoreError;
use sqlx::error::{DatabaseError, ErrorKind};
use std::{
    fmt, io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{task::yield_now, time::sleep};

/// What is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Database {
    /// The main database.
    Main,
    /// The second database, of the erasure keys.
    Erasure,
    /// A [tape](super::Tape).
    Journal,
}

/// When in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum When {
    /// Before anything.
    Begin,
    /// All is done but the commit. Nobody sees anything of it yet.
    Commit,
}

/// A call to a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    /// Which one.
    pub database: Database,
    /// Which operation of the store: the name of its function.
    pub operation: &'static str,
    /// At which moment.
    pub when: When,
}

/// How a call goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Outcome {
    /// Well.
    #[default]
    GoOn,
    /// The database cannot be reached: nothing is done, and [`StoreError::is_unavailable`] is true.
    Gone,
    /// The connection is lost behind the commit: it is done, and the error is that of [`Outcome::Gone`]. At
    /// the begin there is nothing to commit yet, and nothing is done.
    AnswerLost,
    /// The disk is full, as SQLite says it: nothing is done, and the error is neither busy nor unavailable.
    Full,
    /// It takes so long, by tokio's clock, and then goes on.
    Wait(Duration),
}

type Asked = dyn Fn(Call) -> Outcome + Send + Sync;

/// Who is asked how calls go.
#[derive(Default)]
pub(super) struct Hook(Mutex<Option<Arc<Asked>>>);

impl Hook {
    pub(super) fn set(&self, hook: impl Fn(Call) -> Outcome + Send + Sync + 'static) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(hook));
    }

    /// Asks, waits if it takes time; others go first in any case.
    pub(super) async fn ask(&self, call: Call) -> Outcome {
        yield_now().await;
        let hook = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let outcome = hook.map_or(Outcome::GoOn, |hook| hook(call));
        let Outcome::Wait(time) = outcome else { return outcome };
        sleep(time).await;
        Outcome::GoOn
    }

    pub(super) async fn begin(&self, call: Call) -> Result<(), StoreError> {
        match self.ask(call).await {
            Outcome::GoOn | Outcome::Wait(_) => Ok(()),
            Outcome::Gone | Outcome::AnswerLost => Err(gone()),
            Outcome::Full => Err(Refused::Full.into()),
        }
    }

    /// Whether the answer comes, of a call that may be committed.
    pub(super) async fn commit(&self, call: Call) -> Result<bool, StoreError> {
        match self.ask(call).await {
            Outcome::GoOn | Outcome::Wait(_) => Ok(true),
            Outcome::AnswerLost => Ok(false),
            Outcome::Gone => Err(gone()),
            Outcome::Full => Err(Refused::Full.into()),
        }
    }
}

/// A connection that was lost.
pub(super) fn gone() -> StoreError {
    sqlx::Error::Io(io::ErrorKind::ConnectionReset.into()).into()
}

/// What the model says where a database of SQL says no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Another transaction was in the way for too long.
    Busy,
    /// There is no room.
    Full,
    /// The key is taken.
    Unique,
    /// A row that another one refers to is not there.
    ForeignKey,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for Refused {}

impl DatabaseError for Refused {
    fn message(&self) -> &str {
        match self {
            Self::Busy => "another transaction is in the way",
            Self::Full => "the disk is full",
            Self::Unique => "a key is taken",
            Self::ForeignKey => "a row that is referred to is not there",
        }
    }

    fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
        self
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::Unique => ErrorKind::UniqueViolation,
            Self::ForeignKey => ErrorKind::ForeignKeyViolation,
            Self::Busy | Self::Full => ErrorKind::Other,
        }
    }
}

impl From<Refused> for StoreError {
    fn from(refused: Refused) -> Self {
        sqlx::Error::Database(Box::new(refused)).into()
    }
}
