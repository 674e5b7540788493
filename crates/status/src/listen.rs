//! The listener: `GET /metrics`, `GET /status` and `GET /health`, and nothing else. One
//! request a connection, no body; few at a time, each within its time.

use crate::{Address, Exposition, Family, PathStatus};
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Body as _, Bytes, Incoming},
    header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{
    convert::Infallible,
    future::Future,
    os::unix::fs::{FileTypeExt as _, PermissionsExt as _},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use thiserror::Error;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
    sync::Semaphore,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// How many are answered at a time; more wait.
const MAX_AT_A_TIME: usize = 8;
/// The longest head of a request, in bytes.
const MAX_HEAD_BYTES: usize = 8 * 1024;
/// Most headers of a request.
const MAX_HEADERS: usize = 32;
/// How long the head may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection may take from its begin to the end of the answer.
const TIMEOUT: Duration = Duration::from_secs(15);
/// How often it is looked whether the main loop goes round …
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// … and after how long without a turn it stands still.
const STANDS_STILL: Duration = Duration::from_secs(10);
/// A pause after a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Owner and group of a local socket.
const MODE: u32 = 0o660;

/// A daemon that is asked.
pub trait Subject: Send + Sync + 'static {
    /// How often its main loop went round.
    fn turns(&self) -> u64;

    /// How it stands; `lives`: its main loop goes round.
    fn status(&self, lives: bool) -> impl Future<Output = PathStatus> + Send;

    /// What it counted.
    fn metrics(&self, lives: bool) -> impl Future<Output = Vec<Family>> + Send;
}

/// Why nobody can be heard.
#[derive(Debug, Error)]
#[error(
    "[status] address: {address} cannot be listened at; is another daemon there, or the folder not this user's?"
)]
pub struct ListenError {
    /// Where.
    pub address: Address,
    /// What the system said.
    pub source: std::io::Error,
}

/// An open listener; a local socket goes with it.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    address: Address,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Listener {
    /// Where it listens: with the port that was taken.
    pub fn address(&self) -> &Address {
        &self.address
    }

    async fn accept(&self) -> std::io::Result<Box<dyn Stream>> {
        Ok(match &self.socket {
            Socket::Tcp(listener) => Box::new(listener.accept().await?.0),
            Socket::Unix(listener) => Box::new(listener.accept().await?.0),
        })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Address::Unix(path) = &self.address {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Listens at an address, inside a tokio runtime. A local socket that a dead daemon left is replaced.
///
/// # Errors
/// [`ListenError`].
pub fn open(address: &Address) -> Result<Listener, ListenError> {
    let failed = |source| ListenError { address: address.clone(), source };
    match address {
        Address::Loopback(at) => {
            let bound = std::net::TcpListener::bind(at).and_then(|listener| {
                listener.set_nonblocking(true)?;
                TcpListener::from_std(listener)
            });
            let listener = bound.map_err(failed)?;
            let address = Address::Loopback(listener.local_addr().map_err(failed)?);
            Ok(Listener { socket: Socket::Tcp(listener), address })
        }
        Address::Unix(path) => {
            let listener = open_unix(path).map_err(failed)?;
            Ok(Listener { socket: Socket::Unix(listener), address: address.clone() })
        }
    }
}

fn open_unix(path: &Path) -> std::io::Result<UnixListener> {
    match std::fs::symlink_metadata(path) {
        Ok(there) if there.file_type().is_socket() => {
            if std::os::unix::net::UnixStream::connect(path).is_ok() {
                return Err(std::io::ErrorKind::AddrInUse.into());
            }
            std::fs::remove_file(path)?;
        }
        Ok(_) => return Err(std::io::ErrorKind::AlreadyExists.into()),
        Err(_) => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(MODE))?;
    Ok(listener)
}

/// Serves until shutdown.
pub async fn serve<S: Subject>(listener: Listener, subject: Arc<S>, shutdown: CancellationToken) {
    let lives = Arc::new(AtomicBool::new(true));
    let watching = watch(Arc::clone(&subject), Arc::clone(&lives));
    let accepting = accept(&listener, &subject, &lives);
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = watching => {}
        () = accepting => {}
    }
}

/// Looks whether the main loop goes round.
async fn watch<S: Subject>(subject: Arc<S>, lives: Arc<AtomicBool>) {
    let (mut seen, mut since) = (subject.turns(), Instant::now());
    loop {
        sleep(LOOK_EVERY).await;
        let turns = subject.turns();
        if turns != seen {
            (seen, since) = (turns, Instant::now());
        }
        lives.store(since.elapsed() < STANDS_STILL, Ordering::Relaxed);
    }
}

async fn accept<S: Subject>(listener: &Listener, subject: &Arc<S>, lives: &Arc<AtomicBool>) {
    let places = Arc::new(Semaphore::new(MAX_AT_A_TIME));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(%error, "nobody can be heard at [status] address");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (subject, lives) = (Arc::clone(subject), Arc::clone(lives));
        tokio::spawn(async move {
            let answering = service_fn(|request| {
                let (subject, lives) = (Arc::clone(&subject), lives.load(Ordering::Relaxed));
                async move { Ok::<_, Infallible>(answer(&request, &*subject, lives).await) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .max_buf_size(MAX_HEAD_BYTES)
                .max_headers(MAX_HEADERS)
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), answering);
            if !matches!(timeout(TIMEOUT, connection).await, Ok(Ok(()))) {
                tracing::debug!("somebody who asked for the status went away, was too slow or spoke no HTTP");
            }
            drop(place);
        });
    }
}

async fn answer<S: Subject>(request: &Request<Incoming>, subject: &S, lives: bool) -> Response<Full<Bytes>> {
    let plain = "text/plain; charset=utf-8";
    if !matches!(request.uri().path(), "/metrics" | "/status" | "/health") {
        return reply(StatusCode::NOT_FOUND, plain, "ask for /metrics, /status or /health\n".into());
    }
    if request.method() != Method::GET {
        let mut refused = reply(StatusCode::METHOD_NOT_ALLOWED, plain, "ask with GET\n".into());
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
        return refused;
    }
    if !request.body().is_end_stream() {
        return reply(StatusCode::PAYLOAD_TOO_LARGE, plain, "a question has no body\n".into());
    }
    match request.uri().path() {
        "/metrics" => {
            let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok());
            let exposition = Exposition::accepted(accept.unwrap_or_default());
            reply(StatusCode::OK, exposition.content_type(), exposition.write(subject.metrics(lives).await))
        }
        "/status" => {
            let status = subject.status(lives).await;
            let json = serde_json::to_string(&status).expect("a status is plain data");
            reply(StatusCode::OK, "application/json", json + "\n")
        }
        _ if lives => reply(StatusCode::OK, plain, "ok\n".into()),
        _ => reply(StatusCode::SERVICE_UNAVAILABLE, plain, "the main loop stands still\n".into()),
    }
}

fn reply(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests;
