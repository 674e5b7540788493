//! Car Special, section 4.1: who gets it, and on what ground (CSPE-4.1.4 to 4.1.15).

use super::{
    cspe_overlay::{made, refused, rules, world},
    entries::{ledger, with, without, write},
    sealed::seal_odometer,
    terms::says,
    world::{self as shipped, changed, compile},
};
use serde_json::{Value as Json, json};
use vernport_policy::{Minimiser, RecipientRole, Window};

fn signals_of(flow: &str) -> Vec<(String, Minimiser)> {
    let rules = rules();
    let flow = rules.find(&flow.parse().expect("a slug")).expect("a flow");
    let path = |id| shipped::catalogue().signal(id).path.to_string();
    flow.signals.iter().map(|(id, minimiser)| (path(*id), *minimiser)).collect()
}

#[test]
fn cspe_4_1_4_suppliers_and_partners_show_that_they_keep_the_same_limits() {
    says("car-special", "CSPE-4.1.4");
    world("CSPE-4.1.4");
    for recipient in ["dealer-system-example", "overseas-support-example", "insurer-example"] {
        let agreement = format!("id = \"{recipient}\", from = 2018-07-20, until = 2031-01-01, ");
        let said = shipped::refused(
            "car-special",
            &format!("{agreement}attested_until = 2030-07-01"),
            agreement.trim_end_matches(", "),
        );
        assert!(said.contains("attest"), "{recipient}: {said}");
    }
}

#[test]
fn cspe_4_1_5_nothing_leaves_but_on_the_grounds_of_the_list() {
    world("CSPE-4.1.5");
    let said = refused(
        "window = \"disclosure\"
grounds = [\"court-order\", \"legal-duty\"]
",
        "window = \"order\"
",
    );
    assert!(said.contains("authority without a disclosure"), "{said}");
    assert!(compile(&changed("car-special", "elsewhere = \"with-tool\"", "elsewhere = \"never\"")).is_err());
}

#[test]
fn cspe_4_1_6_a_supplier_gets_what_its_part_needs() {
    world("CSPE-4.1.6");
    assert_eq!(signals_of("supplier"), [("Vehicle.TraveledDistance".to_owned(), Minimiser::Round(1000))]);
    assert_eq!(
        signals_of("support-abroad"),
        [("Vehicle.Diagnostics.DTCList".to_owned(), Minimiser::Presence)]
    );
}

#[test]
fn cspe_4_1_7_a_supplier_receives_within_its_agreement_and_under_its_own_key() {
    world("CSPE-4.1.7");
    let said = shipped::refused(
        "car-special",
        "agreement = { id = \"insurer-example\", from = 2018-07-20, until = 2031-01-01, attested_until = 2030-07-01, assumed = true }\n",
        "",
    );
    assert!(said.contains("has no agreement"), "{said}");
    let batch = seal_odometer(&made(), "supplier");
    assert_eq!(batch.envelope.recipients().count(), 2, "the supplier's key and the controller's");
    assert_eq!(
        batch.envelope.open(&batch.recipient).expect("its own").head.context.bundle_hash,
        batch.rules.hash()
    );
}

#[test]
fn cspe_4_1_8_consent_names_who_gets_it() {
    says("car-special", "CSPE-4.1.8");
    world("CSPE-4.1.8");
}

/// A disclosure that may be written.
fn disclosure(ground: &str) -> Json {
    json!({ "kind": "disclosure-approved", "disclosure": "case-4", "reference": "J.nr. 4-2026", "ground": ground,
        "assets": ["01".repeat(16)], "flows": ["legal-process"], "approvers": ["anne", "bo"],
        "until": 1_777_988_800_000_000_i64 })
}

/// Two people, a reference, an end of at most 92 days, and named flows.
fn is_bounded(ground: &str) {
    let event = disclosure(ground);
    let refused = |event: &Json| {
        serde_json::from_value::<vernport_registry::Event>(event.clone()).is_err()
            || write(&mut ledger("car-special"), "1", event).is_err()
    };
    assert!(!refused(&event), "{ground}");
    for member in ["reference", "ground", "assets", "flows", "approvers", "until"] {
        assert!(refused(&without(&event, member)), "{ground} without {member}");
    }
    assert!(refused(&with(&event, "approvers", json!(["anne"]))), "{ground}: one approver");
    assert!(refused(&with(&event, "approvers", json!(["anne", "anne"]))), "{ground}: one approver twice");
    assert!(refused(&with(&event, "flows", json!([]))), "{ground}: no flow");
    assert!(
        refused(&with(&event, "until", 1_777_888_800_000_000_i64 + 93 * 86_400_000_000)),
        "{ground}: too long"
    );
}

#[test]
fn cspe_4_1_9_an_order_of_law_opens_what_it_names_until_its_end() {
    says("car-special", "CSPE-4.1.9");
    world("CSPE-4.1.9");
    is_bounded("court-order");
    is_bounded("legal-duty");
    assert!(serde_json::from_value::<vernport_registry::Event>(disclosure("curiosity")).is_err());
}

#[test]
fn cspe_4_1_10_terms_are_enforced_by_an_approved_disclosure() {
    world("CSPE-4.1.10");
    is_bounded("terms");
}

#[test]
fn cspe_4_1_11_fraud_and_faults_are_met_by_an_approved_disclosure() {
    world("CSPE-4.1.11");
    is_bounded("security");
}

#[test]
fn cspe_4_1_12_rights_and_people_are_protected_by_an_approved_disclosure() {
    says("car-special", "CSPE-4.1.12");
    world("CSPE-4.1.12");
    is_bounded("protection");
    let rules = shipped::rules("car-special");
    let authorities: Vec<_> = rules
        .recipients()
        .iter()
        .filter(|r| r.role == RecipientRole::Authority)
        .map(|r| r.slug.as_str())
        .collect();
    assert_eq!(authorities, ["authorities"]);
    let rules = self::rules();
    for flow in rules.flows().iter().filter(|flow| flow.recipient.as_str() == "authorities") {
        assert_eq!(flow.window, Window::Disclosure, "{}", flow.slug);
    }
}

const TOOL: &str =
    "transfer = { tool = \"standard-clauses\", reference = \"scc-example\", until = 2029-07-01 }\n";

#[test]
fn cspe_4_1_13_a_supplier_outside_of_the_eu_is_known_as_one() {
    says("car-special", "CSPE-4.1.13");
    world("CSPE-4.1.13");
    let rules = shipped::rules("car-special");
    let abroad: Vec<_> =
        rules.recipients().iter().filter(|r| r.transfer.is_some()).map(|r| r.slug.as_str()).collect();
    assert_eq!(abroad, ["overseas-support"]);
}

#[test]
fn cspe_4_1_14_without_a_tool_nobody_there_receives() {
    world("CSPE-4.1.14");
    let said = shipped::refused("car-special", TOOL, "");
    assert!(said.contains("outside of the regions"), "{said}");
}

#[test]
fn cspe_4_1_15_what_goes_abroad_is_sealed_as_at_home() {
    let home = "retention = \"supplier\"\ndeliver = { store = true }\nweakest = \"tool\"\nwindow = \"order\"\nnotice = \"car-special-made-2\"\nclauses = [\"CSPE-4.1.13\"]\nassumed = true\n\n[flow.signals]\n\"Vehicle.Diagnostics.DTCList\" = \"presence\"";
    assert_eq!(made().matches(home).count(), 1);
    let distance = made().replace(
        home,
        &home.replace(
            "\"Vehicle.Diagnostics.DTCList\" = \"presence\"",
            "\"Vehicle.TraveledDistance\" = \"exact\"",
        ),
    );
    for flow in ["support-abroad", "services"] {
        let batch = seal_odometer(&distance, flow);
        assert!(!batch.shows_the_distance(), "{flow}");
        assert_eq!(batch.envelope.recipients().count(), 2, "{flow}: its key and the controller's");
        batch.envelope.verify(&batch.device.verifying_key()).expect("signed");
    }
    assert!(rules().flows().iter().all(|flow| flow.deliver.topic.is_none()), "and on no topic at all");
}
