//! The handle: what the gateway calls.

use crate::{
    Config, HeldGrant, Item, Note, OpenError, Page, QueueError, Queued, ReadError, RefusedToolMessage,
    SettleError, Settlement, SpoolStatus, StoredBatch, StoredMessage, StoredTopic, Unit,
    change::Change,
    command::{Command, Failure, Outcome, Refusal, Request},
    disk::Below,
    error::is_full,
    gauges::Gauges,
    open, read, refused,
    reserve::Reserve,
    station::Memory,
    writer::Writer,
};
use sqlx::SqliteConnection;
use std::{fmt, path::Path, sync::Arc};
use tokio::sync::{Mutex, mpsc, oneshot};
use vernport_policy::{Sample, Standing};
use vernport_types::{GrantId, Slug, UtcMicros};

/// How many calls may wait for the writer before further callers wait for a place.
const MAX_WAITING: usize = 256;

/// An open spool. Clones share it.
///
/// A call that was begun is carried out even where its future is dropped.
#[derive(Clone)]
pub struct Spool {
    shared: Arc<Shared>,
}

struct Shared {
    path: Box<Path>,
    writer: mpsc::Sender<Request>,
    /// None once the spool is closed.
    reader: Mutex<Option<SqliteConnection>>,
    gauges: Arc<Gauges>,
    below: Below,
}

impl fmt::Debug for Spool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spool").field("path", &self.shared.path).finish_non_exhaustive()
    }
}

impl Spool {
    /// Opens the spool, makes it where there is none, and starts its writer.
    ///
    /// # Errors
    /// [`OpenError`], with what to do about it. Nothing is lost by a failed opening.
    pub async fn open(config: Config) -> Result<Self, OpenError> {
        Self::over(config, Below::default()).await
    }

    /// Opens a spool on a disk that a test simulates. Its file is a real one.
    ///
    /// # Errors
    /// As [`Self::open`].
    #[cfg(feature = "simulation")]
    pub async fn open_on(disk: Arc<dyn crate::Disk>, config: Config) -> Result<Self, OpenError> {
        let below = Below { disk: Some(disk) };
        below.clone().run(Self::over(config, below)).await
    }

    async fn over(config: Config, below: Below) -> Result<Self, OpenError> {
        let mut opened = open::open(&config).await?;
        let used_bytes = read::used_bytes(&mut opened.reader)
            .await
            .map_err(|source| OpenError::Database { path: config.path.clone(), source })?;
        let reserve = Reserve::open(open::reserve_path(&config), config.reserve_bytes);
        let gauges = Arc::new(Gauges::new(used_bytes, config.max_bytes, reserve.is_whole()));
        let (sender, commands) = mpsc::channel(MAX_WAITING);
        let path = config.path.as_path().into();
        let writer =
            Writer::new(config, opened.writer, opened.lock, reserve, Arc::clone(&gauges)).on(below.clone());
        tokio::spawn(writer.run(commands));
        Ok(Self {
            shared: Arc::new(Shared {
                path,
                writer: sender,
                reader: Mutex::new(Some(opened.reader)),
                gauges,
                below,
            }),
        })
    }

    /// Queues all of `unit` or nothing, and answers when it is durable.
    ///
    /// # Errors
    /// [`QueueError`]; nothing of the unit is kept then. Who shares the unit can offer it again.
    pub async fn queue(&self, unit: impl Into<Arc<Unit>>) -> Result<Queued, QueueError> {
        match self.write(Command::Queue(unit.into())).await {
            Ok(_) => Ok(self.shared.gauges.queued()),
            Err(Failure::Refused(refusal)) => Err(match refusal {
                Refusal::Full { used_bytes, asked_bytes, max_bytes } => {
                    QueueError::Full { used_bytes, asked_bytes, max_bytes }
                }
                Refusal::NoReserve(source) => {
                    QueueError::Disk { path: self.shared.path.to_path_buf(), source: source.into() }
                }
                Refusal::Seen(tool) => QueueError::Seen { tool },
                Refusal::DuplicateBatch(id) => QueueError::DuplicateBatch { id },
                Refusal::DuplicateMessage(id) => QueueError::DuplicateMessage { id },
            }),
            Err(Failure::Store(source)) if is_full(&source) => {
                Err(QueueError::Disk { path: self.shared.path.to_path_buf(), source: source.into() })
            }
            Err(Failure::Store(source)) => {
                Err(QueueError::Store { path: self.shared.path.to_path_buf(), source })
            }
            Err(Failure::Closed) => Err(QueueError::Closed),
        }
    }

    /// Says what became of some items; answers how many of them were there. What is not there
    /// (any more) is passed over, so settling twice is harmless.
    ///
    /// # Errors
    /// [`SettleError`]; a full disk alone is none.
    pub async fn settle(&self, items: Vec<(Item, Settlement)>, at: UtcMicros) -> Result<u64, SettleError> {
        let items = items.into_iter().map(|(item, settlement)| (item, settlement.into())).collect();
        self.change(Command::Change { items, at }).await
    }

    /// Brings all that rests on `grant` in line with whether it may be sent: `Send` resumes what was parked,
    /// `Park` and `Destroy` take hold of queued and parked items alike. Messages to
    /// topics that resume get new numbers at the end of their stream. Answers how many items changed.
    ///
    /// # Errors
    /// [`SettleError`]; a full disk alone is none.
    pub async fn apply(&self, grant: GrantId, standing: Standing, at: UtcMicros) -> Result<u64, SettleError> {
        self.change(Command::Apply { grant, standing, at }).await
    }

    /// Destroys what is past its due time or expiry, except what a restriction keeps, and
    /// forgets tool messages, samples, numberings and notes that are too old. Answers how many items went.
    ///
    /// # Errors
    /// [`SettleError`]; a full disk alone is none.
    pub async fn sweep(&self, now: UtcMicros) -> Result<u64, SettleError> {
        self.change(Command::Sweep { now }).await
    }

    /// Envelopes that may be sent, in the order of queueing. Rows that no longer read as what was
    /// queued are put into quarantine and passed over.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn next_batches(&self, page: Page) -> Result<Vec<StoredBatch>, ReadError> {
        let (good, bad) = self.read(async |reader| read::batches(reader, page).await).await?;
        self.quarantine(bad).await?;
        Ok(good)
    }

    /// The row of the newest envelope that waits in any state; 0 where none does.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn last_batch_row(&self) -> Result<i64, ReadError> {
        self.read(async |reader| read::last_batch_row(reader).await).await
    }

    /// Messages for the topics of `operator` that may be sent, in the order of sending.
    /// Rows that no longer read as what was queued are put into quarantine and passed over.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn next_topics(&self, operator: &Slug, page: Page) -> Result<Vec<StoredTopic>, ReadError> {
        let (good, bad) = self.read(async |reader| read::topics(reader, operator, page).await).await?;
        self.quarantine(bad).await?;
        Ok(good)
    }

    /// Messages for all topics that wait or are parked, whosever they are, by row; none of those in quarantine.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn messages(&self, page: Page) -> Result<Vec<StoredMessage>, ReadError> {
        loop {
            let (good, bad) = self.read(async |reader| read::messages(reader, page).await).await?;
            // Nothing good and something bad: behind what is put aside now there may be more.
            let done = !good.is_empty() || bad.is_empty();
            self.quarantine(bad).await?;
            if done {
                return Ok(good);
            }
        }
    }

    /// The grants that something waits under.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn grants(&self) -> Result<Vec<HeldGrant>, ReadError> {
        self.read(async |reader| read::grants(reader).await).await
    }

    /// Number of frames of `source` that are done with; 0 where none is.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn cursor(&self, source: &str) -> Result<u64, ReadError> {
        self.read(async |reader| read::cursor(reader, source).await).await
    }

    /// Whether a tool message was accepted before. [`queue`](Self::queue) asks again, in its transaction.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn seen_tool_message(&self, tool: &Slug, id: &[u8; 16]) -> Result<bool, ReadError> {
        self.read(async |reader| read::seen(reader, tool, id).await).await
    }

    /// Messages of tools that were refused, the newest first.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn refused_tool_messages(&self, limit: u32) -> Result<Vec<RefusedToolMessage>, ReadError> {
        self.read(async |reader| refused::list(reader, limit).await).await
    }

    /// All samples that may still count, for [`Sampler::from_samples`](vernport_policy::Sampler::from_samples).
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn samples(&self) -> Result<Vec<Sample>, ReadError> {
        self.read(async |reader| read::samples(reader).await).await
    }

    /// Notes on what was destroyed, from the one after row `after` (0: from the oldest), at most `limit`.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn notes(&self, after: i64, limit: u32) -> Result<Vec<Note>, ReadError> {
        self.read(async |reader| read::notes(reader, after, limit).await).await
    }

    /// What waits, and how much of the bound it takes.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn status(&self) -> Result<SpoolStatus, ReadError> {
        self.read(async |reader| read::status(reader, &self.shared.gauges).await).await
    }

    /// Carries out what was asked before, tidies the log and gives the spool free for another process.
    /// Everything asked afterwards is answered with `Closed`. A spool that is only dropped loses nothing either.
    pub async fn close(self) {
        // First the reader: who closes last tidies the log.
        if let Some(reader) = self.shared.reader.lock().await.take() {
            self.shared.below.run(open::close(reader)).await;
        }
        // A writer that has stopped already has nothing left to close.
        let _ = self.write(Command::Close).await;
    }

    async fn quarantine(&self, bad: Vec<(Item, Change)>) -> Result<(), ReadError> {
        if bad.is_empty() {
            return Ok(());
        }
        tracing::warn!(rows = bad.len(), "damaged rows in the spool are put into quarantine");
        // Quarantine takes no time of its own: it is no settlement, and leaves no note.
        let command = Command::Change { items: bad, at: UtcMicros(0) };
        self.change(command).await.map(drop).map_err(ReadError::Quarantine)
    }

    pub(crate) async fn remember(&self, memory: Memory) -> Result<u64, SettleError> {
        self.change(Command::Remember(memory)).await
    }

    async fn change(&self, command: Command) -> Result<u64, SettleError> {
        let path = || self.shared.path.to_path_buf();
        match self.write(command).await {
            Ok(outcome) => Ok(outcome.changed),
            Err(Failure::Store(source)) if is_full(&source) => {
                Err(SettleError::NoRoom { path: path(), source })
            }
            Err(Failure::Store(source)) => Err(SettleError::Store { path: path(), source }),
            // Only units are refused.
            Err(Failure::Closed | Failure::Refused(_)) => Err(SettleError::Closed),
        }
    }

    async fn write(&self, command: Command) -> Result<Outcome, Failure> {
        let (reply, answer) = oneshot::channel();
        self.shared.writer.send(Request { command, reply }).await.map_err(|_| Failure::Closed)?;
        answer.await.map_err(|_| Failure::Closed)?
    }

    pub(crate) async fn read<T>(
        &self,
        ask: impl AsyncFnOnce(&mut SqliteConnection) -> sqlx::Result<T>,
    ) -> Result<T, ReadError> {
        let mut reader = self.shared.reader.lock().await;
        let reader = reader.as_mut().ok_or(ReadError::Closed)?;
        self.shared
            .below
            .run(ask(reader))
            .await
            .map_err(|source| ReadError::Store { path: self.shared.path.to_path_buf(), source })
    }
}
