//! Frames of one ISO-TP sender: whole messages within the bound, or none; memory stays within it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vernport_decode::isotp::{Heard, Receiver};
use vernport_fuzz::{Step, Steps};

/// Smaller than what 12 bits of length can claim.
const MAX_BYTES: usize = 600;

fuzz_target!(|bytes: &[u8]| {
    let Some((address_bytes, bytes)) = bytes.split_first() else { return };
    let mut receiver = Receiver::new(usize::from(address_bytes & 1), MAX_BYTES);
    for step in Steps::new(bytes) {
        match step {
            Step::Frame(frame, at) => {
                if let Heard::Message(message) = receiver.push(frame.data(), at.boot).heard {
                    assert!((1..=MAX_BYTES).contains(&message.len()));
                }
            }
            Step::Silence(at) => _ = receiver.expire(at.boot),
            Step::Other(..) => receiver.reset(),
        }
        assert!(receiver.bytes() <= 2 * MAX_BYTES + 64);
    }
});
