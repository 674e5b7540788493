//! What is known of the vehicle between two breaks of the bus.

use super::{Assertion, Config, End, Event, Lookup};
use std::collections::VecDeque;
use vernport_types::{AssetId, Identification, Reading, SignalId, Source, Stamp, UtcMicros, Value, Vin};

/// A decoded value with its signal, source and time.
pub(super) type Decoded = (SignalId, Value, Source, Stamp);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Unknown,
    Known {
        asset: AssetId,
        by: Identification,
    },
    /// Identifications were in conflict.
    Nobody,
}

#[derive(Debug)]
pub(super) struct Attachment {
    config: Config,
    /// When the vehicle before this one was heard last.
    previous_left_at: Option<UtcMicros>,
    /// What was said of a vehicle before this one.
    spent: Option<Assertion>,
    /// What was said while this one was heard.
    said: Option<Assertion>,
    since: Stamp,
    last_heard: Stamp,
    checked: Stamp,
    vin: Option<Vin>,
    /// Whom an assertion or the pin made it: it cannot become another without a break.
    bound: Option<AssetId>,
    who: Who,
    /// Whether it may yet turn out whose values these are, by an order that waits already.
    may_hold: bool,
    held: VecDeque<Decoded>,
}

struct Conflict;

impl Attachment {
    pub(super) fn new(
        config: Config,
        previous_left_at: Option<UtcMicros>,
        spent: Option<Assertion>,
        at: Stamp,
    ) -> Self {
        Self {
            config,
            previous_left_at,
            spent,
            said: None,
            since: at,
            last_heard: at,
            checked: at,
            vin: None,
            bound: None,
            who: Who::Unknown,
            may_hold: false,
            held: VecDeque::new(),
        }
    }

    pub(super) fn recognised(&self) -> Option<(AssetId, Identification)> {
        match self.who {
            Who::Known { asset, by } => Some((asset, by)),
            Who::Unknown | Who::Nobody => None,
        }
    }

    /// Notes that something was heard. Values are held only while an order or
    /// enrolment waits for a vehicle that has not said who it is: what was read
    /// before anybody waited for it is not given to it later.
    pub(super) fn heard(&mut self, at: Stamp, somebody_waits: bool, out: &mut impl FnMut(Event)) {
        self.last_heard = at;
        self.may_hold = somebody_waits && self.vin.is_none() && self.bound.is_none();
        if !self.may_hold {
            self.drop_all(out);
        }
    }

    /// Looks again as [`Self::recheck`] does, while the vehicle is heard: what a technician
    /// has said by now is about this one or one before it.
    pub(super) fn recheck_heard(&mut self, now: Stamp, lookup: &impl Lookup, out: &mut impl FnMut(Event)) {
        if micros_between(self.checked, now) >= self.config.recheck_micros {
            self.said = lookup.asserted();
            self.identify(now, lookup, out);
        }
    }

    /// What was said while this vehicle was heard, or before.
    pub(super) fn said(&self) -> Option<Assertion> {
        self.said.or(self.spent)
    }

    pub(super) fn last_heard(&self) -> Stamp {
        self.last_heard
    }

    pub(super) fn is_silent(&self, now: Stamp) -> bool {
        micros_between(self.last_heard, now) > self.config.silence_micros
    }

    /// Looks again at what identifies the vehicle, if that was not done just now.
    pub(super) fn recheck(&mut self, now: Stamp, lookup: &impl Lookup, out: &mut impl FnMut(Event)) {
        if micros_between(self.checked, now) >= self.config.recheck_micros {
            self.identify(now, lookup, out);
        }
    }

    pub(super) fn vin(&mut self, vin: Vin, at: Stamp, lookup: &impl Lookup, out: &mut impl FnMut(Event)) {
        match self.vin {
            Some(before) if before == vin => {}
            Some(_) => self.conflict(out),
            None => {
                self.vin = Some(vin);
                self.identify(at, lookup, out);
                self.may_hold = false;
                self.drop_all(out);
            }
        }
    }

    pub(super) fn value(&mut self, decoded: Decoded, out: &mut impl FnMut(Event)) {
        match self.who {
            Who::Known { asset, by } => out(Event::Reading(reading(decoded, asset, by))),
            Who::Unknown if self.may_hold => {
                self.drop_old(decoded.3, out);
                if self.held.len() == self.config.hold_values {
                    self.drop_first(out);
                }
                self.held.push_back(decoded);
            }
            Who::Unknown | Who::Nobody => out(Event::Unidentified { signal: decoded.0 }),
        }
    }

    pub(super) fn end(mut self, why: End, out: &mut impl FnMut(Event)) {
        self.drop_all(out);
        if self.recognised().is_some() {
            out(Event::Ended { why });
        }
    }

    fn identify(&mut self, now: Stamp, lookup: &impl Lookup, out: &mut impl FnMut(Event)) {
        self.checked = now;
        self.drop_old(now, out);
        if self.who == Who::Nobody {
            return;
        }
        let Ok(found) = self.find(now, lookup) else { return self.conflict(out) };
        match (self.recognised(), found) {
            (before, after) if before == after => {}
            (before, Some((asset, by))) => {
                // Another asset of the same VIN: central has merged two.
                if before.is_some_and(|(before, _)| before != asset) {
                    out(Event::Ended { why: End::Recheck });
                }
                self.who = Who::Known { asset, by };
                if by < Identification::BusVin {
                    self.bound = Some(asset);
                }
                out(Event::Began { asset, by });
                for decoded in self.held.drain(..) {
                    out(Event::Reading(reading(decoded, asset, by)));
                }
            }
            (_, None) => {
                self.who = Who::Unknown;
                out(Event::Ended { why: End::Recheck });
            }
        }
    }

    fn find(&self, now: Stamp, lookup: &impl Lookup) -> Result<Option<(AssetId, Identification)>, Conflict> {
        let found = if let Some(vin) = &self.vin {
            lookup.by_vin(vin).map(|asset| (asset, Identification::BusVin))
        } else if micros_between(self.since, now) < self.config.vin_grace_micros {
            None
        } else {
            let said_since = |made_at| self.previous_left_at.is_none_or(|left_at| made_at > left_at);
            let asserted = lookup.asserted();
            // Clocks are set back: so both the time counts and that it was not said before.
            let asserted =
                asserted.filter(|assertion| said_since(assertion.made_at) && Some(*assertion) != self.spent);
            let asserted = asserted.map(|assertion| (assertion.asset, Identification::Asserted));
            asserted.or_else(|| lookup.pinned().map(|asset| (asset, Identification::Pinned)))
        };
        match (found, self.bound) {
            (Some((asset, _)), Some(bound)) if asset != bound => Err(Conflict),
            _ => Ok(found),
        }
    }

    fn conflict(&mut self, out: &mut impl FnMut(Event)) {
        if self.who != Who::Nobody {
            self.who = Who::Nobody;
            self.drop_all(out);
            out(Event::Ended { why: End::Conflict });
        }
    }

    fn drop_old(&mut self, now: Stamp, out: &mut impl FnMut(Event)) {
        while self.held.front().is_some_and(|held| micros_between(held.3, now) > self.config.hold_micros) {
            self.drop_first(out);
        }
    }

    pub(super) fn drop_all(&mut self, out: &mut impl FnMut(Event)) {
        while !self.held.is_empty() {
            self.drop_first(out);
        }
    }

    fn drop_first(&mut self, out: &mut impl FnMut(Event)) {
        if let Some((signal, ..)) = self.held.pop_front() {
            out(Event::Unidentified { signal });
        }
    }
}

fn micros_between(from: Stamp, to: Stamp) -> u64 {
    to.boot.0.saturating_sub(from.boot.0)
}

fn reading((signal, value, source, at): Decoded, asset: AssetId, by: Identification) -> Reading {
    Reading { asset, signal, value, at, source, identified_by: by }
}
