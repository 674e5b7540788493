//! The ledger and what follows from it: entries, assets, identifiers, grants,
//! aliases and recipient keys, changed together or not at all.

use crate::{
    AliasRow, Change, Current, Databases, Loaded, NewEntry, RecipientKeyRow, RecordedEntry, Revision, Sql,
    Store, StoreError, Turn, Write, bytes,
    sql::{Transaction, sql},
    text,
};
use thiserror::Error;
use vernport_audit::LeafKind;
use vernport_crypto::MasterKey;
use vernport_types::{AssetId, ControllerId, EntryHash, IdentifierKind, KeyId, UtcMicros, VehicleAlias};

/// The kind of an entry that orders an erasure.
pub(crate) const ERASURE_KIND: &str = "erasure-ordered";

/// Why a change was not recorded.
#[derive(Debug, Error)]
pub enum RecordError {
    /// The source used the reference before, for another entry.
    #[error("the external reference of entry {item} was used before for another entry")]
    ReferenceReused {
        /// Which entry of the change, from 0.
        item: usize,
    },
    /// The invitation of the change was used before, or is not there.
    #[error("the invitation was used before")]
    InvitationUsed,
    /// Others recorded something since the state that the change was computed from: load what is new,
    /// and compute again.
    #[error("another change was recorded in between")]
    Stale,
    /// Another attempt under the same Idempotency-Key works on it.
    #[error("another attempt under the same key took over")]
    Overtaken,
    /// The store failed.
    #[error("the store failed while it recorded")]
    Store(#[from] StoreError),
}

type AliasColumns = (Vec<u8>, String, String, i64, Vec<u8>);

impl Store {
    /// Records a change that was computed from the revision `based_on`; gives
    /// the new one. When this returns, it is durable, in the journal, too, and no later
    /// commit rests on a grant that it closed.
    ///
    /// # Errors
    /// [`RecordError`]; then nothing was recorded. Only after [`StoreError::Journal`], or a
    /// [`Store`](RecordError::Store) that lost its connection at the very end, it may have been: the
    /// revision tells.
    pub async fn record(
        &self,
        controller: &ControllerId,
        based_on: Revision,
        change: &Change,
        now: UtcMicros,
    ) -> Result<Revision, RecordError> {
        self.record_in(self.turn(controller).await?, controller, based_on, change, now).await
    }

    /// As [`record`](Self::record), in a turn that was taken before.
    ///
    /// # Errors
    /// As [`record`](Self::record).
    pub async fn record_in(
        &self,
        turn: Turn,
        controller: &ControllerId,
        based_on: Revision,
        change: &Change,
        now: UtcMicros,
    ) -> Result<Revision, RecordError> {
        self.settle_journal().await?;
        let sealed: Vec<Sealed> = change.entries.iter().map(|entry| self.seal(controller, entry)).collect();
        let revision = match &self.databases {
            Databases::Sql(db) => db.record(turn, controller, based_on, change, &sealed, now).await?,
            #[cfg(feature = "model")]
            Databases::Model(model) => model.record(turn, controller, based_on, change, &sealed, now).await?,
        };
        let entries = change.entries.iter().zip(sealed).map(|(new, sealed)| (new.entry, now, sealed.json));
        self.journal_entries(controller, entries).await?;
        Ok(revision)
    }

    fn seal(&self, controller: &ControllerId, entry: &NewEntry) -> Sealed {
        Sealed {
            json: self.master.seal(&entry_place(controller, entry.entry), &entry.json),
            reference: reference(&self.master, controller, &entry.external_ref),
        }
    }

    /// Loads what was recorded for a controller behind a revision, everything
    /// behind [`Revision::NONE`]; all as of one moment. Entries go into the journal that it does not hold: of another
    /// process, or of this one, where it was not told that they were recorded. Who answers for them settles it first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn load(&self, controller: &ControllerId, behind: Revision) -> Result<Loaded, StoreError> {
        let (mut loaded, sealed) = self.load_sealed(controller, behind).await?;
        for (entry, _, sealed) in &sealed {
            let json = self
                .master
                .open(&entry_place(controller, *entry), sealed)
                .map_err(|_| StoreError::Row { table: "entry" })?;
            loaded.entries.push(RecordedEntry { entry: *entry, json: json.to_vec() });
        }
        // It keeps what it cannot take; to follow others comes first, since they may have recorded a withdrawal.
        let _ = self.journal_entries(controller, sealed).await;
        Ok(loaded)
    }

    /// What is loaded, its entries still sealed: nobody waits for this transaction while they are opened.
    async fn load_sealed(
        &self,
        controller: &ControllerId,
        behind: Revision,
    ) -> Result<(Loaded, Vec<(EntryHash, UtcMicros, Vec<u8>)>), StoreError> {
        let db = sql_or!(self, load_sealed(controller, behind));
        let mut reading = db.main.reading().await?;
        let Current { revision, rules } = reading.current(controller).await?;
        let sealed = reading.load_entries(controller, behind).await?;
        let grants = reading.load_grants(controller, behind).await?;
        let aliases = reading.load_aliases(controller, behind).await?;
        let tips = reading.load_tips(controller, behind).await?;
        let keys = reading.load_keys(controller).await?;
        Ok((Loaded { revision, rules, entries: Vec::new(), grants, aliases, tips, keys }, sealed))
    }

    /// The kind of an entry and when it was recorded; none if the ledger does not hold it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn entry_kind(
        &self,
        controller: &ControllerId,
        entry: &EntryHash,
    ) -> Result<Option<(String, UtcMicros)>, StoreError> {
        let db = sql_or!(self, entry_kind(controller, entry));
        let row: Option<(String, i64)> =
            sql("SELECT kind, recorded_at FROM entry WHERE controller = $1 AND entry = $2")
                .bind(controller.as_str())
                .bind(&entry.as_bytes()[..])
                .fetch_optional(&db.main)
                .await?;
        Ok(row.map(|(kind, recorded_at)| (kind, UtcMicros(recorded_at))))
    }
}

/// What is stored of a new entry in place of what it says.
pub(crate) struct Sealed {
    /// Its JSON, under the master key.
    pub(crate) json: Vec<u8>,
    /// The keyed hash of its source's own reference.
    pub(crate) reference: [u8; 32],
}

impl Sql {
    async fn record(
        &self,
        turn: Turn,
        controller: &ControllerId,
        based_on: Revision,
        change: &Change,
        sealed: &[Sealed],
        now: UtcMicros,
    ) -> Result<Revision, RecordError> {
        let mut write = self.write_in(turn, controller).await?;
        let revision = write.raise(controller, based_on).await?;
        for (item, (entry, sealed)) in change.entries.iter().zip(sealed).enumerate() {
            if !write.entry(controller, revision, entry, sealed).await? {
                return Err(RecordError::ReferenceReused { item });
            }
        }
        for place in &change.places {
            write.place(controller, place).await?;
        }
        if let Some(used) = &change.invitation {
            write.use_invitation(controller, used).await?;
        }
        write.registry(controller, revision, change, now).await?;
        for grant in &change.opened {
            write.open_grant(controller, revision, grant).await?;
        }
        for (grant, reason) in &change.closed {
            sql("UPDATE flow_grant SET closed_at = COALESCE(closed_at, $3), reason = $4, revision = $5
                 WHERE controller = $1 AND grant_id = $2")
            .bind(controller.as_str())
            .bind(&grant.as_bytes()[..])
            .bind(now.0)
            .bind(reason.code())
            .bind(revision.0)
            .execute(&mut write.transaction)
            .await?;
        }
        for link in &change.links {
            write.enter_link(controller, revision, link, now).await?;
        }
        if let Some(answered) = &change.answered {
            write.answer_keyed(controller, answered).await?;
        }
        write.commit().await?;
        Ok(revision)
    }
}

fn kind(kind: IdentifierKind) -> &'static str {
    match kind {
        IdentifierKind::Vin => "vin",
        IdentifierKind::Plate => "plate",
        IdentifierKind::Serial => "serial",
    }
}

/// The keyed hash that stands for a source's own reference.
pub(crate) fn reference(master: &MasterKey, controller: &ControllerId, external_ref: &str) -> [u8; 32] {
    master
        .index(&[b"external-ref\0", controller.as_str().as_bytes(), b"\0", external_ref.as_bytes()].concat())
}

/// The reference of an entry whose own one stands for another entry already, as after a restored
/// registry was told something again.
pub fn stand_in_ref(entry: EntryHash) -> String {
    format!("restored {entry}")
}

pub(crate) fn entry_place(controller: &ControllerId, entry: EntryHash) -> Vec<u8> {
    [b"entry\0", controller.as_str().as_bytes(), b"\0", entry.as_bytes()].concat()
}

impl Transaction {
    async fn load_entries(
        &mut self,
        controller: &ControllerId,
        behind: Revision,
    ) -> Result<Vec<(EntryHash, UtcMicros, Vec<u8>)>, StoreError> {
        let rows: Vec<(Vec<u8>, i64, Vec<u8>)> = sql("SELECT entry, recorded_at, sealed FROM entry
             WHERE controller = $1 AND revision > $2 ORDER BY position")
        .bind(controller.as_str())
        .bind(behind.0)
        .fetch_all(self)
        .await?;
        let row = |(hash, at, sealed): (Vec<u8>, i64, Vec<u8>)| {
            Ok((EntryHash::from_bytes(bytes("entry", &hash)?), UtcMicros(at), sealed))
        };
        rows.into_iter().map(row).collect()
    }

    async fn load_aliases(
        &mut self,
        controller: &ControllerId,
        behind: Revision,
    ) -> Result<Vec<AliasRow>, StoreError> {
        let rows: Vec<AliasColumns> = sql("SELECT asset, recipient, purpose, year, alias FROM alias
             WHERE controller = $1 AND revision > $2")
        .bind(controller.as_str())
        .bind(behind.0)
        .fetch_all(self)
        .await?;
        let alias = |(asset, recipient, purpose, year, alias): AliasColumns| {
            Ok(AliasRow {
                asset: AssetId::from_bytes(bytes("alias", &asset)?),
                recipient: text("alias", &recipient)?,
                purpose: text("alias", &purpose)?,
                year: i16::try_from(year).map_err(|_| StoreError::Row { table: "alias" })?,
                alias: VehicleAlias::from_bytes(bytes("alias", &alias)?),
            })
        };
        rows.into_iter().map(alias).collect()
    }

    async fn load_keys(&mut self, controller: &ControllerId) -> Result<Vec<RecipientKeyRow>, StoreError> {
        let rows: Vec<(Vec<u8>, String, String, i64)> =
            sql("SELECT key_id, recipient, purpose, active_from FROM recipient_key
             WHERE controller = $1 AND revoked_at IS NULL")
            .bind(controller.as_str())
            .fetch_all(self)
            .await?;
        let key = |(key_id, recipient, purpose, active_from): (Vec<u8>, String, String, i64)| {
            Ok(RecipientKeyRow {
                key_id: KeyId::from_bytes(bytes("recipient_key", &key_id)?),
                recipient: text("recipient_key", &recipient)?,
                purpose: text("recipient_key", &purpose)?,
                active_from: UtcMicros(active_from),
            })
        };
        rows.into_iter().map(key).collect()
    }
}

impl Write {
    /// False if the reference, or the same entry, is there already.
    async fn entry(
        &mut self,
        controller: &ControllerId,
        revision: Revision,
        new: &NewEntry,
        sealed: &Sealed,
    ) -> Result<bool, StoreError> {
        let position = self.next_position(controller).await?;
        let added = sql(
            "INSERT INTO entry (controller, position, entry, kind, source, reference, recorded_at, sealed,
                                revision)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING",
        )
        .bind(controller.as_str())
        .bind(position)
        .bind(&new.entry.as_bytes()[..])
        .bind(&new.kind)
        .bind(new.source.as_str())
        .bind(&sealed.reference)
        .bind(new.recorded_at.0)
        .bind(&sealed.json)
        .bind(revision.0)
        .execute(&mut self.transaction)
        .await?;
        if new.kind == ERASURE_KIND {
            sql("INSERT INTO erasure_order (controller, entry, recorded_at) VALUES ($1, $2, $3)
                 ON CONFLICT DO NOTHING")
            .bind(controller.as_str())
            .bind(&new.entry.as_bytes()[..])
            .bind(new.recorded_at.0)
            .execute(&mut self.transaction)
            .await?;
        }
        if let Some(voided) = new.voids {
            sql("UPDATE entry SET voided_by = $3 WHERE controller = $1 AND entry = $2")
                .bind(controller.as_str())
                .bind(&voided.as_bytes()[..])
                .bind(&new.entry.as_bytes()[..])
                .execute(&mut self.transaction)
                .await?;
        }
        self.evidence(LeafKind::Entry, position, &new.entry.as_bytes()[..]);
        Ok(added == 1)
    }

    /// Assets, identifiers, aliases and recipient keys.
    async fn registry(
        &mut self,
        controller: &ControllerId,
        revision: Revision,
        change: &Change,
        now: UtcMicros,
    ) -> Result<(), StoreError> {
        for asset in &change.assets {
            sql("INSERT INTO asset (controller, asset, first_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
                .bind(controller.as_str())
                .bind(&asset.as_bytes()[..])
                .bind(now.0)
                .execute(&mut self.transaction)
                .await?;
        }
        for row in &change.identifiers {
            sql("INSERT INTO identifier (controller, blind_index, asset, valid_from, kind, sealed)
                 VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING")
            .bind(controller.as_str())
            .bind(&row.index.as_bytes()[..])
            .bind(&row.asset.as_bytes()[..])
            .bind(row.valid_from.0)
            .bind(kind(row.kind))
            .bind(row.sealed.as_deref())
            .execute(&mut self.transaction)
            .await?;
        }
        for (index, asset, until) in &change.ended_identifiers {
            sql("UPDATE identifier SET valid_until = $4
                 WHERE controller = $1 AND blind_index = $2 AND asset = $3 AND valid_until IS NULL")
            .bind(controller.as_str())
            .bind(&index.as_bytes()[..])
            .bind(&asset.as_bytes()[..])
            .bind(until.0)
            .execute(&mut self.transaction)
            .await?;
        }
        for row in &change.aliases {
            sql("INSERT INTO alias (controller, asset, recipient, purpose, year, alias, revision)
                 VALUES ($1, $2, $3, $4, $5, $6, $7)")
            .bind(controller.as_str())
            .bind(&row.asset.as_bytes()[..])
            .bind(row.recipient.as_str())
            .bind(row.purpose.as_str())
            .bind(i64::from(row.year))
            .bind(&row.alias.as_bytes()[..])
            .bind(revision.0)
            .execute(&mut self.transaction)
            .await?;
        }
        self.recipient_keys(controller, change, now).await
    }

    async fn recipient_keys(
        &mut self,
        controller: &ControllerId,
        change: &Change,
        now: UtcMicros,
    ) -> Result<(), StoreError> {
        for row in &change.recipient_keys {
            sql("INSERT INTO recipient_key (controller, key_id, recipient, purpose, active_from)
                 VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (controller, key_id) DO UPDATE SET revoked_at = NULL")
            .bind(controller.as_str())
            .bind(&row.key_id.as_bytes()[..])
            .bind(row.recipient.as_str())
            .bind(row.purpose.as_str())
            .bind(row.active_from.0)
            .execute(&mut self.transaction)
            .await?;
        }
        for key in &change.revoked_keys {
            sql("UPDATE recipient_key SET revoked_at = COALESCE(revoked_at, $3)
                 WHERE controller = $1 AND key_id = $2")
            .bind(controller.as_str())
            .bind(&key.as_bytes()[..])
            .bind(now.0)
            .execute(&mut self.transaction)
            .await?;
        }
        Ok(())
    }
}
