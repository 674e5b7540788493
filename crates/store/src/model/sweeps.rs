//! What retention takes, and who does it.

use super::Session;
use crate::{KeptBatch, LookAt, StoreError};
use std::collections::BTreeMap;
use vernport_types::{ControllerId, EpochId, Slug, UtcMicros};

impl Session {
    pub(crate) async fn take_duty(
        &self,
        controller: &ControllerId,
        duty: &str,
        holder: &[u8; 16],
        until: UtcMicros,
        now: UtcMicros,
    ) -> Result<bool, StoreError> {
        let mut write = self.writing("take_duty", controller).await?;
        let is_free = write.tables.duties.get(duty).is_none_or(|(by, until)| by == holder || *until <= now);
        if is_free {
            write.tables.duties.insert(duty.to_owned(), (*holder, until));
        }
        write.commit().await?;
        Ok(is_free)
    }

    pub(crate) async fn leave_duty(
        &self,
        controller: &ControllerId,
        duty: &str,
        holder: &[u8; 16],
    ) -> Result<(), StoreError> {
        let mut write = self.writing("leave_duty", controller).await?;
        if write.tables.duties.get(duty).is_some_and(|(by, _)| by == holder) {
            write.tables.duties.remove(duty);
        }
        write.commit().await
    }

    pub(crate) async fn believe_clock(
        &self,
        controller: &ControllerId,
        now: UtcMicros,
        ahead_micros: i64,
    ) -> Result<UtcMicros, StoreError> {
        let mut write = self.writing("believe_clock", controller).await?;
        let believed = write.tables.believed_clock.get_or_insert(now);
        if *believed < now && now.0 <= believed.0.saturating_add(ahead_micros) {
            *believed = now;
        }
        let believed = *believed;
        write.commit().await?;
        Ok(believed)
    }

    pub(crate) async fn to_look_at(
        &self,
        controller: &ControllerId,
        now: UtcMicros,
        limit: u16,
    ) -> Result<Vec<LookAt>, StoreError> {
        let tables = self.reading("to_look_at", controller).await?;
        let kept = tables.epochs.iter().filter(|(_, of)| of.erased_at.is_none() && of.fenced_by.is_none());
        let mut due: Vec<_> = kept.filter(|(_, epoch)| epoch.look_at <= now).collect();
        due.sort_by_key(|(id, epoch)| (epoch.look_at, **id));
        due.truncate(limit.into());
        let look = due.iter().map(|(id, of)| LookAt { epoch: **id, grant: of.grant, first_at: of.first_at });
        Ok(look.collect())
    }

    pub(crate) async fn kept_batches(
        &self,
        controller: &ControllerId,
        epoch: EpochId,
        after: i64,
        limit: u16,
    ) -> Result<Vec<KeptBatch>, StoreError> {
        let tables = self.reading("kept_batches", controller).await?;
        let kept = tables.batches.iter().filter(|(position, of)| of.epoch == epoch && **position > after);
        let row = |(position, of): (&i64, &super::tables::Batch)| KeptBatch {
            position: *position,
            latest_due: of.latest_due,
            retention_rule: of.retention_rule.clone(),
            committed_at: of.committed_at,
        };
        Ok(kept.take(limit.into()).map(row).collect())
    }

    pub(crate) async fn sweep(
        &self,
        controller: &ControllerId,
        epoch: EpochId,
        due: &[KeptBatch],
    ) -> Result<(), StoreError> {
        let mut write = self.writing("sweep", controller).await?;
        for batch in due {
            let is_there = write.tables.batches.get(&batch.position).is_some_and(|of| of.epoch == epoch);
            if is_there {
                write.tables.batches.remove(&batch.position);
            }
            *write.tables.swept.entry(batch.retention_rule.clone()).or_default() += u64::from(is_there);
        }
        write.commit().await
    }

    pub(crate) async fn look_again(
        &self,
        controller: &ControllerId,
        epochs: &[(EpochId, UtcMicros)],
    ) -> Result<(), StoreError> {
        let mut write = self.writing("look_again", controller).await?;
        for (epoch, at) in epochs {
            if let Some(epoch) = write.tables.epochs.get_mut(epoch) {
                epoch.look_at = *at;
            }
        }
        write.commit().await
    }

    pub(crate) async fn end_epoch(
        &self,
        controller: &ControllerId,
        epoch: EpochId,
        now: UtcMicros,
    ) -> Result<(), StoreError> {
        let mut write = self.writing("end_epoch", controller).await?;
        if let Some(epoch) = write.tables.epochs.get_mut(&epoch) {
            epoch.erased_at.get_or_insert(now);
        }
        write.commit().await
    }

    pub(crate) async fn swept(&self, controller: &ControllerId) -> Result<BTreeMap<Slug, u64>, StoreError> {
        let tables = self.reading("swept", controller).await?;
        Ok(tables.swept.iter().map(|(rule, batches)| (rule.clone(), *batches)).collect())
    }
}
