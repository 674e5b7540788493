//! Car Special, section 3: what is collected, and consent (CSPE-3.*).

use super::{
    cspe_overlay,
    entries::{consent, is_event, ledger, with, without, write},
    terms::says,
    world::{catalogue, compile, refused, rules, world},
};
use serde_json::json;
use vernport_policy::{RetentionRule, SourceClass};
use vernport_types::{Category, LegalBasis};

#[test]
fn cspe_3_0_1_services_read_what_was_handed_in_for_them() {
    says("car-special", "CSPE-3.0.1");
    cspe_overlay::world("CSPE-3.0.1");
}

#[test]
fn cspe_3_0_2_data_comes_from_people_until_a_notice_says_otherwise() {
    says("car-special", "CSPE-3.0.2");
    cspe_overlay::world("CSPE-3.0.2");
    let sources = rules("car-special").notices()[0].sources;
    assert!(sources.contains(SourceClass::Manual));
    assert!(!sources.contains(SourceClass::Vehicle) && !sources.contains(SourceClass::Tool));
}

#[test]
fn cspe_3_1_1_the_list_is_closed() {
    says("car-special", "CSPE-3.1.1");
    let rules = rules("car-special");
    let listed: Vec<_> = rules.notices().iter().map(|notice| notice.categories.clone()).collect();
    assert_eq!(listed, [vec![Category::Contact, Category::Employment, Category::IdentityDocument]]);
    assert!(rules.flows().is_empty() && rules.identify().is_empty());
}

#[test]
fn cspe_3_1_2_contact_and_work_are_listed_and_messages_use_contact_alone() {
    let rules = rules("car-special");
    for category in [Category::Contact, Category::Employment] {
        assert!(rules.notices()[0].categories.contains(&category), "{category}");
        assert!(catalogue().iter().all(|(_, signal)| signal.category != category), "no signal tells it");
    }
    for message in rules.messages() {
        assert_eq!(message.categories, [Category::Contact], "{}", message.slug);
    }
}

#[test]
fn cspe_3_1_3_identity_documents_serve_test_drives_and_go_nowhere() {
    says("car-special", "CSPE-3.1.3");
    let rules = rules("car-special");
    let document = Category::IdentityDocument;
    assert!(catalogue().iter().all(|(_, signal)| signal.category != document), "no signal carries one");
    assert!(rules.forms().iter().all(|form| !form.categories.contains(&document)));
    assert!(rules.messages().iter().all(|message| !message.categories.contains(&document)));
    assert!(cspe_overlay::rules().flows().iter().all(|flow| !flow.categories.contains(&document)));
    // No purpose that has its own list has them on it, but the one; and no form asks for them.
    let listing =
        rules.purposes().iter().filter(|p| p.categories.as_ref().is_some_and(|c| c.contains(&document)));
    assert_eq!(listing.map(|purpose| purpose.slug.as_str()).collect::<Vec<_>>(), ["test-drive"]);
    for purpose in ["marketing", "customer-survey", "partner-service"] {
        let asks = format!("purpose = \"{purpose}\"\nrecipient = ");
        let text = super::world::text("car-special");
        let (before, after) = text.split_once(&asks).expect("a form of the purpose");
        let wider = after.replacen(
            "categories = [\"contact\"]",
            "categories = [\"contact\", \"identity-document\"]",
            1,
        );
        compile(&format!("{before}{asks}{wider}")).expect_err(purpose);
    }
    let days = |rule: &RetentionRule| rule.at_most.after(vernport_types::UtcMicros(0), rules.zone());
    let shortest = rules.retentions().iter().min_by_key(|rule| days(rule)).expect("a table");
    assert_eq!(shortest.slug.as_str(), "test-drive");
    assert_eq!((shortest.period.to_string(), shortest.at_most.to_string()), ("P7D".into(), "P7D".into()));
    let drive = rules.purposes().iter().find(|purpose| purpose.slug.as_str() == "test-drive").expect("named");
    assert_eq!(drive.basis, LegalBasis::Contract);
}

#[test]
fn cspe_3_1_4_nothing_that_a_vehicle_tells_is_listed() {
    world("car-special", "CSPE-3.1.4");
}

#[test]
fn cspe_3_2_1_marketing_and_surveys_need_explicit_consent() {
    says("car-special", "CSPE-3.2.1");
    world("car-special", "CSPE-3.2.1");
    for purpose in rules("car-special").purposes().iter().filter(|p| p.basis == LegalBasis::Consent) {
        assert!(!purpose.required_for_contract, "{}", purpose.slug);
    }
}

#[test]
fn cspe_3_2_2_consent_is_asked_for_at_the_reading_and_at_the_sending() {
    cspe_overlay::world("CSPE-3.2.2");
}

#[test]
fn cspe_3_2_3_a_consent_says_which_data() {
    says("car-special", "CSPE-3.2.3");
    world("car-special", "CSPE-3.2.3");
    assert!(!is_event(&without(&consent(), "categories")));
    write(&mut ledger("car-special"), "1", &with(&consent(), "categories", json!([])))
        .expect_err("of nothing");
    let said = refused(
        "car-special",
        "recipient = \"insurer\"\ncategories = [\"contact\"]",
        "recipient = \"insurer\"\ncategories = []",
    );
    assert!(said.contains("does not say what is consented to"), "{said}");
}

#[test]
fn cspe_3_2_4_a_consent_says_how_it_is_handled() {
    assert!(!is_event(&without(&consent(), "processing")));
    assert!(!is_event(&with(&consent(), "processing", "")), "and not nothing");
    for form in rules("car-special").forms() {
        for language in ["da", "nb", "en"] {
            let text = form.texts.get(language).unwrap_or_else(|| panic!("{} in {language}", form.slug));
            assert!(text.contains("Car Special A/S") && text.len() > 100, "{} {language}", form.slug);
        }
    }
}

#[test]
fn cspe_3_2_5_a_consent_says_why() {
    world("car-special", "CSPE-3.2.5");
    assert!(!is_event(&without(&consent(), "purpose")));
}

#[test]
fn cspe_3_2_6_a_consent_says_how_long_and_ends() {
    assert!(!is_event(&without(&consent(), "valid_until")));
    let early = with(&consent(), "valid_until", 1_777_888_800_000_000_i64);
    write(&mut ledger("car-special"), "1", &early).expect_err("over before it begins");
    world("car-special", "CSPE-3.2.6");
}

#[test]
fn cspe_3_2_7_a_consent_is_withdrawn_at_any_time() {
    world("car-special", "CSPE-3.2.7");
}

#[test]
fn cspe_3_2_8_withdrawing_is_as_easy_as_giving() {
    says("car-special", "CSPE-3.2.8");
    let withdrawal = json!({ "kind": "consent-withdrawn", "method": "spoken",
        "scope": { "receipt": consent()["receipt"] } });
    assert!(is_event(&withdrawal));
    let members = |event: &serde_json::Value| event.as_object().expect("an object").len();
    assert!(members(&withdrawal) < members(&consent()), "fewer things to say");
    // Every way of giving is a way of withdrawing, and staff is not needed.
    for method in ["paper", "screen", "web", "app", "message", "spoken", "station"] {
        assert!(is_event(&with(&consent(), "method", method)), "{method}");
        assert!(is_event(&with(&withdrawal, "method", method)), "{method}");
    }
    assert!(!is_event(&without(&consent(), "recorded_by")));
    let mut facts = ledger("car-special");
    write(&mut facts, "1", &consent()).expect("given");
    write(&mut facts, "2", &withdrawal).expect("withdrawn in one step");
}

#[test]
fn cspe_3_2_9_consents_are_kept_so_that_they_can_be_shown() {
    let mut facts = ledger("car-special");
    let given = write(&mut facts, "1", &consent()).expect("given").entry;
    let said = write(&mut facts, "2", &consent()).expect_err("the receipt code has an owner");
    assert!(said.contains("receipt code"), "{said}");
    // Its name is the hash of all that it says: another text, another name.
    for (member, value) in [("language", json!("nb")), ("text_hash", json!("09".repeat(32)))] {
        let changed = super::entries::entry(&facts, "1", &with(&consent(), member, value));
        assert_ne!(changed.hash(), given, "{member}");
    }
    for proof in ["text_hash", "form", "language", "method", "recorded_by", "receipt"] {
        assert!(!is_event(&without(&consent(), proof)), "{proof}");
    }
}
