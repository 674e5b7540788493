//! Bytes do not become sealed by being put into the type.
use std::marker::PhantomData;
use vernport_seal::{Recipient, Sealed};

fn main() {
    let _ = Sealed::<Recipient> { bytes: b"158910600".to_vec(), kind: PhantomData };
}
