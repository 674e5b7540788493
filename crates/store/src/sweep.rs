//! What retention takes: which epochs to look at, which of their batches go, and
//! who does it. When something is due is decided elsewhere; here it goes in bounded steps.

use crate::{Store, StoreError, bytes, sql::sql, text};
use std::collections::BTreeMap;
use vernport_types::{ControllerId, EpochId, GrantId, Slug, UtcMicros};

/// An epoch that something of may be due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookAt {
    /// Which epoch.
    pub epoch: EpochId,
    /// Its grant.
    pub grant: GrantId,
    /// When the first batch of it came.
    pub first_at: UtcMicros,
}

/// A batch that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptBatch {
    /// Its place in the order of commits.
    pub position: i64,
    /// The latest time to which it may be kept, as its envelope says.
    pub latest_due: UtcMicros,
    /// The rule that it goes by.
    pub retention_rule: Slug,
    /// When it came.
    pub committed_at: UtcMicros,
}

impl Store {
    /// Takes or keeps a duty until a time; false if another process has it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn take_duty(
        &self,
        controller: &ControllerId,
        duty: &str,
        holder: &[u8; 16],
        until: UtcMicros,
        now: UtcMicros,
    ) -> Result<bool, StoreError> {
        let db = sql_or!(self, take_duty(controller, duty, holder, until, now));
        let mut write = db.write_aside(Some(controller)).await?;
        let taken = sql("INSERT INTO duty (controller, duty, holder, until) VALUES ($1, $2, $3, $4)
             ON CONFLICT (controller, duty) DO UPDATE SET holder = excluded.holder, until = excluded.until
             WHERE duty.holder = excluded.holder OR duty.until <= $5")
        .bind(controller.as_str())
        .bind(duty)
        .bind(holder)
        .bind(until.0)
        .bind(now.0)
        .execute(&mut write.transaction)
        .await?;
        write.commit().await?;
        Ok(taken == 1)
    }

    /// Gives up a duty, so that another process need not wait for its end.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn leave_duty(
        &self,
        controller: &ControllerId,
        duty: &str,
        holder: &[u8; 16],
    ) -> Result<(), StoreError> {
        let db = sql_or!(self, leave_duty(controller, duty, holder));
        let mut write = db.write_aside(Some(controller)).await?;
        sql("DELETE FROM duty WHERE controller = $1 AND duty = $2 AND holder = $3")
            .bind(controller.as_str())
            .bind(duty)
            .bind(holder)
            .execute(&mut write.transaction)
            .await?;
        write.commit().await
    }

    /// The last time that was believed; `now` becomes it if it is at most `ahead_micros` later, or the first one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn believe_clock(
        &self,
        controller: &ControllerId,
        now: UtcMicros,
        ahead_micros: i64,
    ) -> Result<UtcMicros, StoreError> {
        let db = sql_or!(self, believe_clock(controller, now, ahead_micros));
        let mut write = db.write_aside(Some(controller)).await?;
        sql("INSERT INTO believed_clock (controller, at) VALUES ($1, $2)
             ON CONFLICT (controller) DO UPDATE SET at = excluded.at
             WHERE believed_clock.at < excluded.at AND excluded.at <= believed_clock.at + $3")
        .bind(controller.as_str())
        .bind(now.0)
        .bind(ahead_micros)
        .execute(&mut write.transaction)
        .await?;
        let (at,): (i64,) = sql("SELECT at FROM believed_clock WHERE controller = $1")
            .bind(controller.as_str())
            .fetch_one(&mut write.transaction)
            .await?;
        write.commit().await?;
        Ok(UtcMicros(at))
    }

    /// The next epochs to look at, those first whose time came first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn to_look_at(
        &self,
        controller: &ControllerId,
        now: UtcMicros,
        limit: u16,
    ) -> Result<Vec<LookAt>, StoreError> {
        let db = sql_or!(self, to_look_at(controller, now, limit));
        let rows: Vec<(Vec<u8>, Vec<u8>, i64)> = sql("SELECT epoch, grant_id, first_at FROM epoch
             WHERE controller = $1 AND erased_at IS NULL AND fenced_by IS NULL AND look_at <= $2
             ORDER BY look_at, epoch LIMIT $3")
        .bind(controller.as_str())
        .bind(now.0)
        .bind(i64::from(limit))
        .fetch_all(&db.main)
        .await?;
        let row = |(epoch, grant, first_at): (Vec<u8>, Vec<u8>, i64)| {
            Ok(LookAt {
                epoch: EpochId::from_bytes(bytes("epoch", &epoch)?),
                grant: GrantId::from_bytes(bytes("epoch", &grant)?),
                first_at: UtcMicros(first_at),
            })
        };
        rows.into_iter().map(row).collect()
    }

    /// Some batches of an epoch behind a position.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn kept_batches(
        &self,
        controller: &ControllerId,
        epoch: EpochId,
        after: i64,
        limit: u16,
    ) -> Result<Vec<KeptBatch>, StoreError> {
        let db = sql_or!(self, kept_batches(controller, epoch, after, limit));
        let rows: Vec<(i64, i64, String, i64)> =
            sql("SELECT position, latest_due, retention_rule, committed_at FROM batch
                 WHERE controller = $1 AND epoch = $2 AND position > $3 ORDER BY position LIMIT $4")
            .bind(controller.as_str())
            .bind(&epoch.as_bytes()[..])
            .bind(after)
            .bind(i64::from(limit))
            .fetch_all(&db.main)
            .await?;
        let row = |(position, latest_due, rule, committed_at): (i64, i64, String, i64)| {
            let retention_rule = text("batch", &rule)?;
            let (latest_due, committed_at) = (UtcMicros(latest_due), UtcMicros(committed_at));
            Ok(KeptBatch { position, latest_due, retention_rule, committed_at })
        };
        rows.into_iter().map(row).collect()
    }

    /// Deletes batches of an epoch that are due, bodies and wraps, and counts them by their rules.
    ///
    /// # Errors
    /// [`StoreError`]; then none of them went.
    pub async fn sweep(
        &self,
        controller: &ControllerId,
        epoch: EpochId,
        due: &[KeptBatch],
    ) -> Result<(), StoreError> {
        let db = sql_or!(self, sweep(controller, epoch, due));
        let mut write = db.write_aside(Some(controller)).await?;
        let mut by_rule: BTreeMap<&Slug, i64> = BTreeMap::new();
        for batch in due {
            let gone = sql("DELETE FROM batch WHERE controller = $1 AND epoch = $2 AND position = $3")
                .bind(controller.as_str())
                .bind(&epoch.as_bytes()[..])
                .bind(batch.position)
                .execute(&mut write.transaction)
                .await?;
            *by_rule.entry(&batch.retention_rule).or_default() += i64::try_from(gone).unwrap_or(i64::MAX);
        }
        for (rule, batches) in by_rule {
            sql("INSERT INTO swept (controller, retention_rule, batches) VALUES ($1, $2, $3)
                 ON CONFLICT (controller, retention_rule) DO UPDATE SET batches = swept.batches + excluded.batches")
            .bind(controller.as_str())
            .bind(rule.as_str())
            .bind(batches)
            .execute(&mut write.transaction)
            .await?;
        }
        write.commit().await
    }

    /// Looks at epochs again, each at its time.
    ///
    /// # Errors
    /// [`StoreError`]; then all are looked at as before.
    pub async fn look_again(
        &self,
        controller: &ControllerId,
        epochs: &[(EpochId, UtcMicros)],
    ) -> Result<(), StoreError> {
        let db = sql_or!(self, look_again(controller, epochs));
        let mut write = db.write_aside(Some(controller)).await?;
        for (epoch, at) in epochs {
            sql("UPDATE epoch SET look_at = $3 WHERE controller = $1 AND epoch = $2")
                .bind(controller.as_str())
                .bind(&epoch.as_bytes()[..])
                .bind(at.0)
                .execute(&mut write.transaction)
                .await?;
        }
        write.commit().await
    }

    /// Ends an epoch of which nothing is left and nothing can come: its erasure key goes.
    ///
    /// # Errors
    /// [`StoreError`]; done again it goes on.
    pub async fn end_epoch(
        &self,
        controller: &ControllerId,
        epoch: EpochId,
        now: UtcMicros,
    ) -> Result<(), StoreError> {
        self.erase_keys(controller, &[epoch], now).await?;
        let db = sql_or!(self, end_epoch(controller, epoch, now));
        let mut write = db.write_aside(Some(controller)).await?;
        sql("UPDATE epoch SET erased_at = $3 WHERE controller = $1 AND epoch = $2 AND erased_at IS NULL")
            .bind(controller.as_str())
            .bind(&epoch.as_bytes()[..])
            .bind(now.0)
            .execute(&mut write.transaction)
            .await?;
        write.commit().await
    }

    /// How many batches went, by rule.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn swept(&self, controller: &ControllerId) -> Result<BTreeMap<Slug, u64>, StoreError> {
        let db = sql_or!(self, swept(controller));
        let rows: Vec<(String, i64)> = sql("SELECT retention_rule, batches FROM swept WHERE controller = $1")
            .bind(controller.as_str())
            .fetch_all(&db.main)
            .await?;
        rows.into_iter().map(|(rule, batches)| Ok((text("swept", &rule)?, batches.unsigned_abs()))).collect()
    }
}
