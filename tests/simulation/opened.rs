//! What a recipient opens. Whether an envelope is signed and what it holds depends on its bytes and
//! the keys alone: so each is looked at once, however often it is read.

use crate::{play::lock, site::Site};
use anyhow::{Context as _, Result};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};
use vernport_seal::{Body, ReceivedEnvelope};

/// An envelope that its gateway signed, and what its recipient finds in it.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) envelope: ReceivedEnvelope,
    pub(crate) body: Body,
}

/// Everything that was opened, by the hash of its bytes.
#[derive(Default)]
pub(crate) struct Opened(Mutex<HashMap<[u8; 32], Arc<Content>>>);

impl Opened {
    /// Opens an envelope as its recipient does.
    pub(crate) fn open(&self, site: &Site, bytes: &[u8]) -> Result<Arc<Content>> {
        let hash = vernport_crypto::sha256(bytes);
        if let Some(known) = lock(&self.0).get(&hash) {
            return Ok(Arc::clone(known));
        }
        let envelope = ReceivedEnvelope::parse(bytes)?;
        envelope.verify(&site.controller.device_key)?;
        let key = site.key(&envelope.header().flow).context("each flow has a recipient's key")?;
        let body = envelope.open(key)?;
        let content = Arc::new(Content { envelope, body });
        lock(&self.0).insert(hash, Arc::clone(&content));
        Ok(content)
    }
}
