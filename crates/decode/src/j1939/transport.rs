//! Long messages (SAE J1939-21, 5.10): 9 to 1785 bytes in packets of 7, to everybody
//! or from one control unit to another.
//!
//! ```text
//! to everybody                             from A to B
//! A  TP.CM_BAM  20 size packets FF group   A  TP.CM_RTS       10 size packets most group
//! A  TP.DT      number, 7 bytes            B  TP.CM_CTS       11 count next FF FF group
//!                                          A  TP.DT           number, 7 bytes
//!                                          B  TP.CM_EndOfMsg  13 size packets FF group
//!                                          either, TP.Conn_Abort  FF reason FF FF FF group
//! ```
//!
//! [`Transport`] listens to all of it and takes no part; [`super::Responder`]
//! answers where a message is for us. Its promises:
//!
//! - A message is given out whole or not at all. In a broadcast a packet that is
//!   missing or repeated drops it. Between two units B may ask for packets again:
//!   one that comes again must be as it was, one that we missed is waited for.
//! - It follows also where only A is heard: our own answers, or those behind a gateway.
//! - Bounded: one message for each pair of source and destination, as the standard has it,
//!   and [`MAX_SESSIONS`] in all. When that is reached the new one gives way, not those
//!   under way, which end by themselves. Groups that nobody wants take no room.
//! - The extended protocol (ETP, groups C700 and C800) is not followed, and does not disturb.

use super::Id;
use crate::RejectCode;
use vernport_types::BootMicros;

/// Connection management (TP.CM).
pub const CONNECTION: u32 = 0xEC00;
/// Data transfer (TP.DT).
pub const DATA: u32 = 0xEB00;

/// How many messages are followed at once.
pub const MAX_SESSIONS: usize = 16;
/// The shortest message: a byte more than a frame holds.
pub const MIN_MESSAGE_BYTES: usize = 9;
/// The longest message: 255 packets.
pub const MAX_MESSAGE_BYTES: usize = 1785;

// SAE J1939-21, 5.10.2.4 and C.1.
/// How long a unit takes to answer at most (Tr).
pub const TR_MICROS: u64 = 200_000;
/// How long the next packet may take (T1).
pub const T1_MICROS: u64 = 750_000;
/// How long the first packet after a CTS may take (T2).
pub const T2_MICROS: u64 = 1_250_000;
/// How long a CTS or end of message may take after the last packet asked for (T3).
pub const T3_MICROS: u64 = 1_250_000;
/// How long the next CTS may take after one that holds (T4).
pub const T4_MICROS: u64 = 1_050_000;

/// Control bytes of TP.CM.
pub(super) const RTS: u8 = 16;
pub(super) const CTS: u8 = 17;
pub(super) const END_OF_MESSAGE: u8 = 19;
pub(super) const BROADCAST_ANNOUNCE: u8 = 32;
pub(super) const ABORT: u8 = 255;

/// What one frame of the protocol did.
#[derive(PartialEq, Eq)]
pub struct Step<'a> {
    /// Why a message under way, or this one, was dropped.
    pub dropped: Option<RejectCode>,
    /// The group and bytes of a message that is now whole.
    pub message: Option<(u32, &'a [u8])>,
}

impl Step<'_> {
    const NOTHING: Self = Self { dropped: None, message: None };

    const fn dropped(code: RejectCode) -> Self {
        Self { dropped: Some(code), message: None }
    }
}

impl std::fmt::Debug for Step<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let group = self.message.map(|(group, bytes)| (group, bytes.len()));
        f.debug_struct("Step").field("dropped", &self.dropped).field("message", &group).finish()
    }
}

/// Who sends to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pair {
    source: u8,
    destination: u8,
}

impl Pair {
    const fn is_broadcast(self) -> bool {
        self.destination == Id::GLOBAL
    }

    const fn back(self) -> Self {
        Self { source: self.destination, destination: self.source }
    }
}

/// Size, number of packets and group, as BAM and RTS announce them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Announced {
    pub(super) size: usize,
    pub(super) packets: u8,
    pub(super) group: u32,
}

/// Puts the long messages of one bus together.
#[derive(Default)]
pub struct Transport {
    sessions: Vec<Session>,
}

struct Session {
    pair: Pair,
    group: u32,
    size: usize,
    /// The number of the packet that is missing next: 1 to 256.
    next: u16,
    /// The last packet that B asked for; 0 where no CTS was heard.
    asked_to: u16,
    deadline: BootMicros,
    active: bool,
    bytes: Vec<u8>,
}

impl std::fmt::Debug for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let under_way = self.sessions.iter().filter(|session| session.active).count();
        f.debug_struct("Transport").field("under_way", &under_way).finish()
    }
}

impl Transport {
    /// Whether a group is of this protocol.
    pub const fn is(group: u32) -> bool {
        matches!(group, CONNECTION | DATA)
    }

    /// Takes a TP.CM or TP.DT. Groups that are not `wanted` are not followed.
    pub fn push(
        &mut self,
        id: Id,
        data: &[u8],
        now: BootMicros,
        wanted: impl FnOnce(u32) -> bool,
    ) -> Step<'_> {
        let Some(destination) = id.destination else { return Step::NOTHING };
        let pair = Pair { source: id.source, destination };
        if id.pgn == DATA {
            return self.packet(pair, data, now);
        }
        let Ok(data) = <&[u8; 8]>::try_from(data) else { return Step::dropped(RejectCode::TransportSize) };
        let dropped = match data[0] {
            RTS | BROADCAST_ANNOUNCE => self.announce(pair, data, now, wanted),
            CTS => self.clear(pair.back(), data, now),
            END_OF_MESSAGE => self.give_up(pair.back(), data, RejectCode::TransportSequence),
            ABORT => self
                .give_up(pair, data, RejectCode::TransportAborted)
                .or_else(|| self.give_up(pair.back(), data, RejectCode::TransportAborted)),
            _ => None,
        };
        Step { dropped, message: None }
    }

    /// Drops messages whose next packet is overdue; how many there were.
    pub fn expire(&mut self, now: BootMicros) -> usize {
        let late = self.sessions.iter_mut().filter(|session| session.active && now > session.deadline);
        late.map(|session| session.active = false).count()
    }

    /// Forgets what is under way.
    pub fn reset(&mut self) {
        for session in &mut self.sessions {
            session.active = false;
            session.bytes.clear();
        }
    }

    fn announce(
        &mut self,
        pair: Pair,
        data: &[u8; 8],
        now: BootMicros,
        wanted: impl FnOnce(u32) -> bool,
    ) -> Option<RejectCode> {
        // An RTS to everybody is nobody's to answer, and a BAM has no single reader
        // (SAE J1939-21, 5.10.3): neither begins a message, nor ends one.
        if pair.is_broadcast() != (data[0] == BROADCAST_ANNOUNCE) {
            return Some(RejectCode::TransportAddress);
        }
        // A new announcement ends what its source had under way to there, wanted or not.
        let cut_off = self.active(pair).and_then(|session| {
            session.active = false;
            (!session.bytes.is_empty() || pair.is_broadcast()).then_some(RejectCode::TransportSequence)
        });
        if !wanted(group_of(data)) {
            return cut_off;
        }
        let Some(Announced { size, group, .. }) = announced(data) else {
            return Some(RejectCode::TransportSize);
        };
        let wait = if pair.is_broadcast() { T1_MICROS } else { T3_MICROS + T2_MICROS };
        let Some(session) = self.free(now) else { return Some(RejectCode::TransportBusy) };
        let overdue = session.active.then_some(RejectCode::TransportTimeout);
        session.bytes.clear();
        *session = Session {
            pair,
            group,
            size,
            next: 1,
            asked_to: 0,
            deadline: after(now, wait),
            active: true,
            bytes: std::mem::take(&mut session.bytes),
        };
        cut_off.or(overdue)
    }

    /// B asks for packets, or holds the connection with a count of 0.
    fn clear(&mut self, pair: Pair, data: &[u8; 8], now: BootMicros) -> Option<RejectCode> {
        let &[_, count, next, ..] = data;
        let session = self.active_of(pair, data)?;
        if count == 0 {
            session.deadline = after(now, T4_MICROS);
        } else if u16::from(next) > session.next {
            // B has what we missed, so it will not be sent again.
            session.active = false;
            return Some(RejectCode::TransportSequence);
        } else {
            session.asked_to = (u16::from(next) + u16::from(count)).saturating_sub(1);
            session.deadline = after(now, T2_MICROS);
        }
        None
    }

    /// One side ended a message that is not whole here.
    fn give_up(&mut self, pair: Pair, data: &[u8; 8], why: RejectCode) -> Option<RejectCode> {
        let session = self.active_of(pair, data)?;
        session.active = false;
        Some(why)
    }

    fn packet(&mut self, pair: Pair, data: &[u8], now: BootMicros) -> Step<'_> {
        let Some(session) = self.active(pair) else { return Step::NOTHING };
        if now > session.deadline {
            session.active = false;
            return Step::dropped(RejectCode::TransportTimeout);
        }
        if !session.take(data) {
            session.active = false;
            return Step::dropped(RejectCode::TransportSequence);
        }
        if session.bytes.len() == session.size {
            session.active = false;
            return Step { dropped: None, message: Some((session.group, &session.bytes)) };
        }
        session.deadline = after(now, session.wait(data));
        Step::NOTHING
    }

    fn active(&mut self, pair: Pair) -> Option<&mut Session> {
        self.sessions.iter_mut().find(|session| session.active && session.pair == pair)
    }

    /// The message of a pair, if it is of the group that a TP.CM is about.
    fn active_of(&mut self, pair: Pair, data: &[u8; 8]) -> Option<&mut Session> {
        self.active(pair).filter(|session| !pair.is_broadcast() && session.group == group_of(data))
    }

    /// Room for a message: unused, or that of one that is overdue.
    fn free(&mut self, now: BootMicros) -> Option<&mut Session> {
        let idle = |session: &Session| !session.active || now > session.deadline;
        if let Some(at) = self.sessions.iter().position(idle) {
            return self.sessions.get_mut(at);
        }
        if self.sessions.len() == MAX_SESSIONS {
            return None;
        }
        self.sessions.push(Session {
            pair: Pair { source: 0, destination: 0 },
            group: 0,
            size: 0,
            next: 0,
            asked_to: 0,
            deadline: BootMicros(0),
            active: false,
            bytes: Vec::new(),
        });
        self.sessions.last_mut()
    }
}

impl Session {
    /// Takes a packet; false if it cannot be part of the message.
    fn take(&mut self, data: &[u8]) -> bool {
        let &[number, ref packet @ ..] = data else { return false };
        let (number, start) = (u16::from(number), 7 * (usize::from(number).saturating_sub(1)));
        let packet = match packet.len() {
            7 => &packet[..(self.size - start.min(self.size)).min(7)],
            _ => return false,
        };
        if number == self.next {
            self.bytes.extend_from_slice(packet);
            self.next += 1;
            return true;
        }
        if self.pair.is_broadcast() || number == 0 || packet.is_empty() {
            return false;
        }
        // Again: as it was. Ahead: B may miss what we missed and ask for it.
        number > self.next || self.bytes.get(start..).is_some_and(|bytes| bytes.starts_with(packet))
    }

    /// How long the frame after this packet may take.
    fn wait(&self, data: &[u8]) -> u64 {
        let within = data.first().is_some_and(|number| u16::from(*number) < self.asked_to);
        if self.pair.is_broadcast() || within { T1_MICROS } else { T3_MICROS + T2_MICROS }
    }
}

/// What a BAM or RTS announces; none where the standard does not allow it.
pub(super) fn announced(data: &[u8; 8]) -> Option<Announced> {
    let &[_, low, high, packets, ..] = data;
    let size = usize::from(u16::from_le_bytes([low, high]));
    let allowed = (MIN_MESSAGE_BYTES..=MAX_MESSAGE_BYTES).contains(&size);
    (allowed && usize::from(packets) == size.div_ceil(7)).then_some(Announced {
        size,
        packets,
        group: group_of(data),
    })
}

/// The group that a TP.CM is about.
pub(super) const fn group_of(&[.., low, mid, high]: &[u8; 8]) -> u32 {
    u32::from_le_bytes([low, mid, high, 0])
}

pub(super) fn after(now: BootMicros, micros: u64) -> BootMicros {
    BootMicros(now.0.saturating_add(micros))
}

#[cfg(test)]
mod tests;
