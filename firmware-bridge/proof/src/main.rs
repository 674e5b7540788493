//! A program without `std` in which a host and an adapter hold a session and a
//! frame goes each way.
//!
//! It brings its own panic handler, so it cannot be linked as soon as one
//! dependency brings `std` with another. Exit status 0 says that both frames
//! came through.

#![no_std]
#![no_main]

#[cfg(feature = "leak")]
extern crate std;

use vernport_wire::{
    Adapter, CanFrame, CanId, Filter, FrameKind, Heard, Host, HostConfig, HostEvent, LINE_BYTES, Versions,
};

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
    i32::from(!both_ways())
}

/// The adapter's clock stands one second behind the host's.
const BEHIND_MICROS: u64 = 1_000_000;

fn both_ways() -> bool {
    let config = HostConfig { versions: Versions::OURS, window_frames: 4, session_seed: 1 };
    let (mut host, mut adapter) = (Host::new(config), Adapter::<1, 4>::new("proof"));
    let wanted = [Filter { id: CanId::Standard(0x7E8), mask: 0x7FF }];
    if host.set_filters(0, &wanted).is_err() || host.set_listen_only(0, false).is_err() {
        return false;
    }
    let Ok(data) = heapless::Vec::from_slice(&[0x02, 0x01, 0xA6]) else { return false };
    let request = CanFrame { bus: 0, at_micros: 0, id: CanId::Standard(0x7DF), kind: FrameKind::Data, data };
    let mut answered_micros = None;
    let (mut down, mut up) = ([0; LINE_BYTES], [0; LINE_BYTES]);
    host.line_up(BEHIND_MICROS);
    for now in (BEHIND_MICROS..).step_by(1_000).take(4_000) {
        let adapter_now = now - BEHIND_MICROS;
        while let Some(mut bytes) = host.poll(now, &mut down) {
            if let Some(frame) = adapter.receive(adapter_now, &mut bytes) {
                // The vehicle's answer to what the host asked.
                let asked = frame == request;
                let answer = CanFrame { at_micros: adapter_now, id: CanId::Standard(0x7E8), ..frame };
                if !asked || adapter.heard(adapter_now, answer) != Heard::Queued {
                    return false;
                }
                answered_micros = Some(now);
            }
        }
        while let Some(mut bytes) = adapter.poll(adapter_now, &mut up) {
            if let Some(HostEvent::Frame(frame)) = host.receive(now, &mut bytes) {
                return Some(frame.at_micros) == answered_micros;
            }
        }
        if host.tick(now).is_some() {
            return false;
        }
        if host.can_send() && answered_micros.is_none() && host.send(request.clone()).is_err() {
            return false;
        }
    }
    false
}
