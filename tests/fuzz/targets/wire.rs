//! Bytes of the line to an adapter, and bodies with a right checksum, which chance would never give:
//! messages, or reasons; what is given out can be sent again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vernport_fuzz::packet;
use vernport_wire::{Decoder, MAX_PACKET_BYTES, encode};

fn hear(bytes: &[u8]) {
    let mut decoder = Decoder::default();
    for byte in bytes {
        if let Some(Ok(message)) = decoder.push(*byte) {
            let mut packet = [0; MAX_PACKET_BYTES];
            encode(&message, &mut packet).expect("what was understood can be said");
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    hear(bytes);
    hear(&packet(bytes));
});
