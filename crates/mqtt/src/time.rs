//! Times as they are written in messages: RFC 3339, always with a zone.

use jiff::Timestamp;
use vernport_types::UtcMicros;

/// Reads a time with `Z` or an offset; `None` for a day or hour that does not exist.
pub(crate) fn read(text: &str) -> Option<UtcMicros> {
    text.parse::<Timestamp>().ok().map(|time| UtcMicros(time.as_microsecond()))
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
}
