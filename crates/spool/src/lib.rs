//! The durable queue of the gateway: what was released waits here, sealed, until
//! central has committed it or the fleet's broker has acknowledged it.
//!
//! Promises:
//! - **No plaintext.** The spool takes [`Sealed`](vernport_seal::Sealed) things only. Beside them it keeps
//!   counters, keyed hashes, audit leaves and sampler state: times and counts,
//!   no value and no identifier.
//! - **Acknowledged is durable.** [`Spool::queue`] answers after the commit, with
//!   `synchronous = FULL`; a [`Unit`] is there whole or not at all.
//! - **No evidence, no release** (invariant 13): the spool itself writes the leaf, in the
//!   transaction that queues, and numbers it; nothing is queued without. Each checkpoint
//!   stands here before it leaves the box, and the tree of every later opening begins with it.
//! - **Bounded**, in bytes and age. At [`Config::max_bytes`] what comes from a live bus makes older
//!   things of lower rank give way, counted and noted ([`WhenFull`]); units whose source can wait,
//!   and all units when the disk is full, are refused; settling, parking and destroying always work, at need out of
//!   the room that [`Config::reserve_bytes`] keeps.
//! - **What was said at the station** is remembered before it counts, on a full disk
//!   too: signed links, until central knows them.
//! - **Destroyed is gone**: `secure_delete` overwrites the pages, the log is
//!   emptied after it, and a note says what and why.
//!
//! One task writes, and commits what has gathered meanwhile together; one
//! connection reads. The schema is in `migrations/`.

mod change;
mod command;
mod config;
mod disk;
mod error;
mod evidence;
mod gauges;
mod inspect;
mod log;
mod open;
mod queue;
mod read;
mod refused;
mod reserve;
mod room;
mod spool;
mod station;
mod unit;
mod waiting;
mod writer;

pub use config::Config;
#[cfg(feature = "simulation")]
pub use disk::Disk;
pub use error::{OpenError, QueueError, ReadError, SettleError};
pub use evidence::{KeptCheckpoint, LogHead};
pub use gauges::Flowed;
pub use inspect::{Inspect, InspectError, Leaves, QueuedEvidence};
pub use read::{HeldGrant, Note, Page, SpoolStatus, StoredBatch, StoredMessage, StoredTopic};
pub use refused::{MAX_REFUSED_TOOL_MESSAGES, RefusedToolMessage};
pub use spool::Spool;
pub use unit::{
    Cursor, Item, Queued, QueuedBatch, QueuedTopic, Settlement, Stream, ToolMessage, Unit, WhenFull, Withheld,
};
pub use waiting::{Destination, Waiting};
