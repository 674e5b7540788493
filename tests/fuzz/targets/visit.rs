//! Invariant 6 on any bus: a reading names the asset that was recognised last, and no other.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vernport_decode::visit::{Assertion, Config, Event, Lookup, Visit};
use vernport_fuzz::{CATALOGUE, Step, Steps};
use vernport_types::{AssetId, UtcMicros, Vin};

/// What the gateway knows; the fuzzer changes it as it goes.
struct Known {
    bits: u8,
    said_at: UtcMicros,
}

impl Lookup for Known {
    fn identify_open(&self) -> bool {
        self.bits & 1 != 0
    }

    fn by_vin(&self, vin: &Vin) -> Option<AssetId> {
        (self.bits & 2 != 0).then(|| AssetId::from_bytes([vin.expose().as_bytes()[16]; 16]))
    }

    fn asserted(&self) -> Option<Assertion> {
        (self.bits & 4 != 0).then(|| Assertion { asset: AssetId::from_bytes([1; 16]), made_at: self.said_at })
    }

    fn pinned(&self) -> Option<AssetId> {
        (self.bits & 8 != 0).then(|| AssetId::from_bytes([2; 16]))
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut visit = Visit::new(&CATALOGUE, Config::default()).expect("the shipped catalogue fits");
    let mut known = Known { bits: 1, said_at: UtcMicros(0) };
    let mut present = None;
    for step in Steps::new(bytes) {
        let mut out = |event| match event {
            Event::Began { asset, .. } => present = Some(asset),
            Event::Reading(reading) => assert_eq!(present, Some(reading.asset)),
            Event::Ended { .. } => present = None,
            Event::Unidentified { .. } | Event::Rejected { .. } => {}
        };
        match step {
            Step::Frame(frame, at) => visit.push(&frame, at, &known, &mut out),
            Step::Silence(at) => visit.tick(at, &known, &mut out),
            Step::Other(what, at) if what < 248 => visit.detach(at, &mut out),
            Step::Other(what, at) => {
                known = Known { bits: what << 1 | u8::from(what != 255), said_at: at.wall }
            }
        }
        assert_eq!(visit.recognised().map(|(asset, _)| asset), present);
    }
});
