//! Bytes of the line to an adapter, and bodies with a right checksum, which chance would never give:
//! messages, or reasons; what is given out can be sent again.

#![no_main]

use crc::{CRC_32_ISCSI, Crc};
use libfuzzer_sys::fuzz_target;
use vernport_wire::{Decoder, MAX_PACKET_BYTES, VERSION, encode};

static CHECKSUM: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// The naive way: each run without a zero, after its length.
fn stuff(raw: &[u8]) -> Vec<u8> {
    let mut stuffed = Vec::new();
    for run in raw.split(|byte| *byte == 0) {
        let mut parts = run.chunks(254).peekable();
        if run.is_empty() {
            stuffed.push(1);
        }
        while let Some(part) = parts.next() {
            stuffed.push(u8::try_from(part.len() + 1).expect("at most 255"));
            stuffed.extend(part);
            if part.len() == 254 && parts.peek().is_none() {
                stuffed.push(1);
            }
        }
    }
    stuffed.push(0);
    stuffed
}

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
    let mut raw = vec![VERSION];
    raw.extend(bytes);
    raw.extend(CHECKSUM.checksum(&raw).to_le_bytes());
    hear(&stuff(&raw));
});
