//! The ledger: what people and firms said, entry by entry, and what each entry
//! changed.

use serde::{Deserialize, Serialize};

use vernport_registry::Entry;
use vernport_types::{AssetId, EntryHash, GrantId, Identifier, LegalBasis, Reason, Slug, UtcMicros};

/// The most entries in one request. They are recorded together or not at all.
pub const MAX_ENTRIES: usize = 256;

/// Entries to record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerRequest {
    /// In the order in which they are to be applied.
    pub entries: Vec<Entry>,
    /// The identifiers behind blind indexes in these entries, for central to
    /// keep sealed to the controller. It cannot open them afterwards.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identifiers: Vec<Identifier>,
    /// How long the answer may wait for gateways that listen to tell that they
    /// applied what stops, in milliseconds; cut to [`crate::MAX_WAIT_MS`]. Central itself
    /// has applied it before it answers, however long that is.
    #[serde(default)]
    pub wait_ms: u32,
}

/// What became of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerAnswer {
    /// One per entry, in the same order.
    pub results: Vec<EntryResult>,
    /// What they changed together.
    pub effect: LedgerEffect,
}

/// What became of one entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryResult {
    /// The caller's own reference, unique per source.
    pub external_ref: String,
    /// The entry's hash: its name from now on.
    pub entry: EntryHash,
    /// Whether the same entry was recorded before; then nothing changed now.
    pub duplicate: bool,
}

/// What new entries changed: which flows stopped, where and when, and what goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerEffect {
    /// Grants that closed. From `since` on, central commits no batch that was
    /// sealed under one of them unless the reason lets it through.
    pub stopped: Vec<Stopped>,
    /// Grants that opened.
    pub opened: Vec<GrantId>,
    /// What still runs for the assets in `stopped`, and on which basis.
    pub goes_on: Vec<GoesOn>,
    /// The orders to erase among the entries. Each is carried out from now on; ask for its
    /// certificates under this name at [`crate::PATH_ERASURES`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub erasures: Vec<EntryHash>,
}

/// One flow of one asset that stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stopped {
    /// Which grant was closed.
    pub grant: GrantId,
    /// Of which asset.
    pub asset: AssetId,
    /// Which flow.
    pub flow: Slug,
    /// Why.
    pub reason: Reason,
    /// When central committed it: no later commit rests on it.
    pub since: UtcMicros,
    /// Each gateway that had the grant.
    pub gateways: Vec<GatewayEffect>,
}

/// When a stop took or takes effect at one gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayEffect {
    /// Which gateway.
    pub gateway: Slug,
    /// When the gateway told that it had applied the closing; none if it has not yet.
    pub took_effect_at: Option<UtcMicros>,
    /// When it stops by itself at the latest, because it may not believe the
    /// grant any longer. None where the grant was closed before in a way that
    /// let its batches go on: there only hearing of it stops them.
    pub at_the_latest: Option<UtcMicros>,
}

/// A flow that goes on for an asset, and why it may.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoesOn {
    /// Of which asset.
    pub asset: AssetId,
    /// Which flow.
    pub flow: Slug,
    /// For which purpose.
    pub purpose: Slug,
    /// On which basis.
    pub basis: LegalBasis,
}
