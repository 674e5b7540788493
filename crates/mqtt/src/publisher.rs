//! The one place that opens `Sealed<Storage>`: it takes a stored message out of
//! the gateway's own seal and puts it on the fleet operator's topic, at QoS 1,
//! with MQTT 5 expiry, never retained.
//!
//! The spool removes a message on [`crate::Outcome::Acknowledged`] and on nothing else.
//! Whether it may be sent is asked by the caller before each [`FleetLink::publish`],
//! also before the next attempt: nothing waits here.

use crate::{
    backoff::Backoff,
    endpoint::Endpoint,
    fleet_message::{complete, skipped_message},
    outbox::{Link, Outbox, OutboxConfig, Outgoing, Presence, Receipt},
    status::LinkStatus,
    topic::{Stream, status_topic},
};
use std::{sync::Arc, time::Duration};
use thiserror::Error;
use tokio::sync::watch;
use vernport_crypto::StorageKeys;
use vernport_seal::{Sealed, Storage, open_from_storage};
use vernport_types::{MessageId, Slug, UtcMicros};

/// Where to publish, and how.
#[derive(Debug, Clone)]
pub struct PublisherConfig {
    /// The fleet broker.
    pub endpoint: Endpoint,
    /// Whose status topic says, retained, whether this link is there.
    pub gateway: Slug,
    /// Messages without acknowledgement at one time; the broker may want fewer.
    pub window: u16,
    /// How old the oldest unacknowledged message may get before the connection
    /// is dropped for a new one.
    pub ack_timeout: Duration,
    /// Waits between connections.
    pub backoff: Backoff,
}

impl PublisherConfig {
    /// The usual bounds: 64 messages, 20 s.
    pub fn new(endpoint: Endpoint, gateway: Slug) -> Self {
        Self {
            endpoint,
            gateway,
            window: 64,
            ack_timeout: Duration::from_secs(20),
            backoff: Backoff::default(),
        }
    }
}

/// Why a stored message cannot be published, now or ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PublishError {
    /// Another storage key, or changed bytes.
    #[error("the stored message does not open with this storage key; it has to be named as skipped")]
    Unreadable,
    /// Its time was over before it could be sent.
    #[error("the stored message has expired; it has to be named as skipped")]
    Expired,
}

/// Publishes to one fleet broker.
pub struct Publisher {
    outbox: Outbox,
    keys: Arc<StorageKeys>,
}

impl Publisher {
    /// Connects in the background, again and again, until stopped.
    pub fn start(config: PublisherConfig, keys: Arc<StorageKeys>) -> Self {
        let presence = Presence {
            topic: status_topic(&config.gateway),
            online: status(&config.gateway, "online"),
            offline: status(&config.gateway, "offline"),
        };
        let outbox = Outbox::start(OutboxConfig {
            endpoint: config.endpoint,
            window: config.window,
            ack_timeout: config.ack_timeout,
            backoff: config.backoff,
            presence: Some(presence),
        });
        Self { outbox, keys }
    }

    /// Waits for a connection; `None` once stopped.
    ///
    /// Get a link, take messages from the spool in order, publish them, await
    /// their receipts; at the first lost one get a new link and start again from
    /// the oldest that is not acknowledged.
    pub async fn link(&self) -> Option<FleetLink> {
        Some(FleetLink { link: self.outbox.link().await?, keys: Arc::clone(&self.keys) })
    }

    /// The state of the link, as it changes.
    pub fn status(&self) -> watch::Receiver<LinkStatus> {
        self.outbox.status()
    }

    /// Says that the gateway is offline, and leaves.
    pub async fn stop(self) {
        self.outbox.stop().await;
    }
}

/// The place of a message in its stream; the spool knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbers {
    /// Its own number.
    pub seq: u64,
    /// How many numbers just before it never come.
    pub skipped: u64,
}

/// The right to publish on one connection.
#[derive(Clone)]
pub struct FleetLink {
    link: Link,
    keys: Arc<StorageKeys>,
}

impl FleetLink {
    /// Publishes a stored message under its number; waits while the window is full. Where numbers
    /// before it never come, a message on the `skipped` topic says so first. `late` says that it
    /// waited for a connection or was parked.
    ///
    /// # Errors
    /// [`PublishError`] if it can never be sent.
    pub async fn publish(
        &self,
        sealed: &Sealed<Storage>,
        numbers: Numbers,
        late: bool,
        now: UtcMicros,
    ) -> Result<Receipt, PublishError> {
        let message = self.keys.opening().find_map(|key| open_from_storage(key, sealed).ok());
        let message = message.ok_or(PublishError::Unreadable)?;
        let left_s = message.expiry().0.saturating_sub(now.0) / 1_000_000;
        if left_s < 1 {
            return Err(PublishError::Expired);
        }
        if numbers.skipped > 0 {
            let (stream, _) = Stream::from_topic(message.topic()).ok_or(PublishError::Unreadable)?;
            let id = gap_id(message.message_id());
            let (topic, payload) =
                skipped_message(&stream, id, numbers.seq.saturating_sub(1), numbers.skipped);
            // Its receipt is not awaited: packets keep their order, so it has come when the message has.
            self.link.send(Outgoing { topic, payload: payload.into(), expiry_s: None }).await;
        }
        let mut payload = message.payload().to_vec();
        complete(&mut payload, numbers.seq, late);
        let outgoing = Outgoing {
            topic: message.topic().to_owned(),
            payload: payload.into(),
            expiry_s: Some(u32::try_from(left_s).unwrap_or(u32::MAX)),
        };
        Ok(self.link.send(outgoing).await)
    }
}

/// The id of the gap before a message: the same on every delivery.
fn gap_id(message: MessageId) -> MessageId {
    let hash = vernport_crypto::sha256(&[b"vernport gap\0", &message.as_bytes()[..]].concat());
    MessageId::from_bytes(*hash.first_chunk().expect("32 bytes begin with 16"))
}

/// The payload of the status topic. Says nothing about any vehicle.
fn status(gateway: &Slug, state: &str) -> Vec<u8> {
    format!(r#"{{"v":1,"gateway":"{gateway}","status":"{state}"}}"#).into_bytes()
}
