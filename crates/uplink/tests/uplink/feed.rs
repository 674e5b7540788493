//! The feed: only what central signed for our question, and never anything older.

use crate::double::*;
use axum::{Json, Router, routing::post};
use std::time::Duration;
use vernport_api::{Feed, FeedNonce, FeedRequest, MAX_WAIT_MS};
use vernport_crypto::{SigningKey, WrappingKey};
use vernport_policy::{Head, HeadError, Merged, Snapshot, Tip};
use vernport_types::{LinkHash, SegmentId, UtcMicros};
use vernport_uplink::{FeedError, HeadGuard, StateError};

const NONCE: FeedNonce = FeedNonce([5; 16]);

fn central() -> SigningKey {
    SigningKey::from_seed([1; 32])
}

fn snapshot(bundle: u8) -> Snapshot {
    Snapshot {
        format: Snapshot::FORMAT,
        controller: "NO-999999999".parse().expect("a controller"),
        gateway: gateway(),
        bundle_hash: [bundle; 32],
        identify_open: false,
        grants: vec![],
        closed: vec![],
        recipient_keys: vec![],
        recovery: WrappingKey::from_bytes([2; 32]),
    }
}

fn head(era: u32, sequence: u64, snapshot: &Snapshot) -> Head {
    Head { era, sequence, at: UtcMicros(7), nonce: NONCE.0, snapshot_hash: snapshot.hash() }
}

fn feed(head: Head, snapshot: Option<Snapshot>) -> Feed {
    Feed { head: head.sign(&central()), snapshot, merged: None, era: None, notices: Vec::new() }
}

/// A guard that has seen head (1, 10).
fn guard() -> HeadGuard {
    let mut guard = HeadGuard::new(central().verifying_key(), None);
    guard
        .check(&feed(head(1, 10, &snapshot(1)), Some(snapshot(1))), &gateway(), NONCE, None)
        .expect("the first is believed");
    guard
}

/// Checks that the guard refuses, and is none the wiser.
fn refused(feed: &Feed, known: Option<[u8; 32]>) -> StateError {
    let mut guard = guard();
    let before = guard.last().copied();
    let error = guard.check(feed, &gateway(), NONCE, known).expect_err("must not be believed");
    assert_eq!(guard.last().copied(), before);
    error
}

#[test]
fn heads_are_believed_one_after_the_other_with_and_without_a_new_snapshot() {
    let mut guard = guard();
    let old = snapshot(1);
    guard
        .check(&feed(head(1, 11, &old), None), &gateway(), NONCE, Some(old.hash()))
        .expect("the same snapshot holds");
    let new = snapshot(2);
    guard
        .check(&feed(head(1, 99, &new), Some(new.clone())), &gateway(), NONCE, Some(old.hash()))
        .expect("a new one holds");
    assert_eq!(guard.last().map(|head| (head.era, head.sequence)), Some((1, 99)));
}

#[test]
fn a_head_of_another_signer_or_with_one_bit_changed_is_not_believed() {
    let new = snapshot(2);
    let forged = Feed {
        head: head(1, 11, &new).sign(&SigningKey::from_seed([9; 32])),
        snapshot: Some(new.clone()),
        merged: None,
        era: None,
        notices: Vec::new(),
    };
    assert!(matches!(refused(&forged, None), StateError::Head(HeadError::Signature(_))));
    let mut changed = feed(head(1, 11, &new), Some(new));
    changed.head.head.sequence += 1;
    assert!(matches!(refused(&changed, None), StateError::Head(HeadError::Signature(_))));
}

#[test]
fn the_answer_to_another_question_is_not_believed() {
    let new = snapshot(2);
    let old_answer = feed(Head { nonce: [6; 16], ..head(1, 11, &new) }, Some(new));
    assert!(matches!(refused(&old_answer, None), StateError::Head(HeadError::Nonce)));
}

#[test]
fn era_and_sequence_never_go_down() {
    let old = snapshot(1);
    for (era, sequence) in [(1, 9), (1, 0), (0, u64::MAX)] {
        let error = refused(&feed(head(era, sequence, &old), Some(old.clone())), None);
        assert!(
            matches!(error, StateError::Head(HeadError::Backwards { .. })),
            "({era}, {sequence}): {error}"
        );
    }
}

#[test]
fn a_registry_that_was_behind_once_is_not_believed_when_its_sequence_catches_up() {
    let (old, mut guard) = (snapshot(1), guard());
    let mut check =
        |sequence| guard.check(&feed(head(1, sequence, &old), Some(old.clone())), &gateway(), NONCE, None);
    check(11).expect("in order");
    for sequence in [5, 12, 4_000] {
        let error = check(sequence).expect_err("it was behind");
        assert!(matches!(error, StateError::Head(HeadError::Backwards { .. })), "{sequence}: {error}");
    }
}

#[test]
fn a_new_era_is_not_believed_for_central_s_signature_alone() {
    let new = snapshot(2);
    let error = refused(&feed(head(2, 11, &new), Some(new)), None);
    assert!(matches!(error, StateError::NewEra { last: 1, found: 2 }), "{error}");
}

/// What a controller signs to begin an era.
fn begun(controller: &str, era: u32, key: &SigningKey) -> vernport_policy::SignedEra {
    let era = vernport_policy::Era {
        controller: controller.parse().expect("an id"),
        era,
        at: UtcMicros(1),
        entries: 3,
        ledger_hash: [3; 32],
    };
    era.sign(key)
}

#[test]
fn a_new_era_is_believed_when_its_controller_signed_it_with_the_bundle_key() {
    let (new, bundle_key) = (snapshot(2), SigningKey::from_seed([4; 32]));
    let of = new.controller.to_string();
    let guarded = || guard().with_eras_of(new.controller.clone(), bundle_key.verifying_key());
    let with = |era| Feed { era, ..feed(head(2, 0, &new), Some(new.clone())) };
    let others = [
        None,
        Some(begun(&of, 3, &bundle_key)),
        Some(begun("DK-10628334", 2, &bundle_key)),
        Some(begun(&of, 2, &SigningKey::from_seed([9; 32]))),
        Some(begun(&of, 2, &central())),
    ];
    for era in others {
        let mut guard = guarded();
        let error = guard.check(&with(era), &gateway(), NONCE, None).expect_err("not begun");
        assert!(matches!(error, StateError::NewEra { last: 1, found: 2 }) && error.is_rolled_back());
        assert_eq!(guard.last().map(|head| head.era), Some(1), "nothing changed");
    }
    let mut guard = guarded();
    guard.check(&with(Some(begun(&of, 2, &bundle_key))), &gateway(), NONCE, None).expect("begun");
    // The old era is over for good.
    let old = feed(head(1, 99, &new), Some(new.clone()));
    let error = guard.check(&old, &gateway(), NONCE, None).expect_err("of the era before");
    assert!(matches!(error, StateError::Head(HeadError::Backwards { .. })) && error.is_rolled_back());
}

#[test]
fn another_snapshot_than_the_signed_one_is_not_believed() {
    let (old, new) = (snapshot(1), snapshot(2));
    let swapped = feed(head(1, 11, &new), Some(old.clone()));
    assert!(matches!(refused(&swapped, None), StateError::Head(HeadError::Snapshot)));
    let withheld = feed(head(1, 11, &new), None);
    assert!(matches!(refused(&withheld, Some(old.hash())), StateError::SnapshotMissing));
    assert!(matches!(refused(&withheld, None), StateError::SnapshotMissing));
}

/// Central that answers each question rightly; `lag` before the answer.
async fn answering(lag: Duration) -> Double {
    let handler = move |Json(question): Json<FeedRequest>| async move {
        assert_eq!(question.gateway, gateway());
        assert!(question.wait_ms <= MAX_WAIT_MS);
        tokio::time::sleep(lag).await;
        let known = question.known.is_some();
        let snapshot = snapshot(1);
        let head = Head { nonce: question.nonce.0, ..head(1, if known { 11 } else { 10 }, &snapshot) };
        Json(feed(head, (!known).then_some(snapshot)))
    };
    Double::start(Router::new().route("/v1/feed", post(handler))).await
}

#[tokio::test]
async fn the_feed_brings_a_snapshot_first_and_a_fresh_head_afterwards() {
    let double = answering(Duration::ZERO).await;
    let (uplink, mut guard) = (double.uplink(), HeadGuard::new(central().verifying_key(), None));
    let first = uplink.feed(&mut guard, [1; 16], None, Duration::ZERO).await.expect("is believed");
    let held = first.snapshot.expect("we had none");
    let second =
        uplink.feed(&mut guard, [2; 16], Some(held.hash()), Duration::MAX).await.expect("is believed");
    assert_eq!((second.snapshot, second.head.head.sequence), (None, 11));
    // The double says sequence 10 to who has nothing: too old by now.
    let error = uplink.feed(&mut guard, [3; 16], None, Duration::ZERO).await.expect_err("is old");
    assert!(matches!(error, FeedError::State(StateError::Head(HeadError::Backwards { .. }))), "{error}");
}

#[tokio::test]
async fn a_long_poll_may_take_what_central_was_asked_to_wait_and_the_ordinary_time() {
    // The double waits longer than an ordinary call may take.
    let double = answering(Duration::from_millis(3_500)).await;
    let (uplink, mut guard) = (double.uplink(), HeadGuard::new(central().verifying_key(), None));
    assert!(uplink.feed(&mut guard, [1; 16], None, Duration::ZERO).await.is_err());
    uplink.feed(&mut guard, [1; 16], None, Duration::from_secs(5)).await.expect("is waited for");
}

#[test]
fn what_central_knows_of_the_stations_words_is_believed_for_its_own_snapshot_only() {
    let tip =
        Tip { segment: SegmentId::from_bytes([3; 16]), sequence: 4, link: LinkHash::from_bytes([4; 32]) };
    let now = snapshot(1);
    let said = Merged { gateway: gateway(), tip, snapshot_hash: now.hash() };
    let with = |merged: Merged, key: &SigningKey| Feed {
        merged: Some(merged.sign(key)),
        ..feed(head(1, 11, &now), Some(now.clone()))
    };
    guard().check(&with(said.clone(), &central()), &gateway(), NONCE, None).expect("central's own word");
    let forged = with(said.clone(), &SigningKey::from_seed([9; 32]));
    assert!(matches!(refused(&forged, None), StateError::Merged));
    let other = Merged { gateway: "bay-9".parse().expect("a slug"), ..said.clone() };
    assert!(matches!(refused(&with(other, &central()), None), StateError::Merged));
    let earlier = Merged { snapshot_hash: snapshot(2).hash(), ..said };
    assert!(matches!(refused(&with(earlier, &central()), None), StateError::Merged));
}
