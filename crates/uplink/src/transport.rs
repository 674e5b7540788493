//! What carries a call to central and its answer back: HTTP/2 over mutual TLS, or
//! what a test puts in its place. Time limits, bounds and the meaning of an answer
//! are judged above, for every transport alike.

use crate::{Config, SetupError};
use bytes::Bytes;
use reqwest::{
    Response, Url,
    header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER},
    redirect,
};
use std::{
    error::Error,
    fmt,
    future::Future,
    pin::Pin,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// The longest problem document that is read, in bytes.
const MAX_PROBLEM_BYTES: usize = 64 << 10;
/// How often an open connection is tried while a call waits, and how long for an answer.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
const KEEP_ALIVE_ANSWER: Duration = Duration::from_secs(5);

/// Why an answer did not come: the connection could not be made, or broke.
pub type Broken = Box<dyn Error + Send + Sync>;

/// An answer on its way.
pub type Carrying<'a> = Pin<Box<dyn Future<Output = Result<Carried, Broken>> + Send + 'a>>;

/// How a path is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `GET`.
    Get,
    /// `POST`.
    Post,
}

/// Names and values of headers of the contract.
pub type Headers = Vec<(&'static str, String)>;

/// A call.
#[derive(Clone)]
pub struct Call {
    /// How.
    pub method: Method,
    /// A path of the contract.
    pub path: String,
    /// What stands beside the body.
    pub headers: Headers,
    /// Content type and bytes of the body, where there is one.
    pub body: Option<(&'static str, Bytes)>,
    /// How long the body of an answer may be, in bytes. One that is longer may be cut off, but not before
    /// the byte behind that.
    pub max_bytes: usize,
}

/// The path only: a body may hold what no log may.
impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("path", &self.path).finish_non_exhaustive()
    }
}

/// An answer as it came.
#[derive(Clone)]
pub struct Carried {
    /// The HTTP status.
    pub status: u16,
    /// When to come back, where that was said in seconds (RFC 9110, 10.2.3).
    pub retry_after: Option<Duration>,
    /// The body.
    pub body: Bytes,
}

impl fmt::Debug for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Carried").field("status", &self.status).finish_non_exhaustive()
    }
}

/// Carries calls to one central, for one peer: who calls is the transport's to prove.
pub trait Transport: fmt::Debug + Send + Sync {
    /// Carries a call there and the answer back. Dropped, the call may have arrived all the same.
    fn carry(&self, call: Call) -> Carrying<'_>;

    /// Leaves the connection there is: the next call makes its own.
    ///
    /// # Errors
    /// [`SetupError::Client`]; then all goes on over the old one.
    fn reconnect(&self) -> Result<(), SetupError>;
}

/// HTTP/2 over mutual TLS.
#[derive(Debug)]
pub(crate) struct Reqwest {
    client: Mutex<reqwest::Client>,
    tls: rustls::ClientConfig,
    connect_timeout: Duration,
    base: Url,
}

impl Reqwest {
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
        Ok(Self { client: Mutex::new(client), tls, connect_timeout: config.connect_timeout, base })
    }

    async fn exchange(&self, call: Call) -> Result<Carried, reqwest::Error> {
        let url = self.base.join(&call.path).expect("paths of the contract are paths");
        let client = self.client.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut request = match call.method {
            Method::Get => client.get(url),
            Method::Post => client.post(url),
        };
        for (name, value) in call.headers {
            request = request.header(name, value);
        }
        if let Some((content_type, body)) = call.body {
            request = request.header(CONTENT_TYPE, HeaderValue::from_static(content_type)).body(body);
        }
        let response = request.send().await?;
        let (status, retry_after) = (response.status(), retry_after(&response));
        let max_bytes = if status.is_success() { call.max_bytes } else { MAX_PROBLEM_BYTES };
        Ok(Carried { status: status.as_u16(), retry_after, body: bounded(response, max_bytes).await? })
    }
}

impl Transport for Reqwest {
    fn carry(&self, call: Call) -> Carrying<'_> {
        Box::pin(async { self.exchange(call).await.map_err(Into::into) })
    }

    fn reconnect(&self) -> Result<(), SetupError> {
        let fresh = client(&self.tls, self.connect_timeout).map_err(SetupError::Client)?;
        *self.client.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
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

/// Reads a body up to the chunk that goes beyond its bound.
async fn bounded(mut response: Response, max_bytes: usize) -> Result<Bytes, reqwest::Error> {
    let mut bytes = Vec::new();
    while bytes.len() <= max_bytes
        && let Some(chunk) = response.chunk().await?
    {
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.into())
}

/// Seconds; the form as a date is not used by central (RFC 9110, 10.2.3).
fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}
