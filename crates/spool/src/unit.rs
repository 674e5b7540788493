//! What is queued at once, and what may happen to it afterwards.

use crate::RefusedToolMessage;
use vernport_crypto::sha256;
use vernport_policy::Sample;
use vernport_seal::{Recipient, Sealed, Storage};
use vernport_types::{BatchId, ControllerId, GrantId, MessageId, Reason, Slug, UtcMicros, VehicleAlias};

/// One atomic queueing: all of it is durable, or none. The evidence of each batch and message is written with it.
#[derive(Debug)]
pub struct Unit {
    /// When it is queued.
    pub at: UtcMicros,
    /// Envelopes for central.
    pub batches: Vec<QueuedBatch>,
    /// Messages for fleet topics, in the order of sending.
    pub topics: Vec<QueuedTopic>,
    /// How far the sources are done with.
    pub cursors: Vec<Cursor>,
    /// Tool messages that led to it. One that was seen before refuses the unit.
    pub tool_messages: Vec<ToolMessage>,
    /// Tool messages that were refused meanwhile.
    pub refused: Vec<RefusedToolMessage>,
    /// Samples that were taken.
    pub samples: Vec<Sample>,
    /// What was withheld meanwhile; added to the counts.
    pub withheld: Vec<Withheld>,
    /// Whether what was withheld since the last such unit is closed with this one: a leaf commits to the counts.
    pub closes_counts: bool,
}

impl Unit {
    /// An empty unit; fill in what there is.
    pub const fn new(at: UtcMicros) -> Self {
        Self {
            at,
            batches: Vec::new(),
            topics: Vec::new(),
            cursors: Vec::new(),
            tool_messages: Vec::new(),
            refused: Vec::new(),
            samples: Vec::new(),
            withheld: Vec::new(),
            closes_counts: false,
        }
    }

    /// Whether it makes others give way where there is no room for it.
    pub(crate) fn makes_room(&self) -> bool {
        let mut all = self.batches.iter().map(|b| b.when_full).chain(self.topics.iter().map(|t| t.when_full));
        all.any(|when_full| when_full != WhenFull::Wait)
    }
}

/// What happens to an item when the spool is full. What is parked or in quarantine never gives way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenFull {
    /// Its source can wait (a tool, a log): the unit is refused and can be offered again. Once it is
    /// queued it stays.
    Wait,
    /// Its source cannot wait (a live bus): what has a lower rank gives way to it, then of the same rank
    /// messages before envelopes and the oldest first; and it gives way to others.
    GiveWay(u8),
}

impl WhenFull {
    /// As stored: none for what stays.
    pub(crate) fn rank(self) -> Option<i64> {
        match self {
            Self::Wait => None,
            Self::GiveWay(rank) => Some(rank.into()),
        }
    }
}

/// An envelope to queue. Its batch id, controller and due time are read from its header.
#[derive(Debug)]
pub struct QueuedBatch {
    /// The opening of the flow it rests on: by this it may be sent, parked or destroyed.
    pub grant: GrantId,
    /// What happens to it when the spool is full.
    pub when_full: WhenFull,
    /// The envelope.
    pub sealed: Sealed<Recipient>,
}

/// A message for a fleet topic to queue.
#[derive(Debug)]
pub struct QueuedTopic {
    /// The controller that it comes from.
    pub controller: ControllerId,
    /// The opening of the flow it rests on.
    pub grant: GrantId,
    /// What happens to it when the spool is full.
    pub when_full: WhenFull,
    /// The numbering it belongs to.
    pub stream: Stream,
    /// Its id, the same on every delivery.
    pub message: MessageId,
    /// Time after which it must not be sent.
    pub expiry: UtcMicros,
    /// Topic and payload, under the storage key.
    pub sealed: Sealed<Storage>,
}

/// What fleet messages are numbered by: operator × purpose × alias.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Stream {
    /// The fleet operator.
    pub operator: Slug,
    /// The purpose.
    pub purpose: Slug,
    /// What the vehicle is called towards them.
    pub alias: VehicleAlias,
}

impl Stream {
    /// The name of the numbering as stored: it outlives its messages, so the alias is not kept with it.
    pub(crate) fn id(&self) -> [u8; 32] {
        // A slug has no '/', so the parts cannot run into one another.
        let mut text = format!("vernport-stream-1/{}/{}/", self.operator, self.purpose).into_bytes();
        text.extend_from_slice(self.alias.as_bytes());
        sha256(&text)
    }
}

/// How far a source is done with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// Name of the source, from the configuration.
    pub source: String,
    /// Number of frames done with, from the start of the source.
    pub position: u64,
}

/// A tool message that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolMessage {
    /// The tool.
    pub tool: Slug,
    /// Keyed hash of the message id.
    pub id: [u8; 16],
}

/// How many readings were withheld for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withheld {
    /// The controller whose rules withheld it.
    pub controller: ControllerId,
    /// The flow, where one was concerned.
    pub flow: Option<Slug>,
    /// Why.
    pub reason: Reason,
    /// How many readings.
    pub count: u64,
}

/// A unit is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queued {
    /// How many bytes wait now.
    pub used_bytes: u64,
    /// How many may.
    pub max_bytes: u64,
}

/// One thing that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Item {
    /// An envelope for central.
    Batch(BatchId),
    /// A message for a fleet topic.
    Topic(MessageId),
}

/// What became of one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Settlement {
    /// Central committed it, or the broker acknowledged it: it goes from the spool.
    Delivered,
    /// It waits, sealed, until its grant is resumed or destroyed.
    Parked(Reason),
    /// It goes from the spool, and a note says why.
    Destroyed(Reason),
    /// Who should take it cannot read it, so it stands in the way of the others: it is put aside and
    /// counted, until its due time or its grant destroys it.
    Quarantined,
}
