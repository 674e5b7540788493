//! The journal in memory: rows on a tape that outlives whoever writes it.

use super::fault::{Call, Database, Hook, Outcome, When};
use crate::{Journal, JournalError, Row};
use std::{
    fmt, io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

/// What a file is to [`Journal::open`]. A handle: clones are the same tape.
#[derive(Clone, Default)]
pub struct Tape(Arc<Inner>);

#[derive(Default)]
struct Inner {
    rows: Mutex<Vec<Vec<u8>>>,
    /// Who has it open.
    pen: Mutex<Weak<Pen>>,
    hook: Hook,
}

impl fmt::Debug for Tape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tape").finish_non_exhaustive()
    }
}

impl Tape {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens the tape as a journal to write, and shows its rows.
    ///
    /// # Errors
    /// [`JournalError::Taken`], if another journal of it is open.
    pub fn open(&self, row: impl FnMut(Row)) -> Result<Journal, JournalError> {
        let mut pen = self.0.pen.lock().unwrap_or_else(PoisonError::into_inner);
        if pen.strong_count() > 0 {
            return Err(JournalError::Taken { file: file() });
        }
        self.read(row)?;
        let writing = Writing { end: self.rows().len(), waiting: Vec::new() };
        let new = Arc::new(Pen { tape: self.clone(), writing: tokio::sync::Mutex::new(writing) });
        *pen = Arc::downgrade(&new);
        Ok(new.into())
    }

    /// Shows the rows, as [`Journal::read`] does.
    ///
    /// # Errors
    /// [`JournalError::Broken`], which cannot be: only whole rows are written.
    pub fn read(&self, row: impl FnMut(Row)) -> Result<(), JournalError> {
        let rows = self.rows().clone();
        let decoded =
            rows.iter().map(|row| Row::decode(row).ok_or(JournalError::Broken { file: file(), offset: 0 }));
        decoded.collect::<Result<Vec<_>, _>>().map(|rows| rows.into_iter().for_each(row))
    }

    /// Has each call ask `hook` how it goes: [`Database::Journal`], `append`, at its begin and at its commit.
    pub fn on_call(&self, hook: impl Fn(Call) -> Outcome + Send + Sync + 'static) {
        self.0.hook.set(hook);
    }

    /// A copy of the rows on a tape of its own.
    #[must_use]
    pub fn copy(&self) -> Self {
        let copy = Self::default();
        copy.rows().clone_from(&self.rows());
        copy
    }

    fn rows(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What writes on a tape.
pub(crate) struct Pen {
    tape: Tape,
    writing: tokio::sync::Mutex<Writing>,
}

impl fmt::Debug for Pen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pen").finish_non_exhaustive()
    }
}

struct Writing {
    /// How many rows were written, as far as the writer was told.
    end: usize,
    /// Rows that have to be written before anything is answered.
    waiting: Vec<Vec<u8>>,
}

impl Pen {
    pub(crate) async fn append(&self, rows: Vec<Vec<u8>>) -> Result<(), JournalError> {
        let mut writing = self.writing.lock().await;
        writing.waiting.extend(rows);
        if writing.waiting.is_empty() {
            return Ok(());
        }
        self.ask(When::Begin).await.and_then(|is_answered| is_answered.then_some(()).ok_or_else(gone))?;
        let is_answered = self.ask(When::Commit).await?;
        {
            // As in the file: after a failed write it is begun again behind what is known to be there.
            let mut tape = self.tape.rows();
            tape.truncate(writing.end);
            tape.extend_from_slice(&writing.waiting);
        }
        if !is_answered {
            return Err(gone());
        }
        writing.end += writing.waiting.len();
        writing.waiting.clear();
        Ok(())
    }

    async fn ask(&self, when: When) -> Result<bool, JournalError> {
        let append = Call { database: Database::Journal, operation: "append", when };
        match self.tape.0.hook.ask(append).await {
            Outcome::GoOn | Outcome::Wait(_) => Ok(true),
            Outcome::AnswerLost => Ok(false),
            Outcome::Gone => Err(gone()),
            Outcome::Full => {
                Err(JournalError::File { file: file(), source: io::ErrorKind::StorageFull.into() })
            }
        }
    }
}

/// What stands where a file is named.
fn file() -> PathBuf {
    PathBuf::from("tape")
}

fn gone() -> JournalError {
    JournalError::File { file: file(), source: io::Error::other("the disk is gone") }
}
