//! The shipped bundles: they compile and name clauses everywhere. The examples let through
//! what their notices allow and nothing else.

mod world;

use vernport_policy::{Minimiser, Payload, Rules};
use vernport_types::{LegalBasis, SignalId};
use world::{BUNDLES, catalogue, compile, example, id, shipped};

fn signal(path: &str) -> SignalId {
    catalogue().find(path).expect(path)
}

/// What becomes of a signal under a bundle: its minimiser by flow, or the refusal and its clause.
fn outcome(rules: &Rules, path: &str) -> Vec<String> {
    let signal = signal(path);
    let named: Vec<_> = rules
        .flows()
        .iter()
        .filter_map(|flow| Some(format!("{} {}", flow.slug, flow.minimiser(signal)?)))
        .collect();
    if !named.is_empty() {
        return named;
    }
    let reason = rules.unnamed_reason(signal).expect("a signal of the catalogue");
    let clause = rules.clause_for(signal, reason).expect("a clause");
    vec![format!("{reason} {clause}")]
}

#[test]
fn every_rule_of_a_shipped_bundle_that_withholds_has_a_clause() {
    for (name, text) in BUNDLES {
        let rules = compile(text);
        assert_eq!(rules.name(), &id(name));
        for (id, signal) in catalogue().iter() {
            if let Some(reason) = rules.unnamed_reason(id) {
                assert!(rules.clause_for(id, reason).is_some(), "{name}: {} {reason}", signal.path);
            }
        }
    }
}

#[test]
fn westrum_reads_what_the_workshop_needs_and_no_location() {
    let rules = compile(example("westrum"));
    assert_eq!(
        outcome(&rules, "Vehicle.TraveledDistance"),
        [
            "workshop exact",
            "warranty exact",
            "maintenance-reminder round-1000000",
            "customer-report round-1000"
        ]
    );
    assert_eq!(
        outcome(&rules, "Vehicle.Extension.PowerTakeOffs.IsEngagedAtLeastOne"),
        ["workshop exact", "customer-report drop"]
    );
    assert_eq!(outcome(&rules, "Vehicle.CurrentLocation"), ["category-not-in-notice WEST-2.6"]);
    assert_eq!(outcome(&rules, "Vehicle.Speed"), ["category-not-in-notice WEST-2.6"]);
    assert_eq!(outcome(&rules, "Vehicle.VehicleIdentification.VIN"), ["dropped-by-rule WEST-2.4"]);
    assert_eq!(rules.identify(), [signal("Vehicle.VehicleIdentification.VIN")]);
}

#[test]
fn cars_lists_location_and_has_no_purpose_for_it() {
    let rules = compile(example("cars-software"));
    assert_eq!(outcome(&rules, "Vehicle.CurrentLocation"), ["no-purpose F-11"]);
    assert_eq!(
        outcome(&rules, "Vehicle.TraveledDistance"),
        [
            "service-delivery exact",
            "improve-services bucket-10000000",
            "customer-report round-1000",
            "service-reminder round-1000000"
        ]
    );
    assert_eq!(outcome(&rules, "Vehicle.VehicleIdentification.VIN"), ["category-not-in-notice CARS-2.11"]);
    assert_eq!(outcome(&rules, "Vehicle.Powertrain.FuelSystem.RelativeLevel"), ["no-purpose CARS-4.1"]);
    assert_eq!(rules.find(&id("improve-services")).expect("P8").basis, LegalBasis::LegitimateInterest);
}

#[test]
fn car_special_lets_nothing_of_a_vehicle_through() {
    let rules = compile(shipped("car-special"));
    assert!(rules.flows().is_empty() && rules.identify().is_empty());
    for (_, signal) in catalogue().iter() {
        assert_eq!(outcome(&rules, &signal.path), ["category-not-in-notice CSPE-3.1.4"]);
    }
}

#[test]
fn the_fleet_gets_cells_coarse_distances_and_sealed_coaching() {
    let rules = compile(example("example-fleet"));
    assert_eq!(outcome(&rules, "Vehicle.CurrentLocation"), ["route-planning cell-6"]);
    assert_eq!(outcome(&rules, "Vehicle.TraveledDistance"), ["maintenance round-10000"]);
    let payload = |flow: &str| {
        let flow = rules.find(&id(flow)).expect("a flow");
        flow.deliver.topic.as_ref().expect("a topic").payload
    };
    assert_eq!(payload("maintenance"), Payload::Plain);
    assert_eq!(payload("eco-coaching"), Payload::Sealed);
    assert!(rules.find(&id("route-planning")).expect("a flow").private_mode);
}

#[test]
fn each_bundle_with_flows_shows_a_topic_exact_coarsened_and_dropped_values() {
    for name in ["westrum", "cars-software", "example-fleet"] {
        let rules = compile(example(name));
        let plain = rules.flows().iter().filter(|flow| {
            flow.deliver.store && flow.deliver.topic.as_ref().is_some_and(|t| t.payload == Payload::Plain)
        });
        let minimisers: Vec<_> = plain.flat_map(|flow| flow.signals.iter().map(|(_, m)| *m)).collect();
        assert!(minimisers.contains(&Minimiser::Exact), "{name}");
        assert!(minimisers.contains(&Minimiser::Drop), "{name}");
        assert!(minimisers.iter().any(|m| matches!(m, Minimiser::Round(_) | Minimiser::Bucket(_))), "{name}");
    }
}

#[test]
fn no_shipped_flow_rests_on_marketing() {
    for (name, text) in BUNDLES {
        assert!(compile(text).flows().iter().all(|flow| !flow.marketing), "{name}");
    }
}

#[test]
fn a_due_time_is_counted_by_the_calendar_of_the_controller() {
    let rules = compile(example("example-fleet"));
    let read = world::NOON;
    let due = |flow: &str| rules.find(&id(flow)).expect("a flow").retention.latest_due(read);
    assert_eq!(due("route-planning"), read.plus_seconds(7 * world::DAY));
    // Six months from 20 November 13:00 in Oslo: 20 May 13:00, an hour earlier in UTC.
    assert_eq!(due("eco-coaching"), read.plus_seconds(181 * world::DAY - world::HOUR));
}
