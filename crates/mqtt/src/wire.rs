//! One connection of rumqttc, of either version, as a list of plain events.
//!
//! rumqttc's client is never reused: one connection is one client and one event
//! loop, thrown away together. So nothing of a lost session, no collision state
//! and no old acknowledgement can reach the next connection (decision note 0010).
//!
//! The polling task does nothing but poll and hand on; nobody awaits the client:
//! requests go by `try_*` into a channel that is larger than every window.

use crate::endpoint::{Endpoint, Protocol};
use bytes::Bytes;
use rumqttc::{Outgoing, v5};
use thiserror::Error;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Room for requests beyond the window: subscriptions, replies, a good-bye.
pub(crate) const SPARE_REQUESTS: usize = 64;
/// Events that wait for the owner before polling stops.
const EVENTS: usize = 256;
/// Largest packet that is read.
const PACKET_BYTES: usize = 2 * 1024 * 1024;

/// How a session is opened.
pub(crate) struct Opening<'a> {
    pub(crate) endpoint: &'a Endpoint,
    /// How long the broker keeps the session; `None` for a clean one.
    pub(crate) session_expiry_s: Option<u32>,
    /// Messages without acknowledgement, each way.
    pub(crate) window: u16,
    /// Retained last words: topic and payload.
    pub(crate) will: Option<(&'a str, &'a [u8])>,
}

/// A message that came in.
pub(crate) struct Arrived {
    pub(crate) topic: String,
    pub(crate) payload: Bytes,
    pub(crate) retain: bool,
    pub(crate) dup: bool,
    /// 0 at QoS 0.
    pub(crate) pkid: u16,
}

pub(crate) enum Event {
    Connected {
        session_present: bool,
        window: u16,
        /// The longest packet that the broker takes.
        packet_bytes: usize,
    },
    Arrived(Arrived),
    /// A message went out under this packet id, 0 at QoS 0.
    Sent(u16),
    /// The broker answered it.
    Answered {
        pkid: u16,
        taken: bool,
    },
    Subscribed {
        granted: bool,
    },
    Down(Cause),
}

/// Why a connection ended. Carries no topic and no payload.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Cause {
    /// The broker refuses us.
    #[error("the broker refused the connection: {0}")]
    Refused(String),
    /// TLS or the network.
    #[error("no connection to the broker: {0}")]
    Network(String),
    /// The broker or the protocol ended it.
    #[error("the connection to the broker ended: {0}")]
    Ended(String),
    /// The broker did not confirm, or refused, a subscription.
    #[error("the broker did not grant the subscription")]
    Subscription,
    /// An acknowledgement was overdue.
    #[error("the broker did not acknowledge in time")]
    Unacknowledged,
    /// A message could not be taken in; it will come again.
    #[error("a message could not be taken in")]
    TakenBack,
    /// We ended it.
    #[error("stopped")]
    Stopped,
}

enum Client {
    V5(v5::AsyncClient),
    V311(rumqttc::AsyncClient),
}

/// The sending side of one connection. Dropping it ends the connection.
pub(crate) struct Wire {
    client: Client,
    _stop: DropGuard,
}

/// The request could not be queued: the connection is of no use any more.
#[derive(Debug)]
pub(crate) struct Stuck;

impl Wire {
    /// Starts to connect. The first event is `Connected` or `Down`, the last one `Down`.
    pub(crate) fn open(opening: &Opening<'_>) -> (Self, mpsc::Receiver<Event>) {
        let (events, receiver) = mpsc::channel(EVENTS);
        let stop = CancellationToken::new();
        let room = usize::from(opening.window) * 2 + SPARE_REQUESTS;
        let client = match opening.endpoint.protocol {
            Protocol::V5 => {
                let (client, eventloop) = v5::AsyncClient::new(options_v5(opening), room);
                tokio::spawn(poll_v5(eventloop, events, stop.clone()));
                Client::V5(client)
            }
            Protocol::V311 => {
                let (client, mut eventloop) = rumqttc::AsyncClient::new(options_v311(opening), room);
                eventloop.set_network_options(undelayed());
                tokio::spawn(poll_v311(eventloop, events, stop.clone(), opening.window));
                Client::V311(client)
            }
        };
        (Self { client, _stop: stop.drop_guard() }, receiver)
    }

    /// Queues a message. `expiry_s` is lost on MQTT 3.1.1, which has none.
    pub(crate) fn publish(
        &self,
        topic: &str,
        payload: Bytes,
        acked: bool,
        retain: bool,
        expiry_s: Option<u32>,
    ) -> Result<(), Stuck> {
        match &self.client {
            Client::V5(client) => {
                use v5::mqttbytes::QoS;
                let qos = if acked { QoS::AtLeastOnce } else { QoS::AtMostOnce };
                let properties = properties(expiry_s);
                client.try_publish_with_properties(topic, qos, retain, payload, properties).map_err(|_| Stuck)
            }
            Client::V311(client) => {
                let qos = if acked { rumqttc::QoS::AtLeastOnce } else { rumqttc::QoS::AtMostOnce };
                client.try_publish(topic, qos, retain, payload).map_err(|_| Stuck)
            }
        }
    }

    /// How long the packet of a message is that is to be acknowledged. MQTT 3.1.1 tells no bound to hold it against.
    pub(crate) fn packet_bytes(&self, topic: &str, payload: &Bytes, expiry_s: Option<u32>) -> usize {
        use v5::mqttbytes::{QoS, v5::Publish};
        let properties = Some(properties(expiry_s));
        let mut publish = Publish::new(topic, QoS::AtLeastOnce, payload.clone(), properties);
        publish.pkid = 1;
        publish.size()
    }

    pub(crate) fn subscribe(&self, filters: &[String]) -> Result<(), Stuck> {
        match &self.client {
            Client::V5(client) => {
                use v5::mqttbytes::{QoS, v5::Filter};
                let filters = filters.iter().map(|filter| Filter::new(filter, QoS::AtLeastOnce));
                client.try_subscribe_many(filters).map_err(|_| Stuck)
            }
            Client::V311(client) => {
                let filter =
                    |path: &String| rumqttc::SubscribeFilter::new(path.clone(), rumqttc::QoS::AtLeastOnce);
                client.try_subscribe_many(filters.iter().map(filter)).map_err(|_| Stuck)
            }
        }
    }

    /// Acknowledges a message that came in on this connection.
    pub(crate) fn acknowledge(&self, pkid: u16) -> Result<(), Stuck> {
        // Of the message, rumqttc looks at packet id and QoS only.
        match &self.client {
            Client::V5(client) => {
                use v5::mqttbytes::{QoS, v5::Publish};
                let publish = Publish { pkid, qos: QoS::AtLeastOnce, ..Default::default() };
                client.try_ack(&publish).map_err(|_| Stuck)
            }
            Client::V311(client) => {
                let mut publish = rumqttc::Publish::from_bytes("", rumqttc::QoS::AtLeastOnce, Bytes::new());
                publish.pkid = pkid;
                client.try_ack(&publish).map_err(|_| Stuck)
            }
        }
    }

    /// Says good-bye: no last words are spoken.
    pub(crate) fn disconnect(&self) {
        // Where it cannot be said, the connection is gone already.
        let _ = match &self.client {
            Client::V5(client) => client.try_disconnect().map_err(|_| Stuck),
            Client::V311(client) => client.try_disconnect().map_err(|_| Stuck),
        };
    }
}

fn properties(expiry_s: Option<u32>) -> v5::mqttbytes::v5::PublishProperties {
    v5::mqttbytes::v5::PublishProperties {
        message_expiry_interval: expiry_s,
        content_type: Some("application/json".to_owned()),
        ..Default::default()
    }
}

/// How many packet ids rumqttc goes through before it starts over. More than
/// the window, so that acknowledgements out of order seldom collide; it takes
/// room for each.
fn packet_ids(window: u16) -> u16 {
    window.saturating_mul(4).max(16)
}

/// Small packets go out at once, and do not wait for the other side's delayed acknowledgement.
fn undelayed() -> rumqttc::NetworkOptions {
    let mut options = rumqttc::NetworkOptions::new();
    options.set_tcp_nodelay(true);
    options
}

fn options_v5(opening: &Opening<'_>) -> v5::MqttOptions {
    let endpoint = opening.endpoint;
    let mut options = v5::MqttOptions::new(&endpoint.client_id, &endpoint.host, endpoint.port);
    options
        .set_transport(endpoint.transport())
        .set_keep_alive(endpoint.keep_alive())
        .set_manual_acks(true)
        .set_clean_start(opening.session_expiry_s.is_none())
        .set_session_expiry_interval(Some(opening.session_expiry_s.unwrap_or(0)))
        .set_receive_maximum(Some(opening.window))
        .set_outgoing_inflight_upper_limit(packet_ids(opening.window))
        .set_network_options(undelayed())
        .set_max_packet_size(u32::try_from(PACKET_BYTES).ok());
    if let Some((user, password)) = &endpoint.login {
        options.set_credentials(user, password.as_str());
    }
    if let Some((topic, payload)) = opening.will {
        use v5::mqttbytes::{QoS, v5::LastWill};
        options.set_last_will(LastWill::new(topic, payload, QoS::AtLeastOnce, true, None));
    }
    options
}

fn options_v311(opening: &Opening<'_>) -> rumqttc::MqttOptions {
    let endpoint = opening.endpoint;
    let mut options = rumqttc::MqttOptions::new(&endpoint.client_id, &endpoint.host, endpoint.port);
    options
        .set_transport(endpoint.transport())
        .set_keep_alive(endpoint.keep_alive())
        .set_manual_acks(true)
        .set_clean_session(opening.session_expiry_s.is_none())
        .set_inflight(packet_ids(opening.window))
        .set_max_packet_size(PACKET_BYTES, PACKET_BYTES);
    if let Some((user, password)) = &endpoint.login {
        options.set_credentials(user, password.as_str());
    }
    if let Some((topic, payload)) = opening.will {
        options.set_last_will(rumqttc::LastWill::new(topic, payload, rumqttc::QoS::AtLeastOnce, true));
    }
    options
}

/// Polls until the connection ends. Handing on may wait: then the network is
/// not read either, which is how a slow owner slows the broker down.
async fn poll_v5(mut eventloop: v5::EventLoop, events: mpsc::Sender<Event>, stop: CancellationToken) {
    use v5::mqttbytes::v5::{Packet, PubAckReason, SubscribeReasonCode};
    let poll = async {
        loop {
            let event = match eventloop.poll().await {
                Ok(v5::Event::Incoming(packet)) => match packet {
                    Packet::ConnAck(ack) => {
                        let told = ack.properties.as_ref();
                        let packet_bytes = told.and_then(|p| p.max_packet_size).map(usize::try_from);
                        Event::Connected {
                            session_present: ack.session_present,
                            window: told.and_then(|p| p.receive_max).unwrap_or(u16::MAX),
                            packet_bytes: packet_bytes.and_then(Result::ok).unwrap_or(usize::MAX),
                        }
                    }
                    Packet::Publish(publish) => {
                        let Ok(topic) = std::str::from_utf8(&publish.topic) else { continue };
                        Event::Arrived(Arrived {
                            topic: topic.to_owned(),
                            payload: publish.payload,
                            retain: publish.retain,
                            dup: publish.dup,
                            pkid: publish.pkid,
                        })
                    }
                    Packet::PubAck(ack) => Event::Answered {
                        pkid: ack.pkid,
                        taken: matches!(
                            ack.reason,
                            PubAckReason::Success | PubAckReason::NoMatchingSubscribers
                        ),
                    },
                    Packet::SubAck(ack) => Event::Subscribed {
                        granted: ack
                            .return_codes
                            .iter()
                            .all(|code| matches!(code, SubscribeReasonCode::Success(_))),
                    },
                    _ => continue,
                },
                Ok(v5::Event::Outgoing(Outgoing::Publish(pkid))) => Event::Sent(pkid),
                Ok(v5::Event::Outgoing(_)) => continue,
                Err(error) => Event::Down(cause_v5(&error)),
            };
            let last = matches!(event, Event::Down(_));
            if events.send(event).await.is_err() || last {
                return;
            }
        }
    };
    tokio::select! {
        () = poll => {}
        () = stop.cancelled() => {}
    }
}

fn cause_v5(error: &v5::ConnectionError) -> Cause {
    use v5::{ConnectionError, StateError};
    match error {
        ConnectionError::ConnectionRefused(code)
        | ConnectionError::MqttState(StateError::ConnFail { reason: code }) => {
            Cause::Refused(format!("{code:?}"))
        }
        ConnectionError::MqttState(StateError::ServerDisconnect { reason_code, .. }) => {
            Cause::Ended(format!("{reason_code:?}"))
        }
        ConnectionError::MqttState(StateError::Unsolicited(_)) => {
            Cause::Ended("an acknowledgement of nothing".to_owned())
        }
        ConnectionError::MqttState(StateError::Io(error)) | ConnectionError::Io(error) => {
            Cause::Network(error.to_string())
        }
        ConnectionError::Tls(error) => Cause::Network(error.to_string()),
        ConnectionError::Timeout(_) => Cause::Network("timed out".to_owned()),
        // The rest may repeat a packet.
        _ => Cause::Ended("protocol error or closed by the broker".to_owned()),
    }
}

async fn poll_v311(
    mut eventloop: rumqttc::EventLoop,
    events: mpsc::Sender<Event>,
    stop: CancellationToken,
    window: u16,
) {
    use rumqttc::{Packet, SubscribeReasonCode};
    let poll = async {
        loop {
            let event = match eventloop.poll().await {
                Ok(rumqttc::Event::Incoming(packet)) => match packet {
                    Packet::ConnAck(ack) => Event::Connected {
                        session_present: ack.session_present,
                        window,
                        packet_bytes: usize::MAX,
                    },
                    Packet::Publish(publish) => Event::Arrived(Arrived {
                        topic: publish.topic,
                        payload: publish.payload,
                        retain: publish.retain,
                        dup: publish.dup,
                        pkid: publish.pkid,
                    }),
                    Packet::PubAck(ack) => Event::Answered { pkid: ack.pkid, taken: true },
                    Packet::SubAck(ack) => Event::Subscribed {
                        granted: ack
                            .return_codes
                            .iter()
                            .all(|code| matches!(code, SubscribeReasonCode::Success(_))),
                    },
                    _ => continue,
                },
                Ok(rumqttc::Event::Outgoing(Outgoing::Publish(pkid))) => Event::Sent(pkid),
                Ok(rumqttc::Event::Outgoing(_)) => continue,
                Err(error) => Event::Down(cause_v311(&error)),
            };
            let last = matches!(event, Event::Down(_));
            if events.send(event).await.is_err() || last {
                return;
            }
        }
    };
    tokio::select! {
        () = poll => {}
        () = stop.cancelled() => {}
    }
}

fn cause_v311(error: &rumqttc::ConnectionError) -> Cause {
    use rumqttc::{ConnectionError, StateError};
    match error {
        ConnectionError::ConnectionRefused(code) => Cause::Refused(format!("{code:?}")),
        ConnectionError::MqttState(StateError::Unsolicited(_)) => {
            Cause::Ended("an acknowledgement of nothing".to_owned())
        }
        ConnectionError::MqttState(StateError::Io(error)) | ConnectionError::Io(error) => {
            Cause::Network(error.to_string())
        }
        ConnectionError::Tls(error) => Cause::Network(error.to_string()),
        ConnectionError::NetworkTimeout | ConnectionError::FlushTimeout => {
            Cause::Network("timed out".to_owned())
        }
        _ => Cause::Ended("protocol error or closed by the broker".to_owned()),
    }
}
