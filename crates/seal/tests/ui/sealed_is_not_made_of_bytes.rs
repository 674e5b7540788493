//! Nor by any conversion but the two that check them.
use vernport_seal::{Recipient, Sealed, Storage};

fn main() {
    let plain = b"158910600".to_vec();
    let _ = Sealed::<Storage>::new(plain.clone());
    let _: Sealed<Recipient> = plain.into();
}
