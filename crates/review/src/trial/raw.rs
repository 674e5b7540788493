//! A trial file as it is written, before names and times are looked up.

use super::{TrialError, values::Written};
use serde::Deserialize;
use toml::{Spanned, Value};
use vernport_registry::world::World;
use vernport_types::{AssetId, Slug, UtcMicros};

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
    pub(super) expect: Vec<Spanned<RawExpect>>,
}

/// One `[[expect]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawExpect {
    pub(super) time: Value,
    pub(super) asset: Option<String>,
    pub(super) signal: Option<String>,
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

    /// What an expectation of this kind needs.
    pub(super) fn needs<T>(&self, member: &str, value: Option<T>) -> Result<T, TrialError> {
        value.ok_or_else(|| self.error(format!("this expectation needs `{member}`")))
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
