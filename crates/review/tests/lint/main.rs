//! What is found in a bundle: each finding where the bundle shows it, and nowhere else.

mod clauses;
mod dpv;
mod exported;

use std::fmt::Write as _;
use vernport_policy::{Bundle, Rules};
use vernport_review::{
    coverage::{Clauses, Test},
    lint::{Checked, Findings, Known, lint},
};
use vernport_types::{Catalogue, UtcMicros};

/// 2026-06-01T00:00:00Z.
const NOW: UtcMicros = UtcMicros(1_780_272_000_000_000);

/// A bundle in which nothing is found.
const BUNDLE: &str = r#"format = 1
name = "small"
[controller]
id = "NO-999999999"
name = "Small AS"
role = "controller"
jurisdiction = "NO"
time_zone = "Europe/Oslo"
regions = ["EEA"]
elsewhere = "with-tool"
clauses = ["S-1"]
[[notice]]
version = "small-1"
served_when = "recorded"
categories = ["odometer", "location"]
clauses = ["S-2"]
[[purpose]]
id = "service"
iri = "https://w3id.org/dpv#ServiceProvision"
basis = "A6-1-b"
necessity = "The work needs the distance."
clauses = ["S-3"]
[[purpose]]
id = "news"
iri = "https://w3id.org/dpv#Marketing"
basis = "A6-1-a"
necessity = "Whoever asked for news gets them."
marketing = true
clauses = ["S-3"]
[[recipient]]
id = "workshop"
name = "The workshop"
role = "controller"
region = "NO"
clauses = ["S-1"]
[[recipient]]
id = "partner"
name = "The partner"
role = "partner"
region = "US"
agreement = { id = "a-1", from = 2026-01-01, until = 2028-01-01 }
transfer = { tool = "standard-clauses", reference = "scc-1", until = 2027-06-01 }
clauses = ["S-1"]
[[retention]]
id = "year"
start = "reading"
period = "P1Y"
at_most = "P1Y"
clauses = ["S-4"]
[[hold]]
ground = "dispute"
at_most = "P3Y"
clauses = ["S-4"]
[[right]]
right = "erasure"
deadline = "P1M"
identity = "known"
clauses = ["S-5"]
[[form]]
id = "news-1"
purpose = "news"
recipient = "partner"
categories = ["odometer"]
valid = "P1Y"
clauses = ["S-3"]
texts = { en = "I want news." }
[[message]]
id = "news"
class = "marketing"
purpose = "news"
categories = ["odometer"]
opt_out = true
form = "news-1"
clauses = ["S-3"]
[[flow]]
id = "workshop"
purpose = "service"
recipient = "workshop"
retention = "year"
deliver = { store = true }
weakest = "tool"
roles = ["driver"]
private_mode = true
clauses = ["S-3"]
[flow.signals]
"Vehicle.TraveledDistance" = "round-10000"
"Vehicle.CurrentLocation" = "cell-5"
[[flow]]
id = "partner"
purpose = "service"
recipient = "partner"
retention = "year"
deliver = { store = true }
weakest = "tool"
clauses = ["S-3"]
[flow.signals]
"Vehicle.TraveledDistance" = "exact"
[[refusal]]
reason = "restricted"
clause = "S-5"
"#;

const CLAUSES: &str = r#"
[[clause]]
id = "S-1"
class = "S"
status = "supported"
rules = ["controller", "recipient.workshop", "recipient.partner"]
[[clause]]
id = "S-2"
class = "E"
status = "covered"
rules = ["notice.small-1"]
tests = ["tests/S-2.toml"]
[[clause]]
id = "S-3"
class = "E/S"
status = "covered"
rules = ["purpose.service", "purpose.news", "form.news-1", "message.news", "flow.workshop", "flow.partner"]
tests = ["rules::clauses::s_3"]
[[clause]]
id = "S-4"
class = "E"
status = "due-later"
rules = ["retention.year", "hold.dispute"]
[[clause]]
id = "S-5"
class = "E"
status = "covered"
rules = ["right.erasure", "engine: restrictions, in registry"]
tests = ["tests/S-5.toml"]
"#;

fn catalogue() -> Catalogue {
    let text = include_str!("../../../../config/signals/vehicle.toml");
    Catalogue::from_toml([("vehicle.toml", text)]).expect("the shipped catalogue")
}

fn rules(text: &str) -> Rules {
    let bundle = Bundle::from_toml("bundle.toml", text).expect("a bundle");
    Rules::compile(&bundle, &catalogue()).unwrap_or_else(|error| panic!("{error}"))
}

fn change(text: &str, old: &str, new: &str) -> String {
    assert_eq!(text.matches(old).count(), 1, "one place to change: {old}");
    text.replace(old, new)
}

fn found_at(
    bundle: &str,
    clauses: Option<&str>,
    now: UtcMicros,
    exists: &dyn Fn(&Test) -> Known,
) -> Findings {
    let clauses = clauses.map(|text| Clauses::from_toml("clauses.toml", text).expect("a list"));
    let (rules, catalogue) = (rules(bundle), catalogue());
    lint(Checked { rules: &rules, catalogue: &catalogue, clauses: clauses.as_ref(), now, exists })
}

fn found(bundle: &str, clauses: &str) -> Findings {
    found_at(bundle, Some(clauses), NOW, &|_| Known::There)
}

/// The findings as `id rule-or-clause`.
fn named(findings: &Findings) -> Vec<String> {
    let name = |finding: &vernport_review::lint::Finding| {
        let about = finding.rule.as_deref().or(finding.clause.as_deref()).unwrap_or("-");
        format!("{} {about}", finding.id)
    };
    findings.all.iter().map(name).collect()
}

#[test]
fn a_bundle_that_keeps_its_notice_has_no_findings() {
    assert_eq!(named(&found(BUNDLE, CLAUSES)), [""; 0]);
}

#[test]
fn each_gap_of_a_notice_is_found_where_its_bundle_shows_it() {
    let listed = "categories = [\"odometer\", \"location\"]";
    let place = "\"Vehicle.CurrentLocation\" = \"cell-5\"\n";
    for (old, new, expected) in [
        (place, "\"Vehicle.CurrentLocation\" = \"drop\"\n", "F-11 notice.small-1"),
        (place, "", "F-11 notice.small-1"),
        (listed, "categories = [\"odometer\", \"location\", \"body-function\"]", "F-11 notice.small-1"),
        ("dpv#ServiceProvision", "dpv#ServiceOptimisation", "F-3 purpose.service"),
        (
            "clauses = [\"S-4\"]\n[[hold]]",
            "clauses = [\"S-4\"]\nassumed = true\n[[hold]]",
            "F-5 retention.year",
        ),
        (
            "clauses = [\"S-4\"]\n[[right]]",
            "clauses = [\"S-4\"]\nassumed = true\n[[right]]",
            "F-5 hold.dispute",
        ),
        (
            "2027-06-01 }\nclauses = [\"S-1\"]",
            "2027-06-01 }\nclauses = [\"S-1\"]\nassumed = true",
            "F-6 recipient.partner",
        ),
        (
            "clauses = [\"S-1\"]\n[[notice]]",
            "clauses = [\"S-1\"]\nassumed = true\n[[notice]]",
            "F-7 controller",
        ),
        (
            "[[notice]]",
            "[hosting]\nregions = [\"NO\"]\nprocessor = \"H\"\nclauses = [\"S-1\"]\n\
             agreement = { id = \"h\", from = 2026-01-01, until = 2030-01-01, assumed = true }\n[[notice]]",
            "F-7 hosting",
        ),
        (
            "clauses = [\"S-5\"]\n[[form]]",
            "clauses = [\"S-5\"]\nassumed = true\n[[form]]",
            "F-8 right.erasure",
        ),
        ("right = \"erasure\"", "right = \"access\"", "F-8 controller"),
    ] {
        let changed = change(BUNDLE, old, new);
        assert_eq!(named(&found(&changed, &list_with_all(&changed))), [expected], "{old} → {new}");
    }
}

#[test]
fn what_is_given_by_a_parameter_is_as_assumed_as_the_parameter() {
    let given = change(
        BUNDLE,
        "[[notice]]",
        "[parameters]\nkept = { value = \"P1Y\", clauses = [\"S-4\"], assumed = true }\n[[notice]]",
    );
    let given = change(&given, "period = \"P1Y\"", "period = \"$kept\"");
    let findings = found(&given, CLAUSES);
    assert_eq!(named(&findings), ["F-5 retention.year"]);
    assert!(findings.all[0].what.contains("by $kept = P1Y"), "{}", findings.all[0].what);
}

#[test]
fn a_notice_without_data_of_vehicles_and_drivers_whom_nobody_asks_are_found() {
    let listed = "categories = [\"odometer\", \"location\"]";
    let nothing =
        BUNDLE[..BUNDLE.find("[[flow]]").expect("flows")].replace(listed, "categories = [\"contact\"]");
    let nothing = nothing.replace("categories = [\"odometer\"]", "categories = [\"contact\"]");
    let clauses = CLAUSES.replace(", \"flow.workshop\", \"flow.partner\"", "");
    assert!(named(&found(&nothing, &clauses)).contains(&"F-2 notice.small-1".into()));
    let place = "roles = [\"driver\"]\n";
    assert!(!named(&found(BUNDLE, CLAUSES)).contains(&"F-13 controller".into()));
    let nobody = change(&change(BUNDLE, place, ""), "\"Vehicle.CurrentLocation\" = \"cell-5\"\n", "");
    assert!(named(&found(&nobody, CLAUSES)).contains(&"F-13 controller".into()));
}

/// The list of clauses, with every rule of a bundle named.
fn list_with_all(bundle: &str) -> String {
    let mut clauses = CLAUSES.replace("\"right.erasure\", ", "");
    let mut names = String::new();
    for rule in rules(bundle).paths() {
        write!(names, "{:?}, ", rule.path).expect("a string");
    }
    write!(clauses, "[[clause]]\nid = \"S-9\"\nclass = \"S\"\nstatus = \"supported\"\nrules = [{names}]\n")
        .expect("a string");
    clauses
}

#[test]
fn a_flag_is_found_only_where_no_rule_shows_it() {
    let flagged = change(CLAUSES, "id = \"S-2\"\n", "id = \"S-2\"\nflag = \"F-9\"\n");
    let findings = found(BUNDLE, &flagged);
    assert_eq!(named(&findings), ["F-9 S-2"]);
    assert_eq!((findings.all[0].file.as_str(), findings.all[0].line), ("clauses.toml", 7));
    let flagged = change(CLAUSES, "id = \"S-4\"\n", "id = \"S-4\"\nflag = \"F-5\"\n");
    assert_eq!(named(&found(BUNDLE, &flagged)), ["F-5 S-4"]);
    let assumed =
        change(BUNDLE, "clauses = [\"S-4\"]\n[[hold]]", "clauses = [\"S-4\"]\nassumed = true\n[[hold]]");
    assert_eq!(named(&found(&assumed, &flagged)), ["F-5 retention.year"]);
}

#[test]
fn a_reason_in_the_bundle_makes_a_finding_known_and_one_without_a_finding_is_found() {
    let assumed =
        change(BUNDLE, "clauses = [\"S-4\"]\n[[hold]]", "clauses = [\"S-4\"]\nassumed = true\n[[hold]]");
    let known =
        |more: &str| format!("{assumed}[[acknowledged]]\nfinding = \"F-5\"\nreason = \"Asked.\"\n{more}");
    let findings = found(&known(""), CLAUSES);
    assert_eq!(findings.open().count(), 0);
    assert_eq!(findings.all[0].acknowledged.as_deref(), Some("Asked."));
    assert_eq!(found(&known("rule = \"retention.year\"\n"), CLAUSES).open().count(), 0);
    // About another rule it is no reason.
    let findings = found(&known("rule = \"hold.dispute\"\n"), CLAUSES);
    assert_eq!(named(&findings), ["F-5 retention.year", "unused-acknowledgement hold.dispute"]);
    assert_eq!(findings.open().count(), 2);
}

#[test]
fn what_runs_out_is_named_in_time() {
    let day = |text: &str| UtcMicros(text.parse::<jiff::Timestamp>().expect("a time").as_microsecond());
    let at = |text: &str, now: &str| named(&found_at(text, Some(CLAUSES), day(now), &|_| Known::There));
    let reviewed = change(BUNDLE, "elsewhere", "review_by = 2026-09-01\nelsewhere");
    assert_eq!(at(&reviewed, "2026-08-31T12:00:00Z"), [""; 0]);
    assert_eq!(at(&reviewed, "2026-09-01T12:00:00Z"), ["review-overdue controller"]);
    assert_eq!(at(BUNDLE, "2025-12-31T12:00:00Z"), ["agreement-not-begun recipient.partner"]);
    assert_eq!(at(BUNDLE, "2027-03-01T12:00:00Z"), [""; 0]);
    // The transfer tool first, then the agreement.
    assert_eq!(at(BUNDLE, "2027-03-05T12:00:00Z"), ["agreement-ends-soon recipient.partner"]);
    assert_eq!(at(BUNDLE, "2027-06-01T00:00:00Z"), ["agreement-ended recipient.partner"]);
    assert_eq!(
        at(BUNDLE, "2027-12-01T00:00:00Z"),
        ["agreement-ended recipient.partner", "agreement-ends-soon recipient.partner"]
    );
}
