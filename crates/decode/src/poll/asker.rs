//! Decides for one bus what is asked and when.
//!
//! [`Asker::heard`] takes each frame of the bus, [`Asker::due`] gives what may be sent
//! now: call it after each frame and when [`Asker::next_due`] has come, and send at
//! once what it gives. Frames that were heard and wait to be looked at come first: a
//! request must not go out while another tester's frame lies in a queue.
//!
//! The budget is a gap between requests, without bursts: one for the bus, one for each
//! unit. A gap can be looked at without being spent; a rate limiter's tokens cannot.

mod choose;
mod groups;

use super::{
    Addressing, Group, Request, To, Unit, Wanted,
    entry::{Entry, Item},
    outstanding::{Outcome, Outstanding, Step},
    request,
    talk::LISTEN_MICROS,
    tester::{self, Sign, Testers},
    vehicle::Vehicle,
    want::Sources,
};
use crate::{
    decoder::ALWAYS_HEARD,
    dids::Dids,
    j1939::{Id, pgn, responder::Responder},
    uds, visit,
};
use std::collections::VecDeque;
use vernport_types::{BootMicros, CanFilter, CanFrame, CanId, Catalogue, FrameKind};

/// How long after a request an answer is still ours, and none of another tester.
const ANSWER_MICROS: u64 = 5_000_000;
/// How soon a frame that we sent may come back from an adapter that echoes.
const ECHO_MICROS: u64 = 200_000;
/// Frames of ours that may come back.
const MAX_ECHOES: usize = 8;
/// Replies that wait to be sent.
const MAX_OWED: usize = 8;
/// Diagnostic requests without any answer, in a row, after which the ignition counts as off …
const SILENCES: u8 = 3;
/// … and for how long.
const PAUSE_MICROS: u64 = 60_000_000;
/// PIDs that are due this soon go along in one request.
const TOGETHER_MICROS: u64 = 500_000;

/// Bounds of an [`Asker`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// How long a bus is listened to before the first request, in microseconds.
    pub listen_micros: u64,
    /// Least time between two requests on the bus, in microseconds.
    pub bus_gap_micros: u64,
    /// How long a bus may be silent within one visit, in microseconds; as in
    /// [`visit::Config`](crate::visit::Config).
    pub silence_micros: u64,
    /// Least time between two requests that one unit hears, in microseconds.
    pub unit_gap_micros: u64,
}

impl Default for Config {
    /// 3 s, 5 requests a second on the bus, 4 a second for one unit.
    fn default() -> Self {
        Self {
            listen_micros: LISTEN_MICROS,
            bus_gap_micros: 200_000,
            silence_micros: visit::Config::default().silence_micros,
            unit_gap_micros: 250_000,
        }
    }
}

/// What was counted since the asker was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests given out to be sent.
    pub asked: u64,
    /// Requests that were answered.
    pub answered: u64,
    /// Requests that were refused.
    pub refused: u64,
    /// Requests that nobody answered.
    pub unanswered: u64,
}

/// Whether it asks, and why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// No open flow needs anything.
    Idle,
    /// Nobody talks on the bus.
    Asleep,
    /// Somebody talks; it is listened to first.
    Listening,
    /// The vehicle says that its key is off.
    KeyOff,
    /// Another tester is there, or was less than a minute ago.
    OtherTester {
        /// Since when nothing is sent.
        since: BootMicros,
    },
    /// No unit answers any more.
    NoAnswer,
    /// It asks.
    Asking {
        /// Things that are asked for later because of silence or "busy".
        backing_off: usize,
    },
}

/// Asks on one bus.
#[derive(Debug)]
pub struct Asker {
    config: Config,
    sources: Sources,
    entries: Vec<Entry>,
    counts: Counts,
    testers: Testers,
    visit: Vehicle,
    /// When anything was heard last.
    last: Option<BootMicros>,
    /// When the bus may be asked again.
    free_at: BootMicros,
    asked_at: Option<BootMicros>,
    outstanding: Option<Outstanding>,
    /// The group of J1939 that was asked for last: more units may answer.
    group_asked: Option<Group>,
    /// Our side of long answers to us alone.
    responder: Responder,
    /// Replies that are due at once.
    owed: VecDeque<CanFrame>,
    sent: VecDeque<(CanFrame, BootMicros)>,
}

impl Asker {
    /// An asker that has heard nothing yet and wants nothing.
    pub fn new(catalogue: &Catalogue, dids: &Dids, config: Config) -> Self {
        Self {
            config,
            sources: Sources::new(catalogue, dids),
            entries: Vec::new(),
            counts: Counts::default(),
            testers: Testers::default(),
            visit: Vehicle::default(),
            last: None,
            free_at: BootMicros(0),
            asked_at: None,
            outstanding: None,
            group_asked: None,
            responder: Responder::new(Id::SERVICE_TOOL_1),
            owed: VecDeque::new(),
            sent: VecDeque::new(),
        }
    }

    /// What open flows want from now on. What nobody wants any more is not waited for either.
    pub fn want(&mut self, wanted: &Wanted) {
        let items = self.sources.items(wanted);
        let mut dropped_group = false;
        for entry in &mut self.entries {
            let is_wanted = items.iter().any(|(item, _)| *item == entry.item);
            dropped_group |= entry.wanted && !is_wanted && matches!(entry.item, Item::Group(_));
            entry.wanted = is_wanted;
        }
        for (item, every) in items {
            match self.entries.iter_mut().find(|entry| entry.item == item) {
                Some(entry) => entry.every = every,
                None => self.entries.push(Entry::new(item, every)),
            }
        }
        let outstanding = self.outstanding.as_ref().map(|outstanding| outstanding.request);
        if outstanding.is_some_and(|request| !self.is_wanted(request)) {
            self.outstanding = None;
            self.owed.clear();
        }
        if dropped_group {
            self.responder.reset();
        }
    }

    /// The vehicle is gone: what it supports, refused or said is forgotten. After a silence as long as
    /// the one that ends a visit, this happens by itself.
    pub fn visit_ended(&mut self) {
        self.visit = Vehicle::default();
        self.testers.visit_ended();
        self.entries.retain(|entry| entry.wanted);
        for entry in &mut self.entries {
            *entry = Entry::new(entry.item, entry.every);
        }
        self.stop();
    }

    /// Takes each frame heard on the bus. One that is the same as one of ours that was
    /// just sent is the echo of an adapter, once for each that was sent.
    pub fn heard(&mut self, frame: &CanFrame, now: BootMicros) {
        if !matches!(frame.kind(), FrameKind::Data | FrameKind::FdData) {
            return;
        }
        self.expire(now);
        if self.last.replace(now).is_some_and(|at| now.0.saturating_sub(at.0) > self.config.silence_micros) {
            // Another vehicle may be there now.
            self.visit_ended();
        }
        if self.is_echo(frame) {
            return;
        }
        let unit = Unit::answering(frame.id());
        let mut sign = tester::sign(frame);
        let asked = self.asked_at.is_some_and(|at| now.0.saturating_sub(at.0) <= ANSWER_MICROS);
        if sign == Sign::None && unit.is_some() && self.outstanding.is_none() && !asked {
            sign = Sign::Tester;
        }
        if sign != Sign::None {
            self.testers.note(sign, now);
            return self.stop();
        }
        match unit {
            Some(unit) => self.diagnostic(unit, frame.data(), now),
            None => self.broadcast(frame, now),
        }
        self.settle(now);
    }

    /// The frame to send now, if any. Ask again until there is none.
    pub fn due(&mut self, now: BootMicros) -> Option<CanFrame> {
        self.expire(now);
        if self.testers.must_be_quiet(now) {
            return None;
        }
        let frame = match self.owed.pop_front() {
            Some(reply) => reply,
            None => self.ask(now)?,
        };
        if self.sent.len() == MAX_ECHOES {
            self.sent.pop_front();
        }
        self.sent.push_back((frame, now));
        Some(frame)
    }

    /// When [`Asker::due`] may have something, unless something is heard before; none if it
    /// will not.
    pub fn next_due(&self, now: BootMicros) -> Option<BootMicros> {
        if !self.owed.is_empty() {
            return Some(now);
        }
        let waits = || self.outstanding.as_ref().map(Outstanding::deadline);
        if let Some(late) = self.responder.deadline().or_else(waits) {
            return Some(BootMicros(late.0.saturating_add(1)));
        }
        if self.visit.talk.key_is_off() {
            return None;
        }
        let listened = self.visit.talk.listened_at(self.config.listen_micros, now)?;
        let ready = listened.max(self.testers.quiet_until()?).max(self.free_at).max(self.visit.paused_until);
        let open = self.entries.iter().filter(|entry| entry.is_open() && self.target(entry.item).is_some());
        open.map(|entry| entry.due.max(self.unit_free_at(entry.item)).max(ready)).min()
    }

    /// Whether it asks, and why not.
    pub fn standing(&self, now: BootMicros) -> Standing {
        if let Some(since) = self.testers.quiet_since(now) {
            return Standing::OtherTester { since };
        }
        if !self.entries.iter().any(|entry| entry.wanted) {
            return Standing::Idle;
        }
        match self.visit.talk.listened_at(self.config.listen_micros, now) {
            None => Standing::Asleep,
            _ if self.visit.talk.key_is_off() => Standing::KeyOff,
            Some(at) if now < at => Standing::Listening,
            Some(_) if now < self.visit.paused_until => Standing::NoAnswer,
            Some(_) => {
                let waits = |entry: &&Entry| entry.is_open() && entry.failures > 0;
                Standing::Asking { backing_off: self.entries.iter().filter(waits).count() }
            }
        }
    }

    /// What was counted.
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// The frames that have to be heard for asking, beside those that are wanted for
    /// themselves: what is always heard (other testers, answers, J1939 transport), what
    /// only testers send, and the keyswitch.
    pub fn filters() -> Vec<CanFilter> {
        let mut filters = ALWAYS_HEARD.to_vec();
        filters.push(uds::MEMORY_ACCESS_FILTER);
        filters.push(CanFilter { id: CanId::Extended(pgn::ELECTRICAL_POWER << 8), mask: 0x03FF_FF00 });
        filters
    }

    /// Ends what is under way, because another tester is there or the vehicle is gone.
    fn stop(&mut self) {
        self.outstanding = None;
        self.responder.reset();
        self.owed.clear();
    }

    /// Replies are few; past the bound the sender gives up by itself.
    fn owe(&mut self, reply: CanFrame) {
        if self.owed.len() < MAX_OWED {
            self.owed.push_back(reply);
        }
    }

    fn is_echo(&mut self, frame: &CanFrame) -> bool {
        let same = self.sent.iter().position(|(sent, _)| sent == frame);
        same.and_then(|place| self.sent.remove(place)).is_some()
    }

    fn diagnostic(&mut self, unit: Unit, data: &[u8], now: BootMicros) {
        let Some(outstanding) = &mut self.outstanding else { return };
        let step = outstanding.heard(unit, data, now);
        if step == Step::Ignored {
            return;
        }
        self.visit.silences = 0;
        self.visit.addressing = Some(match unit {
            Unit::Standard(_) => Addressing::Standard,
            Unit::Extended(_) => Addressing::Extended,
        });
        if let Some(known) = self.visit.unit(unit) {
            known.answers = true;
            if let Step::Answer(message) = step {
                known.supported.hear(message);
            }
        }
        if step == Step::First {
            self.owe(request::flow_control(unit));
        }
    }

    /// Lets time pass.
    fn expire(&mut self, now: BootMicros) {
        while self.sent.front().is_some_and(|(_, at)| now.0.saturating_sub(at.0) > ECHO_MICROS) {
            self.sent.pop_front();
        }
        while let Some(abort) = self.responder.tick(now) {
            self.owe(abort);
        }
        self.settle(now);
    }

    /// Closes the request that waits, once it is clear what came of it.
    fn settle(&mut self, now: BootMicros) {
        if self.responder.is_busy() {
            return;
        }
        let Some(outstanding) = &self.outstanding else { return };
        let units = self.visit.units.iter().filter(|known| known.answers).count();
        let Some(outcome) = outstanding.outcome(units, now) else { return };
        let Some(Outstanding { request, to, .. }) = self.outstanding.take() else { return };
        match outcome {
            Outcome::Answered => self.counts.answered += 1,
            Outcome::Unsupported | Outcome::Later => self.counts.refused += 1,
            Outcome::Silence => self.counts.unanswered += 1,
        }
        let first = matches!(request, Request::CurrentData(pids) if pids.list() == [0]);
        if outcome == Outcome::Silence && !matches!(request, Request::J1939(_)) {
            self.nobody_answered(request, to, now);
        }
        let packed = matches!(request, Request::CurrentData(pids) if pids.list().len() > 1);
        if packed && outcome != Outcome::Answered && outcome != Outcome::Later {
            // Some units take one PID a request only, whatever the standard says.
            self.visit.pack = 1;
        }
        for entry in self.entries.iter_mut().filter(|entry| covers(request, to, entry.item)) {
            match outcome {
                Outcome::Answered => entry.answered(now),
                Outcome::Unsupported if packed => entry.due = now,
                // Whether a bus speaks OBD-II at all is asked again later.
                Outcome::Unsupported if !first => entry.refused = true,
                Outcome::Silence => entry.failed(now, true),
                Outcome::Unsupported | Outcome::Later => entry.failed(now, false),
            }
        }
    }

    fn nobody_answered(&mut self, request: Request, to: To, now: BootMicros) {
        if let (To::All(tried), None) = (to, self.visit.addressing) {
            self.visit.trial = match tried {
                Addressing::Standard => Addressing::Extended,
                Addressing::Extended => Addressing::Standard,
            };
            return;
        }
        // What was never answered says nothing about the ignition.
        if !self.entries.iter().any(|entry| entry.known && covers(request, to, entry.item)) {
            return;
        }
        self.visit.silences = self.visit.silences.saturating_add(1);
        if self.visit.silences >= SILENCES {
            self.visit.paused_until = BootMicros(now.0.saturating_add(PAUSE_MICROS));
        }
    }

    fn is_wanted(&self, request: Request) -> bool {
        self.entries.iter().any(|entry| {
            entry.wanted
                && match (request, entry.item) {
                    (Request::CurrentData(pids), Item::Pid(pid) | Item::Supported(pid)) => {
                        pids.list().contains(&pid)
                    }
                    (request, item) => item.request() == request,
                }
        })
    }
}

/// Whether a request asks for an item.
fn covers(request: Request, to: To, item: Item) -> bool {
    match (request, item) {
        (Request::CurrentData(pids), Item::Pid(pid)) => pids.list().contains(&pid),
        (Request::CurrentData(pids), Item::Supported(base)) => pids.list() == [base],
        (_, Item::Did(unit, _)) => item.request() == request && to == To::One(unit),
        (Request::DataByIdentifier(_), Item::UdsVin) => item.request() == request && matches!(to, To::All(_)),
        (_, item) => item.request() == request,
    }
}
