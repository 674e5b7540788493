//! Which of two parts of a rule permits no more than the other. Each order is
//! partial: where neither permits no more than the other, the change is both
//! wider and narrower.

use super::Effect;
use crate::{
    Deliver, Minimiser, Payload, Period, Retention, RetentionRule, Sampling, StartEvent, Window,
    rules::within, table::rank,
};
use vernport_registry::Role;
use vernport_types::{Identification, UtcMicros};

/// The direction from old to new, by "permits no more than".
pub(super) fn step<T: ?Sized>(old: &T, new: &T, no_more: impl Fn(&T, &T) -> bool) -> Option<Effect> {
    match (no_more(old, new), no_more(new, old)) {
        (true, true) => None,
        (true, false) => Some(Effect::Permits),
        (false, true) => Some(Effect::Denies),
        (false, false) => Some(Effect::Both),
    }
}

/// The direction of what is either equal or cannot be compared.
pub(super) fn other<T: PartialEq + ?Sized>(old: &T, new: &T) -> Option<Effect> {
    (old != new).then_some(Effect::Both)
}

/// The direction of what is only said.
pub(super) fn wording<T: PartialEq + ?Sized>(old: &T, new: &T) -> Option<Effect> {
    (old != new).then_some(Effect::Says)
}

/// A multiple of a step says less: each value that is released stands for a range
/// that is wider. Other steps cut ranges across, and both together would say more.
pub(super) fn minimiser(a: &Minimiser, b: &Minimiser) -> bool {
    match (a, b) {
        (Minimiser::Drop, _) => true,
        (_, Minimiser::Drop) => false,
        (_, Minimiser::Exact) | (Minimiser::Presence, _) => true,
        (Minimiser::Exact, _) | (_, Minimiser::Presence) => false,
        (Minimiser::Round(a), Minimiser::Round(b)) | (Minimiser::Bucket(a), Minimiser::Bucket(b)) => {
            a.is_multiple_of(*b)
        }
        (Minimiser::Cell(a), Minimiser::Cell(b)) => a <= b,
        _ => false,
    }
}

pub(super) fn sampling(a: &Sampling, b: &Sampling) -> bool {
    match (a, b) {
        (_, Sampling::Every) | (Sampling::PerOrder, Sampling::PerOrder) => true,
        (Sampling::Interval(a), Sampling::Interval(b)) => a >= b,
        _ => false,
    }
}

/// Steps that times are cut down to, in microseconds; 0 leaves them.
pub(super) fn time_step(a: &i64, b: &i64) -> bool {
    *b == 0 || (*a != 0 && a % b == 0)
}

pub(super) fn weakest(a: &Identification, b: &Identification) -> bool {
    rank(*a) >= rank(*b)
}

pub(super) fn window(a: &Window, b: &Window) -> bool {
    a == b || *b == Window::Link
}

/// Each role that is named has to be held.
pub(super) fn roles(a: &[Role], b: &[Role]) -> bool {
    fewer(b, a)
}

/// Some of a list.
pub(super) fn fewer<T: PartialEq>(a: &[T], b: &[T]) -> bool {
    a.iter().all(|one| b.contains(one))
}

/// A list that may be none, which is all.
pub(super) fn fewer_or_all<T: PartialEq>(a: &Option<Vec<T>>, b: &Option<Vec<T>>) -> bool {
    match (a, b) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(a), Some(b)) => fewer(a, b),
    }
}

/// A flag that closes where it stands.
pub(super) fn closes(a: &bool, b: &bool) -> bool {
    *a || !*b
}

/// A flag that opens where it stands.
pub(super) fn opens(a: &bool, b: &bool) -> bool {
    *b || !*a
}

/// An end that may be none, which is later than any.
pub(super) fn end<T: Ord>(a: &Option<T>, b: &Option<T>) -> bool {
    match (a, b) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(a), Some(b)) => a <= b,
    }
}

/// From when until before when; none is always.
pub(super) type Span = Option<(UtcMicros, UtcMicros)>;

pub(super) fn span(a: &Span, b: &Span) -> bool {
    match (a, b) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(a), Some(b)) => b.0 <= a.0 && a.1 <= b.1,
    }
}

pub(super) fn store(a: &Deliver, b: &Deliver) -> bool {
    opens(&a.store, &b.store)
}

pub(super) fn topic(a: &Deliver, b: &Deliver) -> bool {
    let height = |deliver: &Deliver| match deliver.topic.as_ref().map(|topic| topic.payload) {
        None => 0,
        Some(Payload::Sealed) => 1,
        Some(Payload::Plain) => 2,
    };
    height(a) <= height(b)
}

/// What a topic shows.
pub(super) fn shown(deliver: &Deliver) -> &'static str {
    match deliver.topic.as_ref().map(|topic| topic.payload) {
        None => "none",
        Some(Payload::Sealed) => "sealed",
        Some(Payload::Plain) => "plain",
    }
}

/// Country codes, or `EEA` for all of them.
pub(super) fn regions(a: &[String], b: &[String]) -> bool {
    a.iter().all(|region| within(b, region))
}

pub(super) fn period(a: &Period, b: &Period) -> bool {
    a.never_ends_after(b)
}

/// Due at the event plus the period, at the latest at the reading plus the cap.
/// No event comes before the reading.
pub(super) fn retention(a: &Retention, b: &Retention) -> bool {
    let start = a.start == b.start || a.start.as_str() == StartEvent::Reading.as_str();
    start && a.ground == b.ground && period(&a.period, &b.period) && period(&a.at_most, &b.at_most)
}

/// The same for the rules themselves, but for their ground.
pub(super) fn retention_rule(a: &RetentionRule, b: &RetentionRule) -> bool {
    let start = a.start == b.start || a.start == StartEvent::Reading;
    start && period(&a.period, &b.period) && period(&a.at_most, &b.at_most)
}
