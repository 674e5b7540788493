//! What a difference says, in the words of the bundle.

use crate::Sampling;
use std::fmt::Display;
use vernport_types::{Identification, UtcMicros};

/// `name: was → is`.
pub(super) fn arrow(name: &str, was: impl Display, is: impl Display) -> String {
    format!("{name}: {was} → {is}")
}

/// Several things, or `none`.
pub(super) fn list<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    if items.is_empty() { "none".into() } else { items.join(", ") }
}

pub(super) fn none_or(item: Option<impl Display>) -> String {
    item.map_or("none".into(), |item| item.to_string())
}

/// A time as people write it (RFC 3339).
pub(super) fn moment(at: UtcMicros) -> String {
    jiff::Timestamp::from_microsecond(at.0).map_or("beyond the year 9999".into(), |at| at.to_string())
}

pub(super) fn samples(sampling: Sampling) -> String {
    match sampling {
        Sampling::Every => "every reading".into(),
        Sampling::PerOrder => "per order".into(),
        Sampling::Interval(micros) => format!("one in {}", seconds(micros)),
    }
}

pub(super) fn seconds(micros: i64) -> String {
    format!("{} s", micros / 1_000_000)
}

pub(super) const fn identification(identification: Identification) -> &'static str {
    match identification {
        Identification::Pinned => "pinned",
        Identification::Tool => "tool",
        Identification::Asserted => "asserted",
        Identification::BusVin => "bus-vin",
    }
}
