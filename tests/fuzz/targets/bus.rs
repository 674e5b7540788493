//! A bus of any frames: the decoder never panics, and what it gives the catalogue believes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vernport_decode::{Config, Decoded, Decoder};
use vernport_fuzz::{CATALOGUE, Step, Steps};
use vernport_types::SignalId;

fuzz_target!(|bytes: &[u8]| {
    let mut decoder = Decoder::new(&CATALOGUE, Config::default()).expect("the shipped catalogue fits");
    let mut identify = true;
    for step in Steps::new(bytes) {
        let mut sink = |decoded| match decoded {
            Decoded::Signal { signal, value, .. } => {
                let entry = CATALOGUE.signal(signal);
                if let Some(number) = value.as_f64() {
                    assert!(
                        entry.min.is_none_or(|min| number >= min)
                            && entry.max.is_none_or(|max| number <= max)
                    );
                }
            }
            Decoded::Vin { .. } => assert!(identify),
            Decoded::Rejected { .. } => {}
        };
        match step {
            Step::Frame(frame, at) => decoder.push(&frame, at, &mut sink),
            Step::Silence(at) => decoder.tick(at, &mut sink),
            Step::Other(what, _) if what % 2 == 0 => decoder.reset(),
            Step::Other(what, _) => {
                identify = what % 4 == 1;
                decoder.set_identify(identify);
                let filters = decoder.interest(|SignalId(id)| id % 3 == u16::from(what % 3), identify);
                assert!(!filters.is_empty());
            }
        }
    }
});
