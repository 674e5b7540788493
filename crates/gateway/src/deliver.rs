//! From the spool to central: asks for each batch whether it may be sent, sends,
//! and lets it go only on central's commit. One batch that central cannot take
//! holds up no other: what says `retry` is passed over until the next round, what
//! is refused for its bytes goes into quarantine.

use crate::{chain, holds::Holds, status::Shared};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use vernport_api::{Answer, Code};
use vernport_crypto::random;
use vernport_policy::Standing;
use vernport_spool::{Item, Page, Settlement, Spool, StoredBatch};
use vernport_types::{BootMicros, Clock, Reason, UtcMicros};
use vernport_uplink::{Backoff, CallError, SendError, Uplink};

/// How many envelopes are looked at in one go, and how many bytes of them.
const PAGE: Page = Page::front(64, 4 << 20);
/// How often the spool is looked at when nobody rings.
const IDLE: Duration = Duration::from_secs(5);
/// How often it is swept, however much there is to do.
const SWEEP_EVERY: Duration = Duration::from_secs(5);
/// How far ahead of central a clock may be and still say what is due: as at central itself.
const MAX_AHEAD_MICROS: i64 = 4 * 86_400 * 1_000_000;
/// First and longest pause after a failure.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));

pub(crate) struct Deliver {
    pub(crate) uplink: Uplink,
    pub(crate) holds: Holds,
    pub(crate) spool: Spool,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) shared: Arc<Shared>,
    /// When the spool was last swept.
    pub(crate) swept: Instant,
    /// The time of the last head before this process began, and when that was, by the boot clock.
    pub(crate) kept: Option<(UtcMicros, BootMicros)>,
}

impl Deliver {
    /// Delivers until shutdown.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        let mut backoff = Backoff::new(BACKOFF.0, BACKOFF.1);
        loop {
            let shared = Arc::clone(&self.shared);
            let (rung, back, resumed) =
                (shared.queued.notified(), shared.central_back.notified(), shared.resumed.notified());
            tokio::pin!(rung, back, resumed);
            let went = tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                // What was under way on the old connection is answered `duplicate` if it arrived.
                () = &mut resumed => continue,
                went = self.round() => went,
            };
            let (pause, why) = match went {
                Ok(()) => {
                    backoff.succeeded();
                    (IDLE, Pause::Idle)
                }
                Err(Failed { retry_after }) => {
                    let why = if retry_after.is_some() { Pause::Asked } else { Pause::Failed };
                    (backoff.failed(u32::from_le_bytes(random()), retry_after), why)
                }
            };
            let over = tokio::time::sleep(pause);
            tokio::pin!(over);
            loop {
                tokio::select! {
                    biased;
                    () = shutdown.cancelled() => return,
                    () = &mut rung, if why == Pause::Idle => break,
                    () = &mut back, if why == Pause::Failed => break,
                    () = &mut resumed, if why != Pause::Asked => break,
                    () = &mut over => break,
                    () = tokio::time::sleep_until(self.swept + SWEEP_EVERY) => self.sweep_if_due().await,
                }
            }
        }
    }

    /// Once through the queue, page by page. Between two pages of what waited before goes one of what
    /// has come since: live readings do not wait behind a long queue. Fails at the end when a batch has to
    /// be tried again.
    async fn round(&mut self) -> Result<(), Failed> {
        let mut retry = false;
        let mut old = 0;
        let mut new = self.spool.last_batch_row().await.map_err(|error| unread(&error))?;
        loop {
            // Between two calls: what is under way is not destroyed meanwhile.
            self.sweep_if_due().await;
            self.next_page(&mut new, &mut retry).await?;
            if !self.next_page(&mut old, &mut retry).await? {
                break;
            }
        }
        if retry { Err(Failed { retry_after: None }) } else { Ok(()) }
    }

    /// Settles and sends the page behind `after`, and moves that on; false where there is none.
    async fn next_page(&self, after: &mut i64, retry: &mut bool) -> Result<bool, Failed> {
        let page = Page { after: *after, ..PAGE };
        let batches = self.spool.next_batches(page).await.map_err(|error| unread(&error))?;
        let Some(last) = batches.last().map(|batch| batch.row) else { return Ok(false) };
        match self.page(batches).await? {
            Went::Through => *after = last,
            Went::ThroughWithRetries => (*after, *retry) = (last, true),
            // One of the page is in quarantine now; the others are read again.
            Went::Blocked => {}
        }
        Ok(true)
    }

    /// Settles and sends one page.
    async fn page(&self, batches: Vec<StoredBatch>) -> Result<Went, Failed> {
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
        let (mut rest, mut went) = (&sendable[..], Went::Through);
        while !rest.is_empty() {
            match self.send(rest).await? {
                (_, Went::Blocked) => return Ok(Went::Blocked),
                (done, Went::Through) => rest = &rest[done..],
                (done, Went::ThroughWithRetries) => (rest, went) = (&rest[done..], Went::ThroughWithRetries),
            }
        }
        Ok(went)
    }

    /// Sends as many as one call holds; how many that were.
    async fn send(&self, batches: &[StoredBatch]) -> Result<(usize, Went), Failed> {
        let items: Vec<_> = batches.iter().map(|batch| (batch.grant, &batch.sealed)).collect();
        let answers = match self.uplink.send(&items).await {
            Ok(answers) => answers,
            Err(error) => {
                self.shared.central_failed();
                self.shared.delivering(|delivering| delivering.failing = true);
                tracing::warn!(error = chain(&error), "batches wait: central did not take them");
                let Some(item) = to_blame(&error).filter(|item| *item < batches.len()) else {
                    return Err(Failed { retry_after: retry_after(&error) });
                };
                self.shared.delivering(|delivering| delivering.quarantined += 1);
                // Nothing of the call took effect.
                tracing::error!(batch = %batches[item].batch, "a batch that central cannot take goes into quarantine");
                self.settle(vec![(Item::Batch(batches[item].batch), Settlement::Quarantined)]).await?;
                return Ok((0, Went::Blocked));
            }
        };
        let answered = answers.len();
        self.shared.delivering(|delivering| delivering.take(&answers));
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
        self.shared.delivered(delivered, self.clock.now().wall);
        self.shared.settled(others);
        Ok((answered, if retry { Went::ThroughWithRetries } else { Went::Through }))
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
            tracing::error!(
                error = chain(&error),
                "what central answered could not be noted; it is asked again"
            );
            Failed { retry_after: None }
        })
    }

    async fn sweep_if_due(&mut self) {
        if self.swept.elapsed() >= SWEEP_EVERY {
            self.sweep().await;
            self.swept = Instant::now();
        }
    }

    /// The time to destroy by: that of this box, unless it is too far ahead of what central said last and
    /// what has passed since. None before central was ever heard; then nothing is known to be due.
    fn time_to_sweep_by(&self) -> Option<UtcMicros> {
        let now = self.clock.now();
        let heard = self.shared.last_head().map(|(head, asked)| (head.at, asked.boot));
        let (at, boot) = heard.or(self.kept)?;
        let since = i64::try_from(now.boot.0.saturating_sub(boot.0)).unwrap_or(i64::MAX);
        let by_central = at.plus_micros(since);
        Some(if now.wall > by_central.plus_micros(MAX_AHEAD_MICROS) { by_central } else { now.wall })
    }

    async fn sweep(&self) {
        let Some(now) = self.time_to_sweep_by() else { return };
        match self.spool.sweep(now).await {
            Ok(0) => {}
            Ok(items) => tracing::info!(items, "what was past its time was destroyed"),
            Err(error) => tracing::error!(error = chain(&error), "the spool could not be swept"),
        }
    }
}

/// How a page or a call went.
enum Went {
    /// Everything has its answer.
    Through,
    /// Everything has its answer, and some of them say: again.
    ThroughWithRetries,
    /// One batch was put into quarantine, and nothing else was sent.
    Blocked,
}

/// What a pause is for, and so what cuts it short.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pause {
    /// Nothing is left to do: new work does.
    Idle,
    /// Something failed: that central answers again does, or that the box slept.
    Failed,
    /// Central asked for it: nothing does.
    Asked,
}

fn unread(error: &vernport_spool::ReadError) -> Failed {
    tracing::error!(error = chain(error), "the spool cannot be read");
    Failed { retry_after: None }
}

/// A round that has to be tried again later; the cause was logged.
struct Failed {
    retry_after: Option<Duration>,
}

/// The item that is refused for its bytes, and would be again.
fn to_blame(error: &SendError) -> Option<usize> {
    match error {
        SendError::Envelope { item, .. } => Some(*item),
        SendError::Call(CallError::Refused(problem)) => {
            let of_bytes = matches!(
                problem.code,
                Code::EnvelopeMalformed
                    | Code::EnvelopeForged
                    | Code::EnvelopeNotOfGrant
                    | Code::BatchIdReused
            );
            problem.item.filter(|_| of_bytes)
        }
        _ => None,
    }
}

fn retry_after(error: &SendError) -> Option<Duration> {
    match error {
        SendError::Call(CallError::Busy { retry_after, .. }) => *retry_after,
        _ => None,
    }
}

#[cfg(test)]
mod tests;
