//! vernport-gateway: from the bus to the sealed queue, and onwards.
//!
//! ```text
//! sources ──┐                                            ┌─► deliver ─► central
//! tools ────┼─► driver: pipeline (decode, visit, decide, │
//!           │   minimise, gather) ─► unit ─► spool ──────┴─► publish ─► fleet's broker
//! central ──┴─► feed: grants ─► table (holds) ▲ asked by all of them
//! technician ──► station: chain ──► table, and ─► central
//! enrol, renew: the certificate for all that goes to central
//! ```
//!
//! [`run`] starts the parts and joins them; each part is a file. The parts
//! share the table of rules and grants, the spool and the counts, nothing else.

mod arrivals;
mod broker;
mod bus;
mod clock;
pub mod config;
pub mod dbc;
mod deliver;
pub mod dialects;
mod driver;
pub mod enrol;
mod feed;
mod gather;
mod given;
mod holds;
mod last;
mod metrics;
mod notices;
pub mod owner;
mod path;
mod pipeline;
mod publish;
mod renew;
mod resume;
pub mod rules;
mod running;
pub mod secrets;
mod settle;
mod source;
#[cfg(test)]
mod stand;
pub mod station;
mod status;
pub mod storage;
mod tally;
mod told;
mod tools;
mod wants;
mod witness;

pub use broker::endpoint;
pub use clock::SystemClock;
pub use config::{Config, ConfigError};
pub use gather::{Collector, GatherError};
pub use given::Given;
pub use path::{Moment, Plan, path};
pub use renew::{CertificateHealth, CertificateSeen};
pub use running::{Deps, Running, StartError, run, run_with};
pub use status::{Asking, BusStatus, Delivering, OperatorStatus, Status};
pub use tally::{Heard, Row, Tally};
pub use tools::refused_digest;
pub use witness::{LogAlarms, LogSeen};

use vernport_types::chain;
