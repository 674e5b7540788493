//! CARS-6 and CARS-7: for how long, and how it is kept safe.

use super::{BUNDLE, stood};
use crate::clauses::world::{changed, compile, refused, rules, world};
use vernport_registry::HoldGround;
use vernport_seal::ReceivedEnvelope;

#[test]
fn cars_6_1_each_purpose_has_its_own_time_and_nothing_is_kept_without_one() {
    world(BUNDLE, "CARS-6.1");
    let said = refused(BUNDLE, "retention = \"improvement\"\n", "retention = \"for-ever\"\n");
    assert!(said.contains("no retention"), "{said}");
    let [cars, _] = stood();
    let rules = rules(BUNDLE);
    for batch in &cars.batches {
        let header = batch.envelope.header();
        let flow = rules.find(&header.flow).expect("a flow of the bundle");
        assert_eq!(header.retention_rule, flow.retention.rule);
        let first = batch.body.records.iter().map(|record| record.at.wall).min().expect("a record");
        assert!(header.latest_due > first, "every envelope bears its time");
    }
}

#[test]
fn cars_6_2_what_its_purpose_no_longer_needs_is_due() {
    world(BUNDLE, "CARS-6.2");
}

#[test]
fn cars_6_3_a_question_a_dispute_or_a_statute_delays_a_deletion_to_its_end() {
    world(BUNDLE, "CARS-6.3");
    let rules = rules(BUNDLE);
    let holds: Vec<_> = rules.holds().iter().map(|hold| (hold.ground, hold.at_most.to_string())).collect();
    let expected = [
        (HoldGround::Query, "P6M".to_owned()),
        (HoldGround::Dispute, "P3Y".to_owned()),
        (HoldGround::Statute, "P6Y".to_owned()),
    ];
    assert_eq!(holds, expected);
}

#[test]
fn cars_6_4_a_reasonable_period_is_a_number_and_one_that_nobody_stated() {
    world(BUNDLE, "CARS-6.4");
    let rules = rules(BUNDLE);
    let periods: Vec<_> = rules
        .parameters()
        .iter()
        .map(|parameter| (parameter.name.as_str(), parameter.value.as_str(), parameter.assumed))
        .collect();
    let expected = [
        ("after-last-contact", "P2Y", true),
        ("answer", "P1M", true),
        ("at-most-after-reading", "P5Y", true),
    ];
    assert_eq!(periods, expected);
    let vague = changed(BUNDLE, "value = \"P2Y\"", "value = \"reasonable\"");
    assert!(compile(&vague).is_err(), "no number, no bundle");
}

#[test]
fn cars_7_1_a_batch_that_was_tampered_with_is_refused_and_strangers_read_none() {
    let [cars, hov] = stood();
    let batch = cars.batches.first().expect("a batch");
    let bytes = batch.envelope.as_bytes();
    let key = |envelope: &ReceivedEnvelope| cars.keys.iter().any(|(_, key)| envelope.open(key).is_ok());
    assert!(key(&batch.envelope), "its recipient reads it");
    assert!(batch.envelope.verify(&cars.device_key).is_ok());
    assert!(batch.envelope.verify(&hov.device_key).is_err(), "another box did not seal it");
    for place in (0..bytes.len()).step_by(bytes.len() / 64 + 1) {
        let mut changed = bytes.to_vec();
        changed[place] ^= 1;
        let whole = ReceivedEnvelope::parse(&changed)
            .is_ok_and(|envelope| envelope.verify(&cars.device_key).is_ok() && key(&envelope));
        assert!(!whole, "byte {place} of {} was changed, and nobody saw it", bytes.len());
    }
    assert!(ReceivedEnvelope::parse(&bytes[..bytes.len() - 1]).is_err(), "lost bytes are seen");
}
