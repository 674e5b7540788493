//! Faults on purpose: a hook that sees each packet and says what becomes of it.

use std::sync::Arc;

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
