//! Messages in: acknowledged is what was decided, on its own connection.

use crate::world::{
    TOOL, broker, broker_with, endpoint, inbox, inbox_config, next, not_yet, soon, until, up,
};
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::time::timeout;
use vernport_broker::{
    Acknowledge, Broker,
    fault::{Fate, Hook, Packet},
};
use vernport_mqtt::{Cause, Inbox, LinkState, Outcome, Protocol, ToolClient};

const BOTH: [Protocol; 2] = [Protocol::V5, Protocol::V311];

async fn tool(broker: &Broker) -> ToolClient {
    let address = "north/bay-1/scanner".parse().expect("an address");
    let tool = ToolClient::start(endpoint(broker, TOOL, "scanner"), address);
    assert!(soon(tool.ready()).await);
    tool
}

#[tokio::test]
async fn a_tool_is_acknowledged_when_the_decision_is_durable() {
    for protocol in BOTH {
        let broker = broker_with(|c| c.acknowledge = Acknowledge::WhenDelivered).await;
        let mut inbox = inbox(&broker, protocol).await;
        let tool = tool(&broker).await;
        let sending = tool.send(b"reading".to_vec());
        tokio::pin!(sending);
        let message = tokio::select! {
            message = next(&mut inbox) => message,
            outcome = &mut sending => panic!("too early: {outcome:?}"),
        };
        assert_eq!(message.payload, "reading");
        not_yet(&mut sending).await;
        message.ack.done();
        assert_eq!(soon(sending).await, Outcome::Acknowledged);
    }
}

#[tokio::test]
async fn a_message_that_was_not_taken_in_comes_again() {
    for protocol in BOTH {
        let broker = broker().await;
        let mut inbox = inbox(&broker, protocol).await;
        assert_eq!(soon(tool(&broker).await.send(b"reading".to_vec())).await, Outcome::Acknowledged);
        let first = next(&mut inbox).await;
        assert!(!first.repeated);
        drop(first);
        let again = next(&mut inbox).await;
        assert_eq!((&again.payload[..], again.repeated), (&b"reading"[..], true));
        let status = inbox.status().borrow().clone();
        assert_eq!((status.last_cause, status.sessions_lost), (Some(Cause::TakenBack), 1));
        again.ack.done();
        until(|| broker.totals().acknowledged, 1).await;
    }
}

#[tokio::test]
async fn an_acknowledgement_does_not_reach_a_later_connection() {
    for protocol in BOTH {
        let broker = broker().await;
        let mut inbox = inbox(&broker, protocol).await;
        let tool = tool(&broker).await;
        assert_eq!(soon(tool.send(b"one".to_vec())).await, Outcome::Acknowledged);
        let first = next(&mut inbox).await;
        broker.cut("box-1-in");
        up(inbox.status(), 2).await;
        let again = next(&mut inbox).await;
        assert_eq!((again.packet, again.repeated), (first.packet, true), "so it is known again");
        // The packet id is the same: sent on this connection, it would be believed.
        first.ack.done();
        assert_eq!(soon(tool.send(b"two".to_vec())).await, Outcome::Acknowledged);
        let two = next(&mut inbox).await;
        two.ack.done();
        until(|| broker.totals().acknowledged, 1).await;
        again.ack.done();
        until(|| broker.totals().acknowledged, 2).await;
        not_yet(inbox.next()).await;
    }
}

#[tokio::test]
async fn a_lost_session_is_subscribed_again() {
    for protocol in BOTH {
        let broker = broker().await;
        let mut inbox = inbox(&broker, protocol).await;
        broker.forget("box-1-in");
        let status = up(inbox.status(), 2).await;
        assert_eq!(status.sessions_lost, 2);
        assert_eq!(soon(tool(&broker).await.send(b"reading".to_vec())).await, Outcome::Acknowledged);
        next(&mut inbox).await.ack.done();
    }
}

#[tokio::test]
async fn a_link_without_a_confirmed_subscription_is_not_up_and_tries_again() {
    let left = Arc::new(AtomicUsize::new(2));
    let count = left.clone();
    let hook: Hook = Arc::new(move |_, packet| match packet {
        Packet::SubAckOut if count.load(Ordering::Relaxed) > 0 => {
            count.fetch_sub(1, Ordering::Relaxed);
            Fate::Drop
        }
        _ => Fate::Pass,
    });
    let broker = broker_with(|c| c.faults = Some(hook)).await;
    let mut config = inbox_config(&broker, Protocol::V5);
    config.subscribe_timeout = Duration::from_millis(50);
    let inbox = Inbox::start(config);
    let mut status = inbox.status();
    let first = soon(status.wait_for(|s| s.last_cause.is_some())).await.expect("runs").clone();
    assert_eq!((first.state, first.last_cause), (LinkState::Down, Some(Cause::Subscription)));
    assert_eq!(up(inbox.status(), 1).await.epoch, 3);
}

#[tokio::test]
async fn hundreds_of_messages_with_a_small_window_do_not_block_each_other() {
    // rumqttc alone locks up when acknowledgements are awaited where it is polled.
    for protocol in BOTH {
        let broker = broker_with(|c| c.limits.inflight = 100).await;
        let mut config = inbox_config(&broker, protocol);
        config.window = 5;
        let mut inbox = Inbox::start(config);
        up(inbox.status(), 1).await;
        let tool = Arc::new(tool(&broker).await);
        let sending: Vec<_> = (0..300)
            .map(|n: u32| {
                let tool = tool.clone();
                tokio::spawn(async move { tool.send(n.to_string().into_bytes()).await })
            })
            .collect();
        let mut heard = BTreeSet::new();
        while heard.len() < 300 {
            let mut batch = Vec::new();
            for _ in 0..5.min(300 - heard.len()) {
                batch.push(next(&mut inbox).await);
            }
            // In reverse, so that packet ids come back out of order.
            for message in batch.into_iter().rev() {
                heard.insert(message.payload.clone());
                message.ack.done();
            }
        }
        for outcome in sending {
            assert_eq!(soon(outcome).await.expect("runs"), Outcome::Acknowledged);
        }
        until(|| broker.totals().acknowledged, 300).await;
        assert_eq!(inbox.status().borrow().epoch, 1, "{protocol:?}");
    }
}

#[tokio::test]
async fn every_message_arrives_while_the_connection_is_cut_again_and_again() {
    let turn = Arc::new(AtomicUsize::new(0));
    let hook: Hook = Arc::new(move |client, packet| match packet {
        Packet::PubAckIn if client == "box-1-in" => {
            if turn.fetch_add(1, Ordering::Relaxed) % 5 == 4 {
                Fate::Cut
            } else {
                Fate::Pass
            }
        }
        _ => Fate::Pass,
    });
    let broker = broker_with(|c| c.faults = Some(hook)).await;
    let mut inbox = inbox(&broker, Protocol::V5).await;
    let tool = tool(&broker).await;
    for n in 0..60 {
        assert_eq!(soon(tool.send(vec![n])).await, Outcome::Acknowledged);
    }
    // What was acknowledged on a connection that ended comes again, and is acknowledged again.
    let mut heard = BTreeSet::new();
    soon(async {
        while broker.totals().acknowledged < 60 {
            let Ok(message) = timeout(Duration::from_millis(20), inbox.next()).await else { continue };
            let message = message.expect("the link runs");
            heard.insert(message.payload[0]);
            message.ack.done();
        }
    })
    .await;
    assert_eq!(heard.len(), 60);
    assert_eq!(inbox.status().borrow().sessions_lost, 1);
    assert!(inbox.status().borrow().epoch > 10, "{:?}", inbox.status().borrow());
}

#[tokio::test]
async fn a_broker_that_is_gone_is_found_again_at_its_place() {
    let first = broker().await;
    let addr = first.addr();
    let mut inbox = inbox(&first, Protocol::V5).await;
    first.stop().await;
    soon(inbox.status().wait_for(|s| s.state == LinkState::Down)).await.expect("runs");
    let second = broker_with(|c| c.listen = addr).await;
    up(inbox.status(), 2).await;
    assert_eq!(soon(tool(&second).await.send(b"reading".to_vec())).await, Outcome::Acknowledged);
    next(&mut inbox).await.ack.done();
    inbox.stop().await;
    until(|| second.presence("box-1-in"), Some(false)).await;
}
