//! Erasing key epochs in steps that can be ended by a crash anywhere and done again:
//! fence → journal → key → batches → certificate.
//!
//! What an epoch's row says is what comes next: `fenced_by` without `erased_at`
//! means that key and batches still have to go. So whoever finds such a row
//! goes on with it, and doing a step twice changes nothing.

use crate::{Store, StoreError, Write, bytes, journal::Row, sql::sql};
use vernport_audit::LeafKind;
use vernport_types::{ControllerId, EntryHash, EpochId, GrantId, Slug, UtcMicros};

const TABLE: &str = "epoch";
/// How many batches of an epoch go in one transaction.
pub(crate) const BATCHES_A_STEP: u16 = 256;

/// A key epoch that is to be erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// Which epoch.
    pub epoch: EpochId,
    /// The recipient of its flow.
    pub recipient: Slug,
    /// The purpose of its flow.
    pub purpose: Slug,
}

/// What was erased for one order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Erased {
    /// Which key epochs, in the order of their ids.
    pub epochs: Vec<EpochId>,
    /// How many batches they had.
    pub batches: u64,
}

/// A certificate as it was issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateRow {
    /// Which of its order, from 1.
    pub number: u32,
    /// When.
    pub issued_at: UtcMicros,
    /// The JSON that was signed.
    pub certificate: String,
    /// The signature.
    pub signature: Vec<u8>,
}

impl Store {
    /// The orders to erase that are not completed, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open_erasures(&self, controller: &ControllerId) -> Result<Vec<EntryHash>, StoreError> {
        let db = sql_or!(self, open_erasures(controller));
        let rows: Vec<(Vec<u8>,)> =
            sql("SELECT entry FROM erasure_order WHERE controller = $1 AND completed_at IS NULL
             ORDER BY recorded_at, entry")
            .bind(controller.as_str())
            .fetch_all(&db.main)
            .await?;
        rows.iter().map(|(entry,)| Ok(EntryHash::from_bytes(bytes("erasure_order", entry)?))).collect()
    }

    /// Whether an order to erase is there, and when it was completed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn erasure_order(
        &self,
        controller: &ControllerId,
        entry: &EntryHash,
    ) -> Result<Option<Option<UtcMicros>>, StoreError> {
        let db = sql_or!(self, erasure_order(controller, entry));
        let row: Option<(Option<i64>,)> =
            sql("SELECT completed_at FROM erasure_order WHERE controller = $1 AND entry = $2")
                .bind(controller.as_str())
                .bind(&entry.as_bytes()[..])
                .fetch_optional(&db.main)
                .await?;
        Ok(row.map(|(completed_at,)| completed_at.map(UtcMicros)))
    }

    /// The epochs of a grant that nothing was ordered for, and how many batches each has.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn live_epochs(
        &self,
        controller: &ControllerId,
        grant: GrantId,
    ) -> Result<Vec<(EpochId, u64)>, StoreError> {
        let db = sql_or!(self, live_epochs(controller, grant));
        let rows: Vec<(Vec<u8>, i64)> = sql("SELECT epoch.epoch, COUNT(batch.batch) FROM epoch
             LEFT JOIN batch ON batch.controller = epoch.controller AND batch.epoch = epoch.epoch
             WHERE epoch.controller = $1 AND epoch.grant_id = $2 AND epoch.fenced_by IS NULL
             GROUP BY epoch.epoch ORDER BY epoch.epoch")
        .bind(controller.as_str())
        .bind(&grant.as_bytes()[..])
        .fetch_all(&db.main)
        .await?;
        rows.iter()
            .map(|(epoch, batches)| Ok((EpochId::from_bytes(bytes(TABLE, epoch)?), batches.unsigned_abs())))
            .collect()
    }

    /// Fences epochs for an order, and orders whoever read batches of them to
    /// delete those. From here on they are on their way out, whatever happens.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing is fenced.
    pub async fn fence(
        &self,
        controller: &ControllerId,
        entry: &EntryHash,
        fences: &[Fence],
        confirm_by: UtcMicros,
        now: UtcMicros,
    ) -> Result<(), StoreError> {
        let db = sql_or!(self, fence(controller, entry, fences, confirm_by, now));
        let mut write = db.write(controller).await?;
        for Fence { epoch, recipient, purpose } in fences {
            let fenced = sql("UPDATE epoch SET fenced_by = $3, fenced_at = $4
                 WHERE controller = $1 AND epoch = $2 AND fenced_by IS NULL")
            .bind(controller.as_str())
            .bind(&epoch.as_bytes()[..])
            .bind(&entry.as_bytes()[..])
            .bind(now.0)
            .execute(&mut write.transaction)
            .await?;
            if fenced == 0 {
                continue;
            }
            // A page of the log ends where it ended for its reader: what was passed over
            // between may have been read later, so it is ordered rather twice than never.
            let (batches, flow): (i64, Option<String>) =
                sql("SELECT COUNT(DISTINCT batch.batch), MIN(batch.flow) FROM batch JOIN read_log
                       ON read_log.controller = batch.controller
                      AND read_log.recipient = $3 AND read_log.purpose = $4
                      AND read_log.after_position < batch.position AND batch.position <= read_log.last_position
                     WHERE batch.controller = $1 AND batch.epoch = $2")
                .bind(controller.as_str())
                .bind(&epoch.as_bytes()[..])
                .bind(recipient.as_str())
                .bind(purpose.as_str())
                .fetch_one(&mut write.transaction)
                .await?;
            let Some(flow) = flow.filter(|_| batches > 0) else { continue };
            let position = write.next_position(controller).await?;
            sql("INSERT INTO deletion_order (controller, position, recipient, purpose, flow, epoch, batches,
                                             entry, ordered_at, confirm_by)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING")
            .bind(controller.as_str())
            .bind(position)
            .bind(recipient.as_str())
            .bind(purpose.as_str())
            .bind(&flow)
            .bind(&epoch.as_bytes()[..])
            .bind(batches)
            .bind(&entry.as_bytes()[..])
            .bind(now.0)
            .bind(confirm_by.0)
            .execute(&mut write.transaction)
            .await?;
        }
        write.commit().await
    }

    /// Some epochs that are fenced and not erased yet, with the order of each.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn fenced(
        &self,
        controller: &ControllerId,
        limit: u16,
    ) -> Result<Vec<(EpochId, EntryHash)>, StoreError> {
        let db = sql_or!(self, fenced(controller, limit));
        let rows: Vec<(Vec<u8>, Vec<u8>)> = sql("SELECT epoch, fenced_by FROM epoch
             WHERE controller = $1 AND fenced_by IS NOT NULL AND erased_at IS NULL
             ORDER BY fenced_by, epoch LIMIT $2")
        .bind(controller.as_str())
        .bind(i64::from(limit))
        .fetch_all(&db.main)
        .await?;
        let row = |(epoch, entry): &(Vec<u8>, Vec<u8>)| {
            Ok((EpochId::from_bytes(bytes(TABLE, epoch)?), EntryHash::from_bytes(bytes(TABLE, entry)?)))
        };
        rows.iter().map(row).collect()
    }

    /// Puts the fences of one order into the journal. Durable before it returns.
    ///
    /// # Errors
    /// [`StoreError::Journal`]; then no key may go.
    pub async fn journal_fences(
        &self,
        controller: &ControllerId,
        entry: EntryHash,
        epochs: &[EpochId],
        now: UtcMicros,
    ) -> Result<(), StoreError> {
        if self.journal.is_none() {
            return Ok(());
        }
        let epochs: Vec<u8> = epochs.iter().flat_map(EpochId::as_bytes).copied().collect();
        let sealed = self.master.seal(&fences_place(controller, entry), &epochs);
        let row = Row::fences(controller.clone(), entry, now, sealed);
        self.journal(vec![row.encode()]).await
    }

    /// Deletes the erasure keys of epochs, and sees to it that none is made again. This is the erasure.
    ///
    /// # Errors
    /// [`StoreError`]; some of them may be gone then.
    pub async fn erase_keys(
        &self,
        controller: &ControllerId,
        epochs: &[EpochId],
        now: UtcMicros,
    ) -> Result<(), StoreError> {
        let db = sql_or!(self, erase_keys(controller, epochs, now));
        for epoch in epochs {
            sql("INSERT INTO erasure_key (controller, epoch, wrapped, made_at, erased_at)
                 VALUES ($1, $2, NULL, $3, $3)
                 ON CONFLICT (controller, epoch) DO UPDATE
                 SET wrapped = NULL, erased_at = COALESCE(erasure_key.erased_at, excluded.erased_at)")
            .bind(controller.as_str())
            .bind(&epoch.as_bytes()[..])
            .bind(now.0)
            .execute(&db.erasure)
            .await?;
        }
        Ok(())
    }

    /// Which of these epochs have an erasure key.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn with_keys(
        &self,
        controller: &ControllerId,
        epochs: &[EpochId],
    ) -> Result<Vec<EpochId>, StoreError> {
        let mut found = Vec::new();
        for epoch in epochs {
            if let Some(Some(_)) = self.wrapped_key(controller, *epoch).await? {
                found.push(*epoch);
            }
        }
        Ok(found)
    }

    /// Deletes some batches of a fenced epoch, bodies and wraps; says whether
    /// it is erased now: nothing of it is left.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing of this step was done.
    pub async fn delete_fenced(
        &self,
        controller: &ControllerId,
        epoch: EpochId,
        now: UtcMicros,
    ) -> Result<bool, StoreError> {
        let db = sql_or!(self, delete_fenced(controller, epoch, now));
        let mut write = db.write_aside(Some(controller)).await?;
        let deleted = sql("DELETE FROM batch WHERE controller = $1 AND epoch = $2 AND position IN
               (SELECT position FROM batch WHERE controller = $1 AND epoch = $2 ORDER BY position LIMIT $3)")
        .bind(controller.as_str())
        .bind(&epoch.as_bytes()[..])
        .bind(i64::from(BATCHES_A_STEP))
        .execute(&mut write.transaction)
        .await?;
        // Another process may be at the same rows.
        let (left,): (i64,) = sql("SELECT COUNT(*) FROM batch WHERE controller = $1 AND epoch = $2")
            .bind(controller.as_str())
            .bind(&epoch.as_bytes()[..])
            .fetch_one(&mut write.transaction)
            .await?;
        sql("UPDATE epoch SET erased_batches = COALESCE(erased_batches, 0) + $3, erased_at = $4
             WHERE controller = $1 AND epoch = $2 AND fenced_by IS NOT NULL")
        .bind(controller.as_str())
        .bind(&epoch.as_bytes()[..])
        .bind(i64::try_from(deleted).unwrap_or(i64::MAX))
        .bind((left == 0).then_some(now.0))
        .execute(&mut write.transaction)
        .await?;
        write.commit().await?;
        Ok(left == 0)
    }

    /// What was erased for an order.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn erased_by(
        &self,
        controller: &ControllerId,
        entry: &EntryHash,
    ) -> Result<Erased, StoreError> {
        let db = sql_or!(self, erased_by(controller, entry));
        let rows: Vec<(Vec<u8>, Option<i64>)> = sql("SELECT epoch, erased_batches FROM epoch
             WHERE controller = $1 AND fenced_by = $2 AND erased_at IS NOT NULL ORDER BY epoch")
        .bind(controller.as_str())
        .bind(&entry.as_bytes()[..])
        .fetch_all(&db.main)
        .await?;
        let mut erased = Erased::default();
        for (epoch, batches) in rows {
            erased.epochs.push(EpochId::from_bytes(bytes(TABLE, &epoch)?));
            erased.batches += batches.unwrap_or(0).unsigned_abs();
        }
        Ok(erased)
    }

    /// Keeps a certificate, with its leaf in the evidence log; `completes`: nothing of its order is left to do.
    /// One that is there under its number stays, and then nothing is completed: it may say something else.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn certify(
        &self,
        controller: &ControllerId,
        entry: &EntryHash,
        row: &CertificateRow,
        completes: bool,
    ) -> Result<(), StoreError> {
        let db = sql_or!(self, certify(controller, entry, row, completes));
        let mut write = db.write(controller).await?;
        let issued = sql(
            "INSERT INTO erasure_certificate (controller, entry, number, issued_at, certificate, signature)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        )
        .bind(controller.as_str())
        .bind(&entry.as_bytes()[..])
        .bind(i64::from(row.number))
        .bind(row.issued_at.0)
        .bind(&row.certificate)
        .bind(&row.signature)
        .execute(&mut write.transaction)
        .await?;
        if issued == 1 {
            let position = write.next_position(controller).await?;
            write.evidence(LeafKind::Erasure, position, row.certificate.as_bytes());
        }
        if completes && issued == 1 {
            write.end_erasure(controller, entry, row.issued_at).await?;
        }
        write.append_evidence(controller).await?;
        write.commit().await
    }

    /// Ends an order that there is nothing more to do for, nor anything new to certify.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end_erasure(
        &self,
        controller: &ControllerId,
        entry: &EntryHash,
        now: UtcMicros,
    ) -> Result<(), StoreError> {
        let db = sql_or!(self, end_erasure(controller, entry, now));
        let mut write = db.write(controller).await?;
        write.end_erasure(controller, entry, now).await?;
        write.commit().await
    }

    /// All certificates of an order, the first one first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn certificates(
        &self,
        controller: &ControllerId,
        entry: &EntryHash,
    ) -> Result<Vec<CertificateRow>, StoreError> {
        let db = sql_or!(self, certificates(controller, entry));
        let rows: Vec<(i64, i64, String, Vec<u8>)> =
            sql("SELECT number, issued_at, certificate, signature FROM erasure_certificate
                 WHERE controller = $1 AND entry = $2 ORDER BY number")
            .bind(controller.as_str())
            .bind(&entry.as_bytes()[..])
            .fetch_all(&db.main)
            .await?;
        let row = |(number, issued_at, certificate, signature)| {
            let number =
                u32::try_from(number).map_err(|_| StoreError::Row { table: "erasure_certificate" })?;
            Ok(CertificateRow { number, issued_at: UtcMicros(issued_at), certificate, signature })
        };
        rows.into_iter().map(row).collect()
    }
}

impl Write {
    async fn end_erasure(
        &mut self,
        controller: &ControllerId,
        entry: &EntryHash,
        now: UtcMicros,
    ) -> Result<(), StoreError> {
        sql("UPDATE erasure_order SET completed_at = $3
             WHERE controller = $1 AND entry = $2 AND completed_at IS NULL")
        .bind(controller.as_str())
        .bind(&entry.as_bytes()[..])
        .bind(now.0)
        .execute(&mut self.transaction)
        .await
        .map(drop)
    }
}

pub(crate) fn fences_place(controller: &ControllerId, entry: EntryHash) -> Vec<u8> {
    [b"fences\0", controller.as_str().as_bytes(), b"\0", entry.as_bytes()].concat()
}
