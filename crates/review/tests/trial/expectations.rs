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

const DUE: &str = r#"
due = { asset = "car", flow = "odometer", read = 2026-05-01T09:00:00Z }
"#;

#[test]
fn what_is_kept_has_to_go_at_its_due_time_unless_something_holds_it() {
    // Seven days after the reading: the period of the rule.
    let plain = format!("{DUE}time = 2026-05-02T09:00:00Z\n");
    is_met(&format!("{plain}at = 2026-05-08T09:00:00Z"));
    is_met(&format!("{plain}held = false"));
    assert_eq!(came(&format!("{plain}at = 2026-05-08T09:00:01Z")), "due 2026-05-08T09:00:00Z");
    assert_eq!(came(&format!("{plain}held = true")), "not held, due 2026-05-08T09:00:00Z");
    let restricted = "\n[[event]]\ntime = 2026-05-02T08:00:00Z\nkind = \"restriction-set\"\n\
                      whom = { asset = \"car\" }\nground = \"accuracy-disputed\"\n";
    is_met(&format!("{plain}held = true{restricted}"));
    assert!(came(&format!("{plain}held = false{restricted}")).starts_with("held, due"));
    let none = plain.replace("odometer", "no-such");
    assert_eq!(came(&format!("{none}held = false")), "a bundle without it");
}

#[test]
fn a_message_is_allowed_or_withheld_for_its_reason() {
    let at = |message: &str, time: &str, rest: &str| {
        format!("time = 2026-05-01T{time}Z\nmessage = \"{message}\"\nsubject = \"kari\"\n{rest}")
    };
    is_met(&at("service-note", "10:00:00", "allowed = true"));
    assert_eq!(came(&at("service-note", "10:00:00", "withheld = \"consent-missing\"")), "allowed");
    let letter = |time: &str, rest: &str| at("coach-letter", time, &format!("similar = false\n{rest}"));
    is_met(&letter("10:00:00", "withheld = \"consent-missing\""));
    assert_eq!(came(&letter("10:00:00", "allowed = true")), "withheld consent-missing");
    let given = "\n[[event]]\ntime = 2026-05-01T10:30:00Z\nkind = \"consent-given\"\nsubject = \"kari\"\n\
                 role = \"driver\"\npurpose = \"letters\"\nrecipient = \"workshop\"\ncategories = [\"odometer\"]\n\
                 form = \"letters-1\"\nvalid_until = 2027-05-01T10:30:00Z\n";
    is_met(&letter("10:30:00", &format!("allowed = true{given}")));
    is_met(&letter("10:29:59", &format!("withheld = \"consent-missing\"{given}")));
    let objected = format!(
        "{given}[[event]]\ntime = 2026-05-01T11:00:00Z\nkind = \"objection-raised\"\nsubject = \"kari\"\n\
         against = \"marketing\"\n"
    );
    is_met(&letter("11:00:00", &format!("withheld = \"objection-upheld\"{objected}")));
    is_met(&at("service-note", "11:00:00", &format!("allowed = true{objected}")));
    assert_eq!(came(&at("no-such", "10:00:00", "allowed = true")), "a bundle without it");
}

#[test]
fn a_message_about_similar_goods_is_for_customers() {
    let letter = |similar: bool, rest: &str| {
        format!(
            "time = 2026-05-01T10:00:00Z\nmessage = \"coach-letter\"\nsubject = \"kari\"\nsimilar = {similar}\n{rest}"
        )
    };
    let orderer = "[[event]]\ntime = 2026-05-01T07:00:00Z\nkind = \"linked\"\nasset = \"car\"\nsubject = \"kari\"\n\
                   role = \"orderer\"\n";
    is_met(&letter(true, &format!("allowed = true\n{orderer}")));
    is_met(&letter(false, &format!("withheld = \"consent-missing\"\n{orderer}")));
    let unsaid = letter(true, &format!("allowed = true\n{orderer}")).replace("similar = true\n", "");
    is_met(&unsaid);
}

const NEAR: &str = r#"
time = 2026-05-01T10:05:00Z
asset = "car"
signal = "Vehicle.TraveledDistance"
value = 158910605
flow = "near"
"#;

#[test]
fn what_was_read_before_counts_as_a_sample_where_it_was_released() {
    let before = |at: &str| format!("{NEAR}before = [2026-05-01T{at}Z]\n");
    is_met(&format!("{}withheld = \"sampled-out\"", before("10:00:01")));
    is_met(&format!("{}released = 158910000", before("10:00:00")));
    // Nothing was released before the order was open.
    is_met(&format!("{}released = 158910000", before("07:00:00")));
    assert_eq!(came(&format!("{}released = 158910000", before("10:00:01"))), "withheld sampled-out");
}

#[test]
fn a_gateway_that_hears_nothing_believes_for_as_long_as_the_flow_says() {
    let head = |at: &str| format!("{NEAR}head = 2026-05-01T{at}Z\n");
    is_met(&format!("{}released = 158910000", head("10:03:00")));
    is_met(&format!("{}withheld = \"grant-stale\"", head("10:02:59")));
    assert_eq!(came(&format!("{}released = 158910000", head("10:02:59"))), "withheld grant-stale");
}

#[test]
fn recognition_source_station_keys_and_retention_are_held_against_too() {
    is_met(&format!("{NEAR}by = \"tool\"\nwithheld = \"identification-too-weak\""));
    is_met(&format!("{NEAR}by = \"asserted\"\nreleased = 158910000"));
    is_met(&format!("{NEAR}station = \"main/bay-1\"\nwithheld = \"no-grant\""));
    is_met(&format!("{NEAR}station = \"main/bay-2\"\nfrom = \"manual\"\nreleased = 158910000"));
    is_met(&format!("{NEAR}released = 158910000\nlatest_due = \"P30D\""));
    let due = came(&format!("{NEAR}released = 158910000\nlatest_due = \"P29D\""));
    assert!(due.starts_with("P30D"), "{due}");
    let text = |without: &str, outcome: &str| {
        format!(
            "clause = \"T-8\"\nsays = \"A test.\"\nwithout_keys = [\"{without}\"]\n{WORLD}[[expect]]\n{NEAR}{outcome}"
        )
    };
    for (without, outcome) in
        [("coach", "withheld = \"recipient-key-missing\""), ("workshop", "released = 158910000")]
    {
        let trial = Trial::from_toml("t.toml", &text(without, outcome)).expect("a trial");
        assert_eq!(trial.run(&rules(), &catalogue()), [], "{without}");
    }
}

#[test]
fn a_signal_is_expected_of_the_flow_that_names_it_or_of_none() {
    let vin =
        "time = 2026-05-01T10:05:00Z\nasset = \"car\"\nsignal = \"Vehicle.VehicleIdentification.VIN\"\n";
    is_met(&format!("{vin}value = \"a label\"\nwithheld = \"category-not-in-notice\""));
    assert_eq!(
        came(&format!("{vin}flow = \"near\"\nwithheld = \"category-not-in-notice\"")),
        "no flow with it, withheld category-not-in-notice"
    );
    let odometer = ODOMETER.replace("flow = \"odometer\"\n", "");
    assert_eq!(
        came(&format!("{odometer}withheld = \"no-purpose\"")),
        "flow odometer with it, released 158910605; flow near with it, released 158910000"
    );
    assert_eq!(
        came(&format!("{vin}value = 3\nwithheld = \"category-not-in-notice\"")),
        "a value that no Label is"
    );
    let unknown = vin.replace("VIN", "WIN");
    assert_eq!(
        came(&format!("{unknown}withheld = \"unknown-signal\"")),
        "a catalogue without it (config/signals)"
    );
}

#[test]
fn every_kind_of_value_is_written_and_shown() {
    let at = "time = 2026-05-01T10:05:00Z\nasset = \"car\"\n";
    let code = format!("{at}signal = \"Vehicle.Diagnostics.DTCList\"\nvalue = \"P0126\"\n");
    is_met(&format!("{code}flow = \"odometer\"\nreleased = \"P0126\""));
    is_met(&format!("{code}flow = \"near\"\nreleased = \"present\""));
    assert_eq!(came(&format!("{code}flow = \"odometer\"\nreleased = \"P0127\"")), "released \"P0126\"");
    let spn = code.replace("\"P0126\"", "{ spn = 629, fmi = 12 }");
    is_met(&format!("{spn}flow = \"odometer\"\nreleased = {{ spn = 629, fmi = 12 }}"));
    let none = code.replace("\"P0126\"", "{ none = true }");
    is_met(&format!("{none}flow = \"near\"\nreleased = {{ none = true }}"));
    let place = format!(
        "{at}signal = \"Vehicle.CurrentLocation\"\nvalue = {{ lat = 59.9127, lon = 10.7461 }}\nflow = \"near\"\n"
    );
    let shown = came(&format!("{place}released = {{ h3 = \"8609a7c9fffffff\" }}"));
    let cell = shown.strip_prefix("released ").expect("a cell");
    assert!(cell.starts_with("{ h3 = \"86"), "{cell}");
    is_met(&format!("{place}released = {cell}"));
}

#[test]
fn a_release_bears_its_time_and_goes_where_its_flow_says() {
    is_met(&format!("{ODOMETER}released = 158910605\nstamped = 2026-05-01T10:00:00Z\ndeliver = [\"store\"]"));
    let other = |rest: &str| came(&format!("{ODOMETER}released = 158910605\n{rest}"));
    assert_eq!(other("stamped = 2026-05-01T10:00:01Z"), "stamped 2026-05-01T10:00:00Z");
    assert_eq!(other("deliver = [\"store\", \"plain\"]"), "delivered to the store");
}

#[test]
fn a_category_is_listed_or_not_and_used_by_what_the_bundle_says() {
    is_met("category = \"driver-identity\"\nwithheld = \"category-not-in-notice\"");
    let unlisted = "listed in no notice, used by nothing";
    assert_eq!(came("category = \"driver-identity\"\nused = []"), unlisted);
    let driving = "category = \"driving-behaviour\"\n";
    is_met(&format!("{driving}used = [\"flow.speed\", \"form.coaching-1\"]"));
    let by = "listed in the notice, used by flow.speed, form.coaching-1";
    assert_eq!(came(&format!("{driving}used = [\"flow.speed\"]")), by);
    assert_eq!(came(&format!("{driving}withheld = \"category-not-in-notice\"")), by);
}

#[test]
fn what_a_flow_gives_on_what_a_purpose_rests_and_where_recipients_are_is_as_the_bundle_says() {
    let flow = "flow = \"speed\"\npurpose = \"coaching\"\nto = \"coach\"\nsignals = [\"Vehicle.Speed\"]";
    is_met(flow);
    let given = "Vehicle.Speed to coach for coaching";
    assert_eq!(came(&flow.replace("to = \"coach\"", "to = \"workshop\"")), given);
    assert_eq!(came(&flow.replace("purpose = \"coaching\"", "purpose = \"service\"")), given);
    assert_eq!(came(&flow.replace("[\"Vehicle.Speed\"]", "[]")), given);
    assert_eq!(came(&format!("{flow}\noffline = true")), given);
    assert_eq!(came(&flow.replace("flow = \"speed\"", "flow = \"none\"")), "a bundle without it");
    is_met("purpose = \"letters\"\nbasis = \"A6-1-a\"\nmarketing = true");
    let rests = "eu-gdpr:A6-1-a, marketing";
    assert_eq!(came("purpose = \"letters\"\nbasis = \"A6-1-b\"\nmarketing = true"), rests);
    assert_eq!(came("purpose = \"letters\"\nbasis = \"A6-1-a\""), rests);
    assert_eq!(came("purpose = \"none\"\nbasis = \"A6-1-b\""), "a bundle without it");
    let letter = "message = \"coach-letter\"\nclass = \"marketing\"\npurpose = \"letters\"\n";
    is_met(&format!("{letter}similar_goods = true"));
    let classed = "marketing for letters, of similar goods to customers";
    assert_eq!(came(letter), classed);
    assert_eq!(
        came(&format!("{letter}similar_goods = true").replace("= \"marketing\"", "= \"administrative\"")),
        classed
    );
    is_met("regions = [\"EEA\"]\nelsewhere = \"never\"");
    assert_eq!(came("regions = [\"NO\"]\nelsewhere = \"never\""), "EEA, elsewhere never");
    assert_eq!(came("regions = [\"EEA\"]\nelsewhere = \"with-tool\""), "EEA, elsewhere never");
}
