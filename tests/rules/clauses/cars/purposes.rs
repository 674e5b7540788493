//! CARS-4: what for, and on which basis.

use super::BUNDLE;
use crate::clauses::world::{refused, rules, world};
use vernport_policy::MessageClass;
use vernport_types::Category;

#[test]
fn cars_4_3_for_the_work_that_was_ordered_from_hand_in_to_hand_back() {
    world(BUNDLE, "CARS-4.3");
}

#[test]
fn cars_4_4_an_invoice_bears_whole_kilometres_and_no_component_or_place() {
    world(BUNDLE, "CARS-4.4");
    let rules = rules(BUNDLE);
    let of_invoices: Vec<_> =
        rules.flows().iter().filter(|flow| flow.purpose.as_str() == "orders-and-invoices").collect();
    assert_eq!(of_invoices.len(), 1);
    assert_eq!(of_invoices[0].categories, [Category::Odometer]);
    let said = refused(
        BUNDLE,
        "[flow.signals]\n\"Vehicle.TraveledDistance\" = \"round-1000\"\n\n",
        "[flow.signals]\n\"Vehicle.Diagnostics.DTCList\" = \"presence\"\n\n",
    );
    assert!(said.contains("`component-status`") && said.contains("`orders-and-invoices`"), "{said}");
}

#[test]
fn cars_4_5_the_relation_is_kept_by_messages_that_no_objection_stops() {
    world(BUNDLE, "CARS-4.5");
}

#[test]
fn cars_4_6_who_is_concerned_by_a_threat_is_warned_and_no_vehicle_is_read_for_it() {
    world(BUNDLE, "CARS-4.6");
    assert!(rules(BUNDLE).flows().iter().all(|flow| flow.purpose.as_str() != "security"));
}

#[test]
fn cars_4_7_the_platform_is_improved_by_whether_a_reading_came() {
    world(BUNDLE, "CARS-4.7");
}

#[test]
fn cars_4_8_marketing_uses_no_data_of_a_vehicle() {
    let rules = rules(BUNDLE);
    let vehicle =
        [Category::Odometer, Category::ComponentStatus, Category::Location, Category::ServiceHistory];
    for purpose in rules.purposes().iter().filter(|purpose| purpose.marketing) {
        assert!(rules.flows().iter().all(|flow| flow.purpose != purpose.slug), "{}", purpose.slug);
        let may = purpose.categories.as_ref().expect("a closed list");
        assert!(!may.iter().any(|category| vehicle.contains(category)), "{}", purpose.slug);
    }
    let marketing = ["marketing", "tailored-marketing", "marketing-by-consent"];
    let marked =
        rules.purposes().iter().filter(|purpose| purpose.marketing).map(|purpose| purpose.slug.as_str());
    assert_eq!(marked.collect::<Vec<_>>(), marketing);
    for purpose in marketing {
        let from = "purpose = \"improve-services\"\nrecipient = \"cars-product\"";
        let said = refused(BUNDLE, from, &format!("purpose = \"{purpose}\"\nrecipient = \"cars-product\""));
        assert!(said.contains("none of the categories") || said.contains("marketing"), "{said}");
    }
}

#[test]
fn cars_4_9_services_are_improved_by_ranges_and_by_whether_there_were_faults() {
    world(BUNDLE, "CARS-4.9");
}

#[test]
fn cars_4_10_each_purpose_has_one_basis_and_a_statute_is_named() {
    world(BUNDLE, "CARS-4.10");
    let rules = rules(BUNDLE);
    // The statute of the books needs no data of a vehicle.
    assert!(rules.flows().iter().all(|flow| flow.purpose.as_str() != "bookkeeping"));
    let statute = "statute = \"bokføringsloven (LOV-2004-11-19-73) §§ 10, 13\"\n";
    let said = refused(BUNDLE, statute, "");
    assert!(said.contains("without its statute"), "{said}");
}

#[test]
fn cars_4_11_tailored_offers_rest_on_an_interest_that_was_weighed() {
    world(BUNDLE, "CARS-4.11");
    let from = "balancing = \"to be written by the controller\"\nnecessity = \"Offers fit";
    let said = refused(BUNDLE, from, "necessity = \"Offers fit");
    assert!(said.contains("without a balancing test"), "{said}");
}

#[test]
fn cars_4_12_an_existing_customer_hears_of_similar_goods_until_they_object() {
    world(BUNDLE, "CARS-4.12");
    let rules = rules(BUNDLE);
    let marketing = rules.messages().iter().filter(|message| message.class == MessageClass::Marketing);
    assert!(marketing.clone().count() == 3 && marketing.clone().all(|message| message.opt_out));
    let said = refused(
        BUNDLE,
        "similar_goods = true\nopt_out = true\nclauses = [\"CARS-4.12\"",
        "similar_goods = true\nclauses = [\"CARS-4.12\"",
    );
    assert!(said.contains("without a way out"), "{said}");
}

#[test]
fn cars_4_13_without_a_relation_it_takes_consent_for_as_long_as_the_form_says() {
    world(BUNDLE, "CARS-4.13");
    for (language, two_years) in [("nb", "to år"), ("da", "to år"), ("en", "two years")] {
        for form in rules(BUNDLE).forms() {
            assert_eq!(form.valid.to_string(), "P2Y", "{}", form.slug);
            assert!(form.texts[language].contains(two_years), "{} in {language}", form.slug);
        }
    }
}

#[test]
fn cars_4_14_a_withdrawn_consent_stops_the_reminder_at_once_and_nothing_else() {
    world(BUNDLE, "CARS-4.14");
}

#[test]
fn cars_4_15_profiling_and_marketing_are_two_objections() {
    world(BUNDLE, "CARS-4.15");
}

#[test]
fn cars_4_16_an_objection_stops_the_improvement_of_services_and_no_work() {
    world(BUNDLE, "CARS-4.16");
}
