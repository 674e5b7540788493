//! Disclosures: what an authority or a court gets, approved by two people and
//! open for a limited time.

use crate::Text;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use vernport_types::{AssetId, EntryHash, Slug, UtcMicros};

/// The longest disclosure that is accepted: 92 days. A longer one is approved again.
pub const MAX_DISCLOSURE_SECONDS: i64 = 92 * 86_400;

/// On what ground something is disclosed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DisclosureGround {
    /// A court ordered it.
    CourtOrder,
    /// To enforce the terms.
    Terms,
    /// To keep systems and people secure.
    Security,
    /// To protect rights, property or lives.
    Protection,
    /// The law demands it.
    LegalDuty,
}

/// `disclosure-approved`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisclosureApproved {
    /// Its name at the controller.
    pub disclosure: Slug,
    /// What it rests on: the order of the court, the request.
    pub reference: Text,
    /// On what ground.
    pub ground: DisclosureGround,
    /// About which assets, 1 to 8.
    pub assets: Vec<AssetId>,
    /// Which flows, 1 to 16: nothing beyond what was approved.
    pub flows: BTreeSet<Slug>,
    /// Who approved it: exactly two staff pseudonyms.
    pub approvers: BTreeSet<Slug>,
    /// Until when: the first moment at which it is no longer open.
    pub until: UtcMicros,
}

/// `disclosure-ended`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisclosureEnded {
    /// The entry that approved it.
    pub disclosure: EntryHash,
}
