//! Who may do what.

use crate::client::{Client, How, broker, connect, connect_v4, handshake};
use rumqttc::{
    mqttbytes::{QoS as QoS4, v4},
    v5::mqttbytes::{QoS, v5},
};

#[tokio::test]
async fn nobody_gets_in_without_the_right_words() {
    let broker = broker().await;
    for login in [None, Some(("a", "wrong")), Some(("a", ""))] {
        let mut client = Client::open(broker.addr()).await;
        let ack = handshake(&mut client, login, "c", How::default()).await;
        assert_eq!(ack.code, v5::ConnectReturnCode::NotAuthorized, "{login:?}");
        assert_eq!(client.closed().await, None);
    }
    assert_eq!(broker.totals().connections, 0);
    assert_eq!(broker.totals().connections_refused, 3);
}

#[tokio::test]
async fn a_foreign_topic_can_neither_be_written_nor_heard() {
    let broker = broker().await;
    let (mut victim, _) = connect(&broker, "victim", "v", How::default()).await;
    assert_eq!(victim.subscribe("victim/#").await, v5::SubscribeReasonCode::Success(QoS::AtLeastOnce));

    let (mut thief, _) = connect(&broker, "thief", "t", How::default()).await;
    for filter in ["#", "+/#", "victim/#", "victim/+", "+/x"] {
        assert_eq!(thief.subscribe(filter).await, v5::SubscribeReasonCode::NotAuthorized, "{filter}");
    }
    thief.publish(1, "victim/x", "posing").await;
    assert_eq!(thief.acked(1).await, v5::PubAckReason::NotAuthorized);
    thief.publish(0, "victim/x", "posing").await;
    thief.nothing_more().await;

    // MQTT 3.1.1 has no word for it: the connection ends.
    let (mut old, _) = connect_v4(&broker, "thief", "old", true).await;
    let mut publish = v4::Publish::new("victim/x", QoS4::AtLeastOnce, "posing");
    publish.pkid = 1;
    old.send_v4(v4::Packet::Publish(publish)).await;
    assert_eq!(old.next_v4().await, None);

    victim.publish(0, "victim/x", "own").await;
    assert_eq!(victim.message().await.payload, "own");
    assert_eq!(broker.totals().publishes_refused, 3);
}

#[tokio::test]
async fn nothing_is_retained_but_where_it_is_allowed() {
    let broker = broker().await;
    let (mut client, _) = connect(&broker, "a", "c", How::default()).await;
    for (pkid, topic, expected) in
        [(1, "a/reading", v5::PubAckReason::NotAuthorized), (2, "a/status", v5::PubAckReason::Success)]
    {
        let mut publish = v5::Publish::new(topic, QoS::AtLeastOnce, "kept", None);
        (publish.pkid, publish.retain) = (pkid, true);
        client.send(v5::Packet::Publish(publish)).await;
        assert_eq!(client.acked(pkid).await, expected, "{topic}");
    }
    let (mut later, _) = connect(&broker, "a", "later", How::default()).await;
    later.subscribe("a/#").await;
    let kept = later.message().await;
    assert_eq!((&kept.topic[..], kept.retain), (&b"a/status"[..], true));
    later.ack(kept.pkid).await;
    later.nothing_more().await;

    // An empty one takes it away.
    let mut publish = v5::Publish::new("a/status", QoS::AtLeastOnce, "", None);
    (publish.pkid, publish.retain) = (3, true);
    client.send(v5::Packet::Publish(publish)).await;
    client.acked(3).await;
    let (mut last, _) = connect(&broker, "a", "last", How::default()).await;
    last.subscribe("a/#").await;
    last.nothing_more().await;
}

#[tokio::test]
async fn a_client_id_belongs_to_whoever_opened_it() {
    let broker = broker().await;
    let keep = || How { keep: true, ..How::default() };
    let (mut owner, _) = connect(&broker, "owner", "box", keep()).await;
    let mut thief = Client::open(broker.addr()).await;
    let ack = handshake(&mut thief, Some(("thief", "right")), "box", keep()).await;
    assert_eq!(ack.code, v5::ConnectReturnCode::ClientIdentifierNotValid);
    owner.nothing_more().await;

    // The owner itself takes over its own.
    let (mut again, ack) = connect(&broker, "owner", "box", keep()).await;
    assert!(ack.session_present);
    assert_eq!(owner.closed().await, Some(v5::DisconnectReasonCode::SessionTakenOver));
    again.nothing_more().await;
}
