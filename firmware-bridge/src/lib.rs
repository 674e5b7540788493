//! The wire between a CAN adapter and the gateway, for firmware and host alike.
//!
//! One packet, before stuffing (all numbers of the body as postcard has them,
//! little endian elsewhere):
//!
//! | byte      | what                                                       |
//! |-----------|------------------------------------------------------------|
//! | 0         | version, 1                                                 |
//! | 1         | kind of the message ([`Message::kind`])                    |
//! | 2 .. n-4  | the message's body in postcard                             |
//! | n-4 .. n  | CRC-32/ISCSI over bytes 0 .. n-4                           |
//!
//! It is stuffed by COBS, so that it has no zero byte, and ended by one. A
//! receiver that hears garbage is back in step after the next zero byte; a
//! sender begins each session with a zero byte of its own.
//!
//! Both ends are here as engines without input and output: [`Adapter`] is what
//! firmware runs, [`Host`] what the gateway runs. Bytes and a time go in, bytes
//! and frames come out.
//!
//! Promises:
//! - No `std`, no allocation, no unsafe code, no panic on any bytes.
//! - Buffers are fixed: [`MAX_PACKET_BYTES`] on the wire, [`Adapter`]'s queue by its
//!   type, [`Host`]'s by [`MAX_UNSENT`].
//! - Bodies of one version never change; `tests/version_1.rs` holds their bytes.
//! - The CRC finds noise, not malice: the line is inside the box.

#![no_std]

mod adapter;
mod clock;
mod cobs;
mod host;
mod message;
mod packet;
mod session;

pub use adapter::{Adapter, AdapterCounters, Heard};
pub use clock::{ClockMap, MAX_ROUND_TRIP_MICROS};
pub use host::{Host, HostConfig, HostEvent, MAX_UNSENT, NoVersion, SendRefused, SessionEnd, SettingRefused};
pub use message::{
    BusMode, CanFrame, CanId, ClockReply, ClockRequest, Credit, Filter, FilterSet, FrameKind, Heartbeat,
    Hello, HelloAck, MAX_FILTERS, MAX_FIRMWARE_BYTES, Message, Report, Versions, agree,
};
pub use packet::{DecodeError, Decoder, EncodeError, MAX_PACKET_BYTES, encode};
pub use session::{
    BadPackets, HEARTBEAT_MICROS, HELLO_MICROS, HostCounters, LINE_BYTES, MAX_BUSES, SILENCE_MICROS,
    SessionInfo,
};

/// The oldest version that this crate speaks.
pub const MIN_VERSION: u8 = 1;
/// The version that this crate speaks best.
pub const VERSION: u8 = 1;
