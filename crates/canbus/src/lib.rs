//! Where frames come from: candump files, an in-process bus, SocketCAN, an adapter
//! on a serial line.
//!
//! One [`open`] for all of them, by URL ([`SourceUrl`]). A source gives frames
//! in order, each with a [`Stamp`](vernport_types::Stamp) and the number of its
//! bus; a bus that can be written to has a [`FrameSink`] beside it.
//!
//! Promises:
//! - Every buffer has a bound. What a full one loses is counted in [`Counters`].
//! - A line of a log that is no frame is reported by file and line and skipped.
//! - No frame's data is ever logged or put into an error.
//! - What a node sends does not come back to it.

mod candump;
mod clock;
mod filter;
#[cfg(unix)]
mod serial;
#[cfg(unix)]
mod simulated_adapter;
#[cfg(target_os = "linux")]
mod socketcan;
mod source;
#[cfg(test)]
mod testing;
mod url;
mod virtual_bus;

pub use clock::{Pace, Time};
pub use filter::fit;
#[cfg(unix)]
pub use serial::{LostError, SerialFrame, SerialOptions, SerialSendError, SerialSink, SerialSource};
#[cfg(unix)]
pub use simulated_adapter::{Garble, SimulatedAdapter, SimulatedOptions};
pub use source::{
    Bus, Counters, FrameSink, FrameSource, OpenError, OpenOptions, ReadError, SendError, TimedFrame, open,
};
pub use url::{SourceUrl, UrlError};
pub use vernport_wire::{AdapterCounters, BadPackets, HostCounters, NoVersion, SendRefused, Versions};
pub use virtual_bus::{AttachError, VirtualBuses, VirtualNode, VirtualSender};
