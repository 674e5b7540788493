//! CARS-5: who gets what.

use super::{BUNDLE, stood};
use crate::clauses::world::{changed, compile, refused, rules, world};
use vernport_policy::RecipientRole;

#[test]
fn cars_5_1_a_customer_gets_what_the_service_to_it_needs() {
    world(BUNDLE, "CARS-5.1");
}

#[test]
fn cars_5_2_every_batch_names_the_instruction_that_it_is_handled_by() {
    let rules = rules(BUNDLE);
    let [cars, _] = stood();
    let to_processor = |batch: &&crate::clauses::visit::Batch| batch.recipient.as_str() == "platform-metrics";
    assert!(cars.batches.iter().any(|batch| to_processor(&batch)), "the processor got something");
    for batch in &cars.batches {
        assert_eq!(batch.body.head.context.bundle_hash, rules.hash());
        let flow = rules.find(&batch.envelope.header().flow).expect("a flow of the bundle");
        assert_eq!(flow.recipient, batch.recipient);
        assert_eq!(batch.body.head.context.purpose, flow.purpose_iri);
    }
    let processors = rules.recipients().iter().filter(|recipient| recipient.role == RecipientRole::Processor);
    assert_eq!(processors.map(|recipient| recipient.slug.as_str()).collect::<Vec<_>>(), ["platform-metrics"]);
}

#[test]
fn cars_5_3_nobody_gets_anything_outside_of_their_agreement() {
    world(BUNDLE, "CARS-5.3");
    for agreement in ["service", "processing"] {
        let line = format!(
            "agreement = {{ id = \"{agreement}-agreement-example\", from = 2018-07-20, until = 2031-01-01, assumed = true }}\n"
        );
        let said = refused(BUNDLE, &line, "");
        assert!(said.contains("no agreement"), "{said}");
    }
}

#[test]
fn cars_5_4_a_group_company_gets_internal_administration_and_nothing_of_a_vehicle() {
    assert!(rules(BUNDLE).recipients().iter().all(|recipient| recipient.role != RecipientRole::Group));
    // A company of the group in place of the customer: not for service, and not with vehicle data.
    let group = changed(BUNDLE, "role = \"customer\"", "role = \"group\"");
    let said = compile(&group).expect_err("more than internal administration");
    assert!(said.contains("more than internal administration"), "{said}");
    let necessity = "necessity = \"The work that was ordered needs";
    let internal = group.replacen(necessity, &format!("internal_administration = true\n{necessity}"), 1);
    let said = compile(&internal).expect_err("data of a vehicle");
    assert!(said.contains("gives a group company"), "{said}");
}

#[test]
fn cars_5_5_an_authority_gets_data_on_a_court_s_order_only() {
    world(BUNDLE, "CARS-5.5");
    let said = refused(BUNDLE, "window = \"disclosure\"\ngrounds = [\"court-order\"]", "window = \"order\"");
    assert!(said.contains("authority"), "{said}");
}

#[test]
fn cars_5_6_outside_of_the_eea_needs_a_transfer_tool() {
    world(BUNDLE, "CARS-5.6");
    let rules = rules(BUNDLE);
    let outside: Vec<_> = rules
        .recipients()
        .iter()
        .filter(|recipient| recipient.region != "NO")
        .map(|recipient| (recipient.slug.as_str(), recipient.region.as_str(), recipient.transfer.is_some()))
        .collect();
    assert_eq!(outside, [("platform-metrics", "US", true)]);
    for region in ["GB", "CH", "US", "CN", "IN", "RU", "TR", "UA"] {
        let to = format!("role = \"customer\"\nregion = \"{region}\"");
        let said = refused(BUNDLE, "role = \"customer\"\nregion = \"NO\"", &to);
        assert!(said.contains("outside of the regions"), "{region}: {said}");
    }
    let [cars, _] = stood();
    assert!(cars.batches.iter().any(|batch| batch.recipient.as_str() == "platform-metrics"));
}

#[test]
fn cars_5_7_a_transfer_tool_that_lapsed_stops_the_flow() {
    world(BUNDLE, "CARS-5.7");
}
