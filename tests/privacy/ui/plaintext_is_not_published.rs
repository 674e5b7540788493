//! The publisher takes what was sealed for storage only, and opens it itself.
use vernport_mqtt::{FleetLink, Numbers};
use vernport_policy::Released;
use vernport_types::UtcMicros;

async fn try_all(link: FleetLink, numbers: Numbers, released: Released, payload: Vec<u8>, now: UtcMicros) {
    let _ = link.publish(&released, numbers, false, now).await;
    let _ = link.publish(&payload, numbers, false, now).await;
}

fn main() {}
