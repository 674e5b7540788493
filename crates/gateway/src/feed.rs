//! Listens to central: a long poll for grants and heads. What closes counts at
//! once, in the table and in the spool; what cannot be verified changes nothing.

use crate::{chain, driver::Input, holds::Holds, status::Shared};
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use vernport_crypto::random;
use vernport_policy::Standing;
use vernport_spool::Spool;
use vernport_types::Clock;
use vernport_uplink::{Backoff, FeedError, HeadGuard, Uplink};

/// How long central may hold the question. Heads come at least this often.
const WAIT: Duration = Duration::from_secs(3);
/// First and longest pause after a failure: short, because nothing that needs a lease outlives it long.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

pub(crate) struct Feed {
    pub(crate) uplink: Uplink,
    pub(crate) guard: HeadGuard,
    pub(crate) holds: Holds,
    pub(crate) spool: Spool,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) inputs: mpsc::Sender<Input>,
    pub(crate) shared: Arc<Shared>,
}

impl Feed {
    /// Listens until shutdown.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        let mut backoff = Backoff::new(BACKOFF.0, BACKOFF.1);
        let mut known = None;
        loop {
            let question = self.uplink.feed(&mut self.guard, random(), known, WAIT);
            let answer = tokio::select! {
                () = shutdown.cancelled() => return,
                answer = question => answer,
            };
            match answer {
                Ok(feed) => {
                    backoff.succeeded();
                    match self.apply(feed).await {
                        Ok(hash) => known = Some(hash),
                        Err(error) => {
                            tracing::error!(error = chain(&error), "a state of central cannot be used");
                        }
                    }
                }
                Err(error) => {
                    // A state that is not believed is asked for anew, whole.
                    if matches!(error, FeedError::State(_)) {
                        known = None;
                    }
                    tracing::warn!(error = chain(&error), "no grants from central");
                    self.shared.central_failed();
                    tokio::select! {
                        () = shutdown.cancelled() => return,
                        () = tokio::time::sleep(backoff.failed(u32::from_le_bytes(random()), None)) => {}
                    }
                }
            }
        }
    }

    async fn apply(&self, feed: vernport_api::Feed) -> Result<[u8; 32], vernport_policy::ApplyError> {
        let head = feed.head.head;
        let received = self.clock.now();
        match feed.snapshot {
            Some(snapshot) => {
                let expected = snapshot.grants.len();
                self.holds.apply(snapshot, &head, received)?;
                self.shared.expects(expected);
                self.settle().await;
                // The pipeline looks at its visits again; when it is gone, so are we.
                let _ = self.inputs.send(Input::Grants).await;
            }
            None => {
                self.holds.refresh(&head, received)?;
                // What was parked because the last head was too old may go on.
                self.settle().await;
            }
        }
        self.shared.head(head, received);
        Ok(head.snapshot_hash)
    }

    /// Brings what waits in the spool in line with what holds now.
    async fn settle(&self) {
        let held = match self.spool.grants().await {
            Ok(held) => held,
            Err(error) => return tracing::error!(error = chain(&error), "the spool cannot be read"),
        };
        for held in held {
            let now = self.clock.now();
            let standing = self.holds.standing(held.grant, now);
            let idle = match standing {
                Standing::Send => held.parked == 0,
                Standing::Park(_) => held.queued == 0,
                Standing::Destroy(_) => false,
            };
            if idle {
                continue;
            }
            match self.spool.apply(held.grant, standing, now.wall).await {
                Ok(items) => {
                    tracing::info!(?standing, items, "what waited was brought in line");
                    self.shared.queued.notify_waiters();
                }
                Err(error) => {
                    tracing::error!(error = chain(&error), "what waits could not be brought in line");
                }
            }
        }
    }
}
