//! A capture of whatever format: told by its content or refused, never a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vernport_decode::capture::Reader;

fuzz_target!(|bytes: &[u8]| {
    let mut reader = Reader::new();
    let mut events = 0_usize;
    let told = reader.push(bytes, &mut |_| events += 1).and_then(|()| reader.finish(&mut |_| events += 1));
    assert!(told.is_ok() || events == 0);
});
