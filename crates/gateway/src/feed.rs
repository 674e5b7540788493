//! Listens to central: a long poll for grants and heads. What closes counts at
//! once, in the table and in the spool; what cannot be verified changes nothing.

use crate::{chain, driver::Input, holds::Holds, last::Last, settle::settle, status::Shared};
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use vernport_crypto::random;
use vernport_spool::Spool;
use vernport_types::{Clock, Stamp};
use vernport_uplink::{Backoff, FeedError, HeadGuard, Uplink};

/// How long central may hold the question. Heads come at least this often.
const WAIT: Duration = Duration::from_secs(3);
/// An answer that was on its way for longer is old when it comes, and the next question is answered at once.
const LATE_MICROS: u64 = 5_000_000;
/// First and longest pause after a failure: short, because nothing that needs a lease outlives it long.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

pub(crate) struct Feed {
    pub(crate) uplink: Uplink,
    pub(crate) guard: HeadGuard,
    pub(crate) holds: Holds,
    pub(crate) spool: Spool,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) inputs: mpsc::Sender<Input>,
    pub(crate) kept: Last,
    pub(crate) shared: Arc<Shared>,
    pub(crate) known: KnownLinks,
}

/// The links of the station that central's grants know, up to the last, and that are remembered still.
#[derive(Debug, Default)]
pub(crate) struct KnownLinks(Option<u64>);

impl KnownLinks {
    fn hear(&mut self, known: Option<u64>) {
        self.0 = self.0.max(known);
    }

    /// Up to where they may be forgotten: not before grants that know them hold after a restart, too. Those
    /// from before would open again what was closed by them.
    fn to_forget(&self, is_kept: bool) -> Option<u64> {
        self.0.filter(|_| is_kept)
    }
}

/// A state of central that is in effect here.
struct Applied {
    /// Of its snapshot.
    hash: [u8; 32],
    /// Whether it is in effect after a restart, too.
    is_kept: bool,
}

impl Feed {
    /// Listens until shutdown.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        let mut backoff = Backoff::new(BACKOFF.0, BACKOFF.1);
        let mut known = None;
        // The first question after a silence is answered at once, whether or not there is news: what was parked
        // for want of a fresh head waits for that one.
        let mut wait = WAIT;
        loop {
            let asked = self.clock.now();
            let question = self.uplink.feed(&mut self.guard, random(), known, wait);
            let answer = tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                () = self.shared.resumed.notified() => {
                    wait = Duration::ZERO;
                    continue;
                }
                answer = question => answer,
            };
            let pause = match answer {
                Ok(feed) => {
                    let late = self.clock.now().boot.0.saturating_sub(asked.boot.0) > LATE_MICROS;
                    wait = if late { Duration::ZERO } else { WAIT };
                    match self.apply(feed, asked).await {
                        Ok(applied) => {
                            if backoff.failures() > 0 {
                                self.shared.central_back.notify_waiters();
                            }
                            backoff.succeeded();
                            // Central is not told that it is in effect where a restart would bring back what was
                            // before.
                            known = applied.is_kept.then_some(applied.hash);
                            if applied.is_kept {
                                continue;
                            }
                            BACKOFF.1
                        }
                        // The next one may be the same.
                        Err(error) => {
                            tracing::error!(error = chain(&error), "a state of central cannot be used");
                            backoff.failed(u32::from_le_bytes(random()), None)
                        }
                    }
                }
                Err(error) => {
                    wait = Duration::ZERO;
                    // A state that is not believed is asked for anew, whole.
                    if let FeedError::State(error) = &error {
                        known = None;
                        if error.is_rolled_back() {
                            self.close_all().await;
                        }
                    }
                    tracing::warn!(error = chain(&error), "no grants from central");
                    self.shared.central_failed();
                    backoff.failed(u32::from_le_bytes(random()), error.retry_after())
                }
            };
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                () = self.shared.resumed.notified() => backoff.succeeded(),
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// A registry that was rolled back may have lost a withdrawal: nothing of it is believed, also
    /// not what it said before.
    async fn close_all(&self) {
        if self.shared.rolled_back(true) {
            return;
        }
        tracing::error!(
            "central was rolled back: everything is closed here until its controller \
             begins a new era with `vernport registry restored`"
        );
        // Both are remembered over a restart: that it was behind, and the head, without its grants.
        self.kept.keep_behind(&self.spool, self.guard.behind()).await;
        if let (Some(last), Some(head)) = (self.holds.distrust(), self.guard.last()) {
            let _ = self.kept.keep(&self.spool, self.kept.seal(head, &last)).await;
        }
        self.settle().await;
        self.tell_driver();
    }

    /// Leases run from when the question was `asked`, since the answer cannot be older: it may have lain in a
    /// buffer of this box for as long as that slept.
    async fn apply(
        &mut self,
        feed: vernport_api::Feed,
        asked: Stamp,
    ) -> Result<Applied, vernport_policy::ApplyError> {
        let mut is_kept = true;
        let head = feed.head.head;
        let now = self.clock.now();
        let merged = feed.merged.as_ref().map(|signed| &signed.merged);
        let known = match feed.snapshot {
            Some(snapshot) => {
                let expected = snapshot.grants.len();
                let row = self.kept.seal(&head, &snapshot);
                self.holds.hear(feed.notices);
                let known = self.holds.apply(snapshot, &head, (asked, now), merged)?;
                self.shared.expects(expected);
                self.settle().await;
                is_kept = self.kept.keep(&self.spool, row).await;
                self.tell_driver();
                known
            }
            None => {
                let known = self.holds.refresh(&head, asked, merged)?;
                // What was parked because the last head was too old may go on.
                self.settle().await;
                known
            }
        };
        self.known.hear(known);
        if let Some(sequence) = self.known.to_forget(is_kept) {
            match self.spool.forget_links(sequence).await {
                Ok(_) => self.known = KnownLinks::default(),
                Err(error) => {
                    tracing::error!(
                        error = chain(&error),
                        "what central knows by now could not be forgotten"
                    );
                }
            }
        }
        self.shared.head(head, asked);
        if self.shared.rolled_back(false) {
            self.kept.keep_behind(&self.spool, None).await;
        }
        Ok(Applied { hash: head.snapshot_hash, is_kept })
    }

    /// The pipeline looks at its visits again. It does so soon by itself; while it waits for room nobody
    /// takes its inputs, and who stood behind them would hear of no withdrawal.
    fn tell_driver(&self) {
        let _ = self.inputs.try_send(Input::Grants);
    }

    async fn settle(&self) {
        settle(&self.holds, &self.spool, &*self.clock, &self.shared).await;
    }
}

#[cfg(test)]
mod tests;
