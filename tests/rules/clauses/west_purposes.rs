//! Westrum, sections 3 and 4: what the data is for (WEST-3.*, WEST-4.1).

use super::{
    terms::says,
    world::{catalogue, refused, rules, world},
};
use vernport_policy::{Minimiser, RetentionGround};
use vernport_types::LegalBasis;

#[test]
fn west_3_1_the_workshop_reads_what_the_work_needs() {
    says("westrum", "WEST-3.1");
    world("westrum", "WEST-3.1");
    let rules = rules("westrum");
    let workshop = rules.find(&"workshop".parse().expect("a slug")).expect("a flow");
    assert_eq!(workshop.basis, LegalBasis::Contract);
}

#[test]
fn west_3_2_own_rights_and_duties_of_law_keep_what_they_need_and_no_longer() {
    world("westrum", "WEST-3.2");
    let grounds: Vec<_> =
        rules("westrum").holds().iter().map(|h| (format!("{:?}", h.ground), h.at_most.to_string())).collect();
    assert_eq!(grounds, [("Statute".into(), "P6Y".into()), ("Dispute".into(), "P3Y".into())]);
}

#[test]
fn west_3_3_an_agreement_gets_its_own_fields_and_other_signals_have_no_purpose() {
    says("westrum", "WEST-3.3");
    world("westrum", "WEST-3.3");
}

#[test]
fn west_3_4_an_account_keeps_the_history_until_it_is_closed() {
    world("westrum", "WEST-3.4");
}

#[test]
fn west_3_5_the_history_serves_the_vehicle_and_no_other_use() {
    says("westrum", "WEST-3.5");
    world("westrum", "WEST-3.5");
    let rules = rules("westrum");
    let history: Vec<_> = rules.flows().iter().filter(|f| f.purpose.as_str() == "account-history").collect();
    assert_eq!(history.len(), 1, "one use");
    assert!(history[0].deliver.store && history[0].deliver.topic.is_none(), "and it goes to nobody else");
}

#[test]
fn west_3_6_warranty_keeps_distance_and_hours_for_its_time() {
    says("westrum", "WEST-3.6");
    world("westrum", "WEST-3.6");
}

#[test]
fn west_4_1_a_statute_gets_what_it_asks_for() {
    says("westrum", "WEST-4.1");
    world("westrum", "WEST-4.1");
    let rules = rules("westrum");
    let statutory: Vec<_> =
        rules.flows().iter().filter(|flow| flow.basis == LegalBasis::LegalObligation).collect();
    assert_eq!(statutory.len(), 1);
    let distance = catalogue().find("Vehicle.TraveledDistance").expect("listed");
    assert_eq!(statutory[0].signals, [(distance, Minimiser::Round(1000))]);
    assert_eq!(statutory[0].retention.ground, RetentionGround::Law);
    let said = refused("westrum", "statute = \"bokføringsloven § 13 (NO)\"\n", "");
    assert!(said.contains("without its statute"), "{said}");
}
