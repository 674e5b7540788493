//! What stands in the head of a request: for which controller it is, and the
//! key under which a repetition is known.

use std::{fmt, str::FromStr};
use thiserror::Error;

/// For which controller a processor asks; for others, if there, their own.
pub const HEADER_CONTROLLER: &str = "vernport-controller";
/// The key of a request (draft-ietf-httpapi-idempotency-key-header).
pub const HEADER_IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Says `true` where an answer is that of an earlier request with the same key.
pub const HEADER_REPLAYED: &str = "idempotency-replayed";

/// A header is not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "Idempotency-Key is a string in double quotes with 1 to {max} visible ASCII characters, as \"8e03978e-40d5\"",
    max = IdempotencyKey::MAX_CHARS
)]
pub struct KeyError;

/// The key under which a repetition of a request is known: drawn by the caller, once for each request.
///
/// A string of a structured field (RFC 9651, section 3.3.3) without parameters. People put into it what they should not, so
/// `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The longest key, in characters.
    pub const MAX_CHARS: usize = 64;

    /// The key without its quotes.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As it stands in the head of a request.
    pub fn header(&self) -> String {
        format!("\"{}\"", self.0.replace('\\', "\\\\").replace('"', "\\\""))
    }

    /// A key of these characters.
    ///
    /// # Errors
    /// [`KeyError`] for too many, or others than visible ASCII.
    pub fn new(key: &str) -> Result<Self, KeyError> {
        let fits =
            (1..=Self::MAX_CHARS).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
        if fits { Ok(Self(key.to_owned())) } else { Err(KeyError) }
    }
}

impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdempotencyKey(<redacted>)")
    }
}

impl FromStr for IdempotencyKey {
    type Err = KeyError;

    /// Reads the value of the header.
    fn from_str(header: &str) -> Result<Self, KeyError> {
        let inner =
            header.trim_matches([' ', '\t']).strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let mut key = String::new();
        let mut chars = inner.ok_or(KeyError)?.chars();
        while let Some(next) = chars.next() {
            key.push(match next {
                '"' => return Err(KeyError),
                '\\' => chars.next().filter(|escaped| matches!(escaped, '"' | '\\')).ok_or(KeyError)?,
                plain => plain,
            });
        }
        Self::new(&key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_quoted_string_and_nothing_else() {
        let read = |header: &str| header.parse::<IdempotencyKey>().map(|key| key.as_str().to_owned());
        assert_eq!(read("\"8e03978e\"").as_deref(), Ok("8e03978e"));
        assert_eq!(read(r#""a\"b\\c""#).as_deref(), Ok(r#"a"b\c"#));
        let long = format!("\"{}\"", "x".repeat(65));
        for bad in [
            "",
            "abc",
            "\"\"",
            "\"a b\"",
            "\"a\";b=1",
            "\"a\"b\"",
            r#""a\""#,
            r#""a\b""#,
            "\"é\"",
            &long,
            "\"",
        ] {
            assert_eq!(read(bad), Err(KeyError), "{bad}");
        }
        let key = IdempotencyKey::new(r#"a"b\c"#).expect("visible");
        assert_eq!(key.header().parse(), Ok(key.clone()));
        assert_eq!(format!("{key:?}"), "IdempotencyKey(<redacted>)");
    }
}
