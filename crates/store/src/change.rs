//! What is recorded together: rows as plain values.

use crate::{Answered, InvitationUsed, LinkRow, Place, Revision};
use vernport_crypto::BlindIndex;
use vernport_types::{
    AssetId, EntryHash, GrantId, IdentifierKind, KeyId, Reason, Slug, SubjectId, UtcMicros, VehicleAlias,
};

/// An entry to record.
#[derive(Debug, Clone)]
pub struct NewEntry {
    /// Its hash.
    pub entry: EntryHash,
    /// The kind of its event.
    pub kind: String,
    /// The system that told it.
    pub source: Slug,
    /// That system's own reference; stored as a keyed hash, since it may name a vehicle.
    pub external_ref: String,
    /// When it is recorded.
    pub recorded_at: UtcMicros,
    /// Its JSON; stored sealed under the master key.
    pub json: Vec<u8>,
    /// The earlier entry that this one says was a mistake.
    pub voids: Option<EntryHash>,
}

/// An entry that was recorded.
pub struct RecordedEntry {
    /// Its hash.
    pub entry: EntryHash,
    /// Its JSON. May hold identifiers: it is not for logs.
    pub json: Vec<u8>,
}

/// An identifier of an asset.
#[derive(Debug, Clone)]
pub struct IdentifierRow {
    /// The identifier under the controller's identity key.
    pub index: BlindIndex,
    /// Which asset bears it.
    pub asset: AssetId,
    /// From when.
    pub valid_from: UtcMicros,
    /// VIN, plate or serial number.
    pub kind: IdentifierKind,
    /// The identifier, sealed to the controller, where it came along.
    pub sealed: Option<Vec<u8>>,
}

/// One opening of one flow for one asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantRow {
    /// Its id.
    pub id: GrantId,
    /// Which asset.
    pub asset: AssetId,
    /// Which flow.
    pub flow: Slug,
    /// All that it rests on, as JSON.
    pub opening: String,
    /// Since when.
    pub opened_at: UtcMicros,
    /// When it was closed, and why; none: it is open.
    pub closed: Option<(UtcMicros, Reason)>,
    /// Whom it is about.
    pub subjects: Vec<SubjectId>,
    /// Which gateways were told of it.
    pub gateways: Vec<Slug>,
}

/// What an asset is called towards one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AliasRow {
    /// Which asset.
    pub asset: AssetId,
    /// Towards whom.
    pub recipient: Slug,
    /// For which purpose.
    pub purpose: Slug,
    /// In which calendar year at the controller.
    pub year: i16,
    /// The name.
    pub alias: VehicleAlias,
}

/// A recipient's key for one purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecipientKeyRow {
    /// Names the key.
    pub key_id: KeyId,
    /// Whose.
    pub recipient: Slug,
    /// For which purpose.
    pub purpose: Slug,
    /// Since when.
    pub active_from: UtcMicros,
}

/// What one step changes: recorded together or not at all.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// New entries, in order.
    pub entries: Vec<NewEntry>,
    /// Assets that are named for the first time.
    pub assets: Vec<AssetId>,
    /// Gateways that are new or stand elsewhere now.
    pub places: Vec<Place>,
    /// New identifiers.
    pub identifiers: Vec<IdentifierRow>,
    /// Identifiers that end, and when.
    pub ended_identifiers: Vec<(BlindIndex, AssetId, UtcMicros)>,
    /// Grants that are new, open again under the id they had, or that more gateways are told of.
    pub opened: Vec<GrantRow>,
    /// Grants that close, or that are closed for another reason now.
    pub closed: Vec<(GrantId, Reason)>,
    /// New aliases.
    pub aliases: Vec<AliasRow>,
    /// New recipient keys.
    pub recipient_keys: Vec<RecipientKeyRow>,
    /// Recipient keys that are active no longer.
    pub revoked_keys: Vec<KeyId>,
    /// Links that were merged, in order.
    pub links: Vec<LinkRow>,
    /// The answer to the keyed request that this is.
    pub answered: Option<Answered>,
    /// The invitation that is used up by an entry of this change.
    pub invitation: Option<InvitationUsed>,
}

impl Change {
    /// Whether there is nothing to record.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
            && self.assets.is_empty()
            && self.places.is_empty()
            && self.identifiers.is_empty()
            && self.ended_identifiers.is_empty()
            && self.opened.is_empty()
            && self.closed.is_empty()
            && self.aliases.is_empty()
            && self.recipient_keys.is_empty()
            && self.revoked_keys.is_empty()
            && self.links.is_empty()
            && self.answered.is_none()
            && self.invitation.is_none()
    }
}

/// What of one controller decides on grants: everything, or what is new.
pub struct Loaded {
    /// The revision that it is of.
    pub revision: Revision,
    /// Hash of the rules by which grants are computed, if anybody claimed that.
    pub rules: Option<[u8; 32]>,
    /// Entries that were added, in the order of recording.
    pub entries: Vec<RecordedEntry>,
    /// Grants that were added or changed, as they stand.
    pub grants: Vec<GrantRow>,
    /// Aliases that were added.
    pub aliases: Vec<AliasRow>,
    /// Of each gateway that brought links, the one that was merged last.
    pub tips: Vec<LinkRow>,
    /// All recipient keys that are active.
    pub keys: Vec<RecipientKeyRow>,
}
