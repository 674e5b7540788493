//! Asking what becomes of a reading, and why: one vehicle, one time, one place,
//! a signal or all of them.
//!
//! Promises:
//! - Grants and decisions are those of `policy`: a snapshot is computed and put
//!   into a [`Table`], as at a gateway whose last head came at that time.
//! - The same question has the same answer: ids are made from what they name.

mod behind;
mod example;
mod names;

pub use example::example;
pub use names::Names;

use behind::Rule;
use std::sync::Arc;
use vernport_crypto::OpeningKey;
use vernport_policy::{
    Believe, FlowIndex, Head, How, Minimiser, Outcomes, Period, Released, Rules, Sampler, Snapshot,
    SnapshotFor, StationRef, Table, Withheld, snapshot,
};
use vernport_registry::Facts;
use vernport_types::{
    AssetId, BootMicros, Catalogue, EntryHash, Identification, Reading, Reason, Signal, SignalId, Slug,
    Source, Stamp, TimeQuality, UtcMicros, Value,
};

/// What is asked.
#[derive(Debug, Clone)]
pub struct Question {
    /// Whose reading.
    pub asset: AssetId,
    /// Which signal; all of the catalogue without it.
    pub signal: Option<SignalId>,
    /// The answer of this flow only; of all flows without it.
    pub flow: Option<Slug>,
    /// What is read; an [`example`] of the signal's kind without it.
    pub value: Option<Value>,
    /// How the vehicle was recognised.
    pub by: Identification,
    /// From where it was read.
    pub source: Source,
    /// Where; without it where an order is open for the vehicle, else [`default_station`].
    pub station: Option<StationRef>,
    /// When it is read.
    pub at: UtcMicros,
    /// When the gateway heard from central last, not after `at`; at that very time without it.
    pub head: Option<UtcMicros>,
    /// When the same was read before, so that samples were taken; times not after `at`.
    pub before: Vec<UtcMicros>,
}

impl Question {
    /// Of all signals of a vehicle that said its VIN on the bus.
    pub fn new(asset: AssetId, at: UtcMicros) -> Self {
        Self {
            asset,
            signal: None,
            flow: None,
            value: None,
            by: Identification::BusVin,
            source: ON_THE_BUS,
            station: None,
            at,
            head: None,
            before: Vec::new(),
        }
    }
}

/// Any source on a bus: only that it is one counts. The address is that of the engine (SAE J1939-81).
pub const ON_THE_BUS: Source = Source::J1939 { pgn: 65_217, sa: 0 };

/// The station of a question that names none, where no order is open.
///
/// # Panics
/// Never: both names are slugs.
pub fn default_station() -> StationRef {
    StationRef { site: "main".parse().expect("a slug"), station: "bay-1".parse().expect("a slug") }
}

/// What becomes of a reading in one flow, or (where no flow names its signal) at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The signal.
    pub signal: SignalId,
    /// The flow that names it; none if no flow does.
    pub flow: Option<FlowIndex>,
    /// What was read.
    pub read: Value,
    /// What becomes of it.
    pub outcome: Outcome,
    /// The path of the rule that says so (`config/bundles/README.md`); none where no rule does
    /// and it is denied by default.
    pub rule: Option<String>,
    /// The clauses of the notice that say so.
    pub clauses: Vec<String>,
    /// The ledger entries that it rests on, or that closed the flow.
    pub entries: Vec<EntryHash>,
}

/// Released or withheld.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It goes on.
    Released(Box<Release>),
    /// It does not.
    Withheld(Reason),
}

/// What goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// The value, minimised.
    pub value: Value,
    /// The time that it bears, minimised.
    pub time: UtcMicros,
    /// How the value was minimised.
    pub minimiser: Minimiser,
    /// Whether value or time are coarser than they were read.
    pub how: How,
    /// For how long the opening is believed.
    pub believe: Believe,
    /// How long it is kept.
    pub kept: Kept,
}

/// How long a release is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The rule of the bundle.
    pub rule: Slug,
    /// What the period starts with.
    pub start: Slug,
    /// How long after that.
    pub period: Period,
    /// No later than this.
    pub latest_due: UtcMicros,
}

/// Asks. Answers come in the order of the signals and, for one signal, of the flows:
/// releases first.
pub fn ask(rules: &Arc<Rules>, catalogue: &Catalogue, facts: &Facts, question: &Question) -> Vec<Answer> {
    let head = question.head.unwrap_or(question.at).min(question.at);
    let table = table(rules, facts, question, head);
    // What was read before central was heard last was read under what held then.
    let before = |at: &UtcMicros| (*at, head.min(*at), self::table(rules, facts, question, head.min(*at)));
    let before: Vec<_> = question.before.iter().map(before).collect();
    let mut outcomes = Outcomes::new();
    let mut answers = Vec::new();
    for (id, signal) in catalogue.iter() {
        if question.signal.is_some_and(|asked| asked != id) {
            continue;
        }
        let mut sampler = Sampler::default();
        let reading = |at, head| Reading {
            asset: question.asset,
            signal: id,
            value: question.value.unwrap_or_else(|| example(signal)),
            at: stamp(at, head),
            source: question.source,
            identified_by: question.by,
        };
        for (at, head, table) in &before {
            let reading = reading(*at, *head);
            table.decide(&reading, reading.at, &mut sampler, &mut outcomes);
        }
        let reading = reading(question.at, head);
        table.decide(&reading, reading.at, &mut sampler, &mut outcomes);
        let asked = Asked { rules, facts, table: &table, reading: &reading, signal, head };
        answers.extend(outcomes.released().iter().map(|released| asked.released(released)));
        answers.extend(outcomes.withheld().iter().map(|withheld| asked.withheld(withheld)));
    }
    let asked = question.flow.as_ref().map(|flow| rules.find(flow).map(|flow| flow.index));
    if let Some(flow) = asked {
        answers.retain(|answer| answer.flow == flow);
    }
    answers
}

/// Where a question is asked at.
pub fn station(facts: &Facts, question: &Question) -> StationRef {
    let at = question.head.unwrap_or(question.at).min(question.at);
    let open = || facts.open_order(question.asset, None, at).map(|order| order.station);
    question.station.clone().or_else(open).unwrap_or_else(default_station)
}

/// The boot clock runs from the head on.
fn stamp(at: UtcMicros, head: UtcMicros) -> Stamp {
    let since_head = u64::try_from(at.0.saturating_sub(head.0)).unwrap_or(0);
    Stamp { wall: at, boot: BootMicros(since_head), quality: TimeQuality::Bounded }
}

/// What a gateway where the question is asked hears from central at a time.
pub(crate) fn snapshot_at(
    rules: &Rules,
    facts: &Facts,
    question: &Question,
    head: UtcMicros,
    names: &mut Names,
) -> Snapshot {
    let whom = SnapshotFor {
        gateway: "asked".parse().expect("a slug"),
        at: station(facts, question),
        recovery: OpeningKey::from_bytes([1; 32]).wrapping_key(),
        closed: Vec::new(),
    };
    snapshot(facts, rules, whom, head, names)
}

fn table(rules: &Arc<Rules>, facts: &Facts, question: &Question, head: UtcMicros) -> Table {
    let snapshot = snapshot_at(rules, facts, question, head, &mut Names::default());
    let mut table = Table::new(Arc::clone(rules));
    let said = Head { era: 1, sequence: 1, at: head, nonce: [0; 16], snapshot_hash: snapshot.hash() };
    table.apply(snapshot, &said, stamp(head, head)).expect("the snapshot is of these rules and this head");
    table
}

/// One reading, decided.
struct Asked<'a> {
    rules: &'a Rules,
    facts: &'a Facts,
    table: &'a Table,
    reading: &'a Reading,
    signal: &'a Signal,
    head: UtcMicros,
}

impl Asked<'_> {
    fn released(&self, released: &Released) -> Answer {
        let flow = self.rules.flow(released.flow());
        let (_, opened) = self.table.opening(released.grant_id()).expect("what is released was opened");
        let Rule { path, clauses } = Rule::release(flow, self.signal);
        let release = Release {
            value: released.value(),
            time: released.at().wall,
            minimiser: released.minimiser(),
            how: released.how(),
            believe: opened.believe,
            kept: Kept {
                rule: flow.retention.rule.clone(),
                start: flow.retention.start.clone(),
                period: flow.retention.period,
                latest_due: flow.retention.latest_due(self.reading.at.wall),
            },
        };
        Answer {
            signal: self.reading.signal,
            flow: Some(flow.index),
            read: self.reading.value,
            outcome: Outcome::Released(Box::new(release)),
            rule: path,
            clauses,
            entries: opened.rests_on.clone(),
        }
    }

    fn withheld(&self, withheld: &Withheld) -> Answer {
        let Reading { asset, signal, value, .. } = *self.reading;
        let flow = withheld.flow.map(|flow| self.rules.flow(flow));
        let Rule { path, clauses } = Rule::refusal(self.rules, flow, (signal, self.signal), withheld.reason);
        let entries = flow
            .map(|flow| behind::entries(self.facts, flow, asset, withheld.reason, self.head))
            .unwrap_or_default();
        Answer {
            signal,
            flow: withheld.flow,
            read: value,
            outcome: Outcome::Withheld(withheld.reason),
            rule: path,
            clauses,
            entries,
        }
    }
}
