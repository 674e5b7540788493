//! Whether another tester is on the bus (invariant 14).
//!
//! What shows one, of frames that we did not send ourselves:
//! - what only a tester sends ([`uds::request_heard`]);
//! - an answer that is for another tester (18DAFxyy but not F1), or that nobody here asked for.
//!
//! For [`QUIET_MICROS`] after the last of them nothing is sent. What changes the
//! vehicle, asked or answered, keeps us silent until the visit ends: whoever began
//! it may pause for longer than a minute.

use super::Unit;
use crate::{
    j1939::{
        Id,
        claim::{AddressConflict, conflict},
    },
    uds,
};
use vernport_types::{BootMicros, CanFrame, CanId};

/// How long another tester has to be silent before anything is sent.
pub const QUIET_MICROS: u64 = 60_000_000;

/// What a frame says about testers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// Nothing.
    None,
    /// Another tester is there.
    Tester,
    /// Another tester changes the vehicle, or is about to.
    Changes,
    /// Somebody else has our J1939 address.
    AddressTaken,
}

/// What is known of other testers.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Testers {
    since: Option<BootMicros>,
    last: Option<BootMicros>,
    changes: bool,
    address_taken: bool,
}

impl Testers {
    pub(super) fn note(&mut self, sign: Sign, now: BootMicros) {
        if sign == Sign::None {
            return;
        }
        if !self.must_be_quiet(now) {
            self.since = Some(now);
        }
        self.last = Some(now);
        self.changes |= sign == Sign::Changes;
        self.address_taken |= sign == Sign::AddressTaken;
    }

    /// Whether nothing may be sent.
    pub(super) fn must_be_quiet(&self, now: BootMicros) -> bool {
        self.changes || self.last.is_some_and(|at| now.0.saturating_sub(at.0) < QUIET_MICROS)
    }

    /// Whether nothing may be sent in the name of our J1939 address.
    pub(super) fn address_taken(&self) -> bool {
        self.address_taken
    }

    /// Since when nothing may be sent.
    pub(super) fn quiet_since(&self, now: BootMicros) -> Option<BootMicros> {
        self.since.filter(|_| self.must_be_quiet(now))
    }

    /// When something may be sent again; none when only the visit's end allows it.
    pub(super) fn quiet_until(&self) -> Option<BootMicros> {
        if self.changes {
            return None;
        }
        Some(self.last.map_or(BootMicros(0), |at| BootMicros(at.0.saturating_add(QUIET_MICROS))))
    }

    /// The vehicle is gone. Whoever tests it may be there still: the minute goes on.
    pub(super) fn visit_ended(&mut self) {
        self.changes = false;
        self.address_taken = false;
    }
}

/// What a frame that is not ours says by its identifier and its service.
pub(super) fn sign(frame: &CanFrame) -> Sign {
    let conflict = Id::from_can(frame.id()).and_then(|id| conflict(id, frame.data(), Id::SERVICE_TOOL_1));
    if matches!(conflict, Some(AddressConflict::Claimed(_))) {
        return Sign::AddressTaken;
    }
    let answer = uds::answer_heard(frame);
    match uds::request_heard(frame).or(answer) {
        Some(asked) if asked.lasts_for_visit() => Sign::Changes,
        // Answers to F1 may be ours, and those with 11 bits say not to whom they are.
        Some(asked) if answer.is_none() || is_to_other(asked.id) => Sign::Tester,
        _ => Sign::None,
    }
}

/// Whether an answer goes to another tester by its address.
fn is_to_other(id: CanId) -> bool {
    matches!(id, CanId::Extended(_)) && Unit::answering(id).is_none()
}
