//! Our side of a long message that answers our request (SAE J1939-21, 5.10.3), without I/O.
//!
//! ```text
//! control unit  TP.CM_RTS ──►            ──► TP.DT 1…n ──►                    ──►
//! us                      TP.CM_CTS 1…n ◄──            TP.CM_CTS or EndOfMsg ◄──
//! ```
//!
//! [`Responder`] keeps no bytes: the message itself is put together by
//! [`super::transport::Transport`] like any other. It promises:
//!
//! - It answers only transfers to our address of a group that was asked for, from the
//!   unit that was asked, within [`ANSWER_MICROS`]. All other transfers get no answer,
//!   not even a refusal.
//! - What it sends is CTS, end of message or abort, to the unit that sends (invariant 14).
//! - [`MAX_TRANSFERS`] at once; one more is refused with an abort. A transfer ends by itself:
//!   each step has its time, and lost packets are asked for again [`MAX_RETRIES`] times.

use super::{
    Id,
    transport::{self, Announced, T1_MICROS, T2_MICROS, after},
};
use vernport_types::{BootMicros, CanFrame, FrameKind};

/// How many transfers are answered at once.
pub const MAX_TRANSFERS: usize = 4;
/// How many requests are remembered at once; one more takes the place of the oldest.
pub const MAX_ASKED: usize = 16;
/// How long after a request its answer may begin.
pub const ANSWER_MICROS: u64 = 5_000_000;
/// How often lost packets are asked for again (SAE J1939-21, 5.10.2.4).
pub const MAX_RETRIES: u8 = 2;
/// How many packets are asked for at once.
pub const PACKETS_AT_ONCE: u8 = 16;

/// Why a connection is given up (SAE J1939-21, table 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AbortReason {
    /// 1: in a connection already, and cannot have another.
    AlreadyConnected,
    /// 2: the resources are needed for another task.
    Resources,
    /// 3: something did not come in time.
    Timeout,
    /// 4: a CTS came while data was being sent.
    ClearWhileSending,
    /// 5: packets were asked for again too often.
    Retries,
    /// 6: a data packet that nobody asked for.
    UnexpectedData,
    /// 7: a packet number that cannot be.
    BadSequence,
    /// 8: a packet number twice.
    DuplicateSequence,
    /// 9: more than 1785 bytes.
    TooLong,
    /// Any other.
    Other(u8),
}

impl AbortReason {
    /// The byte on the bus.
    pub const fn to_byte(self) -> u8 {
        match self {
            Self::AlreadyConnected => 1,
            Self::Resources => 2,
            Self::Timeout => 3,
            Self::ClearWhileSending => 4,
            Self::Retries => 5,
            Self::UnexpectedData => 6,
            Self::BadSequence => 7,
            Self::DuplicateSequence => 8,
            Self::TooLong => 9,
            Self::Other(byte) => byte,
        }
    }

    /// The reason of a byte on the bus.
    pub const fn from_byte(byte: u8) -> Self {
        match byte {
            1 => Self::AlreadyConnected,
            2 => Self::Resources,
            3 => Self::Timeout,
            4 => Self::ClearWhileSending,
            5 => Self::Retries,
            6 => Self::UnexpectedData,
            7 => Self::BadSequence,
            8 => Self::DuplicateSequence,
            9 => Self::TooLong,
            other => Self::Other(other),
        }
    }
}

/// Answers the transfers to one address of ours.
#[derive(Debug)]
pub struct Responder {
    address: u8,
    asked: [Option<Asked>; MAX_ASKED],
    transfers: [Option<Transfer>; MAX_TRANSFERS],
}

/// A request that was sent.
#[derive(Debug, Clone, Copy)]
struct Asked {
    group: u32,
    /// Of whom; [`Id::GLOBAL`] for everybody.
    of: u8,
    until: BootMicros,
}

#[derive(Debug, Clone, Copy)]
struct Transfer {
    from: u8,
    announced: Announced,
    /// How many packets the sender can send at once.
    most: u8,
    /// The number of the packet that is missing next: 1 to 256.
    next: u16,
    /// The last packet that was asked for.
    asked_to: u16,
    retries: u8,
    deadline: BootMicros,
}

/// The group of the message that a frame of ours acknowledges as whole; none if it says something else.
pub fn acknowledged(frame: &CanFrame) -> Option<u32> {
    let data = <&[u8; 8]>::try_from(frame.data()).ok()?;
    let id = Id::from_can(frame.id()).filter(|id| id.pgn == transport::CONNECTION);
    (id.is_some() && data[0] == transport::END_OF_MESSAGE).then(|| transport::group_of(data))
}

/// What follows from a packet.
enum Then {
    Wait,
    Ask,
    End,
    Abort(AbortReason),
}

impl Responder {
    /// A responder for transfers to `address`: [`Id::SERVICE_TOOL_1`].
    pub const fn new(address: u8) -> Self {
        Self { address, asked: [None; MAX_ASKED], transfers: [None; MAX_TRANSFERS] }
    }

    /// Notes a request for `group` that is sent to `of` ([`Id::GLOBAL`] for everybody) at `now`.
    pub fn asked(&mut self, group: u32, of: u8, now: BootMicros) {
        // The same request again takes its own place, then free places are taken, then the oldest.
        let order = |place: &&mut Option<Asked>| {
            place
                .map(|asked| ((asked.group, asked.of) != (group, of), asked.until))
                .unwrap_or((true, BootMicros(0)))
        };
        let place = self.asked.iter_mut().min_by_key(order).expect("there are places");
        *place = Some(Asked { group, of, until: after(now, ANSWER_MICROS) });
    }

    /// Takes each frame heard on the bus (not our own); gives the frame that we
    /// owe within [`transport::TR_MICROS`].
    pub fn heard(&mut self, frame: &CanFrame, now: BootMicros) -> Option<CanFrame> {
        let id = Id::from_can(frame.id()).filter(|id| id.destination == Some(self.address))?;
        let data = <&[u8; 8]>::try_from(frame.data()).ok().filter(|_| frame.kind() == FrameKind::Data)?;
        match (id.pgn, data[0]) {
            (transport::CONNECTION, transport::RTS) => self.begin(id.source, data, now),
            (transport::CONNECTION, transport::ABORT) => {
                let group = transport::group_of(data);
                let ended =
                    |transfer: &Transfer| transfer.from == id.source && transfer.announced.group == group;
                let place = self.transfers.iter_mut().find(|place| place.as_ref().is_some_and(ended))?;
                *place = None;
                None
            }
            (transport::DATA, number) => self.packet(id.source, number, now),
            _ => None,
        }
    }

    /// Gives up one transfer that is overdue; call it until it gives none, at least every 100 ms
    /// while [`Self::is_busy`].
    pub fn tick(&mut self, now: BootMicros) -> Option<CanFrame> {
        let late = |place: &&mut Option<Transfer>| place.is_some_and(|transfer| now > transfer.deadline);
        let transfer = self.transfers.iter_mut().find(late)?.take()?;
        self.abort(transfer.from, transfer.announced.group, AbortReason::Timeout)
    }

    /// After when [`Self::tick`] gives up a transfer; none while there is none.
    pub fn deadline(&self) -> Option<BootMicros> {
        self.transfers.iter().flatten().map(|transfer| transfer.deadline).min()
    }

    /// Whether a transfer is under way.
    pub fn is_busy(&self) -> bool {
        self.transfers.iter().any(Option::is_some)
    }

    /// Forgets requests and transfers, and sends nothing more for them: another vehicle
    /// may be there, or another tester.
    pub fn reset(&mut self) {
        *self = Self::new(self.address);
    }

    fn begin(&mut self, from: u8, data: &[u8; 8], now: BootMicros) -> Option<CanFrame> {
        let group = transport::group_of(data);
        let fits = |asked: &Asked| {
            asked.group == group && (asked.of == from || asked.of == Id::GLOBAL) && now <= asked.until
        };
        if !self.asked.iter().flatten().any(fits) {
            return None;
        }
        let Some(announced) = transport::announced(data) else {
            let size = usize::from(u16::from_le_bytes([data[1], data[2]]));
            let too_long = size > transport::MAX_MESSAGE_BYTES;
            return too_long.then(|| self.abort(from, group, AbortReason::TooLong))?;
        };
        // The same again replaces the one before; another one beside it is refused (SAE J1939-21, 5.10.3.1).
        let place =
            self.transfers.iter().position(|place| place.is_some_and(|transfer| transfer.from == from));
        if place.and_then(|place| self.transfers[place]).is_some_and(|other| other.announced.group != group) {
            return self.abort(from, group, AbortReason::AlreadyConnected);
        }
        let Some(place) = place.or_else(|| self.transfers.iter().position(Option::is_none)) else {
            return self.abort(from, group, AbortReason::Resources);
        };
        let most = data[4].clamp(1, PACKETS_AT_ONCE);
        let mut transfer = Transfer {
            from,
            announced,
            most,
            next: 1,
            asked_to: 0,
            retries: 0,
            deadline: after(now, T2_MICROS),
        };
        let answer = self.ask(&mut transfer, now);
        self.transfers[place] = Some(transfer);
        answer
    }

    fn packet(&mut self, from: u8, number: u8, now: BootMicros) -> Option<CanFrame> {
        let place =
            self.transfers.iter().position(|place| place.is_some_and(|transfer| transfer.from == from))?;
        let mut transfer = self.transfers[place].take()?;
        let answer = match transfer.take(u16::from(number), now) {
            Then::Wait => None,
            Then::Ask => self.ask(&mut transfer, now),
            Then::End => return self.end(&transfer),
            Then::Abort(reason) => return self.abort(from, transfer.announced.group, reason),
        };
        self.transfers[place] = Some(transfer);
        answer
    }

    fn ask(&self, transfer: &mut Transfer, now: BootMicros) -> Option<CanFrame> {
        let left = u16::from(transfer.announced.packets) + 1 - transfer.next;
        let count = left.min(u16::from(transfer.most));
        transfer.asked_to = transfer.next + count - 1;
        transfer.deadline = after(now, T2_MICROS);
        let (count, next) = (u8::try_from(count).ok()?, u8::try_from(transfer.next).ok()?);
        self.frame(transfer.from, transfer.announced.group, [transport::CTS, count, next, 0xFF, 0xFF])
    }

    fn end(&self, transfer: &Transfer) -> Option<CanFrame> {
        let Announced { size, packets, group } = transfer.announced;
        let [low, high] = u16::try_from(size).ok()?.to_le_bytes();
        self.frame(transfer.from, group, [transport::END_OF_MESSAGE, low, high, packets, 0xFF])
    }

    fn abort(&self, to: u8, group: u32, reason: AbortReason) -> Option<CanFrame> {
        self.frame(to, group, [transport::ABORT, reason.to_byte(), 0xFF, 0xFF, 0xFF])
    }

    fn frame(&self, to: u8, group: u32, [a, b, c, d, e]: [u8; 5]) -> Option<CanFrame> {
        let id = Id { priority: 7, pgn: transport::CONNECTION, destination: Some(to), source: self.address };
        let [low, mid, high, _] = group.to_le_bytes();
        CanFrame::data_frame(id.to_can()?, &[a, b, c, d, e, low, mid, high])
    }
}

impl Transfer {
    fn take(&mut self, number: u16, now: BootMicros) -> Then {
        if now > self.deadline {
            return Then::Abort(AbortReason::Timeout);
        }
        if number == 0 || number > self.asked_to {
            return Then::Abort(AbortReason::BadSequence);
        }
        self.deadline = after(now, T1_MICROS);
        if number == self.next {
            self.next += 1;
        }
        if self.next > u16::from(self.announced.packets) {
            return Then::End;
        }
        if self.next > self.asked_to {
            self.retries = 0;
            return Then::Ask;
        }
        // The last one asked for is here, and one before it is not.
        if number == self.asked_to {
            self.retries += 1;
            return if self.retries > MAX_RETRIES { Then::Abort(AbortReason::Retries) } else { Then::Ask };
        }
        Then::Wait
    }
}

#[cfg(test)]
mod tests;
