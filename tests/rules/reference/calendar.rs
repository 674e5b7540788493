//! The calendar of Oslo, by hand: days since 1970, and summer time from the last
//! Sunday of March to the last of October, at 01:00 UTC.

use super::{DAY, Date, Micros, SECOND};

const HOUR: Micros = 3_600 * SECOND;

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date, counted one year and one month after the other.
fn days((year, month, day): Date) -> i64 {
    let years: i64 = (1970..year).map(|year| if is_leap(year) { 366 } else { 365 }).sum();
    let months: i64 = (1..month).map(|month| days_in_month(year, month)).sum();
    years + months + day - 1
}

fn date(mut days: i64) -> Date {
    let (mut year, mut month) = (1970, 1);
    while days >= if is_leap(year) { 366 } else { 365 } {
        days -= if is_leap(year) { 366 } else { 365 };
        year += 1;
    }
    while days >= days_in_month(year, month) {
        days -= days_in_month(year, month);
        month += 1;
    }
    (year, month, days + 1)
}

/// When the clock changes in a month: its last Sunday, 01:00 UTC.
fn change(year: i64, month: i64) -> Micros {
    let last = days((year, month, 31));
    // 1970-01-01 was a Thursday: day 3 was the first Sunday.
    let sunday = last - (last - 3).rem_euclid(7);
    sunday * DAY + HOUR
}

/// How many hours Oslo is ahead of UTC.
pub(super) fn hours_ahead(at: Micros) -> i64 {
    let (year, ..) = date(at.div_euclid(DAY));
    if (change(year, 3)..change(year, 10)).contains(&at) { 2 } else { 1 }
}

/// The first moment of a date in Oslo.
pub(super) fn midnight(of: Date) -> Micros {
    let utc = days(of) * DAY;
    utc - hours_ahead(utc - HOUR) * HOUR
}

/// So many months later by the calendar of Oslo, at the same time of the day; a
/// day that the month lacks is its last one.
pub(super) fn months_later(at: Micros, months: i64) -> Micros {
    let local = at + hours_ahead(at) * HOUR;
    let (year, month, day) = date(local.div_euclid(DAY));
    let month = month - 1 + months;
    let (year, month) = (year + month / 12, month % 12 + 1);
    let day = day.min(days_in_month(year, month));
    let local = days((year, month, day)) * DAY + local.rem_euclid(DAY);
    // An hour that the clock leaves out moves on, one that comes twice is the first.
    for ahead in [2, 1] {
        let utc = local - ahead * HOUR;
        if hours_ahead(utc) == ahead {
            return utc;
        }
    }
    local - HOUR
}

/// The year in Oslo.
pub(super) fn year(at: Micros) -> i64 {
    date((at + hours_ahead(at) * HOUR).div_euclid(DAY)).0
}

/// A time as world files write it.
pub(crate) fn written(at: Micros) -> String {
    let (year, month, day) = date(at.div_euclid(DAY));
    let micros = at.rem_euclid(DAY);
    let (hour, minute, second) = (micros / HOUR, micros / (60 * SECOND) % 60, micros / SECOND % 60);
    let fraction = match micros % SECOND {
        0 => String::new(),
        micros => format!(".{micros:06}"),
    };
    format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}
