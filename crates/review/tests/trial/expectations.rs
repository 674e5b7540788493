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

const BATCH: &str = r#"
batch = { asset = "car", flow = "speed", opened = 2026-05-01T09:00:00Z }
"#;

#[test]
fn a_batch_is_judged_by_what_it_rested_on() {
    let at = |time: &str, sent: &str| format!("{BATCH}time = 2026-05-01T{time}Z\nsent = \"{sent}\"");
    is_met(&at("09:29:59", "send"));
    is_met(&at("09:30:00", "destroy:consent-withdrawn"));
    assert_eq!(came(&at("09:30:00", "send")), "destroy:consent-withdrawn");
    assert_eq!(came(&at("09:00:00", "park:restricted")), "send");
    // The order of the odometer ends at 18:00: what was read before goes on.
    let odometer = at("19:00:00", "send").replace("speed", "odometer");
    is_met(&odometer);
    assert_eq!(came(&odometer.replace("09:00:00Z }", "18:30:00Z }")), "closed, no-grant");
    assert_eq!(came(&odometer.replace("odometer", "no-such")), "a bundle without it");
}

#[test]
fn a_batch_that_a_withdrawal_destroyed_stays_destroyed_when_consent_is_given_again() {
    let again = r#"
time = 2026-05-02T09:00:00Z
batch = { asset = "car", flow = "speed", opened = 2026-05-01T09:00:00Z }
sent = "send"
[[event]]
time = 2026-05-01T09:45:00Z
kind = "consent-given"
subject = "kari"
role = "driver"
purpose = "coaching"
recipient = "coach"
categories = ["driving-behaviour"]
valid_until = 2027-05-01T08:30:00Z
"#;
    assert_eq!(came(again), "destroy:consent-withdrawn");
    let new = again.replace("opened = 2026-05-01T09:00", "opened = 2026-05-01T09:50");
    is_met(&new);
}

#[test]
fn a_batch_is_destroyed_when_its_time_is_over_but_not_under_a_restriction() {
    let late = r#"
time = 2026-06-01T10:00:00Z
batch = { asset = "car", flow = "odometer", opened = 2026-05-01T09:00:00Z }
sent = "destroy:overdue"
"#;
    is_met(late);
    let restricted = format!(
        "{late}[[event]]\ntime = \"+1d\"\nkind = \"restriction-set\"\nwhom = {{ asset = \"car\" }}\n\
         ground = \"accuracy-disputed\"\n"
    );
    assert_eq!(came(&restricted), "park:restricted");
}
