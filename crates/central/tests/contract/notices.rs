//! Fleet operators are told what to delete of what was published to them, and who does not say in time
//! that it did gets nothing more until it does.

use crate::{
    common::{ASSET, CONTROLLER, Central, GATEWAY, World, compiled, slug, taken},
    erasures::{certified, keep, order},
};
use serde_json::json;
use std::{sync::Arc, time::Duration};
use vernport_api::{ClockAnswer, DeletionState, Notice, PATH_CLOCK};
use vernport_broker::{Access, Broker, Config, Identity, Login};
use vernport_crypto::Zeroizing;
use vernport_mqtt::{
    Confirmer, Endpoint, Heard, Interest, LinkState, Outcome, Stream, Subscription, SubscriptionConfig,
    ToDelete, acl::Principal,
};
use vernport_policy::FlowGrant;
use vernport_types::{EntryHash, Reason, VehicleAlias};

pub(crate) const DAY_SECONDS: i64 = 86_400;
/// How far clocks may differ, which is added at both ends.
const APART_SECONDS: i64 = 300;

/// Whoever says a principal's name. Of one operator it takes nothing from anybody.
struct ByName {
    but: Option<&'static str>,
}

fn principal(who: &Identity) -> Principal {
    who.name().parse().expect("it was let in by it")
}

impl Access for ByName {
    fn authenticate(&self, login: &Login<'_>) -> Option<Identity> {
        let name = login.user?;
        name.parse::<Principal>().is_ok().then(|| Identity::new(name))
    }

    fn may_publish(&self, who: &Identity, topic: &str) -> bool {
        let is_refused = self.but.is_some_and(|operator| topic.split('/').any(|level| level == operator));
        principal(who).may_publish(topic) && !is_refused
    }

    fn may_subscribe(&self, who: &Identity, filter: &str) -> bool {
        principal(who).may_subscribe(filter)
    }
}

fn endpoint(broker: &Broker, who: &str, client_id: &str) -> Endpoint {
    let endpoint = Endpoint::from_url(&format!("mqtt://{}", broker.addr()), client_id, None);
    endpoint.expect("loopback").with_login(who, Zeroizing::new("any".into()))
}

/// A central with a visit going on that publishes odometers to the workshop, and the broker for it.
pub(crate) async fn publishing() -> (Central, Broker) {
    publishing_but_to(None).await
}

/// The same, where the broker takes nothing for one operator.
pub(crate) async fn publishing_but_to(but: Option<&'static str>) -> (Central, Broker) {
    let access = Arc::new(ByName { but });
    let broker = Broker::start(Config::loopback(access)).await.expect("a free port");
    let central = central_at(World::new(), &broker).await;
    central.ledger(central.world.visit()).await;
    (central, broker)
}

pub(crate) async fn central_at(world: Arc<World>, broker: &Broker) -> Central {
    central_publishing(world, broker, 2).await
}

/// The same, where only the first flows are published.
pub(crate) async fn central_publishing(world: Arc<World>, broker: &Broker, flows: usize) -> Central {
    let mut deps = world.deps();
    // What a station opens by itself does not go to a topic.
    let text = include_str!("bundle.toml").replace("offline = true\n", "").replacen(
        "deliver = { store = true }",
        "deliver = { store = true, topic = \"sealed\" }",
        flows,
    );
    deps.controllers[0].rules = compiled(&text);
    deps.controllers[0].fleet = Some(endpoint(broker, "central", "central.no-999999999"));
    world.start_as(|_| {}, deps).await
}

pub(crate) async fn subscribed(broker: &Broker, operator: &str) -> Subscription {
    let interest = Interest::all(slug(operator));
    let endpoint = endpoint(broker, &format!("operator.{operator}"), &interest.client_id());
    let subscription = Subscription::start(SubscriptionConfig::new(endpoint, interest));
    let mut status = subscription.status();
    soon(status.wait_for(|status| status.state == LinkState::Up)).await.expect("it runs");
    subscription
}

pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), what).await.expect("it happens")
}

async fn told(subscription: &mut Subscription) -> ToDelete {
    match soon(subscription.next()).await.expect("it runs") {
        Heard::Delete(notice) => notice,
        other => panic!("nobody publishes here: {other:?}"),
    }
}

/// The gateway takes what holds, and says that it did.
async fn apply(central: &Central) {
    let hash = central.snapshot().await.hash();
    central.feed_as(&central.gateway(), GATEWAY, Some(hash), 0).await;
}

pub(crate) async fn opened(central: &Central, flow: &str) -> FlowGrant {
    crate::common::open_flow(&central.snapshot().await, flow).expect("open").clone()
}

/// What an order to erase says of its notices, once that is what is waited for.
async fn until(central: &Central, entry: EntryHash, is: impl Fn(&[Notice]) -> bool) -> Vec<Notice> {
    for _ in 0..2_000 {
        let (answer, _) = certified(central, entry, 1).await;
        if is(&answer.notices) {
            return answer.notices;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it does not come to that");
}

async fn confirm(broker: &Broker, stream: &Stream, notice: &ToDelete) {
    let who = format!("operator.{}", stream.operator);
    let confirmer = Confirmer::start(endpoint(broker, &who, &format!("{who}.deleted")));
    assert_eq!(soon(confirmer.confirm(stream, notice.notice.id)).await, Outcome::Acknowledged);
    confirmer.stop().await;
}

/// The days pass, and somebody confirms that the clock is right.
async fn days_pass(central: &Central, days: i64) {
    central.world.advance_seconds(days * DAY_SECONDS);
    let now = json!({"now": central.world.now()});
    let answer: ClockAnswer = taken(central.post(&central.registrar(), PATH_CLOCK, &now).await).await;
    assert!(answer.believed);
}

#[tokio::test]
async fn an_operator_is_told_the_time_of_what_was_erased_and_its_answer_is_kept() {
    let (central, broker) = publishing().await;
    let mut workshop = subscribed(&broker, "workshop").await;
    keep(&central, "odometer").await;
    let (alias, opened_at) = (opened(&central, "odometer").await.alias, central.world.now());
    central.world.advance_seconds(3_600);
    // It listens, so it is waited for.
    apply(&central).await;
    let entry = order(&central, json!({"asset": ASSET})).await;
    apply(&central).await;
    let ended_at = central.world.now();

    let to_delete = told(&mut workshop).await;
    assert_eq!(to_delete.stream.vehicle, alias);
    let notice = &to_delete.notice;
    assert_eq!((notice.flow.as_str(), notice.purpose.as_str()), ("odometer", "service"));
    assert_eq!(notice.from.0, opened_at.plus_seconds(-APART_SECONDS));
    assert_eq!(notice.until.0, ended_at.plus_seconds(APART_SECONDS), "the gateway closed it by then");
    assert!(notice.covers(&slug("odometer"), opened_at) && notice.covers(&slug("odometer"), ended_at));

    let rows = until(&central, entry, |rows| rows.iter().any(|row| row.told_at.is_some())).await;
    let of_workshop: Vec<_> = rows.iter().filter(|row| row.operator == slug("workshop")).collect();
    assert_eq!(of_workshop.len(), 1);
    assert_eq!(of_workshop[0].state, DeletionState::Ordered);
    // An answer about another vehicle is no answer.
    let elsewhere = Stream { vehicle: VehicleAlias::from_bytes([9; 16]), ..to_delete.stream.clone() };
    confirm(&broker, &elsewhere, &to_delete).await;
    confirm(&broker, &to_delete.stream, &to_delete).await;
    let is_confirmed = |rows: &[Notice]| {
        rows.iter().any(|row| row.operator == slug("workshop") && row.state == DeletionState::Confirmed)
    };
    until(&central, entry, is_confirmed).await;
}

#[tokio::test]
async fn an_answer_while_central_is_away_is_kept_by_the_broker_and_a_notice_is_told_again() {
    let (central, broker) = publishing().await;
    let mut workshop = subscribed(&broker, "workshop").await;
    keep(&central, "odometer").await;
    let entry = order(&central, json!({"asset": ASSET})).await;
    apply(&central).await;
    let first = told(&mut workshop).await;
    until(&central, entry, |rows| rows.iter().all(|row| row.told_at.is_some())).await;
    let world = central.stop().await;
    world.advance_seconds(DAY_SECONDS + 1);
    let central = central_at(Arc::clone(&world), &broker).await;
    let again = told(&mut workshop).await;
    assert_eq!(again.notice, first.notice, "under the same id, and as it was");
    let world = central.stop().await;
    confirm(&broker, &again.stream, &again).await;
    let central = central_at(world, &broker).await;
    until(&central, entry, |rows| {
        rows.iter().any(|row| row.operator == slug("workshop") && row.state == DeletionState::Confirmed)
    })
    .await;
}

#[tokio::test]
async fn who_does_not_answer_in_a_month_gets_nothing_until_it_does() {
    let (central, broker) = publishing().await;
    let mut workshop = subscribed(&broker, "workshop").await;
    keep(&central, "odometer").await;
    let entry = order(&central, json!({"asset": ASSET})).await;
    apply(&central).await;
    let to_delete = told(&mut workshop).await;
    days_pass(&central, 31).await;
    let station = json!({"site": "oslo", "station": "bay-1"});
    central
        .say(json!({"kind": "order-opened", "order": "0d".repeat(16), "assets": [ASSET], "station": station,
                    "expires_at": central.world.now().plus_seconds(DAY_SECONDS).0}))
        .await;
    let closed = async |flow: &str| {
        let snapshot = central.snapshot().await;
        let mut closed = snapshot.grants.iter().flat_map(|grant| &grant.closed);
        closed.find(|(of, _)| of.as_str() == flow).map(|(_, reason)| *reason)
    };
    let wait = async |reason: Option<Reason>| {
        for _ in 0..4_000 {
            if closed("odometer").await == reason {
                return;
            }
            // Whoever asks after the order has central look at once.
            certified(&central, entry, 1).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("not {reason:?} but {:?}", closed("odometer").await);
    };
    wait(Some(Reason::RecipientPaused)).await;
    let late = until(&central, entry, |_| true).await;
    assert!(late.iter().any(|row| row.state == DeletionState::Late));
    confirm(&broker, &to_delete.stream, &to_delete).await;
    wait(None).await;
    keep(&central, "odometer").await;
    assert_eq!(CONTROLLER, central.snapshot().await.controller.as_str());
}

#[tokio::test]
async fn what_a_hold_keeps_is_not_ordered_to_go_before_the_hold_is_lifted() {
    let (central, broker) = publishing().await;
    let mut workshop = subscribed(&broker, "workshop").await;
    keep(&central, "odometer").await;
    let hold = central
        .say(json!({"kind": "hold-set", "scope": {"flows": {"asset": ASSET, "flows": ["odometer"]}},
                    "ground": "dispute", "citation": "case 9",
                    "until": central.world.now().plus_seconds(5 * DAY_SECONDS).0}))
        .await;
    let entry = order(&central, json!({"asset": ASSET})).await;
    apply(&central).await;
    let (answer, certificate) = certified(&central, entry, 1).await;
    assert!(!certificate.complete);
    assert!(answer.notices.iter().all(|row| row.flow != slug("odometer")));
    central.world.advance_seconds(1);
    central.say(json!({"kind": "hold-lifted", "hold": hold.results[0].entry})).await;
    assert_eq!(told(&mut workshop).await.notice.flow, slug("odometer"));
}
