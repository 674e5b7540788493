//! Fleet operators outside: each subscribes with its own login and counts what it gets.

use crate::{dev::DevController, stage::Stage};
use anyhow::{Context as _, Result};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;
use vernport_mqtt::{
    Delivery, FleetMessage, Heard, Interest, LinkState, LinkStatus, News, Stream, Subscription,
    SubscriptionConfig,
};
use vernport_types::Slug;

/// What all operators together have received.
#[derive(Debug, Clone, Default)]
pub(crate) struct Received {
    /// Messages by topic; deliveries of the same message count once.
    pub(crate) by_topic: BTreeMap<String, u64>,
    /// One message of each topic, as it was received.
    pub(crate) samples: BTreeMap<String, FleetMessage>,
}

impl Received {
    /// Different messages.
    pub(crate) fn messages(&self) -> u64 {
        self.by_topic.values().sum()
    }

    fn take(&mut self, delivery: Delivery) {
        let topic = delivery.topic();
        delivery.ack.done();
        if delivery.noted.news == News::Repeated {
            return;
        }
        *self.by_topic.entry(topic.clone()).or_default() += 1;
        self.samples.entry(topic).or_insert(delivery.message);
    }
}

/// The operators' subscriptions.
pub(crate) struct Subscriber {
    received: Arc<Mutex<Received>>,
    links: Vec<watch::Receiver<LinkStatus>>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Subscriber {
    /// Subscribes each operator that a bundle of the stage names.
    pub(crate) fn start(stage: &Stage, controllers: &[DevController]) -> Result<Self> {
        let brokers = stage.brokers.as_ref().context("the demo has brokers")?;
        let mut operators: BTreeSet<Slug> = BTreeSet::new();
        for controller in controllers {
            let flows = stage.gateway(controller)?.rules().flows();
            operators
                .extend(flows.iter().filter_map(|flow| Some(flow.deliver.topic.as_ref()?.operator.clone())));
        }
        let received = Arc::new(Mutex::new(Received::default()));
        let (stop, mut tasks, mut links) = (CancellationToken::new(), JoinSet::new(), Vec::new());
        for operator in operators {
            let config =
                SubscriptionConfig::new(brokers.operator(&operator)?, Interest::all(operator.clone()));
            let mut subscription = Subscription::start(config);
            links.push(subscription.status());
            let (received, stop) = (Arc::clone(&received), stop.clone());
            tasks.spawn(async move {
                while let Some(heard) = tokio::select! {
                    () = stop.cancelled() => None,
                    heard = subscription.next() => heard,
                } {
                    match heard {
                        Heard::Message(delivery) => {
                            received.lock().unwrap_or_else(PoisonError::into_inner).take(delivery);
                        }
                        other @ (Heard::Delete(_) | Heard::Roster(_)) => other.done(),
                    }
                }
                subscription.stop().await;
            });
        }
        Ok(Self { received, links, stop, tasks })
    }

    /// Waits until all are subscribed.
    pub(crate) async fn ready(&mut self) -> Result<()> {
        for link in &mut self.links {
            link.wait_for(|status| status.state == LinkState::Up)
                .await
                .context("a subscriber has stopped")?;
        }
        Ok(())
    }

    /// What was received until now.
    pub(crate) fn received(&self) -> Received {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Leaves the broker.
    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

/// A topic with the vehicle's alias cut short, for a table.
pub(crate) fn short(topic: &str) -> String {
    match Stream::from_topic(topic) {
        Some((stream, last)) => {
            let alias = stream.vehicle.to_string();
            format!("{}/{}/{}…/{last}", stream.operator, stream.purpose, &alias[..6])
        }
        None => topic.to_owned(),
    }
}
