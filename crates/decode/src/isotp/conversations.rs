//! Many senders at once, in bounded memory.
//!
//! Bounds: how many senders, how long a message, and how many bytes all buffers
//! hold together. What gives way: first the sender that was silent longest among
//! those with nothing under way. Where all have something under way, the new
//! one is refused ([`RejectCode::TransportBusy`]), so that a flood of starts
//! cannot push out a message that is nearly whole.

use super::{
    MAX_MESSAGE_BYTES,
    pci::FlowControl,
    receiver::{Receiver, Step},
};
use crate::RejectCode;
use vernport_types::{BootMicros, CanId};

/// Bounds of [`Conversations`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many senders are followed at once.
    pub senders: usize,
    /// The longest message that is followed, in bytes.
    pub message_bytes: usize,
    /// How many bytes all buffers together may hold. A single frame needs 64.
    pub total_bytes: usize,
}

impl Default for Limits {
    /// 64 senders, 4095 bytes a message, 64 KiB in all.
    fn default() -> Self {
        Self { senders: 64, message_bytes: MAX_MESSAGE_BYTES, total_bytes: 64 * 1024 }
    }
}

/// Puts the messages of many senders together.
#[derive(Debug)]
pub struct Conversations {
    limits: Limits,
    slots: Vec<Slot>,
}

#[derive(Debug)]
struct Slot {
    sender: CanId,
    heard_at: BootMicros,
    receiver: Receiver,
}

impl Conversations {
    /// Nobody was heard yet.
    pub const fn new(limits: Limits) -> Self {
        Self { limits, slots: Vec::new() }
    }

    /// Takes the data of one frame of `sender` in normal addressing, heard at `now`.
    pub fn push(&mut self, sender: CanId, data: &[u8], now: BootMicros) -> Step<'_> {
        let Some(place) = self.place_of(sender, now) else { return Step::dropped(RejectCode::TransportBusy) };
        if !self.make_room(place, data.len(), now) {
            self.slots[place].receiver.reset();
            return Step::dropped(RejectCode::TransportBusy);
        }
        let slot = &mut self.slots[place];
        slot.heard_at = now;
        slot.receiver.push(data, now)
    }

    /// Takes a flow control that was said to `sender`; gives why its message ended if it did.
    pub fn flow_control(
        &mut self,
        sender: CanId,
        flow_control: FlowControl,
        now: BootMicros,
    ) -> Option<RejectCode> {
        let slot = self.slots.iter_mut().find(|slot| slot.sender == sender)?;
        slot.receiver.flow_control(flow_control, now)
    }

    /// Drops the messages whose next frame is overdue, and says how many.
    pub fn expire(&mut self, now: BootMicros) -> usize {
        self.slots.iter_mut().filter_map(|slot| slot.receiver.expire(now)).count()
    }

    /// Forgets all senders.
    pub fn reset(&mut self) {
        self.slots.clear();
    }

    /// How many senders are known.
    pub const fn senders(&self) -> usize {
        self.slots.len()
    }

    /// How many bytes all buffers hold.
    pub fn bytes(&self) -> usize {
        self.slots.iter().map(|slot| slot.receiver.bytes()).sum()
    }

    fn place_of(&mut self, sender: CanId, now: BootMicros) -> Option<usize> {
        if let Some(place) = self.slots.iter().position(|slot| slot.sender == sender) {
            return Some(place);
        }
        if self.slots.len() < self.limits.senders {
            let receiver = Receiver::new(0, self.limits.message_bytes);
            self.slots.push(Slot { sender, heard_at: now, receiver });
            return Some(self.slots.len() - 1);
        }
        let place = self.silent_longest(now, |_| true)?;
        let slot = &mut self.slots[place];
        slot.sender = sender;
        slot.receiver.reset();
        Some(place)
    }

    /// Whether the sender at `place` may take a frame, after silent ones gave their memory back.
    fn make_room(&mut self, place: usize, frame_bytes: usize, now: BootMicros) -> bool {
        let receiver = &self.slots[place].receiver;
        let (held, needed) = (receiver.bytes(), receiver.bytes_after(frame_bytes));
        if needed == held {
            return true;
        }
        loop {
            if self.bytes() - held + needed <= self.limits.total_bytes {
                return true;
            }
            let sender = self.slots[place].sender;
            let gives = self.silent_longest(now, |slot| slot.sender != sender && slot.receiver.bytes() > 0);
            let Some(gives) = gives else { return false };
            self.slots[gives].receiver.release();
        }
    }

    /// Who was silent longest, of those with nothing under way.
    fn silent_longest(&self, now: BootMicros, and: impl Fn(&Slot) -> bool) -> Option<usize> {
        let idle = |slot: &Slot| slot.receiver.deadline().is_none_or(|deadline| now > deadline);
        let slots = self.slots.iter().enumerate().filter(|(_, slot)| idle(slot) && and(slot));
        slots.min_by_key(|(_, slot)| slot.heard_at).map(|(place, _)| place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isotp::{Heard, timing::LISTENING_MICROS};
    use proptest::prelude::*;

    fn id(number: u16) -> CanId {
        CanId::Standard(number)
    }

    const NOW: BootMicros = BootMicros(1);
    const FIRST: [u8; 8] = [0x10, 20, 1, 2, 3, 4, 5, 6];

    fn limits(senders: usize, total_bytes: usize) -> Limits {
        Limits { senders, total_bytes, ..Limits::default() }
    }

    #[test]
    fn a_new_sender_takes_the_place_of_the_one_that_was_silent_longest() {
        let mut conversations = Conversations::new(limits(2, 4096));
        for (number, at) in [(1, 10), (2, 20), (1, 30)] {
            conversations.push(id(number), &[1, 9], BootMicros(at));
        }
        conversations.push(id(3), &FIRST, BootMicros(40));
        let known: Vec<CanId> = conversations.slots.iter().map(|slot| slot.sender).collect();
        assert_eq!(known, [id(1), id(3)]);
    }

    #[test]
    fn where_all_have_something_under_way_a_new_one_is_refused_until_they_are_late() {
        let mut conversations = Conversations::new(limits(1, 4096));
        assert_eq!(conversations.push(id(1), &FIRST, NOW).heard, Heard::First);
        assert_eq!(conversations.push(id(2), &FIRST, NOW), Step::dropped(RejectCode::TransportBusy));
        let late = BootMicros(NOW.0 + LISTENING_MICROS + 1);
        assert_eq!(conversations.push(id(2), &FIRST, late).heard, Heard::First);
    }

    #[test]
    fn memory_of_silent_senders_is_given_back_when_another_needs_it() {
        let mut conversations = Conversations::new(limits(8, 128));
        for number in 1..=2 {
            conversations.push(id(number), &[1, 9], BootMicros(number.into()));
        }
        assert_eq!(conversations.bytes(), 128);
        assert_eq!(conversations.push(id(3), &FIRST, NOW).heard, Heard::First);
        assert_eq!((conversations.bytes(), conversations.senders()), (128, 3));
        assert_eq!(conversations.push(id(4), &FIRST, NOW).heard, Heard::First);
        assert_eq!(conversations.push(id(5), &FIRST, NOW), Step::dropped(RejectCode::TransportBusy));
    }

    proptest! {
        #[test]
        fn whatever_comes_the_bounds_hold(
            frames in proptest::collection::vec(
                (0_u16..12, prop_oneof![Just(0x10_u8), 0x11..0x20_u8, 0x20..0x30_u8, 0_u8..8], 2_usize..=64),
                0..400,
            ),
        ) {
            let mut conversations = Conversations::new(limits(8, 1024));
            for ((number, control, length), at) in frames.into_iter().zip((0..).step_by(20_000)) {
                let mut data = vec![0xFF; length];
                data[0] = control;
                conversations.push(id(number), &data, BootMicros(at));
                prop_assert!(conversations.bytes() <= 1024 && conversations.senders() <= 8);
            }
        }
    }
}
