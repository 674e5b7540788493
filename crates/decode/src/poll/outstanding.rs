//! The one request that waits for its answer.

use super::{Request, To, Unit};
use crate::uds::{Negative, P2_STAR_MICROS, Reaction};
use vernport_types::BootMicros;

/// How long an answer may take to begin: P2 of 50 ms (ISO 14229-2, ISO 15765-4), and what adapters add.
pub(super) const P2_MICROS: u64 = 150_000;
/// How often "response pending" is believed for one request.
const MAX_PENDING: u8 = 6;
/// How long the next frame of a long answer may take (N_Cr, ISO 15765-2).
const N_CR_MICROS: u64 = 1_000_000;
/// How long a J1939 answer may take to begin (SAE J1939-21, Tr and T3).
pub(super) const J1939_MICROS: u64 = 1_250_000;
/// Units whose long answers are followed at once.
const MAX_INCOMING: usize = 8;

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Answered,
    /// Not supported by whoever was asked.
    Unsupported,
    /// Not now.
    Later,
    Silence,
}

/// What a frame of a unit did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// Nothing that we wait for.
    Ignored,
    /// It belongs to an answer.
    Taken,
    /// A long answer begins: flow control is owed.
    First,
    /// A whole short answer.
    Answer(&'a [u8]),
}

#[derive(Debug, Clone)]
pub(super) struct Outstanding {
    pub(super) request: Request,
    pub(super) to: To,
    deadline: BootMicros,
    pending: u8,
    /// Units with a long answer under way, and the bytes that are missing.
    incoming: Vec<(Unit, usize)>,
    answered: u8,
    refusal: Option<Outcome>,
}

impl Outstanding {
    pub(super) fn new(request: Request, to: To, now: BootMicros) -> Self {
        let wait = if matches!(request, Request::J1939(_)) { J1939_MICROS } else { P2_MICROS };
        Self {
            request,
            to,
            deadline: after(now, wait),
            pending: 0,
            incoming: Vec::new(),
            answered: 0,
            refusal: None,
        }
    }

    pub(super) fn deadline(&self) -> BootMicros {
        self.deadline
    }

    /// Takes a frame of a unit.
    pub(super) fn heard<'a>(&mut self, unit: Unit, data: &'a [u8], now: BootMicros) -> Step<'a> {
        if matches!(self.request, Request::J1939(_)) || matches!(self.to, To::One(asked) if asked != unit) {
            return Step::Ignored;
        }
        match data {
            [0, length, message @ ..] if data.len() > 8 => self.message(cut(message, *length), now),
            [length @ 1..=7, message @ ..] => self.message(cut(message, *length), now),
            [first, low, message @ ..] if first >> 4 == 1 => {
                let length = usize::from(first & 0x0F) << 8 | usize::from(*low);
                if !self.is_answer(message) || self.incoming.len() == MAX_INCOMING {
                    return Step::Ignored;
                }
                self.incoming.retain(|(other, _)| *other != unit);
                self.incoming.push((unit, length.saturating_sub(message.len())));
                self.deadline = after(now, N_CR_MICROS);
                Step::First
            }
            [pci, rest @ ..] if pci >> 4 == 2 => {
                let Some(place) = self.incoming.iter().position(|(other, _)| *other == unit) else {
                    return Step::Ignored;
                };
                let missing = &mut self.incoming[place].1;
                *missing = missing.saturating_sub(rest.len());
                if *missing == 0 {
                    self.incoming.swap_remove(place);
                    self.count(now);
                } else {
                    self.deadline = after(now, N_CR_MICROS);
                }
                Step::Taken
            }
            _ => Step::Ignored,
        }
    }

    /// Counts an answer that came in another way, or is whole now.
    pub(super) fn count(&mut self, now: BootMicros) {
        self.answered = self.answered.saturating_add(1);
        // The others get what is left of their time, but not the time of a long answer.
        if self.incoming.is_empty() && self.pending == 0 {
            self.deadline = self.deadline.min(after(now, P2_MICROS));
        }
    }

    /// A refusal that came in another way.
    pub(super) fn refuse(&mut self, outcome: Outcome) {
        self.refusal = Some(outcome);
    }

    /// What came of it, once nothing more is to come; `units` may answer a request to all.
    pub(super) fn outcome(&self, units: usize, now: BootMicros) -> Option<Outcome> {
        let to_one = matches!(self.to, To::One(_)) || matches!(self.request, Request::J1939(_));
        let said = usize::from(self.answered) + usize::from(self.refusal.is_some());
        // Who there is shows only by the answers to the first question: all get their time.
        let asks_who =
            matches!(self.request, Request::CurrentData(pids) if pids.list()[0].is_multiple_of(0x20));
        let all_said =
            !asks_who && self.incoming.is_empty() && said > 0 && (to_one || units > 0 && said >= units);
        if !all_said && now <= self.deadline {
            return None;
        }
        // A long answer that broke off is none.
        Some(if self.answered > 0 { Outcome::Answered } else { self.refusal.unwrap_or(Outcome::Silence) })
    }

    fn message<'a>(&mut self, message: &'a [u8], now: BootMicros) -> Step<'a> {
        if let Some(negative) = Negative::read(message) {
            return self.negative(negative, now);
        }
        if !self.is_answer(message) {
            return Step::Ignored;
        }
        self.count(now);
        Step::Answer(message)
    }

    fn negative(&mut self, negative: Negative, now: BootMicros) -> Step<'static> {
        if self.begins().0[0] != negative.service | 0x40 {
            return Step::Ignored;
        }
        match negative.code.reaction() {
            Reaction::Wait if self.pending < MAX_PENDING => {
                self.pending += 1;
                self.deadline = self.deadline.max(after(now, P2_STAR_MICROS));
            }
            Reaction::Wait => {}
            Reaction::DoNotAskAgain => self.refuse(Outcome::Unsupported),
            Reaction::AskLater => self.refuse(Outcome::Later),
        }
        Step::Taken
    }

    fn is_answer(&self, message: &[u8]) -> bool {
        let (begins, len) = self.begins();
        message.get(..len) == Some(&begins[..len])
    }

    fn begins(&self) -> ([u8; 3], usize) {
        self.request.answer_begins()
    }
}

fn cut(message: &[u8], length: u8) -> &[u8] {
    message.get(..usize::from(length)).unwrap_or(message)
}

fn after(now: BootMicros, micros: u64) -> BootMicros {
    BootMicros(now.0.saturating_add(micros))
}
