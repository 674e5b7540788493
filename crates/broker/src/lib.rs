//! A small embedded MQTT broker: the box's own listener for workshop tools, the
//! demo's fleet broker, and the place where tests break things on purpose.
//!
//! MQTT 3.1.1 and 5; QoS 0 and 1; wildcards, wills, keep-alive, clean and kept
//! sessions, retained messages where they are allowed; TLS with client
//! certificates. Not offered, and said so in CONNACK: QoS 2, topic aliases,
//! subscription identifiers, shared subscriptions. A will goes out at once,
//! whatever its delay says.
//!
//! Promises:
//! - Every bound is a number in [`Limits`]; nothing grows beyond it.
//! - Foreign bytes end their own connection and nothing else.
//! - Who may do what is asked at each action ([`Access`]); nothing is retained
//!   unless that says so; a client id belongs to the identity that opened it.
//! - Nothing is on disk, and no topic, payload or client id is in a log.
//!
//! The packets are rumqttc's public codec; see `codec` for what is done here instead.

mod codec;
mod config;
mod connection;
mod counters;
mod encode;
pub mod fault;
mod hub;
mod session;
pub mod topic;

pub use config::{Access, Acknowledge, Config, Identity, Limits, Login};
pub use counters::Totals;

use counters::count;
use hub::Hub;
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use thiserror::Error;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{Instant, timeout_at},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use x509_parser::prelude::{FromDer, X509Certificate};

/// Why a broker did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {addr}; choose a free port of this machine")]
    Listen {
        /// Which address.
        addr: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// A running broker. Dropping it ends it; [`Broker::stop`] also waits.
pub struct Broker {
    addr: SocketAddr,
    hub: Arc<Hub>,
    stop: CancellationToken,
    tasks: TaskTracker,
    tls: Option<TlsAcceptor>,
}

impl Broker {
    /// Listens, and serves until stopped.
    ///
    /// # Errors
    /// [`StartError::Listen`] if the address is taken or not of this machine.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let hub = Arc::new(Hub::new(config.limits, config.access, config.acknowledge, config.faults));
        Self::listen(config.listen, hub, config.tls.map(TlsAcceptor::from)).await
    }

    async fn listen(addr: SocketAddr, hub: Arc<Hub>, tls: Option<TlsAcceptor>) -> Result<Self, StartError> {
        let failed = |source| StartError::Listen { addr, source };
        let listener = TcpListener::bind(addr).await.map_err(failed)?;
        let addr = listener.local_addr().map_err(failed)?;
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(accept(listener, hub.clone(), tls.clone(), stop.clone(), tasks.clone()));
        Ok(Self { addr, hub, stop, tasks, tls })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What it has counted so far.
    pub fn totals(&self) -> Totals {
        self.hub.counters.totals()
    }

    /// Whether a client has a session here (`None`: no), and whether it is connected.
    pub fn presence(&self, client_id: &str) -> Option<bool> {
        self.hub.presence(client_id)
    }

    /// Ends a client's connection; its session stays.
    pub fn cut(&self, client_id: &str) {
        self.hub.cut(client_id);
    }

    /// Drops a client's session with everything in it, and its connection.
    pub fn forget(&self, client_id: &str) {
        self.hub.forget(client_id);
    }

    /// Says good-bye to everybody and waits until all connections are closed.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.stop.cancel();
        self.tasks.close();
    }
}

async fn accept(
    listener: TcpListener,
    hub: Arc<Hub>,
    tls: Option<TlsAcceptor>,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    let places = Arc::new(Semaphore::new(hub.limits.connections));
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of descriptors, mostly: others have to end first.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
            () = stop.cancelled() => return,
        };
        let Ok(place) = places.clone().try_acquire_owned() else {
            count(&hub.counters.connections_refused);
            continue;
        };
        let (hub, tls, stop) = (hub.clone(), tls.clone(), stop.clone());
        tasks.spawn(async move {
            welcome(&hub, stream, tls, &stop).await;
            drop(place);
        });
    }
}

async fn welcome(hub: &Hub, stream: TcpStream, tls: Option<TlsAcceptor>, stop: &CancellationToken) {
    let deadline = Instant::now() + hub.limits.connect_timeout;
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else {
        return connection::serve(hub, stream, None, deadline, stop).await;
    };
    let stream = tokio::select! {
        stream = timeout_at(deadline, tls.accept(stream)) => stream,
        () = stop.cancelled() => return,
    };
    let Ok(Ok(stream)) = stream else { return count(&hub.counters.connections_refused) };
    let name = stream.get_ref().1.peer_certificates().and_then(|chain| common_name(chain.first()?));
    connection::serve(hub, stream, name, deadline, stop).await;
}

/// The common name of a certificate that rustls has verified.
fn common_name(certificate: &[u8]) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let name = certificate.subject().iter_common_name().next()?;
    name.as_str().ok().map(str::to_owned)
}
