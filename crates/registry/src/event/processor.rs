//! Agreements with processors (GDPR Art. 28): which other firm's system may
//! record for this controller, what, and until when.

use crate::Text;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use vernport_types::{ControllerId, EntryHash, Slug, UtcMicros};

/// The longest agreement that is accepted: five years, two of them leap years at most. A longer one
/// is agreed again.
pub const MAX_AGREEMENT_SECONDS: i64 = (5 * 365 + 2) * 86_400;

/// The kinds of entries that a processor may be given: what happens at a counter. What a controller
/// decides (erasures, holds, disclosures, what becomes of objections and restrictions), its gateways,
/// its recipients' keys and its processors are its own.
pub const PROCESSOR_KINDS: &[&str] = &[
    "notice-served",
    "consent-given",
    "consent-renewed",
    "consent-withdrawn",
    "objection-raised",
    "restriction-set",
    "order-opened",
    "order-closed",
    "asset-identified",
    "identifier-ended",
    "linked",
    "unlinked",
    "owner-changed",
    "subject-merged",
    "asset-merged",
    "private-mode-started",
    "private-mode-ended",
    "milestone-reached",
];

/// Who may open has to be able to close: to withdraw is as easy as to consent (GDPR Art. 7(3)).
pub(crate) const CLOSED_BY: [(&str, &str); 4] = [
    ("consent-given", "consent-withdrawn"),
    ("consent-renewed", "consent-withdrawn"),
    ("order-opened", "order-closed"),
    ("private-mode-ended", "private-mode-started"),
];

/// `processor-agreed`. Of several agreements with one processor the latest counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessorAgreed {
    /// Its organisation number: the organisation in its client certificate.
    pub processor: ControllerId,
    /// What the controller calls it.
    pub name: Slug,
    /// The contract (GDPR Art. 28(3)): a reference, not its text.
    pub contract: Text,
    /// Which kinds of entries it may record and read: at least one, of [`PROCESSOR_KINDS`].
    pub scope: BTreeSet<Slug>,
    /// Until when: the first moment at which it is over.
    pub until: UtcMicros,
}

/// `processor-ended`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessorEnded {
    /// The entry by which it was agreed.
    pub agreement: EntryHash,
}
