//! A trial file as it is written, before names and times are looked up.

use super::{TrialError, values::Written};
use serde::{Deserialize, de::DeserializeOwned};
use std::collections::BTreeSet;
use toml::{Spanned, Table, Value};
use vernport_policy::{MessageClass, StationRef};
use vernport_registry::world::World;
use vernport_types::{AssetId, Category, LegalBasis, Reason, Slug, UtcMicros};

/// What stands beside the world.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTrial {
    pub(super) clause: String,
    pub(super) says: String,
    pub(super) now: Option<Value>,
    #[serde(default)]
    pub(super) without_keys: Vec<Slug>,
    #[serde(default)]
    pub(super) expect: Vec<Spanned<Table>>,
}

/// An `[[expect]]` on a reading.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawReading {
    pub(super) time: Value,
    pub(super) asset: String,
    pub(super) signal: String,
    pub(super) value: Option<Value>,
    pub(super) by: Option<String>,
    pub(super) from: Option<String>,
    pub(super) station: Option<String>,
    pub(super) head: Option<Value>,
    #[serde(default)]
    pub(super) before: Vec<Value>,
    pub(super) flow: Option<Slug>,
    pub(super) released: Option<Value>,
    pub(super) withheld: Option<String>,
    pub(super) clause: Option<String>,
    pub(super) latest_due: Option<String>,
    pub(super) stamped: Option<Value>,
    pub(super) deliver: Option<BTreeSet<Target>>,
}

/// Where a release goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Target {
    /// To the central store.
    Store,
    /// To a topic, readable.
    Plain,
    /// To a topic, sealed.
    Sealed,
}

/// An `[[expect]]` on a category.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCategory {
    pub(super) category: Category,
    pub(super) used: Option<BTreeSet<String>>,
    pub(super) withheld: Option<String>,
}

/// An `[[expect]]` on a flow.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFlow {
    pub(super) flow: Slug,
    pub(super) purpose: Slug,
    pub(super) to: Slug,
    pub(super) signals: BTreeSet<String>,
    #[serde(default)]
    pub(super) offline: bool,
}

/// An `[[expect]]` on a purpose.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPurpose {
    pub(super) purpose: Slug,
    pub(super) basis: LegalBasis,
    #[serde(default)]
    pub(super) marketing: bool,
    #[serde(default)]
    pub(super) profiling: bool,
}

/// An `[[expect]]` on a class of messages.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawClass {
    pub(super) message: Slug,
    pub(super) class: MessageClass,
    pub(super) purpose: Slug,
    #[serde(default)]
    pub(super) similar_goods: bool,
}

/// An `[[expect]]` on where recipients may be.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRegions {
    pub(super) regions: BTreeSet<String>,
    pub(super) elsewhere: String,
}

/// An `[[expect]]` on a batch.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawBatch {
    pub(super) time: Value,
    pub(super) batch: RawOpening,
    pub(super) sent: String,
}

/// The opening of a batch.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawOpening {
    pub(super) asset: String,
    pub(super) flow: Slug,
    pub(super) opened: Value,
    pub(super) station: Option<String>,
}

/// An `[[expect]]` on a message.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMessage {
    pub(super) time: Value,
    pub(super) message: Slug,
    pub(super) subject: String,
    #[serde(default = "yes")]
    pub(super) similar: bool,
    pub(super) allowed: Option<bool>,
    pub(super) withheld: Option<String>,
}

/// A class that may tell customers of similar goods does.
const fn yes() -> bool {
    true
}

/// An `[[expect]]` on what is kept.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDue {
    pub(super) time: Value,
    pub(super) due: RawKept,
    pub(super) at: Option<Value>,
    pub(super) held: Option<bool>,
}

/// What is kept.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawKept {
    pub(super) asset: String,
    pub(super) flow: Slug,
    pub(super) read: Value,
}

/// Where an expectation stands, and the world that its names and times are of.
pub(super) struct Place<'a> {
    pub(super) file: &'a str,
    pub(super) line: usize,
    pub(super) world: &'a World,
    pub(super) now: UtcMicros,
}

impl Place<'_> {
    pub(super) fn error(&self, message: impl Into<String>) -> TrialError {
        TrialError { file: self.file.into(), line: self.line, message: message.into() }
    }

    pub(super) fn time(&self, member: &str, value: &Value) -> Result<UtcMicros, TrialError> {
        self.world.time(self.line, member, value, self.now)
    }

    pub(super) fn asset(&self, name: &str) -> Result<AssetId, TrialError> {
        let asset = self.world.asset(name);
        asset.ok_or_else(|| self.error(format!("no asset is named `{name}`; declare it with [[asset]]")))
    }

    /// The members of an expectation of one kind.
    pub(super) fn members<T: DeserializeOwned>(&self, table: Table) -> Result<T, TrialError> {
        table.try_into().map_err(|e: toml::de::Error| self.error(e.message()))
    }

    pub(super) fn station(&self, text: &str) -> Result<StationRef, TrialError> {
        let parts = text.split_once('/').and_then(|(site, station)| {
            Some(StationRef { site: site.parse().ok()?, station: station.parse().ok()? })
        });
        let unreadable = "`station` is written site/station, each in small letters, digits and dashes";
        parts.ok_or_else(|| self.error(unreadable))
    }

    pub(super) fn reason(&self, member: &str, code: &str) -> Result<Reason, TrialError> {
        let unknown = || self.error(format!("`{member}`: no reason has this code (decision note 0008)"));
        Reason::from_code(code).ok_or_else(unknown)
    }

    pub(super) fn written(&self, member: &str, value: Value) -> Result<Written, TrialError> {
        Written::from_toml(value).ok_or_else(|| {
            self.error(format!(
                "`{member}` is no value: write a number, true, false, a text, {{ lat, lon }}, {{ spn, fmi }}, \
                 {{ none = true }}, or of what is released also \"present\", {{ from, to }} or {{ h3 }}"
            ))
        })
    }

    /// Parses a word of a closed list.
    pub(super) fn word<T>(
        &self,
        member: &str,
        text: &str,
        known: &[(&'static str, T)],
    ) -> Result<T, TrialError>
    where
        T: Copy,
    {
        known.iter().find(|(word, _)| *word == text).map(|(_, meant)| *meant).ok_or_else(|| {
            let words: Vec<_> = known.iter().map(|(word, _)| *word).collect();
            self.error(format!("`{member}` is one of {}", words.join(", ")))
        })
    }
}
