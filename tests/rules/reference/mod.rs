//! The rules a second time, written from the prose: may this reading of this
//! signal of this asset pass now, to whom, how coarse, and else why not; and
//! may what was read then be sent now.
//!
//! It shares nothing with the crates that answer the same questions: plain
//! structs, lists that are searched from end to end, nothing computed ahead and
//! nothing kept. Each rule is a function that names the paragraph it was
//! written from: *invariant* is one of those in `tests/README.md`, *note* a decision note,
//! *format* the README of the bundles.
//!
//! [`Fault`] breaks one rule on purpose, so that a test can see the
//! comparison fail.

mod calendar;
mod consent;
mod ledger;
mod minimise;
mod open;
mod people;
mod places;
mod read;
mod rights;
mod send;
mod words;

pub(crate) use calendar::written;
pub(crate) use minimise::CELLS;
pub(crate) use open::{Opening, is_known_asset, open};
pub(crate) use read::{Answer, Asked, Clock, Head, Past, Quality, Said, read, standing};
pub(crate) use send::{may_be_sent, why_over};
pub(crate) use words::*;

#[cfg(test)]
mod tests {
    use super::{calendar, minimise};
    use crate::reference::{Minimiser, Value};

    #[test]
    fn each_cell_of_the_table_is_one_of_its_resolution() {
        for (place, cells) in minimise::CELLS {
            for (resolution, cell) in cells.into_iter().enumerate() {
                // H3 index: bits 59 to 62 are 1 for a cell, 52 to 55 the resolution; below it
                // each of the 15 digits of 3 bits is 7.
                let unused = (1_u64 << (3 * (15 - resolution))) - 1;
                let of = (cell >> 59, usize::try_from((cell >> 52) & 0xF), cell & unused);
                assert_eq!(of, (1, Ok(resolution), unused), "{place:?} {resolution}");
            }
        }
    }

    #[test]
    fn the_calendar_knows_both_changes_of_the_clock() {
        let utc = |text: &str| text.parse::<i64>().expect("a number") * 1_000_000;
        // 2026-11-20 and 2026-07-01 begin at 23:00 and 22:00 UTC of the day before.
        assert_eq!(calendar::midnight((2026, 11, 20)), utc("1795129200"));
        assert_eq!(calendar::midnight((2026, 7, 1)), utc("1782856800"));
        // The last Sundays of March and October of 2026, one second before and at 01:00 UTC.
        for (change, before, after) in [(1_774_746_000, 1, 2), (1_792_890_000, 2, 1)] {
            assert_eq!(calendar::hours_ahead((change - 1) * 1_000_000), before);
            assert_eq!(calendar::hours_ahead(change * 1_000_000), after);
        }
    }

    #[test]
    fn halves_go_up_on_both_sides_of_nothing() {
        let round = |n| minimise::minimise(Minimiser::Round(10), &Value::Integer(n));
        assert_eq!(round(15), Some(Value::Integer(20)));
        assert_eq!(round(-15), Some(Value::Integer(-10)));
        assert_eq!(round(-16), Some(Value::Integer(-20)));
    }
}
