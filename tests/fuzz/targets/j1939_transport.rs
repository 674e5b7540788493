//! Long J1939 messages between any units: whole within the bound, or none.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vernport_decode::j1939::{
    Id,
    transport::{MAX_MESSAGE_BYTES, Transport},
};
use vernport_fuzz::{Step, Steps};

fuzz_target!(|bytes: &[u8]| {
    let mut transport = Transport::default();
    for step in Steps::new(bytes) {
        match step {
            Step::Frame(frame, at) => {
                let Some(id) = Id::from_can(frame.id()).filter(|id| Transport::is(id.pgn)) else { continue };
                let step = transport.push(id, frame.data(), at.boot, |group| group & 1 == 0);
                if let Some((_, message)) = step.message {
                    assert!((9..=MAX_MESSAGE_BYTES).contains(&message.len()));
                }
            }
            Step::Silence(at) => _ = transport.expire(at.boot),
            Step::Other(..) => transport.reset(),
        }
    }
});
