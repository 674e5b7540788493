//! Whole diagnostic messages: OBD-II and UDS answers of a control unit.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vernport_decode::{obd, uds};

fuzz_target!(|message: &[u8]| {
    let mut answers = 0;
    obd::read(message, |_| answers += 1);
    assert!(answers <= message.len() + 1);
    let _ = (obd::vin(message), uds::vin(message));
});
