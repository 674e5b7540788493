//! Workshop tools: the gateway's side, which takes their messages in, and a
//! tool's own side, for the demo, `vernport publish` and tests.

use crate::{
    backoff::Backoff,
    endpoint::Endpoint,
    inbox::{AckHandle, Inbox, InboxConfig, Message},
    limits::{Gauge, ToolLimits},
    outbox::{Outbox, OutboxConfig, Outcome, Outgoing},
    status::{LinkState, LinkStatus},
    tool_result::{ResultCode, ToolResult},
    topic::{PayloadForm, ToolAddress, readings_filters},
    wire::Cause,
};
use bytes::Bytes;
use std::{fmt, time::Duration};
use tokio::sync::watch;
use vernport_types::Slug;

/// A tool's message, within its limits, from the topic of an address. `Debug`
/// does not show the payload.
pub struct Inbound {
    /// Site, station and tool, out of the topic. The broker let nobody else publish there.
    pub tool: ToolAddress,
    /// How it is written.
    pub form: PayloadForm,
    /// What it sent: for [`crate::Dialect::read`].
    pub payload: Bytes,
    /// Its packet identifier: until it is acknowledged it comes again under the same one, and no other does.
    pub packet: u16,
    /// Whether the broker says that it has sent it before.
    pub repeated: bool,
    /// To be called when the decision is durable. Dropped unused, the message comes again.
    pub ack: AckHandle,
}

impl fmt::Debug for Inbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Inbound({}, {} bytes)", self.tool, self.payload.len())
    }
}

/// The gateway's side: readings of all tools of a site, or of one station.
pub struct ToolInbox {
    inbox: Inbox,
    gauge: Gauge,
    limited: watch::Sender<u64>,
}

impl ToolInbox {
    /// Connects in the background, again and again, until stopped.
    pub fn start(endpoint: Endpoint, site: &Slug, station: Option<&Slug>, limits: ToolLimits) -> Self {
        let config = InboxConfig::new(endpoint, readings_filters(site, station));
        Self::with_config(config, limits)
    }

    /// The same, with the bounds of the link as they are given.
    pub fn with_config(config: InboxConfig, limits: ToolLimits) -> Self {
        Self { inbox: Inbox::start(config), gauge: Gauge::new(limits), limited: watch::Sender::new(0) }
    }

    /// The next message; `None` once stopped. A tool over its rate is answered
    /// `limited`; what was retained, or stands on a topic that is no tool's, is
    /// dropped: neither can be a reading of now.
    pub async fn next(&mut self) -> Option<Inbound> {
        loop {
            let message = self.inbox.next().await?;
            let tool = ToolAddress::from_readings_topic(&message.topic).filter(|_| !message.retained);
            let Some((tool, form)) = tool else {
                tracing::warn!("dropped a message that was retained or on no tool's topic");
                message.ack.done();
                continue;
            };
            if !self.gauge.admit(&tool) {
                tracing::warn!(%tool, "tool is over its rate");
                self.limited.send_modify(|limited| *limited += 1);
                self.answer(&tool, &ToolResult::new(None, ResultCode::Limited));
                message.ack.done();
                continue;
            }
            let Message { payload, packet, repeated, ack, .. } = message;
            return Some(Inbound { tool, form, payload, packet, repeated, ack });
        }
    }

    /// Publishes the answer on the tool's result topic. Advice only: the tool
    /// that misses it sends its message again, and gets it again.
    pub fn answer(&self, tool: &ToolAddress, result: &ToolResult) {
        self.inbox.reply(tool.result_topic(), result.to_json());
    }

    /// The state of the link, as it changes. Up means: subscribed.
    pub fn status(&self) -> watch::Receiver<LinkStatus> {
        self.inbox.status()
    }

    /// How many messages were answered `limited`, as it grows.
    pub fn limited(&self) -> watch::Receiver<u64> {
        self.limited.subscribe()
    }

    /// Leaves the broker; what tools send meanwhile waits there.
    pub async fn stop(self) {
        self.inbox.stop().await;
    }
}

/// A tool's own side.
pub struct ToolClient {
    outbox: Outbox,
    results: Inbox,
    address: ToolAddress,
}

impl ToolClient {
    /// Connects twice under the tool's identity: once to send, once to hear the
    /// results, with `-results` appended to the client id.
    pub fn start(endpoint: Endpoint, address: ToolAddress) -> Self {
        let mut listening = endpoint.clone();
        listening.client_id += "-results";
        let mut config = InboxConfig::new(listening, vec![address.result_topic()]);
        config.session_expiry_s = 0;
        let results = Inbox::start(config);
        let outbox = Outbox::start(OutboxConfig {
            endpoint,
            window: 16,
            ack_timeout: Duration::from_secs(20),
            backoff: Backoff::default(),
            presence: None,
        });
        Self { outbox, results, address }
    }

    /// Waits until results can be heard and readings sent; `false` once stopped.
    pub async fn ready(&self) -> bool {
        let mut hearing = self.results.status();
        let heard = hearing.wait_for(|status| status.state == LinkState::Up).await.is_ok();
        heard && self.outbox.link().await.is_some()
    }

    /// Sends a payload to the tool's reading topic, and waits for the broker's answer.
    pub async fn send(&self, payload: Vec<u8>) -> Outcome {
        self.send_as(PayloadForm::Text, payload).await
    }

    /// The same to the topic of a form.
    pub async fn send_as(&self, form: PayloadForm, payload: Vec<u8>) -> Outcome {
        let Some(link) = self.outbox.link().await else { return Outcome::Lost };
        let topic = self.address.readings_topic(form);
        link.send(Outgoing { topic, payload: payload.into(), expiry_s: None }).await.outcome().await
    }

    /// The next result; `None` once stopped. What is no result is passed over.
    pub async fn result(&mut self) -> Option<ToolResult> {
        loop {
            let message = self.results.next().await?;
            message.ack.done();
            if let Ok(result) = serde_json::from_slice(&message.payload) {
                return Some(result);
            }
        }
    }

    /// Why one of its connections is down, while it is.
    pub fn trouble(&self) -> Option<Cause> {
        let cause = |status: watch::Receiver<LinkStatus>| {
            let status = status.borrow();
            status.last_cause.clone().filter(|_| status.state == LinkState::Down)
        };
        cause(self.outbox.status()).or_else(|| cause(self.results.status()))
    }

    /// Leaves the broker.
    pub async fn stop(self) {
        self.outbox.stop().await;
        self.results.stop().await;
    }
}
