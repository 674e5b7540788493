//! The sending side, for tests and simulated peers: it takes any message.
//!
//! It is behind the feature `isotp-sender`, which no crate that ships turns on:
//! what the gateway can say to a vehicle is in [`poll`](crate::poll) alone
//! (invariant 14).
//!
//! ```text
//! start ─► poll ─► frame, handed over ─┬─► sent
//!           ▲                          ├─► next one after the gap ─┐
//!           ├──────────────────────────┼───────────────────────────┘
//!           └── flow control ◄─────────┘ after the first frame and each block
//! ```

use super::{
    PADDING,
    link::{Link, Path},
    pci::{Pci, Status},
    timing::{Gap, N_AS_MICROS, N_BS_MICROS, after},
};
use thiserror::Error;
use vernport_types::{BootMicros, CanFrame, FrameKind};

/// The sizes of CAN FD data above 8 bytes (ISO 11898-1).
const FD_SIZES: [usize; 7] = [12, 16, 20, 24, 32, 48, 64];

/// How a [`Sender`] makes its frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// The longest data field (TX_DL): 8, 12, 16, 20, 24, 32, 48 or 64. Over 8 all frames are CAN FD.
    pub frame_bytes: usize,
    /// CAN FD frames also where 8 bytes are enough.
    pub fd: bool,
    /// Fills frames up to 8 bytes; none leaves them short. Over 8 bytes what the
    /// sizes of CAN FD leave over is always filled.
    pub padding: Option<u8>,
    /// How often "wait" is obeyed in a row (N_WFTmax).
    pub max_waits: u8,
}

impl Default for Format {
    /// Classic CAN, filled, eight waits.
    fn default() -> Self {
        Self { frame_bytes: 8, fd: false, padding: Some(PADDING), max_waits: 8 }
    }
}

/// Why a message was not begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum StartError {
    /// A message has at least one byte.
    #[error("an ISO-TP message has at least one byte")]
    Empty,
    /// Longer than a length of 32 bits.
    #[error("an ISO-TP message has at most 4294967295 bytes")]
    TooLong,
    /// Another one is under way.
    #[error("a message is under way; wait for its end")]
    Busy,
}

/// Why a message did not arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// A frame was not handed over within N_As.
    NotHandedOver,
    /// No flow control within N_Bs.
    NoFlowControl,
    /// Told to wait once too often.
    TooManyWaits,
    /// The receiver has no room for it.
    Overflow,
    /// A flow control with a reserved status.
    ReservedStatus,
}

/// How far a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Nothing was begun.
    Idle,
    /// Under way.
    Sending,
    /// All its frames were handed over.
    Sent,
    /// It ended before.
    Failed(Failure),
}

/// Sends the messages of one node to another.
#[derive(Debug)]
pub struct Sender {
    link: Link,
    format: Format,
    message: Vec<u8>,
    sent_bytes: usize,
    number: u8,
    gap: Gap,
    /// Consecutive frames until the next flow control; none: no limit.
    left_in_block: Option<u8>,
    state: State,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Resting(Progress),
    /// The next frame may go.
    Due(BootMicros),
    /// A frame was given out and not yet handed over.
    Handing {
        deadline: BootMicros,
        starts: bool,
    },
    AwaitingFlowControl {
        deadline: BootMicros,
        waits: u8,
    },
}

impl Sender {
    /// A sender of `link` with nothing to send; none for a size that CAN does not have.
    pub fn new(link: Link, format: Format) -> Option<Self> {
        let size = format.frame_bytes == 8 || FD_SIZES.contains(&format.frame_bytes);
        size.then(|| Self {
            link,
            format,
            message: Vec::new(),
            sent_bytes: 0,
            number: 0,
            gap: Gap::NONE,
            left_in_block: None,
            state: State::Resting(Progress::Idle),
        })
    }

    /// Begins a message.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(&mut self, message: &[u8], now: BootMicros) -> Result<(), StartError> {
        if self.progress() == Progress::Sending {
            return Err(StartError::Busy);
        }
        if message.is_empty() {
            return Err(StartError::Empty);
        }
        if u32::try_from(message.len()).is_err() {
            return Err(StartError::TooLong);
        }
        self.message.clear();
        self.message.extend_from_slice(message);
        (self.sent_bytes, self.number) = (0, 0);
        self.state = State::Due(now);
        Ok(())
    }

    /// The frame to send now. [`Self::handed_over`] is owed for it.
    pub fn poll(&mut self, now: BootMicros) -> Option<CanFrame> {
        self.expire(now);
        match self.state {
            State::Due(due) if now >= due => {}
            _ => return None,
        }
        let starts = self.sent_bytes == 0;
        let frame = if starts { self.single().or_else(|| self.first()) } else { self.consecutive() }?;
        self.state = State::Handing { deadline: after(now, N_AS_MICROS), starts };
        Some(frame)
    }

    /// The frame of the last [`Self::poll`] is on its way since `now`.
    pub fn handed_over(&mut self, now: BootMicros) {
        self.expire(now);
        let State::Handing { starts, .. } = self.state else { return };
        self.number = (self.number + 1) & 0x0F;
        let block_ends = match &mut self.left_in_block {
            _ if starts => true,
            None => false,
            Some(frames) => {
                *frames -= 1;
                *frames == 0
            }
        };
        self.state = if self.sent_bytes == self.message.len() {
            State::Resting(Progress::Sent)
        } else if block_ends {
            State::AwaitingFlowControl { deadline: after(now, N_BS_MICROS), waits: 0 }
        } else {
            State::Due(after(now, self.gap.micros()))
        };
    }

    /// Takes one frame of the bus: flow control of the other node.
    pub fn push(&mut self, frame: &CanFrame, now: BootMicros) {
        let Some(data) = self.link.hears.data(frame) else { return };
        let Ok(Some(Pci::FlowControl(said))) = Pci::read(data, self.link.hears.address_bytes()) else {
            return;
        };
        // An answer to a frame shows that it was handed over.
        self.handed_over(now);
        let State::AwaitingFlowControl { waits, .. } = self.state else { return };
        self.state = match said.status {
            Status::Continue => {
                self.gap = said.gap;
                self.left_in_block = Some(said.block_size).filter(|frames| *frames > 0);
                State::Due(now)
            }
            Status::Wait if waits < self.format.max_waits => {
                State::AwaitingFlowControl { deadline: after(now, N_BS_MICROS), waits: waits + 1 }
            }
            Status::Wait => failed(Failure::TooManyWaits),
            Status::Overflow => failed(Failure::Overflow),
            Status::Reserved => failed(Failure::ReservedStatus),
        };
    }

    /// How far the message is.
    pub const fn progress(&self) -> Progress {
        match self.state {
            State::Resting(progress) => progress,
            _ => Progress::Sending,
        }
    }

    /// When [`Self::poll`] has something to do, or gives up.
    pub fn next_due(&self) -> Option<BootMicros> {
        match self.state {
            State::Resting(_) => None,
            State::Due(due) => Some(due),
            State::Handing { deadline, .. } | State::AwaitingFlowControl { deadline, .. } => {
                Some(after(deadline, 1))
            }
        }
    }

    /// Gives a message up whose frame or flow control is overdue.
    fn expire(&mut self, now: BootMicros) {
        self.state = match self.state {
            State::Handing { deadline, .. } if now > deadline => failed(Failure::NotHandedOver),
            State::AwaitingFlowControl { deadline, .. } if now > deadline => failed(Failure::NoFlowControl),
            state => state,
        };
    }

    fn single(&mut self) -> Option<CanFrame> {
        let address_bytes = self.link.speaks.address_bytes();
        let length = u8::try_from(self.message.len()).ok()?;
        let bytes = self.message.len();
        if bytes + address_bytes < 8 {
            self.sent_bytes = bytes;
            return self.frame(&[length], 0, bytes);
        }
        if bytes + address_bytes + 2 > self.format.frame_bytes {
            return None;
        }
        self.sent_bytes = bytes;
        self.frame(&[0, length], 0, bytes)
    }

    fn first(&mut self) -> Option<CanFrame> {
        let length = u32::try_from(self.message.len()).ok()?;
        let [a, b, c, d] = length.to_be_bytes();
        let short = [0x10 | c, d];
        let long = [0x10, 0, a, b, c, d];
        let control: &[u8] = if length <= 4095 { &short } else { &long };
        let bytes = self.format.frame_bytes - self.link.speaks.address_bytes() - control.len();
        self.sent_bytes = bytes;
        self.frame(control, 0, bytes)
    }

    fn consecutive(&mut self) -> Option<CanFrame> {
        let room = self.format.frame_bytes - self.link.speaks.address_bytes() - 1;
        let from = self.sent_bytes;
        let bytes = room.min(self.message.len() - from);
        self.sent_bytes = from + bytes;
        self.frame(&[0x20 | self.number], from, bytes)
    }

    fn frame(&self, control: &[u8], from: usize, bytes: usize) -> Option<CanFrame> {
        let Path { id, address } = self.link.speaks;
        let mut data = [self.format.padding.unwrap_or(PADDING); CanFrame::MAX_BYTES];
        let parts = address.as_slice().iter().chain(control).chain(&self.message[from..from + bytes]);
        let mut used = 0;
        for (place, byte) in data.iter_mut().zip(parts) {
            *place = *byte;
            used += 1;
        }
        let size = match used {
            ..=8 if self.format.padding.is_some() => 8,
            ..=8 => used,
            _ => *FD_SIZES.iter().find(|size| **size >= used)?,
        };
        let fd = self.format.fd || self.format.frame_bytes > 8;
        CanFrame::new(id, if fd { FrameKind::FdData } else { FrameKind::Data }, &data[..size])
    }
}

const fn failed(failure: Failure) -> State {
    State::Resting(Progress::Failed(failure))
}

#[cfg(test)]
mod tests;
