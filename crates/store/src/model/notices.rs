//! Notices to fleet operators.

use super::Session;
use crate::{NoticeRow, StoreError};
use std::collections::BTreeSet;
use vernport_types::{ControllerId, EntryHash, MessageId, Slug, UtcMicros, VehicleAlias};

impl Session {
    pub(crate) async fn order_notices(
        &self,
        controller: &ControllerId,
        notices: &[NoticeRow],
    ) -> Result<(), StoreError> {
        let mut write = self.writing("order_notices", controller).await?;
        for row in notices {
            let known = &mut write.tables.notices;
            if known.get(&row.id).is_none() && !known.values().any(|of| of.grant == row.grant) {
                known.insert(row.id, NoticeRow { told_at: None, confirmed_at: None, ..row.clone() });
            }
        }
        write.commit().await
    }

    pub(crate) async fn notices_to_tell(
        &self,
        controller: &ControllerId,
        before: UtcMicros,
        limit: u16,
    ) -> Result<Vec<NoticeRow>, StoreError> {
        let tables = self.reading("notices_to_tell", controller).await?;
        let open = tables.notices.values().filter(|row| row.confirmed_at.is_none());
        let mut open: Vec<_> = open.filter(|row| row.told_at.is_none_or(|at| at < before)).cloned().collect();
        open.sort_by_key(|row| (row.ordered_at, row.id));
        open.truncate(limit.into());
        Ok(open)
    }

    pub(crate) async fn note_told(
        &self,
        controller: &ControllerId,
        id: MessageId,
        now: UtcMicros,
    ) -> Result<(), StoreError> {
        let mut write = self.writing("note_told", controller).await?;
        if let Some(row) = write.tables.notices.get_mut(&id) {
            row.told_at = Some(now);
        }
        write.commit().await
    }

    pub(crate) async fn confirm_notice(
        &self,
        controller: &ControllerId,
        of: (&Slug, &Slug, VehicleAlias),
        id: MessageId,
        now: UtcMicros,
    ) -> Result<bool, StoreError> {
        let mut write = self.writing("confirm_notice", controller).await?;
        let row = write.tables.notices.get_mut(&id);
        let row = row.filter(|row| (&row.operator, &row.purpose, row.vehicle) == of);
        let is_known = row.is_some();
        if let Some(row) = row {
            row.confirmed_at.get_or_insert(now);
        }
        write.commit().await?;
        Ok(is_known)
    }

    pub(crate) async fn notices_of(
        &self,
        controller: &ControllerId,
        entry: &EntryHash,
    ) -> Result<Vec<NoticeRow>, StoreError> {
        let tables = self.reading("notices_of", controller).await?;
        let mut rows: Vec<_> = tables.notices.values().filter(|row| row.entry == *entry).cloned().collect();
        rows.sort_by_key(|row| (row.ordered_at, row.id));
        Ok(rows)
    }

    pub(crate) async fn late_with_deletion(
        &self,
        controller: &ControllerId,
        now: UtcMicros,
    ) -> Result<BTreeSet<(Slug, Slug)>, StoreError> {
        let tables = self.reading("late_with_deletion", controller).await?;
        let orders =
            tables.deletions.values().filter(|row| row.confirmed_at.is_none() && row.confirm_by <= now);
        let notices =
            tables.notices.values().filter(|row| row.confirmed_at.is_none() && row.confirm_by <= now);
        let orders = orders.map(|row| (row.recipient.clone(), row.purpose.clone()));
        Ok(orders.chain(notices.map(|row| (row.operator.clone(), row.purpose.clone()))).collect())
    }
}
