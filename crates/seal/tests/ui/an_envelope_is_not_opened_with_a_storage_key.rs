//! Keys of one kind are not taken for another, and a data key never leaves.
use vernport_crypto::{DataKey, MasterKey, OpeningKey, StorageKey};
use vernport_seal::{ReceivedEnvelope, Sealed, Storage, open_from_storage};

fn try_all(
    envelope: &ReceivedEnvelope,
    message: &Sealed<Storage>,
    storage: &StorageKey,
    master: &MasterKey,
    opening: &OpeningKey,
    data: DataKey,
) {
    let _ = envelope.open(storage);
    let _ = open_from_storage(master, message);
    let _ = open_from_storage(opening, message);
    let _ = data.as_bytes();
}

fn main() {}
