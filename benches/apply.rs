//! What a ledger event costs: taking it into the facts, and the snapshot of a station where one asset
//! stands (figures and method in `README.md`).
//!
//! `cargo bench --bench apply -- instructions CASE` runs one case once and ends, for callgrind.

mod harness;

use criterion::{BatchSize, Throughput};
use harness::criterion;
use std::{env, hint::black_box};
use vernport_crypto::{OpeningKey, random};
use vernport_policy::{Bundle, GrantId, Opening, Rules, SnapshotFor, StationRef, Tables, snapshot};
use vernport_registry::{
    Actor, ActorRole, Consent, ENTRY_FORMAT, Entry, Event, Facts, Link, Method, NoticeServed, OrderClosed,
    OrderOpened, ReceiptCode, RecipientKeyActivated, Role, TextHash,
};
use vernport_types::{AssetId, Catalogue, OrderId, Slug, SubjectId, UtcMicros, VehicleAlias};

/// Noon of 20 November 2026, UTC.
const NOON: UtcMicros = UtcMicros(1_795_176_000_000_000);
/// How many entries a ledger has, and how many are applied to a copy of it in one run.
const SIZES: [(usize, usize); 3] = [(10, 1), (1_000, 100), (100_000, 1_000)];
/// Entries of one visit: handed in, linked, consented, handed back.
const OF_A_VISIT: usize = 4;

/// Draws what it is asked for, and remembers nothing.
struct Drawing;

impl Tables for Drawing {
    fn grant_id(&mut self, _opening: &Opening) -> GrantId {
        GrantId::from_bytes(random())
    }

    fn alias(&mut self, _: AssetId, _: &Slug, _: &Slug, _: i16) -> VehicleAlias {
        VehicleAlias::from_bytes(random())
    }
}

/// A ledger, and what is asked of it.
struct Ledger {
    rules: Rules,
    facts: Facts,
    /// What comes next.
    next: Vec<Entry>,
}

impl Ledger {
    /// Notice, keys, one vehicle at the bay, and visits elsewhere that are over, up to so many entries.
    fn of(entries: usize, next: usize) -> Self {
        let catalogue = include_str!("../config/signals/vehicle.toml");
        let catalogue = Catalogue::from_toml([("vehicle.toml", catalogue)]).expect("the shipped catalogue");
        let text = include_str!("../config/bundles/example-fleet/bundle.toml");
        let bundle = Bundle::from_toml("bundle.toml", text).expect("the shipped bundle");
        let rules = Rules::compile(&bundle, &catalogue).expect("rules");
        let mut facts = Facts::new(rules.controller().clone());
        let begun = begin(&rules);
        let count = begun.len();
        let later = (0..entries + next - count).map(|n| visit(&rules, n));
        let mut all: Vec<Entry> =
            begun.into_iter().chain(later).enumerate().map(|(n, event)| entry(&rules, n, event)).collect();
        let next = all.split_off(entries);
        for entry in &all {
            facts.apply(entry).expect("it may be written");
        }
        Self { rules, facts, next }
    }

    /// The snapshot of the bay.
    fn snapshot(&self) {
        let whom = SnapshotFor {
            gateway: slug("box-1"),
            at: bay(),
            recovery: OpeningKey::from_bytes([2; 32]).wrapping_key(),
            closed: Vec::new(),
        };
        let snapshot = snapshot(black_box(&self.facts), &self.rules, whom, NOON, &mut Drawing);
        // Maintenance on the order, and route planning beside it.
        assert_eq!((snapshot.grants.len(), snapshot.grants[0].flows.len()), (1, 2));
        black_box(snapshot);
    }
}

fn slug(text: &str) -> Slug {
    text.parse().expect("a slug")
}

fn bay() -> StationRef {
    StationRef { site: slug("main"), station: slug("bay-1") }
}

fn numbered(n: usize) -> [u8; 16] {
    (n as u128 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835).to_be_bytes()
}

fn entry(rules: &Rules, n: usize, event: Event) -> Entry {
    Entry {
        format: ENTRY_FORMAT,
        controller: rules.controller().clone(),
        event,
        actor: Actor { role: ActorRole::Staff, id: "staff-7".parse().expect("a name") },
        occurred_at: NOON.plus_seconds(-3_600),
        recorded_at: NOON.plus_seconds(-3_600),
        source: "bench".parse().expect("a name"),
        external_ref: format!("ref-{n}").parse().expect("a reference"),
    }
}

fn begin(rules: &Rules) -> Vec<Event> {
    let served = NoticeServed {
        notice: rules.notices()[0].version.as_str().parse().expect("a name"),
        text_hash: TextHash([7; 32]),
        language: "nb".parse().expect("a language"),
        method: Method::Web,
        subject: None,
        evidence: None,
    };
    let mut events = vec![Event::NoticeServed(served)];
    for flow in rules.flows() {
        let (recipient, purpose) = (flow.recipient.clone(), flow.purpose.clone());
        let key = OpeningKey::from_bytes([flow.index.0 + 9; 32]).wrapping_key();
        events.push(Event::RecipientKeyActivated(RecipientKeyActivated { recipient, purpose, key }));
    }
    let truck = AssetId::from_bytes([0xA5; 16]);
    events.push(Event::OrderOpened(OrderOpened::new(OrderId::from_bytes([0x0D; 16]), truck, bay(), NOON)));
    events
}

/// One of the events of a visit at another station.
fn visit(rules: &Rules, n: usize) -> Event {
    let (asset, order) = (AssetId::from_bytes(numbered(n / OF_A_VISIT)), numbered(n / OF_A_VISIT));
    let (order, subject) = (OrderId::from_bytes(order), SubjectId::from_bytes(numbered(n / OF_A_VISIT)));
    let role = Role::Driver;
    match n % OF_A_VISIT {
        0 => {
            let at = StationRef { site: slug("main"), station: slug("bay-2") };
            Event::OrderOpened(OrderOpened::new(order, asset, at, NOON))
        }
        1 => Event::Linked(Link { asset, subject, role, until: None }),
        2 => {
            let flow = rules.find(&slug("eco-coaching")).expect("a flow of the bundle");
            let mut receipt = [0; 7];
            receipt[..4].copy_from_slice(&u32::try_from(n).expect("few").to_be_bytes());
            Event::ConsentGiven(Consent {
                subject,
                role,
                purpose: flow.purpose.clone(),
                categories: flow.categories.iter().copied().collect(),
                recipient: flow.recipient.clone(),
                processing: "as the form says".parse().expect("a text"),
                form: "eco-coaching-1".parse().expect("a name"),
                text_hash: TextHash([8; 32]),
                language: "nb".parse().expect("a language"),
                method: Method::Screen,
                recorded_by: "staff-7".parse().expect("a name"),
                evidence: None,
                receipt: ReceiptCode::from_bytes(receipt),
                valid_until: NOON.plus_seconds(30 * 86_400),
            })
        }
        _ => Event::OrderClosed(OrderClosed { order }),
    }
}

/// Takes all that comes next.
fn apply_next(mut facts: Facts, next: &[Entry]) -> Facts {
    for entry in next {
        black_box(facts.apply(black_box(entry)).expect("it may be written"));
    }
    facts
}

fn measure() {
    let mut criterion = criterion().sample_size(10);
    let mut group = criterion.benchmark_group("apply");
    for (entries, next) in SIZES {
        let ledger = Ledger::of(entries, next);
        group.throughput(Throughput::Elements(next as u64));
        group.bench_function(format!("event_on_{entries}"), |bencher| {
            let copy = || ledger.facts.clone();
            bencher.iter_batched(copy, |facts| apply_next(facts, &ledger.next), BatchSize::PerIteration);
        });
        group.throughput(Throughput::Elements(1));
        group.bench_function(format!("snapshot_of_one_asset_on_{entries}"), |bencher| {
            bencher.iter(|| ledger.snapshot());
        });
    }
    group.finish();
    criterion.final_summary();
}

/// The part that callgrind collects.
#[inline(never)]
fn counted(once: impl FnOnce()) {
    once();
}

#[expect(clippy::print_stdout, reason = "the answer of the command")]
fn count(case: Option<&str>) {
    for (entries, next) in SIZES {
        if case == Some(&format!("event_on_{entries}")) {
            let Ledger { facts, next: events, .. } = Ledger::of(entries, next);
            let mut kept = None;
            counted(|| kept = Some(apply_next(facts, &events)));
            return println!("{next} events");
        }
        if case == Some(&format!("snapshot_of_one_asset_on_{entries}")) {
            let ledger = Ledger::of(entries, next);
            counted(|| ledger.snapshot());
            return println!("1 snapshot");
        }
    }
    for (entries, _) in SIZES {
        println!("event_on_{entries}\nsnapshot_of_one_asset_on_{entries}");
    }
}

fn main() {
    let mut arguments = env::args().skip(1).filter(|argument| argument != "--bench");
    if arguments.next().as_deref() == Some("instructions") {
        return count(arguments.next().as_deref());
    }
    measure();
}
