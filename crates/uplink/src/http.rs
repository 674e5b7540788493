//! One call to central: bounded in time and bytes, its failures sorted. What carries
//! it stands below, behind [`Transport`].

use crate::transport::{Broken, Call, Carried, Headers, Method, Reqwest, Transport};
use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use std::{sync::Arc, time::Duration};
use thiserror::Error;
use vernport_api::{Code, HEADER_CONTROLLER, HEADER_IDEMPOTENCY_KEY, IdempotencyKey, Problem};
use vernport_types::ControllerId;

/// Where central is and how long to wait for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `https://` and host, with a port where it is not 443; no path.
    pub url: String,
    /// How long a connection may take to come about.
    pub connect_timeout: Duration,
    /// How long one call may take, beside what it asks central to wait.
    pub request_timeout: Duration,
}

impl Config {
    pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

    /// Central at `url`, with 5 s to connect and 30 s for a call.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            connect_timeout: Duration::from_secs(5),
            request_timeout: Self::REQUEST_TIMEOUT,
        }
    }
}

/// Why a client was not made.
#[derive(Debug, Error)]
pub enum SetupError {
    /// The address is not one of central.
    #[error("{url:?} is not the address of a central: expected https://<host> or https://<host>:<port>")]
    Url {
        /// The address as configured.
        url: String,
    },
    /// The HTTP client refuses the settings.
    #[error("cannot make an HTTP client of these settings")]
    Client(#[source] reqwest::Error),
}

/// Why a call brought no answer.
#[derive(Debug, Error)]
pub enum CallError {
    /// Central was not reached, or the connection broke.
    #[error("central cannot be reached")]
    Unreachable(#[source] Broken),
    /// Central, or what is between, was too slow.
    #[error("central did not answer in time")]
    Timeout,
    /// Central asks to come back later.
    #[error("central is busy (status {status})")]
    Busy {
        /// The HTTP status.
        status: u16,
        /// When to come back, where central said so.
        retry_after: Option<Duration>,
    },
    /// Central refused, and says why.
    #[error("central refused: {0}")]
    Refused(Box<Problem>),
    /// An answer that central does not give: something else is at this address, or it is broken.
    #[error("status {status} without a problem document: is this address really that of central?")]
    Unexpected {
        /// The HTTP status.
        status: u16,
    },
    /// The answer is longer than any that is asked for.
    #[error("the answer is longer than {max_bytes} bytes")]
    TooLong {
        /// What is allowed.
        max_bytes: usize,
    },
    /// The answer is not what the contract says. Where, but not what: it may hold what no log may.
    #[error("the answer is not what version {version} of the contract says (line {line}, column {column})", version = vernport_api::VERSION)]
    Malformed {
        /// Line in the answer, from 1.
        line: usize,
        /// Column in the line.
        column: usize,
    },
}

impl CallError {
    /// Whether the same call may succeed later without anybody's doing.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Timeout | Self::Busy { .. } => true,
            Self::Refused(problem) => matches!(problem.code, Code::Busy | Code::Internal),
            Self::Unexpected { status } => *status >= 500,
            Self::TooLong { .. } | Self::Malformed { .. } => false,
        }
    }

    /// When central asked to be called again.
    pub fn retry_after(&self) -> Option<Duration> {
        if let Self::Busy { retry_after, .. } = self { *retry_after } else { None }
    }
}

/// An HTTP client for one central. Clones share its connection.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    transport: Arc<dyn Transport>,
    request_timeout: Duration,
    /// The controller that each request names.
    on: Option<ControllerId>,
}

/// What is sent: a type, the bytes, and the key under which a repetition is known.
pub(crate) struct Sent<'a> {
    pub(crate) content_type: &'static str,
    pub(crate) body: Bytes,
    pub(crate) key: Option<&'a IdempotencyKey>,
}

impl Sent<'static> {
    pub(crate) fn json<Q: Serialize>(question: &Q) -> Self {
        let body =
            serde_json::to_vec(question).expect("questions of the contract have no map keys to fail on");
        Self { content_type: "application/json", body: body.into(), key: None }
    }
}

impl Http {
    pub(crate) fn new(config: &Config, tls: rustls::ClientConfig) -> Result<Self, SetupError> {
        let transport = Arc::new(Reqwest::new(config, tls)?);
        Ok(Self { transport, request_timeout: config.request_timeout, on: None })
    }

    pub(crate) fn over(transport: Arc<dyn Transport>) -> Self {
        Self { transport, request_timeout: Config::REQUEST_TIMEOUT, on: None }
    }

    /// The same, with a controller that each request names.
    pub(crate) fn on(&self, controller: ControllerId) -> Self {
        Self { on: Some(controller), ..self.clone() }
    }

    /// Leaves the connection there is: the next call makes its own. A call under way keeps the old one.
    pub(crate) fn reconnect(&self) -> Result<(), SetupError> {
        self.transport.reconnect()
    }

    pub(crate) async fn get<A: DeserializeOwned>(
        &self,
        path: &str,
        max_bytes: usize,
    ) -> Result<A, CallError> {
        self.call(Method::Get, path, None, Duration::ZERO, max_bytes).await
    }

    /// Posts JSON; `patience` is what central was asked to wait.
    pub(crate) async fn post<Q: Serialize, A: DeserializeOwned>(
        &self,
        path: &str,
        question: &Q,
        patience: Duration,
        max_bytes: usize,
    ) -> Result<A, CallError> {
        self.send(path, Sent::json(question), patience, max_bytes).await
    }

    pub(crate) async fn send<A: DeserializeOwned>(
        &self,
        path: &str,
        sent: Sent<'_>,
        patience: Duration,
        max_bytes: usize,
    ) -> Result<A, CallError> {
        self.call(Method::Post, path, Some(sent), patience, max_bytes).await
    }

    pub(crate) async fn post_bytes<A: DeserializeOwned>(
        &self,
        path: &str,
        content_type: &'static str,
        body: Vec<u8>,
        max_bytes: usize,
    ) -> Result<A, CallError> {
        let sent = Sent { content_type, body: body.into(), key: None };
        self.send(path, sent, Duration::ZERO, max_bytes).await
    }

    async fn call<A: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        sent: Option<Sent<'_>>,
        patience: Duration,
        max_bytes: usize,
    ) -> Result<A, CallError> {
        let mut headers: Headers =
            self.on.iter().map(|controller| (HEADER_CONTROLLER, controller.as_str().to_owned())).collect();
        let body = sent.map(|Sent { content_type, body, key }| {
            headers.extend(key.map(|key| (HEADER_IDEMPOTENCY_KEY, key.header())));
            (content_type, body)
        });
        let call = Call { method, path: path.to_owned(), headers, body, max_bytes };
        let limit = self.request_timeout.saturating_add(patience);
        let Carried { status, retry_after, body } =
            match tokio::time::timeout(limit, self.transport.carry(call)).await {
                Ok(carried) => carried.map_err(CallError::Unreachable)?,
                Err(_) => return Err(CallError::Timeout),
            };
        if !(200..300).contains(&status) {
            return Err(refused(status, retry_after, &body));
        }
        if body.len() > max_bytes {
            return Err(CallError::TooLong { max_bytes });
        }
        serde_json::from_slice(&body)
            .map_err(|error| CallError::Malformed { line: error.line(), column: error.column() })
    }
}

/// 503 and 429 (RFC 9110, 15.6.4; RFC 6585, 4) ask to come back; what else is no success says why.
fn refused(status: u16, retry_after: Option<Duration>, body: &[u8]) -> CallError {
    if matches!(status, 503 | 429) {
        return CallError::Busy { status, retry_after };
    }
    match serde_json::from_slice::<Problem>(body) {
        Ok(problem) => CallError::Refused(Box::new(problem)),
        Err(_) => CallError::Unexpected { status },
    }
}
