//! Every kind of expectation is met when it should be and fails when it should.

use crate::common::{WORLD, catalogue, rules};
use vernport_review::trial::{Failure, Trial};

fn trial(expect: &str) -> Trial {
    let text = format!("clause = \"T-9\"\nsays = \"A test.\"\n{WORLD}\n[[expect]]\n{expect}");
    Trial::from_toml("t.toml", &text).expect("a trial")
}

fn failures(expect: &str) -> Vec<Failure> {
    trial(expect).run(&rules(), &catalogue())
}

fn is_met(expect: &str) {
    let failures = failures(expect);
    assert!(failures.is_empty(), "{expect}\n{failures:?}");
}

/// What came instead, of an expectation that must fail.
fn came(expect: &str) -> String {
    let [failure] = &failures(expect)[..] else { panic!("met: {expect}") };
    assert_eq!(failure.file, "t.toml");
    failure.came.clone()
}

const ODOMETER: &str = r#"
time = 2026-05-01T10:00:00Z
asset = "car"
signal = "Vehicle.TraveledDistance"
value = 158910605
flow = "odometer"
"#;

const SPEED: &str = r#"
time = 2026-05-01T09:00:00Z
asset = "car"
signal = "Vehicle.Speed"
value = 53.5
flow = "speed"
"#;

#[test]
fn a_released_value_is_the_minimised_one() {
    is_met(&format!("{ODOMETER}released = 158910605"));
    assert_eq!(came(&format!("{ODOMETER}released = 158910606")), "released 158910605");
    is_met(&format!("{SPEED}released = {{ from = 40, to = 60 }}"));
    assert_eq!(came(&format!("{SPEED}released = 53.5")), "released { from = 40, to = 60 }");
    assert_eq!(came(&format!("{ODOMETER}withheld = \"order-not-open\"")), "released 158910605");
}

#[test]
fn a_withdrawal_counts_from_its_moment() {
    let later = SPEED.replace("09:00", "09:30");
    is_met(&format!("{later}withheld = \"consent-withdrawn\"\nclause = \"T-9\""));
    assert_eq!(came(&format!("{later}withheld = \"consent-expired\"")), "withheld consent-withdrawn");
    assert_eq!(came(&format!("{later}withheld = \"consent-withdrawn\"\nclause = \"T-4\"")), "clause T-9");
    let before = SPEED.replace("09:00", "08:15");
    is_met(&format!("{before}withheld = \"consent-missing\""));
}
