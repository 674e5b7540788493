//! Envelopes as central and recipients read them: raw; with hashes that fit, which chance would never give; and
//! bodies that a hostile gateway sealed as it should. What reads is whole, and comes back with its wraps.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use vernport_crypto::{DataKey, OpeningKey, sha256};
use vernport_seal::{EnvelopeHeader, OpenError, ReceivedEnvelope};
use vernport_types::{BatchId, EpochId, UtcMicros};

/// The recipient of the sealed bodies.
static KEY: LazyLock<OpeningKey> = LazyLock::new(|| OpeningKey::from_bytes([7; 32]));
static DATA_KEY: LazyLock<DataKey> = LazyLock::new(DataKey::generate);

fn header() -> EnvelopeHeader {
    EnvelopeHeader {
        controller: "NO-999999999".parse().expect("a controller"),
        gateway: "bay-1".parse().expect("a slug"),
        batch: BatchId::from_bytes([1; 16]),
        flow: "odometer".parse().expect("a slug"),
        epoch: EpochId::from_bytes([2; 16]),
        latest_due: UtcMicros(1_795_165_200_000_000),
        retention_rule: "short".parse().expect("a slug"),
        sequence: 3,
    }
}

/// What a wrap of the header above is bound to, by the table of [`ReceivedEnvelope`].
fn info(header: &EnvelopeHeader) -> Vec<u8> {
    let mut info = b"vernport wrap\0\x01".to_vec();
    for text in [header.controller.as_str(), header.flow.as_str()] {
        info.push(u8::try_from(text.len()).expect("a short text"));
        info.extend_from_slice(text.as_bytes());
    }
    [&info[..], header.epoch.as_bytes(), KEY.wrapping_key().key_id().as_bytes()].concat()
}

/// Two wraps for the recipient, with their number.
static WRAPS: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let wrap = KEY.wrapping_key().wrap(&DATA_KEY, &info(&header())).expect("a good key");
    let wrap = [&wrap.key_id.as_bytes()[..], &wrap.enc, &wrap.ciphertext].concat();
    [&[2][..], &wrap, &wrap].concat()
});

/// An envelope of these parts whose hashes fit. Nobody asks for its signature here.
fn put_together(header: &[u8], body: &[u8], wraps: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("a short input").to_be_bytes();
    [header, &length, body, wraps, &sha256(body), &sha256(wraps), &[0; 64]].concat()
}

fn look(bytes: &[u8]) -> Option<ReceivedEnvelope> {
    let envelope = ReceivedEnvelope::parse(bytes).ok()?;
    assert_eq!(envelope.as_bytes(), bytes);
    let bare =
        ReceivedEnvelope::parse(envelope.without_wraps().as_bytes()).expect("it reads without its wraps");
    assert_eq!((bare.header(), bare.recipients().count()), (envelope.header(), 0));
    if envelope.recipients().count() > 0 {
        assert_eq!(bare.with_wraps(envelope.wraps_bytes()).as_ref(), Ok(&envelope));
    }
    assert!(ReceivedEnvelope::parse(&[bytes, b"\0"].concat()).is_err());
    Some(envelope)
}

fuzz_target!(|bytes: &[u8]| {
    match bytes.split_first() {
        Some((0, envelope)) => drop(look(envelope)),
        // Any header before a body and wraps that are in order.
        Some((1, header)) => drop(look(&put_together(header, &[0; 16], &WRAPS))),
        Some((_, body)) => {
            let header = header();
            let bytes = header.to_bytes();
            let sealed = DATA_KEY.seal(header.sequence, &bytes, body.to_vec());
            let envelope = look(&put_together(&bytes, &sealed, &WRAPS)).expect("in order");
            let opened = envelope.open(&KEY);
            assert!(matches!(opened, Ok(_) | Err(OpenError::Body)), "the keys fit");
        }
        None => {}
    }
});
