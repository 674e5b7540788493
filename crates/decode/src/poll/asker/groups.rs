//! J1939: groups that are said, long answers to us alone, acknowledgements.

use super::{Asker, Outcome, Request};
use crate::{
    j1939::{
        Id,
        ack::{Acknowledgement, Control},
        pgn, responder, transport,
    },
    poll::{entry::Item, talk},
};
use vernport_types::{BootMicros, CanFrame};

/// How long after a request for a group the answers of several units may come.
const MORE_ANSWERS_MICROS: u64 = 1_250_000;

impl Asker {
    pub(super) fn broadcast(&mut self, frame: &CanFrame, now: BootMicros) {
        if !self.visit.speaks_j1939 {
            self.visit.speaks_j1939 = talk::is_j1939(frame.id());
        }
        let Some(id) = Id::from_can(frame.id()) else { return self.visit.talk.heard(frame, now) };
        let to_us = id.destination == Some(Id::SERVICE_TOOL_1);
        match id.pgn {
            transport::CONNECTION | transport::DATA if to_us => self.transfer(frame, now),
            transport::CONNECTION => {
                if let [.., low, mid, high] = *frame.data() {
                    self.group_heard(u32::from_le_bytes([low, mid, high, 0]), now);
                }
            }
            transport::DATA => {}
            pgn::ACKNOWLEDGEMENT => {
                if let Some(said) = Acknowledgement::read(id, frame.data()) {
                    self.refused(said);
                }
            }
            group if self.group_heard(group, now) => {}
            _ => self.visit.talk.heard(frame, now),
        }
    }

    /// A group was said by somebody; whether that was an answer to us.
    fn group_heard(&mut self, number: u32, now: BootMicros) -> bool {
        let of = |item: Item| matches!(item, Item::Group(group) if group.number() == number);
        if let Some(entry) = self.entries.iter_mut().find(|entry| of(entry.item)) {
            // Who says it unasked need not be asked.
            entry.answered(now);
        }
        if let Some(outstanding) = &mut self.outstanding
            && matches!(outstanding.request, Request::J1939(group) if group.number() == number)
        {
            outstanding.count(now);
            return true;
        }
        let just = self.asked_at.is_some_and(|at| now.0.saturating_sub(at.0) <= MORE_ANSWERS_MICROS);
        just && self.group_asked.is_some_and(|group| group.number() == number)
    }

    /// A packet to us, or what goes before and after packets.
    fn transfer(&mut self, frame: &CanFrame, now: BootMicros) {
        let Some(reply) = self.responder.heard(frame, now) else { return };
        if let Some(whole) = responder::acknowledged(&reply) {
            self.group_heard(whole, now);
        }
        self.owe(reply);
    }

    fn refused(&mut self, said: Acknowledgement) {
        let Some(outstanding) = &mut self.outstanding else { return };
        let is_ours = matches!(outstanding.request, Request::J1939(group) if group.number() == said.group);
        if !is_ours || said.to != Id::SERVICE_TOOL_1 {
            return;
        }
        match said.control {
            Control::Negative | Control::AccessDenied => outstanding.refuse(Outcome::Unsupported),
            Control::Busy => outstanding.refuse(Outcome::Later),
            Control::Positive | Control::Other(_) => {}
        }
    }
}
