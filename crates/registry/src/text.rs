//! Free text of bounded length: references, short descriptions, names of notices.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use std::{borrow::Borrow, fmt, str::FromStr};
use thiserror::Error;

/// Why a text cannot stand in the ledger. Never repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a text has 1 to {max} characters, none of them a control character", max = Text::MAX_CHARS)]
pub struct TextError;

/// A line of 1 to [`Text::MAX_CHARS`] characters without control characters.
///
/// People type what they should not, so `Debug` shows the length only.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Text(Box<str>);

impl Text {
    /// The longest text, in characters.
    pub const MAX_CHARS: usize = 200;

    /// The text. The caller answers for where it goes.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Text {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let fits = (1..=Self::MAX_CHARS).contains(&text.chars().count());
        if fits && !text.chars().any(char::is_control) { Ok(Self(text.into())) } else { Err(TextError) }
    }
}

impl Borrow<str> for Text {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes)", self.0.len())
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_one_bounded_line_and_does_not_print_itself() {
        assert_eq!("".parse::<Text>(), Err(TextError));
        assert_eq!("two\nlines".parse::<Text>(), Err(TextError));
        assert_eq!("å".repeat(201).parse::<Text>(), Err(TextError));
        let text: Text = "å".repeat(200).parse().expect("fits");
        assert_eq!(format!("{text:?}"), "Text(400 bytes)");
    }
}
