//! Frames of one ISO-TP sender: whole messages within the bound, or none.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vernport_decode::isotp::{Heard, MAX_MESSAGE_BYTES, Receiver};
use vernport_fuzz::{Step, Steps};

fuzz_target!(|bytes: &[u8]| {
    let mut receiver = Receiver::default();
    for step in Steps::new(bytes) {
        match step {
            Step::Frame(frame, at) => {
                if let Heard::Message(message) = receiver.push(frame.data(), at.boot).heard {
                    assert!((1..=MAX_MESSAGE_BYTES).contains(&message.len()));
                }
            }
            Step::Silence(at) => _ = receiver.expire(at.boot),
            Step::Other(..) => receiver.reset(),
        }
    }
});
