//! Whole OBD-II messages of a control unit.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vernport_decode::obd::{self, Supported};

fuzz_target!(|message: &[u8]| {
    let mut told = 0;
    obd::read(message, |_| told += 1);
    assert!(told <= message.len() + 1);
    let _ = (obd::vin(message), obd::information(message));
    let mut supported = Supported::new();
    if supported.hear(message).is_some() {
        assert!(supported.iter().all(|pid| supported.contains(pid)));
        let _ = supported.next_to_ask();
    }
    let _ = Supported::is_divisible(message);
});
