//! Times of a world file: relative to a given now, or RFC 3339.

use super::Fault;
use vernport_types::UtcMicros;

/// A time of a world file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// So many microseconds from now.
    FromNow(i64),
    /// Then.
    At(UtcMicros),
}

impl When {
    pub(super) fn from_toml(member: &str, value: &toml::Value) -> Result<Self, Fault> {
        let read = match value {
            toml::Value::String(text) => Self::parse(text),
            toml::Value::Datetime(time) => absolute(&time.to_string()),
            _ => None,
        };
        read.ok_or_else(|| {
            Fault(format!(
                "`{member}` is not a time; write \"-2h\", \"+30m\", \"now\" (s, m, h, d, w), or a date and \
                 time with its offset, as in 2026-11-20T08:00:00+01:00"
            ))
        })
    }

    fn parse(text: &str) -> Option<Self> {
        if text == "now" {
            return Some(Self::FromNow(0));
        }
        let (sign, rest) = match text.split_at_checked(1)? {
            ("-", rest) => (-1, rest),
            ("+", rest) => (1, rest),
            _ => return absolute(text),
        };
        let number = rest.strip_suffix(|c: char| c.is_ascii_alphabetic())?;
        let seconds: i64 = match &rest[number.len()..] {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            "w" => 7 * 86_400,
            _ => return None,
        };
        if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let micros = number.parse::<i64>().ok()?.checked_mul(seconds)?.checked_mul(1_000_000)?;
        Some(Self::FromNow(sign * micros))
    }

    pub(super) fn at(self, now: UtcMicros) -> UtcMicros {
        match self {
            Self::FromNow(micros) => now.plus_micros(micros),
            Self::At(time) => time,
        }
    }
}

fn absolute(text: &str) -> Option<When> {
    let time: jiff::Timestamp = text.parse().ok()?;
    Some(When::At(UtcMicros(time.as_microsecond())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<When> {
        When::from_toml("time", &toml::Value::String(text.into())).ok()
    }

    #[test]
    fn times_are_relative_or_have_an_offset() {
        assert_eq!(read("now"), Some(When::FromNow(0)));
        assert_eq!(read("-2h"), Some(When::FromNow(-7_200_000_000)));
        assert_eq!(read("+1w"), Some(When::FromNow(604_800_000_000)));
        let eight = When::At(UtcMicros(1_795_158_000_000_000));
        assert_eq!(read("2026-11-20T08:00:00+01:00"), Some(eight));
        let table: toml::Table = toml::from_str("t = 2026-11-20T07:00:00Z").expect("valid");
        assert_eq!(When::from_toml("t", &table["t"]).ok(), Some(eight));
        for bad in
            ["", "-", "-h", "-2", "-2y", "--2h", "-+2h", "2h", "2026-11-20T08:00:00", "-9223372036854775807w"]
        {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
