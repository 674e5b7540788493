//! ISO 15765-2 (ISO-TP): messages longer than a frame, as state machines without I/O.
//!
//! ```text
//! byte 0 (protocol control information, ISO 15765-2:2016, 9.6)
//! 0x0L  single frame, L bytes; L = 0 over 8 bytes of data (CAN FD): length in byte 1
//! 0x1L  first frame, 12 bits of length; 0 there: 32 bits of length in bytes 2 to 5
//! 0x2N  consecutive frame number N, modulo 16
//! 0x3S  flow control, status S; byte 1 block size, byte 2 gap
//! ```
//!
//! In extended and mixed addressing one byte of address stands before it.
//!
//! [`Receiver`] follows one sender, [`Conversations`] many at once in bounded
//! memory, [`ReceivingEnd`] also answers with flow control. What they promise: a
//! message is given out whole or not at all, and buffers grow by what arrived,
//! never by the length that a frame claims.
//!
//! There is no sender here that takes any message: what may be sent to a
//! vehicle is a [`Request`](crate::poll::Request) and flow control (invariant
//! 14). `isotp::sender` plays the other side in tests, behind the feature
//! `isotp-sender`, which nothing that ships turns on.

mod conversations;
mod end;
mod link;
mod pci;
mod receiver;
#[cfg(any(test, feature = "isotp-sender"))]
pub mod sender;
pub mod timing;

pub use conversations::{Conversations, Limits};
pub use end::{ReceivingEnd, Terms};
pub use link::{Link, Path, TargetType};
pub(crate) use pci::single_frame;
pub use pci::{FLOW_CONTROL, FlowControl, Pci, Status};
pub use receiver::{Heard, Receiver, Step};

/// The longest message with a length of 12 bits (ISO 15765-2:2016, 9.6.3); a
/// receiver follows no longer ones unless it is told to.
pub const MAX_MESSAGE_BYTES: usize = 4095;

/// Filler of unused bytes in what we send (ISO 15765-2:2016, 10.4.2.1).
pub const PADDING: u8 = 0xCC;
