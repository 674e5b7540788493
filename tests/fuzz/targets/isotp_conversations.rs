//! Many ISO-TP senders at once: their number and all their memory stay within the limits.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vernport_decode::isotp::{Conversations, Limits};
use vernport_fuzz::{Step, Steps};

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits::default();
    let mut conversations = Conversations::new(limits);
    for step in Steps::new(bytes) {
        match step {
            Step::Frame(frame, at) => _ = conversations.push(frame.id(), frame.data(), at.boot),
            Step::Silence(at) => _ = conversations.expire(at.boot),
            Step::Other(..) => conversations.reset(),
        }
        assert!(conversations.senders() <= limits.senders && conversations.bytes() <= limits.total_bytes);
    }
});
