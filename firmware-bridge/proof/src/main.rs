//! A program without `std` that sends a frame through the wire crate.
//!
//! It brings its own panic handler, so it cannot be linked as soon as one
//! dependency brings `std` with another. Exit status 0 says that what was sent
//! came back.

#![no_std]
#![no_main]

#[cfg(feature = "leak")]
extern crate std;

use vernport_wire::{CanFrame, CanId, Decoder, FrameKind, MAX_PACKET_BYTES, Message, encode};

// The system's start code and `memcpy`; firmware brings its own.
#[link(name = "c")]
unsafe extern "C" {}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

// SAFETY: the only function of this name in the program; the system's start
// code calls it once, with arguments that it does not look at.
#[unsafe(no_mangle)]
extern "C" fn main(_count: i32, _arguments: *const *const u8) -> i32 {
    i32::from(!sent_and_heard())
}

fn sent_and_heard() -> bool {
    let Ok(data) = heapless::Vec::from_slice(&[0x02, 0x01, 0xA6]) else { return false };
    let frame = CanFrame { bus: 0, at_micros: 1, id: CanId::Standard(0x7DF), kind: FrameKind::Data, data };
    let sent = Message::CanFrame(frame);
    let mut buffer = [0; MAX_PACKET_BYTES];
    let Ok(packet) = encode(&sent, &mut buffer) else { return false };
    let mut decoder = Decoder::default();
    let heard = packet.iter().find_map(|byte| decoder.push(*byte));
    heard == Some(Ok(sent))
}
