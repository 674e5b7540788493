//! Retention: every batch goes by its actual due (invariant 12), in the order of due and in
//! bounded steps. When that is follows from the ledger as it is now, so it is asked anew: an
//! epoch is looked at when something of it is due, and once an hour for what was said meanwhile.

use crate::{
    book::Known,
    cache::LoadError,
    controller::{Controller, State},
    refusal::Refusal,
};
use vernport_policy::{Kept, due};
use vernport_store::{KeptBatch, LookAt, StoreError};
use vernport_types::{EpochId, UtcMicros};

/// How many epochs are fetched at once.
const EPOCHS_A_STEP: u16 = 64;
/// How many batches are looked at, and go, in one transaction.
const BATCHES_A_STEP: u16 = 256;
/// An epoch of which nothing is due is looked at again after this.
const AGAIN_SECONDS: i64 = 3_600;
/// The longest that a gateway keeps one key epoch.
const EPOCH_SECONDS: i64 = 86_400;

impl Controller {
    /// Deletes what is due now.
    pub(crate) async fn sweep(&self, holder: &[u8; 16]) -> Result<(), Refusal> {
        loop {
            let now = self.clock.now().wall;
            if !self.goes_on(holder, now).await? {
                return Ok(());
            }
            let epochs = self.store.to_look_at(&self.id, now, EPOCHS_A_STEP).await?;
            if epochs.is_empty() {
                self.store.drop_partitions(now).await?;
                self.forget_numbers(now).await?;
                return Ok(());
            }
            let mut again = Vec::with_capacity(epochs.len());
            for look in epochs {
                if let Some(at) = self.sweep_epoch(&look, now).await? {
                    again.push((look.epoch, at));
                }
            }
            self.store.look_again(&self.id, &again).await?;
        }
    }

    /// Deletes what is due of an epoch; when to look at it again, unless it is over.
    async fn sweep_epoch(&self, look: &LookAt, now: UtcMicros) -> Result<Option<UtcMicros>, Refusal> {
        let (mut after, mut next, mut is_empty) = (i64::MIN, now.plus_seconds(AGAIN_SECONDS), true);
        loop {
            let batches = self.store.kept_batches(&self.id, look.epoch, after, BATCHES_A_STEP).await?;
            let Some(last) = batches.last() else { break };
            after = last.position;
            // Nothing can be said between the question and the deletion. What was said until now counts, also since
            // this round began, and also by a clock that is ahead of ours.
            let mut state = self.locked().await?;
            let heard = state.now(&*self.clock);
            let known = state.book.get(look.grant);
            let mut over = Vec::new();
            for batch in batches {
                match self.due_at(&state, known, look.epoch, &batch, heard) {
                    None => is_empty = false,
                    Some(at) if at <= now => over.push(batch),
                    Some(at) => (next, is_empty) = (next.min(at), false),
                }
            }
            if !over.is_empty() {
                self.store.sweep(&self.id, look.epoch, &over).await?;
            }
        }
        if is_empty && self.can_bring_no_more(look, now).await? {
            self.store.end_epoch(&self.id, look.epoch, now).await?;
            return Ok(None);
        }
        Ok(Some(next))
    }

    /// When retention takes a batch, by what is known now; none: a restriction suspends its deletion,
    /// or it is erased.
    fn due_at(
        &self,
        state: &State,
        known: Option<&Known>,
        epoch: EpochId,
        batch: &KeptBatch,
        now: UtcMicros,
    ) -> Option<UtcMicros> {
        // A grant that is not in the book is not in the store either: its envelope counts.
        let Some(known) = known else { return Some(batch.latest_due) };
        let opening = &known.opening;
        let Some(flow) = self.rules.find(&opening.flow) else {
            return match self.keeper_without_flow(state, opening, epoch, now) {
                None => Some(batch.latest_due),
                Some(keeper) => keeper.until.map(|until| batch.latest_due.max(until)),
            };
        };
        let kept = Kept {
            flow,
            asset: opening.asset,
            subjects: opening.subjects.clone(),
            order: opening.order,
            read_at: flow.retention.read_at(batch.latest_due, known.opened_at, batch.committed_at),
            latest_due: batch.latest_due,
            epoch,
        };
        let due = due(&state.facts, &self.rules, &kept, now);
        // What an order erases goes by that: its readers have to hear of it first.
        (due.restricted_by.is_none() && due.erased_by.is_none()).then_some(due.at)
    }

    /// Whether whatever a gateway still has of an epoch would be overdue when it came.
    async fn can_bring_no_more(&self, look: &LookAt, now: UtcMicros) -> Result<bool, StoreError> {
        let state = match self.locked().await {
            Ok(state) => state,
            Err(LoadError::Store(error)) => return Err(error),
            Err(LoadError::Entry) => return Err(StoreError::Row { table: "entry" }),
            // Another process serves by other rules, and looks by them; or nothing is known for certain.
            Err(LoadError::OtherRules | LoadError::SetBack) => return Ok(false),
        };
        let flow = state.book.get(look.grant).and_then(|known| self.rules.find(&known.opening.flow));
        // It began before its first batch came, and lasted a day at most.
        let last_reading = look.first_at.plus_seconds(EPOCH_SECONDS);
        Ok(flow.is_some_and(|flow| flow.retention.latest_due(last_reading) <= now))
    }
}
