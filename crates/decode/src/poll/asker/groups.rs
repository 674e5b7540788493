//! J1939: groups that are said, long answers to us alone, acknowledgements.

use super::{Asker, Outcome, Outstanding, Request};
use crate::{
    j1939::{Id, transport},
    poll::{
        entry::Item,
        request::OUR_J1939_ADDRESS,
        session::{self, Session},
        talk,
    },
};
use vernport_types::{BootMicros, CanFrame};

/// Acknowledgement (SAE J1939-21, 5.4.4).
pub(super) const ACKNOWLEDGEMENT: u32 = 0xE800;
/// How long after a request for a group the answers of several units may come.
const MORE_ANSWERS_MICROS: u64 = 1_250_000;

impl Asker {
    pub(super) fn broadcast(&mut self, frame: &CanFrame, now: BootMicros) {
        if !self.visit.speaks_j1939 {
            self.visit.speaks_j1939 = talk::is_j1939(frame.id());
        }
        let Some(id) = Id::from_can(frame.id()) else { return self.visit.talk.heard(frame, now) };
        let to_us = id.destination == Some(OUR_J1939_ADDRESS);
        match id.pgn {
            transport::CONNECTION if to_us => self.connection(id.source, frame.data(), now),
            transport::DATA if to_us => self.packet(id.source, frame.data(), now),
            transport::CONNECTION => {
                if let [.., low, mid, high] = *frame.data() {
                    self.group_heard(u32::from_le_bytes([low, mid, high, 0]), now);
                }
            }
            transport::DATA => {}
            ACKNOWLEDGEMENT => self.acknowledged(frame.data()),
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

    fn connection(&mut self, source: u8, data: &[u8], now: BootMicros) {
        if let Some(session) = &self.session {
            if session.is_ended_by(source, data) {
                self.session = None;
            }
            return;
        }
        let Some(Outstanding { request: Request::J1939(asked), .. }) = self.outstanding else { return };
        if let Some((session, reply)) = Session::open(source, data, asked, now) {
            self.session = Some(session);
            self.owed.push_back(reply);
        }
    }

    fn packet(&mut self, source: u8, data: &[u8], now: BootMicros) {
        let Some(session) = self.session.as_mut().filter(|session| session.source == source) else { return };
        let reply = match session.packet(data, now) {
            session::Step::Goes(reply) => reply,
            session::Step::Whole(reply) => {
                let number = session.group.number();
                self.session = None;
                self.group_heard(number, now);
                Some(reply)
            }
            session::Step::Broken(reply) => {
                self.session = None;
                Some(reply)
            }
        };
        self.owed.extend(reply);
    }

    fn acknowledged(&mut self, data: &[u8]) {
        let Some(outstanding) = &mut self.outstanding else { return };
        let (Request::J1939(group), &[control, _, _, _, _, low, mid, high]) = (outstanding.request, data)
        else {
            return;
        };
        if group.number() != u32::from_le_bytes([low, mid, high, 0]) {
            return;
        }
        match control {
            1 => outstanding.refuse(Outcome::Unsupported),
            2 | 3 => outstanding.refuse(Outcome::Later),
            _ => {}
        }
    }
}
