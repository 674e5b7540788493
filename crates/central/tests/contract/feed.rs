//! What a gateway hears, when, and how it can tell that it is fresh.

use crate::common::{
    ASSET, CONTROLLER, GATEWAY, ORDER, World, client, open_flow, refused, taken, with_visit,
};
use serde_json::json;
use std::time::{Duration, Instant};
use vernport_api::{Code, PATH_FEED};
use vernport_testkit::pki::Role;
use vernport_types::Reason;

#[tokio::test]
async fn heads_are_signed_answer_the_nonce_and_rise_also_over_a_restart() {
    let central = with_visit().await;
    let (key, nonce) = (central.world.head_key(), [9; 16]);
    let first = central.feed_as(&central.gateway(), GATEWAY, None, 0).await;
    let head = first.head.verify(&key, &nonce, None).expect("signed");
    assert_eq!(first.snapshot.expect("asked without one").hash(), head.snapshot_hash);
    let second = central.feed_as(&central.gateway(), GATEWAY, Some(head.snapshot_hash), 0).await;
    assert_eq!(second.snapshot, None);
    let head = second.head.verify(&key, &nonce, Some(&head)).expect("after the first");
    let central = central.restart().await;
    let third = central.feed_as(&central.gateway(), GATEWAY, Some(head.snapshot_hash), 0).await;
    assert_eq!(third.snapshot, None, "the same holds after a restart, under the same ids and aliases");
    third.head.verify(&key, &nonce, Some(&head)).expect("after the second");
}

#[tokio::test]
async fn a_snapshot_opens_what_has_a_basis_and_says_why_the_rest_is_closed() {
    let central = World::new().start().await;
    let mut visit = central.world.visit();
    visit.retain(|entry| entry["event"]["kind"] != "consent-given");
    central.ledger(visit).await;
    let snapshot = central.snapshot().await;
    assert!(open_flow(&snapshot, "odometer").is_some());
    let closed = &snapshot.grants[0].closed;
    assert_eq!(closed, &[(crate::common::slug("speed"), Reason::ConsentMissing)]);
    assert_eq!(snapshot.grants[0].identifiers, [central.world.index()]);
    assert_eq!(snapshot.recovery, central.world.recovery.wrapping_key());
}

#[tokio::test]
async fn a_gateway_hears_which_versions_of_the_notice_were_served_and_by_which_entry() {
    let central = with_visit().await;
    let told = |feed: &vernport_api::Feed| -> Vec<String> {
        feed.notices.iter().map(|notice| format!("{} {}", notice.version, notice.published)).collect()
    };
    let feed = central.feed_as(&central.gateway(), GATEWAY, None, 0).await;
    assert_eq!(told(&feed), ["notice-1 true"], "the bundle has a newer one, which waits");
    let snapshot = feed.snapshot.expect("asked without one");
    let odometer = open_flow(&snapshot, "odometer").expect("open");
    assert!(odometer.rests_on.contains(&feed.notices[0].entry));
    let again = central.feed_as(&central.gateway(), GATEWAY, Some(snapshot.hash()), 0).await;
    assert_eq!(told(&again), [""; 0], "told beside a snapshot only");
    // Whoever does not ask, because it would not know what to do with it, is not told.
    let asked = json!({"gateway": GATEWAY, "nonce": "09".repeat(16), "known": null, "wait_ms": 0});
    let old: vernport_api::Feed = taken(central.post(&central.gateway(), PATH_FEED, &asked).await).await;
    assert_eq!((old.notices.len(), old.snapshot), (0, Some(snapshot)));

    central
        .say(json!({"kind": "notice-served", "notice": "notice-2", "text_hash": "07".repeat(32),
        "language": "en", "method": "web"}))
        .await;
    let feed = central.feed_as(&central.gateway(), GATEWAY, None, 0).await;
    let snapshot = feed.snapshot.expect("asked without one");
    let odometer = open_flow(&snapshot, "odometer").expect("open");
    let version = |entry| {
        feed.notices.iter().find(|notice| notice.entry == entry).map(|notice| notice.version.as_str())
    };
    assert_eq!(version(odometer.rests_on[0]), Some("notice-2"), "from now on it is the one in force");
    assert_eq!(feed.notices.len(), 2);
}

#[tokio::test]
async fn whoever_waits_hears_of_a_withdrawal_at_once() {
    let central = with_visit().await;
    let gateway = central.gateway();
    let known = central.snapshot().await.hash();
    let speed = central.grant("speed").await;
    let begun = Instant::now();
    let (heard, ()) = tokio::join!(central.feed_as(&gateway, GATEWAY, Some(known), 5_000), async {
        let scope = json!({"receipt": World::receipt()});
        central.say(json!({"kind": "consent-withdrawn", "scope": scope, "method": "web"})).await;
    });
    assert!(begun.elapsed() < Duration::from_secs(4), "it did not wait for the end of the poll");
    let snapshot = heard.snapshot.expect("changed");
    assert!(open_flow(&snapshot, "speed").is_none() && open_flow(&snapshot, "odometer").is_some());
    assert!(
        snapshot.closed.iter().any(|closed| closed.id == speed && closed.reason == Reason::ConsentWithdrawn)
    );
}

#[tokio::test]
async fn a_poll_without_news_waits_its_time_and_ends_with_a_fresh_head() {
    let central = with_visit().await;
    let known = central.snapshot().await.hash();
    let begun = Instant::now();
    let heard = central.feed_as(&central.gateway(), GATEWAY, Some(known), 300).await;
    assert!(begun.elapsed() >= Duration::from_millis(300));
    assert_eq!((heard.snapshot, heard.head.head.snapshot_hash), (None, known));
}

#[tokio::test]
async fn a_central_that_stops_keeps_nobody_waiting() {
    let central = with_visit().await;
    let (gateway, url) = (central.gateway(), central.url(PATH_FEED));
    let known = central.snapshot().await.hash();
    let asked =
        json!({"gateway": GATEWAY, "nonce": "09".repeat(16), "known": hex::encode(known), "wait_ms": 5_000});
    let poll = tokio::spawn(gateway.post(url).body(asked.to_string()).send());
    let begun = Instant::now();
    central.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(4));
    // Answered, or never taken: both tell the gateway to come again.
    let _ = poll.await.expect("no panic");
}

#[tokio::test]
async fn an_order_ends_by_itself_and_an_ended_enrolment_leaves_nothing_open() {
    let central = with_visit().await;
    let odometer = central.grant("odometer").await;
    central.world.advance_seconds(2 * 86_400);
    let snapshot = central.snapshot().await;
    assert_eq!(snapshot.grants, []);
    let reason = |reason| {
        move |closed: &&vernport_policy::ClosedGrant| closed.id == odometer && closed.reason == reason
    };
    assert!(snapshot.closed.iter().any(|closed| reason(Reason::OrderNotOpen)(&closed)));

    // A clock set back reopens nothing, and no head bears an earlier time.
    let ended_at = central.world.now();
    central.world.advance_seconds(-3_600);
    let heard = central.feed_as(&central.gateway(), GATEWAY, None, 0).await;
    assert_eq!(
        (heard.snapshot.expect("asked without one").grants, heard.head.head.at),
        (Vec::new(), ended_at)
    );

    let central = with_visit().await;
    central.say(json!({"kind": "enrolment-ended", "gateway": GATEWAY})).await;
    let snapshot = central.snapshot().await;
    assert_eq!((snapshot.grants, snapshot.identify_open), (Vec::new(), false));
    let spare = client(&central.world.ca, "bay-1-spare", Role::Gateway, CONTROLLER);
    let there = central.feed_as(&spare, "bay-1-spare", None, 0).await.snapshot.expect("asked without one");
    assert!(open_flow(&there, "odometer").is_some(), "the other gateway of the station goes on");
}

#[tokio::test]
async fn a_gateway_that_came_later_is_told_of_the_end_of_what_it_knew() {
    let central = World::new().start().await;
    let mut visit = central.world.visit();
    let spare = visit.iter().position(|entry| entry["event"]["gateway"] == "bay-1-spare").expect("there");
    let spare = visit.remove(spare);
    central.ledger(visit).await;
    let odometer = central.grant("odometer").await;
    central.ledger(vec![spare]).await;
    let client = client(&central.world.ca, "bay-1-spare", Role::Gateway, CONTROLLER);
    let snapshot = central.feed_as(&client, "bay-1-spare", None, 0).await.snapshot.expect("enrolled");
    assert_eq!(open_flow(&snapshot, "odometer").expect("open").id, odometer);
    let central = {
        central.say(json!({"kind": "order-closed", "order": ORDER})).await;
        central.restart().await
    };
    let snapshot = central.feed_as(&client, "bay-1-spare", None, 0).await.snapshot.expect("enrolled");
    assert!(snapshot.closed.iter().any(|over| over.id == odometer && over.reason == Reason::OrderNotOpen));
}

#[tokio::test]
async fn private_mode_closes_and_coming_back_is_another_grant() {
    let central = with_visit().await;
    let before = central.grant("speed").await;
    central.say(json!({"kind": "private-mode-started", "asset": ASSET})).await;
    let private = central.snapshot().await;
    assert!(open_flow(&private, "speed").is_none());
    assert!(private.closed.iter().any(|over| over.id == before && over.reason == Reason::PrivateMode));
    central.world.advance_seconds(1);
    central.say(json!({"kind": "private-mode-ended", "asset": ASSET})).await;
    let back = central.snapshot().await;
    assert_ne!(open_flow(&back, "speed").expect("open").id, before);
    assert!(back.closed.iter().any(|over| over.id == before), "it may still have batches on the way");
}

#[tokio::test]
async fn a_gateway_asks_for_itself_only() {
    let central = with_visit().await;
    let asked = json!({"gateway": "bay-1-spare", "nonce": "09".repeat(16), "known": null, "wait_ms": 0});
    refused(central.post(&central.gateway(), PATH_FEED, &asked).await, Code::OtherGateway).await;
    let stranger = client(&central.world.ca, "bay-9", Role::Gateway, CONTROLLER);
    let asked = json!({"gateway": "bay-9", "nonce": "09".repeat(16), "known": null, "wait_ms": 0});
    refused(central.post(&stranger, PATH_FEED, &asked).await, Code::OtherGateway).await;
}
