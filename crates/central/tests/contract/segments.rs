//! What was said at a station comes to central: each link once, in its order, from its
//! own gateway; and the batches that rest on it.

use crate::common::{
    ASSET, CONTROLLER, Central, GATEWAY, ORDER, World, client, controller, open_flow, refused, slug, taken,
    with_visit,
};
use reqwest::Response;
use serde_json::{Value, json};
use vernport_api::{
    Answer, Blob, Code, Feed, LinkOutcome, LinkResult, PATH_SEGMENTS, SealedIdentifier, SegmentAnswer,
    SegmentRequest,
};
use vernport_crypto::{BlindIndex, SigningKey, random};
use vernport_policy::{GrantId, Link, SignedLink, StationOpening, Tip};
use vernport_registry::{Actor, ActorRole, ENTRY_FORMAT, Entry, Event};
use vernport_testkit::pki::Role;
use vernport_types::{Reason, SegmentId, TimeQuality, UtcMicros, VehicleAlias};

const PROVISIONAL: &str = "b55e0000000000000000000000000001";
const STATION_ORDER: &str = "0d0e0000000000000000000000000002";
const HOUR_MICROS: i64 = 3_600_000_000;

/// A gateway's chain.
struct Chain {
    tip: Tip,
    device: SigningKey,
    clock: TimeQuality,
    now: UtcMicros,
}

impl Chain {
    fn of(world: &World) -> Self {
        Self {
            tip: Tip::of_new(SegmentId::from_bytes(random())),
            device: SigningKey::from_seed(*world.device.seed()),
            clock: TimeQuality::Bounded,
            now: world.now(),
        }
    }

    fn link(&mut self, event: Value, openings: Vec<StationOpening>) -> SignedLink {
        let event: Event = serde_json::from_value(event).expect("an event");
        let sequence = self.tip.sequence + 1;
        let entry = Entry {
            format: ENTRY_FORMAT,
            controller: controller(CONTROLLER),
            event,
            actor: Actor { role: ActorRole::Gateway, id: slug(GATEWAY) },
            occurred_at: self.now,
            recorded_at: self.now,
            source: slug(GATEWAY),
            external_ref: format!("s{}-{sequence}", self.tip.segment).parse().expect("short"),
        };
        let link = Link {
            format: Link::FORMAT,
            gateway: slug(GATEWAY),
            segment: self.tip.segment,
            sequence,
            previous: self.tip.link,
            clock: self.clock,
            entry,
            stands_here: false,
            openings,
        };
        self.tip = link.tip();
        link.sign(&self.device)
    }

    /// A vehicle that nobody expects is handed in: it gets an id and an order.
    fn hand_in(&mut self, index: BlindIndex) -> (Vec<SignedLink>, GrantId) {
        let named = self.link(
            json!({"kind": "asset-identified", "asset": PROVISIONAL, "identifier_kind": "vin", "index": index}),
            vec![],
        );
        let grant = GrantId::from_bytes(random());
        let opening =
            StationOpening { flow: slug("odometer"), grant, alias: VehicleAlias::from_bytes(random()) };
        let order = self.link(opened(PROVISIONAL, STATION_ORDER, self.now), vec![opening]);
        (vec![named, order], grant)
    }
}

fn opened(asset: &str, order: &str, now: UtcMicros) -> Value {
    json!({"kind": "order-opened", "order": order, "assets": [asset],
           "station": {"site": "oslo", "station": "bay-1"}, "expires_at": now.0 + 72 * HOUR_MICROS})
}

async fn bring(central: &Central, links: &[SignedLink]) -> Response {
    let request = SegmentRequest { links: links.to_vec(), identifiers: vec![] };
    let body = serde_json::to_value(request).expect("plain data");
    central.post(&central.gateway(), PATH_SEGMENTS, &body).await
}

async fn merged(central: &Central, links: &[SignedLink]) -> Vec<LinkResult> {
    taken::<SegmentAnswer>(bring(central, links).await).await.results
}

fn outcomes(results: &[LinkResult]) -> Vec<LinkOutcome> {
    results.iter().map(|result| result.outcome).collect()
}

async fn feed(central: &Central) -> Feed {
    central.feed_as(&central.gateway(), GATEWAY, None, 0).await
}

/// A gateway, keys and a notice; no vehicle is known.
async fn without_a_vehicle() -> Central {
    let central = World::new().start().await;
    central.ledger(central.world.visit().into_iter().take(4).collect()).await;
    central
}

fn another_vehicle() -> BlindIndex {
    BlindIndex::from_bytes([0x77; 32])
}

#[tokio::test]
async fn batches_of_an_order_at_the_station_wait_for_its_link_and_are_committed_once() {
    let central = without_a_vehicle().await;
    let mut chain = Chain::of(&central.world);
    let (links, grant) = chain.hand_in(another_vehicle());
    let batch = central.world.batch("odometer");
    assert_eq!(central.deliver(&[(grant, &batch)]).await, [Answer::Retry], "not known yet, never lost");
    assert_eq!(feed(&central).await.merged, None);

    let results = merged(&central, &links).await;
    assert_eq!(outcomes(&results), [LinkOutcome::Recorded; 2]);
    // The entry bears the name that the station's batches rest on.
    assert_eq!(results[1].entry, Some(links[1].link.entry.hash()));
    assert_eq!(central.deliver(&[(grant, &batch)]).await, [Answer::Committed]);
    assert_eq!(central.deliver(&[(grant, &batch)]).await, [Answer::Duplicate]);

    let feed = feed(&central).await;
    let said = feed.merged.expect("it brought links");
    let said = said.verify(&central.world.head_key()).expect("signed by the key of the heads");
    assert_eq!((said.tip, said.snapshot_hash), (chain.tip, feed.head.head.snapshot_hash));
    let snapshot = feed.snapshot.expect("asked without one");
    let own = open_flow(&snapshot, "odometer").expect("the order is open at central, too");
    let drawn = &links[1].link.openings[0];
    assert_eq!((own.id, own.alias), (drawn.grant, drawn.alias), "what the station opened goes on as it was");

    let closing = chain.link(json!({"kind": "order-closed", "order": STATION_ORDER}), vec![]);
    merged(&central, &[closing]).await;
    let closed = central.snapshot().await.closed;
    assert!(closed.iter().any(|closed| closed.id == grant && closed.reason == Reason::OrderNotOpen));
    let late = central.world.batch("odometer");
    assert_eq!(central.deliver(&[(grant, &late)]).await, [Answer::Committed], "what was read goes on");
}

#[tokio::test]
async fn links_are_taken_once_however_often_they_come_and_after_a_restart_of_central() {
    let central = without_a_vehicle().await;
    let mut chain = Chain::of(&central.world);
    let (links, grant) = chain.hand_in(another_vehicle());
    merged(&central, &links[..1]).await;
    assert_eq!(
        outcomes(&merged(&central, &links).await),
        [LinkOutcome::Duplicate, LinkOutcome::Recorded],
        "the answer to the first was lost"
    );
    let central = central.restart().await;
    let again = merged(&central, &links).await;
    assert_eq!(outcomes(&again), [LinkOutcome::Duplicate; 2]);
    assert_eq!(again[1].entry, Some(links[1].link.entry.hash()));
    let tip = feed(&central).await.merged.expect("known after the restart").merged.tip;
    assert_eq!(tip, chain.tip);
    let batch = central.world.batch("odometer");
    assert_eq!(central.deliver(&[(grant, &batch)]).await, [Answer::Committed]);
    let closing = chain.link(json!({"kind": "order-closed", "order": STATION_ORDER}), vec![]);
    assert_eq!(outcomes(&merged(&central, &[closing]).await), [LinkOutcome::Recorded]);
    assert!(open_flow(&central.snapshot().await, "odometer").is_none());
}

#[tokio::test]
async fn a_vehicle_that_central_knows_is_joined_with_the_id_that_the_station_gave_it() {
    let central = with_visit().await;
    central.world.advance_seconds(60);
    let mut chain = Chain::of(&central.world);
    let (links, grant) = chain.hand_in(central.world.index());
    assert_eq!(outcomes(&merged(&central, &links).await), [LinkOutcome::Recorded; 2]);
    let batch = central.world.batch("odometer");
    assert_eq!(central.deliver(&[(grant, &batch)]).await, [Answer::Committed]);
    let snapshot = central.snapshot().await;
    let assets: Vec<_> = snapshot.grants.iter().map(|grant| grant.asset.to_string()).collect();
    assert_eq!(assets, [ASSET], "one vehicle, by the id that it had");
    assert_eq!(snapshot.grants[0].order.map(|order| order.to_string()), Some(STATION_ORDER.into()));

    // A known vehicle is joined with no other, whatever a station says.
    let index = another_vehicle();
    central.say(json!({"kind": "asset-identified", "asset": PROVISIONAL.replace('b', "c"), "identifier_kind": "vin",
                       "index": index})).await;
    let named = json!({"kind": "asset-identified", "asset": ASSET, "identifier_kind": "vin", "index": index});
    let results = merged(&central, &[chain.link(named, vec![])]).await;
    assert_eq!(outcomes(&results), [LinkOutcome::Refused]);
    assert_eq!(central.snapshot().await.grants.len(), 1);
}

#[tokio::test]
async fn what_is_forged_replaced_out_of_order_or_not_the_gateways_own_has_no_effect_and_is_counted() {
    let central = with_visit().await;
    let mut chain = Chain::of(&central.world);
    let before = central.snapshot().await;
    let link = chain.link(json!({"kind": "order-closed", "order": ORDER}), vec![]);
    let behind = chain.link(json!({"kind": "private-mode-started", "asset": ASSET}), vec![]);

    let mut forged = link.clone();
    forged.link.clock = TimeQuality::Synced;
    assert_eq!(refused(bring(&central, &[forged]).await, Code::LinkForged).await.item, Some(0));
    let mut other = Chain { device: SigningKey::generate(), ..Chain::of(&central.world) };
    let by_another = other.link(json!({"kind": "order-closed", "order": ORDER}), vec![]);
    refused(bring(&central, &[by_another]).await, Code::LinkForged).await;
    refused(bring(&central, std::slice::from_ref(&behind)).await, Code::LinkGap).await;
    assert_eq!(
        refused(bring(&central, &[behind.clone(), link.clone()]).await, Code::LinkGap).await.item,
        Some(0)
    );
    // Another gateway of the same controller, with its own certificate.
    let spare = client(&central.world.ca, "bay-1-spare", Role::Gateway, CONTROLLER);
    let body = json!({"links": [link]});
    refused(central.post(&spare, PATH_SEGMENTS, &body).await, Code::OtherGateway).await;
    refused(central.post(&central.registrar(), PATH_SEGMENTS, &body).await, Code::RoleNotAllowed).await;
    let told = chain.link(
        json!({"kind": "consent-withdrawn", "scope": {"subject": {"subject": ASSET}}, "method": "spoken"}),
        vec![],
    );
    refused(bring(&central, &[link.clone(), behind.clone(), told]).await, Code::LinkForged).await;
    refused(central.post(&central.gateway(), PATH_SEGMENTS, &json!({"links": []})).await, Code::BadRequest)
        .await;
    assert_eq!(central.snapshot().await, before, "nothing of it took effect");

    merged(&central, &[link.clone(), behind]).await;
    let mut fork = Chain { tip: Tip::of_new(chain.tip.segment), ..Chain::of(&central.world) };
    let replacing = fork.link(json!({"kind": "private-mode-ended", "asset": ASSET}), vec![]);
    refused(bring(&central, &[replacing]).await, Code::LinkReplaced).await;

    let world = central.stop().await;
    let counted = world.link_refusals(GATEWAY).await;
    assert_eq!(counted, [("link-forged".into(), 3), ("link-gap".into(), 2), ("link-replaced".into(), 1)]);
    assert_eq!(world.link_refusals("bay-1-spare").await, [("other-gateway".into(), 1)]);
}

#[tokio::test]
async fn a_refused_opening_is_over_and_its_batches_are_destroyed_while_the_chain_goes_on() {
    let central = without_a_vehicle().await;
    let mut chain = Chain::of(&central.world);
    let drawn = |flow: &str| StationOpening {
        flow: slug(flow),
        grant: GrantId::from_bytes(random()),
        alias: VehicleAlias::from_bytes(random()),
    };
    let named = json!({"kind": "asset-identified", "asset": PROVISIONAL, "identifier_kind": "vin",
                       "index": another_vehicle()});
    let mut elsewhere = opened(PROVISIONAL, STATION_ORDER, chain.now);
    elsewhere["station"]["station"] = "bay-9".into();
    let (refused_flow, unmarked) = (drawn("odometer"), drawn("speed"));
    let links = [
        chain.link(named, vec![]),
        chain.link(elsewhere, vec![refused_flow.clone()]),
        chain.link(opened(PROVISIONAL, STATION_ORDER, chain.now), vec![unmarked.clone()]),
        chain.link(json!({"kind": "order-closed", "order": ORDER}), vec![]),
    ];
    let results = merged(&central, &links).await;
    use LinkOutcome::{Recorded, Refused};
    assert_eq!(outcomes(&results), [Recorded, Refused, Recorded, Refused]);
    assert!(results[3].problem.as_deref().is_some_and(|problem| problem.contains("no order has this id")));
    let (one, two) = (central.world.batch("odometer"), central.world.batch("speed"));
    assert_eq!(
        central.deliver(&[(refused_flow.grant, &one), (unmarked.grant, &two)]).await,
        [Answer::RefusedWithdrawn; 2]
    );
    let closed = central.snapshot().await.closed;
    for grant in [refused_flow.grant, unmarked.grant] {
        assert!(closed.iter().any(|closed| closed.id == grant && closed.reason == Reason::NoGrant));
    }
    assert_eq!(central.stored_batches().await, 0);
}

#[tokio::test]
async fn voiding_an_order_of_the_station_destroys_what_rests_on_it() {
    let central = without_a_vehicle().await;
    let mut chain = Chain::of(&central.world);
    let (links, grant) = chain.hand_in(another_vehicle());
    let results = merged(&central, &links).await;
    central.say(json!({"kind": "voided", "entry": results[1].entry, "reason": "wrong-asset"})).await;
    let batch = central.world.batch("odometer");
    assert_eq!(central.deliver(&[(grant, &batch)]).await, [Answer::RefusedWithdrawn]);
}

#[tokio::test]
async fn a_closing_is_taken_whatever_the_clock_of_the_station_says_and_an_opening_is_not() {
    for (clock, ahead_micros) in
        [(TimeQuality::Unset, -50 * 365 * 24 * HOUR_MICROS), (TimeQuality::Bounded, 24 * HOUR_MICROS)]
    {
        let central = with_visit().await;
        let now = UtcMicros(central.world.now().0 + ahead_micros);
        let mut chain = Chain { clock, now, ..Chain::of(&central.world) };
        assert!(open_flow(&central.snapshot().await, "speed").is_some());
        let withdrawn = json!({"kind": "consent-withdrawn", "scope": {"asset": ASSET}, "method": "station"});
        let links = [chain.link(withdrawn, vec![]), chain.link(opened(ASSET, STATION_ORDER, now), vec![])];
        let results = merged(&central, &links).await;
        assert_eq!(outcomes(&results), [LinkOutcome::Recorded, LinkOutcome::Refused]);
        let snapshot = central.snapshot().await;
        assert!(open_flow(&snapshot, "speed").is_none() && open_flow(&snapshot, "odometer").is_some());
        let reason = snapshot.grants[0].closed.iter().find(|(flow, _)| flow.as_str() == "speed");
        assert_eq!(reason.map(|(_, reason)| *reason), Some(Reason::ConsentWithdrawn));
    }
}

#[tokio::test]
async fn after_its_enrolment_ended_a_gateway_may_still_close_and_no_longer_open() {
    let central = with_visit().await;
    let mut chain = Chain::of(&central.world);
    central.say(json!({"kind": "enrolment-ended", "gateway": GATEWAY})).await;
    let (mut links, _) = chain.hand_in(another_vehicle());
    links.push(chain.link(json!({"kind": "order-closed", "order": ORDER}), vec![]));
    let results = merged(&central, &links).await;
    use LinkOutcome::{Recorded, Refused};
    assert_eq!(outcomes(&results), [Recorded, Refused, Recorded]);
}

#[tokio::test]
async fn a_sealed_identifier_comes_along_and_another_spool_begins_another_chain() {
    let central = without_a_vehicle().await;
    let mut chain = Chain::of(&central.world);
    let (links, _) = chain.hand_in(another_vehicle());
    let sealed = SealedIdentifier { index: another_vehicle(), sealed: Blob(vec![1; 60]) };
    let request = SegmentRequest { links, identifiers: vec![sealed] };
    let body = serde_json::to_value(request).expect("plain data");
    taken::<SegmentAnswer>(central.post(&central.gateway(), PATH_SEGMENTS, &body).await).await;

    let mut next = Chain::of(&central.world);
    let closing = next.link(json!({"kind": "order-closed", "order": STATION_ORDER}), vec![]);
    assert_eq!(outcomes(&merged(&central, &[closing]).await), [LinkOutcome::Recorded]);
    assert_eq!(feed(&central).await.merged.expect("merged").merged.tip, next.tip);
}
