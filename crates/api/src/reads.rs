//! Reading: a recipient fetches what is sealed to it, a registrar looks up an
//! asset, anybody who may connect asks whether central serves.

use crate::Blob;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use vernport_types::{AssetId, ControllerId, Identifier, KeyId, Slug};

/// The most envelopes in one answer.
pub const MAX_READ_LIMIT: u16 = 64;

/// A recipient's read. Central writes it to the log before an envelope leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadRequest {
    /// Whose data.
    pub controller: ControllerId,
    /// The task that the read is for: a short name, kept in the log.
    pub task: Slug,
    /// The recipient's key that the envelopes shall be wrapped to. It belongs
    /// to one purpose, so a read serves one purpose.
    pub recipient_key: KeyId,
    /// Where the last answer ended; none to begin.
    pub after: Option<i64>,
    /// The most envelopes wanted, 1 to [`MAX_READ_LIMIT`].
    pub limit: u16,
}

/// What was released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadAnswer {
    /// Whole envelopes, with their wraps, oldest commit first.
    pub envelopes: Vec<Blob>,
    /// Where this answer ended; none if nothing was behind `after`.
    pub cursor: Option<i64>,
}

/// A registrar's look-up. In a body, since an identifier never stands in a URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FindRequest {
    /// What is known of the vehicle.
    pub identifier: Identifier,
}

/// The asset that bears the identifier now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FindAnswer {
    /// None if no asset does.
    pub asset: Option<AssetId>,
}

/// That central serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Status {
    /// The version of the contract.
    pub api: u16,
    /// The version of the program.
    pub software: String,
    /// Batches in the store that the caller's controller owns.
    pub batches: u64,
    /// How many batches retention has deleted, by rule.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub deleted: BTreeMap<Slug, u64>,
    /// Evidence logs of gateways, or views of central's, that do not fit what was seen before.
    #[serde(default, skip_serializing_if = "is_none")]
    pub log_alarms: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn is_none(count: &u64) -> bool {
    *count == 0
}
