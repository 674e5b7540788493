//! What is said at a station closes at once and opens nothing but offline flows on a
//! contract, whatever is said and in whatever order.

mod said;
#[path = "../world/mod.rs"]
mod world;

use std::{collections::BTreeMap, sync::Arc};
use vernport_crypto::{BlindIndex, SigningKey};
use vernport_policy::{
    AtStation, GrantId, Head, Link, MAX_STATION_ORDER_SECONDS, Outcomes, Role, Sampler, SignedLink, Snapshot,
    SnapshotFor, Standing, StationOpening, Table, Tip, at_station, judge_opening, opens_offline, snapshot,
};
use vernport_registry::{
    Actor, ActorRole, AssetIdentified, ENTRY_FORMAT, Entry, Event, Ground, Method, OrderClosed, OrderOpened,
    ReceiptCode, Restriction, Whom, Withdrawal, WithdrawalScope,
};
use vernport_types::{
    AssetId, BootMicros, Identification, IdentifierKind, OrderId, Reading, Reason, SegmentId, Slug, Source,
    Stamp, TimeQuality, UtcMicros, Value, VehicleAlias,
};
use world::{ANNE, HOUR, NOON, ORDER, TRUCK, World, bay, catalogue, id, key, shipped};

/// A vehicle that central does not expect here.
const STRANGER: AssetId = AssetId::from_bytes([0x57; 16]);
const SECOND: i64 = 1_000_000;

/// Westrum's rules, of which a station may open the workshop's flow; private mode stops the warranty's.
fn rules_text() -> String {
    let text = shipped("westrum");
    let text = text.replace("[[flow]]\nid = \"workshop\"\n", "[[flow]]\nid = \"workshop\"\noffline = true\n");
    let with =
        text.replace("[[flow]]\nid = \"warranty\"\n", "[[flow]]\nid = \"warranty\"\nprivate_mode = true\n");
    assert!(with.contains("offline = true") && with.contains("private_mode = true"));
    with
}

/// The truck with an open order and its owner's consent.
fn world() -> World {
    let mut world = World::ready(&rules_text());
    world.link(ANNE, Role::Owner);
    world.consent(ANNE, Role::Owner, "maintenance-reminder");
    world
}

fn of_central(world: &mut World) -> Snapshot {
    let whom = SnapshotFor {
        gateway: id("bay-1-box"),
        at: bay(),
        recovery: key("westrum", "recovery"),
        closed: Vec::new(),
    };
    snapshot(&world.facts, &world.rules, whom, world.now, &mut world.tables)
}

/// A chain of links that one gateway writes.
struct Chain {
    tip: Tip,
    key: SigningKey,
    links: Vec<SignedLink>,
    drawn: u8,
}

impl Chain {
    fn new() -> Self {
        let tip = Tip::of_new(SegmentId::from_bytes([0x5E; 16]));
        Self { tip, key: SigningKey::from_seed([7; 32]), links: Vec::new(), drawn: 0 }
    }

    fn say(&mut self, event: Event, at: UtcMicros, openings: Vec<StationOpening>, stands_here: bool) {
        let gateway: Slug = id("bay-1-box");
        let entry = Entry {
            format: ENTRY_FORMAT,
            controller: world::compile(&rules_text()).controller().clone(),
            event,
            actor: Actor { role: ActorRole::Gateway, id: gateway.clone() },
            occurred_at: at,
            recorded_at: at,
            source: gateway.clone(),
            external_ref: id(&format!("s-{}", self.tip.sequence + 1)),
        };
        let link = Link {
            format: Link::FORMAT,
            gateway,
            segment: self.tip.segment,
            sequence: self.tip.sequence + 1,
            previous: self.tip.link,
            clock: TimeQuality::Bounded,
            entry,
            stands_here,
            openings,
        };
        assert!(link.follows(&self.tip));
        self.tip = link.tip();
        self.links.push(link.sign(&self.key));
    }

    /// An order that says it opens all these flows.
    fn order(&mut self, asset: AssetId, order: OrderId, at: UtcMicros, flows: &[&str]) {
        let openings: Vec<_> = flows
            .iter()
            .map(|flow| {
                self.drawn += 1;
                StationOpening {
                    flow: id(flow),
                    grant: GrantId::from_bytes([self.drawn; 16]),
                    alias: VehicleAlias::from_bytes([self.drawn; 16]),
                }
            })
            .collect();
        self.say(Event::OrderOpened(OrderOpened::new(order, asset, bay(), at)), at, openings, false);
    }
}

/// All flows that are open, by opening.
fn open(snapshot: &Snapshot) -> BTreeMap<GrantId, (AssetId, Slug)> {
    let of = |grant: &vernport_policy::Grant| {
        let asset = grant.asset;
        grant.flows.iter().map(move |flow| (flow.id, (asset, flow.flow.clone()))).collect::<Vec<_>>()
    };
    snapshot.grants.iter().flat_map(of).collect()
}

fn names(snapshot: &Snapshot, asset: AssetId) -> Vec<String> {
    let mut names: Vec<_> = open(snapshot)
        .into_values()
        .filter(|(of, _)| *of == asset)
        .map(|(_, flow)| flow.to_string())
        .collect();
    names.sort();
    names
}

fn laid(world: &World, central: &Snapshot, chain: &Chain) -> AtStation {
    at_station(&world.rules, central, &chain.links, NOON, None)
}

const ALL_FLOWS: [&str; 4] = ["workshop", "warranty", "maintenance-reminder", "customer-report"];

#[test]
fn an_order_at_the_station_opens_the_marked_contract_flow_and_no_other() {
    let mut world = world();
    let central = of_central(&mut world);
    let mut chain = Chain::new();
    chain.order(STRANGER, OrderId::from_bytes([9; 16]), NOON, &ALL_FLOWS);
    let here = laid(&world, &central, &chain);
    assert_eq!(names(&here.snapshot, STRANGER), ["workshop"]);
    assert_eq!(here.own.len(), 1);
    let grant = here.snapshot.grants.iter().find(|grant| grant.asset == STRANGER).expect("a grant");
    assert_eq!(grant.flows[0].believe.until, NOON.plus_seconds(72 * HOUR));
    assert_eq!(grant.flows[0].rests_on, [chain.links[0].link.entry.hash()]);
    assert_eq!(names(&here.snapshot, TRUCK), names(&central, TRUCK), "of the others nothing changes");

    let opens: Vec<_> = opens_offline(&world.rules, &central, STRANGER, NOON)
        .map(|(flow, opens)| (flow.slug.to_string(), opens))
        .collect();
    assert_eq!(opens, [("workshop".to_owned(), Ok(()))]);
}

#[test]
fn what_the_snapshot_closes_for_another_reason_than_a_missing_order_stays_closed() {
    let mut world = world();
    world.close_order();
    // Mounted in it, the gateway hears of the vehicle without an order, too.
    world.say(Event::GatewayEnrolled(vernport_registry::GatewayEnrolled {
        gateway: id("bay-1-box"),
        station: bay(),
        device_key: SigningKey::from_seed([7; 32]).verifying_key(),
        pinned: Some(TRUCK),
    }));
    let mut chain = Chain::new();
    chain.order(TRUCK, OrderId::from_bytes([9; 16]), NOON, &ALL_FLOWS);
    let central = of_central(&mut world);
    assert_eq!(names(&central, TRUCK), Vec::<String>::new());
    assert_eq!(names(&laid(&world, &central, &chain).snapshot, TRUCK), ["workshop"]);

    let mut world = self::world();
    world.say(Event::RestrictionSet(Restriction {
        whom: Whom::Asset(TRUCK),
        purpose: None,
        ground: Ground::AccuracyDisputed,
        case: id("case-7"),
    }));
    let central = of_central(&mut world);
    let here = laid(&world, &central, &chain);
    assert_eq!(names(&here.snapshot, TRUCK), Vec::<String>::new(), "restricted");
    assert!(here.own.is_empty());
}

/// The snapshot tells one reason for each closed flow: that no order is open must not hide another.
#[test]
fn an_order_at_the_station_opens_nothing_that_is_stopped_while_no_order_is_open() {
    let mut world = world();
    world.close_order();
    world.say(Event::GatewayEnrolled(vernport_registry::GatewayEnrolled {
        gateway: id("bay-1-box"),
        station: bay(),
        device_key: SigningKey::from_seed([7; 32]).verifying_key(),
        pinned: Some(TRUCK),
    }));
    let mut chain = Chain::new();
    chain.order(TRUCK, OrderId::from_bytes([9; 16]), NOON, &ALL_FLOWS);
    assert_eq!(world.closed("workshop"), Some(Reason::OrderNotOpen));
    let restriction = world.say(Event::RestrictionSet(Restriction {
        whom: Whom::Asset(TRUCK),
        purpose: None,
        ground: Ground::AccuracyDisputed,
        case: id("case-7"),
    }));
    assert_eq!(world.closed("workshop"), Some(Reason::Restricted));
    let central = of_central(&mut world);
    let here = laid(&world, &central, &chain);
    assert_eq!(names(&here.snapshot, TRUCK), Vec::<String>::new());
    assert!(here.own.is_empty());
    let opens: Vec<_> = opens_offline(&world.rules, &central, TRUCK, NOON).map(|(_, opens)| opens).collect();
    assert_eq!(opens, [Err(Reason::Restricted)], "and the technician is told why");

    world.void(restriction);
    world.later(1);
    assert_eq!(world.closed("workshop"), Some(Reason::OrderNotOpen));
    let central = of_central(&mut world);
    assert_eq!(names(&laid(&world, &central, &chain).snapshot, TRUCK), ["workshop"]);
}

#[test]
fn without_a_key_or_a_notice_nothing_opens_at_a_station() {
    for prepare in [World::serve_notices as fn(&mut World), World::activate_keys] {
        let mut world = World::empty(&rules_text());
        prepare(&mut world);
        world.open_order();
        let central = of_central(&mut world);
        let mut chain = Chain::new();
        chain.order(STRANGER, OrderId::from_bytes([9; 16]), NOON, &ALL_FLOWS);
        assert!(laid(&world, &central, &chain).own.is_empty());
    }
}

#[test]
fn a_withdrawal_destroys_the_consents_of_its_vehicle_and_one_by_receipt_holds_all_of_them() {
    let mut world = world();
    let mut central = of_central(&mut world);
    let consented = world.open_id("maintenance-reminder");
    let earlier = GrantId::from_bytes([0xEE; 16]);
    central.closed.push(vernport_policy::ClosedGrant { id: earlier, reason: Reason::OrderNotOpen });
    let reason = |here: &AtStation, id| {
        here.snapshot.closed.iter().find(|closed| closed.id == id).map(|closed| closed.reason)
    };
    let withdrawn =
        |scope| Event::ConsentWithdrawn(Withdrawal { scope, method: Method::Station, recorded_by: None });
    let mut chain = Chain::new();
    let receipt = ReceiptCode::from_bytes([7; 7]);
    chain.say(withdrawn(WithdrawalScope::Receipt(receipt)), NOON, vec![], false);
    let here = laid(&world, &central, &chain);
    assert_eq!(reason(&here, consented), Some(Reason::GrantStale));
    // Nobody here knows whose batches these are: they wait for central.
    assert_eq!(reason(&here, earlier), Some(Reason::GrantStale));
    assert!(names(&here.snapshot, TRUCK).contains(&"workshop".to_owned()), "on another basis");

    chain.say(withdrawn(WithdrawalScope::Asset(TRUCK)), NOON, vec![], false);
    assert_eq!(reason(&laid(&world, &central, &chain), consented), Some(Reason::ConsentWithdrawn));
    let mut other = Chain::new();
    other.say(withdrawn(WithdrawalScope::Asset(STRANGER)), NOON, vec![], false);
    let here = laid(&world, &central, &other);
    assert_eq!(reason(&here, consented), None);
    assert_eq!(names(&here.snapshot, TRUCK), names(&central, TRUCK));
}

#[test]
fn an_assertion_stands_until_its_order_is_closed() {
    let mut world = world();
    let central = of_central(&mut world);
    let mut chain = Chain::new();
    let (identifier_kind, index) = (IdentifierKind::Plate, BlindIndex::from_bytes([3; 32]));
    let identified = AssetIdentified { asset: TRUCK, identifier_kind, index };
    chain.say(Event::AssetIdentified(identified), NOON, vec![], true);
    let here = laid(&world, &central, &chain);
    assert_eq!(here.asserted, Some((TRUCK, NOON)));
    let truck = here.snapshot.grants.iter().find(|grant| grant.asset == TRUCK).expect("a grant");
    assert!(!truck.identifiers.contains(&index), "what central named is not named anew here");
    chain.say(Event::OrderClosed(OrderClosed { order: ORDER }), NOON, vec![], false);
    let later = at_station(&world.rules, &central, &chain.links[1..], NOON, here.asserted);
    assert_eq!(later.asserted, None);
}

#[test]
fn central_judges_an_opening_by_its_own_rules_at_the_time_of_the_order() {
    let mut world = World::empty(&rules_text());
    world.activate_keys();
    let judge = |world: &World, opened, flow: &str| {
        let order = OrderOpened::new(ORDER, TRUCK, bay(), NOON);
        let drawn = StationOpening {
            flow: id(flow),
            grant: GrantId::from_bytes([1; 16]),
            alias: VehicleAlias::from_bytes([2; 16]),
        };
        judge_opening(&world.facts, &world.rules, &bay(), (&order, opened), &drawn, NOON).expect("a rule")
    };
    let opened = world.open_order();
    assert_eq!(judge(&world, opened, "workshop").over, Some(Reason::NoticeNotServed));
    world.serve_notices();
    let judged = judge(&world, opened, "workshop");
    assert_eq!((judged.over, judged.year), (None, Some(2026)));
    assert!(judged.opening.rests_on.contains(&opened));
    assert_eq!(judge(&world, opened, "warranty").over, Some(Reason::NoGrant), "the bundle does not mark it");
    world.say(Event::RestrictionSet(Restriction {
        whom: Whom::Asset(TRUCK),
        purpose: None,
        ground: Ground::AccuracyDisputed,
        case: id("case-7"),
    }));
    assert_eq!(judge(&world, opened, "workshop").over, None, "restricted waits, and is not destroyed");
}

fn stamp(seconds: i64) -> Stamp {
    let boot = BootMicros(u64::try_from(1_000 * SECOND + seconds.max(0) * SECOND).expect("after the start"));
    Stamp { wall: NOON.plus_seconds(seconds), boot, quality: TimeQuality::Bounded }
}

fn outcome(table: &Table, asset: AssetId, by: Identification, now: Stamp) -> Vec<Result<Slug, Reason>> {
    let signal = catalogue().find("Vehicle.TraveledDistance").expect("in the catalogue");
    let source = Source::J1939 { pgn: 65_217, sa: 0 };
    let reading = Reading { asset, signal, value: Value::Integer(1_000), at: now, source, identified_by: by };
    let mut out = Outcomes::new();
    table.decide(&reading, now, &mut Sampler::default(), &mut out);
    let released = out.released().iter().map(|r| Ok(table.rules().flow(r.flow()).slug.clone()));
    released.chain(out.withheld().iter().map(|w| Err(w.reason))).collect()
}

#[test]
fn a_flow_opened_here_ends_with_its_order_whatever_the_clock_says_and_takes_no_weak_identification() {
    let mut world = world();
    let central = of_central(&mut world);
    let head = Head { era: 1, sequence: 1, at: NOON, nonce: [0; 16], snapshot_hash: central.hash() };
    let mut chain = Chain::new();
    chain.order(STRANGER, OrderId::from_bytes([9; 16]), NOON, &["workshop"]);
    let mut table = Table::new(Arc::new(world.rules.clone()));
    table.restore(central.clone(), &head, NOON, &chain.links).expect("it names the snapshot");
    // What needs a head of late waits for one after a restart; the contract goes on.
    let reminder = world.open_id("maintenance-reminder");
    assert_eq!(table.standing(reminder, stamp(1)), Standing::Park(Reason::GrantStale));
    assert_eq!(table.standing(world.open_id("workshop"), stamp(1)), Standing::Send);
    assert_eq!(table.of_central(), Some(&central));
    let released = |by, now| outcome(&table, STRANGER, by, now).into_iter().find_map(Result::ok);
    assert_eq!(released(Identification::Asserted, stamp(60)), Some(id("workshop")));
    assert_eq!(released(Identification::BusVin, stamp(61)), Some(id("workshop")));
    for weak in [Identification::Tool, Identification::Pinned] {
        assert_eq!(released(weak, stamp(62)), None, "{weak:?}");
    }
    let drawn = chain.links[0].link.openings[0].grant;
    assert_eq!(table.standing(drawn, stamp(63)), Standing::Send);
    let over = 72 * HOUR;
    assert_eq!(released(Identification::BusVin, stamp(over)), None);
    assert_eq!(released(Identification::BusVin, stamp(60)), None, "the clock was set back");
    assert_eq!(table.standing(drawn, stamp(60)), Standing::Send, "what was read goes on");
}

#[test]
fn a_snapshot_that_knows_the_links_ends_what_they_did() {
    let mut world = world();
    let central = of_central(&mut world);
    let head = Head { era: 1, sequence: 1, at: NOON, nonce: [0; 16], snapshot_hash: central.hash() };
    let mut chain = Chain::new();
    chain.order(STRANGER, OrderId::from_bytes([9; 16]), NOON, &["workshop"]);
    chain.say(Event::OrderClosed(OrderClosed { order: ORDER }), NOON, vec![], false);
    let mut table = Table::new(Arc::new(world.rules.clone()));
    assert!(table.say(&chain.links).is_none(), "nothing is open before central spoke");
    table.apply(central.clone(), &head, stamp(0)).expect("it names the snapshot");
    let workshop = world.open_id("workshop");
    assert_eq!(table.standing(workshop, stamp(1)), Standing::Send);
    assert!(table.opening(workshop).is_some());
    table.say(&chain.links).expect("a snapshot");
    assert!(table.opening(workshop).is_none(), "closed at once");
    let drawn = chain.links[0].link.openings[0].grant;
    assert!(table.opening(drawn).is_some());
    table.apply(central, &head, stamp(2)).expect("it names the snapshot");
    assert!(table.opening(workshop).is_some() && table.opening(drawn).is_none());
}

#[test]
fn a_link_says_only_what_a_station_may_say_and_is_bound_to_every_part_of_it() {
    let mut chain = Chain::new();
    chain.order(STRANGER, OrderId::from_bytes([9; 16]), NOON, &["workshop"]);
    let signed = chain.links[0].clone();
    let key = chain.key.verifying_key();
    signed.verify(&key).expect("signed");
    signed.link.check(&bay()).expect("may be said");
    let changed = |change: &dyn Fn(&mut Link)| {
        let mut other = signed.clone();
        change(&mut other.link);
        other
    };
    let changes: [&dyn Fn(&mut Link); 8] = [
        &|link| link.sequence += 1,
        &|link| link.previous = vernport_types::LinkHash::from_bytes([1; 32]),
        &|link| link.segment = SegmentId::from_bytes([1; 16]),
        &|link| link.gateway = id("bay-2-box"),
        &|link| link.clock = TimeQuality::Synced,
        &|link| link.stands_here = true,
        &|link| link.openings.clear(),
        &|link| link.entry.occurred_at = NOON.plus_seconds(1),
    ];
    for (place, change) in changes.into_iter().enumerate() {
        assert!(changed(change).verify(&key).is_err(), "change {place}");
    }
    let refused: [&dyn Fn(&mut Link); 6] = [
        &|link| link.entry.actor.role = ActorRole::Staff,
        &|link| link.entry.source = id("dms"),
        &|link| link.entry.event = Event::OrderClosed(OrderClosed { order: ORDER }),
        &|link| link.openings.push(link.openings[0].clone()),
        &|link| {
            let Event::OrderOpened(order) = &mut link.entry.event else { panic!("an order") };
            order.expires_at = NOON.plus_seconds(MAX_STATION_ORDER_SECONDS + 1);
        },
        &|link| {
            link.openings.clear();
            link.entry.event = Event::AssetMerged(vernport_registry::Merge { from: TRUCK, into: STRANGER });
        },
    ];
    for (place, change) in refused.into_iter().enumerate() {
        assert!(changed(change).link.check(&bay()).is_err(), "change {place}");
    }
}
