//! The number by which a fleet operator itself calls a vehicle: what its drivers and its own systems say.
//!
//! It is no [`crate::Identifier`]: no vehicle is ever recognised by it here, and nobody but the operator reads it.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{fmt, str::FromStr};
use thiserror::Error;

/// A fleet operator's own number of a vehicle: 1 to [`FleetNumber::MAX_BYTES`] bytes of UTF-8 that can be
/// printed. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FleetNumber(Box<str>);

/// Not a fleet number. Never repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a fleet number has 1 to {} bytes that can be printed", FleetNumber::MAX_BYTES)]
pub struct FleetNumberError;

impl FleetNumber {
    /// The longest, in bytes of UTF-8.
    pub const MAX_BYTES: usize = 40;

    /// The number. The caller answers for where it goes.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for FleetNumber {
    type Err = FleetNumberError;

    /// Takes spaces around it away.
    fn from_str(text: &str) -> Result<Self, FleetNumberError> {
        let text = text.trim();
        let is_one = (1..=Self::MAX_BYTES).contains(&text.len()) && !text.chars().any(char::is_control);
        if is_one { Ok(Self(text.into())) } else { Err(FleetNumberError) }
    }
}

impl fmt::Debug for FleetNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FleetNumber(<redacted>)")
    }
}

impl Serialize for FleetNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for FleetNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_short_and_printable_and_never_shown() {
        let number: FleetNumber = " Lastebil 17 ".parse().expect("a number");
        assert_eq!(number.expose(), "Lastebil 17");
        assert_eq!(serde_json::to_string(&number).expect("text"), "\"Lastebil 17\"");
        assert!(!format!("{number:?}").contains("17"));
        let longest = "å".repeat(20);
        assert_eq!(longest.parse::<FleetNumber>().expect("40 bytes").expose(), longest);
        for bad in ["", "   ", "a\nb", "a\0b", &"å".repeat(21)] {
            let refused = bad.parse::<FleetNumber>();
            assert_eq!(refused, Err(FleetNumberError));
            assert!(serde_json::from_value::<FleetNumber>(bad.into()).is_err());
        }
    }
}
