//! Whole UDS messages of a control unit, and requests of testers.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vernport_decode::uds::{self, Negative, Report};
use vernport_fuzz::{Step, Steps};

fuzz_target!(|bytes: &[u8]| {
    let _ = uds::vin(bytes);
    if let Some(all) = uds::identifiers(bytes, |did| (did & 1 == 0).then_some(usize::from(did & 7))) {
        assert!(all.count() <= bytes.len());
    }
    if let Some(negative) = Negative::read(bytes) {
        let _ = negative.code.reaction();
    }
    if let Some(Ok(report)) = Report::read(bytes) {
        assert!(report.records().count() <= bytes.len());
    }
    for step in Steps::new(bytes) {
        if let Step::Frame(frame, _) = step {
            let _ = uds::request_heard(&frame).is_some_and(|request| request.lasts_for_visit());
        }
    }
});
