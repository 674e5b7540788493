//! What a client finds when it comes back.

use crate::client::{How, broker, broker_with, connect, connect_v4, until};
use rumqttc::v5::mqttbytes::v5;
use std::time::Duration;

fn keep() -> How {
    How { keep: true, ..How::default() }
}

#[tokio::test]
async fn a_kept_session_gives_back_what_was_not_acknowledged_and_what_came_meanwhile() {
    let broker = broker().await;
    let (mut client, ack) = connect(&broker, "a", "c", keep()).await;
    assert!(!ack.session_present);
    client.subscribe("open/#").await;
    let (mut publisher, _) = connect(&broker, "a", "p", How::default()).await;
    for n in 1..=3 {
        publisher.publish(n, "open/x", &n.to_string()).await;
        publisher.acked(n).await;
    }
    let sent: Vec<_> = [client.message().await, client.message().await, client.message().await].into();
    client.ack(sent[1].pkid).await;
    until(|| broker.totals().acknowledged, 1).await;
    drop(client);
    until(|| broker.presence("c"), Some(false)).await;
    publisher.publish(4, "open/x", "4").await;
    publisher.acked(4).await;
    publisher.publish(0, "open/x", "not kept").await;
    publisher.nothing_more().await;

    let (mut client, ack) = connect(&broker, "a", "c", keep()).await;
    assert!(ack.session_present);
    for (payload, pkid, dup) in [("1", sent[0].pkid, true), ("3", sent[2].pkid, true)] {
        let again = client.message().await;
        assert_eq!((&again.payload[..], again.pkid, again.dup), (payload.as_bytes(), pkid, dup));
        client.ack(again.pkid).await;
    }
    let fresh = client.message().await;
    assert_eq!((&fresh.payload[..], fresh.dup), (&b"4"[..], false));
    client.ack(fresh.pkid).await;
    client.nothing_more().await;
}

#[tokio::test]
async fn a_clean_start_finds_nothing_and_leaves_nothing() {
    let broker = broker().await;
    let (mut client, _) = connect(&broker, "a", "c", keep()).await;
    client.subscribe("open/#").await;
    drop(client);
    until(|| broker.presence("c"), Some(false)).await;
    let (client, ack) = connect(&broker, "a", "c", How::default()).await;
    assert!(!ack.session_present);
    drop(client);
    until(|| broker.presence("c"), None).await;
}

#[tokio::test]
async fn a_session_is_kept_no_longer_than_the_bound() {
    let broker = broker_with(|c| c.limits.session_expiry = Duration::ZERO).await;
    for clean in [true, false] {
        let (client, present) = connect_v4(&broker, "a", "c", clean).await;
        assert!(!present);
        drop(client);
        until(|| broker.presence("c"), None).await;
    }
}

#[tokio::test]
async fn a_stopping_broker_says_so_and_a_new_one_knows_nothing() {
    let first = broker().await;
    let addr = first.addr();
    let (mut client, _) = connect(&first, "a", "c", keep()).await;
    first.stop().await;
    assert_eq!(client.closed().await, Some(v5::DisconnectReasonCode::ServerShuttingDown));
    let second = broker_with(|c| c.listen = addr).await;
    let (_, ack) = connect(&second, "a", "c", keep()).await;
    assert!(!ack.session_present);
}

#[tokio::test]
async fn a_silent_client_is_cut_after_one_and_a_half_times_its_keep_alive() {
    let broker = broker().await;
    let started = tokio::time::Instant::now();
    let how = How { keep_alive_s: 1, ..How::default() };
    let (mut client, _) = connect(&broker, "a", "c", how).await;
    assert_eq!(client.closed().await, Some(v5::DisconnectReasonCode::KeepAliveTimeout));
    assert!(started.elapsed() >= Duration::from_millis(1500));
}
