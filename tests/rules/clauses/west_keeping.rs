//! Westrum, sections 7 to 9: how long, and what people can do (WEST-7.*, WEST-8.*, WEST-9.1).

use super::{
    terms::says,
    world::{refused, rules, world},
};
use vernport_policy::{Period, Right};

#[test]
fn west_7_1_what_the_customer_was_told_goes_when_the_customer_goes() {
    world("westrum", "WEST-7.1");
}

#[test]
fn west_7_2_vehicle_data_goes_with_the_vehicle_and_a_sale_cuts_the_link() {
    world("westrum", "WEST-7.2");
}

#[test]
fn west_7_3_no_more_letters_from_the_moment_somebody_says_so() {
    world("westrum", "WEST-7.3");
    let said = refused("westrum", "form = \"newsletter-1\"\nopt_out = true\n", "form = \"newsletter-1\"\n");
    assert!(said.contains("opt"), "{said}");
}

#[test]
fn west_8_1_consent_is_withdrawn_wholly_or_in_part() {
    says("westrum", "WEST-8.1");
    world("westrum", "WEST-8.1");
}

#[test]
fn west_8_2_a_withdrawal_does_not_reach_back() {
    world("westrum", "WEST-8.2");
}

#[test]
fn west_9_1_the_work_does_not_depend_on_what_is_optional() {
    says("westrum", "WEST-9.1");
    world("westrum", "WEST-9.1");
    let rules = rules("westrum");
    let needed =
        |id: &str| rules.purposes().iter().find(|p| p.slug.as_str() == id).expect(id).required_for_contract;
    assert!(needed("service-delivery"));
    assert!(!needed("maintenance-reminder") && !needed("marketing"));
    let said = refused(
        "westrum",
        "necessity = \"Newsletters go to those who asked for them.\"\n",
        "necessity = \"Newsletters go to those who asked for them.\"\nrequired_for_contract = true\n",
    );
    assert!(said.contains("contract"), "{said}");
    // The heading asks about deletion and the text gives none: law's default (F-8).
    let erasure = rules.right(Right::Erasure);
    assert_eq!(erasure.deadline, "P1M".parse::<Period>().expect("a period"));
}

#[test]
fn west_8_3_access_is_answered_within_a_month() {
    says("westrum", "WEST-8.3");
}

#[test]
fn west_8_4_a_correction_is_made_within_a_month() {
    says("westrum", "WEST-8.4");
}
