//! The feed: a gateway asks for grants and gets a fresh signed head, and the
//! snapshot where it changed.
//!
//! A long poll: central answers at once when the snapshot is another than the
//! one the gateway has, else when `wait_ms` is over, with a head made then. A
//! gateway asks again only after it has applied the last answer: so `known`
//! tells central what is in effect there.

use serde::{Deserialize, Serialize};
use vernport_policy::{SignedEra, SignedHead, SignedMerged, Snapshot};
use vernport_types::{EntryHash, Slug};

/// The longest wait that central grants, at the feed and at the ledger, in milliseconds.
pub const MAX_WAIT_MS: u32 = 5_000;

/// 16 random bytes that the head has to repeat, so that an old answer is not taken for a fresh one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FeedNonce(#[serde(with = "hex_bytes")] pub [u8; 16]);

/// A gateway's question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedRequest {
    /// Who asks; the same name as in its certificate.
    pub gateway: Slug,
    /// Drawn anew for each question.
    pub nonce: FeedNonce,
    /// Hash of the snapshot that is in effect at the gateway, if it has one.
    #[serde(with = "hex_option")]
    pub known: Option<[u8; 32]>,
    /// How long central may wait for a change, in milliseconds; cut to [`MAX_WAIT_MS`].
    pub wait_ms: u32,
    /// Whether [`Feed::notices`] is read; a gateway that does not ask gets a feed without it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub notices: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// Central's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feed {
    /// The state now, signed, with the nonce of the question.
    pub head: SignedHead,
    /// The grants; none if they are those that the gateway has.
    pub snapshot: Option<Snapshot>,
    /// How much of what was said at the station the snapshot knows; for a gateway that has brought some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged: Option<SignedMerged>,
    /// What the controller signed to begin the era of the head; none in the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub era: Option<SignedEra>,
    /// Which notices were served by the entries that the snapshot rests on, and those that were
    /// published; beside a snapshot, for a gateway that reads it. Names only: it opens nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<ServedNotice>,
}

/// A notice that was served.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServedNotice {
    /// The ledger entry that says so.
    pub entry: EntryHash,
    /// Its version, as the bundle names it.
    pub version: Slug,
    /// Whether it was published, and so served to everybody; else it was told to one person.
    pub published: bool,
}

mod hex_bytes {
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer, const N: usize>(
        bytes: &[u8; N],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>, const N: usize>(
        deserializer: D,
    ) -> Result<[u8; N], D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        read(&text).ok_or_else(|| D::Error::custom(format_args!("expected {} hexadecimal digits", 2 * N)))
    }

    pub(super) fn read<const N: usize>(text: &str) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        hex::decode_to_slice(text, &mut bytes).ok().map(|()| bytes)
    }
}

mod hex_option {
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    #[expect(clippy::ref_option, reason = "the signature that serde calls")]
    pub(super) fn serialize<S: Serializer>(
        bytes: &Option<[u8; 32]>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => serializer.serialize_some(&hex::encode(bytes)),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<[u8; 32]>, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
        super::hex_bytes::read(&text)
            .map(Some)
            .ok_or_else(|| D::Error::custom("expected 64 hexadecimal digits or null"))
    }
}
