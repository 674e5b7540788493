//! How much is open: every row looked at.

use super::Session;
use crate::{OpenWork, StoreError};
use vernport_types::{ControllerId, UtcMicros};

impl Session {
    pub(crate) async fn open_work(
        &self,
        controller: &ControllerId,
        late_before: UtcMicros,
        now: UtcMicros,
    ) -> Result<OpenWork, StoreError> {
        let tables = self.reading("open_work", controller).await?;
        let left = || tables.epochs.values().filter(|epoch| epoch.erased_at.is_none());
        let orders = tables.deletions.values().map(|order| (order.confirmed_at, order.confirm_by));
        let notices = tables.notices.values().map(|notice| (notice.confirmed_at, notice.confirm_by));
        let unconfirmed = orders.chain(notices).filter(|(confirmed_at, _)| confirmed_at.is_none());
        let confirm_by: Vec<UtcMicros> = unconfirmed.map(|(_, by)| by).collect();
        Ok(OpenWork {
            erasures: tables.erasure_orders.values().filter(|order| order.completed_at.is_none()).count()
                as u64,
            fenced_epochs: left().filter(|epoch| epoch.fenced_by.is_some()).count() as u64,
            deletions: confirm_by.len() as u64,
            deletions_overdue: confirm_by.iter().filter(|by| **by <= now).count() as u64,
            late_epochs: left()
                .filter(|epoch| epoch.fenced_by.is_none() && epoch.look_at <= late_before)
                .count() as u64,
            leaves: tables.leaves.len() as u64,
            swept: tables.swept.values().sum(),
        })
    }
}
