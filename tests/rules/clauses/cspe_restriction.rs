//! Car Special, sections 6.5 and 8: suspension, and changes of the policy (CSPE-6.5.*, CSPE-8.*).

use super::{
    cspe_overlay::{self, world},
    entries::{is_event, ledger, with, without, write},
    terms::says,
    world as shipped,
};
use serde_json::{Value as Json, json};
use vernport_policy::diff;

fn restriction() -> Json {
    json!({ "kind": "restriction-set", "whom": { "subject": "0a".repeat(16) }, "ground": "unlawful", "case": "case 9" })
}

#[test]
fn cspe_6_5_1_a_suspension_stops_what_it_names() {
    says("car-special", "CSPE-6.5.1");
    world("CSPE-6.5.1");
    for ground in ["accuracy-disputed", "unlawful", "legal-claim", "objection-pending"] {
        assert!(is_event(&with(&restriction(), "ground", ground)), "{ground}");
    }
    assert!(!is_event(&with(&restriction(), "ground", "other")));
}

#[test]
fn cspe_6_5_2_while_accuracy_is_disputed() {
    world("CSPE-6.5.2");
}

#[test]
fn cspe_6_5_3_suspended_instead_of_deleted() {
    world("CSPE-6.5.3");
}

#[test]
fn cspe_6_5_4_kept_for_a_claim_and_used_for_nothing_else() {
    world("CSPE-6.5.4");
}

#[test]
fn cspe_6_5_5_while_an_objection_is_weighed() {
    says("car-special", "CSPE-6.5.5");
    world("CSPE-6.5.5");
}

#[test]
fn cspe_6_5_6_nothing_goes_on_by_default() {
    world("CSPE-6.5.6");
}

#[test]
fn cspe_6_5_7_the_person_s_own_consent() {
    world("CSPE-6.5.7");
}

#[test]
fn cspe_6_5_8_a_legal_claim() {
    world("CSPE-6.5.8");
}

/// Whether the ledger takes an exception of that kind, with or without somebody who approved it.
fn taken(exception: &str, approver: Option<&str>) -> bool {
    let mut facts = ledger("car-special");
    let set = write(&mut facts, "1", &restriction()).expect("set").entry;
    let mut event = json!({ "kind": "restriction-excepted", "restriction": set, "exception": exception,
        "flows": ["services"], "case": "case 9", "until": 1_777_988_800_000_000_i64 });
    if let Some(approver) = approver {
        event["approver"] = approver.into();
    }
    assert!(!is_event(&without(&event, "case")) && !is_event(&without(&event, "until")));
    write(&mut facts, "2", &event).is_ok()
}

#[test]
fn cspe_6_5_9_the_rights_of_another_with_an_approver() {
    world("CSPE-6.5.9");
    assert!(taken("rights-of-another", Some("anne")) && !taken("rights-of-another", None));
}

#[test]
fn cspe_6_5_10_an_important_public_interest_with_an_approver() {
    world("CSPE-6.5.10");
    assert!(taken("public-interest", Some("anne")) && !taken("public-interest", None));
}

#[test]
fn cspe_6_5_11_the_person_is_told_before_a_suspension_is_lifted() {
    world("CSPE-6.5.11");
    let mut facts = ledger("car-special");
    let set = write(&mut facts, "1", &restriction()).expect("set").entry;
    let lifted = json!({ "kind": "restriction-lifted", "restriction": set });
    let said = write(&mut facts, "2", &lifted).expect_err("nobody was told");
    assert!(said.contains("told first"), "{said}");
    let told = json!({ "kind": "restriction-lifting-announced", "restriction": set, "method": "message" });
    assert!(!is_event(&told), "told, with the proof of it");
}

#[test]
fn cspe_8_1_the_policy_is_looked_at_again_and_a_change_is_seen() {
    says("car-special", "CSPE-8.1");
    let shipped = shipped::rules("car-special");
    let review = shipped.controller_info().review_by.expect("a day");
    assert_eq!(
        review,
        vernport_types::UtcMicros(1_811_800_800_000_000),
        "1 June 2027, midnight in Copenhagen"
    );
    let changed = cspe_overlay::rules();
    assert!(diff(&shipped, &shipped, &shipped::catalogue()).is_equal());
    assert!(diff(&shipped, &changed, &shipped::catalogue()).widens(), "vehicle data is more than was told");
}

#[test]
fn cspe_8_3_what_is_new_waits_until_it_was_told() {
    world("CSPE-8.3");
    let changed = diff(&shipped::rules("car-special"), &cspe_overlay::rules(), &shipped::catalogue());
    let flow =
        changed.permitted().find(|change| change.path.starts_with("flow.services")).expect("new flows");
    assert!(flow.to_be_told, "{flow:?}");
}
