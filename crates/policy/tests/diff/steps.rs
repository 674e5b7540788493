//! One step at a time: each loosening of a rule is named, and going back is a tightening.

use crate::world;
use vernport_policy::{Bundle, Diff, Effect, Rules, diff};

const BASE: &str = r#"
format = 1
name = "steps"
[controller]
id = "NO-999999999"
name = "Steps"
role = "controller"
jurisdiction = "NO"
time_zone = "Europe/Oslo"
regions = ["EEA"]
elsewhere = "with-tool"
clauses = ["1"]
[hosting]
regions = ["NO"]
processor = "Host AS"
agreement = { id = "h", from = 2025-06-01, until = 2030-01-01 }
clauses = ["1"]
[[notice]]
version = "n-1"
served_when = "recorded"
categories = ["odometer", "component-status"]
clauses = ["2"]
[[notice]]
version = "n-2"
served_when = "recorded"
categories = ["odometer", "component-status", "location", "identifier"]
clauses = ["2"]
[[purpose]]
id = "service"
iri = "https://w3id.org/dpv#ServiceProvision"
basis = "A6-1-b"
necessity = "so"
clauses = ["3"]
[[purpose]]
id = "remind"
iri = "https://w3id.org/dpv#CommunicationForCustomerCare"
basis = "A6-1-a"
necessity = "so"
marketing = true
clauses = ["3"]
[[purpose]]
id = "duty"
iri = "https://w3id.org/dpv#LegalCompliance"
basis = "A6-1-c"
statute = "a statute"
necessity = "so"
categories = ["component-status"]
clauses = ["3"]
[[recipient]]
id = "police"
name = "Police"
role = "authority"
region = "NO"
agreement = { id = "law", from = 2000-01-01, until = 2100-01-01 }
clauses = ["4"]
[[recipient]]
id = "ours"
name = "Ours"
role = "controller"
region = "NO"
clauses = ["4"]
[[recipient]]
id = "partner"
name = "Partner"
role = "partner"
region = "US"
agreement = { id = "a", from = 2026-01-01, until = 2027-01-01 }
transfer = { tool = "standard-clauses", reference = "r", until = 2028-01-01 }
clauses = ["4"]
[[retention]]
id = "short"
start = "reading"
period = "P6M"
at_most = "P1Y"
clauses = ["5"]
[[hold]]
ground = "dispute"
at_most = "P3Y"
clauses = ["5"]
[[right]]
right = "access"
deadline = "P20D"
identity = "known"
clauses = ["9"]
[[message]]
id = "news"
class = "marketing"
purpose = "remind"
categories = ["odometer"]
opt_out = true
form = "form-1"
clauses = ["9"]
[[form]]
id = "form-1"
purpose = "remind"
recipient = "partner"
categories = ["component-status", "odometer"]
valid = "P1Y"
clauses = ["6"]
texts = { en = "I consent." }
[identify]
purpose = "service"
signals = ["Vehicle.VehicleIdentification.VIN"]
clauses = ["7"]
[[flow]]
id = "workshop"
purpose = "service"
recipient = "ours"
retention = "short"
deliver = { store = true }
weakest = "tool"
window = "order"
roles = ["owner", "driver"]
private_mode = true
sample = "PT1M"
time = "PT10M"
clauses = ["8"]
[flow.signals]
"Vehicle.TraveledDistance" = "round-20000"
"Vehicle.CurrentLocation" = "cell-5"
"Vehicle.LowVoltageBattery.CurrentVoltage" = "drop"
[[flow]]
id = "reminder"
purpose = "remind"
recipient = "partner"
retention = "short"
deliver = { store = true, topic = "sealed" }
weakest = "tool"
roles = ["owner"]
believe = "PT1M"
clauses = ["8"]
[flow.signals]
"Vehicle.TraveledDistance" = "bucket-1000000"
[[flow]]
id = "court"
purpose = "duty"
recipient = "police"
retention = "short"
deliver = { store = true }
weakest = "tool"
window = "disclosure"
grounds = ["court-order"]
clauses = ["8"]
[flow.signals]
"Vehicle.Service.DistanceToService" = "exact"
[[refusal]]
reason = "restricted"
clause = "9"
"#;

fn changed(old: &str, new: &str) -> (Diff, Diff) {
    assert_eq!(BASE.matches(old).count(), 1, "one place to change: {old}");
    let catalogue = world::catalogue();
    let compiled = |text: &str| {
        let bundle = Bundle::from_toml("steps.toml", text).expect("the shape is right");
        Rules::compile(&bundle, &catalogue).unwrap_or_else(|error| panic!("{old} → {new}: {error}"))
    };
    let (was, is) = (compiled(BASE), compiled(&BASE.replace(old, new)));
    (diff(&was, &is, &catalogue), diff(&is, &was, &catalogue))
}

/// The changes of a diff as `path effect`.
fn named(diff: &Diff) -> Vec<(&str, Effect)> {
    diff.changes().iter().map(|change| (change.path.as_str(), change.effect)).collect()
}

#[test]
fn each_loosening_is_named_and_the_way_back_is_a_tightening() {
    let location = "flow.workshop.signals.Vehicle.CurrentLocation";
    let odometer = "flow.workshop.signals.Vehicle.TraveledDistance";
    for (old, new, path) in [
        ("\"round-20000\"", "\"round-10000\"", odometer),
        ("\"cell-5\"", "\"cell-6\"", location),
        (
            "CurrentVoltage\" = \"drop\"",
            "CurrentVoltage\" = \"presence\"",
            "flow.workshop.signals.Vehicle.LowVoltageBattery.CurrentVoltage",
        ),
        ("\"bucket-1000000\"", "\"exact\"", "flow.reminder.signals.Vehicle.TraveledDistance"),
        (
            "\"cell-5\"\n",
            "\"cell-5\"\n\"Vehicle.Service.DistanceToService\" = \"exact\"\n",
            "flow.workshop.signals.Vehicle.Service.DistanceToService",
        ),
        ("time = \"PT10M\"\n", "time = \"PT5M\"\n", "flow.workshop"),
        ("time = \"PT10M\"\n", "", "flow.workshop"),
        ("sample = \"PT1M\"\n", "sample = \"PT30S\"\n", "flow.workshop"),
        ("sample = \"PT1M\"\n", "", "flow.workshop"),
        ("believe = \"PT1M\"\n", "believe = \"PT2M\"\n", "flow.reminder"),
        ("believe = \"PT1M\"\n", "", "flow.reminder"),
        ("[\"owner\", \"driver\"]", "[\"driver\"]", "flow.workshop"),
        (
            "weakest = \"tool\"\nwindow = \"order\"",
            "weakest = \"pinned\"\nwindow = \"order\"",
            "flow.workshop",
        ),
        ("window = \"order\"", "window = \"link\"", "flow.workshop"),
        (
            "{ store = true }\nweakest = \"tool\"\nwindow = \"order\"",
            "{ store = true, topic = \"sealed\" }\nweakest = \"tool\"\nwindow = \"order\"",
            "flow.workshop",
        ),
        ("period = \"P6M\"", "period = \"P7M\"", "retention.short"),
        ("at_most = \"P1Y\"", "at_most = \"P2Y\"", "retention.short"),
        ("start = \"reading\"", "start = \"order-closed\"", "retention.short"),
        ("until = 2027-01-01", "until = 2027-01-02", "recipient.partner"),
        ("from = 2026-01-01", "from = 2025-12-31", "recipient.partner"),
        ("until = 2028-01-01", "until = 2028-01-02", "recipient.partner"),
        ("marketing = true\n", "", "purpose.remind"),
        ("valid = \"P1Y\"", "valid = \"P2Y\"", "form.form-1"),
        (
            "[\"component-status\", \"odometer\"]",
            "[\"component-status\", \"odometer\", \"location\"]",
            "form.form-1",
        ),
        ("regions = [\"NO\"]", "regions = [\"NO\", \"SE\"]", "hosting"),
        ("regions = [\"NO\"]", "regions = [\"EEA\"]", "hosting"),
        ("until = 2030-01-01", "until = 2031-01-01", "hosting"),
        ("[\"EEA\"]", "[\"EEA\", \"GB\"]", "controller"),
        ("[\"court-order\"]", "[\"court-order\", \"legal-duty\"]", "flow.court"),
        ("categories = [\"component-status\"]\n", "", "purpose.duty"),
        ("at_most = \"P3Y\"", "at_most = \"P4Y\"", "hold.dispute"),
        ("\"P20D\"", "\"P25D\"", "right.access"),
        (
            "categories = [\"odometer\"]\nopt_out",
            "categories = [\"odometer\", \"component-status\"]\nopt_out",
            "message.news",
        ),
    ] {
        let (there, back) = changed(old, new);
        assert_eq!(named(&there), [(path, Effect::Permits)], "{old} → {new}\n{there}");
        assert_eq!(named(&back), [(path, Effect::Denies)], "{new} → {old}\n{back}");
    }
}

#[test]
fn each_tightening_that_is_written_by_a_word_more_is_named() {
    for (old, new, path) in [
        ("sample = \"PT1M\"\n", "sample = \"PT1M\"\nsources = [\"tool\"]\n", "flow.workshop"),
        ("sample = \"PT1M\"\n", "sample = \"PT1M\"\naccount = true\n", "flow.workshop"),
        ("dpv#ServiceProvision\"\n", "dpv#ServiceProvision\"\nprofiling = true\n", "purpose.service"),
        ("believe = \"PT1M\"\n", "believe = \"PT1M\"\nnotice = \"n-2\"\n", "flow.reminder"),
        ("elsewhere = \"with-tool\"\n", "elsewhere = \"with-tool\"\nreview_by = 2027-01-01\n", "controller"),
    ] {
        let (there, back) = changed(old, new);
        assert!(
            !there.is_equal() && there.changes().iter().all(|c| c.path == path),
            "{old} → {new}\n{there}"
        );
        assert!(!there.widens(), "{old} → {new}\n{there}");
        assert_eq!(there.narrows(), back.widens(), "{new} → {old}\n{back}");
        assert!(!back.narrows(), "{new} → {old}\n{back}");
    }
}

#[test]
fn what_cannot_be_compared_counts_as_wider() {
    for (old, new, path) in [
        ("\"round-20000\"", "\"round-30000\"", "flow.workshop.signals.Vehicle.TraveledDistance"),
        ("\"round-20000\"", "\"bucket-20000\"", "flow.workshop.signals.Vehicle.TraveledDistance"),
        ("time = \"PT10M\"", "time = \"PT15M\"", "flow.workshop"),
        ("sample = \"PT1M\"", "sample = \"per-order\"", "flow.workshop"),
        ("[\"owner\", \"driver\"]", "[\"driver\", \"deliverer\"]", "flow.workshop"),
        ("period = \"P6M\"", "period = \"P183D\"", "retention.short"),
        ("dpv#ServiceProvision", "dpv#Marketing", "purpose.service"),
        ("processor = \"Host AS\"", "processor = \"Other AS\"", "hosting"),
        ("region = \"US\"", "region = \"CA\"", "recipient.partner"),
        ("identity = \"known\"", "identity = \"official\"", "right.access"),
        ("basis = \"A6-1-b\"", "basis = \"A6-1-f\"\nbalancing = \"b\"", "purpose.service"),
    ] {
        let (there, back) = changed(old, new);
        assert!(
            there.changes().iter().any(|c| c.path == path && c.effect == Effect::Both),
            "{old} → {new}\n{there}"
        );
        assert!(there.widens() && there.narrows() && back.widens(), "{old} → {new}\n{there}");
    }
}

#[test]
fn what_is_written_otherwise_and_decides_alike_is_no_difference() {
    for (old, new) in [
        ("believe = \"PT1M\"", "believe = \"PT60S\""),
        ("at_most = \"P1Y\"", "at_most = \"P12M\""),
        ("[\"owner\", \"driver\"]", "[\"driver\", \"owner\"]"),
        ("format = 1\n", "# A comment.\nformat = 1\n"),
    ] {
        let (there, back) = changed(old, new);
        assert!(there.is_equal() && back.is_equal(), "{old} → {new}\n{there}");
        assert_eq!(there.to_string(), "no difference\n");
    }
}

#[test]
fn wording_is_a_difference_that_permits_nothing() {
    for (old, new, path) in [
        ("clause = \"9\"", "clause = \"10\"", "refusal.restricted"),
        ("I consent.", "I do consent.", "form.form-1"),
        ("[\"4\"]\n[[retention]]", "[\"4\", \"4b\"]\n[[retention]]", "recipient.partner"),
        ("name = \"Ours\"", "name = \"We\"", "recipient.ours"),
        ("clauses = [\"6\"]", "clauses = [\"6\"]\nassumed = true", "form.form-1"),
        (
            "[[retention]]",
            "[[retention]]\nid = \"unused\"\nstart = \"reading\"\nperiod = \"P1D\"\nat_most = \"P1D\"\n\
             clauses = [\"5\"]\n[[retention]]",
            "retention.unused",
        ),
    ] {
        let (there, back) = changed(old, new);
        assert_eq!(named(&there), [(path, Effect::Says)], "{there}");
        assert_eq!(named(&back), [(path, Effect::Says)], "{back}");
        assert!(!there.widens() && !there.narrows() && !there.is_equal());
    }
}

#[test]
fn a_renewed_agreement_needs_no_new_notice_and_a_finer_value_does() {
    let (there, _) = changed("until = 2027-01-01", "until = 2028-01-01");
    assert!(there.permitted().all(|change| !change.to_be_told), "{there}");
    let (there, _) = changed("\"bucket-1000000\"", "\"exact\"");
    assert!(there.permitted().all(|change| change.to_be_told && change.flows.len() == 1), "{there}");
}

#[test]
fn a_category_that_is_listed_earlier_is_named_with_the_version_that_lists_it() {
    let (there, back) = changed(
        "categories = [\"odometer\", \"component-status\"]\nclauses = [\"2\"]",
        "categories = [\"odometer\", \"component-status\", \"location\"]\nclauses = [\"2\"]",
    );
    assert!(there.permitted().all(|change| change.path == "notice.n-1"), "{there}");
    assert!(there.widens() && !there.narrows(), "{there}");
    assert!(back.narrows() && !back.widens(), "{back}");
}
