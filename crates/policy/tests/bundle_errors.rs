//! Broken bundles: each is refused with file, line, column, what is wrong and
//! how to mend it. Most are one change to an example, so that taking a
//! check out of the compiler fails a test here.

mod world;

use proptest::prelude::*;
use vernport_policy::{Bundle, BundleError, Rules};
use world::{catalogue, example};

fn refuse(text: &str) -> BundleError {
    match Bundle::from_toml("b.toml", text) {
        Err(error) => error,
        Ok(bundle) => Rules::compile(&bundle, &catalogue()).expect_err("a bundle that is refused"),
    }
}

/// An example with one change. The error has to stand at the line that `at` begins, and say `what`.
#[track_caller]
fn changed(bundle: &str, old: &str, new: &str, at: &str, what: &str) {
    let text = example(bundle);
    assert_eq!(text.matches(old).count(), 1, "one place to change: {old}");
    let text = text.replace(old, new);
    let error = refuse(&text);
    let line = text.lines().nth(error.line - 1).expect("a line of the text");
    assert!(line.trim_start().starts_with(at), "{error}\nstands at: {line}");
    assert!(error.what.contains(what), "{error}");
    assert!(!error.remedy.is_empty());
    assert!(error.to_string().starts_with(&format!("b.toml:{}:{}: ", error.line, error.column)));
}

#[test]
fn what_a_newer_version_wrote_is_refused_before_anything_else() {
    let error = refuse("format = 2\nsomething_new = true\n");
    assert_eq!((error.line, error.column), (1, 10));
    assert!(error.what.contains("format 2") && error.remedy.contains("update vernport"), "{error}");
    let error = refuse("format = 1\nrequires = [\"holds\"]\nsomething_new = true\n");
    assert_eq!((error.line, error.column), (2, 13));
    assert!(error.what.contains("requires `holds`"), "{error}");
    let error = refuse("format = 1\nextends = { bundle = \"base\", hash = \"00\" }\n");
    assert_eq!((error.line, error.column), (2, 22));
    assert!(error.what.contains("`base` cannot be read") && error.remedy.contains("beside"), "{error}");
    let error = refuse("requires = []\n");
    assert!(error.what.contains("format"), "{error}");
}

#[test]
fn unknown_keys_and_torn_files_are_refused_at_their_place() {
    changed("westrum", "role = \"joint-controller\"", "roll = \"joint-controller\"", "roll", "unknown field");
    changed(
        "westrum",
        "window = \"order\"\nsample = \"per-order\"",
        "window = \"order\"\nsamples = 1",
        "samples",
        "unknown field",
    );
    changed("westrum", "sample = \"per-order\"", "sample = \"per-order", "sample", "");
    changed("westrum", "\"round-1000000\"", "\"round-0\"", "\"Vehicle.TraveledDistance\"", "not a minimiser");
    changed("westrum", "period = \"P6M\"", "period = \"6 months\"", "period", "not a period");
    changed("westrum", "id = \"NO-900000001\"", "id = \"900000001\"", "id", "NO-<9 digits>");
    changed(
        "westrum",
        "basis = \"A6-1-a\"\nnecessity = \"A rem",
        "basis = \"implied\"\nnecessity = \"A rem",
        "basis",
        "",
    );
}

#[test]
fn names_have_to_resolve_and_stand_once() {
    let flow = "id = \"warranty\"\npurpose = \"warranty-claims\"";
    changed(
        "westrum",
        flow,
        "id = \"workshop\"\npurpose = \"warranty-claims\"",
        "id",
        "`workshop` stands twice",
    );
    changed("westrum", flow, "id = \"warranty\"\npurpose = \"claims\"", "purpose", "no purpose `claims`");
    changed(
        "westrum",
        "recipient = \"nordic-haulage\"",
        "recipient = \"nobody\"",
        "recipient",
        "no recipient `nobody`",
    );
    changed("westrum", "retention = \"warranty\"", "retention = \"forever\"", "retention", "no retention");
    changed(
        "westrum",
        "\"Vehicle.TraveledDistance\" = \"round-1000\"",
        "\"Vehicle.Odometer\" = \"round-1000\"",
        "\"Vehicle.Odometer\"",
        "not in the signal catalogue",
    );
    changed("westrum", "time_zone = \"Europe/Oslo\"", "time_zone = \"Oslo\"", "time_zone", "no time zone");
}

#[test]
fn every_rule_names_its_clause() {
    changed("westrum", "clauses = [\"WEST-7.2\"]", "clauses = []", "clauses", "without a clause");
    changed("westrum", "clauses = [\"WEST-5.1\"]", "clauses = [\" \"]", "clauses", "without a clause");
    changed("westrum", "clauses = [\"WEST-2.8\", \"WEST-7.3\"]\n", "", "[[purpose]]", "clauses");
}

#[test]
fn a_purpose_says_why_and_on_what() {
    changed(
        "westrum",
        "\"https://w3id.org/dpv#DirectMarketing\"",
        "\"marketing\"",
        "iri",
        "not a purpose of DPV",
    );
    changed(
        "westrum",
        "necessity = \"Newsletters go to those who asked for them.\"",
        "necessity = \"\"",
        "necessity",
        "without a necessity",
    );
    changed(
        "example-fleet",
        "balancing = \"fleet-lia-1: a cell of some kilometres each five minutes, never in private\"\n",
        "",
        "basis",
        "without a balancing test",
    );
    changed(
        "example-fleet",
        "basis = \"A6-1-b\"\nnecessity = \"The workshop",
        "basis = \"A6-1-c\"\nnecessity = \"The workshop",
        "basis",
        "without its statute",
    );
}

#[test]
fn nothing_is_read_that_no_notice_lists() {
    changed(
        "westrum",
        "categories = [\"odometer\", \"component-status\", \"body-function\", \"identifier\", \"service-history\"]",
        "categories = [\"odometer\", \"component-status\", \"identifier\"]",
        "\"Vehicle.Extension.PowerTakeOffs.IsEngagedAtLeastOne\"",
        "no version of the notice lists `body-function`",
    );
    changed(
        "westrum",
        "signals = [\"Vehicle.VehicleIdentification.VIN\"]",
        "signals = [\"Vehicle.TraveledDistance\"]",
        "signals",
        "identifies nothing",
    );
    let without = example("car-special");
    let notice = without.find("[[notice]]").expect("a notice");
    let end = without.find("[[purpose]]").expect("purposes");
    let error = refuse(&format!("{}{}", &without[..notice], &without[end..]));
    assert!(error.what.contains("without a notice"), "{error}");
}

#[test]
fn recipients_need_an_agreement_and_a_region() {
    let agreement =
        "agreement = { id = \"eco-coach-2018\", from = 2018-07-20, until = 2031-01-01, assumed = true }\n";
    changed("example-fleet", agreement, "", "id", "has no agreement");
    changed(
        "example-fleet",
        "until = 2031-01-01",
        "until = 2018-01-01",
        "agreement",
        "ends before it begins",
    );
    changed("example-fleet", "until = 2031-01-01", "until = 2031-01-01T10:00:00", "agreement", "not a date");
    changed("example-fleet", "region = \"DK\"", "region = \"US\"", "region", "outside of the regions");
    changed("example-fleet", "region = \"DK\"", "region = \"EEA\"", "region", "no region");
    let us = "role = \"customer\"\nregion = \"US\"";
    changed("cars-software", "role = \"customer\"\nregion = \"NO\"", us, "region", "outside of the regions");
    // With a tool in force it may go there, because the notice allows it (CARS-5.6).
    let tool = "transfer = { tool = \"adequacy\", reference = \"dpf\", until = 2027-07-01 }";
    let text = example("cars-software").replace(
        "role = \"customer\"\nregion = \"NO\"",
        &format!("role = \"customer\"\nregion = \"US\"\n{tool}"),
    );
    world::compile(&text);
    changed("westrum", "regions = [\"NO\"]", "regions = [\"Norway\"]", "regions", "no region");
}

#[test]
fn consent_names_people_has_a_form_and_stays_sealed() {
    changed("westrum", "roles = [\"owner\"]\n", "", "id = \"maintenance-reminder\"", "consent of nobody");
    changed(
        "westrum",
        "categories = [\"odometer\"]\nvalid",
        "categories = [\"location\"]\nvalid",
        "id = \"maintenance-reminder\"",
        "no form asks for",
    );
    changed(
        "example-fleet",
        "deliver = { store = true, topic = \"sealed\" }\nweakest = \"pinned\"\nwindow = \"link\"\nroles",
        "deliver = { store = true, topic = \"plain\" }\nweakest = \"pinned\"\nwindow = \"link\"\nroles",
        "id = \"eco-coaching\"",
        "to a whole topic",
    );
    changed("westrum", "valid = \"P2Y\"", "valid = \"P0D\"", "valid", "not a period");
}

#[test]
fn marketing_never_has_vehicle_data_without_consent() {
    changed(
        "example-fleet",
        "clauses = [\"FLEET-3.1\"]\nassumed = true\n\n[[purpose]]",
        "clauses = [\"FLEET-3.1\"]\nmarketing = true\n\n[[purpose]]",
        "id = \"maintenance\"",
        "for marketing",
    );
}

#[test]
fn what_tells_of_the_driver_stops_in_private_and_is_no_part_of_somebody_elses_contract() {
    changed(
        "example-fleet",
        "private_mode = true\nsample",
        "sample",
        "id = \"route-planning\"",
        "also in private",
    );
    let planning = "basis = \"A6-1-f\"";
    changed(
        "example-fleet",
        planning,
        "basis = \"A6-1-b\"",
        "id = \"route-planning\"",
        "contract with somebody else",
    );
    let open = "window = \"order\"\nclauses = [\"FLEET-3.1\"]";
    changed(
        "example-fleet",
        open,
        "window = \"link\"\nclauses = [\"FLEET-3.1\"]",
        "id = \"maintenance\"",
        "contract with nobody",
    );
}

/// Invariant 15.
#[test]
fn composite_rules_hold_per_recipient_over_all_its_flows() {
    let exact = "a place with an exact odometer";
    for finer in ["exact", "round-9999", "bucket-1000"] {
        let new = format!("\"Vehicle.TraveledDistance\" = \"{finer}\"");
        let old = "\"Vehicle.TraveledDistance\" = \"round-10000\"";
        changed("example-fleet", old, &new, "id = \"route-planning\"", exact);
    }
    // Speed goes to another recipient; given to the same one, a precise place is refused.
    for (cell, refused) in [("cell-8", true), ("exact", true), ("cell-7", false)] {
        let text = example("example-fleet")
            .replace("\"cell-6\"", &format!("\"{cell}\""))
            .replace("recipient = \"eco-coach\"", "recipient = \"nordic-haulage\"");
        let bundle = Bundle::from_toml("b.toml", &text).expect("a bundle");
        let compiled = Rules::compile(&bundle, &catalogue());
        assert_eq!(compiled.is_err(), refused, "{cell}");
        if let Err(error) = compiled {
            assert!(error.what.contains("speed with a precise place"), "{error}");
        }
    }
    // A place of which only the presence is told tells no place.
    let text = example("example-fleet").replace("\"cell-6\"", "\"presence\"").replace(
        "\"Vehicle.TraveledDistance\" = \"round-10000\"",
        "\"Vehicle.TraveledDistance\" = \"exact\"",
    );
    world::compile(&text);
}

#[test]
fn numbers_have_bounds() {
    changed("example-fleet", "believe = \"PT2M\"", "believe = \"PT6M\"", "believe", "only shorten");
    changed("example-fleet", "time = \"PT1M\"", "time = \"P1M\"", "time", "no interval");
    changed("example-fleet", "time = \"PT1M\"", "time = \"P8D\"", "time", "no interval");
    changed("example-fleet", "sample = \"PT5M\"", "sample = \"per-order\"", "sample", "needs no order");
    changed("westrum", "at_most = \"P7Y\"", "at_most = \"P6M\"", "at_most", "longer than its cap");
    changed("example-fleet", "\"cell-6\"", "\"round-6\"", "\"Vehicle.CurrentLocation\"", "does not fit");
    let many: String = (0..128)
        .map(|n| {
            format!(
                "[[flow]]\nid = \"f{n}\"\npurpose = \"service-delivery\"\nrecipient = \"westrum-workshop\"\n\
                 retention = \"warranty\"\ndeliver = {{ store = true }}\nweakest = \"tool\"\nclauses = [\"X\"]\n\
                 signals = {{ \"Vehicle.TraveledDistance\" = \"exact\" }}\n"
            )
        })
        .collect();
    let error = refuse(&format!("{}\n{many}", example("westrum")));
    assert!(error.what.contains("more than 128 flows"), "{error}");
}

#[test]
fn a_flow_reads_something_and_goes_somewhere() {
    changed(
        "example-fleet",
        "\"Vehicle.CurrentLocation\" = \"cell-6\"\n",
        "",
        "id = \"route-planning\"",
        "names no signal",
    );
    changed(
        "westrum",
        "deliver = { store = true, topic = \"plain\" }",
        "deliver = { store = false }",
        "id = \"customer-report\"",
        "delivered nowhere",
    );
    changed(
        "westrum",
        "\"Vehicle.Service.DistanceToService\" = \"exact\"\n\"Vehicle.Diagnostics.DTCList\" = \"presence\"",
        "\"Vehicle.VehicleIdentification.VIN\" = \"exact\"",
        "id = \"customer-report\"",
        "shows identifiers",
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Foreign bytes never panic (invariant 14): an example with a piece cut out or put in.
    #[test]
    fn a_mangled_bundle_is_refused_or_compiles_and_never_panics(
        which in 0..4_usize, from in any::<prop::sample::Index>(), length in 0..40_usize, put in "\\PC{0,12}"
    ) {
        let text = world::EXAMPLES[which].1;
        let chars: Vec<char> = text.chars().collect();
        let from = from.index(chars.len());
        let to = (from + length).min(chars.len());
        let mangled: String = chars[..from].iter().copied().chain(put.chars()).chain(chars[to..].iter().copied()).collect();
        match Bundle::from_toml("b.toml", &mangled) {
            Err(error) => prop_assert!(error.line >= 1 && error.column >= 1),
            Ok(bundle) => drop(Rules::compile(&bundle, &catalogue())),
        }
    }
}
