//! An operator's own side against our broker: each message once, gaps by their
//! numbers, and nothing lost by being away.

use crate::world::{NOW, OPERATOR, World, broker, endpoint, inbox, quickly, slug, soon, until, up};
use std::time::Duration;
use vernport_broker::Broker;
use vernport_mqtt::{
    Counts, Delivery, Heard, Interest, News, Noted, Numbered, Numbers, Outcome, Protocol, Publisher, Streams,
    Subscription, SubscriptionConfig,
};

const BOTH: [Protocol; 2] = [Protocol::V5, Protocol::V311];

fn subscribe(broker: &Broker, protocol: Protocol, streams: Streams) -> Subscription {
    let interest = Interest::all(slug("fjord"));
    let mut endpoint = endpoint(broker, OPERATOR, &interest.client_id());
    endpoint.protocol = protocol;
    let mut config = SubscriptionConfig::new(endpoint, interest);
    (config.backoff, config.streams) = (quickly(), streams);
    Subscription::start(config)
}

async fn publish(publisher: &Publisher, world: &World, n: u8, seq: u64, skipped: u64) {
    let link = soon(publisher.link()).await.expect("it runs");
    let stored = world.stored(n, i64::from(n) * 1000);
    let receipt = soon(link.publish(&stored, Numbers { seq, skipped }, false, NOW.wall)).await;
    assert_eq!(soon(receipt.expect("it opens").outcome()).await, Outcome::Acknowledged);
}

async fn next(subscription: &mut Subscription) -> Delivery {
    match soon(subscription.next()).await.expect("it runs") {
        Heard::Message(delivery) => delivery,
        other => panic!("no message: {other:?}"),
    }
}

const NEW: Noted = Noted { news: News::New, missing: None };

#[tokio::test]
async fn each_message_is_new_once_and_gaps_are_named_or_missing() {
    for protocol in BOTH {
        let broker = broker().await;
        let world = World::new();
        let mut subscription = subscribe(&broker, protocol, Streams::default());
        up(subscription.status(), 1).await;
        let publisher = world.publisher(&broker, |_| {});
        publish(&publisher, &world, 1, 1, 0).await;
        publish(&publisher, &world, 2, 2, 0).await;
        publish(&publisher, &world, 2, 2, 0).await;
        publish(&publisher, &world, 6, 6, 3).await;
        publish(&publisher, &world, 9, 9, 0).await;
        let mut noted = Vec::new();
        for _ in 0..6 {
            let delivery = next(&mut subscription).await;
            assert_eq!(delivery.stream, world.stream);
            noted.push(delivery.noted);
            delivery.ack.done();
        }
        let missing = Some(Numbered { first: 7, last: 8 });
        let repeated = Noted { news: News::Repeated, missing: None };
        assert_eq!(noted, [NEW, NEW, repeated, NEW, NEW, Noted { news: News::New, missing }]);
        let counts = Counts { messages: 4, repeated: 1, skipped: 3, missing: 2 };
        assert_eq!(subscription.streams().total(), counts);
    }
}

#[tokio::test]
async fn being_away_is_no_loss_and_what_was_dealt_with_does_not_come_again() {
    for protocol in BOTH {
        let broker = broker().await;
        let world = World::new();
        let publisher = world.publisher(&broker, |_| {});
        let mut subscription = subscribe(&broker, protocol, Streams::default());
        up(subscription.status(), 1).await;
        publish(&publisher, &world, 1, 1, 0).await;
        next(&mut subscription).await.ack.done();
        let saved = subscription.streams().save(&slug("fjord"));
        subscription.stop().await;
        until(|| broker.totals().acknowledged, 1).await;
        for n in 2..=4 {
            publish(&publisher, &world, n, n.into(), 0).await;
        }
        // What expired meanwhile is a gap, although nobody was here to see its neighbours.
        publish(&publisher, &world, 7, 7, 0).await;

        let streams = Streams::restore(Default::default(), &slug("fjord"), &saved).expect("saved");
        let mut subscription = subscribe(&broker, protocol, streams);
        for seq in 2..=4 {
            let delivery = next(&mut subscription).await;
            assert_eq!((delivery.message.seq(), delivery.noted), (seq, NEW), "{protocol:?}");
            delivery.ack.done();
        }
        let missing = Some(Numbered { first: 5, last: 6 });
        assert_eq!(next(&mut subscription).await.noted, Noted { news: News::New, missing });
    }
}

#[tokio::test]
async fn what_expires_at_the_broker_while_nobody_is_here_is_a_gap() {
    let broker = broker().await;
    let world = World::new();
    let publisher = world.publisher(&broker, |_| {});
    let mut subscription = subscribe(&broker, Protocol::V5, Streams::default());
    up(subscription.status(), 1).await;
    publish(&publisher, &world, 1, 1, 0).await;
    next(&mut subscription).await.ack.done();
    let saved = subscription.streams().save(&slug("fjord"));
    subscription.stop().await;
    publish(&publisher, &world, 2, 2, 0).await;
    // A stored message of this world is worth an hour.
    broker.age(Duration::from_secs(2 * 3600));
    publish(&publisher, &world, 3, 3, 0).await;
    let streams = Streams::restore(Default::default(), &slug("fjord"), &saved).expect("saved");
    let mut subscription = subscribe(&broker, Protocol::V5, streams);
    let delivery = next(&mut subscription).await;
    let missing = Some(Numbered { first: 2, last: 2 });
    assert_eq!((delivery.message.seq(), delivery.noted.missing), (3, missing));
    assert_eq!(broker.totals().expired, 1);
}

#[tokio::test]
async fn what_is_none_of_ours_is_passed_over_and_acknowledged() {
    let broker = broker().await;
    let world = World::new();
    let publisher = world.publisher(&broker, |_| {});
    let mut subscription = subscribe(&broker, Protocol::V5, Streams::default());
    up(subscription.status(), 1).await;
    let stranger = inbox(&broker, Protocol::V5).await;
    for last in ["Vehicle.TraveledDistance", "skipped", "sealed"] {
        stranger.reply(world.stream.value_topic(last), b"{}".to_vec());
    }
    until(|| broker.totals().delivered, 3).await;
    publish(&publisher, &world, 1, 1, 0).await;
    let delivery = next(&mut subscription).await;
    assert_eq!((delivery.noted, subscription.foreign()), (NEW, 3));
}
