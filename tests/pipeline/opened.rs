//! What recipients open: the outcome that every test here compares.

use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};
use vernport::{
    dev::{Dev, DevController, DevRecipient},
    registrar::read_all,
};
use vernport_seal::Body;
use vernport_types::{UtcMicros, Value};

/// One opened record, as far as it is the same in every run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Line {
    pub(crate) recipient: String,
    pub(crate) purpose: String,
    pub(crate) path: String,
    /// The value in its JSON form: shown where an assertion fails, for everything here is made up or published.
    pub(crate) value: String,
    pub(crate) source: String,
    pub(crate) at: UtcMicros,
}

/// Opened records, each as often as it was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Opened(BTreeMap<Line, usize>);

impl Opened {
    /// Reads and opens everything that the recipients of a controller can read.
    pub(crate) async fn read(dev: &Dev, controller: &DevController) -> Result<Self> {
        Self::read_as(dev, controller, |_| true).await
    }

    /// Reads and opens what some of the recipients' keys open.
    pub(crate) async fn read_as(
        dev: &Dev,
        controller: &DevController,
        with: impl Fn(&DevRecipient) -> bool,
    ) -> Result<Self> {
        let mut opened = Self::default();
        for key in controller.recipient.iter().filter(|key| with(key)) {
            for (_, body) in read_all(dev, controller, key, "pipeline").await? {
                opened.add((key.recipient.as_str(), key.purpose.as_str()), &body);
            }
        }
        Ok(opened)
    }

    /// Adds the records of one body.
    pub(crate) fn add(&mut self, (recipient, purpose): (&str, &str), body: &Body) {
        for record in &body.records {
            self.push(Line {
                recipient: recipient.into(),
                purpose: purpose.into(),
                path: body.head.signals[usize::from(record.signal)].path.clone(),
                value: json(record.value),
                source: record.source.to_string(),
                at: record.at.wall,
            });
        }
    }

    /// Adds one record.
    pub(crate) fn push(&mut self, line: Line) {
        *self.0.entry(line).or_default() += 1;
    }

    /// Adds all records of another.
    pub(crate) fn extend(&mut self, other: Self) {
        for (line, n) in other.0 {
            *self.0.entry(line).or_default() += n;
        }
    }

    /// How many records.
    pub(crate) fn len(&self) -> usize {
        self.0.values().sum()
    }

    /// The records that are of interest.
    pub(crate) fn only(&self, is: impl Fn(&Line) -> bool) -> Self {
        Self(self.0.iter().filter(|(line, _)| is(line)).map(|(line, n)| (line.clone(), *n)).collect())
    }

    /// The records of one recipient for one purpose.
    pub(crate) fn of(&self, recipient: &str, purpose: &str) -> Self {
        self.only(|line| line.recipient == recipient && line.purpose == purpose)
    }

    /// The same without times: for a live bus, where they are those of the run.
    pub(crate) fn timeless(&self) -> Self {
        let mut all = Self::default();
        for (line, n) in &self.0 {
            *all.0.entry(Line { at: UtcMicros(0), ..line.clone() }).or_default() += n;
        }
        all
    }

    /// Which signals there are.
    pub(crate) fn paths(&self) -> BTreeSet<String> {
        self.0.keys().map(|line| line.path.clone()).collect()
    }

    /// How often each value of a signal was opened, from each source.
    pub(crate) fn values(&self, path: &str) -> BTreeMap<(String, String), usize> {
        let mut values = BTreeMap::new();
        for (line, n) in self.0.iter().filter(|(line, _)| line.path == path) {
            *values.entry((line.source.clone(), line.value.clone())).or_default() += n;
        }
        values
    }

    /// What the other has more of, for a message; empty if nothing.
    pub(crate) fn missing_of(&self, other: &Self) -> Vec<(Line, usize)> {
        let more = |(line, n): (&Line, &usize)| {
            let missing = n.saturating_sub(self.0.get(line).copied().unwrap_or(0));
            (missing > 0).then(|| (line.clone(), missing))
        };
        other.0.iter().filter_map(more).collect()
    }

    /// Panics with the first differences, unless both are the same, each record as often.
    #[track_caller]
    pub(crate) fn assert_same(&self, expected: &Self) {
        let (missing, surplus) = (self.missing_of(expected), expected.missing_of(self));
        let first = |lines: &[(Line, usize)]| format!("{:#?}", &lines[..lines.len().min(5)]);
        assert!(
            missing.is_empty() && surplus.is_empty(),
            "{} records instead of {}; {} missing, first {}; {} too many, first {}",
            self.len(),
            expected.len(),
            missing.len(),
            first(&missing),
            surplus.len(),
            first(&surplus),
        );
    }
}

/// A value as it is written in [`Line::value`].
pub(crate) fn json(value: Value) -> String {
    serde_json::to_string(&value).expect("every value has a JSON form")
}
