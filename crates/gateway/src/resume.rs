//! Notices that the box, or this process, slept: suspended, stopped, or moved to
//! another host. Connections from before are dead or about to be told so, and
//! waiting for that takes longer than making new ones.

use crate::{chain, status::Shared};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;
use vernport_types::Clock;
use vernport_uplink::Uplink;

/// How often it is looked.
const TICK: Duration = Duration::from_millis(250);
/// A gap between two looks that only a sleep explains, in microseconds. A box that is too busy to look for
/// this long loses a connection by it, nothing else.
const ASLEEP_MICROS: u64 = 2_000_000;

/// Watches until shutdown. After a sleep the connections to central are made anew, and all who wait go on.
pub(crate) async fn watch(
    uplink: Uplink,
    clock: Arc<dyn Clock>,
    shared: Arc<Shared>,
    shutdown: CancellationToken,
) {
    let mut last = clock.now().boot;
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(TICK) => {}
        }
        // CLOCK_BOOTTIME goes on in a suspended machine.
        let now = clock.now().boot;
        if now.0.saturating_sub(last.0) > ASLEEP_MICROS {
            tracing::info!("this box slept: connections to central are made anew");
            if let Err(error) = uplink.reconnect() {
                tracing::warn!(error = chain(&error), "the connection to central stays as it is");
            }
            shared.resumed.notify_waiters();
        }
        last = now;
    }
}
