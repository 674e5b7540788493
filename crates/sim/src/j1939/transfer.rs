//! Messages longer than a frame (SAE J1939-21, 5.10): broadcast (BAM), or to
//! one asker that says when it is ready (RTS and CTS).

use super::{GLOBAL, frame};
use crate::vehicle::{NEVER, now_plus};
use std::collections::VecDeque;
use vernport_types::{BootMicros, CanFrame};

/// Transport protocol, connection management.
pub(super) const TP_CM: u32 = 0xEC00;
const TP_DT: u32 = 0xEB00;
/// Default priority of the transport protocol.
const PRIORITY: u8 = 7;
/// Pause between the packets of a BAM; the standard allows 50 to 200 ms.
const BAM_PAUSE_MICROS: u64 = 50_000;
/// Pause between packets to one asker; the standard allows up to 200 ms.
const PACKET_PAUSE_MICROS: u64 = 5_000;
/// How long the asker's next word is waited for (T3).
const ANSWER_MICROS: u64 = 1_250_000;
/// How long it may make us wait (T4).
const HOLD_MICROS: u64 = 1_050_000;
/// The most a transfer can carry: 255 packets of 7 bytes.
const MAX_BYTES: usize = 1785;
/// Messages that wait for their broadcast.
const MAX_WAITING: usize = 8;
const RTS: u8 = 0x10;
const CTS: u8 = 0x11;
const BAM: u8 = 0x20;
const ABORT: u8 = 0xFF;
/// The reason of an abort: it took too long.
const TIMED_OUT: u8 = 3;

/// A message cut into packets.
struct Packets {
    pgn: u32,
    bytes: Vec<u8>,
}

impl Packets {
    fn count(&self) -> u8 {
        u8::try_from(self.bytes.len().div_ceil(7)).expect("at most MAX_BYTES")
    }

    /// BAM or RTS: size, number of packets, and how many at a time (255: all).
    fn announcement(&self, control: u8) -> [u8; 8] {
        let [size_low, size_high] = u16::try_from(self.bytes.len()).expect("at most MAX_BYTES").to_le_bytes();
        let [low, middle, high, _] = self.pgn.to_le_bytes();
        [control, size_low, size_high, self.count(), 0xFF, low, middle, high]
    }

    /// A packet by its number, from 1.
    fn packet(&self, number: u8) -> Option<[u8; 8]> {
        let chunk = self.bytes.chunks(7).nth(usize::from(number.checked_sub(1)?))?;
        let mut data = [0xFF; 8];
        data[0] = number;
        data[1..=chunk.len()].copy_from_slice(chunk);
        Some(data)
    }
}

fn control(source: u8, destination: u8, data: [u8; 8]) -> CanFrame {
    frame(PRIORITY, TP_CM | u32::from(destination), source, data)
}

fn data_packet(source: u8, destination: u8, data: [u8; 8]) -> CanFrame {
    frame(PRIORITY, TP_DT | u32::from(destination), source, data)
}

/// Broadcasts of one control unit, one after the other: the standard allows a
/// unit one BAM at a time.
#[derive(Default)]
pub(super) struct Broadcasts {
    waiting: VecDeque<Packets>,
    under_way: Option<(Packets, u8)>,
    next_due: Option<BootMicros>,
}

impl Broadcasts {
    /// Puts a message in line. One that waits already is not put there twice.
    pub(super) fn send(&mut self, pgn: u32, bytes: Vec<u8>) {
        let fits = bytes.len() <= MAX_BYTES && self.waiting.len() < MAX_WAITING;
        if fits && self.waiting.iter().all(|waiting| waiting.pgn != pgn) {
            self.waiting.push_back(Packets { pgn, bytes });
        }
    }

    /// What is due now.
    pub(super) fn on_tick(&mut self, source: u8, now: BootMicros) -> Option<CanFrame> {
        if self.next_due.is_some_and(|due| due > now) {
            return None;
        }
        if let Some((packets, number)) = self.under_way.take()
            && let Some(packet) = packets.packet(number)
        {
            self.under_way = number.checked_add(1).map(|next| (packets, next));
            self.next_due = Some(now_plus(now, BAM_PAUSE_MICROS));
            return Some(data_packet(source, GLOBAL, packet));
        }
        // The pause was kept after the last packet too, before the next announcement.
        let Some(packets) = self.waiting.pop_front() else {
            self.next_due = None;
            return None;
        };
        let announcement = packets.announcement(BAM);
        self.under_way = Some((packets, 1));
        self.next_due = Some(now_plus(now, BAM_PAUSE_MICROS));
        Some(control(source, GLOBAL, announcement))
    }

    pub(super) fn next_due(&self) -> BootMicros {
        self.next_due.unwrap_or(NEVER)
    }
}

/// A message to one asker.
pub(super) struct ToOne {
    packets: Packets,
    asker: u8,
    state: State,
}

enum State {
    /// The asker has the word until then.
    Awaiting { until: BootMicros },
    /// Packets go out, from this one to that one.
    Sending { next: u8, last: u8, due: BootMicros },
}

/// What a step of a transfer to one asker comes to.
#[derive(Clone, Copy)]
pub(super) enum Step {
    /// It goes on, perhaps with a frame.
    On(Option<CanFrame>),
    /// It is over, perhaps with a last frame.
    Over(Option<CanFrame>),
}

impl ToOne {
    /// Asks the asker whether it is ready; none if the message is too long.
    pub(super) fn begin(
        pgn: u32,
        bytes: Vec<u8>,
        source: u8,
        asker: u8,
        now: BootMicros,
    ) -> Option<(Self, CanFrame)> {
        if bytes.len() > MAX_BYTES {
            return None;
        }
        let packets = Packets { pgn, bytes };
        let rts = control(source, asker, packets.announcement(RTS));
        let state = State::Awaiting { until: now_plus(now, ANSWER_MICROS) };
        Some((Self { packets, asker, state }, rts))
    }

    /// A word of connection management to us.
    pub(super) fn on_control(&mut self, from: u8, data: [u8; 8], source: u8, now: BootMicros) -> Step {
        let [word, count, next, .., low, middle, high] = data;
        if from != self.asker || u32::from_le_bytes([low, middle, high, 0]) != self.packets.pgn {
            return Step::On(None);
        }
        match word {
            // Not ready yet.
            CTS if count == 0 => {
                self.state = State::Awaiting { until: now_plus(now, HOLD_MICROS) };
                Step::On(None)
            }
            CTS if (1..=self.packets.count()).contains(&next) => {
                let last = next.saturating_add(count - 1).min(self.packets.count());
                self.state = State::Sending { next, last, due: now };
                self.on_tick(source, now)
            }
            CTS => Step::On(None),
            // The end, acknowledged; or an abort.
            0x13 | ABORT => Step::Over(None),
            _ => Step::On(None),
        }
    }

    /// What is due now.
    pub(super) fn on_tick(&mut self, source: u8, now: BootMicros) -> Step {
        match self.state {
            State::Awaiting { until } if until <= now => {
                let [low, middle, high, _] = self.packets.pgn.to_le_bytes();
                let abort = [ABORT, TIMED_OUT, 0xFF, 0xFF, 0xFF, low, middle, high];
                Step::Over(Some(control(source, self.asker, abort)))
            }
            State::Sending { next, last, due } if due <= now => {
                let packet = self.packets.packet(next).map(|data| data_packet(source, self.asker, data));
                self.state = if next < last {
                    State::Sending { next: next + 1, last, due: now_plus(now, PACKET_PAUSE_MICROS) }
                } else {
                    State::Awaiting { until: now_plus(now, ANSWER_MICROS) }
                };
                Step::On(packet)
            }
            _ => Step::On(None),
        }
    }

    pub(super) const fn next_due(&self) -> BootMicros {
        match self.state {
            State::Awaiting { until } => until,
            State::Sending { due, .. } => due,
        }
    }
}
