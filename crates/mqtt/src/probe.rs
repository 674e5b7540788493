//! Whether a broker takes us: one connection without a session, and good-bye.

use crate::{
    Endpoint,
    wire::{Cause, Event, Opening, Wire},
};
use std::time::Duration;
use tokio::time::timeout;

/// How long a broker may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Connects, is accepted or not, and leaves nothing behind. The client id has to be one that nobody
/// else uses: a broker ends the older of two connections.
///
/// # Errors
/// Why there was no connection.
pub async fn probe(endpoint: &Endpoint) -> Result<(), Cause> {
    let opening = Opening { endpoint, session_expiry_s: None, window: 1, will: None };
    let (wire, mut events) = Wire::open(&opening);
    let first = timeout(PATIENCE, events.recv()).await;
    match first {
        Ok(Some(Event::Connected { .. })) => {
            wire.disconnect();
            // The good-bye is on its way when the connection has ended.
            let ended = async { while events.recv().await.is_some() {} };
            let _ = timeout(Duration::from_secs(1), ended).await;
            Ok(())
        }
        Ok(Some(Event::Down(cause))) => Err(cause),
        Ok(_) => Err(Cause::Ended("something else than MQTT answered".to_owned())),
        Err(_) => Err(Cause::Network("no answer in time".to_owned())),
    }
}
