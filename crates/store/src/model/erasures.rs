//! Erasing in steps, and the orders to delete that come of it.

use super::{Session, tables::Tables};
use crate::{CertificateRow, DeletionRow, Erased, Fence, StoreError, erase::BATCHES_A_STEP};
use std::collections::btree_map::Entry;
use vernport_audit::LeafKind;
use vernport_types::{ControllerId, EntryHash, EpochId, GrantId, Slug, UtcMicros};

impl Session {
    pub(crate) async fn open_erasures(
        &self,
        controller: &ControllerId,
    ) -> Result<Vec<EntryHash>, StoreError> {
        let tables = self.reading("open_erasures", controller).await?;
        let open = tables.erasure_orders.iter().filter(|(_, order)| order.completed_at.is_none());
        let mut open: Vec<_> = open.map(|(entry, order)| (order.recorded_at, *entry)).collect();
        open.sort_unstable();
        Ok(open.into_iter().map(|(_, entry)| entry).collect())
    }

    pub(crate) async fn erasure_order(
        &self,
        controller: &ControllerId,
        entry: &EntryHash,
    ) -> Result<Option<Option<UtcMicros>>, StoreError> {
        let tables = self.reading("erasure_order", controller).await?;
        Ok(tables.erasure_orders.get(entry).map(|order| order.completed_at))
    }

    pub(crate) async fn live_epochs(
        &self,
        controller: &ControllerId,
        grant: GrantId,
    ) -> Result<Vec<(EpochId, u64)>, StoreError> {
        let tables = self.reading("live_epochs", controller).await?;
        let of_grant = tables.epochs.iter().filter(|(_, epoch)| epoch.grant == grant);
        let live = of_grant.filter(|(_, epoch)| epoch.fenced_by.is_none());
        Ok(live.map(|(id, _)| (*id, tables.positions_of(*id).len() as u64)).collect())
    }

    pub(crate) async fn fence(
        &self,
        controller: &ControllerId,
        entry: &EntryHash,
        fences: &[Fence],
        confirm_by: UtcMicros,
        now: UtcMicros,
    ) -> Result<(), StoreError> {
        let mut write = self.writing("fence", controller).await?;
        for fence in fences {
            let epoch = write.tables.epochs.get_mut(&fence.epoch);
            let Some(epoch) = epoch.filter(|epoch| epoch.fenced_by.is_none()) else { continue };
            epoch.fenced_by = Some(*entry);
            let (batches, flow) = write.tables.read_of(fence);
            let Some(flow) = flow else { continue };
            let order = DeletionRow {
                position: write.tables.next_position(),
                recipient: fence.recipient.clone(),
                purpose: fence.purpose.clone(),
                flow,
                epoch: fence.epoch,
                batches,
                entry: *entry,
                ordered_at: now,
                confirm_by,
                fetched_at: None,
                confirmed_at: None,
            };
            let is_ordered = |of: &DeletionRow| {
                (&of.recipient, &of.purpose, of.epoch) == (&order.recipient, &order.purpose, order.epoch)
            };
            if !write.tables.deletions.values().any(is_ordered) {
                write.tables.deletions.insert(order.position, order);
            }
        }
        write.commit().await
    }

    pub(crate) async fn fenced(
        &self,
        controller: &ControllerId,
        limit: u16,
    ) -> Result<Vec<(EpochId, EntryHash)>, StoreError> {
        let tables = self.reading("fenced", controller).await?;
        let left = tables.epochs.iter().filter(|(_, epoch)| epoch.erased_at.is_none());
        let mut fenced: Vec<_> = left.filter_map(|(id, epoch)| Some((epoch.fenced_by?, *id))).collect();
        fenced.sort_unstable();
        Ok(fenced.into_iter().take(limit.into()).map(|(entry, epoch)| (epoch, entry)).collect())
    }

    pub(crate) async fn delete_fenced(
        &self,
        controller: &ControllerId,
        epoch: EpochId,
        now: UtcMicros,
    ) -> Result<bool, StoreError> {
        let mut write = self.writing("delete_fenced", controller).await?;
        let mut positions = write.tables.positions_of(epoch);
        let left = positions.split_off(positions.len().min(BATCHES_A_STEP.into()));
        for position in &positions {
            write.tables.batches.remove(position);
        }
        let epoch = write.tables.epochs.get_mut(&epoch).filter(|epoch| epoch.fenced_by.is_some());
        if let Some(epoch) = epoch {
            epoch.erased_batches += positions.len() as u64;
            epoch.erased_at = left.is_empty().then_some(now);
        }
        write.commit().await?;
        Ok(left.is_empty())
    }

    pub(crate) async fn erased_by(
        &self,
        controller: &ControllerId,
        entry: &EntryHash,
    ) -> Result<Erased, StoreError> {
        let tables = self.reading("erased_by", controller).await?;
        let mut erased = Erased::default();
        for (id, epoch) in tables.epochs.iter() {
            if epoch.fenced_by == Some(*entry) && epoch.erased_at.is_some() {
                erased.epochs.push(*id);
                erased.batches += epoch.erased_batches;
            }
        }
        Ok(erased)
    }

    pub(crate) async fn certify(
        &self,
        controller: &ControllerId,
        entry: &EntryHash,
        row: &CertificateRow,
        completes: bool,
    ) -> Result<(), StoreError> {
        let mut write = self.writing("certify", controller).await?;
        if let Entry::Vacant(place) = write.tables.certificates.entry((*entry, row.number)) {
            place.insert(row.clone());
            let position = write.tables.next_position();
            write.tables.evidence(LeafKind::Erasure, position, row.certificate.as_bytes());
            if completes {
                write.tables.end_erasure(entry, row.issued_at);
            }
        }
        write.commit().await
    }

    pub(crate) async fn end_erasure(
        &self,
        controller: &ControllerId,
        entry: &EntryHash,
        now: UtcMicros,
    ) -> Result<(), StoreError> {
        let mut write = self.writing("end_erasure", controller).await?;
        write.tables.end_erasure(entry, now);
        write.commit().await
    }

    pub(crate) async fn certificates(
        &self,
        controller: &ControllerId,
        entry: &EntryHash,
    ) -> Result<Vec<CertificateRow>, StoreError> {
        let tables = self.reading("certificates", controller).await?;
        let issued = tables.certificates.range((*entry, 0)..=(*entry, u32::MAX));
        Ok(issued.map(|(_, row)| row.clone()).collect())
    }

    pub(crate) async fn fetch_deletions(
        &self,
        controller: &ControllerId,
        recipient: &Slug,
        after: i64,
        limit: u16,
        now: UtcMicros,
    ) -> Result<Vec<DeletionRow>, StoreError> {
        let mut write = self.writing("fetch_deletions", controller).await?;
        let of = write.tables.deletions.values_mut().filter(|row| row.recipient == *recipient);
        let waiting = of.filter(|row| row.position > after && row.confirmed_at.is_none());
        let mut fetched = Vec::new();
        for row in waiting.take(limit.into()) {
            fetched.push(row.clone());
            row.fetched_at.get_or_insert(now);
        }
        write.commit().await?;
        Ok(fetched)
    }

    pub(crate) async fn confirm_deletions(
        &self,
        controller: &ControllerId,
        recipient: &Slug,
        positions: &[i64],
        now: UtcMicros,
    ) -> Result<u64, StoreError> {
        let mut write = self.writing("confirm_deletions", controller).await?;
        let mut known = 0;
        for position in positions {
            let order = write.tables.deletions.get_mut(position);
            let order = order.filter(|row| row.recipient == *recipient && row.fetched_at.is_some());
            if let Some(order) = order {
                order.confirmed_at.get_or_insert(now);
                known += 1;
            }
        }
        write.commit().await?;
        Ok(known)
    }

    pub(crate) async fn deletions_of(
        &self,
        controller: &ControllerId,
        entry: &EntryHash,
    ) -> Result<Vec<DeletionRow>, StoreError> {
        let tables = self.reading("deletions_of", controller).await?;
        Ok(tables.deletions.values().filter(|row| row.entry == *entry).cloned().collect())
    }
}

impl Tables {
    fn end_erasure(&mut self, entry: &EntryHash, now: UtcMicros) {
        if let Some(order) = self.erasure_orders.get_mut(entry) {
            order.completed_at.get_or_insert(now);
        }
    }

    /// Where the batches of an epoch are.
    pub(super) fn positions_of(&self, epoch: EpochId) -> Vec<i64> {
        let of = self.batches.iter().filter(|(_, batch)| batch.epoch == epoch);
        of.map(|(position, _)| *position).collect()
    }

    /// How many batches of an epoch lie in what its recipient read for its purpose, and their flow.
    fn read_of(&self, fence: &Fence) -> (u64, Option<Slug>) {
        let is_read = |position: i64| {
            self.reads.values().any(|read| {
                (&read.recipient, &read.purpose) == (&fence.recipient, &fence.purpose)
                    && read.after < position
                    && position <= read.last
            })
        };
        let mut read = self.positions_of(fence.epoch);
        read.retain(|position| is_read(*position));
        (read.len() as u64, read.iter().map(|position| self.batches[position].flow.clone()).min())
    }
}
