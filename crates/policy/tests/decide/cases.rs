//! Cases with names: clocks, leases, samples.

use crate::drawn::*;
use crate::world::NOON;
use std::sync::Arc;
use vernport_policy::{
    Bundle, Grant, Head, Outcomes, Rules, Sample, Sampler, Snapshot, SourceClass, Standing, Table,
};
use vernport_types::{BootMicros, Identification, Reading, Reason, SignalId, Source, Stamp, TimeQuality};

fn stamp(wall_s: i64, boot_s: u64) -> Stamp {
    Stamp {
        wall: NOON.plus_seconds(wall_s),
        boot: BootMicros(boot_s * 1_000_000),
        quality: TimeQuality::Synced,
    }
}

fn one_flow(purpose: usize, lease_s: Option<u32>, until_s: i64) -> (Table, Head, Snapshot) {
    let flow = DrawnFlow { purpose, minimisers: [1, 0, 0, 0, 0], ..DrawnFlow::default() };
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
    table.open_flows(asset_id(0), SignalId(0), (Identification::BusVin, SourceClass::Tool), now) != 0
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

/// 3. Whatever was asked when the clock showed the later time.
#[test]
fn a_clock_set_back_after_a_question_about_a_stranger_reopens_nothing() {
    let reading = |asset, signal| Reading {
        asset: asset_id(asset),
        signal: SignalId(signal),
        value: value(0),
        at: stamp(3_600, 201),
        source: Source::Tool,
        identified_by: Identification::BusVin,
    };
    for (asset, signal) in [(7, 0), (0, 5), (0, 999)] {
        let (table, ..) = one_flow(1, None, 3_600);
        let (mut sampler, mut out) = (Sampler::default(), Outcomes::new());
        table.decide(&reading(asset, signal), stamp(3_600, 201), &mut sampler, &mut out);
        assert!(!is_open(&table, stamp(0, 202)), "set back after asset {asset}, signal {signal}");
    }
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
        let flow = DrawnFlow { purpose: 1, sample, minimisers: [1, 0, 0, 0, 0], ..DrawnFlow::default() };
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

/// The interval is ten seconds. A clock that was set back counts from the start or head that sets it right.
#[test]
fn a_clock_that_had_run_ahead_takes_no_samples_away_for_longer_than_two_intervals() {
    let taken_at = |wall_s| Sampled::new(2).decide(&mut Sampler::default(), stamp(wall_s, 1)).1;
    for (ahead_s, released) in [(9, 0), (10, 0), (11, 1), (3_000, 1)] {
        let (mut sampled, mut restarted) = (Sampled::new(2), Sampler::from_samples(taken_at(ahead_s)));
        restarted.make_room(stamp(0, 10).wall, 8);
        assert_eq!(sampled.decide(&mut restarted, stamp(0, 10)).0, released, "{ahead_s} s ahead");
        assert_eq!(sampled.decide(&mut restarted, stamp(1, 11)).0, 0, "and then as ever");
        assert_eq!(sampled.decide(&mut restarted, stamp(20, 30)).0, 1, "{ahead_s} s ahead");
    }
}

#[test]
fn an_order_has_one_sample_whatever_the_clock_says() {
    let kept = Sampled::new(1).decide(&mut Sampler::default(), stamp(3_500, 1)).1;
    let mut restarted = Sampler::from_samples(kept);
    assert_eq!(Sampled::new(1).decide(&mut restarted, stamp(0, 10)).0, 0);
}
