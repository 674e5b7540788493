//! Bytes to readings: what a vehicle says on its bus, as values of catalogue signals.
//!
//! Frames go in with the time they were heard; values, identifications and
//! rejections come out. Promises:
//! - Pure: no socket, file or clock. Time is the [`Stamp`](vernport_types::Stamp) of a frame or tick.
//! - Bytes of a vehicle never panic and never make anything grow past a bound:
//!   no buffer is sized by a length that a frame claims.
//! - A signal that the catalogue does not list is not decoded.
//! - What is half received when a vehicle leaves is gone: nothing is joined
//!   over a gap, a timeout or a visit's end (invariant 6).
//! - The only frames this crate makes ask for data ([`poll`]); it cannot
//!   express any other service (invariant 14).

pub mod capture;
pub mod dbc;
mod decoder;
pub mod dids;
pub mod isotp;
pub mod j1939;
pub mod obd;
pub mod odometer;
mod plan;
pub mod poll;
pub mod presence;
mod reject;
pub mod uds;
mod vin;
pub mod visit;

pub use capture::candump;
pub use decoder::{Config, Decoded, Decoder};
pub use plan::PlanError;
pub use reject::RejectCode;
