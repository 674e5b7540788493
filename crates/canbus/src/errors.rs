//! Why a source cannot be opened or read, why it takes no filters, why a frame is not sent.
//!
//! One error for each of the four, whatever the kind of source. Each says what to do, and holds what
//! the system said as its source; none holds a frame.

use crate::{interface::LookupError, virtual_bus::AttachError};
use std::{io, path::PathBuf};
use thiserror::Error;

/// Why a source cannot be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The log cannot be opened.
    #[error("cannot open the log {path}")]
    Log {
        /// The log.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The virtual bus takes no more nodes.
    #[error(transparent)]
    Virtual(#[from] AttachError),
    /// The interface cannot be opened.
    #[error(
        "cannot open CAN interface '{interface}'; see that it exists (ip link show) and that the kernel has CAN"
    )]
    Interface {
        /// The interface.
        interface: String,
        /// What the system says.
        source: io::Error,
    },
    /// No interface answers to the adapter that was named.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// The terminal of an adapter cannot be opened.
    #[error(
        "cannot open the CAN adapter at {path}; see that it is plugged in, that no other program holds it, and that this user may use it (ls -l {path})"
    )]
    Serial {
        /// The terminal.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// This system has no SocketCAN.
    #[error(
        "cannot open CAN interface '{interface}': SocketCAN is there on Linux only; replay a log instead"
    )]
    NotLinux {
        /// The interface.
        interface: String,
    },
}

/// Why no more frames come from a source.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The log cannot be read on.
    #[error("cannot read the log {path} after line {line}")]
    Log {
        /// The log.
        path: PathBuf,
        /// The last line that was read.
        line: u64,
        /// What the system says.
        source: io::Error,
    },
    /// The interface gave an error: `ENETDOWN` when it goes down, `ENODEV` when it goes away.
    #[error("cannot read CAN interface '{interface}'; see that it is there and up (ip link show)")]
    Interface {
        /// The interface.
        interface: String,
        /// What the system says.
        source: io::Error,
    },
    /// The adapter was lost; asked again, it is waited for.
    #[cfg(unix)]
    #[error(transparent)]
    Serial(#[from] crate::serial::LostError),
}

/// Why a frame was not sent.
#[derive(Debug, Error)]
pub enum SendError {
    /// The interface gave an error, `ENETDOWN` while it is down.
    #[error("cannot send on CAN interface '{interface}'; see that it is there and up (ip link show)")]
    Interface {
        /// The interface.
        interface: String,
        /// What the system says.
        source: io::Error,
    },
    /// The queue stayed full: nobody acknowledges, or the bus is busy.
    #[error(
        "the send queue of CAN interface '{interface}' is full; see that another node is on the bus, or give it a longer txqueuelen"
    )]
    Full {
        /// The interface.
        interface: String,
    },
    /// An FD frame for an interface that is not FD.
    #[error(
        "CAN interface '{interface}' takes no FD frame; see that it is set up as FD (ip link set ... fd on)"
    )]
    NotFd {
        /// The interface.
        interface: String,
    },
    /// An error frame, which no node can send.
    #[error("cannot send an error frame on CAN interface '{interface}'")]
    ErrorFrame {
        /// The interface.
        interface: String,
    },
    /// The source has one bus only.
    #[error("cannot send on bus {bus}; this source has bus 0 only")]
    NoBus {
        /// The bus.
        bus: u8,
    },
    /// The adapter does not take it.
    #[cfg(unix)]
    #[error(transparent)]
    Serial(#[from] crate::serial::SerialSendError),
}

/// Why a source took no filters.
#[derive(Debug, Error)]
pub enum FilterError {
    /// The interface gave an error.
    #[error("CAN interface '{interface}' took no filters")]
    Interface {
        /// The interface.
        interface: String,
        /// What the system says.
        source: io::Error,
    },
}
