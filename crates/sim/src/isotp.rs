//! The answering side of ISO-TP (ISO 15765-2): requests of one or more frames
//! in, answers of one or more frames out; normal and extended addressing,
//! classic CAN and CAN FD.
//!
//! The asker's flow control is honoured: block size, pause, wait and overflow.
//! Consecutive frames are never closer than it asks, and where it asks for no
//! pause never closer than [`UNASKED_PAUSE_MICROS`].

mod listener;

use crate::{
    fault::Transport,
    vehicle::{NEVER, now_plus},
};
pub(crate) use listener::{Heard, Listener};
use vernport_types::{BootMicros, CanFrame, CanId, FrameKind};

/// How long a frame of the other side is waited for (N_Bs, N_Cr).
pub(crate) const TIMEOUT_MICROS: u64 = 1_000_000;
/// The pause between consecutive frames when the asker wants none.
pub(crate) const UNASKED_PAUSE_MICROS: u64 = 250;
/// What fills a frame.
const PADDING: u8 = 0xAA;
/// The longest answer: a length of 12 bits.
pub(crate) const MAX_BYTES: usize = 4095;
/// The lengths that a CAN FD frame can have from 8 bytes on (ISO 11898-1, DLC 8 to 15).
const FD_LENGTHS: [usize; 8] = [8, 12, 16, 20, 24, 32, 48, 64];

/// Which frames carry a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Classic,
    Fd,
}

impl Form {
    const fn frame_bytes(self) -> usize {
        match self {
            Self::Classic => 8,
            Self::Fd => 64,
        }
    }
}

/// Under what a unit's frames go out: an identifier, and with extended
/// addressing the other's address in the first byte.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sender {
    pub(crate) id: CanId,
    pub(crate) extension: Option<u8>,
}

impl Sender {
    /// One frame, filled up to a length that its form can have.
    pub(crate) fn frame(self, form: Form, control: &[u8], payload: &[u8]) -> CanFrame {
        let mut bytes = Vec::with_capacity(form.frame_bytes());
        bytes.extend(self.extension);
        bytes.extend(control);
        bytes.extend(payload);
        let length = FD_LENGTHS.into_iter().find(|length| *length >= bytes.len()).unwrap_or(64);
        bytes.resize(length, PADDING);
        let kind = match form {
            Form::Classic => FrameKind::Data,
            Form::Fd => FrameKind::FdData,
        };
        CanFrame::new(self.id, kind, &bytes).expect("callers cut the payload to the frame")
    }

    /// What fits into a frame beside so many bytes of control.
    fn room(self, form: Form, control_bytes: usize) -> usize {
        form.frame_bytes() - control_bytes - usize::from(self.extension.is_some())
    }
}

/// One conversation: answers that go out under one identifier.
pub(crate) struct Answerer {
    sender: Sender,
    fault: Transport,
    form: Form,
    payload: Vec<u8>,
    sent_bytes: usize,
    sent_frames: usize,
    state: State,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Idle,
    /// A first frame, or a block, is out; flow control must come.
    Awaiting {
        until: BootMicros,
    },
    /// Frames go out; `None` left in the block means no end to it.
    Sending {
        due: BootMicros,
        pause_micros: u64,
        left_in_block: Option<u8>,
    },
}

impl Answerer {
    pub(crate) const fn new(sender: Sender, fault: Transport) -> Self {
        Self {
            sender,
            fault,
            form: Form::Classic,
            payload: Vec::new(),
            sent_bytes: 0,
            sent_frames: 0,
            state: State::Idle,
        }
    }

    /// Begins an answer; one that is under way is given up, as the standard
    /// has it for a new request. What is too long is not sent.
    pub(crate) fn answer(&mut self, payload: &[u8], form: Form, now: BootMicros) -> Option<CanFrame> {
        self.give_up();
        let length = payload.len();
        if length == 0 || length > MAX_BYTES {
            return None;
        }
        let length_byte = u8::try_from(length).unwrap_or(u8::MAX);
        if length <= self.sender.room(Form::Classic, 1) {
            return Some(self.sender.frame(form, &[length_byte], payload));
        }
        if form == Form::Fd && length <= self.sender.room(form, 2) {
            return Some(self.sender.frame(form, &[0, length_byte], payload));
        }
        let (first, _) = payload.split_at(self.sender.room(form, 2));
        let [high, low] = u16::try_from(length).expect("at most 12 bits").to_be_bytes();
        self.form = form;
        self.payload = payload.to_vec();
        self.sent_bytes = first.len();
        self.state = State::Awaiting { until: now_plus(now, TIMEOUT_MICROS) };
        Some(self.sender.frame(form, &[0x10 | high, low], first))
    }

    /// Flow control of the asker: its status, block size and pause.
    pub(crate) fn on_flow_control(&mut self, control: [u8; 3], now: BootMicros) -> Option<CanFrame> {
        if !matches!(self.state, State::Awaiting { .. }) {
            return None;
        }
        let [status, block, separation] = control;
        match status & 0x0F {
            // Clear to send: block size, then the pause between frames.
            0 => {
                if self.fault == Transport::NoConsecutiveFrames {
                    self.give_up();
                    return None;
                }
                self.state = State::Sending {
                    due: now,
                    pause_micros: pause_micros(separation),
                    left_in_block: (block > 0).then_some(block),
                };
                self.on_tick(now)
            }
            1 => {
                self.state = State::Awaiting { until: now_plus(now, TIMEOUT_MICROS) };
                None
            }
            // Overflow, or a status that does not exist: the answer ends.
            _ => {
                self.give_up();
                None
            }
        }
    }

    /// What is due now; an answer that waited too long for flow control is given up.
    pub(crate) fn on_tick(&mut self, now: BootMicros) -> Option<CanFrame> {
        match self.state {
            State::Awaiting { until } if until <= now => {
                self.give_up();
                None
            }
            State::Sending { due, pause_micros, left_in_block } if due <= now => {
                let frame = self.consecutive();
                let left = left_in_block.map(|left| left.saturating_sub(1));
                if self.sent_bytes >= self.payload.len() {
                    self.give_up();
                } else if left == Some(0) {
                    self.state = State::Awaiting { until: now_plus(now, TIMEOUT_MICROS) };
                } else {
                    let due = now_plus(now, pause_micros);
                    self.state = State::Sending { due, pause_micros, left_in_block: left };
                }
                Some(frame)
            }
            _ => None,
        }
    }

    pub(crate) const fn next_due(&self) -> BootMicros {
        match self.state {
            State::Idle => NEVER,
            State::Awaiting { until } => until,
            State::Sending { due, .. } => due,
        }
    }

    fn consecutive(&mut self) -> CanFrame {
        let rest = self.payload.get(self.sent_bytes..).unwrap_or_default();
        let chunk = &rest[..rest.len().min(self.sender.room(self.form, 1))];
        self.sent_frames += 1;
        // Out of sequence: the first number is left out.
        let ahead = usize::from(self.fault == Transport::OutOfSequence);
        let sequence = u8::try_from((self.sent_frames + ahead) % 16).expect("below 16");
        let frame = self.sender.frame(self.form, &[0x20 | sequence], chunk);
        self.sent_bytes += chunk.len();
        frame
    }

    fn give_up(&mut self) {
        self.payload = Vec::new();
        self.sent_bytes = 0;
        self.sent_frames = 0;
        self.state = State::Idle;
    }
}

/// STmin (ISO 15765-2, table 20): 0x01 to 0x7F ms, 0xF1 to 0xF9 hundreds of
/// µs; reserved values count as the longest.
const fn pause_micros(separation: u8) -> u64 {
    match separation {
        0 => UNASKED_PAUSE_MICROS,
        0x01..=0x7F => separation as u64 * 1000,
        0xF1..=0xF9 => (separation - 0xF0) as u64 * 100,
        _ => 127_000,
    }
}

#[cfg(test)]
mod tests;
