//! Why a signal of a vehicle passes or does not: what a registrar asks central,
//! and what `vernport explain --json` prints (`crates/cli/schema/explain-v1.json`).
//!
//! Promises: an explanation never repeats the identifier that was asked with, and
//! the values in it are examples, never readings. What [`Explanation::for_recipient`]
//! leaves names no reason, no clause and no entry.

use serde::{Deserialize, Serialize};
use vernport_policy::{Minimiser, Rules, SourceClass, StationRef};
use vernport_review::{
    ask::{self, Answer, Outcome, Question},
    shown::Shown,
};
use vernport_types::{
    AssetId, Audience, Catalogue, ControllerId, EntryHash, Identification, Identifier, Reason, Slug, Source,
    UtcMicros,
};

/// The form of [`Explanation`] and [`RecipientExplanation`].
pub const EXPLANATION_FORMAT: u16 = 1;

/// Which vehicle is asked about. In a body, since an identifier never stands in a URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Vehicle {
    /// What is known of it.
    Identifier(Identifier),
    /// Its id in the registry.
    Asset(AssetId),
}

/// What is asked. What is left out is `null`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainRequest {
    /// The vehicle.
    pub vehicle: Vehicle,
    /// The VSS path; all signals of the catalogue without it.
    pub signal: Option<Box<str>>,
    /// The flow; all flows without it.
    pub flow: Option<Slug>,
    /// How the vehicle was recognised; it said its VIN on the bus without it.
    pub by: Option<Identification>,
    /// From where it was read; from the vehicle without it.
    pub from: Option<SourceClass>,
    /// Where; without it where an order is open for the vehicle or a gateway is mounted in it.
    pub station: Option<StationRef>,
    /// When; now without it.
    pub at: Option<UtcMicros>,
}

impl ExplainRequest {
    /// About all signals of a vehicle, now.
    pub const fn new(vehicle: Vehicle) -> Self {
        Self { vehicle, signal: None, flow: None, by: None, from: None, station: None, at: None }
    }
}

/// Any source of a class: only the class counts.
pub const fn source(class: SourceClass) -> Source {
    match class {
        SourceClass::Vehicle => ask::ON_THE_BUS,
        SourceClass::Tool => Source::Tool,
        SourceClass::Manual => Source::Manual,
    }
}

/// The answer of central.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainAnswer {
    /// None if no asset bears the identifier now.
    pub explanation: Option<Explanation>,
}

/// What becomes of readings of a vehicle, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Explanation {
    /// [`EXPLANATION_FORMAT`].
    pub v: u16,
    /// Whose rules.
    pub controller: ControllerId,
    /// Which bundle.
    pub bundle: Slug,
    /// When it was asked about.
    pub at: UtcMicros,
    /// Where.
    pub station: StationRef,
    /// How the vehicle is taken to be recognised.
    pub by: Identification,
    /// From where it is taken to be read.
    pub from: SourceClass,
    /// The answers, by signal and then by flow: releases first.
    pub answers: Vec<Explained>,
}

/// What becomes of one signal in one flow, or at all where no flow names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Explained {
    /// The VSS path.
    pub signal: Box<str>,
    /// Its unit; empty for none.
    pub unit: Box<str>,
    /// The flow; none if no flow names the signal.
    pub flow: Option<Slug>,
    /// Why it is withheld; none if it is released.
    pub withheld: Option<Reason>,
    /// What an operator can do about it; none if it is released.
    pub remedy: Option<Box<str>>,
    /// What is released; none if it is withheld.
    pub released: Option<ExplainedRelease>,
    /// The path of the rule in the bundle; none where it is denied by default.
    pub rule: Option<Box<str>>,
    /// The clauses of the notice behind it.
    pub clauses: Vec<Box<str>>,
    /// The ledger entries that it rests on, or that closed the flow.
    pub entries: Vec<ExplainedEntry>,
}

/// What is released, by an example.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainedRelease {
    /// What is done to a value.
    pub minimiser: Minimiser,
    /// An example of a value as it is read.
    pub before: Box<str>,
    /// The same as it is released.
    pub after: Box<str>,
    /// Until when the opening is believed, whatever central says.
    pub believe_until: UtcMicros,
    /// The reason from then on.
    pub ends_as: Reason,
    /// For how many seconds after central was heard it is believed; none: until its end.
    pub lease_seconds: Option<u32>,
    /// The rule by which it is kept.
    pub retention: Slug,
    /// What its period starts with.
    pub start: Slug,
    /// How long after that (ISO 8601).
    pub period: Box<str>,
    /// No later than this, if it is read at the time asked about.
    pub latest_due: UtcMicros,
}

/// One entry of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainedEntry {
    /// Its hash.
    pub entry: EntryHash,
    /// The kind of its event; none if the ledger that was asked does not hold it.
    pub kind: Option<Box<str>>,
    /// When it was recorded.
    pub recorded_at: Option<UtcMicros>,
}

impl Explanation {
    /// Writes answers down. Kinds and times of entries are filled in by
    /// [`Self::know_entries`].
    pub fn new(
        rules: &Rules,
        catalogue: &Catalogue,
        question: &Question,
        station: StationRef,
        answers: &[Answer],
    ) -> Self {
        Self {
            v: EXPLANATION_FORMAT,
            controller: rules.controller().clone(),
            bundle: rules.name().clone(),
            at: question.at,
            station,
            by: question.by,
            from: SourceClass::of(&question.source),
            answers: answers.iter().map(|answer| Explained::new(rules, catalogue, answer)).collect(),
        }
    }

    /// The entries that it names, each once.
    pub fn entries(&self) -> Vec<EntryHash> {
        let mut entries: Vec<EntryHash> =
            self.answers.iter().flat_map(|answer| &answer.entries).map(|entry| entry.entry).collect();
        entries.sort_unstable();
        entries.dedup();
        entries
    }

    /// Fills in kind and recording time of entries.
    pub fn know_entries(&mut self, known: impl Fn(&EntryHash) -> Option<(Box<str>, UtcMicros)>) {
        for entry in self.answers.iter_mut().flat_map(|answer| &mut answer.entries) {
            if let Some((kind, recorded_at)) = known(&entry.entry) {
                (entry.kind, entry.recorded_at) = (Some(kind), Some(recorded_at));
            }
        }
    }

    /// What a recipient may learn of it: one word for each signal and flow.
    pub fn for_recipient(&self) -> RecipientExplanation {
        let status = |answer: &Explained| RecipientAnswer {
            signal: answer.signal.clone(),
            flow: answer.flow.clone(),
            status: answer.withheld.map_or(Audience::Open, Reason::audience),
        };
        RecipientExplanation {
            v: EXPLANATION_FORMAT,
            at: self.at,
            answers: self.answers.iter().map(status).collect(),
        }
    }
}

impl Explained {
    fn new(rules: &Rules, catalogue: &Catalogue, answer: &Answer) -> Self {
        let signal = catalogue.signal(answer.signal);
        let (withheld, released) = match &answer.outcome {
            Outcome::Withheld(reason) => (Some(*reason), None),
            Outcome::Released(release) => (
                None,
                Some(ExplainedRelease {
                    minimiser: release.minimiser,
                    before: Shown(answer.read).to_string().into(),
                    after: Shown(release.value).to_string().into(),
                    believe_until: release.believe.until,
                    ends_as: release.believe.ends_as,
                    lease_seconds: release.believe.lease_seconds,
                    retention: release.kept.rule.clone(),
                    start: release.kept.start.clone(),
                    period: release.kept.period.to_string().into(),
                    latest_due: release.kept.latest_due,
                }),
            ),
        };
        let entry = |entry: &EntryHash| ExplainedEntry { entry: *entry, kind: None, recorded_at: None };
        Self {
            signal: signal.path.clone(),
            unit: signal.unit.clone(),
            flow: answer.flow.map(|flow| rules.flow(flow).slug.clone()),
            withheld,
            remedy: withheld.map(|reason| reason.remedy().into()),
            released,
            rule: answer.rule.as_deref().map(Into::into),
            clauses: answer.clauses.iter().map(|clause| clause.as_str().into()).collect(),
            entries: answer.entries.iter().map(entry).collect(),
        }
    }
}

/// What a recipient may learn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipientExplanation {
    /// [`EXPLANATION_FORMAT`].
    pub v: u16,
    /// When it was asked about.
    pub at: UtcMicros,
    /// The answers, by signal and then by flow.
    pub answers: Vec<RecipientAnswer>,
}

/// One word about one signal in one flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipientAnswer {
    /// The VSS path.
    pub signal: Box<str>,
    /// The flow; none if no flow names the signal.
    pub flow: Option<Slug>,
    /// Whether data flows.
    pub status: Audience,
}
