//! A mapping file, and behind a zero byte a payload for it: refused, or read into values of the catalogue.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use vernport_crypto::IdentityKey;
use vernport_fuzz::{CATALOGUE, NOW, is_of_the_catalogue};
use vernport_mqtt::Mapping;

static KEY: LazyLock<IdentityKey> = LazyLock::new(|| IdentityKey::from_bytes([7; 32]));

fuzz_target!(|bytes: &[u8]| {
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    let Some(Ok(text)) = parts.next().map(std::str::from_utf8) else { return };
    let mapping = match Mapping::from_toml("fuzzed", text, &CATALOGUE) {
        Ok(mapping) => mapping,
        Err(error) => {
            assert!(error.to_string().starts_with("fuzzed"));
            return;
        }
    };
    let Some(payload) = parts.next() else { return };
    if let Ok(mapped) = mapping.read(payload, NOW, None, &KEY) {
        let readings: usize = mapped.messages.iter().map(|message| message.readings.len()).sum();
        assert!(readings <= 4096 && mapped.messages.iter().all(is_of_the_catalogue));
    }
});
