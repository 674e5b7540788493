//! Refusals as HTTP answers, and bodies read within their bounds.

use crate::counted::Refused;
use axum::{
    body::Body,
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER},
    },
    response::{IntoResponse, Response},
};
use http_body_util::LengthLimitError;
use serde::de::DeserializeOwned;
use std::error::Error as _;
use vernport_api::{Code, PROBLEM_JSON, Problem};

/// When to ask again whoever was told that central is busy.
const RETRY_AFTER_SECONDS: u16 = 2;

/// A refusal on its way out.
#[derive(Debug)]
pub(crate) struct Refusal(pub(crate) Problem);

impl Refusal {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self(Problem::new(code, detail))
    }

    /// The same once more.
    pub(crate) fn again(&self) -> Self {
        Self(self.0.clone())
    }

    pub(crate) fn at_item(self, item: usize) -> Self {
        Self(self.0.at_item(item))
    }
}

impl From<vernport_store::StoreError> for Refusal {
    fn from(error: vernport_store::StoreError) -> Self {
        if error.is_busy() {
            return Self::new(Code::Busy, "the database is busy, ask again later");
        }
        if error.is_unavailable() {
            tracing::warn!(error = vernport_types::chain(&error), "the database cannot be reached");
            return Self::new(Code::Busy, "the database cannot be reached; ask again later");
        }
        tracing::error!(error = vernport_types::chain(&error), "the store failed");
        Self::new(Code::Internal, "the store failed; central's log says more")
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self.0).expect("a problem document is plain data");
        let mut response = (status, [(CONTENT_TYPE, PROBLEM_JSON)], body).into_response();
        // For those who count: it does not leave.
        response.extensions_mut().insert(Refused(self.0.code));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
        }
        response
    }
}

/// Reads a whole body of at most `max_bytes`.
pub(crate) async fn body(body: Body, max_bytes: usize) -> Result<bytes::Bytes, Refusal> {
    axum::body::to_bytes(body, max_bytes).await.map_err(|error| {
        let too_long = error.source().is_some_and(|cause| cause.is::<LengthLimitError>());
        if too_long {
            Refusal::new(Code::BodyTooLarge, format!("send at most {max_bytes} bytes"))
        } else {
            Refusal::new(Code::BadRequest, "the body ended before its time")
        }
    })
}

/// Reads a JSON body. The refusal says where, and repeats nothing of it.
pub(crate) async fn json<T: DeserializeOwned>(from: Body, max_bytes: usize) -> Result<T, Refusal> {
    parse(&body(from, max_bytes).await?)
}

/// The same of a body that was read.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(bytes).map_err(|error| {
        let place = format!("line {} column {}", error.line(), error.column());
        Refusal::new(Code::BadRequest, format!("not the JSON that this path takes, at {place}"))
    })
}
