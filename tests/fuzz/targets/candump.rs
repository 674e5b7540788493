//! Lines of a candump log: read, or refused at a column that exists.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vernport_decode::candump;

fuzz_target!(|text: &str| {
    for line in text.lines() {
        if let Err(error) = candump::parse(line) {
            assert!((1..=line.len() + 1).contains(&error.column));
        }
    }
});
