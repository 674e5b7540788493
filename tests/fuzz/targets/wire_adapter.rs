//! Noise and packets into the adapter of the firmware bridge, at any times.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vernport_fuzz::line;
use vernport_wire::{Adapter, LINE_BYTES};

fuzz_target!(|bytes: &[u8]| {
    let mut adapter: Adapter<2, 16> = Adapter::new("fuzz");
    let mut now = 0;
    for (pause, sent) in line(bytes) {
        now += pause;
        let mut rest = &sent[..];
        while !rest.is_empty() {
            if let Some(frame) = adapter.receive(now, &mut rest) {
                assert!(!adapter.is_listen_only(frame.bus), "a locked bus is not sent on");
                adapter.heard(now, frame);
            }
        }
        let mut out = [0; LINE_BYTES];
        while adapter.poll(now, &mut out).is_some() {}
        assert!(adapter.waiting() <= 16);
    }
});
