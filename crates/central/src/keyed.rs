//! Requests under an Idempotency-Key (draft-ietf-httpapi-idempotency-key-header):
//! the first one is carried out, the same one again gets its answer.
//!
//! What was refused changed nothing and is not kept: the same request is judged anew.

use crate::{caller::Desk, refusal::Refusal};
use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use std::sync::Arc;
use vernport_api::{Code, HEADER_IDEMPOTENCY_KEY, HEADER_REPLAYED, IdempotencyKey};
use vernport_crypto::{random, sha256};
use vernport_store::{Answered, Begun, Keyed, Store};
use vernport_types::{ControllerId, UtcMicros, chain};

/// For how long an attempt has its key to itself, unless it says that it goes on: longer than the
/// longest request but an import, which does say so.
const LEASE_SECONDS: i64 = 330;

/// The key of a request, if it bears one.
pub(crate) fn key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Refusal> {
    let mut values = headers.get_all(HEADER_IDEMPOTENCY_KEY).iter();
    let (Some(value), rest) = (values.next(), values.next()) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    match text.parse() {
        Ok(key) if rest.is_none() => Ok(Some(key)),
        Ok(_) => Err(Refusal::new(Code::BadRequest, "send one Idempotency-Key")),
        Err(error) => Err(Refusal::new(Code::BadRequest, format!("{error}"))),
    }
}

/// What a request says: its path with query, and its body.
pub(crate) fn digest(path: &str, query: &str, body: &[u8]) -> [u8; 32] {
    sha256(&[path.as_bytes(), b"\0", query.as_bytes(), b"\0", &sha256(body)].concat())
}

/// How a keyed request begins.
pub(crate) enum Begin {
    /// It is carried out.
    Attempt(Attempt),
    /// It was answered before; the digest of the request that was.
    Answered { request: [u8; 32], answer: Vec<u8> },
}

/// One attempt to carry out a keyed request. Dropped, it gives the key up unless it was answered.
pub(crate) struct Attempt {
    store: Arc<Store>,
    controller: ControllerId,
    keyed: Keyed,
    is_over: bool,
}

impl Attempt {
    /// Begins one, if no other is under way.
    pub(crate) async fn begin(desk: &Desk<'_>, key: &IdempotencyKey) -> Result<Begin, Refusal> {
        let store = Arc::clone(&desk.controller.store);
        let controller = desk.controller.id().clone();
        let keyed = store.keyed(&controller, &desk.caller, key.as_str(), random());
        let now = desk.controller.clock.now().wall;
        match store.begin_keyed(&controller, &keyed, now, now.plus_seconds(LEASE_SECONDS)).await? {
            Begun::Free => Ok(Begin::Attempt(Self { store, controller, keyed, is_over: false })),
            Begun::Answered { request, answer } => {
                // Maybe by another process, or by this one, which was not told that it is recorded.
                desk.controller.journaled().await?;
                Ok(Begin::Answered { request, answer })
            }
            Begun::UnderWay => Err(in_use()),
            Begun::Full => {
                let detail = "too many keys are kept for this controller; send it without one: external_ref \
                              protects it, or again tomorrow";
                Err(Refusal::new(Code::Busy, detail))
            }
        }
    }

    /// The answer, to be recorded with what the request changed.
    pub(crate) fn answered(&self, request: [u8; 32], answer: &[u8]) -> Answered {
        self.store.answered(&self.controller, self.keyed, request, answer)
    }

    /// Says that it goes on.
    pub(crate) async fn hold(&self, now: UtcMicros) -> Result<(), Refusal> {
        let until = now.plus_seconds(LEASE_SECONDS);
        if self.store.hold_keyed(&self.controller, &self.keyed, until).await? {
            Ok(())
        } else {
            Err(in_use())
        }
    }

    /// Keeps the answer as it is given. What was recorded stays so if that fails.
    pub(crate) async fn keep(mut self, request: [u8; 32], answer: &[u8]) {
        self.is_over = true;
        let kept = self.store.answer_keyed(&self.controller, &self.answered(request, answer)).await;
        if let Err(error) = kept {
            tracing::warn!(error = chain(&error), "the answer to a keyed request could not be kept");
        }
    }

    /// Gives it up: nothing was changed, or what was is known by its references.
    pub(crate) async fn give_up(mut self) {
        self.is_over = true;
        if let Err(error) = self.store.give_up_keyed(&self.controller, &self.keyed).await {
            tracing::warn!(
                error = chain(&error),
                "a keyed request could not be given up; its key is free later"
            );
        }
    }
}

impl Drop for Attempt {
    /// The caller hung up, or the request took too long.
    fn drop(&mut self) {
        if !self.is_over {
            let (store, controller, keyed) = (Arc::clone(&self.store), self.controller.clone(), self.keyed);
            tokio::spawn(async move {
                let _ = store.give_up_keyed(&controller, &keyed).await;
            });
        }
    }
}

/// The answer that a request with this digest got before.
pub(crate) fn again(known: [u8; 32], request: [u8; 32], answer: Vec<u8>) -> Result<Response, Refusal> {
    if known != request {
        let detail = "draw a new key for each request; the same key means the same path, query and body";
        return Err(Refusal::new(Code::IdempotencyKeyReused, detail));
    }
    let replayed = (HeaderName::from_static(HEADER_REPLAYED), HeaderValue::from_static("true"));
    Ok(([replayed], json_bytes(answer)).into_response())
}

/// An answer whose JSON is there already.
pub(crate) fn json_bytes(answer: Vec<u8>) -> Response {
    ([(CONTENT_TYPE, "application/json")], answer).into_response()
}

/// When another attempt works under the key.
pub(crate) fn in_use() -> Refusal {
    Refusal::new(Code::IdempotencyKeyInUse, "ask again in a moment, with the same key")
}
