//! Who is asked how the gateway stands: puts together what its parts have counted. Nothing
//! is counted for it, and nothing waits for it.

use crate::{
    config::Config,
    holds::Holds,
    metrics,
    path::{Moment, Plan, believed_until, path},
    status::{Shared, Status},
};
use std::sync::{Arc, atomic::Ordering};
use vernport_spool::{ReadError, Spool};
use vernport_status::{Family, PathStatus, Subject};
use vernport_types::{Clock, Stamp};

#[derive(Debug)]
pub(crate) struct Told {
    shared: Arc<Shared>,
    spool: Spool,
    holds: Holds,
    clock: ClockOf,
    plan: Plan,
    started: Stamp,
}

/// A clock says nothing of itself.
struct ClockOf(Arc<dyn Clock>);

impl std::fmt::Debug for ClockOf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

impl Told {
    pub(crate) fn new(
        config: &Config,
        shared: &Arc<Shared>,
        spool: &Spool,
        holds: &Holds,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        Self {
            shared: Arc::clone(shared),
            spool: spool.clone(),
            holds: holds.clone(),
            clock: ClockOf(Arc::clone(clock)),
            plan: Plan::new(config),
            started: clock.now(),
        }
    }

    pub(crate) fn spool(&self) -> Spool {
        self.spool.clone()
    }

    /// How it is now.
    pub(crate) async fn look(&self) -> Result<Status, ReadError> {
        // A gateway that waits for room counts no more. And in the order in which a reading goes: what is
        // not gathered any more is in the spool by then.
        let seen = self.shared.seen();
        Ok(self.shared.read(seen, self.spool.status().await?, self.links()))
    }

    fn links(&self) -> usize {
        self.holds.with_chain(|chain| chain.waiting().len())
    }

    async fn moment(&self, lives: bool) -> (Status, Moment) {
        let (status, spool_read) = match self.look().await {
            Ok(status) => (status, true),
            Err(error) => {
                tracing::warn!(error = crate::chain(&error), "the spool cannot be asked how it is");
                (self.shared.read(self.shared.seen(), Default::default(), self.links()), false)
            }
        };
        let heard = status.head.map(|(_, asked)| asked);
        let moment = Moment {
            now: self.clock.0.now(),
            started: self.started,
            lives,
            spool_read,
            believed_until: believed_until(&self.holds.table(), heard),
        };
        (status, moment)
    }
}

impl Subject for Told {
    fn turns(&self) -> u64 {
        self.shared.turns.load(Ordering::Relaxed)
    }

    async fn status(&self, lives: bool) -> PathStatus {
        let (status, moment) = self.moment(lives).await;
        path(&status, &self.plan, &moment)
    }

    async fn metrics(&self, lives: bool) -> Vec<Family> {
        let (status, moment) = self.moment(lives).await;
        metrics::families(&status, &self.plan, &moment)
    }
}
