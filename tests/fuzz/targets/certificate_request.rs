//! Certificate requests as central reads them, and the same signed by the key that they may be for,
//! which chance would never give: what is taken is a key in its one form, that stands in the request.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use vernport_api::{MAX_CSR_BYTES, RequestError, RequestedKey};
use vernport_crypto::{SigningKey, sha256};

/// The key of the corpus: that of the seed of 32 sevens.
static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::from_seed([7; 32]));

/// How SubjectPublicKeyInfo begins, and how long it is: Ed25519, P-256, P-384.
const FORMS: [(&[u8], usize); 3] = [
    (b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03", 44),
    (b"\x30\x59\x30\x13\x06\x07", 91),
    (b"\x30\x76\x30\x10\x06\x07", 120),
];

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("a short input");
    let [high, low] = length.to_be_bytes();
    let length = if length < 0x80 { vec![low] } else { vec![0x82, high, low] };
    [&[tag][..], &length, content].concat()
}

/// A request that says this, signed.
fn signed(asked: &[u8]) -> Vec<u8> {
    let signature = der(0x03, &[b"\0", &KEY.sign(asked).as_bytes()[..]].concat());
    der(0x30, &[asked, b"\x30\x05\x06\x03\x2b\x65\x70", &signature].concat())
}

fn look(csr: &[u8]) {
    let said = RequestedKey::of(csr);
    assert_eq!(said, RequestedKey::of(csr));
    let Ok(key) = said else { return };
    assert!(csr.len() <= MAX_CSR_BYTES);
    assert!(
        FORMS.iter().any(|(begins, length)| key.info().starts_with(begins) && key.info().len() == *length)
    );
    assert!(csr.windows(key.info().len()).any(|part| part == key.info()));
    assert_eq!(key.hash, sha256(key.info()));
    let behind = RequestedKey::of(&[csr, b"\0"].concat());
    assert!(matches!(behind, Err(RequestError::Form | RequestError::TooLong)));
}

fuzz_target!(|bytes: &[u8]| {
    match bytes.split_first() {
        Some((0, csr)) => look(csr),
        // What is asked for, whole; then its content alone, so that its length is right.
        Some((1, asked)) => look(&signed(asked)),
        Some((_, content)) => look(&signed(&der(0x30, content))),
        None => {}
    }
});
