//! Orders to erase: exactly the right batches go, everybody who read them hears of it, and what is
//! certified is so. Invariant 11.

use crate::common::{ASSET, CONTROLLER, Central, DRIVER, World, client, refused, slug, taken, with_visit};
use serde_json::{Value, json};
use vernport_api::{
    Answer, Blob, Certificate, Code, ConfirmAnswer, DeletionState, DeletionsAnswer, ErasureAnswer,
    ErasureState, KeptBy, NotReached, PATH_CONFIRM_DELETIONS, PATH_DELETIONS, PATH_ERASURES, PATH_READS,
    ReadAnswer,
};
use vernport_testkit::pki::Role;
use vernport_types::{EntryHash, GrantId};

pub(crate) const OTHER: &str = "d71e0000000000000000000000000002";
const DAY_SECONDS: i64 = 86_400;

/// A consent of a person to coaching, under a receipt of its own.
pub(crate) fn consent(central: &Central, subject: &str) -> Value {
    json!({"kind": "consent-given", "subject": subject, "role": "driver", "purpose": "coaching",
           "categories": ["driving-behaviour"], "recipient": "coach", "processing": "speed in steps",
           "form": "coaching-1", "text_hash": "00".repeat(32), "language": "en", "method": "screen",
           "recorded_by": "counter-7", "receipt": vernport_registry::ReceiptCode::from_bytes([8; 7]).to_string(),
           "valid_until": central.world.now().plus_seconds(DAY_SECONDS).0})
}

pub(crate) fn erase(whom: &Value) -> Value {
    json!({"kind": "erasure-ordered", "whom": whom, "ground": "consent-withdrawn", "case": "case 7"})
}

/// Everything that a recipient can read.
pub(crate) async fn readable(central: &Central, name: &str) -> Vec<Vec<u8>> {
    let key = if name == "workshop" { &central.world.workshop } else { &central.world.coach };
    let asked = json!({"controller": CONTROLLER, "task": "test", "after": null, "limit": 64,
                       "recipient_key": key.wrapping_key().key_id()});
    let client = client(&central.world.ca, name, Role::Recipient, CONTROLLER);
    let answer: ReadAnswer = taken(central.post(&client, PATH_READS, &asked).await).await;
    answer.envelopes.into_iter().map(|Blob(bytes)| bytes).collect()
}

/// Delivers a batch of a flow under the grant that is open now.
pub(crate) async fn keep(central: &Central, flow: &str) -> Vec<u8> {
    let (grant, batch) = (central.grant(flow).await, central.world.batch(flow));
    assert_eq!(central.deliver(&[(grant, &batch)]).await, [Answer::Committed]);
    batch
}

/// Waits until an erasure has so many certificates, and reads the last one.
pub(crate) async fn certified(
    central: &Central,
    entry: EntryHash,
    number: u32,
) -> (ErasureAnswer, Certificate) {
    let read = |answer: &ErasureAnswer| {
        let last = answer.certificates.last()?;
        Some(last.verify(&central.world.head_key()).expect("signed by the head key"))
    };
    let is_there = |answer: &ErasureAnswer| read(answer).is_some_and(|last| last.number >= number);
    let answer = erasure_until(central, entry, is_there).await;
    let last = read(&answer).expect("it is there");
    (answer, last)
}

/// Waits for a state of an order to erase.
async fn erasure_until(
    central: &Central,
    entry: EntryHash,
    is_it: impl Fn(&ErasureAnswer) -> bool,
) -> ErasureAnswer {
    for _ in 0..1_000 {
        let asked = json!({"entry": entry});
        let answer: ErasureAnswer =
            taken(central.post(&central.registrar(), PATH_ERASURES, &asked).await).await;
        if is_it(&answer) {
            return answer;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("{entry} does not come to that")
}

pub(crate) async fn order(central: &Central, whom: Value) -> EntryHash {
    let answer = central.say(erase(&whom)).await;
    assert_eq!(answer.effect.erasures, [answer.results[0].entry], "the answer names the certificate");
    answer.results[0].entry
}

#[tokio::test]
async fn erasing_one_of_two_drivers_takes_what_is_about_that_one_only() {
    let central = with_visit().await;
    let first = [keep(&central, "speed").await, keep(&central, "odometer").await];
    let (speed, odometer) = (central.grant("speed").await, central.grant("odometer").await);
    central.world.advance_seconds(60);
    central
        .ledger(vec![
            central
                .world
                .entry(json!({"kind": "unlinked", "asset": ASSET, "subject": DRIVER, "role": "driver"})),
            central
                .world
                .entry(json!({"kind": "linked", "asset": ASSET, "subject": OTHER, "role": "driver"})),
            central.world.entry(consent(&central, OTHER)),
        ])
        .await;
    let second = [keep(&central, "speed").await, keep(&central, "odometer").await];
    central.world.advance_seconds(60);

    let entry = order(&central, json!({"subject": DRIVER})).await;
    let (answer, certificate) = certified(&central, entry, 1).await;
    assert_eq!((answer.state, certificate.complete), (ErasureState::Complete, true));
    assert_eq!((certificate.epochs, certificate.batches), (2, 2));
    assert_eq!(certificate.epoch_hashes.len(), 2);
    assert_eq!(readable(&central, "coach").await, [second[0].clone()]);
    assert_eq!(readable(&central, "workshop").await, [second[1].clone()]);
    assert_eq!(central.stored_batches().await, 2, "the bodies of the first driver are gone");

    // Later ones of the old grants are refused, those of the other driver come in.
    for (grant, flow) in [(speed, "speed"), (odometer, "odometer")] {
        let late = central.world.batch(flow);
        assert_eq!(central.deliver(&[(grant, &late)]).await, [Answer::RefusedWithdrawn]);
    }
    keep(&central, "speed").await;
    assert!(!readable(&central, "coach").await.contains(&first[0]));
}

#[tokio::test]
async fn erasing_one_purpose_leaves_the_other_open() {
    let central = with_visit().await;
    keep(&central, "speed").await;
    let odometer = keep(&central, "odometer").await;
    let mut ordered = erase(&json!({"subject": DRIVER}));
    ordered["purpose"] = json!("coaching");
    let entry = central.say(ordered).await.results[0].entry;
    let (_, certificate) = certified(&central, entry, 1).await;
    assert_eq!((certificate.epochs, certificate.complete), (1, true));
    assert_eq!(readable(&central, "coach").await, Vec::<Vec<u8>>::new());
    assert_eq!(readable(&central, "workshop").await, [odometer]);
}

/// A vehicle whose owner changes at noon, with a batch of each owner; the second owner's, and noon.
async fn sold() -> (Central, Vec<u8>, i64) {
    let central = with_visit().await;
    central.say(json!({"kind": "linked", "asset": ASSET, "subject": OTHER, "role": "owner"})).await;
    keep(&central, "odometer").await;
    central.world.advance_seconds(3_600);
    let noon = central.world.now().0;
    let new_owner = "0e0e0000000000000000000000000003";
    central.say(json!({"kind": "owner-changed", "asset": ASSET, "owners": [new_owner]})).await;
    central.world.advance_seconds(1);
    let after = keep(&central, "odometer").await;
    central.world.advance_seconds(3_600);
    (central, after, noon)
}

#[tokio::test]
async fn erasing_the_former_owner_of_a_vehicle_sold_at_noon_takes_the_morning_only() {
    let (central, after, _) = sold().await;
    let entry = order(&central, json!({"subject": OTHER})).await;
    let (_, certificate) = certified(&central, entry, 1).await;
    assert_eq!((certificate.epochs, certificate.batches, certificate.complete), (1, 1, true));
    assert_eq!(readable(&central, "workshop").await, [after]);
    assert_eq!(central.stored_batches().await, 1);
}

#[tokio::test]
async fn erasing_a_vehicle_up_to_noon_leaves_what_the_new_owner_brought() {
    let (central, after, noon) = sold().await;
    let mut entry = central.world.entry(erase(&json!({"asset": ASSET})));
    entry["occurred_at"] = json!(noon - 1);
    let entry = central.ledger(vec![entry]).await.results[0].entry;
    let (_, certificate) = certified(&central, entry, 1).await;
    assert_eq!((certificate.epochs, certificate.complete), (1, true));
    assert_eq!(readable(&central, "workshop").await, [after]);
}

#[tokio::test]
async fn erasing_by_a_counter_whose_clock_is_behind_takes_what_was_open_before_it() {
    let central = World::new().start().await;
    let said = |mut entry: Value| {
        entry["occurred_at"] = json!(central.world.now().0 - 600 * 1_000_000);
        entry
    };
    central.ledger(central.world.visit().into_iter().map(said).collect()).await;
    keep(&central, "speed").await;
    central.world.advance_seconds(60);
    let entry = said(central.world.entry(erase(&json!({"subject": DRIVER}))));
    let entry = central.ledger(vec![entry]).await.results[0].entry;
    let (_, certificate) = certified(&central, entry, 1).await;
    assert_eq!((certificate.batches, certificate.complete), (1, true));
    assert_eq!(readable(&central, "coach").await, Vec::<Vec<u8>>::new());
}

fn hold(scope: &Value, until: i64) -> Value {
    json!({"kind": "hold-set", "scope": scope, "ground": "dispute", "citation": "claim 9", "until": until})
}

#[tokio::test]
async fn a_hold_over_one_flow_keeps_exactly_that_until_its_end_and_then_it_is_erased() {
    let central = with_visit().await;
    keep(&central, "speed").await;
    keep(&central, "odometer").await;
    let until = central.world.now().plus_seconds(3 * DAY_SECONDS).0;
    let held = central.say(hold(&json!({"flows": {"flows": ["odometer"]}}), until)).await.results[0].entry;
    let entry = order(&central, json!({"subject": DRIVER})).await;
    let (answer, certificate) = certified(&central, entry, 1).await;
    assert_eq!((answer.state, certificate.complete, certificate.epochs), (ErasureState::Kept, false, 1));
    let [kept] = &certificate.kept[..] else { panic!("one hold: {certificate:?}") };
    assert_eq!((kept.by, kept.entry, kept.epochs, kept.batches), (KeptBy::Hold, held, 1, 1));
    assert_eq!(kept.until.map(|until| until.0), Some(until));
    assert_eq!(central.stored_batches().await, 1, "the odometer is kept …");
    assert_eq!(readable(&central, "workshop").await, Vec::<Vec<u8>>::new(), "… and used for nothing else");

    central.world.advance_seconds(3 * DAY_SECONDS - 1);
    let central = central.restart().await;
    assert_eq!(certified(&central, entry, 1).await.1.number, 1, "nothing new before the end of the hold");
    central.world.advance_seconds(1);
    let (answer, certificate) = certified(&central, entry, 2).await;
    assert_eq!((answer.state, certificate.complete, certificate.epochs), (ErasureState::Complete, true, 2));
    assert_eq!((central.stored_batches().await, answer.certificates.len()), (0, 2));
}

/// What became of an order, once it is over.
async fn over(central: &Central, entry: EntryHash) -> ErasureAnswer {
    let is_over =
        |answer: &ErasureAnswer| matches!(answer.state, ErasureState::Complete | ErasureState::Voided);
    erasure_until(central, entry, is_over).await
}

#[tokio::test]
async fn an_order_that_was_a_mistake_ends_without_a_word_that_nothing_is_left() {
    let central = with_visit().await;
    keep(&central, "speed").await;
    keep(&central, "odometer").await;
    let until = central.world.now().plus_seconds(3 * DAY_SECONDS).0;
    central.say(hold(&json!({"flows": {"flows": ["odometer", "speed"]}}), until)).await;
    let entry = order(&central, json!({"subject": DRIVER})).await;
    assert_eq!(certified(&central, entry, 1).await.0.state, ErasureState::Kept);
    central.world.advance_seconds(1);
    central.say(json!({"kind": "voided", "entry": entry, "reason": "mistake"})).await;
    let ended = over(&central, entry).await;
    let last = ended.certificates.last().expect("one more").verify(&central.world.head_key());
    let last = last.expect("signed by the head key");
    assert_eq!((ended.state, last.number), (ErasureState::Voided, 2));
    assert_eq!((last.complete, last.epochs, last.kept), (false, 0, vec![]));
    assert_eq!(central.stored_batches().await, 2);
}

#[tokio::test]
async fn an_order_that_was_voided_at_once_is_certified_as_nothing_at_all() {
    let central = with_visit().await;
    keep(&central, "speed").await;
    let ordered = central.world.entry(erase(&json!({"subject": DRIVER})));
    let until = central.world.now().plus_seconds(DAY_SECONDS).0;
    central.say(hold(&json!({"flows": {"flows": ["speed"]}}), until)).await;
    let entry = central.ledger(vec![ordered]).await.results[0].entry;
    central.say(json!({"kind": "voided", "entry": entry, "reason": "mistake"})).await;
    let ended = over(&central, entry).await;
    assert_eq!((ended.state, central.stored_batches().await), (ErasureState::Voided, 1));
    for certificate in ended.certificates {
        let certificate = certificate.verify(&central.world.head_key()).expect("signed by the head key");
        assert_eq!((certificate.complete, certificate.epochs), (false, 0), "it was looked at before");
    }
}

#[tokio::test]
async fn a_hold_over_one_epoch_keeps_that_one_and_no_other_of_its_flow() {
    let central = with_visit().await;
    let grant = central.grant("odometer").await;
    let header = central.world.header("odometer");
    let kept = central.world.envelope(&header, b"sealed bytes of at least a tag's length");
    central.deliver(&[(grant, &kept)]).await;
    keep(&central, "odometer").await;
    let until = central.world.now().plus_seconds(DAY_SECONDS).0;
    central.say(hold(&json!({"epochs": [header.epoch]}), until)).await;
    let entry = order(&central, json!({"asset": ASSET})).await;
    let (_, certificate) = certified(&central, entry, 1).await;
    assert_eq!((certificate.epochs, certificate.kept[0].epochs), (1, 1));
    assert_eq!(central.stored_batches().await, 1);
}

#[tokio::test]
async fn what_is_restricted_is_erased_when_the_restriction_is_lifted() {
    let central = with_visit().await;
    keep(&central, "speed").await;
    let restricted =
        json!({"kind": "restriction-set", "whom": {"subject": DRIVER}, "ground": "unlawful", "case": "c"});
    let restriction = central.say(restricted).await.results[0].entry;
    let entry = order(&central, json!({"subject": DRIVER})).await;
    let (_, certificate) = certified(&central, entry, 1).await;
    assert_eq!((certificate.epochs, certificate.kept[0].by), (0, KeptBy::Restriction));
    assert_eq!(central.stored_batches().await, 1);
    central.world.advance_seconds(1);
    central
        .say(json!({"kind": "restriction-lifting-announced", "restriction": restriction, "method": "web",
                    "evidence": "e"}))
        .await;
    central.world.advance_seconds(1);
    central.say(json!({"kind": "restriction-lifted", "restriction": restriction})).await;
    let (answer, certificate) = certified(&central, entry, 2).await;
    assert_eq!((answer.state, certificate.epochs), (ErasureState::Complete, 1));
    assert_eq!(central.stored_batches().await, 0);
}

#[tokio::test]
async fn whoever_read_it_is_told_to_delete_and_confirms_or_is_late() {
    let central = with_visit().await;
    keep(&central, "speed").await;
    keep(&central, "odometer").await;
    assert_eq!(readable(&central, "coach").await.len(), 1);
    let entry = order(&central, json!({"subject": DRIVER})).await;
    let (answer, certificate) = certified(&central, entry, 1).await;
    let [ordered] = &answer.deletions[..] else { panic!("only the coach read something") };
    assert_eq!((ordered.recipient.as_str(), ordered.batches), ("coach", 1));
    assert_eq!((ordered.state, ordered.fetched_at), (DeletionState::Ordered, None));
    assert_eq!(certificate.read_before[0].recipient, slug("coach"));
    assert!(certificate.not_reached.contains(&NotReached::KeysUnwrappedBefore));

    let coach = client(&central.world.ca, "coach", Role::Recipient, CONTROLLER);
    let workshop = client(&central.world.ca, "workshop", Role::Recipient, CONTROLLER);
    let asked = json!({"after": null, "limit": 10});
    let confirm = json!({"deletions": [ordered.id]});
    // Nobody confirms what he was not told, or what another was told.
    let early: ConfirmAnswer = taken(central.post(&coach, PATH_CONFIRM_DELETIONS, &confirm).await).await;
    assert_eq!(early.confirmed, 0);
    let nothing: DeletionsAnswer = taken(central.post(&workshop, PATH_DELETIONS, &asked).await).await;
    assert_eq!((nothing.deletions, nothing.cursor), (Vec::new(), None));
    let told: DeletionsAnswer = taken(central.post(&coach, PATH_DELETIONS, &asked).await).await;
    assert_eq!((told.deletions.len(), told.deletions[0].epoch), (1, ordered.epoch));
    let foreign: ConfirmAnswer = taken(central.post(&workshop, PATH_CONFIRM_DELETIONS, &confirm).await).await;
    assert_eq!(foreign.confirmed, 0);

    central.world.advance_seconds(31 * DAY_SECONDS);
    let (answer, _) = certified(&central, entry, 1).await;
    assert_eq!(answer.deletions[0].state, DeletionState::Late);
    let mine: ConfirmAnswer = taken(central.post(&coach, PATH_CONFIRM_DELETIONS, &confirm).await).await;
    assert_eq!(mine.confirmed, 1);
    let (answer, _) = certified(&central, entry, 1).await;
    assert_eq!(answer.deletions[0].state, DeletionState::Confirmed);
    let told: DeletionsAnswer = taken(central.post(&coach, PATH_DELETIONS, &asked).await).await;
    assert_eq!(told.deletions, []);

    refused(central.post(&central.registrar(), PATH_DELETIONS, &asked).await, Code::RoleNotAllowed).await;
    refused(central.post(&coach, PATH_ERASURES, &json!({"entry": entry})).await, Code::RoleNotAllowed).await;
    for limit in [0, 257] {
        let asked = json!({"after": null, "limit": limit});
        refused(central.post(&coach, PATH_DELETIONS, &asked).await, Code::BadRequest).await;
    }
}

#[tokio::test]
async fn an_entry_that_orders_no_erasure_has_no_certificate() {
    let central = with_visit().await;
    let asked = json!({"entry": "00".repeat(32)});
    refused(central.post(&central.registrar(), PATH_ERASURES, &asked).await, Code::NotFound).await;
}

#[tokio::test]
async fn an_erasure_that_is_broken_off_again_and_again_is_carried_out_all_the_same() {
    let central = with_visit().await;
    let grant = central.grant("odometer").await;
    for _ in 0..150 {
        let batch = central.world.batch("odometer");
        central.deliver(&[(grant, &batch)]).await;
    }
    let entry = order(&central, json!({"subject": DRIVER})).await;
    let mut central = central;
    for _ in 0..8 {
        central = central.restart().await;
    }
    let (_, certificate) = certified(&central, entry, 1).await;
    assert_eq!((certificate.epochs, certificate.batches, certificate.complete), (150, 150, true));
    assert_eq!(central.stored_batches().await, 0);
    let late = central.world.batch("odometer");
    assert_eq!(central.deliver(&[(grant, &late)]).await, [Answer::RefusedWithdrawn]);
}

/// For the tests of restores: a grant by its flow, with what was delivered.
pub(crate) async fn granted(central: &Central, flow: &str) -> (GrantId, Vec<u8>) {
    (central.grant(flow).await, keep(central, flow).await)
}

/// A withdrawal of the driver's consent.
pub(crate) fn withdrawal() -> Value {
    json!({"kind": "consent-withdrawn", "scope": {"receipt": World::receipt()}, "method": "web"})
}
