//! Car Special, sections 4.2 and 5: how long, and how safe (CSPE-4.2.*, CSPE-5.*).

use super::{
    cspe_overlay::{made, rules, world},
    entries::{consent, entry, ledger, write},
    sealed::{NOW, facts, seal_odometer},
    terms::says,
    world as shipped,
};
use serde_json::json;
use vernport_policy::{RetentionGround, StationRef, grants};
use vernport_registry::{Entry, Facts};
use vernport_review::ask::Names;
use vernport_seal::ReceivedEnvelope;

#[test]
fn cspe_4_2_1_law_services_and_traceability_are_the_grounds() {
    says("car-special", "CSPE-4.2.1");
    world("CSPE-4.2.1");
    let holds: Vec<_> = shipped::rules("car-special")
        .holds()
        .iter()
        .map(|h| format!("{:?} {}", h.ground, h.at_most))
        .collect();
    assert_eq!(holds, ["Statute P6Y", "Dispute P3Y", "Incident P1Y"]);
}

#[test]
fn cspe_4_2_2_a_table_says_how_long_for_each_ground() {
    says("car-special", "CSPE-4.2.2");
    let rules = shipped::rules("car-special");
    let table: Vec<_> = rules
        .retentions()
        .iter()
        .map(|rule| {
            format!("{} {:?} {} {} {}", rule.slug, rule.ground, rule.start, rule.period, rule.at_most)
        })
        .collect();
    let expected = [
        "invoices Law order-closed P5Y P6Y",
        "services Service relationship-end P1Y P10Y",
        "supplier Service order-closed P30D P3M",
        "test-drive Service reading P7D P7D",
        "traceability Traceability reading P1Y P1Y",
        "until-withdrawn Consent consent-end P30D P3Y",
    ];
    assert_eq!(table, expected);
}

#[test]
fn cspe_4_2_3_a_supplier_s_time_travels_with_the_batch() {
    world("CSPE-4.2.3");
    let batch = seal_odometer(&made(), "supplier");
    let retention = &batch.rules.find(&batch.opening.flow).expect("a flow").retention;
    assert_eq!(batch.envelope.header().latest_due, retention.latest_due(NOW));
    assert_eq!(batch.envelope.header().retention_rule.as_str(), "supplier");
}

#[test]
fn cspe_4_2_4_a_supplier_keeps_nothing_longer_than_we_do() {
    world("CSPE-4.2.4");
    let rules = rules();
    let due =
        |flow: &str| rules.find(&flow.parse().expect("a slug")).expect("a flow").retention.latest_due(NOW);
    for theirs in ["supplier", "support-abroad"] {
        assert!(due(theirs) <= due("services"), "{theirs}");
    }
}

#[test]
fn cspe_5_3_what_was_sealed_cannot_be_changed_unseen() {
    let batch = seal_odometer(&made(), "services");
    let other = seal_odometer(&made(), "services");
    // Whole, and yet by another box.
    assert!(batch.envelope.verify(&other.device.verifying_key()).is_err());
    let shorter = &batch.envelope.as_bytes()[..batch.envelope.as_bytes().len() - 1];
    assert!(ReceivedEnvelope::parse(shorter).is_err(), "something lost");
    // A ledger entry has the hash of all that it says.
    let facts = ledger("car-special");
    let (a, b) = (entry(&facts, "1", &consent()), entry(&facts, "2", &consent()));
    assert_ne!(a.hash(), b.hash());
}

#[test]
fn cspe_5_4_by_default_nobody_gets_anything() {
    let rules = rules();
    let at = StationRef { site: "main".parse().expect("a slug"), station: "bay-1".parse().expect("a slug") };
    let empty = Facts::new(rules.controller().clone());
    assert!(grants(&empty, &rules, &at, NOW, &mut Names::default()).is_empty());
    let known = facts(&rules);
    let open = grants(&known, &rules, &at, NOW, &mut Names::default());
    assert!(!open[0].flows.is_empty(), "with facts something opens");
    assert_eq!(grants(&known, &shipped::rules("car-special"), &at, NOW, &mut Names::default())[0].flows, []);
    let batch = seal_odometer(&made(), "services");
    assert!(
        batch.envelope.open(&vernport_crypto::OpeningKey::generate()).is_err(),
        "and nobody else reads it"
    );
}

#[test]
fn cspe_5_7_a_ledger_read_back_from_a_backup_answers_as_before() {
    let mut facts = ledger("car-special");
    let withdrawal = json!({ "kind": "consent-withdrawn", "method": "spoken", "scope": { "receipt": consent()["receipt"] } });
    let erasure = json!({ "kind": "erasure-ordered", "whom": { "subject": "0a".repeat(16) },
        "ground": "consent-withdrawn", "case": "case 7" });
    let events = [consent(), withdrawal, erasure];
    let mut copy = Vec::new();
    for (n, event) in events.iter().enumerate() {
        let reference = format!("{n}");
        write(&mut facts, &reference, event).expect("written");
        copy.push(entry(&facts, &reference, event).canonical());
    }
    // The pieces come back in any order.
    let mut restored = ledger("car-special");
    for text in copy.iter().rev() {
        restored.replay(&Entry::from_json(text).expect("an entry")).expect("of this ledger");
    }
    let subject = "0a".repeat(16).parse().expect("an id");
    let erased = |facts: &Facts| {
        let whom = vernport_registry::Whom::Subject(subject);
        facts.erasure(whom, &"marketing".parse().expect("a slug"), NOW)
    };
    assert!(erased(&restored).is_some(), "an erasure survives");
    assert_eq!(erased(&restored), erased(&facts));
    assert_eq!(
        restored.receipt(&consent()["receipt"].as_str().expect("a code").parse().expect("a code")),
        Some(subject)
    );
}

#[test]
fn cspe_5_8_nothing_lies_or_travels_in_the_clear() {
    for flow in ["services", "supplier", "invoices"] {
        let batch = seal_odometer(&made(), flow);
        assert!(!batch.shows_the_distance(), "{flow}");
        assert!(
            batch.envelope.without_wraps().open(&batch.recipient).is_err(),
            "{flow}: without its key it is gone"
        );
    }
    let grounds: Vec<_> = rules().retentions().iter().map(|rule| rule.ground).collect();
    assert!(grounds.contains(&RetentionGround::Law));
}
