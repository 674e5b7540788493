//! Car Special, section 6.4: erasure, its grounds and its exceptions (CSPE-6.4.1 to 6.4.13).

use super::{
    cspe_overlay::world,
    entries::{is_event, with, without},
    terms::says,
    world as shipped,
};
use serde_json::{Value as Json, json};
use vernport_policy::{Proof, Right};

fn erasure(ground: &str) -> Json {
    json!({ "kind": "erasure-ordered", "whom": { "subject": "0a".repeat(16) }, "ground": ground, "case": "case 7" })
}

fn exception(code: &str) -> Json {
    json!({ "kind": "erasure-excepted", "erasure": "0b".repeat(32), "exception": code,
        "scope": { "flows": { "flows": ["services"] } }, "reason": "written in case 7", "approver": "anne",
        "until": 1_777_988_800_000_000_i64 })
}

/// A reason, somebody who approved it, what exactly is kept, and an end.
fn is_bounded(code: &str) {
    assert!(is_event(&exception(code)), "{code}");
    for member in ["reason", "approver", "scope", "until"] {
        assert!(!is_event(&without(&exception(code), member)), "{code} without {member}");
    }
    assert!(!is_event(&with(&exception(code), "exception", "convenience")));
}

#[test]
fn cspe_6_4_1_the_law_keeps_what_it_names() {
    world("CSPE-6.4.1");
}

#[test]
fn cspe_6_4_2_everything_else_has_an_end() {
    world("CSPE-6.4.2");
    for rule in shipped::rules("car-special").retentions() {
        assert!(rule.assumed, "{}: no notice states the number", rule.slug);
    }
}

#[test]
fn cspe_6_4_3_everybody_may_ask_to_be_forgotten() {
    says("car-special", "CSPE-6.4.3");
    let right = shipped::rules("car-special").right(Right::Erasure);
    assert_eq!((right.deadline.to_string().as_str(), right.identity), ("P1M", Proof::Known));
    assert!(is_event(&erasure("no-longer-needed")));
    assert!(!is_event(&erasure("asked")), "a ground is one of five");
    assert!(!is_event(&without(&erasure("unlawful"), "case")));
}

#[test]
fn cspe_6_4_4_no_longer_needed() {
    world("CSPE-6.4.4");
}

#[test]
fn cspe_6_4_5_consent_withdrawn() {
    world("CSPE-6.4.5");
}

#[test]
fn cspe_6_4_6_an_objection_that_stands() {
    world("CSPE-6.4.6");
}

#[test]
fn cspe_6_4_7_unlawful() {
    world("CSPE-6.4.7");
}

#[test]
fn cspe_6_4_8_a_duty_of_law() {
    world("CSPE-6.4.8");
}

#[test]
fn cspe_6_4_9_kept_for_expression_and_information() {
    world("CSPE-6.4.9");
    is_bounded("expression");
}

#[test]
fn cspe_6_4_10_kept_for_a_duty_of_law() {
    world("CSPE-6.4.10");
    is_bounded("legal-duty");
}

#[test]
fn cspe_6_4_11_kept_for_the_public_interest() {
    world("CSPE-6.4.11");
    is_bounded("public-interest");
}

#[test]
fn cspe_6_4_12_kept_for_archives_and_science() {
    world("CSPE-6.4.12");
    is_bounded("archive");
}

#[test]
fn cspe_6_4_13_kept_for_a_legal_claim_until_it_is_judged_again() {
    world("CSPE-6.4.13");
    is_bounded("legal-claim");
}

#[test]
fn cspe_6_1_2_access_is_given_after_an_official_proof() {
    says("car-special", "CSPE-6.1.2");
}

#[test]
fn cspe_6_2_2_an_export_is_given_after_an_official_proof() {
    says("car-special", "CSPE-6.2.2");
}

#[test]
fn cspe_6_3_6_a_correction_is_confirmed_within_a_month() {
    says("car-special", "CSPE-6.3.6");
}
