//! The signature of spool and uplink.
use vernport_policy::Released;
use vernport_seal::{Body, Recipient, Sealed, Storage};
use vernport_types::Reading;

fn queue(_: Sealed<Recipient>) {}

fn try_all(bytes: Vec<u8>, reading: Reading, released: Released, body: Body, message: Sealed<Storage>) {
    queue(bytes);
    queue(reading);
    queue(released);
    queue(body);
    queue(message);
}

fn main() {}
