//! A long J1939 answer that is sent to us alone (SAE J1939-21, 5.10): the part of
//! the receiver. One session at a time, for a group that we asked for; the bytes
//! are put together elsewhere.

use super::{Group, Reply};
use crate::j1939::transport::MAX_MESSAGE_BYTES;
use vernport_types::BootMicros;

/// How long the next packet may take after a "clear to send" (T2).
const T2_MICROS: u64 = 1_250_000;
const REQUEST_TO_SEND: u8 = 16;
const ABORTED: u8 = 255;
/// Abort reasons of SAE J1939-21, table 7.
const TIMEOUT: u8 = 3;
const BAD_SEQUENCE: u8 = 7;

/// The session that is open.
#[derive(Debug, Clone, Copy)]
pub(super) struct Session {
    pub(super) source: u8,
    pub(super) group: Group,
    size: u16,
    packets: u8,
    most: u8,
    next: u8,
    /// The last packet that was called for.
    called: u8,
    deadline: BootMicros,
}

/// What a packet did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// More is to come.
    Goes(Option<Reply>),
    /// All of it is there.
    Whole(Reply),
    /// It cannot be had.
    Broken(Reply),
}

impl Session {
    /// Takes a TP.CM to us. Opens a session where it is a request to send `asked`.
    pub(super) fn open(source: u8, data: &[u8], asked: Group, now: BootMicros) -> Option<(Self, Reply)> {
        let &[REQUEST_TO_SEND, low, high, packets, most, group_low, group_mid, group_high] = data else {
            return None;
        };
        let size = u16::from_le_bytes([low, high]);
        let fits = (9..=MAX_MESSAGE_BYTES).contains(&usize::from(size));
        let group = u32::from_le_bytes([group_low, group_mid, group_high, 0]);
        if group != asked.number() || !fits || size.div_ceil(7) != u16::from(packets) {
            return None;
        }
        let most = most.max(1);
        let mut session =
            Self { source, group: asked, size, packets, most, next: 1, called: 0, deadline: now };
        let reply = session.call(now);
        Some((session, reply))
    }

    /// Whether a TP.CM of the sender ends it.
    pub(super) fn is_ended_by(&self, source: u8, data: &[u8]) -> bool {
        source == self.source && data.first() == Some(&ABORTED)
    }

    /// Takes a TP.DT of the sender to us.
    pub(super) fn packet(&mut self, data: &[u8], now: BootMicros) -> Step {
        let to = self.source;
        if data.first() != Some(&self.next) {
            return Step::Broken(Reply::Abort { to, reason: BAD_SEQUENCE, group: self.group });
        }
        if self.next == self.packets {
            let (size, packets, group) = (self.size, self.packets, self.group);
            return Step::Whole(Reply::EndOfMessage { to, size, packets, group });
        }
        self.deadline = BootMicros(now.0.saturating_add(T2_MICROS));
        self.next += 1;
        Step::Goes((self.next > self.called).then(|| self.call(now)))
    }

    /// The abort that is due where the sender has stopped.
    pub(super) fn late(&self, now: BootMicros) -> Option<Reply> {
        (now > self.deadline).then_some(Reply::Abort { to: self.source, reason: TIMEOUT, group: self.group })
    }

    pub(super) fn deadline(&self) -> BootMicros {
        self.deadline
    }

    /// Calls for as many packets as the sender allows at once.
    fn call(&mut self, now: BootMicros) -> Reply {
        let packets = self.most.min(self.packets - (self.next - 1));
        self.called = self.next - 1 + packets;
        self.deadline = BootMicros(now.0.saturating_add(T2_MICROS));
        Reply::ClearToSend { to: self.source, packets, next: self.next, group: self.group }
    }
}
