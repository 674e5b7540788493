//! Where frames come from: candump files, an in-process bus, SocketCAN, an adapter
//! on a serial line.
//!
//! One [`open`] for all of them, by URL ([`SourceUrl`]). A source gives frames
//! in order, each with a [`Stamp`](vernport_types::Stamp) and the number of its
//! bus; a bus that can be written to has a [`FrameSink`] beside it.
//!
//! Promises:
//! - Every buffer has a bound. What a full one loses is counted in [`Counters`].
//! - Filters ([`FrameSource::set_filters`]) are exact for every source, and reach the kernel.
//! - A live bus that goes away is one error, and is waited for without being busy.
//! - Reports of a broken bus are counted by class and never flood the reader.
//! - A line of a log that is no frame is reported by file and line and skipped.
//! - No frame's data is ever logged or put into an error.
//! - What a node sends does not come back to it.

mod bus_errors;
mod candump;
mod clock;
mod errors;
mod filter;
mod interface;
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

pub use bus_errors::{BusErrors, ControllerState};
pub use clock::{Pace, Time};
pub use errors::{FilterError, OpenError, ReadError, SendError};
pub use filter::widened;
pub use interface::{CanInterface, LookupError, interface_is_can, interface_is_up};
#[cfg(unix)]
pub use serial::{LostError, SerialFrame, SerialOptions, SerialSendError, SerialSink, SerialSource};
#[cfg(unix)]
pub use simulated_adapter::{Garble, SimulatedAdapter, SimulatedOptions};
pub use source::{Bus, Counters, FrameSink, FrameSource, OpenOptions, TimedFrame, open};
pub use url::{SourceUrl, UrlError};
pub use vernport_wire::{AdapterCounters, BadPackets, HostCounters, NoVersion, SendRefused, Versions};
pub use virtual_bus::{AttachError, VirtualBuses, VirtualNode, VirtualSender};
