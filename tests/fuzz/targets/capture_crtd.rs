//! A capture as Crtd, whole and cut in two: the same frames, and each line or object counted once.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vernport_decode::capture::Format;
use vernport_fuzz::read_capture;

fuzz_target!(|bytes: &[u8]| read_capture(Format::Crtd, bytes));
