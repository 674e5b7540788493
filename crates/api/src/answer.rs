//! What central says to each batch. Frozen (decision note 0006): the words
//! never change, and no new one is sent to a gateway that does not know it.

use serde::{Deserialize, Serialize};
use vernport_types::BatchId;

/// Central's answer to one batch. Its commit is the moment that counts:
/// whatever stood when the transaction committed decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It is stored, durably: the gateway takes it out of its spool.
    Committed,
    /// The same batch with the same bytes was stored before: as `committed`.
    Duplicate,
    /// Its basis is gone for good (withdrawn, expired, voided, objected to, overdue,
    /// erased): nothing was stored, the gateway destroys it and notes that.
    RefusedWithdrawn,
    /// Its basis is suspended (restriction, or an objection is being weighed):
    /// nothing was stored, the gateway keeps it sealed and asks again when the grant opens.
    ParkedRestricted,
    /// Central cannot decide now (it does not know the grant, or its database is
    /// busy): nothing was stored, the gateway asks again later.
    Retry,
}

impl Answer {
    /// All answers.
    pub const ALL: &[Self] =
        &[Self::Committed, Self::Duplicate, Self::RefusedWithdrawn, Self::ParkedRestricted, Self::Retry];

    /// The word on the wire, also for logs and counters.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Duplicate => "duplicate",
            Self::RefusedWithdrawn => "refused-withdrawn",
            Self::ParkedRestricted => "parked-restricted",
            Self::Retry => "retry",
        }
    }

    /// Whether the batch is in the store now.
    pub const fn is_stored(self) -> bool {
        matches!(self, Self::Committed | Self::Duplicate)
    }
}

/// The answer to one batch of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchAnswer {
    /// Which batch.
    pub batch: BatchId,
    /// What became of it.
    pub answer: Answer,
}

/// The answers to one `POST /v1/batches`, in the order of its items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchAnswers {
    /// One per item.
    pub answers: Vec<BatchAnswer>,
}
