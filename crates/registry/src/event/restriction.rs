//! Restrictions (GDPR Art. 18): set, excepted, lifting announced, lifted (clauses.md 3.10).

use super::Method;
use crate::{ReceiptCode, Text};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use vernport_types::{AssetId, EntryHash, Slug, SubjectId, UtcMicros};

/// The longest exception from a restriction that is accepted: ten years.
pub const MAX_EXCEPTION_SECONDS: i64 = 10 * 366 * 86_400;

/// Whom or what a restriction or an erasure is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Whom {
    /// All that concerns a person.
    Subject(SubjectId),
    /// All that concerns an asset.
    Asset(AssetId),
}

/// On what ground processing is restricted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ground {
    /// Accuracy is disputed, until it is verified (CSPE-6.5.2).
    AccuracyDisputed,
    /// Unlawful, and the person prefers restriction to erasure (CSPE-6.5.3).
    Unlawful,
    /// No longer needed, but kept for a legal claim (CSPE-6.5.4).
    LegalClaim,
    /// An objection is being weighed (CSPE-6.5.5).
    ObjectionPending,
}

/// `restriction-set`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restriction {
    /// Whom or what it is about.
    pub whom: Whom,
    /// Only this purpose; none: every one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Slug>,
    /// On what ground.
    pub ground: Ground,
    /// The case it belongs to.
    pub case: Text,
}

/// `restriction-lifting-announced`: the person was told (CSPE-6.5.11).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestrictionLifting {
    /// The entry that set the restriction.
    pub restriction: EntryHash,
    /// How the person was told.
    pub method: Method,
    /// Where the proof of delivery lies.
    pub evidence: Text,
}

/// `restriction-lifted`: counts only after an announcement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestrictionLifted {
    /// The entry that set the restriction.
    pub restriction: EntryHash,
}

/// Why something may be used in spite of a restriction (CSPE-6.5.7 to 6.5.10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestrictionException {
    /// The restricted person consents.
    Consent,
    /// For a legal claim.
    LegalClaim,
    /// To protect the rights of another person.
    RightsOfAnother,
    /// For reasons of important public interest.
    PublicInterest,
}

/// `restriction-excepted`: lifts one restriction for some flows and a time, and no other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestrictionExcepted {
    /// The entry that set the restriction.
    pub restriction: EntryHash,
    /// Why.
    pub exception: RestrictionException,
    /// For which flows, 1 to 16.
    pub flows: BTreeSet<Slug>,
    /// The case it belongs to.
    pub case: Text,
    /// Who approved it; needed for the rights of another and the public interest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approver: Option<Slug>,
    /// The receipt of the consent, if that is why: the exception lasts no
    /// longer than the consent does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<ReceiptCode>,
    /// Until when: the first moment at which it no longer counts.
    pub until: UtcMicros,
}
