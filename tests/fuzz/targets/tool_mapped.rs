//! A payload through the shipped mappings, the first byte says which.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use vernport_crypto::IdentityKey;
use vernport_fuzz::{CATALOGUE, NOW, is_of_the_catalogue};
use vernport_mqtt::Mapping;

static KEY: LazyLock<IdentityKey> = LazyLock::new(|| IdentityKey::from_bytes([7; 32]));

static MAPPINGS: LazyLock<Vec<Mapping>> = LazyLock::new(|| {
    let shipped = [
        include_str!("../../../config/tools/openxc.toml"),
        include_str!("../../../config/tools/autopi.toml"),
        include_str!("../../../config/tools/ruptela.toml"),
        include_str!("../../../config/tools/fleetwise-dtc.toml"),
    ];
    let load = |text| Mapping::from_toml("shipped", text, &CATALOGUE).expect("a shipped mapping");
    shipped.map(load).into()
});

fuzz_target!(|bytes: &[u8]| {
    let Some((which, payload)) = bytes.split_first() else { return };
    let mapping = &MAPPINGS[usize::from(*which) % MAPPINGS.len()];
    if let Ok(mapped) = mapping.read(payload, NOW, None, &KEY) {
        let readings: usize = mapped.messages.iter().map(|message| message.readings.len()).sum();
        assert!(readings <= 512 && mapped.messages.iter().all(is_of_the_catalogue));
    }
});
