//! Invariant 9, names: no identifier of the vehicle is shared between purposes.

use crate::evidence::{Batch, Holder, Key, evidence};
use std::collections::{BTreeMap, BTreeSet};
use vernport_mqtt::Stream;
use vernport_seal::ReceivedEnvelope;
use vernport_types::KeyId;

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

/// What an envelope shows to whoever holds it without a key, but for what it may share: the names in
/// the clear header, which are words of the rules and not of the vehicle, and the controller's key id.
fn shown(batch: &Batch, recovery: KeyId) -> BTreeSet<[u8; 16]> {
    let envelope = ReceivedEnvelope::parse(&batch.envelope).expect("an envelope");
    let header = envelope.header();
    let rest = &batch.envelope[header.to_bytes().len()..];
    let at = rest.windows(16).position(|window| window == recovery.as_bytes());
    let at = at.expect("every envelope is wrapped for its controller");
    let windows = rest[..at].windows(16).chain(rest[at + 16..].windows(16));
    let own = [*header.batch.as_bytes(), *header.epoch.as_bytes()];
    windows.map(|window| window.try_into().expect("16 bytes")).chain(own).collect()
}

#[test]
fn invariant_9_envelopes_of_two_purposes_share_no_16_bytes_but_the_controller_s_own_key_id() {
    let evidence = evidence();
    let recovery = |batch: &Batch| {
        let own = |key: &&Key| key.holder == Holder::Controller(batch.controller.clone());
        evidence.keys.iter().find(own).expect("each controller has one").key.wrapping_key().key_id()
    };
    let mut first: BTreeMap<[u8; 16], &Batch> = BTreeMap::new();
    for batch in &evidence.batches {
        for bytes in shown(batch, recovery(batch)) {
            let other = *first.entry(bytes).or_insert(batch);
            let whose = |batch: &'static Batch| (&batch.controller, &batch.recipient, &batch.purpose);
            assert_eq!(whose(other), whose(batch), "{} is shared", hex::encode(bytes));
        }
    }
    // The same recipient's key id stands in all its envelopes: so what is shared is seen.
    assert!(first.len() > 1000 && evidence.batches.len() > evidence.aliases().len());
}

/// Batch, epoch and alias are of one purpose. Inside the sealed body a controller's recipients share
/// what is meant to stand there: the work order, the entries that it rests on, the start of the machine,
/// the hashes of bundle and catalogue. Two controllers share no name of vehicle, order or entry.
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
