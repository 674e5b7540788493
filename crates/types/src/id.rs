//! Identifiers of vernport's own: opaque random ids, controller numbers and slugs.
//!
//! Random ids are 16 bytes, written as 32 lower-case hexadecimal digits. They
//! carry no meaning and no time, so that two of them cannot be related.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{fmt, str::FromStr};
use thiserror::Error;

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IdError {
    /// Not the expected number of hexadecimal digits.
    #[error("expected {digits} hexadecimal digits")]
    Hex {
        /// How many digits this id has.
        digits: usize,
    },
    /// Not `[a-z0-9-]{1,32}`, or a dash at an end.
    #[error("a slug has 1 to 32 characters out of a-z, 0-9 and '-', and no '-' at its ends")]
    Slug,
    /// Not a country code, a dash and the organisation number.
    #[error("a controller is written NO-<9 digits> or DK-<8 digits>")]
    Controller,
}

macro_rules! bytes_id {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $len]);

        impl $name {
            /// Makes the id from bytes that the caller drew or read.
            pub const fn from_bytes(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// The bytes of the id.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let mut bytes = [0; $len];
                hex::decode_to_slice(text, &mut bytes).map_err(|_| IdError::Hex { digits: 2 * $len })?;
                Ok(Self(bytes))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    self.0.serialize(serializer)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                    text.parse().map_err(D::Error::custom)
                } else {
                    <[u8; $len]>::deserialize(deserializer).map(Self)
                }
            }
        }
    };
}

bytes_id!(
    /// A vehicle, body or trailer. Random; says nothing about the vehicle.
    AssetId, 16);
bytes_id!(
    /// A person, under a pseudonym of one controller.
    SubjectId, 16);
bytes_id!(
    /// A work order: the window between hand-in and hand-back.
    OrderId, 16);
bytes_id!(
    /// One sealed batch; the store keeps each once.
    BatchId, 16);
bytes_id!(
    /// A key epoch: one data key, of one asset and one flow.
    EpochId, 16);
bytes_id!(
    /// One opening of one flow for one asset; a new one at each change of what it rests on.
    GrantId, 16);
bytes_id!(
    /// One start of the machine; monotonic times compare only within it.
    BootId, 16);
bytes_id!(
    /// What an asset is called towards one recipient, for one purpose and one period.
    VehicleAlias, 16);
bytes_id!(
    /// What a person is called towards one recipient, for one purpose and one period.
    PersonAlias, 16);
bytes_id!(
    /// One message to a fleet topic; the same on every delivery of it.
    MessageId, 16);
bytes_id!(
    /// Names a public key: the first 16 bytes of its SHA-256.
    KeyId, 16);
bytes_id!(
    /// SHA-256 of one ledger entry.
    EntryHash, 32);
bytes_id!(
    /// One chain of what was said at a station; a gateway draws a new one for each spool.
    SegmentId, 16);
bytes_id!(
    /// SHA-256 of the signed bytes of one link of such a chain.
    LinkHash, 32);

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $check:ident, $error:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(Box<str>);

        impl $name {
            /// The text of the id.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                if $check(text) { Ok(Self(text.into())) } else { Err($error) }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(D::Error::custom)
            }
        }
    };
}

text_id!(
    /// A short name that may stand in a topic or a file name: `[a-z0-9-]{1,32}`.
    Slug, is_slug, IdError::Slug);
text_id!(
    /// The firm that decides, by its organisation number: `NO-<9 digits>` or `DK-<8 digits>`.
    ControllerId, is_controller, IdError::Controller);

fn is_slug(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn is_controller(text: &str) -> bool {
    let digits = match text.split_once('-') {
        Some(("NO", rest)) if rest.len() == 9 => rest,
        Some(("DK", rest)) if rest.len() == 8 => rest,
        _ => return false,
    };
    digits.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_back_from_its_text_and_nothing_else() {
        let id = AssetId::from_bytes([0xA5; 16]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!("a5".parse::<AssetId>(), Err(IdError::Hex { digits: 32 }));
    }

    #[test]
    fn slugs_and_controllers_refuse_what_a_topic_or_register_would_misread() {
        for bad in ["", "A", "a/b", "a+", "#", "-a", "a-", &"a".repeat(33)] {
            assert_eq!(bad.parse::<Slug>(), Err(IdError::Slug), "{bad}");
        }
        for bad in ["NO-12345678", "DK-123456789", "SE-123456789", "NO-12345678x", "NO123456789"] {
            assert_eq!(bad.parse::<ControllerId>(), Err(IdError::Controller), "{bad}");
        }
        assert!("service-odometer".parse::<Slug>().is_ok());
        assert!("DK-10628334".parse::<ControllerId>().is_ok());
    }
}
