//! Where the box's own secrets come from.

use serde::Deserialize;
use std::{fmt, path::PathBuf, str::FromStr};
use thiserror::Error;

/// The box's own secrets.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// Ed25519 seed that signs batches.
    pub device: KeySource,
    /// Storage key of queued plaintext-topic messages.
    pub storage: KeySource,
    /// The controller's identity key: links VINs to asset ids.
    pub identity: KeySource,
}

impl Keys {
    /// The files among them.
    pub(super) fn files_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        [&mut self.device, &mut self.storage, &mut self.identity].into_iter().filter_map(
            |source| match source {
                KeySource::File(path) => Some(path),
                KeySource::Credential(_) | KeySource::Memory => None,
            },
        )
    }
}

/// Where one secret comes from: `PATH`, `credential:NAME` or `memory`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum KeySource {
    /// A file of 64 hexadecimal digits that only its owner may read.
    File(PathBuf),
    /// A credential that systemd hands to the service (`$CREDENTIALS_DIRECTORY`), of the same content.
    Credential(String),
    /// Drawn at each start and never written. For the storage key only.
    Memory,
}

/// Not a place that a secret can come from.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}`: write a path, `credential:NAME` (letters, digits, `.`, `_`, `-`) or `memory`")]
pub struct KeySourceError {
    text: String,
}

impl FromStr for KeySource {
    type Err = KeySourceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || KeySourceError { text: text.into() };
        match text.strip_prefix("credential:") {
            Some(name) => {
                let valid = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
                let named = !name.is_empty() && !name.starts_with('.') && name.bytes().all(valid);
                if named { Ok(Self::Credential(name.into())) } else { Err(wrong()) }
            }
            None if text == "memory" => Ok(Self::Memory),
            None if text.is_empty() => Err(wrong()),
            None => Ok(Self::File(text.into())),
        }
    }
}

impl TryFrom<String> for KeySource {
    type Error = KeySourceError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Credential(name) => write!(f, "credential:{name}"),
            Self::Memory => f.write_str("memory"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_a_file_a_credential_or_memory() {
        let parsed = |text: &str| text.parse::<KeySource>();
        assert_eq!(parsed("keys/storage.key"), Ok(KeySource::File("keys/storage.key".into())));
        assert_eq!(parsed("credential:storage"), Ok(KeySource::Credential("storage".into())));
        assert_eq!(parsed("memory"), Ok(KeySource::Memory));
        assert_eq!(parsed("./memory"), Ok(KeySource::File("./memory".into())));
        for wrong in ["", "credential:", "credential:../x", "credential:.x", "credential:a/b"] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
        for text in ["keys/storage.key", "credential:storage", "memory"] {
            assert_eq!(parsed(text).expect("valid").to_string(), text);
        }
    }
}
