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

    /// The length in microseconds from the epoch on, to compare two periods.
    pub(crate) fn rough_micros(&self) -> i64 {
        self.after(UtcMicros(0), &TimeZone::UTC).0
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
