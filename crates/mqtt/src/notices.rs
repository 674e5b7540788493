//! What central and operators say to each other on a fleet broker: central tells what has to be
//! deleted and which of an operator's own numbers each vehicle has, and hears the answers to the former.
//!
//! Promises: a notice or a roster counts as told on its PUBACK; an answer is acknowledged to the broker only when
//! the caller says that it is kept; nothing is retained; the session of the answers stays at the broker
//! while central is away. What is no answer of version 1 is counted, acknowledged and passed over.

use crate::{
    DeletionConfirmed, DeletionNotice, Roster, Stream,
    backoff::Backoff,
    endpoint::Endpoint,
    inbox::{AckHandle, Inbox, InboxConfig, Message},
    outbox::{Outbox, OutboxConfig, Outcome, Outgoing},
    status::LinkStatus,
    topic::{confirmations_filter, roster_topic},
};
use std::{fmt, time::Duration};
use tokio::sync::watch;
use vernport_types::{MessageId, Slug};

/// Messages without an answer at a time.
const WINDOW: u16 = 16;
/// How old the oldest of them may get before the connection is dropped for a new one.
const ACK_TIMEOUT: Duration = Duration::from_secs(20);
/// How long the broker keeps answers while central is away, in seconds: as operators' sessions.
const AWAY_S: u32 = 72 * 60 * 60;

fn outbox(endpoint: Endpoint, backoff: Backoff) -> Outbox {
    Outbox::start(OutboxConfig {
        endpoint,
        window: WINDOW,
        ack_timeout: ACK_TIMEOUT,
        backoff,
        presence: None,
    })
}

/// An operator's answer. `Debug` names no vehicle.
pub struct Answer {
    /// On whose topic it came: operator, purpose and vehicle.
    pub stream: Stream,
    /// Of the notice.
    pub id: MessageId,
    /// To be called when it is kept. Dropped unused, it comes again.
    pub ack: AckHandle,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({:?})", self.id)
    }
}

/// Central's line to a fleet broker.
pub struct NoticeLink {
    outbox: Outbox,
    inbox: Inbox,
    foreign: u64,
}

impl NoticeLink {
    /// Connects in the background, again and again, until stopped: with the endpoint's client id, from
    /// which the second one, for what is told, is made with `.tell`.
    pub fn start(endpoint: Endpoint, backoff: Backoff) -> Self {
        let mut telling = endpoint.clone();
        telling.client_id += ".tell";
        let mut inbox = InboxConfig::new(endpoint, vec![confirmations_filter()]);
        (inbox.session_expiry_s, inbox.backoff) = (AWAY_S, backoff);
        Self { outbox: outbox(telling, backoff), inbox: Inbox::start(inbox), foreign: 0 }
    }

    /// Tells a notice, once. Waits for a connection. `expiry_s`: how long the broker may keep it.
    pub async fn tell(&self, stream: &Stream, notice: &DeletionNotice, expiry_s: u32) -> Outcome {
        self.send(stream.delete_topic(), notice.to_json(), expiry_s).await
    }

    /// Tells an operator which vehicle is which of its own, once, in the same way.
    pub async fn tell_roster(&self, operator: &Slug, roster: &Roster, expiry_s: u32) -> Outcome {
        self.send(roster_topic(operator), roster.to_json(), expiry_s).await
    }

    async fn send(&self, topic: String, payload: Vec<u8>, expiry_s: u32) -> Outcome {
        let Some(link) = self.outbox.link().await else { return Outcome::Lost };
        let payload = payload.into();
        link.send(Outgoing { topic, payload, expiry_s: Some(expiry_s) }).await.outcome().await
    }

    /// The next answer; `None` once stopped. It may be given up anywhere and loses nothing.
    pub async fn answer(&mut self) -> Option<Answer> {
        loop {
            let message = self.inbox.next().await?;
            match read(&message) {
                Some((stream, id)) => return Some(Answer { stream, id, ack: message.ack }),
                None => {
                    self.foreign += 1;
                    message.ack.done();
                }
            }
        }
    }

    /// Messages that were passed over.
    pub fn foreign(&self) -> u64 {
        self.foreign
    }

    /// The state of the line that answers come on, as it changes. Up means: subscribed.
    pub fn status(&self) -> watch::Receiver<LinkStatus> {
        self.inbox.status()
    }

    /// Leaves the broker; the session of the answers stays there.
    pub async fn stop(self) {
        self.outbox.stop().await;
        self.inbox.stop().await;
    }
}

fn read(message: &Message) -> Option<(Stream, MessageId)> {
    let (stream, last) = Stream::from_topic(&message.topic)?;
    let answer = DeletionConfirmed::from_json(&message.payload).ok()?;
    (last == Stream::DELETED).then_some((stream, answer.id))
}

/// Says as an operator that what a notice named is deleted; waits for a connection, and says it once.
pub struct Confirmer(Outbox);

impl Confirmer {
    /// Connects in the background, again and again, until stopped.
    pub fn start(endpoint: Endpoint) -> Self {
        Self(outbox(endpoint, Backoff::default()))
    }

    /// Says it once: [`Outcome::Acknowledged`] when the broker has it.
    pub async fn confirm(&self, stream: &Stream, id: MessageId) -> Outcome {
        let Some(link) = self.0.link().await else { return Outcome::Lost };
        let (topic, payload) = (stream.deleted_topic(), DeletionConfirmed::new(id).to_json().into());
        link.send(Outgoing { topic, payload, expiry_s: None }).await.outcome().await
    }

    /// The state of the line, as it changes.
    pub fn status(&self) -> watch::Receiver<LinkStatus> {
        self.0.status()
    }

    /// Leaves the broker.
    pub async fn stop(self) {
        self.0.stop().await;
    }
}
