//! Gateways that end, are revoked or replaced: at once, at every process.

use crate::common::{
    Central, GATEWAY, World,
    enrolling::{BOX, NewBox, enrolling},
    open_flow, refused, slug, taken,
};
use futures_util::{StreamExt as _, stream};
use reqwest::{Body, Client, Response};
use serde_json::json;
use std::{
    io,
    time::{Duration, Instant},
};
use tokio::sync::oneshot;
use vernport_api::{
    Code, EnrolmentAnswer, FeedNonce, FeedRequest, GatewayState, GatewaysAnswer, PATH_BATCHES, PATH_FEED,
    PATH_GATEWAYS, batch::Encoder,
};
use vernport_central::Gateway;
use vernport_testkit::postgres;
use vernport_types::GrantId;

async fn feed(central: &Central, client: &Client, known: Option<[u8; 32]>, wait_ms: u32) -> Response {
    let asked = FeedRequest { gateway: slug(BOX), nonce: FeedNonce([9; 16]), known, wait_ms, notices: false };
    central.post(client, PATH_FEED, &serde_json::to_value(asked).expect("plain data")).await
}

/// A box that is enrolled, its client, what it knows and a grant of it.
async fn at_work(central: &Central) -> (NewBox, Client, [u8; 32], GrantId) {
    let new = NewBox::new(BOX);
    let gateway = central.enrolled(&new, false).await;
    let snapshot = central.feed_as(&gateway, BOX, None, 0).await.snapshot.expect("enrolled");
    let grant = open_flow(&snapshot, "odometer").expect("open").id;
    (new, gateway, snapshot.hash(), grant)
}

async fn state(central: &Central) -> GatewayState {
    let listed = central.registrar().get(central.url(PATH_GATEWAYS)).send().await.expect("an answer");
    let listed: GatewaysAnswer = taken(listed).await;
    listed.gateways.into_iter().find(|of| of.gateway.as_str() == BOX).expect("listed").state
}

#[tokio::test]
async fn a_revoked_gateway_is_refused_everywhere_at_once_and_its_open_call_ends() {
    let central = enrolling().await;
    let (new, gateway, known, grant) = at_work(&central).await;
    assert!(central.deliver_of(&gateway, &new, grant).await.status().is_success());
    central.world.advance_seconds(1);
    let begun = Instant::now();
    let (open, ()) = tokio::join!(feed(&central, &gateway, Some(known), 5_000), async {
        central.say(json!({"kind": "gateway-revoked", "gateway": BOX})).await;
    });
    refused(open, Code::CertificateRevoked).await;
    assert!(begun.elapsed() < Duration::from_secs(3), "nobody waited for the end of a poll");
    refused(feed(&central, &gateway, None, 0).await, Code::CertificateRevoked).await;
    refused(central.deliver_of(&gateway, &new, grant).await, Code::CertificateRevoked).await;
    refused(central.renew(&gateway, &new.tls).await, Code::CertificateRevoked).await;
    assert_eq!((central.stored_batches().await, state(&central).await), (1, GatewayState::Revoked));
    assert_eq!(central.refusals(Code::CertificateRevoked), 4);

    // Also after a restart, and in a new box under the same name the old key counts no more.
    let central = central.restart_enrolling().await;
    refused(feed(&central, &gateway, None, 0).await, Code::CertificateRevoked).await;
    central.world.advance_seconds(1);
    let next = NewBox::new(BOX);
    let other = central.enrolled(&next, false).await;
    assert!(central.deliver_of(&other, &next, grant).await.status().is_success());
    refused(central.deliver_of(&other, &new, grant).await, Code::EnvelopeForged).await;
    refused(feed(&central, &gateway, None, 0).await, Code::CertificateRevoked).await;
}

/// In wrong hands, a box may begin to send before it is revoked and end long after.
#[tokio::test]
async fn what_a_gateway_was_still_sending_when_it_was_revoked_is_not_taken() {
    let central = enrolling().await;
    let (new, gateway, _, grant) = at_work(&central).await;
    let mut body = Encoder::default();
    for _ in 0..4 {
        body.push(grant, &central.batch_of(&new, &[7; 900 * 1024])).expect("fits");
    }
    let mut begins = body.finish();
    let ends = begins.split_off(begins.len() - 1);
    let (is_read, read) = oneshot::channel();
    let (go_on, goes_on) = oneshot::channel::<()>();
    // Asked for the rest: central has taken more than it lets lie about, so it is at the body.
    let rest = async move {
        is_read.send(()).expect("waited for");
        goes_on.await.expect("it goes on");
        Ok::<_, io::Error>(ends)
    };
    let body = stream::iter([Ok(begins)]).chain(stream::once(rest));
    let sent = gateway.post(central.url(PATH_BATCHES)).body(Body::wrap_stream(body)).send();
    let sent = tokio::spawn(sent);
    read.await.expect("central reads");
    central.world.advance_seconds(1);
    central.say(json!({"kind": "gateway-revoked", "gateway": BOX})).await;
    go_on.send(()).expect("waited for");
    let response = sent.await.expect("it ends").expect("an answer");
    assert!(!response.status().is_success(), "{}", response.status());
    assert_eq!(central.stored_batches().await, 0);
}

#[tokio::test]
async fn what_waits_at_a_gateway_that_ended_in_order_is_taken_and_nothing_else() {
    let central = enrolling().await;
    let (new, gateway, known, grant) = at_work(&central).await;
    central.world.advance_seconds(1);
    let (open, ()) = tokio::join!(feed(&central, &gateway, Some(known), 5_000), async {
        central.say(json!({"kind": "enrolment-ended", "gateway": BOX})).await;
    });
    let heard: vernport_api::Feed = taken(open).await;
    let nothing = heard.snapshot.expect("it changed");
    assert!(nothing.grants.is_empty());
    refused(feed(&central, &gateway, Some(nothing.hash()), 0).await, Code::EnrolmentEnded).await;
    refused(central.renew(&gateway, &new.tls).await, Code::EnrolmentEnded).await;
    assert!(central.deliver_of(&gateway, &new, grant).await.status().is_success());
    assert_eq!((central.stored_batches().await, state(&central).await), (1, GatewayState::Ended));
}

#[tokio::test]
async fn the_box_that_was_replaced_is_refused_and_the_new_one_delivers_what_both_signed() {
    let central = enrolling().await;
    let (old, before, _, grant) = at_work(&central).await;
    central.world.advance_seconds(1);
    refused(central.invite_for(BOX, 24, false).await, Code::AlreadyEnrolled).await;
    let new = NewBox::new(BOX);
    let after = central.enrolled(&new, true).await;
    refused(feed(&central, &before, None, 0).await, Code::CertificateRevoked).await;
    refused(central.deliver_of(&before, &old, grant).await, Code::CertificateRevoked).await;
    // The queue moved with the disk: what the old key signed is taken for a month.
    assert!(central.deliver_of(&after, &old, grant).await.status().is_success());
    assert!(central.deliver_of(&after, &new, grant).await.status().is_success());
    // A certificate of the authority that central did not issue is none of this gateway any more.
    let by_file = crate::common::client(
        &central.world.ca,
        BOX,
        vernport_testkit::pki::Role::Gateway,
        crate::common::CONTROLLER,
    );
    refused(feed(&central, &by_file, None, 0).await, Code::CertificateRevoked).await;
}

#[tokio::test]
async fn a_gateway_with_a_certificate_from_a_file_is_revoked_as_well_and_no_restart_enrols_it_again() {
    let central = enrolling().await;
    let grant = central.grant("odometer").await;
    central.world.advance_seconds(1);
    central.say(json!({"kind": "gateway-revoked", "gateway": GATEWAY})).await;
    let batch = central.world.batch("odometer");
    refused(central.send(&central.gateway(), &[(grant, &batch)]).await, Code::CertificateRevoked).await;
    let device_key = central.world.device.verifying_key();
    let configured = Gateway { name: slug(GATEWAY), site: slug("oslo"), station: slug("bay-1"), device_key };
    let world = central.stop().await;
    world.advance_seconds(1);
    let central = world.start_with(|_| {}, &[configured]).await;
    refused(central.send(&central.gateway(), &[(grant, &batch)]).await, Code::CertificateRevoked).await;
}

#[tokio::test]
async fn what_one_process_is_told_holds_at_the_other_at_once() {
    let name = "what_one_process_is_told_holds_at_the_other_at_once";
    let Some(cluster) = postgres::shared(name) else { return };
    let one = World::over_postgres(&cluster).start_enrolling().await;
    let other = std::sync::Arc::clone(&one.world).start_enrolling().await;
    one.ledger(one.world.visit()).await;
    let new = NewBox::new(BOX);
    let token = one.invite(BOX, false).await;
    let request = new.request(&token);
    // Both are asked at once with one request: one enrols, both answer with the same certificate.
    let (first, second) = tokio::join!(one.enrol(&request), other.enrol(&request));
    let (first, second): (EnrolmentAnswer, EnrolmentAnswer) = (taken(first).await, taken(second).await);
    assert_eq!(first, second);
    let thief = NewBox::new(BOX).request(&token);
    refused(other.enrol(&thief).await, Code::EnrolmentRefused).await;

    let gateway = one.as_box(&new.tls, &first.certificate);
    let known = other.feed_as(&gateway, BOX, None, 0).await.snapshot.expect("enrolled").hash();
    one.world.advance_seconds(1);
    let begun = Instant::now();
    let (open, ()) = tokio::join!(feed(&other, &gateway, Some(known), 5_000), async {
        one.say(json!({"kind": "gateway-revoked", "gateway": BOX})).await;
    });
    refused(open, Code::CertificateRevoked).await;
    assert!(begun.elapsed() < Duration::from_secs(3), "nobody waited for the end of a poll");
    for central in [&one, &other] {
        refused(feed(central, &gateway, None, 0).await, Code::CertificateRevoked).await;
    }
}
