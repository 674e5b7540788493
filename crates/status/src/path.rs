//! Path status: how each stage of a daemon stands, from the bus to the broker.
//! One type for `status`, `doctor`, the demo and the metrics.

use crate::Cause;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use vernport_types::{Reason, UtcMicros};

/// The version of the JSON.
pub const VERSION: u8 = 1;
/// How many reasons of a stage are told.
const REASONS_TOLD: usize = 3;

/// How a stage stands, the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is not configured.
    Off,
    /// It works.
    Ok,
    /// It works, and has nothing to do until something comes.
    Waiting,
    /// It works, and somebody has to look at it.
    Degraded,
    /// It does not work.
    Broken,
}

impl State {
    /// All states.
    pub const ALL: [Self; 5] = [Self::Off, Self::Ok, Self::Waiting, Self::Degraded, Self::Broken];

    /// The word.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Ok => "ok",
            Self::Waiting => "waiting",
            Self::Degraded => "degraded",
            Self::Broken => "broken",
        }
    }

    /// Whether somebody has to look at it.
    pub fn is_trouble(self) -> bool {
        self >= Self::Degraded
    }
}

/// Which daemon tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Daemon {
    /// A gateway.
    Gateway,
    /// Central.
    Central,
}

/// The stages: eight of a gateway in the order of a reading, then those of central.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StageKind {
    /// Frames come; one row for each bus.
    Bus,
    /// Frames become values.
    Decode,
    /// It is known whose they are.
    Visit,
    /// Rules let them pass or not.
    Decide,
    /// What passed is sealed.
    Seal,
    /// It waits, durable.
    Spool,
    /// It goes to central.
    Uplink,
    /// It goes to operators, and comes from tools; one row for each.
    Broker,
    /// Who connects to central.
    Listen,
    /// Its databases.
    Store,
    /// What is written once more beside them.
    Journal,
    /// Who listens to grants.
    Feed,
    /// What is due goes.
    Retention,
    /// What has to be erased.
    Erasure,
    /// The evidence logs.
    Evidence,
}

impl StageKind {
    /// The word.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Bus => "bus",
            Self::Decode => "decode",
            Self::Visit => "visit",
            Self::Decide => "decide",
            Self::Seal => "seal",
            Self::Spool => "spool",
            Self::Uplink => "uplink",
            Self::Broker => "broker",
            Self::Listen => "listen",
            Self::Store => "store",
            Self::Journal => "journal",
            Self::Feed => "feed",
            Self::Retention => "retention",
            Self::Erasure => "erasure",
            Self::Evidence => "evidence",
        }
    }
}

/// Why a stage is as it is: a code of a closed list, and how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// Of [`Cause`], [`Reason`], or the codes of decoder and contract.
    pub code: String,
    /// How often since the start; 1 for what holds now.
    pub count: u64,
}

/// How one stage stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Which one.
    pub stage: StageKind,
    /// Its configured name, where there may be several.
    pub name: Option<String>,
    /// How it stands.
    pub state: State,
    /// When it last did its work, in microseconds since 1970; none: not since the start.
    pub last_at_micros: Option<UtcMicros>,
    /// What it has counted since the start, by name.
    pub counts: BTreeMap<String, u64>,
    /// Why it stands so, what weighs most first; at most three.
    pub reasons: Vec<Told>,
    /// What to do.
    pub remedy: Option<String>,
}

impl Stage {
    /// A stage without counts.
    pub fn new(stage: StageKind, state: State) -> Self {
        let (counts, reasons) = (BTreeMap::new(), Vec::new());
        Self { stage, name: None, state, last_at_micros: None, counts, reasons, remedy: None }
    }

    /// Of several, the one of this name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// When it last did its work.
    #[must_use]
    pub fn last(mut self, at: Option<UtcMicros>) -> Self {
        self.last_at_micros = at;
        self
    }

    /// What it counts.
    #[must_use]
    pub fn count(mut self, name: &str, count: u64) -> Self {
        self.counts.insert(name.to_owned(), count);
        self
    }

    /// Something is wrong with it, or holds it up, if `holds`. The worst gives state and remedy.
    #[must_use]
    pub fn because(mut self, cause: Cause, holds: bool) -> Self {
        if !holds {
            return self;
        }
        let told = Told { code: cause.code().to_owned(), count: 1 };
        if self.remedy.is_none() || cause.state() > self.state {
            self.remedy = Some(cause.remedy().to_owned());
            self.reasons.insert(0, told);
        } else {
            self.reasons.push(told);
        }
        self.reasons.truncate(REASONS_TOLD);
        self.state = self.state.max(cause.state());
        self
    }

    /// What kept readings back, and how often: the most frequent are told, behind causes.
    #[must_use]
    pub fn reasons(mut self, counts: impl IntoIterator<Item = (Reason, u64)>) -> Self {
        let mut most: Vec<_> = counts.into_iter().filter(|(_, count)| *count > 0).collect();
        most.sort_by_key(|(reason, count)| (std::cmp::Reverse(*count), *reason));
        if let (None, Some((reason, _))) = (&self.remedy, most.first()) {
            self.remedy = Some(reason.remedy().to_owned());
        }
        self.codes(most.into_iter().map(|(reason, count)| (reason.code(), count)))
    }

    /// The same for codes of another closed list, in their order.
    #[must_use]
    pub fn codes(mut self, counts: impl IntoIterator<Item = (&'static str, u64)>) -> Self {
        let room = REASONS_TOLD.saturating_sub(self.reasons.len());
        let told = counts.into_iter().filter(|(_, count)| *count > 0).take(room);
        self.reasons.extend(told.map(|(code, count)| Told { code: code.to_owned(), count }));
        self
    }
}

/// How a daemon stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PathStatus {
    /// [`VERSION`].
    pub v: u8,
    /// Which daemon.
    pub daemon: Daemon,
    /// Its configured name.
    pub name: String,
    /// Its version; empty where it does not run.
    pub software: String,
    /// When this was looked at, in microseconds since 1970.
    pub at_micros: UtcMicros,
    /// The worst of its stages.
    pub state: State,
    /// In the order of the path.
    pub stages: Vec<Stage>,
}

impl PathStatus {
    /// Of these stages.
    pub fn of(daemon: Daemon, name: String, software: &str, at: UtcMicros, stages: Vec<Stage>) -> Self {
        let state = stages.iter().map(|stage| stage.state).max().unwrap_or(State::Off);
        Self { v: VERSION, daemon, name, software: software.to_owned(), at_micros: at, state, stages }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_stage_stands_better_than_its_worst_cause_and_the_whole_not_better_than_a_stage(
            stages in prop::collection::vec(prop::collection::vec(any::<prop::sample::Index>(), 0..5), 1..6)
        ) {
            let mut worst = State::Ok;
            let built: Vec<_> = stages.iter().map(|causes| {
                let causes: Vec<_> = causes.iter().map(|at| *at.get(Cause::ALL)).collect();
                let stage = causes.iter().fold(Stage::new(StageKind::Bus, State::Ok), |stage, cause| {
                    stage.because(*cause, true)
                });
                let expected = causes.iter().map(|cause| cause.state()).max().unwrap_or(State::Ok);
                assert_eq!(stage.state, expected);
                assert_eq!(stage.remedy.is_some(), !causes.is_empty());
                // The remedy told is one of a cause that is as bad as the stage.
                let of_worst = |cause: &&Cause| cause.state() == expected;
                if let Some(remedy) = &stage.remedy {
                    assert!(causes.iter().filter(of_worst).any(|cause| cause.remedy() == remedy));
                }
                worst = worst.max(expected);
                stage
            }).collect();
            let status = PathStatus::of(Daemon::Gateway, "g".into(), "1", UtcMicros(0), built);
            prop_assert_eq!(status.state, worst);
            let json = serde_json::to_string(&status).expect("plain data");
            prop_assert_eq!(serde_json::from_str::<PathStatus>(&json).expect("reads back"), status);
        }
    }
}
