//! The uplink takes envelopes for recipients only: not even what is sealed for storage.
use vernport_policy::Released;
use vernport_seal::{Body, Sealed, Storage};
use vernport_types::{GrantId, Reading};
use vernport_uplink::Uplink;

async fn try_all(
    uplink: Uplink,
    grant: GrantId,
    reading: Reading,
    released: Released,
    body: Body,
    stored: Sealed<Storage>,
    bytes: Vec<u8>,
) {
    let _ = uplink.send(&[(grant, &reading)]).await;
    let _ = uplink.send(&[(grant, &released)]).await;
    let _ = uplink.send(&[(grant, &body)]).await;
    let _ = uplink.send(&[(grant, &stored)]).await;
    let _ = uplink.send(&[(grant, &bytes)]).await;
}

fn main() {}
