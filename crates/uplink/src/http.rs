//! One call to central: bounded in time and bytes, its failures sorted.

use bytes::Bytes;
use reqwest::{
    Method, Response, StatusCode, Url,
    header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER},
    redirect,
};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use thiserror::Error;
use vernport_api::{Code, HEADER_CONTROLLER, HEADER_IDEMPOTENCY_KEY, IdempotencyKey, Problem};
use vernport_types::ControllerId;

/// The longest problem document that is read, in bytes.
const MAX_PROBLEM_BYTES: usize = 64 << 10;
/// How often an open connection is tried while a call waits, and how long for an answer.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
const KEEP_ALIVE_ANSWER: Duration = Duration::from_secs(5);

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
    /// Central at `url`, with 5 s to connect and 30 s for a call.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(30),
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
    Unreachable(#[source] reqwest::Error),
    /// Central, or what is between, was too slow.
    #[error("central did not answer in time")]
    Timeout(#[source] reqwest::Error),
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
            Self::Unreachable(_) | Self::Timeout(_) | Self::Busy { .. } => true,
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

/// An HTTP client for one central.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    /// Shared by clones, so that all of them leave a dead connection together.
    client: Arc<Mutex<reqwest::Client>>,
    tls: rustls::ClientConfig,
    connect_timeout: Duration,
    base: Url,
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
    pub(crate) fn new(config: &Config, mut tls: rustls::ClientConfig) -> Result<Self, SetupError> {
        let bad = || SetupError::Url { url: config.url.clone() };
        let base = Url::parse(&config.url).map_err(|_| bad())?;
        if base.scheme() != "https"
            || base.path() != "/"
            || base.query().is_some()
            || base.fragment().is_some()
        {
            return Err(bad());
        }
        // The contract is spoken over HTTP/2 only.
        tls.alpn_protocols = vec![b"h2".to_vec()];
        let client = client(&tls, config.connect_timeout).map_err(SetupError::Client)?;
        Ok(Self {
            client: Arc::new(Mutex::new(client)),
            tls,
            connect_timeout: config.connect_timeout,
            base,
            request_timeout: config.request_timeout,
            on: None,
        })
    }

    /// The same, with a controller that each request names.
    pub(crate) fn on(&self, controller: ControllerId) -> Self {
        Self { on: Some(controller), ..self.clone() }
    }

    /// Leaves the connection there is: the next call makes its own. A call under way keeps the old one.
    pub(crate) fn reconnect(&self) -> Result<(), SetupError> {
        let fresh = client(&self.tls, self.connect_timeout).map_err(SetupError::Client)?;
        *self.client.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    pub(crate) async fn get<A: DeserializeOwned>(
        &self,
        path: &str,
        max_bytes: usize,
    ) -> Result<A, CallError> {
        self.call(Method::GET, path, None, Duration::ZERO, max_bytes).await
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
        self.call(Method::POST, path, Some(sent), patience, max_bytes).await
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
        let url = self.base.join(path).expect("paths of the contract are paths");
        let client = self.client.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut request = client.request(method, url).timeout(self.request_timeout.saturating_add(patience));
        if let Some(controller) = &self.on {
            request = request.header(HEADER_CONTROLLER, controller.as_str());
        }
        if let Some(Sent { content_type, body, key }) = sent {
            if let Some(key) = key {
                request = request.header(HEADER_IDEMPOTENCY_KEY, key.header());
            }
            request = request.header(CONTENT_TYPE, HeaderValue::from_static(content_type)).body(body);
        }
        let response = request.send().await.map_err(unanswered)?;
        if !response.status().is_success() {
            return Err(refused(response).await);
        }
        let bytes = bounded(response, max_bytes).await?;
        serde_json::from_slice(&bytes)
            .map_err(|error| CallError::Malformed { line: error.line(), column: error.column() })
    }
}

fn client(tls: &rustls::ClientConfig, connect_timeout: Duration) -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls.clone())
        .https_only(true)
        .http2_prior_knowledge()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .connect_timeout(connect_timeout)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .http2_keep_alive_timeout(KEEP_ALIVE_ANSWER)
        .build()
}

fn unanswered(error: reqwest::Error) -> CallError {
    if error.is_timeout() { CallError::Timeout(error) } else { CallError::Unreachable(error) }
}

async fn bounded(mut response: Response, max_bytes: usize) -> Result<Vec<u8>, CallError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unanswered)? {
        if bytes.len() + chunk.len() > max_bytes {
            return Err(CallError::TooLong { max_bytes });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

async fn refused(response: Response) -> CallError {
    let status = response.status();
    if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
        return CallError::Busy { status: status.as_u16(), retry_after: retry_after(&response) };
    }
    match bounded(response, MAX_PROBLEM_BYTES).await {
        Ok(bytes) => match serde_json::from_slice(&bytes) {
            Ok(problem) => CallError::Refused(Box::new(problem)),
            Err(_) => CallError::Unexpected { status: status.as_u16() },
        },
        Err(error @ (CallError::Unreachable(_) | CallError::Timeout(_))) => error,
        Err(_) => CallError::Unexpected { status: status.as_u16() },
    }
}

/// Seconds; the form as a date is not used by central (RFC 9110, 10.2.3).
fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}
