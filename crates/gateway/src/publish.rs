//! From the spool to the fleet's broker: asks for each message whether it may be
//! sent, publishes in order, and lets it go only on the broker's acknowledgement.

use crate::{chain, holds::Holds, status::Shared};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;
use vernport_mqtt::{FleetLink, Numbers, Outcome, PublishError, Publisher, Receipt};
use vernport_policy::Standing;
use vernport_spool::{Item, Page, Settlement, Spool, StoredTopic};
use vernport_types::{Clock, Reason, Slug, UtcMicros};

/// How many messages are looked at in one go, and how many bytes of them.
const PAGE: Page = Page::front(64, 4 << 20);
/// How often the spool is looked at when nobody rings.
const IDLE: Duration = Duration::from_secs(5);
/// What has waited for longer than this is marked as late.
const LATE_MICROS: i64 = 60 * 1_000_000;

/// Pause before the same is tried again on a connection that stands.
const NOT_TAKEN: Duration = Duration::from_secs(5);

/// Why a page was not published to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// With the connection; the next one has its own pause.
    Lost,
    /// The broker refused a message, or what it took could not be noted.
    NotTaken,
}

pub(crate) struct Publish {
    pub(crate) publisher: Publisher,
    /// The fleet operators that the bundle names.
    pub(crate) operators: BTreeSet<Slug>,
    pub(crate) holds: Holds,
    pub(crate) spool: Spool,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) shared: Arc<Shared>,
}

impl Publish {
    /// Publishes until shutdown.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        self.shared.publishes(self.publisher.status(), self.operators.iter().cloned());
        loop {
            let link = tokio::select! {
                () = shutdown.cancelled() => break,
                link = self.publisher.link() => link,
            };
            let Some(link) = link else { break };
            let ended = tokio::select! {
                () = shutdown.cancelled() => break,
                ended = self.while_linked(&link) => ended,
            };
            if ended == Ended::NotTaken {
                tokio::select! {
                    () = shutdown.cancelled() => break,
                    () = tokio::time::sleep(NOT_TAKEN) => {}
                }
            }
        }
        self.publisher.stop().await;
    }

    /// Publishes until a message is lost with its connection, or the broker does not take it.
    async fn while_linked(&self, link: &FleetLink) -> Ended {
        loop {
            let rung = self.shared.queued.notified();
            let mut sent = false;
            for operator in &self.operators {
                match self.round(link, operator).await {
                    Ok(any) => sent |= any,
                    Err(ended) => return ended,
                }
            }
            if !sent {
                tokio::select! {
                    () = rung => {}
                    () = tokio::time::sleep(IDLE) => {}
                }
            }
        }
    }

    /// One page of one operator; whether there was anything.
    async fn round(&self, link: &FleetLink, operator: &Slug) -> Result<bool, Ended> {
        let messages = match self.spool.next_topics(operator, PAGE).await {
            Ok(messages) => messages,
            Err(error) => {
                tracing::error!(error = chain(&error), "the spool cannot be read");
                return Ok(false);
            }
        };
        let any = !messages.is_empty();
        let mut waiting: Vec<(Item, Receipt)> = Vec::with_capacity(messages.len());
        let mut settled: Vec<(Item, Settlement)> = Vec::new();
        for message in &messages {
            let item = Item::Topic(message.message);
            match self.begin(link, message).await {
                Ok(receipt) => waiting.push((item, receipt)),
                Err(settlement) => settled.push((item, settlement)),
            }
        }
        let others = settled.len();
        let mut published = 0;
        let mut ended = None;
        for (item, receipt) in waiting {
            match receipt.outcome().await {
                Outcome::Acknowledged => {
                    published += 1;
                    settled.push((item, Settlement::Delivered));
                }
                // What was lost or refused stays in the spool and goes again.
                Outcome::Lost => ended = Some(Ended::Lost),
                Outcome::Refused => {
                    ended.get_or_insert(Ended::NotTaken);
                }
            }
        }
        if !settled.is_empty()
            && let Err(error) = self.spool.settle(settled, self.clock.now().wall).await
        {
            tracing::error!(
                error = chain(&error),
                "acknowledgements could not be noted; the messages go again"
            );
            return Err(Ended::NotTaken);
        }
        self.shared.published(operator, published, others, self.clock.now().wall);
        self.shared.settled(others);
        if ended == Some(Ended::NotTaken) {
            tracing::warn!(%operator, "the fleet's broker refuses messages: see there what this gateway may publish");
        }
        ended.map_or(Ok(any), Err)
    }

    /// Publishes one message, or says what becomes of it instead.
    async fn begin(&self, link: &FleetLink, message: &StoredTopic) -> Result<Receipt, Settlement> {
        let now = self.clock.now();
        match self.holds.standing(message.grant, now) {
            Standing::Send => {}
            Standing::Park(reason) => return Err(Settlement::Parked(reason)),
            Standing::Destroy(reason) => return Err(Settlement::Destroyed(reason)),
        }
        let late = is_late(message.queued_at, now.wall);
        let numbers = Numbers { seq: message.seq, skipped: message.skipped };
        link.publish(&message.sealed, numbers, late, now.wall).await.map_err(|error| match error {
            PublishError::Expired => Settlement::Destroyed(Reason::Overdue),
            PublishError::Unreadable => {
                tracing::error!(error = chain(&error), "a message is put aside and counted as skipped");
                Settlement::Quarantined
            }
        })
    }
}

fn is_late(queued_at: UtcMicros, now: UtcMicros) -> bool {
    now.0.saturating_sub(queued_at.0) > LATE_MICROS
}
