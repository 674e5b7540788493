//! From a release to what the operator receives, byte by byte.

use crate::world::{
    MONITOR, NOW, World, broker, endpoint, next, operator, quickly, soon, subscriber, until, up,
};
use vernport_mqtt::{FleetMessage, Inbox, InboxConfig, Numbers, Outcome};

#[tokio::test]
async fn topic_and_payload_of_a_released_value_keep_their_bytes() {
    let broker = broker().await;
    let world = World::new();
    let mut operator = operator(&broker).await;
    let publisher = world.publisher(&broker, |_| {});
    let link = soon(publisher.link()).await.expect("runs");
    let stored = world.stored(7, 158_910_649);
    for (numbers, late) in [(Numbers { seq: 12, skipped: 0 }, false), (Numbers { seq: 17, skipped: 4 }, true)]
    {
        let receipt = soon(link.publish(&stored, numbers, late, NOW.wall)).await.expect("opens");
        assert_eq!(soon(receipt.outcome()).await, Outcome::Acknowledged);
    }
    let base = "vernport/v1/fleet/fjord/service/a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5";
    let value = |seq, late| {
        format!(
            concat!(
                r#"{{"v":1,"id":"07000000000000000000000000000000","seq":{},"#,
                r#""vehicle":"a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5","path":"Vehicle.TraveledDistance","#,
                r#""value":158911000,"unit":"m","time":"2026-11-20T09:00:00Z","time_quality":"synced","#,
                r#""source":"j1939:65217:sa=00","minimised":"round-1000","purpose":"service","#,
                r#""flow":"odometer-to-fleet","bundle":"example","late":{},"delete_by":"2027-01-15T08:00:00Z"}}"#,
            ),
            seq, late
        )
    };
    let gap = concat!(
        r#"{"v":1,"id":"GAP","seq":16,"vehicle":"a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5","#,
        r#""purpose":"service","skipped":4}"#,
    );
    let first = next(&mut operator).await;
    assert_eq!(first.topic, format!("{base}/Vehicle.TraveledDistance"));
    assert_eq!(first.payload, value(12, false));
    assert!(!first.retained);
    let skipped = next(&mut operator).await;
    assert_eq!(skipped.topic, format!("{base}/skipped"));
    let id = FleetMessage::from_json(&skipped.payload).expect("ours").id();
    assert_eq!(skipped.payload, gap.replace("GAP", &id.to_string()));
    let last = next(&mut operator).await;
    assert_eq!(last.payload, value(17, true));
}

#[tokio::test]
async fn a_sealed_batch_arrives_whole_and_nothing_around_it_names_a_signal_or_a_value() {
    let broker = broker().await;
    let world = World::new();
    let mut operator = operator(&broker).await;
    let publisher = world.publisher(&broker, |_| {});
    let link = soon(publisher.link()).await.expect("runs");
    let (stored, envelope) = world.stored_batch(8, 158_910_649);
    let receipt = soon(link.publish(&stored, Numbers { seq: 3, skipped: 0 }, false, NOW.wall)).await;
    assert_eq!(soon(receipt.expect("opens").outcome()).await, Outcome::Acknowledged);
    let message = next(&mut operator).await;
    assert_eq!(message.topic, "vernport/v1/fleet/fjord/service/a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5/sealed");
    let text = std::str::from_utf8(&message.payload).expect("JSON");
    let start = concat!(
        r#"{"v":1,"id":"08000000000000000000000000000000","seq":3,"#,
        r#""vehicle":"a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5","purpose":"service","flow":"odometer-to-fleet","#,
        r#""bundle":"example","late":false,"delete_by":"2027-01-15T08:00:00Z","envelope":""#,
    );
    assert!(text.starts_with(start), "{text}");
    assert!(!text.contains("TraveledDistance") && !text.contains("15891"), "{text}");
    let Ok(FleetMessage::Sealed(sealed)) = FleetMessage::from_json(&message.payload) else {
        panic!("{text}")
    };
    assert_eq!(sealed.envelope.0, envelope);
}

#[tokio::test]
async fn nothing_personal_is_retained_and_the_status_is() {
    let broker = broker().await;
    let world = World::new();
    let publisher = world.publisher(&broker, |_| {});
    let link = soon(publisher.link()).await.expect("runs");
    let receipt =
        soon(link.publish(&world.stored(1, 5000), Numbers { seq: 1, skipped: 0 }, false, NOW.wall)).await;
    assert_eq!(soon(receipt.expect("opens").outcome()).await, Outcome::Acknowledged);

    // Who comes later finds the status and no value, and then how the link ends.
    let mut monitor = subscriber(&broker, MONITOR, "#").await;
    let status = |payload: &str| format!(r#"{{"v":1,"gateway":"box-1","status":"{payload}"}}"#);
    let online = next(&mut monitor).await;
    assert_eq!((online.topic.as_str(), online.retained), ("vernport/v1/gateway/box-1/status", true));
    assert_eq!(online.payload, status("online"));
    publisher.stop().await;
    assert_eq!(next(&mut monitor).await.payload, status("offline"));

    let publisher = world.publisher(&broker, |_| {});
    assert_eq!(next(&mut monitor).await.payload, status("online"));
    drop(publisher);
    assert_eq!(next(&mut monitor).await.payload, status("offline"));
}

#[tokio::test]
async fn two_operators_hear_their_own_and_nothing_of_each_other() {
    let broker = broker().await;
    let world = World::new();
    let mut fjord = operator(&broker).await;
    for wide in
        ["#", "vernport/#", "vernport/v1/fleet/#", "vernport/v1/fleet/+/#", "vernport/v1/fleet/fjord/#"]
    {
        let mut config =
            InboxConfig::new(endpoint(&broker, "operator.other", "other"), vec![wide.to_owned()]);
        config.backoff = quickly();
        let other = Inbox::start(config);
        let mut status = other.status();
        let refused = status.wait_for(|s| s.last_cause == Some(vernport_mqtt::Cause::Subscription));
        soon(refused).await.expect("the link runs");
        drop(other);
    }
    let config = InboxConfig::new(
        endpoint(&broker, "operator.other", "other-own"),
        vec!["vernport/v1/fleet/other/#".to_owned()],
    );
    let mut other = Inbox::start(config);
    up(other.status(), 1).await;
    let publisher = world.publisher(&broker, |_| {});
    let link = soon(publisher.link()).await.expect("runs");
    let receipt =
        soon(link.publish(&world.stored(1, 5000), Numbers { seq: 1, skipped: 0 }, false, NOW.wall)).await;
    assert_eq!(soon(receipt.expect("opens").outcome()).await, Outcome::Acknowledged);
    next(&mut fjord).await.ack.done();
    until(|| broker.totals().acknowledged, 1).await;
    assert_eq!(broker.totals().delivered, 1);
    crate::world::not_yet(other.next()).await;
}
