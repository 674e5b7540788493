//! The words of vernport, as types: ids, values, signals, readings, time,
//! sources, legal bases and the closed list of reasons.
//!
//! Promises:
//! - No I/O, no clock, no randomness: ids are made from bytes that the caller drew.
//! - Everything that may hold personal data (values, VINs, plates) prints as
//!   `<redacted>` under `Debug` and has no `Display`, so that no log line,
//!   panic message or error can carry it by accident.
//! - Types that are stored or sent have a frozen encoding (`tests/golden.rs`,
//!   decision note 0001): enums grow only at their end.

mod basis;
mod catalogue;
mod chain;
mod fleet_number;
mod frame;
mod id;
mod identifier;
mod reading;
mod reason;
mod source;
mod time;
mod value;

pub use basis::LegalBasis;
pub use catalogue::{Catalogue, CatalogueError, Category, Signal, SignalId, ValueKind};
pub use chain::chain;
pub use fleet_number::{FleetNumber, FleetNumberError};
pub use frame::{CanFilter, CanFrame, CanId, FrameKind};
pub use id::{
    AssetId, BatchId, BootId, ControllerId, EntryHash, EpochId, GrantId, IdError, KeyId, LinkHash, MessageId,
    OrderId, PersonAlias, SegmentId, Slug, SubjectId, VehicleAlias,
};
pub use identifier::{Identifier, IdentifierError, IdentifierKind, Plate, Vin};
pub use reading::{Identification, Reading};
pub use reason::{Audience, Fate, Reason};
pub use source::{Source, SourceError};
pub use time::{BootMicros, Clock, Stamp, TimeQuality, UtcMicros};
pub use value::{Cell, Fault, FaultState, Label, Number, Position, TroubleCode, Value, ValueError};
