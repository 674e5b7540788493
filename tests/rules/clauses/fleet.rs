//! The clauses of the example fleet operator, of its invented notice.

use crate::clauses::world::{changed_text, compile, refused, rules, text, uses, world};
use vernport_policy::{Payload, Proof, RecipientRole, Right};
use vernport_types::Category;

const BUNDLE: &str = "example-fleet";

#[test]
fn fleet_1_2_nothing_is_read_before_the_notice_was_given() {
    world(BUNDLE, "FLEET-1.2");
}

#[test]
fn fleet_2_1_the_odometer_is_read_in_tens_of_metres_beside_cells_of_kilometres() {
    world(BUNDLE, "FLEET-2.2");
    assert_eq!(uses(BUNDLE, Category::Odometer), ["flow.maintenance"]);
    let finer = refused(
        BUNDLE,
        "\"Vehicle.TraveledDistance\" = \"round-10000\"",
        "\"Vehicle.TraveledDistance\" = \"round-5000\"",
    );
    assert!(finer.contains("a place with an exact odometer"), "{finer}");
}

#[test]
fn fleet_2_2_components_without_the_hours_that_somebody_worked() {
    world(BUNDLE, "FLEET-2.2");
}

#[test]
fn fleet_2_3_an_area_of_kilometres_once_in_five_minutes() {
    world(BUNDLE, "FLEET-2.3");
    assert_eq!(uses(BUNDLE, Category::Location), ["flow.route-planning"]);
}

#[test]
fn fleet_2_4_driving_is_read_in_ranges_and_for_coaching_only() {
    world(BUNDLE, "FLEET-3.3");
    assert_eq!(uses(BUNDLE, Category::DrivingBehaviour), ["flow.eco-coaching", "form.eco-coaching-1"]);
}

#[test]
fn fleet_2_5_the_vehicle_s_number_recognises_it_and_goes_nowhere() {
    world(BUNDLE, "FLEET-2.5");
    assert_eq!(rules(BUNDLE).identify().len(), 1);
    assert_eq!(uses(BUNDLE, Category::Identifier), [""; 0]);
}

#[test]
fn fleet_2_6_nothing_else_and_nothing_that_was_typed_in() {
    world(BUNDLE, "FLEET-2.6");
}

#[test]
fn fleet_3_1_maintenance_while_the_vehicle_is_in_the_workshop() {
    world(BUNDLE, "FLEET-3.1");
}

#[test]
fn fleet_3_2_route_planning_is_an_interest_that_people_can_object_to() {
    world(BUNDLE, "FLEET-3.2");
}

#[test]
fn fleet_3_3_coaching_takes_the_consent_of_every_driver() {
    world(BUNDLE, "FLEET-3.3");
    let rules = rules(BUNDLE);
    let form = &rules.forms()[0];
    assert_eq!(form.valid.to_string(), "P1Y");
    for (language, one_year) in [("nb", "ett år"), ("da", "et år"), ("en", "a year")] {
        assert!(form.texts[language].contains(one_year), "{language}");
    }
}

#[test]
fn fleet_3_4_for_nothing_else() {
    let rules = rules(BUNDLE);
    let purposes: Vec<_> = rules.purposes().iter().map(|purpose| purpose.slug.as_str()).collect();
    assert_eq!(purposes, ["maintenance", "route-planning", "eco-coaching"]);
    assert!(rules.messages().is_empty(), "nor is anybody written to");
    world(BUNDLE, "FLEET-3.4");
}

#[test]
fn fleet_4_1_dispatch_and_workshop_get_maintenance_openly_and_areas_sealed() {
    let rules = rules(BUNDLE);
    let own: Vec<_> = rules
        .flows()
        .iter()
        .filter(|flow| flow.recipient.as_str() == "nordic-haulage")
        .map(|flow| (flow.slug.as_str(), flow.deliver.topic.as_ref().map(|topic| topic.payload)))
        .collect();
    assert_eq!(own, [("maintenance", Some(Payload::Plain)), ("route-planning", Some(Payload::Sealed))]);
}

#[test]
fn fleet_4_2_the_coach_gets_the_coaching_and_works_on_instruction() {
    world(BUNDLE, "FLEET-4.2");
    let rules = rules(BUNDLE);
    let coach = rules.recipients().iter().find(|recipient| recipient.slug.as_str() == "eco-coach");
    assert_eq!(coach.map(|coach| coach.role), Some(RecipientRole::Processor));
    let flows = rules.flows().iter().filter(|flow| flow.recipient.as_str() == "eco-coach");
    assert_eq!(flows.map(|flow| flow.slug.as_str()).collect::<Vec<_>>(), ["eco-coaching"]);
}

#[test]
fn fleet_4_3_nobody_outside_of_the_eea_gets_anything_whatever_the_tool() {
    world(BUNDLE, "FLEET-4.3");
    let tool = "transfer = { tool = \"standard-clauses\", reference = \"example\", until = 2030-01-01 }";
    for region in ["GB", "CH", "US", "CN", "IN"] {
        let outside =
            changed_text(&text(BUNDLE), "region = \"DK\"", &format!("region = \"{region}\"\n{tool}"));
        let said = compile(&outside).expect_err(region);
        assert!(said.contains("outside of the regions"), "{region}: {said}");
    }
}

#[test]
fn fleet_5_1_maintenance_until_three_months_after_the_vehicle_is_scrapped() {
    world(BUNDLE, "FLEET-5.1");
}

#[test]
fn fleet_5_2_areas_for_seven_days() {
    world(BUNDLE, "FLEET-5.2");
    assert!(rules(BUNDLE).holds().is_empty(), "and no hold makes it longer");
}

#[test]
fn fleet_5_3_coaching_until_seven_days_after_the_consent() {
    world(BUNDLE, "FLEET-5.3");
}

#[test]
fn fleet_6_1_a_withdrawal_ends_the_coaching_at_once() {
    world(BUNDLE, "FLEET-6.1");
}

#[test]
fn fleet_6_2_private_trips_are_not_read() {
    world(BUNDLE, "FLEET-6.2");
    let said = refused(BUNDLE, "window = \"link\"\nprivate_mode = true", "window = \"link\"");
    assert!(said.contains("also in private"), "{said}");
}

#[test]
fn fleet_6_3_restriction_erasure_and_objection_are_heard_and_every_right_has_a_month() {
    world(BUNDLE, "FLEET-6.3");
    world(BUNDLE, "FLEET-3.2");
    let rules = rules(BUNDLE);
    for right in [Right::Access, Right::Rectification, Right::Erasure, Right::Restriction, Right::Objection] {
        let rule = rules.rights().iter().find(|rule| rule.right == right);
        let said = rule.map(|rule| (rule.deadline.to_string(), rule.identity));
        assert_eq!(said, Some(("P1M".to_owned(), Proof::Known)), "{right}");
    }
}
