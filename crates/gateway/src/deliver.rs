//! From the spool to central: asks for each batch whether it may be sent, sends,
//! and lets it go only on central's commit.

use crate::{chain, holds::Holds, status::Shared};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;
use vernport_api::Answer;
use vernport_crypto::random;
use vernport_policy::Standing;
use vernport_spool::{Item, Page, Settlement, Spool, StoredBatch};
use vernport_types::{Clock, Reason};
use vernport_uplink::{Backoff, SendError, Uplink};

/// How many envelopes are looked at in one go, and how many bytes of them.
const PAGE: Page = Page::front(64, 4 << 20);
/// How often the spool is looked at when nobody rings, and swept.
const IDLE: Duration = Duration::from_secs(5);
/// First and longest pause after a failure.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));

pub(crate) struct Deliver {
    pub(crate) uplink: Uplink,
    pub(crate) holds: Holds,
    pub(crate) spool: Spool,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) shared: Arc<Shared>,
}

impl Deliver {
    /// Delivers until shutdown.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let mut backoff = Backoff::new(BACKOFF.0, BACKOFF.1);
        loop {
            let rung = self.shared.queued.notified();
            let pause = match self.round().await {
                Ok(true) => {
                    backoff.succeeded();
                    continue;
                }
                Ok(false) => {
                    backoff.succeeded();
                    IDLE
                }
                Err(Failed { retry_after }) => backoff.failed(u32::from_le_bytes(random()), retry_after),
            };
            // Only an idle wait is cut short by new work; a failure's pause is kept.
            let idle = pause == IDLE;
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = rung, if idle => {}
                () = tokio::time::sleep(pause) => self.sweep().await,
            }
        }
    }

    /// One page; false when there was nothing to send.
    async fn round(&self) -> Result<bool, Failed> {
        let batches = self.spool.next_batches(PAGE).await.map_err(|error| {
            tracing::error!(error = chain(&error), "the spool cannot be read");
            Failed { retry_after: None }
        })?;
        if batches.is_empty() {
            return Ok(false);
        }
        let now = self.clock.now();
        let (sendable, held): (Vec<_>, Vec<_>) =
            batches.into_iter().partition(|batch| self.holds.standing(batch.grant, now) == Standing::Send);
        let held = held.iter().map(|batch| match self.holds.standing(batch.grant, now) {
            Standing::Destroy(reason) => (Item::Batch(batch.batch), Settlement::Destroyed(reason)),
            Standing::Park(reason) => (Item::Batch(batch.batch), Settlement::Parked(reason)),
            // Opened again between the two looks: central asks once more anyway.
            Standing::Send => (Item::Batch(batch.batch), Settlement::Parked(Reason::GrantStale)),
        });
        self.settle(held.collect()).await?;
        if sendable.is_empty() {
            return Ok(true);
        }
        self.send(&sendable).await?;
        Ok(true)
    }

    async fn send(&self, batches: &[StoredBatch]) -> Result<(), Failed> {
        let items: Vec<_> = batches.iter().map(|batch| (batch.grant, &batch.sealed)).collect();
        let answers = self.uplink.send(&items).await.map_err(|error| {
            self.shared.central_failed();
            tracing::warn!(error = chain(&error), "batches wait: central did not take them");
            Failed { retry_after: retry_after(&error) }
        })?;
        let mut settlements = Vec::new();
        let mut retry = false;
        let mut delivered = 0;
        for (batch, answer) in batches.iter().zip(answers) {
            let settlement = match answer.answer {
                Answer::Committed | Answer::Duplicate => {
                    delivered += 1;
                    Settlement::Delivered
                }
                Answer::RefusedWithdrawn => Settlement::Destroyed(self.why_refused(batch)),
                Answer::ParkedRestricted => Settlement::Parked(Reason::Restricted),
                Answer::Retry => {
                    retry = true;
                    continue;
                }
            };
            settlements.push((Item::Batch(batch.batch), settlement));
        }
        let others = settlements.len() - delivered;
        self.settle(settlements).await?;
        self.shared.delivered(delivered);
        self.shared.settled(others);
        if retry { Err(Failed { retry_after: None }) } else { Ok(()) }
    }

    /// Central says that the basis is gone; the feed may have said why.
    fn why_refused(&self, batch: &StoredBatch) -> Reason {
        match self.holds.standing(batch.grant, self.clock.now()) {
            Standing::Destroy(reason) => reason,
            Standing::Park(_) | Standing::Send => Reason::NoGrant,
        }
    }

    async fn settle(&self, items: Vec<(Item, Settlement)>) -> Result<(), Failed> {
        if items.is_empty() {
            return Ok(());
        }
        self.spool.settle(items, self.clock.now().wall).await.map(drop).map_err(|error| {
            tracing::error!(error = chain(&error), "what central answered could not be noted; it is asked again");
            Failed { retry_after: None }
        })
    }

    async fn sweep(&self) {
        match self.spool.sweep(self.clock.now().wall).await {
            Ok(0) => {}
            Ok(items) => tracing::info!(items, "what was past its time was destroyed"),
            Err(error) => tracing::error!(error = chain(&error), "the spool could not be swept"),
        }
    }
}

/// A round that has to be tried again later; the cause was logged.
struct Failed {
    retry_after: Option<Duration>,
}

fn retry_after(error: &SendError) -> Option<Duration> {
    match error {
        SendError::Call(vernport_uplink::CallError::Busy { retry_after, .. }) => *retry_after,
        _ => None,
    }
}
