//! What `diff` says of two bundles, held against what they decide in random worlds.

mod drawn;
mod ledger;
mod steps;
#[path = "../world/mod.rs"]
mod world;

use drawn::{PATHS, Step};
use ledger::Ledger;
use proptest::prelude::*;
use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};
use vernport_policy::{
    Bundle, Diff, Grant, Head, How, Minimiser, Outcomes, Released, Rules, Sampler, SnapshotFor, Table, diff,
    grants, snapshot,
};
use vernport_types::{
    BootMicros, Catalogue, Fault, FaultState, Identification, Number, Reading, Reason, Slug, Source, Stamp,
    TimeQuality, TroubleCode, UtcMicros, Value,
};
use world::{Counting, TRUCK, bay, id, key};

/// The shipped catalogue, read once.
fn catalogue() -> &'static Catalogue {
    static READ: OnceLock<Catalogue> = OnceLock::new();
    READ.get_or_init(world::catalogue)
}

/// The rules of a text; none if they are refused.
fn rules(text: &str, catalogue: &Catalogue) -> Option<Rules> {
    let bundle = Bundle::from_toml("drawn.toml", text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    Rules::compile(&bundle, catalogue).ok()
}

/// One version of the rules at a gateway.
struct Side<'a> {
    rules: Arc<Rules>,
    catalogue: &'a Catalogue,
    tables: Counting,
    sampler: Sampler,
    /// By flow and signal: how many releases there were.
    counts: HashMap<(Slug, &'static str), usize>,
}

/// What became of one reading in one flow.
#[derive(Debug, Clone, PartialEq)]
enum Outcome {
    Released { minimiser: Minimiser, how: How, value: Value, at: Stamp },
    Withheld(Reason),
}

type Outcomes1 = HashMap<Option<Slug>, Outcome>;

impl<'a> Side<'a> {
    fn new(rules: Rules, catalogue: &'a Catalogue) -> Self {
        let (tables, sampler, counts) = (Counting::default(), Sampler::default(), HashMap::new());
        Self { rules: Arc::new(rules), catalogue, tables, sampler, counts }
    }

    fn grant(&mut self, ledger: &Ledger) -> Option<Grant> {
        let all = grants(&ledger.facts, &self.rules, &bay(), ledger.now, &mut self.tables);
        all.into_iter().find(|grant| grant.asset == TRUCK)
    }

    /// Decides on one reading of each signal, at a gateway that heard of everything.
    fn read(&mut self, ledger: &Ledger, by: Identification) -> Vec<(&'static str, Outcomes1)> {
        let whom = SnapshotFor {
            gateway: id("box-1"),
            at: bay(),
            recovery: key("recovery", "key"),
            closed: Vec::new(),
        };
        let snapshot = snapshot(&ledger.facts, &self.rules, whom, ledger.now, &mut self.tables);
        let head =
            Head { era: 1, sequence: 1, at: ledger.now, nonce: [0; 16], snapshot_hash: snapshot.hash() };
        let boot = BootMicros(u64::try_from(ledger.now.0).expect("after 1970"));
        let now = Stamp { wall: ledger.now, boot, quality: TimeQuality::Synced };
        let mut table = Table::new(Arc::clone(&self.rules));
        table.apply(snapshot, &head, now).expect("it names the snapshot");
        let mut out = Outcomes::new();
        let fault = Fault::J1939 { spn: 110, fmi: 3, occurrence: None };
        let values = [
            Value::Integer(158_910_605),
            Value::TroubleCode(TroubleCode { fault, state: FaultState::Stored }),
            Value::Number(Number::new(12.3).expect("finite")),
        ];
        let mut all = Vec::new();
        for (path, value) in PATHS.into_iter().zip(values) {
            let signal = self.catalogue.find(path).expect("in the catalogue");
            let (asset, source) = (TRUCK, Source::Tool);
            let reading = Reading { asset, signal, value, at: now, source, identified_by: by };
            table.decide(&reading, now, &mut self.sampler, &mut out);
            all.push((path, self.told(path, &out)));
        }
        all
    }

    fn told(&mut self, path: &'static str, out: &Outcomes) -> Outcomes1 {
        let mut told = HashMap::new();
        for released in out.released() {
            let flow = self.rules.flow(released.flow()).slug.clone();
            *self.counts.entry((flow.clone(), path)).or_default() += 1;
            told.insert(Some(flow), outcome(released));
        }
        for withheld in out.withheld() {
            let flow = withheld.flow.map(|flow| self.rules.flow(flow).slug.clone());
            told.insert(flow, Outcome::Withheld(withheld.reason));
        }
        told
    }
}

fn outcome(released: &Released) -> Outcome {
    Outcome::Released {
        minimiser: released.minimiser(),
        how: released.how(),
        value: released.value(),
        at: released.at(),
    }
}

/// Whether a minimiser tells no more than another, from the prose: nothing, that there was a value,
/// ranges, and of these the wider if the finer ones make them up, the value.
fn tells_no_more(a: Minimiser, b: Minimiser) -> bool {
    let height = |minimiser| match minimiser {
        Minimiser::Drop => 0,
        Minimiser::Presence => 1,
        Minimiser::Exact => 3,
        _ => 2,
    };
    match (a, b) {
        (Minimiser::Round(a), Minimiser::Round(b)) | (Minimiser::Bucket(a), Minimiser::Bucket(b)) => {
            a % b == 0
        }
        (Minimiser::Cell(a), Minimiser::Cell(b)) => a <= b,
        _ => height(a) < height(b) || a == b,
    }
}

/// What the wider of two sides let through that the narrower did not: by flow.
fn beyond(narrower: &Side<'_>, wider: &Side<'_>, seen: &[(Outcomes1, Outcomes1)]) -> Vec<(Slug, String)> {
    let mut found = Vec::new();
    for (few, many) in seen {
        for (flow, outcome) in many {
            let (Some(flow), Outcome::Released { minimiser, at, .. }) = (flow, outcome) else { continue };
            match few.get(&Some(flow.clone())) {
                Some(Outcome::Released { minimiser: finer, at: earlier, .. }) => {
                    if !tells_no_more(*minimiser, *finer) {
                        found.push((flow.clone(), format!("{minimiser} where it was {finer}")));
                    }
                    let step = narrower.rules.find(flow).expect("it decided").time_step_micros;
                    if step > 0 && at.wall.0 % step != 0 {
                        found.push((flow.clone(), format!("{} is finer than {}", at.wall.0, earlier.wall.0)));
                    }
                }
                // How many samples there were is counted at the end.
                Some(Outcome::Withheld(Reason::SampledOut)) => {}
                other => found.push((flow.clone(), format!("released where it was {other:?}"))),
            }
        }
    }
    for (of, count) in &wider.counts {
        if *count > narrower.counts.get(of).copied().unwrap_or(0) {
            found.push((of.0.clone(), format!("{count} samples of {}", of.1)));
        }
    }
    found.extend(keeps(narrower, wider));
    found
}

/// Where releases of a flow go to that they did not go to, and how much longer they are kept.
fn keeps(narrower: &Side<'_>, wider: &Side<'_>) -> Vec<(Slug, String)> {
    let mut found = Vec::new();
    for flow in wider.rules.flows() {
        let Some(other) = narrower.rules.find(&flow.slug) else { continue };
        let passes = |side: &Side<'_>| side.counts.keys().any(|(slug, _)| *slug == flow.slug);
        if !passes(narrower) || !passes(wider) {
            continue;
        }
        let mut say = |what: &str| found.push((flow.slug.clone(), what.to_owned()));
        if flow.recipient != other.recipient || flow.purpose != other.purpose {
            say("another recipient or purpose");
        }
        if flow.deliver.store && !other.deliver.store {
            say("goes to the store");
        }
        let topic =
            |side: &vernport_policy::Flow| side.deliver.topic.as_ref().map(|topic| topic.payload as u8 == 0);
        if topic(flow) > topic(other) {
            say("goes to a topic, or can be read there");
        }
        let year = (0..366).map(|day| UtcMicros(world::NOON.0).plus_seconds(day * world::DAY));
        if year.into_iter().any(|at| flow.retention.latest_due(at) > other.retention.latest_due(at)) {
            say("kept for longer");
        }
    }
    found
}

struct Both {
    diff: Diff,
    widened: Vec<(Slug, String)>,
    narrowed: Vec<(Slug, String)>,
    differs: Option<String>,
}

/// Lets both versions decide in one world; none if one of them is no bundle.
fn compare(old: &[usize], new: &[usize], steps: &[Step]) -> Option<Both> {
    let catalogue = catalogue();
    let (old, new) = (rules(&drawn::text(old), catalogue)?, rules(&drawn::text(new), catalogue)?);
    let diff = diff(&old, &new, catalogue);
    let clauses = catalogue.iter().flat_map(|(id, _)| Reason::ALL.iter().map(move |reason| (id, *reason)));
    let mut differs = clauses
        .filter(|(id, reason)| old.clause_for(*id, *reason) != new.clause_for(*id, *reason))
        .map(|(_, reason)| format!("clause behind {reason}"))
        .next();
    let (mut old, mut new) = (Side::new(old, catalogue), Side::new(new, catalogue));
    let mut ledger = Ledger::new();
    let mut seen = Vec::new();
    for step in steps {
        ledger.step(step);
        let (was, is) = (old.grant(&ledger), new.grant(&ledger));
        if without_names(was.clone()) != without_names(is.clone()) {
            differs = Some(format!("{was:?} and {is:?}"));
        }
        if let Step::Read { by, .. } = step {
            let by = [
                Identification::Pinned,
                Identification::Tool,
                Identification::Asserted,
                Identification::BusVin,
            ][usize::from(*by)];
            for ((path, was), (_, is)) in old.read(&ledger, by).into_iter().zip(new.read(&ledger, by)) {
                if was != is {
                    differs = Some(format!("{path}: {was:?} and {is:?}"));
                }
                seen.push((was, is));
            }
        }
    }
    let widened = beyond(&old, &new, &seen);
    let seen: Vec<_> = seen.into_iter().map(|(was, is)| (is, was)).collect();
    let narrowed = beyond(&new, &old, &seen);
    Some(Both { diff, widened, narrowed, differs })
}

/// A grant by what it says: flows stand in the order of their bundle, ids are drawn.
fn without_names(grant: Option<Grant>) -> Option<Grant> {
    grant.map(|mut grant| {
        for flow in &mut grant.flows {
            flow.id = vernport_policy::GrantId::from_bytes([0; 16]);
            flow.alias = vernport_types::VehicleAlias::from_bytes([0; 16]);
        }
        grant.flows.sort_by(|a, b| a.flow.cmp(&b.flow));
        grant.closed.sort();
        grant
    })
}

/// `VERNPORT_CASES` runs more.
fn cases() -> u32 {
    std::env::var("VERNPORT_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(192)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_global_rejects: 1_000_000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_newly_permitted_or_denied_in_a_world_is_named(
        (old, new) in drawn::pair(),
        steps in drawn::steps(),
    ) {
        let both = compare(&old, &new, &steps);
        prop_assume!(both.is_some());
        let Both { diff, widened, narrowed, differs } = both.expect("assumed");
        for (flow, what) in &widened {
            let named = diff.permitted().any(|change| change.flows.contains(flow));
            prop_assert!(named, "{flow} is wider: {what}\n{diff}");
        }
        for (flow, what) in &narrowed {
            let named = diff.denied().any(|change| change.flows.contains(flow));
            prop_assert!(named, "{flow} is narrower: {what}\n{diff}");
        }
        if diff.is_equal() {
            prop_assert!(differs.is_none(), "called equal: {}", differs.unwrap_or_default());
        }
    }

    #[test]
    fn a_bundle_is_equal_to_itself_and_each_way_back_is_the_opposite((old, new) in drawn::pair()) {
        let catalogue = catalogue();
        let both = rules(&drawn::text(&old), catalogue).zip(rules(&drawn::text(&new), catalogue));
        prop_assume!(both.is_some());
        let (old, new) = both.expect("assumed");
        prop_assert!(diff(&old, &old, catalogue).is_equal());
        let (there, back) = (diff(&old, &new, catalogue), diff(&new, &old, catalogue));
        prop_assert_eq!(there.widens(), back.narrows(), "{}\n{}", there, back);
        prop_assert_eq!(there.narrows(), back.widens(), "{}\n{}", there, back);
        prop_assert_eq!(there.is_equal(), back.is_equal(), "{}\n{}", there, back);
    }
}
