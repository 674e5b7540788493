//! What the handle asks of the writer, and what it hears back.

use crate::{Item, Unit, change::Change, station::Memory};
use std::{io, sync::Arc};
use tokio::sync::oneshot;
use vernport_policy::Standing;
use vernport_types::{BatchId, GrantId, MessageId, Slug, UtcMicros};

/// One call.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) command: Command,
    pub(crate) reply: oneshot::Sender<Result<Outcome, Failure>>,
}

/// What is asked of the writer.
#[derive(Debug)]
pub(crate) enum Command {
    Queue(Arc<Unit>),
    Change { items: Vec<(Item, Change)>, at: UtcMicros },
    Apply { grant: GrantId, standing: Standing, at: UtcMicros },
    Sweep { now: UtcMicros },
    Remember(Memory),
    Close,
}

impl Command {
    /// Whether it fits into a transaction that it shares with others.
    pub(crate) const fn is_short(&self) -> bool {
        matches!(self, Self::Queue(_) | Self::Change { .. } | Self::Remember(_))
    }
}

/// What a call did.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Outcome {
    /// How many items it changed.
    pub(crate) changed: u64,
    /// How many bytes of the bound it took.
    pub(crate) taken_bytes: u64,
    /// How many it gave free.
    pub(crate) freed_bytes: u64,
    /// Whether something was destroyed, so that the log has to be emptied.
    pub(crate) destroyed: bool,
}

impl Outcome {
    pub(crate) fn add(&mut self, other: Self) {
        self.changed += other.changed;
        self.taken_bytes += other.taken_bytes;
        self.freed_bytes += other.freed_bytes;
        self.destroyed |= other.destroyed;
    }
}

/// Why a unit is refused; the other calls of its group are not touched by it.
#[derive(Debug)]
pub(crate) enum Refusal {
    Full { used_bytes: u64, asked_bytes: u64, max_bytes: u64 },
    NoReserve(io::Error),
    Seen(Slug),
    DuplicateBatch(BatchId),
    DuplicateMessage(MessageId),
}

/// Why a call failed.
#[derive(Debug)]
pub(crate) enum Failure {
    Refused(Refusal),
    Store(sqlx::Error),
    Closed,
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error)
    }
}
