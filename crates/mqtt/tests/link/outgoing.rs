//! Messages out: delivered is what was acknowledged, and nothing else.

use crate::world::{NOW, World, broker, broker_with, message_id, next, not_yet, operator, soon, until, up};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use vernport_broker::fault::{Fate, Hook, Packet};
use vernport_crypto::{StorageKey, StorageKeys};
use vernport_mqtt::{
    Cause, FleetLink, FleetMessage, LinkState, Numbers, Outcome, Protocol, PublishError, Receipt,
};

fn numbered(seq: u64) -> Numbers {
    Numbers { seq, skipped: 0 }
}

async fn publish(link: &FleetLink, world: &World, n: u8) -> Receipt {
    let stored = world.stored(n, i64::from(n) * 1000);
    soon(link.publish(&stored, numbered(n.into()), false, NOW.wall)).await.expect("opens, and has time left")
}

/// Lets the first `n` acknowledgements of messages suffer `fate`; the client's
/// own status message is the very first one and passes.
fn first_acks(n: usize, fate: Fate) -> (Hook, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let seen = count.clone();
    let hook = move |_: &str, packet: Packet<'_>| match packet {
        Packet::PubAckOut => match seen.fetch_add(1, Ordering::Relaxed) {
            0 => Fate::Pass,
            at if at <= n => fate,
            _ => Fate::Pass,
        },
        _ => Fate::Pass,
    };
    (Arc::new(hook), count)
}

#[tokio::test]
async fn a_message_counts_as_delivered_on_its_acknowledgement_and_not_before() {
    for protocol in [Protocol::V5, Protocol::V311] {
        let held = Arc::new(AtomicBool::new(true));
        let switch = held.clone();
        let hook: Hook = Arc::new(move |client, packet| match packet {
            Packet::PubAckOut if client == "box-1-out" && switch.load(Ordering::Relaxed) => Fate::Later,
            _ => Fate::Pass,
        });
        let broker = broker_with(|c| c.faults = Some(hook)).await;
        let world = World::new();
        let mut operator = operator(&broker).await;
        let publisher = world.publisher(&broker, |c| c.endpoint.protocol = protocol);
        let link = soon(publisher.link()).await.expect("runs");
        let receipt = publish(&link, &world, 1).await;
        assert_eq!(
            FleetMessage::from_json(&next(&mut operator).await.payload).expect("ours").id(),
            message_id(1)
        );
        let first = receipt.outcome();
        tokio::pin!(first);
        not_yet(&mut first).await;
        held.store(false, Ordering::Relaxed);
        assert_eq!(soon(publish(&link, &world, 2).await.outcome()).await, Outcome::Acknowledged);
        assert_eq!(soon(first).await, Outcome::Acknowledged);
    }
}

#[tokio::test]
async fn a_connection_cut_before_the_acknowledgement_means_lost_and_the_same_id_comes_again() {
    let (hook, _) = first_acks(1, Fate::Cut);
    let broker = broker_with(|c| c.faults = Some(hook)).await;
    let world = World::new();
    let mut operator = operator(&broker).await;
    let publisher = world.publisher(&broker, |_| {});
    let link = soon(publisher.link()).await.expect("runs");
    assert_eq!(soon(publish(&link, &world, 1).await.outcome()).await, Outcome::Lost);
    // The old link is of no use any more, even when there is a new connection.
    up(publisher.status(), 2).await;
    assert_eq!(soon(publish(&link, &world, 9).await.outcome()).await, Outcome::Lost);

    let link = soon(publisher.link()).await.expect("runs");
    assert_eq!(soon(publish(&link, &world, 1).await.outcome()).await, Outcome::Acknowledged);
    for _ in 0..2 {
        let message = next(&mut operator).await;
        assert_eq!(FleetMessage::from_json(&message.payload).expect("ours").id(), message_id(1));
        message.ack.done();
    }
    until(|| broker.totals().published, 4).await; // twice the status, twice the message
}

#[tokio::test]
async fn what_was_in_flight_and_in_the_channel_is_lost_by_name_when_the_broker_goes() {
    // rumqttc alone lets all of them vanish without a word when the next session is a new one.
    let (hook, _) = first_acks(usize::MAX - 1, Fate::Drop);
    let broker = broker_with(|c| c.faults = Some(hook)).await;
    let world = World::new();
    let publisher = world.publisher(&broker, |c| c.window = 8);
    let link = soon(publisher.link()).await.expect("runs");
    let mut receipts = Vec::new();
    for n in 1..=8 {
        receipts.push(publish(&link, &world, n).await);
    }
    broker.forget("box-1-out");
    for receipt in receipts {
        assert_eq!(soon(receipt.outcome()).await, Outcome::Lost);
    }
}

#[tokio::test]
async fn a_broker_that_answers_pings_and_nothing_else_is_left_after_the_watchdogs_time() {
    let (hook, count) = first_acks(3, Fate::Drop);
    let broker = broker_with(|c| c.faults = Some(hook)).await;
    let world = World::new();
    let publisher = world.publisher(&broker, |c| c.ack_timeout = Duration::from_millis(200));
    let link = soon(publisher.link()).await.expect("runs");
    let receipts =
        [publish(&link, &world, 1).await, publish(&link, &world, 2).await, publish(&link, &world, 3).await];
    for receipt in receipts {
        assert_eq!(soon(receipt.outcome()).await, Outcome::Lost);
    }
    let status = up(publisher.status(), 2).await;
    assert_eq!(status.last_cause, Some(Cause::Unacknowledged));
    let link = soon(publisher.link()).await.expect("runs");
    assert_eq!(soon(publish(&link, &world, 1).await.outcome()).await, Outcome::Acknowledged);
    assert_eq!(count.load(Ordering::Relaxed), 6);
}

#[tokio::test]
async fn acknowledgements_out_of_order_stall_nothing_and_name_the_right_message() {
    // Every second one comes late; with a small window packet ids start over all the time.
    for protocol in [Protocol::V5, Protocol::V311] {
        let turn = Arc::new(AtomicUsize::new(0));
        let hook: Hook = Arc::new(move |client, packet| match packet {
            Packet::PubAckOut if client == "box-1-out" => {
                let n = turn.fetch_add(1, Ordering::Relaxed);
                if n % 2 == 1 && n < 90 { Fate::Later } else { Fate::Pass }
            }
            _ => Fate::Pass,
        });
        let broker = broker_with(|c| c.faults = Some(hook)).await;
        let world = World::new();
        let publisher = world.publisher(&broker, |c| (c.window, c.endpoint.protocol) = (4, protocol));
        let link = soon(publisher.link()).await.expect("runs");
        let mut receipts = Vec::new();
        for n in 1..=100 {
            receipts.push(publish(&link, &world, n).await);
        }
        for (n, receipt) in receipts.into_iter().enumerate() {
            assert_eq!(soon(receipt.outcome()).await, Outcome::Acknowledged, "{n} {protocol:?}");
        }
        assert_eq!(publisher.status().borrow().epoch, 1, "{protocol:?}");
    }
}

#[tokio::test]
async fn a_refusal_is_told_apart_from_a_loss() {
    let broker = broker().await;
    let mut world = World::new();
    // A topic that no gateway may write: the operator's own.
    world.stream.operator = "fjord".parse().expect("a slug");
    let publisher = world.publisher(&broker, |c| {
        // A tool's login, on the gateway's link.
        c.endpoint = crate::world::endpoint(&broker, crate::world::TOOL, "posing");
    });
    let link = soon(publisher.link()).await.expect("runs");
    assert_eq!(soon(publish(&link, &world, 1).await.outcome()).await, Outcome::Refused);
    assert_eq!(broker.totals().publishes_refused, 2);
}

#[tokio::test]
async fn a_message_longer_than_the_broker_takes_ends_no_connection() {
    // Room for the status, not for a reading.
    let broker = broker_with(|c| c.limits.packet_bytes = 300).await;
    let world = World::new();
    let publisher = world.publisher(&broker, |_| {});
    let link = soon(publisher.link()).await.expect("runs");
    for n in 1..4 {
        assert_eq!(soon(publish(&link, &world, n).await.outcome()).await, Outcome::TooLong);
    }
    let status = publisher.status().borrow().clone();
    assert_eq!((status.state, status.epoch), (LinkState::Up, 1));
}

#[tokio::test]
async fn what_is_expired_or_of_another_key_is_not_sent() {
    let broker = broker().await;
    let world = World::new();
    let publisher = world.publisher(&broker, |_| {});
    let link = soon(publisher.link()).await.expect("runs");
    let expired = world.stored_until(1, 5000, NOW.wall.plus_seconds(1));
    let later = NOW.wall.plus_micros(1);
    assert_eq!(link.publish(&expired, numbered(1), false, later).await.err(), Some(PublishError::Expired));
    let foreign = World::new().stored(2, 5000);
    assert_eq!(
        link.publish(&foreign, numbered(1), false, NOW.wall).await.err(),
        Some(PublishError::Unreadable)
    );
    until(|| broker.totals().published, 1).await; // the status only
}

#[tokio::test]
async fn what_was_stored_under_the_key_before_is_sent_too() {
    let broker = broker().await;
    let mut world = World::new();
    let stored = world.stored(1, 5000);
    let before = StorageKey::from_bytes(*world.keys.current().to_bytes());
    world.keys = Arc::new(StorageKeys::new(StorageKey::generate(), Some(before)));
    let publisher = world.publisher(&broker, |_| {});
    let link = soon(publisher.link()).await.expect("runs");
    let receipt = link.publish(&stored, numbered(1), false, NOW.wall).await.expect("it opens");
    assert_eq!(soon(receipt.outcome()).await, Outcome::Acknowledged);
}

#[tokio::test]
async fn a_slow_broker_slows_the_publisher_and_the_window_is_kept() {
    let (hook, count) = first_acks(usize::MAX - 1, Fate::Drop);
    let broker = broker_with(|c| {
        c.faults = Some(hook);
        c.limits.inflight = 6;
    })
    .await;
    let world = World::new();
    let publisher = world.publisher(&broker, |c| c.window = 50);
    let link = soon(publisher.link()).await.expect("runs");
    let sending = async {
        let mut receipts = Vec::new();
        for n in 1..=200 {
            receipts.push(publish(&link, &world, n).await);
        }
        receipts.len()
    };
    not_yet(sending).await;
    assert_eq!(count.load(Ordering::Relaxed), 1 + 6);
}
