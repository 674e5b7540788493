//! Periods of ISO 8601 (`P1Y`, `P30D`, `PT10M`) in calendar arithmetic.

use jiff::{Span, Timestamp, tz::TimeZone};
use std::{fmt, str::FromStr};
use thiserror::Error;
use vernport_types::UtcMicros;

/// Why a text is not a period.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "not a period: expected ISO 8601 with whole numbers and more than nothing, such as P1Y, P30D or PT10M"
)]
pub struct PeriodError;

/// A span of calendar time, more than nothing.
#[derive(Debug, Clone, Copy)]
pub struct Period(Span);

/// Where `Period::after` would leave the range of time: the last microsecond of the year 9999.
const END_OF_TIME: UtcMicros = UtcMicros(253_402_207_200_999_999);

impl Period {
    /// A month, as written.
    pub(crate) const MONTH: &str = "P1M";

    /// The time so much later, by the calendar of the zone: a month after 31
    /// January is the last day of February.
    pub fn after(&self, from: UtcMicros, zone: &TimeZone) -> UtcMicros {
        Timestamp::from_microsecond(from.0)
            .ok()
            .and_then(|from| from.to_zoned(zone.clone()).checked_add(self.0).ok())
            .map_or(END_OF_TIME, |end| UtcMicros(end.timestamp().as_microsecond()))
    }

    /// The length in microseconds, if it has one that no calendar changes: days have 24 hours.
    pub(crate) fn fixed_micros(&self) -> Option<i64> {
        let span = self.0;
        if span.get_years() != 0 || span.get_months() != 0 {
            return None;
        }
        let days = i64::from(span.get_weeks()) * 7 + i64::from(span.get_days());
        let hours = days.checked_mul(24)?.checked_add(i64::from(span.get_hours()))?;
        let minutes = hours.checked_mul(60)?.checked_add(span.get_minutes())?;
        let seconds = minutes.checked_mul(60)?.checked_add(span.get_seconds())?;
        seconds.checked_mul(1_000_000)
    }

    /// Whether it ends no later than another that began at the same time, whenever that was:
    /// `P365D` against `P1Y`, but not `P1M` against `P30D`.
    pub(crate) fn never_ends_after(&self, other: &Self) -> bool {
        let (a, b) = (Parts::of(self.0), Parts::of(other.0));
        let least_days = least_days(b.months - a.months);
        if a.micros <= b.micros {
            return a.days <= least_days + b.days;
        }
        // A day more than the hours need: clocks change, and days with them.
        a.days + (a.micros - b.micros).div_euclid(DAY_MICROS) + 2 <= least_days + b.days
    }

    /// The length in microseconds from the epoch on, to compare two periods.
    pub(crate) fn rough_micros(&self) -> i64 {
        self.after(UtcMicros(0), &TimeZone::UTC).0
    }
}

const DAY_MICROS: i64 = 86_400 * 1_000_000;

/// A period by what calendars do with it: months, days, and time of the clock.
struct Parts {
    months: i64,
    days: i64,
    micros: i64,
}

impl Parts {
    fn of(span: Span) -> Self {
        let clock = [
            (i64::from(span.get_hours()), 3_600_000_000),
            (span.get_minutes(), 60_000_000),
            (span.get_seconds(), 1_000_000),
            (span.get_milliseconds(), 1_000),
            (span.get_microseconds(), 1),
        ];
        let micros = clock.iter().fold(0_i64, |sum, (n, unit)| sum.saturating_add(n.saturating_mul(*unit)));
        Self {
            months: i64::from(span.get_years()) * 12 + i64::from(span.get_months()),
            days: i64::from(span.get_weeks()) * 7 + i64::from(span.get_days()),
            micros,
        }
    }
}

/// The fewest days that so many months have, wherever they begin; of a negative number the negative
/// of the most.
fn least_days(months: i64) -> i64 {
    /// Of months in a row, with a short February, and without one.
    const FEWEST: [i64; 12] = [0, 28, 59, 89, 120, 150, 181, 212, 242, 273, 303, 334];
    const MOST: [i64; 12] = [0, 31, 62, 92, 123, 153, 184, 215, 245, 276, 306, 337];
    let years = months.abs() / 12;
    let rest = usize::try_from(months.abs() % 12).expect("below 12");
    if months >= 0 {
        // Each century but the fourth is without its leap day.
        let leap_days = years / 4 - years / 100 - 1;
        years * 365 + leap_days.max(0) + FEWEST[rest]
    } else {
        -(years * 365 + (years + 3) / 4 + MOST[rest])
    }
}

impl FromStr for Period {
    type Err = PeriodError;

    fn from_str(text: &str) -> Result<Self, PeriodError> {
        // jiff reads its own friendly form, too, and fractions.
        if !text.starts_with('P') || text.contains(['.', ',']) {
            return Err(PeriodError);
        }
        let span: Span = text.parse().map_err(|_| PeriodError)?;
        if span.is_positive() { Ok(Self(span)) } else { Err(PeriodError) }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl PartialEq for Period {
    fn eq(&self, other: &Self) -> bool {
        self.0.fieldwise() == other.0.fieldwise()
    }
}

impl Eq for Period {}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> UtcMicros {
        UtcMicros(text.parse::<Timestamp>().expect("a time").as_microsecond())
    }

    #[test]
    fn a_month_is_a_calendar_month_in_the_zone_of_the_controller() {
        let oslo = jiff::tz::TimeZoneDatabase::bundled().get("Europe/Oslo").expect("bundled");
        let month: Period = "P1M".parse().expect("a period");
        assert_eq!(month.after(at("2027-01-31T12:00:00Z"), &oslo), at("2027-02-28T12:00:00Z"));
        // Noon stays noon across the change to summer time.
        assert_eq!(month.after(at("2027-03-15T11:00:00Z"), &oslo), at("2027-04-15T10:00:00Z"));
        let long: Period = "P9000Y".parse().expect("a period");
        assert_eq!(long.after(at("2027-01-01T00:00:00Z"), &oslo), END_OF_TIME);
    }

    #[test]
    fn a_period_is_longer_if_it_is_wherever_it_begins() {
        let texts = [
            "P1D", "P4W", "P28D", "P29D", "P30D", "P31D", "P1M", "P2M", "P59D", "P62D", "P3M", "P92D", "P6M",
            "P181D", "P184D", "P11M", "P12M", "P1Y", "P365D", "P366D", "P13M", "P2Y", "P731D", "P4Y",
            "P1461D", "P1460D", "P8Y", "P2922D", "PT1H", "PT24H", "P1DT1H", "P1M1D", "P1MT12H", "PT30M",
            "PT8784H",
        ];
        let periods: Vec<Period> = texts.iter().map(|text| text.parse().expect("a period")).collect();
        let day = 86_400 * 1_000_000;
        // Each day of years with and without a leap day, and across the end of a century.
        let starts = [at("2027-01-01T12:00:00Z"), at("2095-01-01T12:00:00Z")];
        let starts =
            starts.iter().flat_map(|start| (0..3_400).step_by(1).map(move |n| start.plus_micros(n * day)));
        let ends: Vec<Vec<UtcMicros>> = starts
            .map(|start| periods.iter().map(|period| period.after(start, &TimeZone::UTC)).collect())
            .collect();
        for (i, a) in periods.iter().enumerate() {
            for (j, b) in periods.iter().enumerate() {
                let always = ends.iter().all(|ends| ends[i] <= ends[j]);
                if a.never_ends_after(b) {
                    assert!(always, "{a} sometimes ends after {b}");
                } else {
                    let clock = |text: &str| text.contains('T');
                    // Hours against days may differ by a changed clock: those are left apart.
                    assert!(!always || clock(texts[i]) || clock(texts[j]), "{a} never ends after {b}");
                }
            }
        }
    }

    #[test]
    fn only_positive_iso_periods_are_taken() {
        for bad in ["", "1y", "P", "PT0S", "-P1D", "P-1D", "P1.5D", "1 month"] {
            assert_eq!(bad.parse::<Period>(), Err(PeriodError), "{bad}");
        }
        assert_eq!("PT10M".parse::<Period>().expect("ten minutes").fixed_micros(), Some(600_000_000));
        assert_eq!("P1D".parse::<Period>().expect("a day").fixed_micros(), Some(86_400_000_000));
        assert_eq!("P1M".parse::<Period>().expect("a month").fixed_micros(), None);
        assert_eq!("P1Y".parse::<Period>().expect("a year").to_string(), "P1Y");
    }
}
