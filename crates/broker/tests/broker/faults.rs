//! Faults on purpose: a broker that is killed, and days that pass at once.

use crate::client::{How, broker, connect, until};
use rumqttc::v5::mqttbytes::{QoS, v5};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

fn keep() -> How {
    How { keep: true, ..How::default() }
}

#[tokio::test]
async fn a_killed_broker_says_nothing_and_comes_back_with_the_sessions_that_it_kept() {
    let broker = broker().await;
    let addr = broker.addr();
    let (mut subscriber, _) = connect(&broker, "a", "s", keep()).await;
    subscriber.subscribe("open/#").await;
    let will = v5::LastWill::new("open/will", "last words", QoS::AtLeastOnce, false, None);
    let (mut publisher, _) = connect(&broker, "a", "p", How { will: Some(will), ..How::default() }).await;
    publisher.publish(1, "open/x", "taken").await;
    publisher.acked(1).await;
    subscriber.message().await;

    let kept = broker.kill().await;
    assert_eq!(publisher.closed().await, None, "no good-bye");
    let broker = kept.start().await.expect("its place is free");
    assert_eq!((broker.addr(), broker.presence("p")), (addr, None));
    let (mut subscriber, ack) = connect(&broker, "a", "s", keep()).await;
    assert!(ack.session_present);
    let again = subscriber.message().await;
    assert_eq!((&again.payload[..], again.dup), (&b"taken"[..], true));
    subscriber.nothing_more().await;
}

#[tokio::test]
async fn time_that_passes_at_once_lets_messages_expire_and_absent_sessions_end() {
    let broker = broker().await;
    let (mut subscriber, _) = connect(&broker, "a", "s", keep()).await;
    subscriber.subscribe("open/#").await;
    drop(subscriber);
    until(|| broker.presence("s"), Some(false)).await;
    let (mut publisher, _) = connect(&broker, "a", "p", How::default()).await;
    for (pkid, expiry_s) in [(1, 60), (2, 7200)] {
        let properties =
            v5::PublishProperties { message_expiry_interval: Some(expiry_s), ..Default::default() };
        let mut publish = v5::Publish::new("open/x", QoS::AtLeastOnce, pkid.to_string(), Some(properties));
        publish.pkid = pkid;
        publisher.send(v5::Packet::Publish(publish)).await;
        publisher.acked(pkid).await;
    }
    broker.age(Duration::from_secs(300));
    let (mut subscriber, ack) = connect(&broker, "a", "s", keep()).await;
    assert!(ack.session_present);
    let left = subscriber.message().await;
    let expiry_s = left.properties.and_then(|p| p.message_expiry_interval).expect("an expiry");
    assert_eq!(left.payload, "2");
    assert!((6890..=6900).contains(&expiry_s), "{expiry_s}");
    assert_eq!(broker.totals().expired, 1);
    drop(subscriber);
    until(|| broker.presence("s"), Some(false)).await;

    broker.age(HOUR);
    let (_subscriber, ack) = connect(&broker, "a", "s", keep()).await;
    assert!(!ack.session_present, "it asked for ten minutes");
}
