//! Invariant 9, names: no identifier of the vehicle is shared between purposes.

use crate::evidence::{Batch, evidence};
use std::collections::{BTreeMap, BTreeSet};
use vernport_mqtt::Stream;
use vernport_seal::ReceivedEnvelope;

#[test]
fn invariant_9_the_same_truck_has_another_alias_at_each_controller_and_for_each_purpose() {
    let aliases = evidence().aliases();
    let mut of_alias = BTreeMap::new();
    let mut of_purpose = BTreeMap::new();
    for (controller, recipient, purpose, alias) in &aliases {
        let whom = (controller, recipient, purpose);
        assert_eq!(of_alias.insert(alias, whom), None, "one alias for two");
        assert_eq!(of_purpose.insert(whom, alias), None, "two aliases in one period");
    }
    let controllers: BTreeSet<_> = aliases.iter().map(|(controller, ..)| controller).collect();
    assert_eq!(controllers.len(), 3, "three controllers serve somebody");
}

#[test]
fn invariant_9_a_topic_names_the_vehicle_as_its_batches_do() {
    let evidence = evidence();
    let aliases = evidence.aliases();
    assert!(evidence.received.len() > 4);
    for message in &evidence.received {
        let (stream, _) = Stream::from_topic(&message.topic).expect("a fleet topic");
        let known = aliases.iter().any(|(_, recipient, purpose, alias)| {
            *recipient == stream.operator && *purpose == stream.purpose && *alias == stream.vehicle
        });
        assert!(known && stream.operator == message.operator, "{}", message.topic);
    }
}

/// What an envelope shows to whoever holds it without a key: everything but the names in the clear
/// header, which are words of the rules and not of the vehicle.
fn shown(batch: &Batch) -> BTreeSet<[u8; 16]> {
    let envelope = ReceivedEnvelope::parse(&batch.envelope).expect("an envelope");
    let header = envelope.header();
    let rest = &batch.envelope[header.to_bytes().len()..];
    let mut shown: BTreeSet<[u8; 16]> =
        rest.windows(16).map(|window| window.try_into().expect("16 bytes")).collect();
    shown.extend([*header.batch.as_bytes(), *header.epoch.as_bytes()]);
    shown
}

#[test]
fn invariant_9_envelopes_of_two_purposes_share_no_16_bytes_but_the_controller_s_own_key_id() {
    let evidence = evidence();
    let mut seen: BTreeMap<[u8; 16], (usize, &Batch)> = BTreeMap::new();
    let mut shared: BTreeMap<[u8; 16], BTreeSet<_>> = BTreeMap::new();
    for (n, batch) in evidence.batches.iter().enumerate() {
        for bytes in shown(batch) {
            let (_, other) = seen.entry(bytes).or_insert((n, batch));
            let whose =
                |batch: &Batch| (batch.controller.clone(), batch.recipient.clone(), batch.purpose.clone());
            if whose(other) != whose(batch) {
                shared.entry(bytes).or_default().extend([whose(other), whose(batch)]);
            }
        }
    }
    let recovery: BTreeSet<[u8; 16]> = evidence
        .keys
        .iter()
        .filter(|key| matches!(key.holder, crate::evidence::Holder::Controller(_)))
        .map(|key| *key.key.wrapping_key().key_id().as_bytes())
        .collect();
    for (bytes, whose) in &shared {
        assert!(recovery.contains(bytes), "{} is shared by {whose:?}", hex::encode(bytes));
        let controllers: BTreeSet<_> = whose.iter().map(|(controller, ..)| controller).collect();
        assert_eq!(controllers.len(), 1, "recovery keys are of one controller each");
    }
    assert!(!shared.is_empty(), "the recovery key's id is shared, so sharing is seen");
}

/// Batch, epoch and alias are of one purpose. Inside the sealed body a controller's recipients share
/// what the design puts there: the work order, the entries that it rests on, the start of the machine,
/// the hashes of bundle and catalogue. Between controllers only the last two things of the machine are.
#[test]
fn invariant_9_inside_the_bodies_two_controllers_share_nothing_about_the_vehicle() {
    let evidence = evidence();
    let mut of_id: BTreeMap<Vec<u8>, BTreeSet<_>> = BTreeMap::new();
    for batch in &evidence.batches {
        let head = &batch.body.head;
        let order = head.context.order.iter().map(|order| order.as_bytes().to_vec());
        let entries = head.context.rests_on.iter().map(|entry| entry.as_bytes().to_vec());
        for id in order.chain(entries).chain([head.alias.as_bytes().to_vec()]) {
            of_id.entry(id).or_default().insert(&batch.controller);
        }
    }
    assert!(of_id.len() > 8);
    assert!(of_id.values().all(|controllers| controllers.len() == 1));
}
