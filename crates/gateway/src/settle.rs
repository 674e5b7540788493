//! Brings what waits in the spool in line with what holds now.

use crate::{chain, holds::Holds, status::Shared};
use vernport_policy::Standing;
use vernport_spool::Spool;
use vernport_types::Clock;

/// Once through all grants that something waits under.
pub(crate) async fn settle(holds: &Holds, spool: &Spool, clock: &dyn Clock, shared: &Shared) {
    let held = match spool.grants().await {
        Ok(held) => held,
        Err(error) => return tracing::error!(error = chain(&error), "the spool cannot be read"),
    };
    for held in held {
        let now = clock.now();
        let standing = holds.standing(held.grant, now);
        let idle = match standing {
            Standing::Send => held.parked == 0,
            Standing::Park(_) => held.queued == 0,
            Standing::Destroy(_) => false,
        };
        if idle {
            continue;
        }
        match spool.apply(held.grant, standing, now.wall).await {
            Ok(items) => {
                tracing::info!(?standing, items, "what waited was brought in line");
                shared.queued.notify_waiters();
            }
            Err(error) => {
                tracing::error!(error = chain(&error), "what waits could not be brought in line");
            }
        }
    }
}
