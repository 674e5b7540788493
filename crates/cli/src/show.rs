//! How things look on a terminal: values, tables, times. Only for data that its
//! recipient has opened.

use comfy_table::{Table, presets::NOTHING};
use vernport_mqtt::FleetValue;
use vernport_types::{UtcMicros, Value};

/// A value in words, with its unit.
pub fn value(value: Value, unit: &str) -> String {
    let text = serde_json::to_string(&FleetValue(value)).unwrap_or_default();
    if unit.is_empty() || !matches!(value, Value::Integer(_) | Value::Number(_) | Value::Bucket(..)) {
        return text;
    }
    format!("{text} {unit}")
}

/// A time in RFC 3339, whole seconds of UTC.
pub fn time(at: UtcMicros) -> String {
    jiff::Timestamp::from_second(at.0.div_euclid(1_000_000))
        .map_or_else(|_| "beyond the calendar".to_owned(), |time| time.to_string())
}

/// A table with a head.
pub fn table<R, C>(head: &[&str], rows: R) -> String
where
    R: IntoIterator<Item = C>,
    C: IntoIterator<Item = String>,
{
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(head.iter().copied());
    for row in rows {
        table.add_row(row.into_iter().collect::<Vec<_>>());
    }
    table.to_string().lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use vernport_types::Number;

    #[test]
    fn a_number_bears_its_unit_and_a_flag_does_not() {
        let volts = Value::Number(Number::new(24.5).expect("finite"));
        assert_eq!(value(volts, "V"), "24.5 V");
        assert_eq!(value(Value::Flag(true), ""), "true");
        assert_eq!(value(Value::Bucket(0, 20), "km/h"), r#"{"at_least":0,"less_than":20} km/h"#);
    }

    #[test]
    fn a_time_is_shown_in_utc() {
        assert_eq!(time(UtcMicros(1_619_180_563_128_100)), "2021-04-23T12:22:43Z");
    }
}
