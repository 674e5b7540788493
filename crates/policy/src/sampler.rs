//! Sampling: how often a flow takes a reading of one signal of one asset.
//!
//! The state is times only, under a hash, and goes to the spool in the
//! transaction that queues the release, so that a restart takes no extra sample.

use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};
use vernport_crypto::sha256;
use vernport_types::{AssetId, ControllerId, OrderId, Slug, UtcMicros};

/// What a sample is counted under: SHA-256 of controller, flow, signal, asset and, where
/// it is per order, the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SampleKey(pub [u8; 32]);

/// One sample taken: none more until then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// What it counts under.
    pub key: SampleKey,
    /// From when on the next one may be taken.
    pub until: UtcMicros,
}

/// How long a sample per order is remembered, in seconds: longer than any order is open.
pub(crate) const ORDER_MEMORY_SECONDS: i64 = 400 * 86_400;

/// When what was last taken. One per controller.
#[derive(Debug, Default)]
pub struct Sampler {
    until: HashMap<SampleKey, UtcMicros, BuildHasherDefault<FirstBytes>>,
}

impl Sampler {
    /// Starts from what the spool kept.
    pub fn from_samples(samples: impl IntoIterator<Item = Sample>) -> Self {
        Self { until: samples.into_iter().map(|sample| (sample.key, sample.until)).collect() }
    }

    /// Forgets what no longer counts, and makes room for this many more samples,
    /// so that none of them allocates.
    pub fn make_room(&mut self, now: UtcMicros, samples: usize) {
        self.until.retain(|_, until| now < *until);
        self.until.reserve(samples);
    }

    /// Whether a sample may be taken now. Where there is an interval, none waits for twice as long: then the clock
    /// had run ahead when the last one was taken, and was set right since. A smaller step back takes no extra sample.
    pub(crate) fn is_due(&self, key: SampleKey, now: UtcMicros, interval: Option<i64>) -> bool {
        self.until.get(&key).is_none_or(|until| {
            let is_ahead = |micros| now.plus_micros(micros).plus_micros(micros) < *until;
            *until <= now || interval.is_some_and(is_ahead)
        })
    }

    pub(crate) fn take(&mut self, sample: Sample) {
        self.until.insert(sample.key, sample.until);
    }
}

impl SampleKey {
    /// What a flow and a signal add to the key; hashed once, when the rules are compiled.
    pub(crate) fn base(controller: &ControllerId, flow: &Slug, path: &str) -> [u8; 32] {
        let mut bytes = b"vernport sample v1\0".to_vec();
        for text in [controller.as_str(), flow.as_str(), path] {
            // A NUL ends each text; none of them can hold one.
            bytes.extend_from_slice(text.as_bytes());
            bytes.push(0);
        }
        sha256(&bytes)
    }

    /// The key for an asset and, where it is per order, the order. Allocates nothing.
    pub(crate) fn new(base: &[u8; 32], asset: AssetId, order: Option<OrderId>) -> Self {
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(base);
        bytes[32..48].copy_from_slice(asset.as_bytes());
        if let Some(order) = order {
            bytes[48..].copy_from_slice(order.as_bytes());
        }
        Self(sha256(&bytes))
    }
}

/// Takes the first eight bytes as the hash: for keys that are hashes or random already.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    // The length that comes before the bytes of an array says nothing.
    fn write_usize(&mut self, _length: usize) {}
}
