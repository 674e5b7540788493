//! Transfers to our address: what is answered is flow control of a transfer that was asked for, and nothing else.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vernport_decode::j1939::{Id, responder::Responder, transport};
use vernport_fuzz::{Step, Steps};

fuzz_target!(|bytes: &[u8]| {
    let (mut responder, mut asked) = (Responder::new(0xF9), false);
    for step in Steps::new(bytes) {
        let said = match step {
            Step::Frame(frame, at) => responder.heard(&frame, at.boot),
            Step::Silence(at) => responder.tick(at.boot),
            Step::Other(what, at) => {
                asked = true;
                responder.asked(65260, what & 1, at.boot);
                None
            }
        };
        if let Some(frame) = said {
            let id = Id::from_can(frame.id()).expect("29 bits");
            assert!(asked && id.pgn == transport::CONNECTION && id.source == 0xF9);
            assert!(matches!(frame.data().first(), Some(17 | 19 | 255)));
        }
    }
});
