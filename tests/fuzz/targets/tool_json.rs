//! A payload of the contract of workshop tools in JSON: refused with a code, or values of the catalogue.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vernport_fuzz::{CATALOGUE, NOW, is_of_the_catalogue};
use vernport_mqtt::ToolMessage;

fuzz_target!(|payload: &[u8]| {
    if let Ok(message) = ToolMessage::from_json(payload, &CATALOGUE, NOW) {
        assert!(!message.readings.is_empty() && is_of_the_catalogue(&message));
    }
});
