//! Many assets, and one entry: only what it touches is asked about.

use crate::world::{self, Counting, DAY, NOON, World, bay, id, number};
use std::collections::BTreeSet;
use vernport_crypto::{VerifyingKey, WrappingKey};
use vernport_policy::{
    Agenda, Anew, GrantId, Opening, Role, Snapshot, SnapshotFor, StationRef, Tables, snapshot,
};
use vernport_registry::{
    Actor, ActorRole, ENTRY_FORMAT, Entry, Event, GatewayEnrolled, Link, OrderOpened, PrivateMode, Touched,
};
use vernport_types::{AssetId, OrderId, Slug, SubjectId, UtcMicros, VehicleAlias};

const ASSETS: usize = 10_000;

/// Remembers which assets it was asked about.
struct Asked<'a> {
    tables: &'a mut Counting,
    assets: BTreeSet<AssetId>,
}

impl Tables for Asked<'_> {
    fn grant_id(&mut self, opening: &Opening) -> GrantId {
        self.assets.insert(opening.asset);
        self.tables.grant_id(opening)
    }

    fn alias(&mut self, asset: AssetId, recipient: &Slug, purpose: &Slug, year: i16) -> VehicleAlias {
        self.assets.insert(asset);
        self.tables.alias(asset, recipient, purpose, year)
    }
}

fn asset(n: usize) -> AssetId {
    AssetId::from_bytes(number(n))
}

fn subject(n: usize) -> SubjectId {
    SubjectId::from_bytes(number(n))
}

/// Where the vehicle of a number stands: at one of ten stations.
fn stands(n: usize) -> StationRef {
    StationRef { site: bay().site, station: id(&format!("bay-{}", n % 10)) }
}

/// Ten thousand vehicles, all handed in, one driver for two.
fn fleet() -> World {
    let mut world = World::empty(world::example("example-fleet"));
    world.serve_notices();
    world.activate_keys();
    for n in 0..10 {
        world.say(Event::GatewayEnrolled(GatewayEnrolled {
            gateway: id(&format!("gate-{n}")),
            station: stands(n),
            device_key: VerifyingKey::from_bytes([1; 32]),
            pinned: None,
        }));
    }
    for n in 0..ASSETS {
        let order = OrderId::from_bytes(number(n));
        world.say(Event::OrderOpened(OrderOpened::new(order, asset(n), stands(n), NOON)));
        let (subject, role) = (subject(n / 2), Role::Driver);
        world.say(Event::Linked(Link { asset: asset(n), subject, role, until: None }));
    }
    world
}

fn full(world: &mut World, n: usize) -> Snapshot {
    let recovery = WrappingKey::from_bytes([9; 32]);
    let whom = SnapshotFor { gateway: id(&format!("gate-{n}")), at: stands(n), recovery, closed: Vec::new() };
    snapshot(&world.facts, &world.rules, whom, world.now, &mut world.tables)
}

/// Computes what was touched for all gateways; tells whom the tables were asked about and at
/// how many gateways something was computed.
fn renew(world: &mut World, snapshots: &mut [Snapshot], touched: Touched) -> (BTreeSet<AssetId>, usize) {
    let Touched::Assets(assets) = touched else { panic!("it touches some assets only") };
    let anew = Anew::of(&world.facts, assets, world.now);
    let mut asked = Asked { tables: &mut world.tables, assets: BTreeSet::new() };
    let mut gateways = 0;
    for (n, kept) in snapshots.iter_mut().enumerate() {
        if anew.concerns(kept, &stands(n)) {
            gateways += 1;
            *kept = anew.renew(kept, (&world.facts, &world.rules), &stands(n), world.now, &mut asked);
        }
    }
    (asked.assets, gateways)
}

fn entry(world: &World, event: Event, occurred_at: UtcMicros) -> Entry {
    Entry {
        format: ENTRY_FORMAT,
        controller: world.rules.controller().clone(),
        event,
        actor: Actor { role: ActorRole::Staff, id: id("staff-7") },
        occurred_at,
        recorded_at: world.now,
        source: id("test"),
        external_ref: id("the one"),
    }
}

#[test]
fn an_entry_in_a_ledger_of_ten_thousand_assets_computes_only_those_it_touches() {
    let mut world = fleet();
    let mut agenda = Agenda::default();
    agenda.pass(&world.facts, &world.rules, world.now);
    let mut snapshots: Vec<Snapshot> = (0..10).map(|n| full(&mut world, n)).collect();
    assert_eq!(snapshots.iter().map(|snapshot| snapshot.grants.len()).sum::<usize>(), ASSETS);

    // About one vehicle: switched to private in a minute, for which nobody comes by.
    let private = Event::PrivateModeStarted(PrivateMode { asset: asset(4_711) });
    let private = entry(&world, private, world.now.plus_seconds(60));
    let applied = world.facts.apply(&private).expect("an entry that may be written");
    agenda.note(&world.rules, &private, applied.entry);
    let told = renew(&mut world, &mut snapshots, applied.touched);
    assert_eq!(told, ([asset(4_711)].into(), 1), "it is open until then");
    world.later(60);
    let touched = agenda.pass(&world.facts, &world.rules, world.now);
    assert_eq!(touched, Touched::Assets([asset(4_711)].into()), "and time touches nothing else");
    assert_eq!(renew(&mut world, &mut snapshots, touched), ([asset(4_711)].into(), 1));
    assert_eq!(snapshots[1], full(&mut world, 1));

    // About one person, who drives two: what all of them see stays what it is.
    let consent = world.consent(subject(50), Role::Driver, "eco-coaching");
    let touched = world.facts.touched_by(&consent);
    assert_eq!(renew(&mut world, &mut snapshots, touched), ([asset(100), asset(101)].into(), 2));
    assert_eq!(snapshots[0], full(&mut world, 0));
    assert_eq!(snapshots[1], full(&mut world, 1));

    // The orders end by themselves: all of these at once, and then a day is over.
    world.later(3 * DAY - 60);
    assert_eq!(agenda.pass(&world.facts, &world.rules, world.now), Touched::All);
}
