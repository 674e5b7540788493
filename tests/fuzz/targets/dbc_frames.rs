//! Any frames through the plan of a DBC file with every shape of signal: values of the catalogue only.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use vernport_decode::dbc::{Database, Mapping, Plan};
use vernport_fuzz::{CATALOGUE, Step, Steps};
use vernport_types::{CanId, FrameKind};

static PLAN: LazyLock<Plan> = LazyLock::new(|| {
    let text = include_bytes!("../../../config/dbc/sim-car.dbc");
    let (database, _) = Database::read(text).expect("the file of the simulated car");
    Plan::new(&[database], &Mapping::shipped(), &CATALOGUE).expect("small")
});

fuzz_target!(|bytes: &[u8]| {
    let mut check = |read: vernport_decode::dbc::Read| {
        let entry = CATALOGUE.signal(read.signal);
        if let Some(number) = read.value.ok().and_then(|value| value.as_f64()) {
            assert!(entry.min.is_none_or(|min| number >= min) && entry.max.is_none_or(|max| number <= max));
        }
    };
    for step in Steps::new(bytes) {
        let Step::Frame(frame, _) = step else { continue };
        PLAN.frame(frame.id(), frame.kind() == FrameKind::FdData, frame.data(), &mut check);
        if let CanId::Extended(raw) = frame.id() {
            PLAN.group(raw >> 8 & 0x3_FFFF, (raw & 0xFF) as u8, frame.data(), &mut check);
        }
        PLAN.answer(frame.id(), frame.data(), &mut check);
    }
});
