//! Westrum, sections 1 and 2: who decides, and which data from where (WEST-1.*, WEST-2.*).

use super::{
    entries::{consent, entry, is_event, ledger, with, write},
    terms::says,
    world::{catalogue, refused, rules, world},
};
use serde_json::json;
use vernport_policy::{ControllerRole, RecipientRole, SourceClass};
use vernport_types::Category;

#[test]
fn west_1_1_one_of_two_firms_answers_and_the_other_s_words_open_nothing() {
    says("westrum", "WEST-1.1");
    world("westrum", "WEST-1.1");
    let rules = rules("westrum");
    assert_eq!(rules.controller_info().role, ControllerRole::JointController);
    let other = rules.recipients().iter().filter(|r| r.role == RecipientRole::JointController);
    assert_eq!(other.map(|r| r.slug.as_str()).collect::<Vec<_>>(), ["westrum-as"]);
    // An entry names the one that is responsible, and goes into no other ledger.
    let facts = ledger("westrum");
    let foreign = entry(&ledger("car-special"), "1", &consent());
    assert!(facts.admit(&foreign).is_err());
}

#[test]
fn west_1_4_using_a_site_is_no_consent() {
    assert!(is_event(&consent()));
    for implied in ["implied", "use", "browser", "silence", "cookie"] {
        assert!(!is_event(&with(&consent(), "method", implied)), "{implied}");
    }
}

#[test]
fn west_2_1_data_comes_from_where_the_notice_says() {
    says("westrum", "WEST-2.1");
    world("westrum", "WEST-2.1");
    let rules = rules("westrum");
    let sources = rules.notices()[0].sources;
    for class in [SourceClass::Vehicle, SourceClass::Tool, SourceClass::Manual] {
        assert!(sources.contains(class), "{class:?}");
    }
}

#[test]
fn west_2_2_a_booking_says_where_it_came_from_and_opens_nothing() {
    world("westrum", "WEST-2.2");
    let mut facts = ledger("westrum");
    let link =
        json!({ "kind": "linked", "asset": "01".repeat(16), "subject": "0a".repeat(16), "role": "orderer" });
    assert_eq!(entry(&facts, "booking-1", &link).source.as_str(), "booking");
    write(&mut facts, "booking-1", &link).expect("written");
    assert!(write(&mut facts, "booking-1", &link).expect("the same booking").duplicate);
    let another = with(&link, "subject", "0b".repeat(16));
    let refused = write(&mut facts, "booking-1", &another).expect_err("the reference was used");
    assert!(refused.contains("external_ref"), "{refused}");
}

#[test]
fn west_2_3_an_account_opens_its_history_and_closes_it() {
    world("westrum", "WEST-2.3");
}

#[test]
fn west_2_4_identifiers_are_compared_and_contacts_and_questions_are_never_read() {
    says("westrum", "WEST-2.4");
    world("westrum", "WEST-2.4");
    let rules = rules("westrum");
    let identify: Vec<_> = rules.identify().iter().map(|id| catalogue().signal(*id).path.clone()).collect();
    assert_eq!(
        identify.iter().map(AsRef::as_ref).collect::<Vec<&str>>(),
        ["Vehicle.VehicleIdentification.VIN"]
    );
    for (_, signal) in catalogue().iter() {
        assert!(!matches!(signal.category, Category::Contact | Category::Enquiry), "{}", signal.path);
    }
    // Free text of a case is searched for numbers that identify a person outright.
    let mut facts = ledger("westrum");
    let case = json!({ "kind": "restriction-set", "whom": { "subject": "0a".repeat(16) },
        "ground": "accuracy-disputed", "case": "asked by 010190 12345" });
    let refused = write(&mut facts, "1", &case).expect_err("a national id");
    assert!(refused.contains("national identity number") && !refused.contains("12345"), "{refused}");
}

#[test]
fn west_2_5_vehicle_and_body_are_read_where_they_were_handed_in() {
    world("westrum", "WEST-2.5");
    let batch = super::sealed::seal_odometer(&super::world::text("westrum"), "workshop");
    let head = batch.envelope.open(&batch.recipient).expect("its own").head;
    assert_eq!(head.context.collector, "main/bay-1/bus-0");
    assert_eq!(head.context.order, batch.opening.order);
    assert!(head.context.order.is_some(), "the work order travels with the batch");
}

#[test]
fn west_2_6_technical_data_and_body_functions_and_neither_place_nor_driving() {
    says("westrum", "WEST-2.6");
    world("westrum", "WEST-2.6");
    let said = refused(
        "westrum",
        "\"Vehicle.Service.DistanceToService\" = \"exact\"\n\"Vehicle.Extension.PowerTakeOffs.IsEngagedAtLeastOne\" = \"exact\"",
        "\"Vehicle.CurrentLocation\" = \"cell-5\"",
    );
    assert!(said.contains("no version of the notice lists `location`"), "{said}");
}

#[test]
fn west_2_7_what_was_done_is_stored_after_the_visit() {
    says("westrum", "WEST-2.7");
    world("westrum", "WEST-2.7");
    assert!(rules("westrum").notices()[0].categories.contains(&Category::ServiceHistory));
}

#[test]
fn west_2_8_newsletters_use_contact_data_alone() {
    says("westrum", "WEST-2.8");
    world("westrum", "WEST-2.8");
    let rules = rules("westrum");
    let marketing: Vec<_> = rules.purposes().iter().filter(|p| p.marketing).map(|p| &p.slug).collect();
    assert_eq!(marketing.iter().map(|slug| slug.as_str()).collect::<Vec<_>>(), ["marketing"]);
    assert!(rules.flows().iter().all(|flow| !marketing.contains(&&flow.purpose)));
    for message in rules.messages().iter().filter(|message| marketing.contains(&&message.purpose)) {
        assert_eq!(message.categories, [Category::Contact], "{}", message.slug);
        assert!(message.opt_out && message.form.is_some(), "{}", message.slug);
    }
    let asks = "recipient = \"westrum-workshop\"\ncategories = [\"contact\"]\nvalid";
    let said =
        refused("westrum", asks, "recipient = \"westrum-workshop\"\ncategories = [\"odometer\"]\nvalid");
    assert!(said.contains("marketing"), "{said}");
    for form in rules.forms().iter().filter(|form| marketing.contains(&&form.purpose)) {
        assert_eq!(form.categories, [Category::Contact], "{}", form.slug);
    }
}

#[test]
fn west_2_9_an_address_from_the_internet_is_joined_to_nothing() {
    world("westrum", "WEST-2.9");
}

#[test]
fn west_2_10_vehicle_data_is_read_within_an_order_only() {
    world("westrum", "WEST-2.10");
}

#[test]
fn west_2_11_owner_deliverer_orderer_and_driver_are_separate() {
    world("westrum", "WEST-2.11");
}
