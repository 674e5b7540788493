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
            // What waits for something else has another end: a restriction keeps it beyond its due time.
            Standing::Park(reason) => held.parked_for == Some(reason),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stand::{
        self, OPENING, SetClock, head, snapshot,
        waiting::{Place, batch, grant, topic, unit},
    };
    use vernport_types::Reason;

    /// A day and a bit: everything here is due by then.
    const LATER_SECONDS: u32 = 90_000;

    /// A spool with a batch and a message under one opening, and what is said of that, step by step.
    struct Waits {
        holds: Holds,
        spool: Spool,
        clock: std::sync::Arc<SetClock>,
        sequence: u64,
        _place: Place,
    }

    impl Waits {
        async fn for_nothing() -> Self {
            let place = Place::new();
            let spool = place.open().await;
            spool.queue(unit(vec![batch(1, OPENING)], vec![topic(1, OPENING, 1)])).await.expect("fits");
            let (holds, clock) = (stand::holds(&spool).await, SetClock::new());
            Self { holds, spool, clock, sequence: 0, _place: place }
        }

        /// Central says it of the opening.
        async fn hear(&mut self, closed: Option<Reason>) {
            self.sequence += 1;
            let said = snapshot(closed);
            let head = head(self.sequence, [0; 16], &said);
            let now = self.clock.now();
            self.holds.apply(said, &head, (now, now), None).expect("it applies");
            self.settle().await;
        }

        async fn settle(&self) {
            settle(&self.holds, &self.spool, &*self.clock, &Shared::default()).await;
        }

        /// How many are left after all are due.
        async fn left(&self) -> u64 {
            self.clock.pass(LATER_SECONDS);
            self.spool.sweep(self.clock.now().wall).await.expect("sweeps");
            let held = self.spool.grants().await.expect("reads");
            held.iter().map(|held| held.queued + held.parked).sum()
        }
    }

    #[tokio::test]
    async fn what_waited_for_a_fresh_head_is_kept_by_a_restriction_that_comes_meanwhile() {
        let mut waits = Waits::for_nothing().await;
        // Nothing was heard of its opening yet.
        waits.settle().await;
        assert_eq!(
            waits.spool.grants().await.expect("reads")[0].parked_for,
            Some(Reason::GrantStale),
            "it waits"
        );
        waits.hear(Some(Reason::Restricted)).await;
        assert_eq!(waits.left().await, 2);
        assert_eq!(
            waits.spool.apply(grant(OPENING), Standing::Send, waits.clock.now().wall).await.ok(),
            Some(2)
        );
    }

    #[tokio::test]
    async fn what_waits_for_a_fresh_head_after_a_restriction_goes_when_it_is_due() {
        let mut waits = Waits::for_nothing().await;
        waits.hear(Some(Reason::Restricted)).await;
        waits.hear(Some(Reason::GrantStale)).await;
        assert_eq!(waits.left().await, 0);
    }
}
