//! What a broker counts. Numbers only: no client, topic or payload.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Running totals since the start.
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: AtomicU64,)*
        }

        /// The totals at one moment.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct Totals {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Counters {
            pub(crate) fn totals(&self) -> Totals {
                Totals { $($name: self.$name.load(Ordering::Relaxed),)* }
            }
        }
    };
}

counters! {
    /// Connections whose CONNECT was accepted.
    connections,
    /// Connections refused: no room, no such identity, another one's client id.
    connections_refused,
    /// Messages that clients published and that were let in.
    published,
    /// Messages refused: no right to the topic, or to retain it.
    publishes_refused,
    /// Subscriptions refused.
    subscriptions_refused,
    /// Messages handed to subscribers, repetitions included.
    delivered,
    /// Acknowledgements from subscribers.
    acknowledged,
    /// Messages dropped because a queue was full.
    queue_full,
    /// Messages dropped because their time was over.
    expired,
    /// Connections ended because of malformed or forbidden packets.
    malformed,
}

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
