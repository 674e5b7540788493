//! Messages from one client to another.

use crate::client::{How, broker, broker_with, connect, connect_v4, publish, until};
use rumqttc::{
    mqttbytes::{QoS as QoS4, v4},
    v5::mqttbytes::{QoS, v5},
};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use vernport_broker::{
    Acknowledge,
    fault::{Fate, Packet},
};

#[tokio::test]
async fn both_versions_hear_each_other() {
    let broker = broker().await;
    let (mut new, _) = connect(&broker, "a", "new", How::default()).await;
    let (mut old, _) = connect_v4(&broker, "b", "old", true).await;
    new.subscribe("open/+/x").await;
    let mut subscribe = v4::Subscribe::new("open/#", QoS4::AtLeastOnce);
    subscribe.pkid = 3;
    old.send_v4(v4::Packet::Subscribe(subscribe)).await;
    let granted = v4::SubAck::new(3, vec![v4::SubscribeReasonCode::Success(QoS4::AtLeastOnce)]);
    assert_eq!(old.next_v4().await, Some(v4::Packet::SubAck(granted)));

    let mut from_old = v4::Publish::new("open/1/x", QoS4::AtLeastOnce, "hello");
    from_old.pkid = 9;
    old.send_v4(v4::Packet::Publish(from_old)).await;
    let heard = new.message().await;
    assert_eq!(
        (&heard.topic[..], &heard.payload[..], heard.qos),
        (&b"open/1/x"[..], &b"hello"[..], QoS::AtLeastOnce)
    );
    new.ack(heard.pkid).await;

    let mut got = Vec::new();
    for _ in 0..2 {
        got.push(old.next_v4().await);
    }
    assert!(got.contains(&Some(v4::Packet::PubAck(v4::PubAck::new(9)))), "{got:?}");
    assert!(got.iter().any(|p| matches!(p, Some(v4::Packet::Publish(_)))), "{got:?}");

    new.publish(1, "open/2/x", "back").await;
    let Some(v4::Packet::Publish(back)) = old.next_v4().await else { panic!("no message") };
    assert_eq!((back.topic.as_str(), &back.payload[..]), ("open/2/x", &b"back"[..]));
    broker.stop().await;
}

#[tokio::test]
async fn properties_and_what_is_left_of_the_expiry_travel_along() {
    let broker = broker().await;
    let (mut subscriber, _) = connect(&broker, "a", "s", How::default()).await;
    subscriber.subscribe("open/x").await;
    let (mut publisher, _) = connect(&broker, "a", "p", How::default()).await;
    let properties = v5::PublishProperties {
        message_expiry_interval: Some(100),
        content_type: Some("application/json".into()),
        ..Default::default()
    };
    let mut publish = v5::Publish::new("open/x", QoS::AtMostOnce, "1", Some(properties));
    publish.dup = false;
    publisher.send(v5::Packet::Publish(publish)).await;
    let properties = subscriber.message().await.properties.expect("properties");
    assert_eq!(properties.content_type.as_deref(), Some("application/json"));
    assert!((98..=100).contains(&properties.message_expiry_interval.expect("an expiry")));
}

#[tokio::test]
async fn a_message_whose_time_is_over_is_not_delivered() {
    let broker = broker().await;
    let keep = || How { keep: true, ..How::default() };
    let (mut subscriber, _) = connect(&broker, "a", "s", keep()).await;
    subscriber.subscribe("open/x").await;
    drop(subscriber);
    until(|| broker.presence("s"), Some(false)).await;
    let (mut publisher, _) = connect(&broker, "a", "p", How::default()).await;
    for (pkid, expiry) in [(1, Some(0)), (2, None)] {
        let properties = v5::PublishProperties { message_expiry_interval: expiry, ..Default::default() };
        let mut publish = v5::Publish::new("open/x", QoS::AtLeastOnce, pkid.to_string(), Some(properties));
        publish.pkid = pkid;
        publisher.send(v5::Packet::Publish(publish)).await;
        publisher.acked(pkid).await;
    }
    let (mut subscriber, _) = connect(&broker, "a", "s", keep()).await;
    assert_eq!(subscriber.message().await.payload, "2");
    assert_eq!(broker.totals().expired, 1);
}

#[tokio::test]
async fn overlapping_subscriptions_give_one_message_and_no_local_gives_none() {
    let broker = broker().await;
    let (mut client, _) = connect(&broker, "a", "c", How::default()).await;
    client.subscribe("open/#").await;
    client.subscribe("open/x").await;
    let own = v5::Filter { nolocal: true, ..v5::Filter::new("a/#", QoS::AtLeastOnce) };
    client.subscribe_as(own).await;
    client.publish(0, "a/x", "own").await;
    client.publish(0, "open/x", "once").await;
    assert_eq!(client.message().await.payload, "once");
    client.nothing_more().await;
}

#[tokio::test]
async fn a_will_is_spoken_for_those_who_leave_without_a_word() {
    let broker = broker().await;
    let (mut subscriber, _) = connect(&broker, "a", "s", How::default()).await;
    subscriber.subscribe("open/#").await;
    for (id, words) in [("polite", vec![0xE0, 0]), ("asks", vec![0xE0, 2, 4, 0]), ("gone", vec![])] {
        let will = v5::LastWill::new(format!("open/{id}"), "gone", QoS::AtMostOnce, false, None);
        let (mut client, _) = connect(&broker, "a", id, How { will: Some(will), ..How::default() }).await;
        client.write(&words).await;
        drop(client);
    }
    let mut heard = [subscriber.message().await.topic, subscriber.message().await.topic];
    heard.sort();
    assert_eq!(heard, ["open/asks", "open/gone"]);
    subscriber.nothing_more().await;
}

#[tokio::test]
async fn a_will_on_a_foreign_topic_is_not_spoken() {
    let broker = broker().await;
    let (mut subscriber, _) = connect(&broker, "victim", "s", How::default()).await;
    subscriber.subscribe("victim/#").await;
    let will = v5::LastWill::new("victim/x", "posing", QoS::AtMostOnce, false, None);
    let (client, _) = connect(&broker, "a", "c", How { will: Some(will), ..How::default() }).await;
    drop(client);
    until(|| broker.presence("c"), None).await;
    subscriber.nothing_more().await;
}

#[tokio::test]
async fn end_to_end_the_publisher_is_acknowledged_after_the_subscriber() {
    let broker = broker_with(|c| c.acknowledge = Acknowledge::WhenDelivered).await;
    let (mut publisher, _) = connect(&broker, "a", "p", How::default()).await;
    publisher.publish(1, "open/x", "nobody listens").await;
    assert_eq!(publisher.acked(1).await, v5::PubAckReason::QuotaExceeded);

    let (mut subscriber, _) = connect(&broker, "b", "s", How { keep: true, ..How::default() }).await;
    subscriber.subscribe("open/x").await;
    publisher.publish(2, "open/x", "one").await;
    let first = subscriber.message().await;
    // Not acknowledged yet: a ping overtakes the acknowledgement.
    publisher.nothing_more().await;
    drop(subscriber);
    until(|| broker.presence("s"), Some(false)).await;
    publisher.nothing_more().await;

    let (mut subscriber, ack) = connect(&broker, "b", "s", How { keep: true, ..How::default() }).await;
    assert!(ack.session_present);
    let again = subscriber.message().await;
    assert_eq!((again.pkid, again.dup), (first.pkid, true));
    subscriber.ack(again.pkid).await;
    assert_eq!(publisher.acked(2).await, v5::PubAckReason::Success);

    publisher.publish(3, "open/x", "two").await;
    subscriber.message().await;
    broker.forget("s");
    assert_eq!(publisher.acked(3).await, v5::PubAckReason::QuotaExceeded);
}

#[tokio::test]
async fn acknowledgements_can_be_lost_doubled_late_or_be_the_last_thing_that_happens() {
    let step = Arc::new(AtomicUsize::new(0));
    let seen = step.clone();
    let broker = broker_with(|c| {
        c.faults = Some(Arc::new(move |_, packet| match packet {
            Packet::PubAckOut => match seen.fetch_add(1, Ordering::Relaxed) {
                0 => Fate::Drop,
                1 => Fate::Twice,
                2 => Fate::Later,
                3 => Fate::Pass,
                _ => Fate::Cut,
            },
            _ => Fate::Pass,
        }));
    })
    .await;
    let (mut client, _) = connect(&broker, "a", "c", How::default()).await;
    client.publish(1, "open/x", "lost").await;
    client.publish(2, "open/x", "twice").await;
    assert_eq!(client.acked(2).await, v5::PubAckReason::Success);
    assert_eq!(client.acked(2).await, v5::PubAckReason::Success);
    client.publish(3, "open/x", "late").await;
    client.publish(4, "open/x", "overtakes").await;
    assert_eq!(client.acked(4).await, v5::PubAckReason::Success);
    assert_eq!(client.acked(3).await, v5::PubAckReason::Success);
    client.publish(5, "open/x", "cut").await;
    assert_eq!(client.closed().await, None);
    assert_eq!(broker.totals().published, 5);
}

#[tokio::test]
async fn many_messages_keep_their_order() {
    let broker = broker().await;
    let (mut subscriber, _) =
        connect(&broker, "a", "s", How { receive_maximum: Some(7), ..How::default() }).await;
    subscriber.subscribe("open/x").await;
    let (mut publisher, _) = connect(&broker, "a", "p", How::default()).await;
    let sending = async {
        for n in 1..=500_u16 {
            publisher.send(publish(n, "open/x", &n.to_string())).await;
            publisher.acked(n).await;
        }
    };
    let hearing = async {
        for n in 1..=500_u16 {
            let message = subscriber.message().await;
            assert_eq!(message.payload, n.to_string());
            subscriber.ack(message.pkid).await;
        }
    };
    tokio::join!(sending, hearing);
    until(|| broker.totals().acknowledged, 500).await;
}

/// Found in use: of more answers than one write holds, the one too many was lost.
#[tokio::test]
async fn every_message_of_a_burst_is_acknowledged() {
    let broker = broker().await;
    let (mut publisher, _) = connect(&broker, "a", "p", How::default()).await;
    for _ in 0..20 {
        let mut burst = bytes::BytesMut::new();
        for n in 1..=60 {
            publish(n, "open/x", "").write(&mut burst, None).expect("a valid packet");
        }
        publisher.write(&burst).await;
        for n in 1..=60 {
            publisher.acked(n).await;
        }
    }
}
