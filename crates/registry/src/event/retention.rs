//! Holds, erasures and mistakes: what stays longer, what goes, what never was.

use super::Whom;
use crate::Text;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use vernport_types::{AssetId, EntryHash, EpochId, Slug, UtcMicros};

/// The longest hold that is accepted: 15 years. A longer one is set again.
pub const MAX_HOLD_SECONDS: i64 = 15 * 366 * 86_400;

/// What must not be deleted: never a whole person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum HoldScope {
    /// These key epochs.
    Epochs(BTreeSet<EpochId>),
    /// These flows, of one asset or of all.
    Flows {
        /// Which asset; none: every one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        asset: Option<AssetId>,
        /// Which flows.
        flows: BTreeSet<Slug>,
    },
}

/// Why something must not be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HoldGround {
    /// A statute.
    Statute,
    /// A dispute or claim.
    Dispute,
    /// A query of an authority or a person.
    Query,
    /// A security incident.
    Incident,
}

/// `hold-set`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldSet {
    /// What.
    pub scope: HoldScope,
    /// Why.
    pub ground: HoldGround,
    /// The statute or the case.
    pub citation: Text,
    /// Until when: the first moment at which it no longer holds.
    pub until: UtcMicros,
}

/// `hold-lifted`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldLifted {
    /// The entry that set the hold.
    pub hold: EntryHash,
}

/// Why something is erased (clauses.md 3.9, CSPE-6.4.4 to 6.4.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErasureGround {
    /// No longer needed.
    NoLongerNeeded,
    /// Consent was withdrawn.
    ConsentWithdrawn,
    /// An objection was upheld.
    ObjectionUpheld,
    /// It was unlawful.
    Unlawful,
    /// The law demands it.
    LegalDuty,
}

/// `erasure-ordered`: a fence. What was read before `occurred_at` goes, what is
/// read afterwards on another basis stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Erasure {
    /// Whom or what it is about.
    pub whom: Whom,
    /// Only this purpose; none: every one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Slug>,
    /// On what ground.
    pub ground: ErasureGround,
    /// The case it belongs to.
    pub case: Text,
}

/// Why something is kept in spite of an order to erase (GDPR Art. 17(3), CSPE-6.4.9 to 6.4.13).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErasureException {
    /// Freedom of expression and information.
    Expression,
    /// The law demands that it is kept.
    LegalDuty,
    /// Public interest in public health.
    PublicInterest,
    /// Archives, research, statistics.
    Archive,
    /// A legal claim.
    LegalClaim,
}

/// `erasure-excepted`: what is excepted is kept until then, and used for nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErasureExcepted {
    /// The entry that ordered the erasure.
    pub erasure: EntryHash,
    /// Why.
    pub exception: ErasureException,
    /// What is kept.
    pub scope: HoldScope,
    /// The statute or the case.
    pub reason: Text,
    /// Who approved it: a staff pseudonym.
    pub approver: Slug,
    /// Until when: the first moment at which it is no longer kept for this.
    pub until: UtcMicros,
}

/// What kind of mistake an entry was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VoidReason {
    /// It named the wrong vehicle.
    WrongAsset,
    /// It named the wrong person.
    WrongSubject,
    /// Something else in it was wrong.
    Mistake,
}

/// `voided`. A voiding cannot be voided: write the right entry anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Voided {
    /// The entry that was a mistake.
    pub entry: EntryHash,
    /// What kind of mistake.
    pub reason: VoidReason,
}
