//! A refusal tells who writes a mapping its line in the file and its place in the payload, and nobody else anything.

use crate::read_closely;
use vernport_mqtt::{ResultCode, Step};

const MAPPING: &str = r#"format = 1
embedded = ["inner"]
id = { at = "n" }
vehicle = { vin = "car.vin" }
time = { at = "$.t", unit = "s" }
require = [{ at = "kind", is = "odo" }]
[[readings]]
each = "list[*]"
name = "k"
value = "v"
unlisted = "refuse"
signal = [
    { name = "odo", unit = "km", path = "Vehicle.TraveledDistance" },
    { name = "lat", path = "Vehicle.Speed", unit_at = "u" },
]"#;
const GOOD: &str = r#"{"n":1,"inner":"{}","car":{"vin":"WDB9634031L738001"},"t":1795165100,"kind":"odo",
    "list":[{"k":"odo","v":1},{"k":"lat","v":2,"u":"km/h"}]}"#;

#[test]
fn a_refusal_is_told_with_its_line_and_row() {
    assert!(read_closely(MAPPING, GOOD).is_ok());
    let odo = Some("Vehicle.TraveledDistance");
    let speed = Some("Vehicle.Speed");
    for (from, to, code, step, line, row, signal) in [
        ("\"n\":1,", "", ResultCode::Malformed, Step::Id, Some(3), None, None),
        ("\"{}\"", "\"{\"", ResultCode::Malformed, Step::Embedded, Some(2), None, None),
        ("L738001", "", ResultCode::Vehicle, Step::Vehicle, Some(4), None, None),
        ("\"odo\",\n", "\"soc\",\n", ResultCode::Malformed, Step::Require, Some(6), None, None),
        ("\"v\":1", "\"v\":\"x\"", ResultCode::Value, Step::Reading, Some(13), Some("list[0]"), odo),
        ("km/h", "knots", ResultCode::Unit, Step::Reading, Some(14), Some("list[1]"), speed),
        ("1795165100", "1", ResultCode::Time, Step::Reading, Some(13), Some("list[0]"), odo),
        (
            "\"k\":\"lat\"",
            "\"k\":\"l\"",
            ResultCode::UnknownSignal,
            Step::Reading,
            Some(7),
            Some("list[1]"),
            None,
        ),
        ("]}", "]", ResultCode::Malformed, Step::Payload, None, None, None),
    ] {
        let payload = GOOD.replace(from, to);
        assert_ne!(payload, GOOD, "{from}");
        let told = read_closely(MAPPING, &payload).expect_err(to);
        assert_eq!((told.refused.code, told.step, told.line), (code, step, line), "{from} to {to}");
        assert_eq!((told.row.as_deref(), told.signal.as_deref()), (row, signal), "{from} to {to}");
        let shown = format!("{told:?}");
        assert!(!shown.contains("list") && !shown.contains("WDB"), "{shown}");
    }
}
