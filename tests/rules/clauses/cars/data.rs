//! CARS-1.3, CARS-2 and CARS-3: which data, of whom, and what each may be used for.

use super::{BUNDLE, stood};
use crate::clauses::{
    visit::ODOMETER_M,
    world::{refused, rules, uses, world},
};
use vernport_policy::{Purpose, SourceClass};
use vernport_types::{Category, Source, Value};

#[test]
fn cars_1_3_every_record_says_where_it_came_from_and_none_says_who() {
    let [cars, _] = stood();
    let records: Vec<_> = cars.batches.iter().flat_map(|batch| &batch.body.records).collect();
    assert!(records.iter().any(|record| record.value == Value::Integer(ODOMETER_M)), "the odometer, as read");
    assert!(
        records.iter().all(|record| matches!(record.source, Source::J1939 { .. })),
        "observed on the bus"
    );
    let classes = [Source::Tool, Source::Manual].map(|source| SourceClass::of(&source));
    assert_eq!(classes, [SourceClass::Tool, SourceClass::Manual], "given by a tool, given by a person");
    // What identifies by itself is one category, and no rule of Cars may use it.
    assert_eq!(uses(BUNDLE, Category::Identifier), [""; 0]);
}

#[test]
fn cars_2_1_contact_data_serves_messages_and_nothing_else() {
    world(BUNDLE, "CARS-2.1");
}

#[test]
fn cars_2_2_work_data_is_listed_and_no_flow_form_or_message_uses_it() {
    world(BUNDLE, "CARS-2.2");
    let to = "categories = [\"contact\", \"employment\"]\nclauses = [\"CARS-9.3\", \"CARS-4.6\"]";
    let said = refused(BUNDLE, "categories = [\"contact\"]\nclauses = [\"CARS-9.3\", \"CARS-4.6\"]", to);
    assert!(said.contains("`employment`") && said.contains("`security`"), "{said}");
}

#[test]
fn cars_2_3_a_credential_goes_into_no_flow_form_or_message() {
    world(BUNDLE, "CARS-2.3");
    for place in [
        "categories = [\"contact\"]\nclauses = [\"CARS-9.3\", \"CARS-4.5\"]",
        "categories = [\"contact\", \"preference\"]\nvalid",
    ] {
        let to = place.replacen("[\"contact\"", "[\"contact\", \"credential\"", 1);
        let said = refused(BUNDLE, place, &to);
        assert!(said.contains("`credential` is used"), "{said}");
    }
}

#[test]
fn cars_2_4_preferences_are_for_marketing_only() {
    world(BUNDLE, "CARS-2.4");
    let rules = rules(BUNDLE);
    let fits = |purpose: &&Purpose| {
        purpose.categories.as_ref().is_none_or(|may| may.contains(&Category::Preference))
    };
    assert!(rules.purposes().iter().filter(fits).all(|purpose| purpose.marketing));
}

#[test]
fn cars_2_5_orders_serve_their_confirmation_and_news_of_similar_goods() {
    world(BUNDLE, "CARS-2.5");
}

#[test]
fn cars_2_6_invoices_and_service_history_have_times_of_their_own() {
    world(BUNDLE, "CARS-2.6");
}

#[test]
fn cars_2_7_distance_and_components_are_read_where_the_work_needs_them() {
    world(BUNDLE, "CARS-2.7");
}

#[test]
fn cars_2_8_technical_data_of_people_s_devices_is_used_by_no_rule() {
    world(BUNDLE, "CARS-2.8");
    let [cars, _] = stood();
    for batch in &cars.batches {
        let place = &batch.body.head.context.collector;
        assert!(place.parse::<std::net::SocketAddr>().is_err() && !place.contains("127.0.0.1"), "{place}");
    }
}

#[test]
fn cars_2_9_usage_may_serve_security_and_the_platform_and_is_used_by_no_rule() {
    world(BUNDLE, "CARS-2.9");
}

#[test]
fn cars_2_10_location_waits_for_a_purpose() {
    world(BUNDLE, "CARS-2.10");
}

#[test]
fn cars_2_11_what_the_notice_does_not_list_does_not_pass() {
    world(BUNDLE, "CARS-2.11");
    let said = refused(
        BUNDLE,
        "\"Vehicle.LowVoltageBattery.CurrentVoltage\" = \"exact\"",
        "\"Vehicle.Speed\" = \"bucket-20\"",
    );
    assert!(said.contains("driving-behaviour"), "{said}");
}

#[test]
fn cars_3_1_people_have_roles_and_every_one_of_them_is_asked() {
    world(BUNDLE, "CARS-3.1");
}

#[test]
fn cars_3_2_who_is_no_customer_yet_has_purposes_of_their_own_and_no_vehicle_is_read() {
    world(BUNDLE, "CARS-3.2");
}
