//! The fast decision against a naive one that was written from the prose, on
//! random rules, snapshots, clocks and readings.

mod world;

use proptest::prelude::*;
use std::{collections::HashMap, fmt::Write, sync::Arc};
use vernport_crypto::OpeningKey;
use vernport_policy::{
    Believe, Bundle, ClosedGrant, FlowGrant, FlowIndex, Grant, GrantId, Head, How, Minimiser, Outcomes,
    Rules, Sample, Sampler, Sampling, Snapshot, Standing, Table, no_wider,
};
use vernport_types::{
    AssetId, BootMicros, Catalogue, EntryHash, Fate, Identification, Label, LegalBasis, Number, OrderId,
    Position, Reading, Reason, SignalId, Source, Stamp, TimeQuality, UtcMicros, Value, VehicleAlias,
};
use world::{NOON, id};

const PATHS: [(&str, &str); 6] = [
    ("A.Integer", "integer"),
    ("B.Number", "number"),
    ("C.Flag", "flag"),
    ("D.Label", "label"),
    ("E.Position", "position"),
    ("F.Unnamed", "integer"),
];
const REASONS: [Reason; 4] =
    [Reason::ConsentWithdrawn, Reason::Restricted, Reason::OrderNotOpen, Reason::NoticeNotServed];
const SECOND: i64 = 1_000_000;

fn signals() -> Catalogue {
    let mut text = "format = 1\n".to_owned();
    for (path, kind) in PATHS {
        writeln!(text, "[[signal]]\npath = \"{path}\"\nkind = \"{kind}\"\ncategory = \"component-status\"")
            .expect("a string");
    }
    Catalogue::from_toml([("signals.toml", text.as_str())]).expect("a catalogue")
}

/// One flow as the test draws it.
#[derive(Debug, Clone)]
struct DrawnFlow {
    purpose: usize,
    weakest: usize,
    sample: usize,
    time: bool,
    minimisers: [usize; 5],
}

fn drawn_flow() -> impl Strategy<Value = DrawnFlow> {
    (0..3_usize, 0..4_usize, 0..4_usize, any::<bool>(), prop::array::uniform5(0..5_usize)).prop_map(
        |(purpose, weakest, sample, time, minimisers)| DrawnFlow {
            purpose,
            weakest,
            sample,
            time,
            minimisers,
        },
    )
}

/// What may stand for a minimiser of each signal; the first means: not named.
fn minimiser(signal: usize, choice: usize) -> Option<&'static str> {
    let fitting: [&str; 4] = match signal {
        0 | 1 => ["exact", "round-10", "bucket-7", "drop"],
        4 => ["exact", "cell-6", "presence", "drop"],
        _ => ["exact", "presence", "drop", "exact"],
    };
    choice.checked_sub(1).map(|choice| fitting[choice])
}

fn bundle(flows: &[DrawnFlow]) -> String {
    let mut text = "format = 1\nname = \"drawn\"\n[controller]\nid = \"NO-999999999\"\nname = \"Drawn\"\n\
        role = \"controller\"\njurisdiction = \"NO\"\ntime_zone = \"Europe/Oslo\"\nregions = [\"NO\"]\nclauses = [\"1\"]\n\
        [[notice]]\nversion = \"n\"\nserved_when = \"recorded\"\ncategories = [\"component-status\"]\nclauses = [\"2\"]\n\
        [[recipient]]\nid = \"r\"\nname = \"R\"\nrole = \"controller\"\nregion = \"NO\"\nclauses = [\"3\"]\n\
        [[retention]]\nid = \"k\"\nstart = \"reading\"\nperiod = \"P1D\"\nat_most = \"P1D\"\nclauses = [\"4\"]\n\
        [[form]]\nid = \"f\"\npurpose = \"a6-1-a\"\nrecipient = \"r\"\ncategories = [\"component-status\"]\n\
        valid = \"P1Y\"\nclauses = [\"5\"]\ntexts = { en = \"yes\" }\n"
        .to_owned();
    for basis in ["A6-1-a", "A6-1-b", "A6-1-f"] {
        write!(
            text,
            "[[purpose]]\nid = \"{}\"\niri = \"https://w3id.org/dpv#ServiceProvision\"\nbasis = \"{basis}\"\n\
             necessity = \"drawn\"\nbalancing = \"drawn\"\nclauses = [\"6\"]\n",
            basis.to_lowercase()
        )
        .expect("a string");
    }
    for (n, flow) in flows.iter().enumerate() {
        let purpose = ["a6-1-a", "a6-1-b", "a6-1-f"][flow.purpose];
        let weakest = ["pinned", "tool", "asserted", "bus-vin"][flow.weakest];
        write!(
            text,
            "[[flow]]\nid = \"flow-{n}\"\npurpose = \"{purpose}\"\nrecipient = \"r\"\nretention = \"k\"\n\
             deliver = {{ store = true }}\nweakest = \"{weakest}\"\nroles = [\"driver\"]\nclauses = [\"7\"]\n"
        )
        .expect("a string");
        match flow.sample {
            1 => text.push_str("sample = \"per-order\"\n"),
            2 => text.push_str("sample = \"PT10S\"\n"),
            _ => {}
        }
        if flow.time {
            text.push_str("time = \"PT1M\"\n");
        }
        text.push_str("[flow.signals]\n");
        let mut named = false;
        for (signal, choice) in flow.minimisers.iter().enumerate() {
            if let Some(minimiser) = minimiser(signal, *choice) {
                writeln!(text, "\"{}\" = \"{minimiser}\"", PATHS[signal].0).expect("a string");
                named = true;
            }
        }
        if !named {
            text.push_str("\"A.Integer\" = \"exact\"\n");
        }
    }
    text
}

/// One flow of one asset in a drawn snapshot.
#[derive(Debug, Clone)]
enum DrawnGrant {
    Absent,
    Closed(usize),
    Open { until_s: i64, lease_s: Option<u32>, wrong_basis: bool, over: bool },
}

fn drawn_grant() -> impl Strategy<Value = DrawnGrant> {
    let lease = prop_oneof![Just(None), Just(Some(60)), Just(Some(300)), Just(Some(301))];
    prop_oneof![
        1 => Just(DrawnGrant::Absent),
        2 => (0..REASONS.len()).prop_map(DrawnGrant::Closed),
        7 => (-600_i64..3_000_000, lease, prop::bool::weighted(0.05), prop::bool::weighted(0.05)).prop_map(
            |(until_s, lease_s, wrong_basis, over)| DrawnGrant::Open { until_s, lease_s, wrong_basis, over }
        ),
    ]
}

/// By asset: its order, 0 for none, and its flows.
type DrawnAssets = Vec<(u8, Vec<DrawnGrant>)>;

#[derive(Debug, Clone)]
enum Step {
    Apply(DrawnAssets),
    Refresh,
    Decide { asset: u8, signal: u16, value: usize, by: usize },
    Standing { grant: u8 },
}

fn steps(flows: usize) -> impl Strategy<Value = Vec<(Step, i64, i64, u8)>> {
    let assets = prop::collection::vec((0..3_u8, prop::collection::vec(drawn_grant(), flows)), 3);
    let step = prop_oneof![
        2 => assets.prop_map(Step::Apply),
        1 => Just(Step::Refresh),
        12 => (0..4_u8, 0..8_u16, 0..8_usize, 0..4_usize)
            .prop_map(|(asset, signal, value, by)| Step::Decide { asset, signal, value, by }),
        3 => (0..24_u8).prop_map(|grant| Step::Standing { grant }),
    ];
    // The wall clock jumps both ways; the boot clock only goes on.
    let wall = prop_oneof![6 => 0..120_i64, 1 => -100_000..100_000_i64];
    let boot = prop_oneof![6 => 0..30_i64, 1 => 0..400_i64];
    prop::collection::vec((step, wall, boot, 0..12_u8), 1..40)
}

fn value(choice: usize) -> Value {
    match choice {
        0 => Value::Integer(158_910_605),
        1 => Value::Number(Number::new(81.6).expect("finite")),
        2 => Value::Flag(true),
        3 => Value::Label(Label::new("M").expect("short")),
        4 => Value::Position(Position::from_degrees(59.91, 10.75).expect("on the globe")),
        5 => Value::Nothing,
        6 => Value::Present,
        _ => Value::Integer(-3),
    }
}

fn grant_id(asset: usize, flow: usize) -> GrantId {
    GrantId::from_bytes([u8::try_from(8 * asset + flow % 8).expect("small"); 16])
}

fn asset_id(asset: usize) -> AssetId {
    AssetId::from_bytes([u8::try_from(asset).expect("small"); 16])
}

fn snapshot(rules: &Rules, drawn: &DrawnAssets, head_at: UtcMicros) -> Snapshot {
    let mut closed = Vec::new();
    let grants = drawn.iter().enumerate().map(|(asset, (order, flows))| {
        let mut grant = Grant {
            asset: asset_id(asset),
            identifiers: Vec::new(),
            order: (*order > 0).then(|| OrderId::from_bytes([*order; 16])),
            flows: Vec::new(),
            closed: Vec::new(),
        };
        for (n, (flow, drawn)) in rules.flows().iter().zip(flows).enumerate() {
            match drawn {
                DrawnGrant::Absent => {}
                DrawnGrant::Closed(reason) => grant.closed.push((flow.slug.clone(), REASONS[*reason])),
                DrawnGrant::Open { until_s, lease_s, wrong_basis, over } => {
                    if *over {
                        closed.push(ClosedGrant { id: grant_id(asset, n), reason: Reason::EntryVoided });
                    }
                    grant.flows.push(FlowGrant {
                        flow: flow.slug.clone(),
                        id: grant_id(asset, n),
                        basis: if *wrong_basis { LegalBasis::PublicTask } else { flow.basis },
                        believe: Believe {
                            lease_seconds: *lease_s,
                            until: head_at.plus_seconds(*until_s),
                            ends_as: Reason::ConsentExpired,
                        },
                        alias: VehicleAlias::from_bytes([3; 16]),
                        rests_on: vec![EntryHash::from_bytes([9; 32])],
                    });
                }
            }
        }
        grant
    });
    Snapshot {
        format: Snapshot::FORMAT,
        controller: rules.controller().clone(),
        gateway: id("box-1"),
        bundle_hash: rules.hash(),
        identify_open: false,
        grants: grants.collect(),
        closed,
        recipient_keys: Vec::new(),
        recovery: OpeningKey::from_bytes([1; 32]).wrapping_key(),
    }
}

/// What one flow, or no flow, says about a reading.
#[derive(Debug, PartialEq)]
enum Said {
    Released { flow: FlowIndex, grant: GrantId, value: Value, wall: UtcMicros, boot: BootMicros, how: How },
    Withheld { flow: Option<FlowIndex>, reason: Reason },
}

/// The same, word by word: lists are searched, nothing is computed ahead.
struct Naive<'a> {
    rules: &'a Rules,
    catalogue: &'a Catalogue,
    told: Option<(Snapshot, Head, Stamp)>,
    latest_seen: i64,
    taken: HashMap<(usize, SignalId, AssetId, Option<OrderId>), i64>,
}

impl Naive<'_> {
    /// The wall clock never counts for less than the latest that was seen since the last
    /// head, with whatever question about a known asset.
    fn see(&mut self, now: Stamp) -> i64 {
        self.latest_seen = self.latest_seen.max(now.wall.0);
        self.latest_seen
    }

    fn over(&mut self, believe: &Believe, now: Stamp) -> Option<Reason> {
        if now.quality == TimeQuality::Unset {
            return Some(Reason::ClockUntrusted);
        }
        let wall = self.see(now);
        if wall >= believe.until.0 {
            return Some(believe.ends_as);
        }
        let (_, _, received) = self.told.as_ref().expect("there is a grant");
        let age_micros = now.boot.0 - received.boot.0;
        match believe.lease_seconds {
            Some(seconds) if age_micros > u64::from(seconds) * 1_000_000 => Some(Reason::GrantStale),
            _ => None,
        }
    }

    fn decide(&mut self, reading: &Reading, now: Stamp) -> Vec<Said> {
        let withheld = |flow, reason| Said::Withheld { flow, reason };
        if usize::from(reading.signal.0) >= self.catalogue.len() {
            return vec![withheld(None, Reason::UnknownSignal)];
        }
        // The mask of open flows was asked for, too, whatever the signal.
        if now.quality != TimeQuality::Unset && self.has_grant(reading.asset) {
            self.see(now);
        }
        let rules = self.rules;
        let named: Vec<_> =
            rules.flows().iter().filter(|f| f.signals.iter().any(|(s, _)| *s == reading.signal)).collect();
        if named.is_empty() {
            return vec![withheld(None, Reason::NoPurpose)];
        }
        named
            .into_iter()
            .map(|flow| {
                self.one(flow, reading, now).unwrap_or_else(|reason| withheld(Some(flow.index), reason))
            })
            .collect()
    }

    fn one(&mut self, flow: &vernport_policy::Flow, reading: &Reading, now: Stamp) -> Result<Said, Reason> {
        let grant = match &self.told {
            _ if now.quality == TimeQuality::Unset && !self.has_grant(reading.asset) => {
                return Err(Reason::ClockUntrusted);
            }
            None => return Err(Reason::GrantStale),
            Some((snapshot, head, _)) => {
                let grant = snapshot.grants.iter().find(|grant| grant.asset == reading.asset);
                let grant = grant.ok_or(Reason::NoGrant)?.clone();
                if let Some((_, reason)) = grant.closed.iter().find(|(slug, _)| *slug == flow.slug) {
                    return Err(*reason);
                }
                let opened = grant.flows.iter().find(|opened| opened.flow == flow.slug);
                let opened = opened.ok_or(Reason::NoGrant)?.clone();
                let alone = Grant { flows: vec![opened.clone()], ..grant };
                if no_wider(&alone, self.rules, head.at).is_err() {
                    return Err(Reason::RuleBroken);
                }
                if let Some(closed) = snapshot.closed.iter().find(|closed| closed.id == opened.id) {
                    return Err(closed.reason);
                }
                (alone.order, opened)
            }
        };
        let (order, opened) = grant;
        if let Some(reason) = self.over(&opened.believe, now) {
            return Err(reason);
        }
        if reading.identified_by < flow.weakest {
            return Err(Reason::IdentificationTooWeak);
        }
        let kinds = ["integer", "number", "flag", "label", "position", "integer"];
        let kind = kinds[usize::from(reading.signal.0)];
        if reading.value != Value::Nothing && reading.value.kind() != kind {
            return Err(Reason::RuleBroken);
        }
        let minimiser = flow.minimiser(reading.signal).expect("the flow names it");
        if minimiser == Minimiser::Drop {
            return Err(Reason::DroppedByRule);
        }
        let value = minimiser.apply(reading.value).expect("checked when the bundle was compiled");
        let wall = self.see(now);
        let mark = match flow.sampling {
            Sampling::Every => None,
            Sampling::PerOrder => Some((order, i64::MAX)),
            Sampling::Interval(micros) => Some((None, wall + micros)),
        };
        if let Some((order, until)) = mark {
            let key = (flow.index.place(), reading.signal, reading.asset, order);
            if self.taken.get(&key).is_some_and(|until| wall < *until) {
                return Err(Reason::SampledOut);
            }
            self.taken.insert(key, until);
        }
        let cut =
            if flow.time_step_micros == 0 { 0 } else { reading.at.wall.0.rem_euclid(flow.time_step_micros) };
        let exact = minimiser == Minimiser::Exact && flow.time_step_micros == 0;
        Ok(Said::Released {
            flow: flow.index,
            grant: opened.id,
            value,
            wall: UtcMicros(reading.at.wall.0 - cut),
            boot: BootMicros(reading.at.boot.0.saturating_sub(u64::try_from(cut).expect("positive"))),
            how: if exact { How::Exact } else { How::Coarsened },
        })
    }

    fn has_grant(&self, asset: AssetId) -> bool {
        self.told.as_ref().is_some_and(|(s, ..)| s.grants.iter().any(|grant| grant.asset == asset))
    }

    fn standing(&mut self, id: GrantId, now: Stamp) -> Standing {
        let fate = |reason: Reason| match reason.fate() {
            Fate::Send => Standing::Send,
            Fate::Park => Standing::Park(reason),
            Fate::Destroy => Standing::Destroy(reason),
        };
        let unknown = Standing::Park(Reason::GrantStale);
        let Some((snapshot, head, _)) = self.told.clone() else { return unknown };
        if let Some(closed) = snapshot.closed.iter().find(|closed| closed.id == id) {
            return fate(closed.reason);
        }
        for grant in &snapshot.grants {
            for opened in grant.flows.iter().filter(|opened| opened.id == id) {
                let alone = Grant { flows: vec![opened.clone()], ..grant.clone() };
                if no_wider(&alone, self.rules, head.at).is_ok() {
                    return self.over(&opened.believe, now).map_or(Standing::Send, fate);
                }
            }
        }
        unknown
    }
}

fn said_by(out: &Outcomes) -> Vec<Said> {
    let released = out.released().iter().map(|r| Said::Released {
        flow: r.flow(),
        grant: r.grant_id(),
        value: r.value(),
        wall: r.at().wall,
        boot: r.at().boot,
        how: r.how(),
    });
    let withheld = out.withheld().iter().map(|w| Said::Withheld { flow: w.flow, reason: w.reason });
    let mut said: Vec<Said> = released.chain(withheld).collect();
    said.sort_by_key(|said| match said {
        Said::Released { flow, .. } => Some(*flow),
        Said::Withheld { flow, .. } => *flow,
    });
    said
}

fn run(flows: &[DrawnFlow], steps: &[(Step, i64, i64, u8)]) -> Result<(), TestCaseError> {
    let catalogue = signals();
    let parsed = Bundle::from_toml("drawn.toml", &bundle(flows)).expect("a bundle");
    let rules = Arc::new(Rules::compile(&parsed, &catalogue).expect("rules"));
    let mut table = Table::new(Arc::clone(&rules));
    let mut naive = Naive {
        rules: &rules,
        catalogue: &catalogue,
        told: None,
        latest_seen: i64::MIN,
        taken: HashMap::new(),
    };
    let (mut sampler, mut out) = (Sampler::default(), Outcomes::new());
    let (mut wall, mut boot) = (NOON.0, 1_000_000_000_u64);
    for (sequence, (step, wall_s, boot_s, quality)) in steps.iter().enumerate() {
        wall += wall_s * SECOND;
        boot += u64::try_from(boot_s * SECOND).expect("positive");
        let quality = match quality {
            0 => TimeQuality::Unset,
            1..4 => TimeQuality::Bounded,
            _ => TimeQuality::Synced,
        };
        let now = Stamp { wall: UtcMicros(wall), boot: BootMicros(boot), quality };
        // Central's clock is right; the gateway's may not be.
        let head = |snapshot_hash| Head {
            era: 1,
            sequence: u64::try_from(sequence).expect("small"),
            at: UtcMicros(NOON.0 + i64::try_from(boot).expect("small")),
            nonce: [0; 16],
            snapshot_hash,
        };
        match step {
            Step::Apply(drawn) => {
                let at = head([0; 32]).at;
                let snapshot = snapshot(&rules, drawn, at);
                let head = head(snapshot.hash());
                naive.told = Some((snapshot.clone(), head, now));
                naive.latest_seen = head.at.0;
                table.apply(snapshot, &head, now).expect("it names the snapshot");
            }
            Step::Refresh => {
                if let Some((snapshot, ..)) = naive.told.clone() {
                    let head = head(snapshot.hash());
                    // Bounds of grants were checked when they came.
                    naive.told =
                        Some((snapshot, Head { at: naive.told.as_ref().expect("some").1.at, ..head }, now));
                    naive.latest_seen = head.at.0;
                    table.refresh(&head, now).expect("it names the snapshot");
                }
            }
            Step::Decide { asset, signal, value: choice, by } => {
                let reading = Reading {
                    asset: asset_id(usize::from(*asset)),
                    signal: SignalId(*signal),
                    value: value(*choice),
                    at: now,
                    source: Source::Tool,
                    identified_by: [
                        Identification::Pinned,
                        Identification::Tool,
                        Identification::Asserted,
                        Identification::BusVin,
                    ][*by],
                };
                let mask = table.open_flows(reading.asset, reading.signal, reading.identified_by, now);
                table.decide(&reading, now, &mut sampler, &mut out);
                let expected = naive.decide(&reading, now);
                prop_assert_eq!(said_by(&out), expected);
                for released in out.released() {
                    prop_assert!(mask & (1 << released.flow().0) != 0, "what is released is open");
                }
            }
            Step::Standing { grant } => {
                let id = GrantId::from_bytes([*grant; 16]);
                prop_assert_eq!(table.standing(id, now), naive.standing(id, now));
            }
        }
    }
    Ok(())
}

/// `VERNPORT_CASES` runs more.
fn cases() -> u32 {
    std::env::var("VERNPORT_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(512)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn the_table_decides_as_the_prose_says(
        (flows, steps) in prop::collection::vec(drawn_flow(), 1..8)
            .prop_flat_map(|flows| { let n = flows.len(); (Just(flows), steps(n)) })
    ) {
        run(&flows, &steps)?;
    }
}

fn stamp(wall_s: i64, boot_s: u64) -> Stamp {
    Stamp {
        wall: NOON.plus_seconds(wall_s),
        boot: BootMicros(boot_s * 1_000_000),
        quality: TimeQuality::Synced,
    }
}

fn one_flow(purpose: usize, lease_s: Option<u32>, until_s: i64) -> (Table, Head, Snapshot) {
    let flow = DrawnFlow { purpose, weakest: 0, sample: 0, time: false, minimisers: [1, 0, 0, 0, 0] };
    let parsed = Bundle::from_toml("drawn.toml", &bundle(&[flow])).expect("a bundle");
    let rules = Arc::new(Rules::compile(&parsed, &signals()).expect("rules"));
    let open = DrawnGrant::Open { until_s, lease_s, wrong_basis: false, over: false };
    let snapshot = snapshot(&rules, &vec![(1, vec![open])], NOON);
    let head = Head { era: 1, sequence: 1, at: NOON, nonce: [0; 16], snapshot_hash: snapshot.hash() };
    let mut table = Table::new(rules);
    let applied = table.apply(snapshot.clone(), &head, stamp(0, 100)).expect("it names the snapshot");
    assert_eq!((applied.opened, applied.refused.len(), applied.other_bundle), (1, 0, false));
    (table, head, snapshot)
}

fn is_open(table: &Table, now: Stamp) -> bool {
    table.open_flows(asset_id(0), SignalId(0), Identification::BusVin, now) != 0
}

/// 3. A clock set back reopens nothing; a corrected clock reopens on a fresh head only.
#[test]
fn a_clock_set_back_reopens_nothing() {
    let (mut table, head, _) = one_flow(1, None, 3_600);
    assert!(is_open(&table, stamp(3_599, 200)));
    assert!(!is_open(&table, stamp(3_600, 201)), "the end is the first moment that is over");
    assert!(!is_open(&table, stamp(0, 202)), "set back");
    table
        .refresh(&Head { sequence: 2, at: NOON.plus_seconds(10), ..head }, stamp(10, 210))
        .expect("the same");
    assert!(is_open(&table, stamp(10, 211)), "central says what time it is");
}

/// A lease runs on the boot clock, so that no wall clock can stretch it.
#[test]
fn a_lease_ends_whatever_the_wall_clock_says() {
    let (mut table, head, _) = one_flow(0, Some(300), 3_600);
    assert!(is_open(&table, stamp(0, 400)));
    assert!(!is_open(&table, stamp(0, 401)));
    assert_eq!(table.standing(grant_id(0, 0), stamp(0, 401)), Standing::Park(Reason::GrantStale));
    table.refresh(&head, stamp(0, 500)).expect("the same");
    assert!(is_open(&table, stamp(0, 501)));
    assert_eq!(table.standing(grant_id(0, 0), stamp(0, 501)), Standing::Send);
}

#[test]
fn nothing_opens_before_a_head_with_an_unset_clock_or_under_another_bundle() {
    let (mut table, head, snapshot) = one_flow(1, None, 3_600);
    let unset = Stamp { quality: TimeQuality::Unset, ..stamp(0, 101) };
    assert!(!is_open(&table, unset));
    let fresh = Table::new(Arc::clone(table.rules()));
    assert!(!is_open(&fresh, stamp(0, 101)));
    assert_eq!(fresh.standing(grant_id(0, 0), stamp(0, 101)), Standing::Park(Reason::GrantStale));
    let other = Snapshot { bundle_hash: [0; 32], ..snapshot };
    assert!(table.apply(other.clone(), &head, stamp(0, 102)).is_err(), "the head names another snapshot");
    let head = Head { snapshot_hash: other.hash(), ..head };
    let applied = table.apply(other, &head, stamp(0, 102)).expect("it names the snapshot");
    assert!(applied.other_bundle && !is_open(&table, stamp(0, 103)));
}

/// 6. Two assets of one identifier: it identifies neither. Two grants of one asset: neither holds.
#[test]
fn what_is_ambiguous_identifies_nobody_and_opens_nothing() {
    let (mut table, head, snapshot) = one_flow(1, None, 3_600);
    let shared = vernport_crypto::BlindIndex::from_bytes([5; 32]);
    let mut two = snapshot.clone();
    two.grants[0].identifiers = vec![shared, vernport_crypto::BlindIndex::from_bytes([6; 32])];
    two.grants.push(Grant { asset: asset_id(1), identifiers: vec![shared], ..snapshot.grants[0].clone() });
    let named = Head { snapshot_hash: two.hash(), ..head };
    table.apply(two, &named, stamp(0, 101)).expect("it names the snapshot");
    assert_eq!(table.find(&shared), None);
    assert_eq!(table.find(&vernport_crypto::BlindIndex::from_bytes([6; 32])), Some(asset_id(0)));
    let mut twice = snapshot;
    twice.grants.push(twice.grants[0].clone());
    let named = Head { snapshot_hash: twice.hash(), ..head };
    assert_eq!(table.apply(twice, &named, stamp(0, 102)), Err(vernport_policy::ApplyError::AssetTwice));
}

/// A table with one flow that samples, and a way to read the same signal at a time.
struct Sampled {
    table: Table,
    out: Outcomes,
}

impl Sampled {
    fn new(sample: usize) -> Self {
        let flow = DrawnFlow { purpose: 1, weakest: 0, sample, time: false, minimisers: [1, 0, 0, 0, 0] };
        let parsed = Bundle::from_toml("drawn.toml", &bundle(&[flow])).expect("a bundle");
        let rules = Arc::new(Rules::compile(&parsed, &signals()).expect("rules"));
        let mut sampled = Self { table: Table::new(rules), out: Outcomes::new() };
        sampled.order(1);
        sampled
    }

    fn order(&mut self, order: u8) {
        let open = DrawnGrant::Open { until_s: 3_600, lease_s: None, wrong_basis: false, over: false };
        let snapshot = snapshot(self.table.rules(), &vec![(order, vec![open])], NOON);
        let head = Head { era: 1, sequence: 1, at: NOON, nonce: [0; 16], snapshot_hash: snapshot.hash() };
        self.table.apply(snapshot, &head, stamp(0, 1)).expect("it names the snapshot");
    }

    fn decide(&mut self, sampler: &mut Sampler, now: Stamp) -> (usize, Vec<Sample>) {
        let reading = Reading {
            asset: asset_id(0),
            signal: SignalId(0),
            value: value(0),
            at: now,
            source: Source::Tool,
            identified_by: Identification::BusVin,
        };
        self.table.decide(&reading, now, sampler, &mut self.out);
        (self.out.released().len(), self.out.samples().to_vec())
    }
}

#[test]
fn a_sample_per_order_is_taken_once_in_each_order() {
    let (mut sampled, mut sampler) = (Sampled::new(1), Sampler::default());
    assert_eq!(sampled.decide(&mut sampler, stamp(0, 1)).0, 1);
    assert_eq!(sampled.decide(&mut sampler, stamp(3_000, 2)).0, 0);
    sampled.order(2);
    assert_eq!(sampled.decide(&mut sampler, stamp(3_100, 3)).0, 1);
    sampled.order(1);
    assert_eq!(sampled.decide(&mut sampler, stamp(3_200, 4)).0, 0, "that order had its sample");
}

/// A restart takes no extra sample: what the spool kept counts.
#[test]
fn a_sample_counts_across_a_restart() {
    let mut sampled = Sampled::new(2);
    let mut decide = |sampler: &mut Sampler, now| sampled.decide(sampler, now);
    let (released, kept) = decide(&mut Sampler::default(), stamp(0, 1));
    assert_eq!((released, kept.len()), (1, 1));
    let mut restarted = Sampler::from_samples(kept);
    restarted.make_room(stamp(9, 10).wall, 8);
    assert_eq!(decide(&mut restarted, stamp(9, 10)).0, 0);
    assert_eq!(decide(&mut restarted, stamp(10, 11)).0, 1, "ten seconds are over");
    assert_eq!(decide(&mut restarted, stamp(11, 12)).0, 0);
    restarted.make_room(stamp(20, 21).wall, 8);
    assert_eq!(decide(&mut restarted, stamp(20, 21)).0, 1);
}
