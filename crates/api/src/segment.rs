//! Segments: what was said at a station while the line was down comes to central,
//! link by link, and each is applied there once.
//!
//! A request carries links of one chain in their order. Links that central has
//! are answered `duplicate`; so a gateway that did not hear an answer sends
//! them again. A link that does not follow the last one, or is not signed by the gateway's
//! device key, refuses the whole request. A link that may not be recorded is taken as
//! refused, and the chain goes on behind it.

use crate::Blob;
use serde::{Deserialize, Serialize};
use vernport_crypto::BlindIndex;
use vernport_policy::{SignedLink, Tip};
use vernport_types::EntryHash;

/// The most links in one request.
pub const MAX_LINKS: usize = 64;

/// Links to merge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentRequest {
    /// In the order of their chain, at most [`MAX_LINKS`].
    pub links: Vec<SignedLink>,
    /// Identifiers behind blind indexes in these links, sealed to the controller.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identifiers: Vec<SealedIdentifier>,
}

/// An identifier that only the controller can open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedIdentifier {
    /// How it looks under the identity key.
    pub index: BlindIndex,
    /// The identifier, sealed to the recovery key.
    pub sealed: Blob,
}

/// What became of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentAnswer {
    /// One per link, in the same order.
    pub results: Vec<LinkResult>,
    /// The end of the chain as central has it now.
    pub tip: Tip,
}

/// What became of one link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkResult {
    /// Its place in its chain.
    pub sequence: u64,
    /// What became of it.
    pub outcome: LinkOutcome,
    /// The entry that stands in the ledger now; none if it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<EntryHash>,
    /// Why it was refused, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// What became of a link. Frozen: new words are added at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkOutcome {
    /// It stands in the ledger.
    Recorded,
    /// Central had it before.
    Duplicate,
    /// The rules of the ledger do not take it. What it opened is over.
    Refused,
}
