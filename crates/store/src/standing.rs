//! How much is open, for those who run central: counts over small tables and indexes only.

use crate::{Store, StoreError, sql::sql};
use vernport_types::{ControllerId, UtcMicros};

/// What is open for one controller.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OpenWork {
    /// Orders to erase without a certificate.
    pub erasures: u64,
    /// Key epochs that are fenced and not erased yet.
    pub fenced_epochs: u64,
    /// Orders to recipients to delete, and notices to operators, that were not confirmed.
    pub deletions: u64,
    /// Of these, those whose month is over.
    pub deletions_overdue: u64,
    /// Key epochs that should have been looked at by the time that was asked for.
    pub late_epochs: u64,
    /// Leaves of the evidence log.
    pub leaves: u64,
    /// Batches that went because they were due, since the store was made.
    pub swept: u64,
}

impl Store {
    /// What is open for a controller now. An epoch is late that should have been looked at by `late_before`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open_work(
        &self,
        controller: &ControllerId,
        late_before: UtcMicros,
        now: UtcMicros,
    ) -> Result<OpenWork, StoreError> {
        let db = sql_or!(self, open_work(controller, late_before, now));
        type Row = (i64, i64, i64, i64, i64, i64, i64);
        let row: Row = sql(
            "SELECT (SELECT COUNT(*) FROM erasure_order WHERE controller = $1 AND completed_at IS NULL),
                (SELECT COUNT(*) FROM epoch WHERE controller = $1 AND fenced_by IS NOT NULL AND erased_at IS NULL),
                (SELECT COUNT(*) FROM deletion_order WHERE controller = $1 AND confirmed_at IS NULL)
                + (SELECT COUNT(*) FROM deletion_notice WHERE controller = $1 AND confirmed_at IS NULL),
                (SELECT COUNT(*) FROM deletion_order
                 WHERE controller = $1 AND confirmed_at IS NULL AND confirm_by <= $3)
                + (SELECT COUNT(*) FROM deletion_notice
                   WHERE controller = $1 AND confirmed_at IS NULL AND confirm_by <= $3),
                (SELECT COUNT(*) FROM epoch
                 WHERE controller = $1 AND erased_at IS NULL AND fenced_by IS NULL AND look_at <= $2),
                CAST(COALESCE((SELECT MAX(size) FROM evidence_log WHERE controller = $1), 0) AS BIGINT),
                CAST(COALESCE((SELECT SUM(batches) FROM swept WHERE controller = $1), 0) AS BIGINT)",
        )
        .bind(controller.as_str())
        .bind(late_before.0)
        .bind(now.0)
        .fetch_one(&db.main)
        .await?;
        let (erasures, fenced, deletions, overdue, late, leaves, swept) = row;
        Ok(OpenWork {
            erasures: erasures.unsigned_abs(),
            fenced_epochs: fenced.unsigned_abs(),
            deletions: deletions.unsigned_abs(),
            deletions_overdue: overdue.unsigned_abs(),
            late_epochs: late.unsigned_abs(),
            leaves: leaves.unsigned_abs(),
            swept: swept.unsigned_abs(),
        })
    }
}
