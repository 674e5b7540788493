//! The tables of one controller, in the words of `migrations/`: a map each, by its primary key.

use crate::{
    CertificateRow, DeletionRow, FleetNumberRow, GatewayCertificate, GrantRow, Invitation, LinkRow,
    NoticeRow, RecipientKeyRow, Revision, Witnessed,
};
use std::{
    collections::BTreeMap,
    ops::{Deref, DerefMut, Range},
    sync::Arc,
};
use vernport_audit::{LEAF_BYTES, Leaf, LeafKind};
use vernport_crypto::random;
use vernport_types::{
    AssetId, BatchId, EntryHash, EpochId, GrantId, KeyId, MessageId, SegmentId, Slug, UtcMicros, VehicleAlias,
};

/// A map whose clones are one until one of them is written to.
pub(super) struct Table<K, V>(Arc<BTreeMap<K, V>>);

impl<K, V> Clone for Table<K, V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K, V> Deref for Table<K, V> {
    type Target = BTreeMap<K, V>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<K: Clone, V: Clone> DerefMut for Table<K, V> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        Arc::make_mut(&mut self.0)
    }
}

/// What the main database holds of one controller, but for what no function of the store
/// gives back: sites, stations, device keys, identifiers, which entry voids which.
#[derive(Clone, Default)]
pub(crate) struct Tables {
    /// The position that was taken last.
    pub(super) position: i64,
    pub(super) revision: i64,
    pub(super) rules: Option<[u8; 32]>,
    pub(super) gateways: Table<Slug, Gateway>,
    /// When each was first named.
    pub(super) assets: Table<AssetId, UtcMicros>,
    pub(super) entries: Table<i64, Entry>,
    pub(super) grants: Table<GrantId, Grant>,
    /// By asset, recipient, purpose and year; with the revision.
    pub(super) aliases: Table<(AssetId, Slug, Slug, i16), (VehicleAlias, Revision)>,
    /// By asset, recipient and purpose; with the time of entry.
    pub(super) fleet_numbers: Table<(AssetId, Slug, Slug), (FleetNumberRow, UtcMicros)>,
    /// When a broker last took the number of the vehicle of an alias.
    pub(super) listed: Table<(AssetId, Slug, Slug, i16), UtcMicros>,
    pub(super) recipient_keys: Table<KeyId, RecipientKey>,
    pub(super) epochs: Table<EpochId, Epoch>,
    pub(super) batches: Table<i64, Batch>,
    /// Hash of the envelope of each batch that was ever committed.
    pub(super) seen: Table<BatchId, [u8; 32]>,
    pub(super) reads: Table<i64, Read>,
    pub(super) links: Table<(Slug, SegmentId, u64), Link>,
    /// By gateway and code.
    pub(super) link_refusals: Table<(Slug, String), u64>,
    /// Name of the evidence log, once it began.
    pub(super) log: Option<[u8; 8]>,
    /// Position and bytes of each leaf, by its number.
    pub(super) leaves: Table<u64, (i64, [u8; LEAF_BYTES])>,
    /// How many full tiles of level 0 somebody asked for; they and those above follow from the leaves.
    pub(super) tiles: u64,
    /// Notes by size.
    pub(super) checkpoints: Table<u64, String>,
    pub(super) witnessed: Table<Slug, Witnessed>,
    /// By the hash of the token.
    pub(super) invitations: Table<[u8; 32], Invitation>,
    /// By gateway and serial number.
    pub(super) gateway_certificates: Table<(Slug, Vec<u8>), GatewayCertificate>,
    pub(super) erasure_orders: Table<EntryHash, ErasureOrder>,
    pub(super) certificates: Table<(EntryHash, u32), CertificateRow>,
    pub(super) deletions: Table<i64, DeletionRow>,
    pub(super) notices: Table<MessageId, NoticeRow>,
    pub(super) eras: Table<u32, Vec<u8>>,
    /// Holder, and until when.
    pub(super) duties: Table<String, ([u8; 16], UtcMicros)>,
    pub(super) believed_clock: Option<UtcMicros>,
    pub(super) swept: Table<Slug, u64>,
    /// By keyed hashes of caller and key.
    pub(super) keyed_requests: Table<([u8; 32], [u8; 32]), KeyedRequest>,
}

#[derive(Clone, Default)]
pub(super) struct Gateway {
    pub(super) head_sequence: u64,
    pub(super) head_until: Option<UtcMicros>,
    pub(super) applied: Option<(Revision, UtcMicros)>,
}

#[derive(Clone)]
pub(super) struct Entry {
    pub(super) entry: EntryHash,
    pub(super) kind: String,
    pub(super) source: Slug,
    pub(super) reference: [u8; 32],
    pub(super) recorded_at: UtcMicros,
    pub(super) sealed: Arc<[u8]>,
    pub(super) revision: Revision,
}

#[derive(Clone)]
pub(super) struct Grant {
    pub(super) row: GrantRow,
    pub(super) revision: Revision,
}

#[derive(Clone)]
pub(super) struct RecipientKey {
    pub(super) row: RecipientKeyRow,
    pub(super) revoked_at: Option<UtcMicros>,
}

#[derive(Clone)]
pub(super) struct Epoch {
    pub(super) grant: GrantId,
    pub(super) gateway: Slug,
    pub(super) first_at: UtcMicros,
    pub(super) fenced_by: Option<EntryHash>,
    pub(super) erased_at: Option<UtcMicros>,
    pub(super) erased_batches: u64,
    pub(super) look_at: UtcMicros,
}

#[derive(Clone)]
pub(super) struct Batch {
    pub(super) batch: BatchId,
    pub(super) epoch: EpochId,
    pub(super) flow: Slug,
    pub(super) latest_due: UtcMicros,
    pub(super) retention_rule: Slug,
    pub(super) committed_at: UtcMicros,
    pub(super) envelope: Arc<[u8]>,
    pub(super) wraps: Arc<[u8]>,
}

#[derive(Clone)]
pub(super) struct Read {
    pub(super) recipient: Slug,
    pub(super) task: Slug,
    pub(super) key_id: KeyId,
    pub(super) purpose: Slug,
    pub(super) read_at: UtcMicros,
    pub(super) after: i64,
    pub(super) last: i64,
    pub(super) batches: i64,
}

#[derive(Clone)]
pub(super) struct Link {
    pub(super) row: LinkRow,
    pub(super) position: i64,
    pub(super) revision: Revision,
}

#[derive(Clone)]
pub(super) struct ErasureOrder {
    pub(super) recorded_at: UtcMicros,
    pub(super) completed_at: Option<UtcMicros>,
}

#[derive(Clone)]
pub(super) struct KeyedRequest {
    pub(super) holder: [u8; 16],
    pub(super) until: UtcMicros,
    pub(super) first_at: UtcMicros,
    /// Hash of the request, and the sealed answer.
    pub(super) answer: Option<([u8; 32], Vec<u8>)>,
}

impl Tables {
    /// Takes the next position.
    pub(super) fn next_position(&mut self) -> i64 {
        self.next_positions(1).start
    }

    /// Takes the next `count` positions.
    pub(super) fn next_positions(&mut self, count: usize) -> Range<i64> {
        let first = self.position + 1;
        self.position += i64::try_from(count).unwrap_or(i64::MAX);
        first..self.position + 1
    }

    /// Appends the leaf for what was written at a position; whoever is first begins the log.
    pub(super) fn evidence(&mut self, kind: LeafKind, position: i64, subject: &[u8]) {
        self.begin_log();
        let number = self.leaves.len() as u64;
        self.leaves.insert(number, (position, Leaf::new(kind, random(), subject).to_bytes()));
    }

    /// Begins the evidence log, if nobody did; its name stays.
    pub(super) fn begin_log(&mut self) -> [u8; 8] {
        *self.log.get_or_insert_with(random)
    }
}
