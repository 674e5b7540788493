//! Every bound, from outside.

use crate::client::{Client, How, broker, broker_with, connect, handshake, publish, until};
use rumqttc::v5::mqttbytes::{QoS, v5};
use std::time::Duration;

#[tokio::test]
async fn one_connection_too_many_is_closed_and_its_place_can_be_taken_later() {
    let broker = broker_with(|c| c.limits.connections = 2).await;
    let (first, _) = connect(&broker, "a", "1", How::default()).await;
    let (_second, _) = connect(&broker, "a", "2", How::default()).await;
    let mut third = Client::open(broker.addr()).await;
    assert_eq!(third.closed().await, None);
    drop(first);
    until(|| broker.presence("1"), None).await;
    // The place is free an instant after the session is.
    loop {
        let mut next = Client::open(broker.addr()).await;
        next.send(v5::Packet::PingReq(v5::PingReq)).await;
        let refused = broker.totals().connections_refused;
        if next.next().await.is_none() && broker.totals().malformed > 0 {
            break;
        }
        assert!(refused < 1000);
    }
}

#[tokio::test]
async fn a_packet_over_the_bound_ends_its_connection_only() {
    let broker = broker_with(|c| c.limits.packet_bytes = 1000).await;
    let (mut other, _) = connect(&broker, "a", "other", How::default()).await;
    let (mut client, ack) = connect(&broker, "a", "c", How::default()).await;
    assert_eq!(ack.properties.expect("properties").max_packet_size, Some(1000));
    client.send(publish(1, "open/x", &"x".repeat(900))).await;
    client.acked(1).await;
    client.send(publish(2, "open/x", &"x".repeat(1000))).await;
    assert_eq!(client.closed().await, Some(v5::DisconnectReasonCode::PacketTooLarge));
    other.nothing_more().await;
}

#[tokio::test]
async fn a_full_queue_drops_and_counts_and_the_rest_arrives() {
    let broker = broker_with(|c| (c.limits.queue_messages, c.limits.inflight) = (10, 4)).await;
    let (mut slow, _) = connect(&broker, "a", "slow", How::default()).await;
    slow.subscribe("open/x").await;
    let (mut publisher, _) = connect(&broker, "a", "p", How::default()).await;
    // 4 in flight and 10 in the queue; how many went out before the queue
    // filled is up to the two tasks, so the bound is what is checked.
    for n in 1..=50 {
        publisher.publish(n, "open/x", &n.to_string()).await;
        publisher.acked(n).await;
    }
    let dropped = broker.totals().queue_full;
    assert!((36..=40).contains(&dropped), "{dropped}");
    for _ in 0..50 - dropped {
        let message = slow.message().await;
        slow.ack(message.pkid).await;
    }
    slow.nothing_more().await;
}

#[tokio::test]
async fn no_client_gets_more_than_it_asked_for() {
    let broker = broker().await;
    let how = How { receive_maximum: Some(2), packet_bytes: Some(100), ..How::default() };
    let (mut client, _) = connect(&broker, "a", "c", how).await;
    client.subscribe("open/x").await;
    let (mut publisher, _) = connect(&broker, "a", "p", How::default()).await;
    let big = "x".repeat(200);
    for (pkid, payload) in [(1, big.as_str()), (2, "a"), (3, "b"), (4, "c")] {
        publisher.publish(pkid, "open/x", payload).await;
        publisher.acked(pkid).await;
    }
    let first = client.message().await;
    assert_eq!(first.payload, "a");
    assert_eq!(client.message().await.payload, "b");
    client.nothing_more().await;
    client.ack(first.pkid).await;
    assert_eq!(client.message().await.payload, "c");
}

#[tokio::test]
async fn subscriptions_and_sessions_are_bounded() {
    let broker = broker_with(|c| (c.limits.subscriptions, c.limits.sessions) = (2, 2)).await;
    let (mut client, _) = connect(&broker, "a", "c", How::default()).await;
    let granted = v5::SubscribeReasonCode::Success(QoS::AtLeastOnce);
    for (filter, expected) in [
        ("open/1", granted),
        ("open/2", granted),
        ("open/3", v5::SubscribeReasonCode::QuotaExceeded),
        ("open/2", granted),
        ("$share/g/open/1", v5::SubscribeReasonCode::SharedSubscriptionsNotSupported),
    ] {
        assert_eq!(client.subscribe(filter).await, expected, "{filter}");
    }
    // The absent one makes room; the connected ones do not.
    let keep = || How { keep: true, ..How::default() };
    let (absent, _) = connect(&broker, "a", "absent", keep()).await;
    drop(absent);
    until(|| broker.presence("absent"), Some(false)).await;
    let (_second, _) = connect(&broker, "a", "second", keep()).await;
    assert_eq!(broker.presence("absent"), None);
    let mut third = Client::open(broker.addr()).await;
    let ack = handshake(&mut third, Some(("a", "right")), "third", keep()).await;
    assert_eq!(ack.code, v5::ConnectReturnCode::ServerBusy);
}

#[tokio::test]
async fn whoever_connects_and_says_nothing_is_closed() {
    let broker = broker_with(|c| c.limits.connect_timeout = Duration::from_millis(50)).await;
    let mut client = Client::open(broker.addr()).await;
    assert_eq!(client.closed().await, None);
}

#[tokio::test]
async fn what_is_not_offered_ends_the_connection_with_its_reason() {
    let broker = broker().await;
    let mut qos2 = v5::Publish::new("open/x", QoS::ExactlyOnce, "x", None);
    qos2.pkid = 1;
    let alias = v5::PublishProperties { topic_alias: Some(1), ..Default::default() };
    let aliased = v5::Publish::new("open/x", QoS::AtMostOnce, "x", Some(alias));
    let wildcard = v5::Publish::new("open/+", QoS::AtMostOnce, "x", None);
    for (packet, expected) in [
        (qos2, v5::DisconnectReasonCode::QoSNotSupported),
        (aliased, v5::DisconnectReasonCode::MalformedPacket),
        (wildcard, v5::DisconnectReasonCode::MalformedPacket),
    ] {
        let (mut client, ack) = connect(&broker, "a", "c", How::default()).await;
        assert_eq!(ack.properties.expect("properties").max_qos, Some(1));
        client.send(v5::Packet::Publish(packet)).await;
        assert_eq!(client.closed().await, Some(expected));
    }
    assert_eq!(broker.totals().malformed, 3);
}

#[tokio::test]
async fn noise_ends_its_own_connection_and_nothing_else() {
    let broker = broker().await;
    let (mut other, _) = connect(&broker, "a", "other", How::default()).await;
    let noise: [&[u8]; 8] = [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x10\x00",
        b"\x10\xff\xff\xff\xff\xff",
        b"\x10\x02\x00\x04",
        b"\x10\x0c\x00\x04MQTT\x09\x02\x00\x3c\x00\x00",
        b"\xf0\x00",
        b"\x82\x05\x00\x01\x00\x00\x01",
        &[0; 64],
    ];
    for bytes in noise {
        let mut client = Client::open(broker.addr()).await;
        client.write_last(bytes).await;
        assert_eq!(client.closed().await, None, "{bytes:?}");
        let (mut client, _) = connect(&broker, "a", "c", How::default()).await;
        client.write_last(bytes).await;
        client.closed().await;
    }
    other.nothing_more().await;
}
