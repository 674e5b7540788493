//! Budgets: decide one reading, and decide + minimise + alias for each open flow
//! (figures and method in `README.md`), in time that this thread had the processor.
//! Nothing here fails on time: figures are read by people, on a machine that they know.
//!
//! `cargo bench --bench decide -- instructions CASE` runs one case so many times
//! and ends, for callgrind; without a case it lists them.

mod harness;

use criterion::{Criterion, Throughput};
use harness::{
    ProcessorTime, criterion,
    made::{DROPPED, OWN, SHARED, SHARED_BY, bundle, catalogue},
};
use std::{env, hint::black_box, sync::Arc};
use vernport_crypto::{IdentityKey, OpeningKey, random};
use vernport_policy::{
    Bundle, FlowGrant, Grant, GrantId, Head, Opening, Outcomes, Rules, Sampler, Snapshot, SnapshotFor,
    SourceClass, StationRef, Table, Tables, snapshot,
};
use vernport_registry::world::World;
use vernport_types::{
    AssetId, BootMicros, Identification, Reading, SignalId, Slug, Source, Stamp, TimeQuality, UtcMicros,
    Value, VehicleAlias,
};

/// Noon of 20 November 2026, UTC.
const NOON: UtcMicros = UtcMicros(1_795_176_000_000_000);
/// Runs of one case for callgrind.
const COUNTED: u32 = 100_000;

/// The ledger of the bench: one truck, handed in.
const LEDGER: &str = r#"
format = 1
[[asset]]
name = "truck"
since = "-30d"
vin = "YV2RT40A8KB123456"
[[event]]
time = "-30d"
kind = "notice-served"
notice = "n"
[[event]]
time = "-30d"
kind = "recipient-key-activated"
recipient = "r"
purpose = "p"
key = "0900000000000000000000000000000000000000000000000000000000000000"
[[event]]
time = "-1h"
kind = "order-opened"
order = "1"
assets = ["truck"]
station = "main/bay-1"
"#;

/// How many flows the bundle has, how many assets the snapshot, and which flows of them are open.
#[derive(Clone, Copy)]
struct Size {
    flows: usize,
    assets: usize,
    /// All flows, or the last one alone: a million assets with all of them would take gigabytes.
    all_open: bool,
}

impl Size {
    const fn own(flows: usize) -> Self {
        Self { flows, assets: 1, all_open: true }
    }

    const fn ten(flows: usize) -> Self {
        Self { flows, assets: 10, all_open: true }
    }

    const fn thousand(flows: usize) -> Self {
        Self { flows, assets: 1_000, all_open: true }
    }

    const fn million(flows: usize) -> Self {
        Self { flows, assets: 1_000_000, all_open: false }
    }
}

/// What is asked each time.
#[derive(Clone, Copy)]
enum Ask {
    /// Nothing: what the bench itself costs.
    Nothing,
    /// Which flows would take it: the decision alone.
    OpenFlows,
    /// Everything: decide, minimise, alias.
    Decide,
}

/// Name, size, signal, question, open flows that each question comes to.
type Case = (&'static str, Size, &'static str, Ask, u64);

const CASES: [Case; 19] = [
    ("bench_alone", Size::own(64), OWN, Ask::Nothing, 1),
    ("decide_64_flows", Size::own(64), OWN, Ask::OpenFlows, 1),
    ("decide_64_flows_withheld", Size::own(64), DROPPED, Ask::Decide, 1),
    ("decide_minimise_alias_own_asset_8_flows", Size::own(8), OWN, Ask::Decide, 1),
    ("decide_minimise_alias_own_asset", Size::own(64), OWN, Ask::Decide, 1),
    ("decide_minimise_alias_own_asset_128_flows", Size::own(128), OWN, Ask::Decide, 1),
    ("decide_minimise_alias_own_asset_to_8_flows", Size::own(64), SHARED, Ask::Decide, SHARED_BY),
    ("decide_minimise_alias_10_assets_8_flows", Size::ten(8), OWN, Ask::Decide, 1),
    ("decide_minimise_alias_10_assets_32_flows", Size::ten(32), OWN, Ask::Decide, 1),
    ("decide_minimise_alias_10_assets_128_flows", Size::ten(128), OWN, Ask::Decide, 1),
    ("decide_minimise_alias_1000_assets_8_flows", Size::thousand(8), OWN, Ask::Decide, 1),
    ("decide_minimise_alias_1000_assets_32_flows", Size::thousand(32), OWN, Ask::Decide, 1),
    ("decide_minimise_alias_1000_assets", Size::thousand(64), OWN, Ask::Decide, 1),
    ("decide_minimise_alias_1000_assets_128_flows", Size::thousand(128), OWN, Ask::Decide, 1),
    ("decide_minimise_alias_1000000_assets_8_flows", Size::million(8), OWN, Ask::Decide, 1),
    ("decide_minimise_alias_1000000_assets_32_flows", Size::million(32), OWN, Ask::Decide, 1),
    ("decide_64_flows_1000000_assets", Size::million(64), OWN, Ask::OpenFlows, 1),
    ("decide_minimise_alias_1000000_assets", Size::million(64), OWN, Ask::Decide, 1),
    ("decide_minimise_alias_1000000_assets_128_flows", Size::million(128), OWN, Ask::Decide, 1),
];

/// Draws what it is asked for, and remembers nothing: each question comes once.
struct Drawing;

impl Tables for Drawing {
    fn grant_id(&mut self, _opening: &Opening) -> GrantId {
        GrantId::from_bytes(random())
    }

    fn alias(&mut self, _: AssetId, _: &Slug, _: &Slug, _: i16) -> VehicleAlias {
        VehicleAlias::from_bytes(random())
    }
}

/// The grant of the truck, from the facts, and the rest of its snapshot.
fn granted(rules: &Rules) -> Snapshot {
    let identity = IdentityKey::from_bytes([1; 32]);
    let world = World::from_toml("the bench's ledger", LEDGER).expect("a world");
    let facts = world.facts(rules.controller(), &identity, NOON).expect("a ledger");
    let whom = SnapshotFor {
        gateway: "box-1".parse().expect("a slug"),
        at: StationRef { site: "main".parse().expect("a slug"), station: "bay-1".parse().expect("a slug") },
        recovery: OpeningKey::from_bytes([2; 32]).wrapping_key(),
        closed: Vec::new(),
    };
    let snapshot = snapshot(&facts, rules, whom, NOON, &mut Drawing);
    assert_eq!(snapshot.grants[0].flows.len(), rules.flows().len(), "every flow is open");
    snapshot
}

/// As many assets, each like the truck, with ids of their own.
fn multiplied(mut snapshot: Snapshot, size: Size) -> Snapshot {
    let model = snapshot.grants.remove(0);
    let first = if size.all_open { 0 } else { model.flows.len() - 1 };
    snapshot.grants = (0..size.assets)
        .map(|_| Grant {
            asset: AssetId::from_bytes(random()),
            identifiers: Vec::new(),
            order: model.order,
            flows: model.flows[first..]
                .iter()
                .map(|flow| FlowGrant {
                    id: GrantId::from_bytes(random()),
                    alias: VehicleAlias::from_bytes(random()),
                    ..flow.clone()
                })
                .collect(),
            closed: Vec::new(),
        })
        .collect();
    snapshot
}

/// One case, built: all that is left is to ask.
struct Asked {
    table: Table,
    reading: Reading,
    now: Stamp,
    sampler: Sampler,
    out: Outcomes,
    /// The assets in the random order in which their readings come; a power of two of them.
    order: Vec<AssetId>,
    next: usize,
}

impl Asked {
    fn build(size: Size) -> Self {
        let bundle = Bundle::from_toml("bench.toml", &bundle(size.flows)).expect("a bundle");
        let rules = Arc::new(Rules::compile(&bundle, &catalogue()).expect("rules"));
        let snapshot = multiplied(granted(&rules), size);
        let assets: Vec<AssetId> = snapshot.grants.iter().map(|grant| grant.asset).collect();
        let length = if size.assets == 1 { 1 } else { size.assets.next_power_of_two().max(1 << 14) };
        let order = (0..length).map(|_| assets[below(assets.len())]).collect();
        let head = Head { era: 1, sequence: 1, at: NOON, nonce: [0; 16], snapshot_hash: snapshot.hash() };
        let now = Stamp { wall: NOON, boot: BootMicros(1), quality: TimeQuality::Synced };
        let opened = if size.all_open { size.assets * size.flows } else { size.assets };
        let mut table = Table::new(rules);
        assert_eq!(table.apply(snapshot, &head, now).expect("it names the snapshot").opened, opened);
        let reading = Reading {
            asset: assets[0],
            signal: SignalId(0),
            value: Value::Integer(158_910_605),
            at: now,
            source: Source::J1939 { pgn: 65_217, sa: 0 },
            identified_by: Identification::BusVin,
        };
        Self { table, reading, now, sampler: Sampler::default(), out: Outcomes::new(), order, next: 0 }
    }

    /// Makes it ask about a signal, and checks that the answer is what the case is about.
    fn about(&mut self, path: &str, ask: Ask, flows: u64) {
        self.reading.signal = catalogue().find(path).expect("in the bench's catalogue");
        self.once(Ask::Decide);
        let withheld = u64::from(path == DROPPED);
        let (released, refused) = (self.out.released(), self.out.withheld());
        assert_eq!((released.len() as u64, refused.len() as u64), (flows - withheld, withheld));
        assert!(released.iter().all(|release| release.value() == Value::Integer(158_911_000)));
        let Reading { asset, signal, identified_by, .. } = self.reading;
        let open = self.table.open_flows(asset, signal, (identified_by, SourceClass::Vehicle), self.now);
        assert_eq!(u64::from(open.count_ones()), flows);
        self.once(ask);
    }

    /// One reading of the next asset, a microsecond after the last.
    #[inline]
    fn once(&mut self, ask: Ask) {
        self.now.wall.0 += 1;
        self.now.boot.0 += 1;
        self.reading.asset = self.order[self.next];
        self.next = (self.next + 1) & (self.order.len() - 1);
        let reading = black_box(&self.reading);
        match ask {
            Ask::Nothing => {}
            Ask::OpenFlows => {
                let recognised = (reading.identified_by, SourceClass::of(&reading.source));
                let open = self.table.open_flows(reading.asset, reading.signal, recognised, self.now);
                black_box(open);
            }
            Ask::Decide => {
                self.table.decide(reading, self.now, &mut self.sampler, &mut self.out);
                black_box(&self.out);
            }
        }
    }
}

/// A random number below a bound that is far below 2^64.
fn below(bound: usize) -> usize {
    let drawn = u128::from(u64::from_le_bytes(random()));
    usize::try_from((drawn * bound as u128) >> 64).expect("below the bound")
}

fn measure(criterion: &mut Criterion<ProcessorTime>) {
    // The last one only: with all of them a machine would need many gigabytes.
    let mut built: Option<((usize, usize), Asked)> = None;
    for (name, size, path, ask, flows) in CASES {
        let mut group = criterion.benchmark_group("decide");
        group.throughput(Throughput::Elements(flows));
        // A filter leaves the closure out, and with it the building of a million assets.
        group.bench_function(name, |bencher| {
            let wanted = (size.flows, size.assets);
            if built.as_ref().is_some_and(|(of, _)| *of != wanted) {
                built = None;
            }
            let (_, asked) = built.get_or_insert_with(|| (wanted, Asked::build(size)));
            asked.about(path, ask, flows);
            bencher.iter(|| asked.once(ask));
        });
        group.finish();
    }
}

/// The part that callgrind collects.
#[inline(never)]
fn counted(asked: &mut Asked, ask: Ask) {
    for _ in 0..COUNTED {
        asked.once(ask);
    }
}

#[expect(clippy::print_stdout, reason = "the answer of the command")]
fn count(case: Option<&str>) {
    match CASES.iter().find(|(name, ..)| Some(*name) == case) {
        Some((_, size, path, ask, flows)) => {
            let mut asked = Asked::build(*size);
            asked.about(path, *ask, *flows);
            counted(&mut asked, *ask);
            println!("{COUNTED} times");
        }
        None => CASES.iter().for_each(|(name, ..)| println!("{name}")),
    }
}

fn main() {
    let mut arguments = env::args().skip(1).filter(|argument| argument != "--bench");
    if arguments.next().as_deref() == Some("instructions") {
        return count(arguments.next().as_deref());
    }
    let mut criterion = criterion();
    measure(&mut criterion);
    criterion.final_summary();
}
