//! Asking a vehicle, politely: what may be sent, when, and when nothing may.
//!
//! [`Request`], [`flow_control`] and what the [J1939 responder](crate::j1939::responder)
//! gives are all that can be sent; they only ask for data and let answers come, so
//! nothing else can be expressed (invariant 14). [`Asker`] decides for one bus:
//!
//! - It listens first, and asks only while somebody talks unasked: it neither
//!   wakes a bus nor keeps one awake. What counts as talk and as ignition off
//!   stands in `talk`.
//! - Beside another tester it sends nothing, not even flow control, and for a
//!   minute after; after a session that may change a vehicle, until the visit
//!   ends (`tester`).
//! - It asks only what an open flow needs, only what the units said they support,
//!   no faster than its budgets, and one request at a time. What is refused as
//!   unsupported is not asked again in this visit; silence and "busy" back off.
//!
//! No clock and no I/O: frames heard go in with their time, frames due come out.

mod asker;
mod entry;
mod outstanding;
mod request;
mod talk;
mod tester;
mod vehicle;
mod want;

#[cfg(test)]
mod tests;

pub use asker::{Asker, Config, Counts, Standing};
pub use request::{Addressing, Did, Group, Pids, Request, To, Unit, UnitError, flow_control};
pub use talk::{AWAKE_MICROS, LISTEN_MICROS};
pub use tester::QUIET_MICROS;
pub use want::Wanted;
