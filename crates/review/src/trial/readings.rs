//! The expectation on a reading: released as this, or withheld for that reason.

use super::{
    Stage, TrialError, Unmet, ask,
    raw::{Place, RawReading, Target},
    values::Written,
};
use crate::{
    ask::{Answer, ON_THE_BUS, Outcome, Question},
    shown::{Shown, Time},
};
use std::{collections::BTreeSet, fmt};
use vernport_policy::{Deliver, Payload, Period};
use vernport_types::{Identification, Reason, Signal, SignalId, Slug, Source, UtcMicros};

#[derive(Debug, Clone)]
pub(super) struct Reading {
    question: Question,
    signal: String,
    value: Option<Written>,
    flow: Option<Slug>,
    expected: Expected,
    clause: Option<String>,
    latest_due: Option<Period>,
    stamped: Option<UtcMicros>,
    deliver: Option<Targets>,
}

/// Where a release goes, all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Targets(BTreeSet<Target>);

#[derive(Debug, Clone)]
enum Expected {
    Released(Written),
    Withheld(Reason),
}

const IDENTIFICATIONS: &[(&str, Identification)] = &[
    ("pinned", Identification::Pinned),
    ("tool", Identification::Tool),
    ("asserted", Identification::Asserted),
    ("bus-vin", Identification::BusVin),
];

const SOURCES: &[(&str, Source)] =
    &[("vehicle", ON_THE_BUS), ("tool", Source::Tool), ("manual", Source::Manual)];

impl Reading {
    pub(super) fn read(raw: RawReading, place: &Place<'_>) -> Result<Self, TrialError> {
        let mut question = Question::new(place.asset(&raw.asset)?, place.time("time", &raw.time)?);
        if let Some(by) = &raw.by {
            question.by = place.word("by", by, IDENTIFICATIONS)?;
        }
        if let Some(from) = &raw.from {
            question.source = place.word("from", from, SOURCES)?;
        }
        question.station = raw.station.map(|station| place.station(&station)).transpose()?;
        question.head = raw.head.map(|head| place.time("head", &head)).transpose()?;
        question.before = raw.before.iter().map(|at| place.time("before", at)).collect::<Result<_, _>>()?;
        if question.head.iter().chain(&question.before).any(|at| *at > question.at) {
            return Err(place.error("`head` and `before` are not after `time`"));
        }
        let expected = match (raw.released, raw.withheld) {
            (Some(value), None) => Expected::Released(place.written("released", value)?),
            (None, Some(code)) => Expected::Withheld(place.reason("withheld", &code)?),
            _ => return Err(place.error("a reading is expected `released` or `withheld`: name one of them")),
        };
        if matches!(expected, Expected::Released(_)) && raw.flow.is_none() {
            return Err(place.error("what is released is released by a flow: name it with `flow`"));
        }
        let of_release = raw.latest_due.is_some() || raw.stamped.is_some() || raw.deliver.is_some();
        if of_release && matches!(expected, Expected::Withheld(_)) {
            return Err(place.error("`latest_due`, `stamped` and `deliver` are of what is released"));
        }
        let latest_due = raw.latest_due.map(|period| period.parse::<Period>()).transpose();
        Ok(Self {
            question,
            signal: raw.signal,
            value: raw.value.map(|value| place.written("value", value)).transpose()?,
            flow: raw.flow,
            expected,
            clause: raw.clause,
            latest_due: latest_due.map_err(|e| place.error(format!("`latest_due`: {e}")))?,
            stamped: raw.stamped.map(|time| place.time("stamped", &time)).transpose()?,
            deliver: raw.deliver.map(Targets),
        })
    }

    pub(super) fn met(&self, stage: &Stage<'_>) -> Result<(), Unmet> {
        let (id, signal) = self.signal(stage)?;
        let value = match &self.value {
            None => None,
            Some(written) => Some(written.of_kind(signal.kind).ok_or_else(|| {
                Unmet::new(
                    "`value` of the kind of its signal",
                    format!("a value that no {:?} is", signal.kind),
                )
            })?),
        };
        let question = Question { signal: Some(id), value, ..self.question.clone() };
        let answers = ask(stage.rules, stage.catalogue, stage.facts, &question);
        let answer = self.answer(stage, &answers)?;
        self.outcome(signal, answer)?;
        if let Some(clause) = &self.clause
            && !answer.clauses.contains(clause)
        {
            return Err(Unmet::new(
                format!("clause {clause}"),
                format!("clause {}", answer.clauses.join(" ")),
            ));
        }
        self.due(stage, answer)?;
        self.stamp(answer)?;
        self.targets(stage, answer)
    }

    fn signal<'a>(&self, stage: &Stage<'a>) -> Result<(SignalId, &'a Signal), Unmet> {
        let id = stage.catalogue.find(&self.signal).ok_or_else(|| {
            Unmet::new(format!("signal {}", self.signal), "a catalogue without it (config/signals)")
        })?;
        Ok((id, stage.catalogue.signal(id)))
    }

    /// The answer of the flow that is named, or the one answer where no flow names the signal.
    fn answer<'a>(&self, stage: &Stage<'_>, answers: &'a [Answer]) -> Result<&'a Answer, Unmet> {
        let name = |answer: &Answer| answer.flow.map(|flow| stage.rules.flow(flow).slug.as_str());
        let asked = self.flow.as_ref().map(Slug::as_str);
        answers.iter().find(|answer| name(answer) == asked).ok_or_else(|| {
            let came = answers.iter().map(|answer| match name(answer) {
                Some(flow) => format!("flow {flow} with it, {}", came(answer)),
                None => format!("no flow with it, {}", came(answer)),
            });
            let came = came.collect::<Vec<_>>().join("; ");
            match asked {
                Some(flow) => Unmet::new(format!("flow {flow} with signal {}", self.signal), came),
                None => Unmet::new(format!("no flow with signal {}", self.signal), came),
            }
        })
    }

    fn outcome(&self, signal: &Signal, answer: &Answer) -> Result<(), Unmet> {
        match (&self.expected, &answer.outcome) {
            (Expected::Withheld(expected), Outcome::Withheld(reason)) if expected == reason => Ok(()),
            (Expected::Withheld(expected), _) => {
                Err(Unmet::new(format!("withheld {expected}"), came(answer)))
            }
            (Expected::Released(expected), outcome) => {
                let Some(expected) = expected.of_kind(signal.kind) else {
                    let expected = "`released` of the kind of its signal";
                    return Err(Unmet::new(expected, came(answer)));
                };
                match outcome {
                    Outcome::Released(release) if release.value == expected => Ok(()),
                    _ => Err(Unmet::new(format!("released {}", Shown(expected)), came(answer))),
                }
            }
        }
    }

    fn due(&self, stage: &Stage<'_>, answer: &Answer) -> Result<(), Unmet> {
        let (Some(period), Some(flow)) = (self.latest_due, answer.flow) else { return Ok(()) };
        let kept = &stage.rules.flow(flow).retention;
        let mut meant = kept.clone();
        meant.at_most = period;
        let (due, expected) = (kept.latest_due(self.question.at), meant.latest_due(self.question.at));
        if due == expected {
            return Ok(());
        }
        let expected = format!("latest due {period} after the reading ({})", Time(expected));
        Err(Unmet::new(expected, format!("{} ({})", kept.at_most, Time(due))))
    }

    /// The time that a release bears.
    fn stamp(&self, answer: &Answer) -> Result<(), Unmet> {
        match (self.stamped, &answer.outcome) {
            (Some(expected), Outcome::Released(release)) if release.time != expected => Err(Unmet::new(
                format!("stamped {}", Time(expected)),
                format!("stamped {}", Time(release.time)),
            )),
            _ => Ok(()),
        }
    }

    fn targets(&self, stage: &Stage<'_>, answer: &Answer) -> Result<(), Unmet> {
        let (Some(expected), Some(flow)) = (&self.deliver, answer.flow) else { return Ok(()) };
        let came = Targets::of(&stage.rules.flow(flow).deliver);
        if came == *expected { Ok(()) } else { Err(Unmet::new(expected, came)) }
    }
}

impl Targets {
    fn of(deliver: &Deliver) -> Self {
        let topic = deliver.topic.as_ref().map(|topic| match topic.payload {
            Payload::Plain => Target::Plain,
            Payload::Sealed => Target::Sealed,
        });
        Self(deliver.store.then_some(Target::Store).into_iter().chain(topic).collect())
    }
}

impl fmt::Display for Targets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.0.iter().map(|target| match target {
            Target::Store => "the store",
            Target::Plain => "a plain topic",
            Target::Sealed => "a sealed topic",
        });
        write!(f, "delivered to {}", words.collect::<Vec<_>>().join(" and "))
    }
}

fn came(answer: &Answer) -> String {
    match &answer.outcome {
        Outcome::Released(release) => format!("released {}", Shown(release.value)),
        Outcome::Withheld(reason) => format!("withheld {reason}"),
    }
}
