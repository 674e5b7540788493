//! Noise and packets into the host of the firmware bridge, at any times.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vernport_fuzz::line;
use vernport_wire::{Host, HostConfig, LINE_BYTES, Versions};

fuzz_target!(|bytes: &[u8]| {
    let mut host = Host::new(HostConfig { versions: Versions::OURS, window_frames: 64, session_seed: 7 });
    host.line_up(0);
    let mut now = 0;
    for (pause, sent) in line(bytes) {
        now += pause;
        let mut rest = &sent[..];
        while !rest.is_empty() {
            let _ = host.receive(now, &mut rest);
        }
        let _ = host.tick(now);
        let mut out = [0; LINE_BYTES];
        while host.poll(now, &mut out).is_some() {}
    }
});
