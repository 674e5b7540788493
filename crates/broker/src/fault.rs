//! Faults on purpose: a hook that sees each packet and says what becomes of it,
//! a broker that is killed and comes back, and time that passes at once.

use crate::{Broker, StartError, hub::Hub};
use std::{
    fmt,
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio_rustls::TlsAcceptor;

/// Which packet is about to pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet<'a> {
    /// A client's message came in.
    PublishIn {
        /// Its topic.
        topic: &'a str,
    },
    /// A client acknowledges a message.
    PubAckIn,
    /// A client subscribes.
    SubscribeIn,
    /// A message goes out to a client.
    PublishOut {
        /// Its topic.
        topic: &'a str,
    },
    /// A client's message is acknowledged.
    PubAckOut,
    /// A subscription is answered.
    SubAckOut,
    /// A ping is answered.
    PingOut,
}

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It passes.
    Pass,
    /// It is lost without a word.
    Drop,
    /// It goes out twice (outgoing packets only).
    Twice,
    /// It goes out after the next one (acknowledgements only).
    Later,
    /// The connection ends instead.
    Cut,
}

/// Asked for each packet, with the client id.
pub type Hook = Arc<dyn Fn(&str, Packet<'_>) -> Fate + Send + Sync>;

/// What a killed broker has on its disk: sessions and what waits in them. Here it is memory.
pub struct Kept {
    addr: SocketAddr,
    hub: Arc<Hub>,
    tls: Option<TlsAcceptor>,
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kept({})", self.addr)
    }
}

impl Kept {
    /// Starts again, at the same place and with the same rules.
    ///
    /// # Errors
    /// [`StartError::Listen`] if the address was taken meanwhile.
    pub async fn start(self) -> Result<Broker, StartError> {
        self.hub.killed.store(false, Ordering::SeqCst);
        Broker::listen(self.addr, self.hub, self.tls).await
    }
}

impl Broker {
    /// Ends as a process that is killed: nobody hears a good-bye or a last word. What waits in sessions that
    /// outlive their connection is kept, as by a broker with persistence.
    pub async fn kill(self) -> Kept {
        self.hub.killed.store(true, Ordering::SeqCst);
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        Kept { addr: self.addr, hub: Arc::clone(&self.hub), tls: self.tls.clone() }
    }

    /// Makes all that is kept older: messages expire, and sessions of absent clients end, as if so
    /// much time had passed.
    pub fn age(&self, by: Duration) {
        self.hub.age(by);
    }
}
