//! From the spool to the fleet's broker: asks for each message whether it may be
//! sent, publishes in order, and lets it go only on the broker's acknowledgement.

use crate::{chain, holds::Holds, status::Shared};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};
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

/// Pause before an operator of whom something was not taken is served again on a connection that stands.
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
            let rounds =
                in_turn(&self.operators, &self.shared.queued, |operator| self.round(&link, operator));
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = rounds => {}
            }
        }
        self.publisher.stop().await;
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
        let mut others = settled.len();
        let mut published = 0;
        let mut ended = None;
        for (item, receipt) in waiting {
            match receipt.outcome().await {
                Outcome::Acknowledged => {
                    published += 1;
                    settled.push((item, Settlement::Delivered));
                }
                Outcome::TooLong => {
                    tracing::error!(
                        %operator,
                        "a message is put aside and counted as skipped: \
                         the fleet's broker takes no packet as long as it"
                    );
                    others += 1;
                    settled.push((item, Settlement::Quarantined));
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

/// Serves the operators one after the other, until a message is lost with its connection. One of whom the
/// broker does not take something is set aside for a pause: the others do not wait behind it.
async fn in_turn<'a, R: Future<Output = Result<bool, Ended>>>(
    operators: &'a BTreeSet<Slug>,
    queued: &Notify,
    mut round: impl FnMut(&'a Slug) -> R,
) {
    let mut aside: BTreeMap<&Slug, Instant> = BTreeMap::new();
    loop {
        let rung = queued.notified();
        let mut sent = false;
        for operator in operators {
            if aside.get(operator).is_some_and(|until| Instant::now() < *until) {
                continue;
            }
            match round(operator).await {
                Ok(any) => sent |= any,
                Err(Ended::NotTaken) => {
                    aside.insert(operator, Instant::now() + NOT_TAKEN);
                }
                Err(Ended::Lost) => return,
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

fn is_late(queued_at: UtcMicros, now: UtcMicros) -> bool {
    now.0.saturating_sub(queued_at.0) > LATE_MICROS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stand::waiting::slug;
    use std::cell::RefCell;

    /// Serves until a connection is lost: what a round comes to is said by its operator and the time since
    /// the first. Who was served when.
    async fn served(
        operators: &[&str],
        round: impl Fn(&str, Duration) -> Result<bool, Ended>,
    ) -> Vec<(String, Duration)> {
        let operators = operators.iter().map(|name| slug(name)).collect();
        let (began, queued, served) = (Instant::now(), Notify::new(), RefCell::new(Vec::new()));
        let rounds = in_turn(&operators, &queued, |operator| {
            let since = began.elapsed();
            served.borrow_mut().push((operator.to_string(), since));
            let too_many = served.borrow().len() > 200;
            let went = if too_many { Err(Ended::Lost) } else { round(operator.as_str(), since) };
            async move {
                tokio::time::sleep(Duration::from_millis(400)).await;
                went
            }
        });
        rounds.await;
        served.into_inner()
    }

    #[tokio::test(start_paused = true)]
    async fn an_operator_whom_the_broker_refuses_holds_up_no_other() {
        let served = served(&["fjord", "hall", "skog"], |operator, since| match operator {
            "fjord" => Err(Ended::NotTaken),
            "skog" if since > Duration::from_secs(3) => Err(Ended::Lost),
            _ => Ok(true),
        })
        .await;
        let of = |name: &str| served.iter().filter(|(operator, _)| operator == name).count();
        assert_eq!((of("fjord"), of("hall"), of("skog")), (1, 4, 4), "{served:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_operator_that_was_set_aside_is_served_again_after_the_pause() {
        let served = served(&["fjord", "hall"], |operator, since| match operator {
            "hall" if since > Duration::from_secs(30) => Err(Ended::Lost),
            "hall" => Ok(true),
            _ => Err(Ended::NotTaken),
        })
        .await;
        let mut fjord = served.iter().filter(|(operator, _)| operator == "fjord").map(|(_, since)| *since);
        let (first, second) = (fjord.next(), fjord.next());
        assert!(first.zip(second).is_some_and(|(first, second)| second - first >= NOT_TAKEN), "{served:?}");
    }
}
