//! Times as they are written in messages: RFC 3339, with a zone or, from a tool
//! whose clock's zone is configured, without.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use vernport_types::UtcMicros;

/// Reads a time with `Z` or an offset; `None` for a day or hour that does not exist.
pub(crate) fn read(text: &str) -> Option<UtcMicros> {
    text.parse::<Timestamp>().ok().map(|time| UtcMicros(time.as_microsecond()))
}

/// A time in microseconds that can be written, too: of the years 1 to 9999.
pub(crate) fn of_micros(micros: i64) -> Option<UtcMicros> {
    Timestamp::from_microsecond(micros).ok().map(|_| UtcMicros(micros))
}

/// Reads a time without a zone, by a clock that stands in this one; `None` for
/// what that clock never shows, or shows twice.
pub(crate) fn read_in(text: &str, zone: &TimeZone) -> Option<UtcMicros> {
    in_zone(civil(text)?, zone).map(|time| UtcMicros(time.as_microsecond()))
}

/// Date and time of day without a zone. A date alone is none.
pub(crate) fn civil(text: &str) -> Option<DateTime> {
    let has_time = text.contains(':');
    has_time.then(|| text.parse().ok()).flatten()
}

/// When a clock in this zone shows that: `None` where it does so twice or never.
pub(crate) fn in_zone(civil: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    zone.to_ambiguous_timestamp(civil).unambiguous().ok()
}

/// Writes a time in UTC: seconds, and a fraction only where there is one.
pub(crate) fn write(time: UtcMicros) -> String {
    // The range of `UtcMicros` is wider than the years 1 to 9999 that can be written.
    let bounded = Timestamp::from_microsecond(time.0).unwrap_or(if time.0 < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    });
    bounded.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for (micros, text) in [
            (1_795_165_200_000_000, "2026-11-20T09:00:00Z"),
            (1_795_165_200_500_000, "2026-11-20T09:00:00.5Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(write(UtcMicros(micros)), text);
            assert_eq!(read(text), Some(UtcMicros(micros)));
        }
        assert!(write(UtcMicros(i64::MAX)).starts_with("9999-"));
    }

    #[test]
    fn a_clock_of_a_known_zone_is_read_where_it_shows_one_time() {
        let oslo = TimeZone::get("Europe/Oslo").expect("a zone");
        assert_eq!(read_in("2026-11-20T10:00:00", &oslo), Some(UtcMicros(1_795_165_200_000_000)));
        for none in ["2026-10-25T02:30:00", "2026-03-29T02:30:00", "2026-11-20", "2026-11-31T10:00:00"] {
            assert_eq!(read_in(none, &oslo), None, "{none}");
        }
    }
}
