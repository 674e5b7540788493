//! CARS-8.7, CARS-9, CARS-10 and CARS-12: what people may say, and what they were told.

use super::{BUNDLE, stood};
use crate::clauses::world::{catalogue, open_signals, refused, rules, text, world};
use vernport_policy::{Bundle, BundleFile, Minimiser, Rules};
use vernport_types::{Slug, Source};

/// A car at the station, before an order, in one, and after it.
const ORDERED: &str = r#"
format = 1
[[asset]]
name = "car"
since = 2026-01-01T00:00:00Z
[[event]]
time = 2026-01-01T00:00:00Z
kind = "notice-served"
notice = "cars-1"
[[event]]
time = 2026-01-01T00:00:00Z
kind = "gateway-enrolled"
gateway = "box-1"
station = "main/bay-1"
pinned = "car"
[[event]]
time = 2026-05-01T08:00:00Z
kind = "order-opened"
order = "1"
assets = ["car"]
station = "main/bay-1"
[[event]]
time = 2026-05-01T15:00:00Z
kind = "order-closed"
order = "1"
"#;

#[test]
fn cars_9_2_an_objection_to_marketing_is_absolute() {
    world(BUNDLE, "CARS-9.2");
}

#[test]
fn cars_9_3_messages_that_run_an_order_or_an_account_go_on() {
    world(BUNDLE, "CARS-9.3");
    let said = refused(
        BUNDLE,
        "id = \"account-notice\"\nclass = \"administrative\"\npurpose = \"customer-relation\"",
        "id = \"account-notice\"\nclass = \"administrative\"\npurpose = \"marketing\"",
    );
    assert!(said.contains("its purpose is marketing"), "{said}");
}

#[test]
fn cars_10_1_a_record_names_its_source_and_who_collected_it() {
    let [cars, _] = stood();
    for batch in &cars.batches {
        let context = &batch.body.head.context;
        assert!(context.collector.contains("bay-1"), "{}", context.collector);
        assert!(context.order.is_some(), "under which order");
        assert!(batch.body.records.iter().all(|record| record.source != Source::Manual));
    }
}

#[test]
fn cars_10_11_nothing_is_asked_of_a_vehicle_before_there_is_a_basis() {
    let rules = rules(BUNDLE);
    let open = |time| open_signals(&rules, ORDERED, "car", time);
    assert_eq!(open("2026-05-01T07:59:59Z"), [""; 0]);
    let needed = [
        "Vehicle.Diagnostics.DTCList",
        "Vehicle.LowVoltageBattery.CurrentVoltage",
        "Vehicle.Service.DistanceToService",
        "Vehicle.TraveledDistance",
    ];
    assert_eq!(open("2026-05-01T08:00:00Z"), needed, "what the work needs and nothing else");
    assert_eq!(open("2026-05-01T15:00:00Z"), [""; 0]);
    assert_eq!(rules.identify(), [], "nor is the vehicle asked who it is");
}

#[test]
fn cars_12_1_every_record_names_the_notice_and_nothing_is_read_before_it() {
    world(BUNDLE, "CARS-12.1");
    let [cars, _] = stood();
    assert!(cars.batches.iter().all(|batch| batch.body.head.context.notice == "cars-1"));
}

/// Terms of one service of Cars, on top of its bundle.
fn overlay(rules: &str) -> Result<Rules, String> {
    let base = text(BUNDLE);
    let start = base.find("[controller]").expect("a controller");
    let end = start + base[start..].find("\n\n").expect("the end of the table");
    let hash = hex::encode(vernport_crypto::sha256(base.as_bytes()));
    let terms = format!(
        "format = 1\nname = \"fleet-care\"\nextends = {{ bundle = \"{BUNDLE}\", hash = \"{hash}\" }}\n{}\n\n{rules}",
        &base[start..end]
    );
    let mut read = |name: &Slug| Ok(BundleFile { file: format!("{name}.toml"), text: base.clone() });
    let bundle = Bundle::load("fleet-care.toml", &terms, &mut read).map_err(|error| error.to_string())?;
    Rules::compile(&bundle, &catalogue()).map_err(|error| error.to_string())
}

/// What the service reports to its customer: the distance in these steps.
fn report(minimiser: &str) -> String {
    format!(
        "[[flow]]\nid = \"customer-report\"\npurpose = \"service-delivery\"\nrecipient = \"nordic-haulage\"\n\
         retention = \"after-last-contact\"\ndeliver = {{ store = true, topic = \"plain\" }}\n\
         weakest = \"asserted\"\nwindow = \"order\"\nclauses = [\"CARS-8.7\"]\nassumed = true\n\
         [flow.signals]\n\"Vehicle.TraveledDistance\" = \"{minimiser}\"\n"
    )
}

#[test]
fn cars_8_7_the_terms_of_a_service_may_tighten_the_rules_and_never_widen_them() {
    let base = rules(BUNDLE);
    let rules = overlay(&report("round-10000")).expect("coarser terms");
    let flow = rules.find(&"customer-report".parse().expect("a slug")).expect("the flow");
    assert_eq!(flow.signals.len(), 1, "no trouble codes, no distance to the next service");
    assert_eq!(flow.signals[0].1, Minimiser::Round(10_000));
    assert_eq!(rules.flows().len(), base.flows().len(), "the others stand as they do for everybody");
    for wider in ["round-500", "exact"] {
        let said = overlay(&report(wider)).expect_err("finer than what everybody was told");
        assert!(said.contains("permits what its base does not"), "{said}");
    }
}
