//! The published vectors of envelope v1 hold. They are never rewritten: where
//! this fails, the format changed, and needs a new version.

use proptest::prelude::*;
use serde::Deserialize;
use std::collections::HashMap;
use vernport_crypto::{OpeningKey, SigningKey, VerifyingKey, WrappingKey};
use vernport_seal::{Body, EnvelopeHeader, ReceivedEnvelope, reload_recipient};
use vernport_types::{BatchId, ControllerId, EpochId, KeyId, Slug, UtcMicros};

const VECTORS: &str = include_str!("../vectors/envelope-v1.json");

#[derive(Deserialize)]
struct Vectors {
    keys: Keys,
    envelopes: Vec<Positive>,
    negative: Vec<Negative>,
}

#[derive(Deserialize)]
struct Keys {
    device: Device,
    #[serde(flatten)]
    recipients: HashMap<String, RecipientKey>,
}

#[derive(Deserialize)]
struct Device {
    seed: String,
    public: VerifyingKey,
}

#[derive(Deserialize)]
struct RecipientKey {
    secret: String,
    public: WrappingKey,
    id: KeyId,
}

#[derive(Deserialize)]
struct Header {
    controller: ControllerId,
    gateway: Slug,
    batch: BatchId,
    flow: Slug,
    epoch: EpochId,
    latest_due: UtcMicros,
    retention_rule: Slug,
    sequence: u64,
}

impl From<Header> for EnvelopeHeader {
    fn from(header: Header) -> Self {
        let Header { controller, gateway, batch, flow, epoch, latest_due, retention_rule, sequence } = header;
        Self { controller, gateway, batch, flow, epoch, latest_due, retention_rule, sequence }
    }
}

#[derive(Deserialize)]
struct Positive {
    name: String,
    header: Header,
    header_bytes: String,
    body: Body,
    body_bytes: String,
    wraps: String,
    opens_with: Vec<String>,
    envelope: String,
}

#[derive(Deserialize)]
struct Negative {
    name: String,
    envelope: String,
    key: String,
    refused_by: Vec<String>,
    says: String,
}

fn vectors() -> Vectors {
    serde_json::from_str(VECTORS).expect("the vectors are JSON of this shape")
}

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text).expect("hex")
}

fn key_bytes(text: &str) -> [u8; 32] {
    bytes(text).try_into().expect("32 bytes")
}

impl Vectors {
    fn opening(&self, name: &str) -> OpeningKey {
        OpeningKey::from_bytes(key_bytes(&self.keys.recipients[name].secret))
    }

    fn first(&self) -> Vec<u8> {
        bytes(&self.envelopes[0].envelope)
    }
}

#[test]
fn the_keys_of_the_vectors_belong_together() {
    let vectors = vectors();
    let device = SigningKey::from_seed(key_bytes(&vectors.keys.device.seed));
    assert_eq!(device.verifying_key(), vectors.keys.device.public);
    for (name, key) in &vectors.keys.recipients {
        assert_eq!(vectors.opening(name).wrapping_key(), key.public, "{name}");
        assert_eq!(key.public.key_id(), key.id, "{name}");
    }
}

#[test]
fn every_published_envelope_parses_verifies_and_opens_to_its_body() {
    let vectors = vectors();
    for vector in vectors.envelopes.iter() {
        let envelope = ReceivedEnvelope::parse(&bytes(&vector.envelope)).expect(&vector.name);
        envelope.verify(&vectors.keys.device.public).expect(&vector.name);
        assert_eq!(hex::encode(envelope.wraps_bytes()), vector.wraps, "{}", vector.name);
        let keys: Vec<KeyId> =
            vector.opens_with.iter().map(|name| vectors.keys.recipients[name].id).collect();
        assert_eq!(envelope.recipients().collect::<Vec<_>>(), keys, "{}", vector.name);
        for name in &vector.opens_with {
            let body = envelope.open(&vectors.opening(name)).expect(&vector.name);
            assert_eq!(body, vector.body, "{} with {name}", vector.name);
        }
        let sealed = reload_recipient(bytes(&vector.envelope)).expect(&vector.name);
        assert_eq!(&sealed.header(), envelope.header(), "{}", vector.name);
    }
}

#[test]
fn header_and_body_have_their_published_bytes() {
    for vector in vectors().envelopes {
        let envelope = ReceivedEnvelope::parse(&bytes(&vector.envelope)).expect(&vector.name);
        let header = EnvelopeHeader::from(vector.header);
        assert_eq!(envelope.header(), &header, "{}", vector.name);
        assert_eq!(hex::encode(header.to_bytes()), vector.header_bytes, "{}", vector.name);
        let body = postcard::to_allocvec(&vector.body).expect("encodes");
        assert_eq!(hex::encode(body), vector.body_bytes, "{}", vector.name);
    }
}

/// Which steps refuse an envelope, and what the first of them says.
fn refusals(bytes: &[u8], device: &VerifyingKey, key: &OpeningKey) -> (Vec<&'static str>, String) {
    let envelope = match ReceivedEnvelope::parse(bytes) {
        Ok(envelope) => envelope,
        Err(error) => return (vec!["parse"], error.to_string()),
    };
    let verify = envelope.verify(device).map_err(|error| error.to_string());
    let open = envelope.open(key).map_err(|error| error.to_string());
    let mut steps = Vec::new();
    steps.extend(verify.is_err().then_some("verify"));
    steps.extend(open.is_err().then_some("open"));
    // Opening says more than the signature does, where both refuse.
    (steps, open.err().or(verify.err()).unwrap_or_default())
}

#[test]
fn every_negative_vector_is_refused_by_the_named_steps_and_says_why() {
    let vectors = vectors();
    assert!(vectors.negative.len() >= 30);
    for vector in &vectors.negative {
        let key = vectors.opening(&vector.key);
        let (steps, says) = refusals(&bytes(&vector.envelope), &vectors.keys.device.public, &key);
        assert_eq!(steps, vector.refused_by, "{}: {says}", vector.name);
        assert!(says.contains(&vector.says), "{}: {says}", vector.name);
    }
}

#[test]
fn an_envelope_cut_at_any_length_is_refused() {
    let envelope = vectors().first();
    for len in 0..envelope.len() {
        assert!(ReceivedEnvelope::parse(&envelope[..len]).is_err(), "{len} bytes");
        assert!(reload_recipient(envelope[..len].to_vec()).is_err(), "{len} bytes");
    }
}

#[test]
fn no_flipped_bit_goes_unnoticed() {
    let vectors = vectors();
    let (envelope, key) = (vectors.first(), vectors.opening("recipient"));
    for bit in 0..8 * envelope.len() {
        let mut changed = envelope.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let (steps, _) = refusals(&changed, &vectors.keys.device.public, &key);
        assert!(steps.contains(&"parse") || steps.contains(&"verify"), "bit {bit}");
    }
}

#[test]
fn an_envelope_over_its_bound_is_refused_before_it_is_read() {
    let long = vec![0; vernport_seal::MAX_ENVELOPE_BYTES + 1];
    let error = ReceivedEnvelope::parse(&long).expect_err("too long");
    assert!(error.to_string().contains("too long"), "{error}");
}

#[test]
fn wraps_can_be_taken_out_and_put_back_and_no_others() {
    let vectors = vectors();
    let device = &vectors.keys.device.public;
    let envelope = ReceivedEnvelope::parse(&vectors.first()).expect("valid");
    let bare = envelope.without_wraps();
    assert_eq!(ReceivedEnvelope::parse(bare.as_bytes()).as_ref(), Ok(&bare));
    bare.verify(device).expect("still verifies");
    assert_eq!(bare.recipients().count(), 0);
    assert_eq!(bare.body_hash(), envelope.body_hash());
    assert!(reload_recipient(bare.as_bytes().to_vec()).is_err());
    assert_eq!(bare.with_wraps(envelope.wraps_bytes()).as_ref(), Ok(&envelope));

    let other = ReceivedEnvelope::parse(&bytes(&vectors.envelopes[1].envelope)).expect("valid");
    for wraps in [other.wraps_bytes(), bare.wraps_bytes(), &[], &envelope.wraps_bytes()[..100]] {
        assert!(bare.with_wraps(wraps).is_err());
    }
}

#[test]
fn nothing_of_a_body_is_found_in_the_envelope_or_shown_by_debug() {
    let vectors = vectors();
    let vector = &vectors.envelopes[0];
    let envelope = bytes(&vector.envelope);
    let holds = |needle: &[u8]| envelope.windows(needle.len()).any(|window| window == needle);
    let context = &vector.body.head.context;
    assert!(!holds(context.notice.as_bytes()) && !holds(context.purpose.as_bytes()));
    assert!(!holds(vector.body.head.alias.as_bytes()));
    let value = postcard::to_allocvec(&vector.body.records[0].value).expect("encodes");
    assert!(!holds(&value));
    let shown = format!("{:?} {:?}", vector.body, ReceivedEnvelope::parse(&envelope));
    assert!(!shown.contains("158910600"), "{shown}");
}

proptest! {
    #[test]
    fn foreign_bytes_are_refused_without_a_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        keep in 0_usize..200,
    ) {
        prop_assert!(ReceivedEnvelope::parse(&bytes).is_err());
        // The beginning of a real envelope, and then anything.
        let spliced = [&vectors().first()[..keep], &bytes].concat();
        prop_assert!(ReceivedEnvelope::parse(&spliced).is_err());
    }
}
