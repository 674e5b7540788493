//! What a daemon tells those who run it: how each stage of its path stands, its
//! metrics, whether it lives, its log.
//!
//! ```text
//! daemon: what it counts anyway ──► PathStatus, families ──► listener on loopback ──► curl, Prometheus, `vernport status`
//! ```
//!
//! Promises:
//! - **Times, counts, closed lists and configured names only**: no value, and no identifier of a vehicle or person.
//! - **Loopback or a local socket**: an [`Address`] is nothing else, so that no configuration opens it to a network.
//! - **It answers and never listens**: three paths by GET, no body, within bounds of number, length and time.

mod address;
mod cause;
mod client;
mod listen;
mod log;
mod metrics;
pub mod output;
mod path;
mod process;

pub use address::{Address, AddressError, Listen};
pub use cause::Cause;
pub use client::{AskError, ask};
pub use listen::{ListenError, Listener, Subject, open, serve};
pub use log::{Format as LogFormat, Log, LogError};
pub use metrics::{Exposition, Family, Kind, number};
pub use path::{Daemon, PathStatus, Stage, StageKind, State, Told, VERSION};
pub use process::families as process_families;
