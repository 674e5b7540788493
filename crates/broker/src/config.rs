//! What a broker is started with: where it listens, who may do what, and every bound.

use crate::fault::Hook;
use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

/// Who a connection is, as [`Access::authenticate`] found. Owns its session:
/// nobody else can take over a client id.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Identity(Arc<str>);

impl Identity {
    /// An identity by its name.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.0)
    }
}

/// What a client shows when it connects. `Debug` hides the password.
#[derive(Clone, Copy)]
pub struct Login<'a> {
    /// The client id it asks for.
    pub client_id: &'a str,
    /// User name, where it sent one.
    pub user: Option<&'a str>,
    /// Password, where it sent one.
    pub password: Option<&'a str>,
    /// Common name of its verified client certificate, where it showed one.
    pub certificate_name: Option<&'a str>,
}

impl fmt::Debug for Login<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Login({}, {:?}, {:?})", self.client_id, self.user, self.certificate_name)
    }
}

/// Who may do what. Asked for each action, so that a change takes effect at
/// once. Called while the broker holds its lock: answer from memory.
pub trait Access: Send + Sync {
    /// Who this is; `None` refuses the connection.
    fn authenticate(&self, login: &Login<'_>) -> Option<Identity>;

    /// Whether it may publish to the topic.
    fn may_publish(&self, who: &Identity, topic: &str) -> bool;

    /// Whether what it publishes there may be retained. No, unless said otherwise.
    fn may_retain(&self, who: &Identity, topic: &str) -> bool {
        let _ = (who, topic);
        false
    }

    /// Whether it may subscribe to the filter.
    fn may_subscribe(&self, who: &Identity, filter: &str) -> bool;

    /// Whether it may be handed a message of this topic.
    fn may_receive(&self, who: &Identity, topic: &str) -> bool {
        let _ = (who, topic);
        true
    }
}

/// When a publisher's QoS 1 message is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Acknowledge {
    /// When every subscriber has it in its queue, as brokers do.
    #[default]
    OnReceipt,
    /// When every matching QoS 1 subscriber has acknowledged it. Nobody
    /// subscribed, or no room: refused. For a listener in front of one durable consumer.
    WhenDelivered,
}

/// Every bound of a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections at one time.
    pub connections: usize,
    /// Sessions, connected or not; the longest absent one makes room.
    pub sessions: usize,
    /// Largest packet, in bytes.
    pub packet_bytes: usize,
    /// Messages without acknowledgement, each way and per connection.
    pub inflight: u16,
    /// Messages waiting for one session.
    pub queue_messages: usize,
    /// Payload bytes waiting for one session.
    pub queue_bytes: usize,
    /// Subscriptions of one session.
    pub subscriptions: usize,
    /// Retained messages.
    pub retained: usize,
    /// How long an absent client's session is kept at most.
    pub session_expiry: Duration,
    /// Longest keep-alive; MQTT 5 clients are told to use this one instead of a longer or none.
    pub keep_alive_s: u16,
    /// Time from the TCP connection to a complete CONNECT.
    pub connect_timeout: Duration,
    /// Time that one write to a client may take.
    pub write_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 64,
            sessions: 128,
            packet_bytes: 128 * 1024,
            inflight: 64,
            queue_messages: 1024,
            queue_bytes: 4 * 1024 * 1024,
            subscriptions: 32,
            retained: 256,
            session_expiry: Duration::from_secs(24 * 60 * 60),
            keep_alive_s: 300,
            connect_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(10),
        }
    }
}

/// What a broker is started with.
#[derive(Clone)]
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// TLS, with client certificates if its verifier asks for them.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Who may do what.
    pub access: Arc<dyn Access>,
    /// Every bound.
    pub limits: Limits,
    /// When publishers get their acknowledgement.
    pub acknowledge: Acknowledge,
    /// Faults to play, for tests.
    pub faults: Option<Hook>,
}

impl Config {
    /// Plain TCP on a free loopback port, default bounds, no faults.
    pub fn loopback(access: Arc<dyn Access>) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls: None,
            access,
            limits: Limits::default(),
            acknowledge: Acknowledge::default(),
            faults: None,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("listen", &self.listen)
            .field("tls", &self.tls.is_some())
            .field("limits", &self.limits)
            .field("acknowledge", &self.acknowledge)
            .finish_non_exhaustive()
    }
}
