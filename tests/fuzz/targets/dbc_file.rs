//! A DBC file: read with findings or refused; what was read can be planned, and decodes as the naive way does.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::collections::HashMap;
use vernport_decode::dbc::{Database, Plan};

fuzz_target!(|bytes: &[u8]| {
    let Ok((database, _)) = Database::read(bytes) else { return };
    let Ok(plan) = Plan::everything(std::slice::from_ref(&database)) else { return };
    let data = [0x5A, 0xC3, 0x00, 0xFF, 0x81, 0x7E, 0x24, 0x99];
    for message in database.messages.iter().take(16) {
        let mut fast: HashMap<u16, _> = HashMap::new();
        plan.frame(message.id, false, &data, &mut |read| _ = fast.insert(read.index, read.value.is_ok()));
        let _ = database.decode_all(message.id, &data);
        assert!(fast.keys().all(|index| plan.name(*index).is_some()));
    }
});
