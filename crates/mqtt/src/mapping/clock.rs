//! When a sender read something: out of a field, or the time of arrival.
//!
//! A time without a zone is refused unless the mapping or the tool's
//! configuration says in which zone its clock stands; an hour that this clock
//! shows twice, or never, is refused. So is a time before 2000: a clock that was
//! never set, or another unit than the mapping says.

use super::{
    document::Node,
    path::{Path, Row},
};
use crate::tool_result::ResultCode;
use jiff::{Timestamp, civil::DateTime, fmt::strtime::BrokenDownTime, tz::TimeZone};
use vernport_types::UtcMicros;

/// 2000-01-01T00:00:00Z.
const EARLIEST: UtcMicros = UtcMicros(946_684_800_000_000);

/// How a time is written.
pub(super) enum Form {
    /// A number, so many nanoseconds each; added to another, where there is one.
    Number { nanos: i64, base: Option<Path> },
    /// RFC 3339, with or without its zone.
    Text,
    /// As `strptime` reads it.
    Pattern(Box<str>),
}

/// One place where the time may stand.
pub(super) enum Clock {
    Arrival,
    Field { at: Vec<Path>, form: Form, zone: Option<TimeZone> },
}

/// A time that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    Said(UtcMicros),
    Arrival,
}

/// The first of `clocks` that says something.
///
/// # Errors
/// [`ResultCode::Time`] or [`ResultCode::TimeWithoutZone`] if that is no time, or none says anything.
pub(super) fn when(clocks: &[Clock], row: &Row<'_>, zone: Option<&TimeZone>) -> Result<When, ResultCode> {
    for clock in clocks {
        if let Some(found) = clock.read(row, zone).transpose() {
            return found;
        }
    }
    Err(ResultCode::Time)
}

impl Clock {
    fn read(&self, row: &Row<'_>, of_tool: Option<&TimeZone>) -> Result<Option<When>, ResultCode> {
        let (at, form, zone) = match self {
            Self::Arrival => return Ok(Some(When::Arrival)),
            Self::Field { at, form, zone } => (at, form, zone.as_ref().or(of_tool)),
        };
        let time = match form {
            Form::Number { nanos, base } => {
                let said = |path: &Path| match path.find(row).as_deref() {
                    None | Some(Node::Null) => Ok(None),
                    Some(node) => micros(node, *nanos).map(Some).ok_or(ResultCode::Time),
                };
                let field = at.first().map_or(Ok(None), said)?;
                let base = base.as_ref().map_or(Ok(None), said)?;
                match (base, field) {
                    (None, None) => return Ok(None),
                    (base, field) => base.unwrap_or(0).checked_add(field.unwrap_or(0)),
                }
            }
            Form::Text | Form::Pattern(_) => {
                let Some(text) = joined(at, row) else { return Ok(None) };
                Some(written(&text, form, zone)?.as_microsecond())
            }
        };
        let time = time.map(UtcMicros).filter(|time| *time >= EARLIEST).ok_or(ResultCode::Time)?;
        Ok(Some(When::Said(time)))
    }
}

/// The words at some paths, with a space between them; none where one is absent or empty.
fn joined(at: &[Path], row: &Row<'_>) -> Option<String> {
    let mut text = String::new();
    for path in at {
        let node = path.find(row)?;
        let word = node.word()?;
        if word.trim().is_empty() {
            return None;
        }
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(word.trim());
    }
    Some(text)
}

/// Microseconds of a number of units, exactly where it is a whole one.
fn micros(node: &Node, nanos: i64) -> Option<i64> {
    let word = node.word()?;
    let word = word.trim();
    if let Ok(whole) = word.parse::<i64>() {
        return i64::try_from(i128::from(whole) * i128::from(nanos) / 1000).ok();
    }
    if !word.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.')) {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "a power of ten below 2^53")]
    let micros = (word.parse::<f64>().ok()? * (nanos as f64 / 1000.0)).round();
    #[expect(clippy::cast_possible_truncation, reason = "bounded")]
    (micros.abs() < 9e18).then_some(micros as i64)
}

fn written(text: &str, form: &Form, zone: Option<&TimeZone>) -> Result<Timestamp, ResultCode> {
    let civil = match form {
        Form::Pattern(pattern) => {
            let read = BrokenDownTime::parse(pattern.as_bytes(), text).map_err(|_| ResultCode::Time)?;
            if read.offset().is_some() {
                return read.to_timestamp().map_err(|_| ResultCode::Time);
            }
            read.to_datetime().map_err(|_| ResultCode::Time)?
        }
        Form::Text | Form::Number { .. } => {
            if let Ok(time) = text.parse::<Timestamp>() {
                return Ok(time);
            }
            crate::time::civil(text).ok_or(ResultCode::Time)?
        }
    };
    in_zone(civil, zone)
}

fn in_zone(civil: DateTime, zone: Option<&TimeZone>) -> Result<Timestamp, ResultCode> {
    let zone = zone.ok_or(ResultCode::TimeWithoutZone)?;
    crate::time::in_zone(civil, zone).ok_or(ResultCode::Time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(json: &str, clocks: &[Clock]) -> Result<When, ResultCode> {
        let node = Node::from_json(json.as_bytes()).expect("JSON");
        let oslo = TimeZone::get("Europe/Oslo").expect("a zone");
        when(clocks, &Row::document(&node), Some(&oslo))
    }

    fn path(text: &str) -> Path {
        Path::to_one(text).expect("a path")
    }

    fn field(at: &[&str], form: Form) -> Clock {
        Clock::Field { at: at.iter().map(|at| path(at)).collect(), form, zone: None }
    }

    fn number(nanos: i64) -> Clock {
        field(&["t"], Form::Number { nanos, base: Some(path("b")) })
    }

    // 2026-11-20T09:00:00Z
    const NINE: i64 = 1_795_165_200_000_000;

    #[test]
    fn numbers_are_seconds_or_parts_of_them_and_may_count_from_another() {
        for (json, nanos, micros) in [
            (r#"{"t":1795165200}"#, 1_000_000_000, NINE),
            (r#"{"t":1795165200.0125}"#, 1_000_000_000, NINE + 12_500),
            (r#"{"t":"1795165200"}"#, 1_000_000_000, NINE),
            (r#"{"t":1795165200123}"#, 1_000_000, NINE + 123_000),
            (r#"{"t":1795165200000001}"#, 1_000, NINE + 1),
            (r#"{"t":1795165200000001999}"#, 1, NINE + 1),
            (r#"{"b":1795165200,"t":-2.5}"#, 1_000_000_000, NINE - 2_500_000),
            (r#"{"b":1795165200}"#, 1_000_000_000, NINE),
        ] {
            assert_eq!(said(json, &[number(nanos)]), Ok(When::Said(UtcMicros(micros))), "{json}");
        }
        // Seconds read as milliseconds, a clock that was never set, and no numbers.
        for bad in [r#"{"t":1795165200}"#, r#"{"t":0}"#, r#"{"t":"noon"}"#, r#"{"t":"inf"}"#, r#"{"t":[1]}"#]
        {
            assert_eq!(said(bad, &[number(1_000_000)]), Err(ResultCode::Time), "{bad}");
        }
    }

    #[test]
    fn texts_need_a_zone_or_a_clock_whose_zone_is_known() {
        let text = || field(&["t"], Form::Text);
        for (json, micros) in [
            (r#"{"t":"2026-11-20T10:00:00+01:00"}"#, NINE),
            (r#"{"t":"2026-11-20T09:00:00.436008782Z"}"#, NINE + 436_008),
            (r#"{"t":"2026-11-20T10:00:00"}"#, NINE),
            (r#"{"t":"2026-11-20 10:00:00.5"}"#, NINE + 500_000),
        ] {
            assert_eq!(said(json, &[text()]), Ok(When::Said(UtcMicros(micros))), "{json}");
        }
        let node = Node::from_json(br#"{"t":"2026-11-20T10:00:00"}"#).expect("JSON");
        let unknown = when(&[text()], &Row::document(&node), None);
        assert_eq!(unknown, Err(ResultCode::TimeWithoutZone));
        // The night in which the clock goes back, and the one in which it goes forward; a day; nothing.
        for bad in ["2026-10-25T02:30:00", "2026-03-29T02:30:00", "2026-11-20", "later"] {
            assert_eq!(said(&format!(r#"{{"t":"{bad}"}}"#), &[text()]), Err(ResultCode::Time), "{bad}");
        }
    }

    #[test]
    fn a_pattern_reads_what_no_standard_writes_also_from_two_fields() {
        let pattern = |at: &[&str], pattern: &str| field(at, Form::Pattern(pattern.into()));
        let nine = Ok(When::Said(UtcMicros(NINE)));
        let two = r#"{"date":"20.11.2026","time":"10:00:00"}"#;
        assert_eq!(said(two, &[pattern(&["date", "time"], "%d.%m.%Y %H:%M:%S")]), nine);
        let compact = r#"{"t":20261120100000}"#;
        assert_eq!(said(compact, &[pattern(&["t"], "%Y%m%d%H%M%S")]), nine);
        let offset = r#"{"t":"20/11/2026 09:00 +0000"}"#;
        assert_eq!(said(offset, &[pattern(&["t"], "%d/%m/%Y %H:%M %z")]), nine);
        assert_eq!(said(offset, &[pattern(&["t"], "%Y")]), Err(ResultCode::Time));
    }

    #[test]
    fn the_first_clock_that_says_something_holds() {
        let clocks = || [number(1_000_000_000), field(&["iso"], Form::Text), Clock::Arrival];
        assert_eq!(said(r#"{"t":null,"iso":""}"#, &clocks()), Ok(When::Arrival));
        assert_eq!(said(r#"{"iso":"2026-11-20T09:00:00Z"}"#, &clocks()), Ok(When::Said(UtcMicros(NINE))));
        assert_eq!(said(r#"{"t":5}"#, &clocks()), Err(ResultCode::Time));
        assert_eq!(said("{}", &clocks()[..2]), Err(ResultCode::Time));
    }
}
