//! The calls of a gateway: batches up, grants down.

use crate::{CallError, Config, HeadGuard, SetupError, StateError, Transport, http::Http};
use std::{sync::Arc, time::Duration};
use thiserror::Error;
use vernport_api::{
    BatchAnswer, BatchAnswers, CertificateAnswer, Feed, FeedNonce, FeedRequest, MAX_WAIT_MS, PATH_BATCHES,
    PATH_FEED, PATH_RENEW, PATH_SEGMENTS, PATH_WITNESS, RenewalRequest, SegmentAnswer, SegmentRequest,
    WitnessAnswer, WitnessRequest,
    batch::{self, EncodeError},
};

use vernport_seal::{Recipient, Sealed};
use vernport_types::{GrantId, Slug};

/// The longest answer to a delivery, in bytes.
const MAX_ANSWERS_BYTES: usize = 64 << 10;
/// The longest answer of the feed, in bytes: some ten thousand grants.
const MAX_FEED_BYTES: usize = 32 << 20;

/// Why a delivery brought no answers. What central had committed before is answered `duplicate` next time.
#[derive(Debug, Error)]
pub enum SendError {
    /// An envelope that no delivery can hold.
    #[error("item {item} cannot be delivered")]
    Envelope {
        /// Which, from 0.
        item: usize,
        /// What is wrong.
        source: EncodeError,
    },
    /// The call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// Central answered for other batches than were sent.
    #[error("central answered for other batches than were sent")]
    OtherBatches,
}

/// Why no state came from the feed.
#[derive(Debug, Error)]
pub enum FeedError {
    /// The call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// It came and is not believed.
    #[error("the state of central is not believed")]
    State(#[from] StateError),
}

impl FeedError {
    /// When central asked to be called again.
    pub fn retry_after(&self) -> Option<Duration> {
        if let Self::Call(error) = self { error.retry_after() } else { None }
    }
}

/// A gateway's connection to central. Clones share it.
#[derive(Debug, Clone)]
pub struct Uplink {
    http: Http,
    gateway: Slug,
}

impl Uplink {
    /// An uplink of `gateway` with the certificate in `tls`. Connects at the first call.
    ///
    /// # Errors
    /// [`SetupError`] for an address that is none.
    pub fn new(config: &Config, gateway: Slug, tls: rustls::ClientConfig) -> Result<Self, SetupError> {
        Http::new(config, tls).map(|http| Self { http, gateway })
    }

    /// An uplink of `gateway` over a transport that is there already and says who calls.
    pub fn over(transport: Arc<dyn Transport>, gateway: Slug) -> Self {
        Self { http: Http::over(transport), gateway }
    }

    /// Leaves the connection there is, for this uplink and its clones: after a sleep the other side may
    /// have forgotten it, and finding that out takes longer than a new one.
    ///
    /// # Errors
    /// [`SetupError::Client`]; then all goes on over the old one.
    pub fn reconnect(&self) -> Result<(), SetupError> {
        self.http.reconnect()
    }

    /// Delivers as many of `batches`, from the first on, as one call holds
    /// ([`batch::MAX_ITEMS`], [`batch::MAX_BODY_BYTES`]). The answers are in the same order; those that found no
    /// place have none and go with the next call.
    ///
    /// # Errors
    /// [`SendError`]; nothing may be settled then.
    pub async fn send(
        &self,
        batches: &[(GrantId, &Sealed<Recipient>)],
    ) -> Result<Vec<BatchAnswer>, SendError> {
        let mut body = batch::Encoder::default();
        for (item, (grant, sealed)) in batches.iter().enumerate() {
            match body.push(*grant, sealed.as_bytes()) {
                Ok(()) => {}
                Err(EncodeError::Full { .. }) => break,
                Err(source) => return Err(SendError::Envelope { item, source }),
            }
        }
        if body.is_empty() {
            return Ok(Vec::new());
        }
        let sent = &batches[..body.len()];
        let BatchAnswers { answers } =
            self.http.post_bytes(PATH_BATCHES, batch::CONTENT_TYPE, body.finish(), MAX_ANSWERS_BYTES).await?;
        let ours = answers.len() == sent.len()
            && answers.iter().zip(sent).all(|(answer, (_, sealed))| answer.batch == sealed.header().batch);
        if ours { Ok(answers) } else { Err(SendError::OtherBatches) }
    }

    /// Brings what was said at the station. Bringing it again is harmless.
    ///
    /// # Errors
    /// [`CallError`]; nothing of it took effect then, or it did and the answer was lost.
    pub async fn merge(&self, request: &SegmentRequest) -> Result<SegmentAnswer, CallError> {
        self.http.post(PATH_SEGMENTS, request, Duration::ZERO, MAX_ANSWERS_BYTES).await
    }

    /// Shows the head of this gateway's log, and is shown central's. Nothing in the answer is checked here.
    ///
    /// # Errors
    /// [`CallError`]; showing it again is harmless.
    pub async fn witness(&self, request: &WitnessRequest) -> Result<WitnessAnswer, CallError> {
        self.http.post(PATH_WITNESS, request, Duration::ZERO, MAX_ANSWERS_BYTES).await
    }

    /// Asks for the next certificate. Asking again with the same key is answered with the same one.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn renew(&self, request: &RenewalRequest) -> Result<CertificateAnswer, CallError> {
        self.http.post(PATH_RENEW, request, Duration::ZERO, MAX_ANSWERS_BYTES).await
    }

    /// Asks for the state of central and checks it. `nonce` is drawn anew for each call; `known` is the hash of the
    /// snapshot in effect here; central answers at once where it has another, else after `wait`
    /// (at most [`MAX_WAIT_MS`]).
    ///
    /// # Errors
    /// [`FeedError`]; the state in effect stays as it is, and is believed no longer than before.
    pub async fn feed(
        &self,
        guard: &mut HeadGuard,
        nonce: [u8; 16],
        known: Option<[u8; 32]>,
        wait: Duration,
    ) -> Result<Feed, FeedError> {
        let wait_ms = u32::try_from(wait.as_millis()).unwrap_or(u32::MAX).min(MAX_WAIT_MS);
        let nonce = FeedNonce(nonce);
        let question = FeedRequest { gateway: self.gateway.clone(), nonce, known, wait_ms, notices: true };
        let patience = Duration::from_millis(wait_ms.into());
        let feed = self.http.post(PATH_FEED, &question, patience, MAX_FEED_BYTES).await?;
        guard.check(&feed, &self.gateway, nonce, known)?;
        Ok(feed)
    }
}
