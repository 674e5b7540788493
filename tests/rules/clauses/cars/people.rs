//! CARS-8.7, CARS-9, CARS-10 and CARS-12: what people may say, and what they were told.

use super::{BUNDLE, stood};
use crate::clauses::world::{open_signals, refused, rules, world};
use vernport_types::Source;

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
