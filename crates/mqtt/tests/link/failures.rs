//! The five failures of rumqttc (decision note 0010) against a scripted broker,
//! in MQTT 3.1.1 and 5: each happens to the client, and none reaches the rest.

use crate::{
    script::{Said, Script, publish},
    world::{NOW, READINGS, World, next, quickly, slug, soon, up},
};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::task::JoinHandle;
use vernport_mqtt::{
    Cause, FleetLink, FleetMessage, Inbox, InboxConfig, Numbers, Outcome, Protocol, Publisher,
    PublisherConfig,
};

const BOTH: [Protocol; 2] = [Protocol::V5, Protocol::V311];

fn publisher(script: &Script, world: &World, window: u16, ack_timeout: Duration) -> Publisher {
    let mut config = PublisherConfig::new(script.endpoint("box-1-out"), slug("box-1"));
    (config.window, config.ack_timeout, config.backoff) = (window, ack_timeout, quickly());
    Publisher::start(config, Arc::clone(&world.keys))
}

fn patient(script: &Script, world: &World, window: u16) -> Publisher {
    publisher(script, world, window, Duration::from_secs(60))
}

/// Sends one message and waits for its outcome.
async fn outcome(link: FleetLink, world: Arc<World>, n: u8) -> Outcome {
    let numbers = Numbers { seq: n.into(), skipped: 0 };
    let stored = world.stored(n, i64::from(n) * 1000);
    link.publish(&stored, numbers, false, NOW.wall).await.expect("it opens").outcome().await
}

/// Sends messages from number 1 on, without waiting for one before the next.
fn all_at_once(link: &FleetLink, world: &Arc<World>, last: u8) -> Vec<JoinHandle<Outcome>> {
    (1..=last).map(|n| tokio::spawn(outcome(link.clone(), Arc::clone(world), n))).collect()
}

fn seq(payload: &[u8]) -> u64 {
    FleetMessage::from_json(payload).expect("a fleet message").seq()
}

#[tokio::test]
async fn what_was_under_way_and_what_waited_is_lost_by_name_when_the_next_session_is_a_new_one() {
    for protocol in BOTH {
        let script = Script::of(protocol).await;
        let world = Arc::new(World::new());
        let publisher = patient(&script, &world, 3);
        let mut first = script.publisher().await;
        let link = soon(publisher.link()).await.expect("it runs");
        let sending = all_at_once(&link, &world, 8);
        // Three are under way, five wait for room; then the connection dies.
        for _ in 0..3 {
            first.message().await;
        }
        drop(first);
        for sent in sending {
            assert_eq!(soon(sent).await.expect("no panic"), Outcome::Lost, "{protocol:?}");
        }
        // Nothing of it comes by itself: what is sent again is asked for again.
        let mut second = script.publisher().await;
        let link = soon(publisher.link()).await.expect("it runs");
        let again = tokio::spawn(outcome(link, Arc::clone(&world), 9));
        let (pkid, payload) = second.message().await;
        assert_eq!(seq(&payload), 9);
        second.acknowledge(pkid).await;
        assert_eq!(soon(again).await.expect("no panic"), Outcome::Acknowledged);
    }
}

#[tokio::test]
async fn a_message_that_is_sent_again_is_new_to_the_broker_and_the_same_to_the_operator() {
    // DUP belongs to a session that goes on; ours begins clean, whatever the broker says it has.
    for protocol in BOTH {
        let script = Script::of(protocol).await;
        let world = Arc::new(World::new());
        let publisher = patient(&script, &world, 4);
        let mut payloads = Vec::new();
        for _ in 0..2 {
            let mut peer = script.publisher().await;
            assert!(peer.clean);
            let link = soon(publisher.link()).await.expect("it runs");
            let sending = tokio::spawn(outcome(link, Arc::clone(&world), 1));
            payloads.push(peer.message().await.1);
            drop(peer);
            assert_eq!(soon(sending).await.expect("no panic"), Outcome::Lost);
        }
        assert_eq!(payloads[0], payloads[1], "id and number are the same on every delivery");
    }
}

#[tokio::test]
async fn acknowledgements_out_of_order_before_a_lost_session_stall_nothing_after_it() {
    for protocol in BOTH {
        let script = Script::of(protocol).await;
        let world = Arc::new(World::new());
        let publisher = patient(&script, &world, 3);
        let mut first = script.publisher().await;
        let link = soon(publisher.link()).await.expect("it runs");
        let sending = all_at_once(&link, &world, 3);
        let mut under_way = Vec::new();
        for _ in 0..3 {
            under_way.push(first.message().await);
        }
        under_way.sort_by_key(|(_, payload)| seq(payload));
        first.acknowledge(under_way[1].0).await;
        first.acknowledge(under_way[2].0).await;
        let mut outcomes = sending.into_iter();
        let oldest = outcomes.next().expect("three");
        for later in outcomes {
            assert_eq!(soon(later).await.expect("no panic"), Outcome::Acknowledged, "{protocol:?}");
        }
        drop(first);
        assert_eq!(soon(oldest).await.expect("no panic"), Outcome::Lost, "{protocol:?}");

        let mut second = script.publisher().await;
        let link = soon(publisher.link()).await.expect("it runs");
        for n in 11..=15 {
            let sending = tokio::spawn(outcome(link.clone(), Arc::clone(&world), n));
            let (pkid, payload) = second.message().await;
            assert_eq!(seq(&payload), u64::from(n));
            second.acknowledge(pkid).await;
            assert_eq!(soon(sending).await.expect("no panic"), Outcome::Acknowledged);
        }
    }
}

#[tokio::test]
async fn a_broker_that_acknowledges_nothing_is_left_and_each_message_named_as_lost() {
    for protocol in BOTH {
        let script = Script::of(protocol).await;
        let world = Arc::new(World::new());
        let publisher = publisher(&script, &world, 3, Duration::from_millis(200));
        let mut silent = script.publisher().await;
        let link = soon(publisher.link()).await.expect("it runs");
        let sending = all_at_once(&link, &world, 6);
        for _ in 0..3 {
            silent.message().await;
        }
        silent.left().await;
        for sent in sending {
            assert_eq!(soon(sent).await.expect("no panic"), Outcome::Lost, "{protocol:?}");
        }
        let _second = script.publisher().await;
        assert_eq!(up(publisher.status(), 2).await.last_cause, Some(Cause::Unacknowledged));
    }
}

#[tokio::test]
async fn twenty_messages_in_one_packet_are_acknowledged_by_whoever_reads_them() {
    for protocol in BOTH {
        let script = Script::of(protocol).await;
        let mut config = InboxConfig::new(script.endpoint("box-1-in"), vec![READINGS.to_owned()]);
        config.backoff = quickly();
        let mut inbox = Inbox::start(config);
        let mut peer = script.connected(false).await;
        peer.grant().await;
        let topic = "vernport/v1/tool/north/bay-1/scanner/reading";
        let burst: Vec<u8> = (1..=20).flat_map(|pkid| publish(protocol, topic, pkid, b"reading")).collect();
        peer.write(&burst).await;
        for _ in 0..20 {
            next(&mut inbox).await.ack.done();
        }
        let mut acknowledged = BTreeSet::new();
        while acknowledged.len() < 20 {
            match peer.said().await {
                Some(Said::PubAck(pkid)) => assert!(acknowledged.insert(pkid), "{pkid} twice"),
                other => panic!("expected an acknowledgement, got {other:?}"),
            }
        }
        assert_eq!(acknowledged, (1..=20).collect());
    }
}

/// As mosquitto 2.0.11 may, which counts what is under way too low: each message has to be acknowledged all
/// the same, or it keeps them all and lets nobody in again.
#[tokio::test]
async fn a_broker_that_sends_more_than_the_window_is_acknowledged_every_message_on_that_connection() {
    const SENT: u16 = 2_000;
    for protocol in BOTH {
        let script = Script::of(protocol).await;
        let mut config = InboxConfig::new(script.endpoint("box-1-in"), vec![READINGS.to_owned()]);
        (config.backoff, config.window) = (quickly(), 16);
        let mut inbox = Inbox::start(config);
        let mut peer = script.connected(false).await;
        peer.grant().await;
        let topic = "vernport/v1/tool/north/bay-1/scanner/reading";
        let burst: Vec<u8> = (1..=SENT).flat_map(|pkid| publish(protocol, topic, pkid, b"reading")).collect();
        let status = inbox.status();
        peer.write(&burst).await;
        let taking = tokio::spawn(async move {
            for _ in 0..SENT {
                next(&mut inbox).await.ack.done();
            }
            inbox
        });
        let mut acknowledged = BTreeSet::new();
        while acknowledged.len() < SENT.into() {
            match peer.said().await {
                Some(Said::PubAck(pkid)) => assert!(acknowledged.insert(pkid), "{pkid} twice"),
                other => {
                    panic!("{} of them, then {other:?}: {:?}", acknowledged.len(), status.borrow().last_cause)
                }
            }
        }
        let inbox = soon(taking).await.expect("it took all");
        assert_eq!(inbox.status().borrow().epoch, 1, "on one connection");
    }
}

#[tokio::test]
async fn an_acknowledgement_that_comes_twice_ends_the_connection_and_confirms_nothing_else() {
    for protocol in BOTH {
        let script = Script::of(protocol).await;
        let world = Arc::new(World::new());
        let publisher = patient(&script, &world, 4);
        let mut peer = script.publisher().await;
        let link = soon(publisher.link()).await.expect("it runs");
        let first = tokio::spawn(outcome(link.clone(), Arc::clone(&world), 1));
        let (pkid, _) = peer.message().await;
        peer.acknowledge(pkid).await;
        assert_eq!(soon(first).await.expect("no panic"), Outcome::Acknowledged);
        let second = tokio::spawn(outcome(link, Arc::clone(&world), 2));
        peer.message().await;
        peer.acknowledge(pkid).await;
        assert_eq!(soon(second).await.expect("no panic"), Outcome::Lost, "{protocol:?}");
        drop(peer);
        let _again = script.publisher().await;
        up(publisher.status(), 2).await;
    }
}
