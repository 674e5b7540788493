//! Orders to recipients to delete what they read before it was erased here.

use crate::{Store, StoreError, bytes, sql::sql, text};
use vernport_types::{ControllerId, EntryHash, EpochId, Slug, UtcMicros};

/// What a recipient has to delete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletionRow {
    /// Its place in the order of orders.
    pub position: i64,
    /// Who has to delete.
    pub recipient: Slug,
    /// For which purpose it was read.
    pub purpose: Slug,
    /// Of which flow.
    pub flow: Slug,
    /// The key epoch, which stands in the header of each envelope that is meant.
    pub epoch: EpochId,
    /// How many batches of it the recipient read.
    pub batches: u64,
    /// The entry that ordered the erasure.
    pub entry: EntryHash,
    /// Since when.
    pub ordered_at: UtcMicros,
    /// Until when it has to be confirmed.
    pub confirm_by: UtcMicros,
    /// When the recipient first fetched it.
    pub fetched_at: Option<UtcMicros>,
    /// When the recipient confirmed it.
    pub confirmed_at: Option<UtcMicros>,
}

#[derive(sqlx::FromRow)]
struct DeletionColumns {
    position: i64,
    recipient: String,
    purpose: String,
    flow: String,
    epoch: Vec<u8>,
    batches: i64,
    entry: Vec<u8>,
    ordered_at: i64,
    confirm_by: i64,
    fetched_at: Option<i64>,
    confirmed_at: Option<i64>,
}

impl TryFrom<DeletionColumns> for DeletionRow {
    type Error = StoreError;

    fn try_from(row: DeletionColumns) -> Result<Self, StoreError> {
        const TABLE: &str = "deletion_order";
        Ok(Self {
            position: row.position,
            recipient: text(TABLE, &row.recipient)?,
            purpose: text(TABLE, &row.purpose)?,
            flow: text(TABLE, &row.flow)?,
            epoch: EpochId::from_bytes(bytes(TABLE, &row.epoch)?),
            batches: row.batches.unsigned_abs(),
            entry: EntryHash::from_bytes(bytes(TABLE, &row.entry)?),
            ordered_at: UtcMicros(row.ordered_at),
            confirm_by: UtcMicros(row.confirm_by),
            fetched_at: row.fetched_at.map(UtcMicros),
            confirmed_at: row.confirmed_at.map(UtcMicros),
        })
    }
}

impl Store {
    /// The next orders that a recipient has not confirmed, behind a position;
    /// notes that they were fetched.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn fetch_deletions(
        &self,
        controller: &ControllerId,
        recipient: &Slug,
        after: i64,
        limit: u16,
        now: UtcMicros,
    ) -> Result<Vec<DeletionRow>, StoreError> {
        let db = sql_or!(self, fetch_deletions(controller, recipient, after, limit, now));
        let mut write = db.write_aside(Some(controller)).await?;
        let rows: Vec<DeletionColumns> = sql("SELECT * FROM deletion_order
             WHERE controller = $1 AND recipient = $2 AND position > $3 AND confirmed_at IS NULL
             ORDER BY position LIMIT $4")
        .bind(controller.as_str())
        .bind(recipient.as_str())
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(&mut write.transaction)
        .await?;
        for row in &rows {
            sql("UPDATE deletion_order SET fetched_at = COALESCE(fetched_at, $3)
                 WHERE controller = $1 AND position = $2")
            .bind(controller.as_str())
            .bind(row.position)
            .bind(now.0)
            .execute(&mut write.transaction)
            .await?;
        }
        write.commit().await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// Notes that a recipient deleted what was ordered; says how many of the
    /// positions are orders to that recipient. Confirming again is harmless.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing was noted.
    pub async fn confirm_deletions(
        &self,
        controller: &ControllerId,
        recipient: &Slug,
        positions: &[i64],
        now: UtcMicros,
    ) -> Result<u64, StoreError> {
        let db = sql_or!(self, confirm_deletions(controller, recipient, positions, now));
        let mut write = db.write_aside(Some(controller)).await?;
        let mut known = 0;
        for position in positions {
            known += sql("UPDATE deletion_order SET confirmed_at = COALESCE(confirmed_at, $4)
                 WHERE controller = $1 AND position = $2 AND recipient = $3 AND fetched_at IS NOT NULL")
            .bind(controller.as_str())
            .bind(*position)
            .bind(recipient.as_str())
            .bind(now.0)
            .execute(&mut write.transaction)
            .await?;
        }
        write.commit().await?;
        Ok(known)
    }

    /// All orders to delete that came of one order to erase.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn deletions_of(
        &self,
        controller: &ControllerId,
        entry: &EntryHash,
    ) -> Result<Vec<DeletionRow>, StoreError> {
        let db = sql_or!(self, deletions_of(controller, entry));
        let rows: Vec<DeletionColumns> =
            sql("SELECT * FROM deletion_order WHERE controller = $1 AND entry = $2 ORDER BY position")
                .bind(controller.as_str())
                .bind(&entry.as_bytes()[..])
                .fetch_all(&db.main)
                .await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }
}
