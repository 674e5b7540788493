//! Envelopes: batches sealed to recipients and signed by the gateway, and
//! messages sealed for the spool. Pure: bytes, values, keys and times in,
//! values and bytes out.
//!
//! Promises:
//! - [`Sealed`] is made here only, and only out of `policy::Released`; the one
//!   other way, for rows of the spool, checks the structure first.
//! - A data key seals under one grant (so one asset and one flow), and never
//!   two batches under one counter.
//! - The gateway cannot open what it sealed to recipients once the epoch ends.
//! - Foreign bytes never panic, and a length that they claim allocates nothing
//!   (a list inside an opened body starts with at most 1 MiB, whatever it claims).
//!
//! The bytes of envelope v1 are in [`EnvelopeHeader`] and [`ReceivedEnvelope`]; those
//! of the sealed body in [`Body`]. They are frozen (decision note 0002), with
//! published vectors in `vectors/envelope-v1.json`.

mod body;
mod envelope;
mod fleet_number;
mod header;
mod identifier;
mod reader;
mod sealed;
mod sealer;
mod topic;
mod value;

pub use body::{BatchContext, BatchHead, Body, MAX_RECORDS, Record, SignalName};
pub use envelope::{EnvelopeError, MAX_ENVELOPE_BYTES, MAX_WRAPS, OpenError, ReceivedEnvelope, WrapsError};
pub use fleet_number::{SEALED_FLEET_NUMBER_BYTES, SealedFleetNumber};
pub use header::{EnvelopeHeader, MAX_SEQUENCE};
pub use identifier::seal_identifier;
pub use sealed::{Recipient, ReloadError, Sealed, Storage, reload_recipient, reload_storage};
pub use sealer::{EpochContext, EpochError, EpochSealer, SealError};
pub use topic::{
    MAX_PAYLOAD_BYTES, MAX_TOPIC_BYTES, TopicError, TopicMessage, open_from_storage, opens_from_storage,
    seal_for_storage,
};
