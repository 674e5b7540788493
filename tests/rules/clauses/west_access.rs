//! Westrum, sections 5 and 6: who gets it, on whose machines, and where (WEST-5.*, WEST-6.*).

use super::{
    sealed::seal_odometer,
    terms::says,
    world::{changed, compile, refused, rules, text, world},
};
use vernport_crypto::OpeningKey;
use vernport_policy::RecipientRole;

#[test]
fn west_5_1_two_firms_and_the_named_customer_and_nobody_else() {
    world("westrum", "WEST-5.1");
    let rules = rules("westrum");
    let named: Vec<_> = rules.recipients().iter().map(|r| (r.slug.as_str(), r.role)).collect();
    let expected = [
        ("westrum-workshop", RecipientRole::Controller),
        ("westrum-as", RecipientRole::JointController),
        ("nordic-haulage", RecipientRole::Customer),
    ];
    assert_eq!(named, expected);
    let said = refused("westrum", "recipient = \"westrum-as\"\nretention", "recipient = \"make\"\nretention");
    assert!(said.contains("no recipient `make`"), "{said}");
}

#[test]
fn west_5_2_on_the_rented_server_lies_ciphertext() {
    world("westrum", "WEST-5.2");
    let batch = seal_odometer(&text("westrum"), "workshop");
    assert!(!batch.shows_the_distance());
    let body = batch.envelope.open(&batch.recipient).expect("the recipient reads it");
    assert_eq!(body.records.len(), 1);
    batch.envelope.open(&batch.recovery).expect("and the controller, with the key that it keeps offline");
}

#[test]
fn west_5_3_the_processor_has_no_key_and_no_purpose() {
    let batch = seal_odometer(&text("westrum"), "workshop");
    let mut keys: Vec<_> = batch.envelope.recipients().collect();
    keys.sort_unstable();
    let mut expected = [batch.recipient.wrapping_key().key_id(), batch.recovery.wrapping_key().key_id()];
    expected.sort_unstable();
    assert_eq!(keys, expected, "sealed to the recipient and to the controller alone");
    assert!(batch.envelope.open(&OpeningKey::generate()).is_err());
    let rules = rules("westrum");
    assert!(rules.hosting().is_some_and(|hosting| hosting.processor.is_some()), "somebody else runs it");
    assert!(rules.recipients().iter().all(|recipient| recipient.role != RecipientRole::Processor));
}

#[test]
fn west_5_4_without_an_agreement_with_the_supplier_nothing_is_read() {
    world("westrum", "WEST-5.4");
}

#[test]
fn west_6_1_store_broker_and_backups_stand_in_norway() {
    says("westrum", "WEST-6.1");
    let rules = rules("westrum");
    let hosting = rules.hosting().expect("said where");
    assert!(hosting.allows("NO"));
    for abroad in ["SE", "DK", "DE", "US", "EEA"] {
        assert!(!hosting.allows(abroad), "{abroad}");
    }
}

#[test]
fn west_6_2_a_partner_outside_of_norway_has_to_be_named_and_be_in_the_eea() {
    says("westrum", "WEST-6.2");
    let customer = "role = \"customer\"\nregion = \"NO\"";
    for abroad in ["SE", "DE", "US"] {
        let said = refused("westrum", customer, &format!("role = \"customer\"\nregion = \"{abroad}\""));
        assert!(said.contains("outside of the regions"), "{abroad}: {said}");
    }
    // With a partner in the EEA its country is added; the rest of the world stays shut, with a tool too.
    let wider = changed("westrum", "regions = [\"NO\"]\nelsewhere", "regions = [\"EEA\"]\nelsewhere");
    let with = |region: &str| wider.replace(customer, &format!("role = \"customer\"\nregion = \"{region}\""));
    compile(&with("SE")).expect("in the EEA");
    let tool = "transfer = { tool = \"adequacy\", reference = \"dpf\", until = 2027-07-01 }";
    let with_tool = with("US").replace("region = \"US\"", &format!("region = \"US\"\n{tool}"));
    for text in [with("US"), with_tool] {
        let said = compile(&text).expect_err("outside of the EEA");
        assert!(said.contains("outside of the regions"), "{said}");
    }
}
