//! The accept loop: connections within a bound, handshakes within a time,
//! HTTP/2 with the caller's certificate handed to the routes.

use crate::{chain, config::Listen, counted::Counted, in_force::Presented, service::Service, tls::Peer};
use axum::{Extension, Router};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// Requests that one connection may have open at a time.
const MAX_STREAMS: u32 = 32;
/// The longest head of a request, in bytes.
const MAX_HEAD_BYTES: u32 = 16 * 1024;
/// How often a quiet connection is asked whether it is still there.
const PING_EVERY: Duration = Duration::from_secs(20);
/// How long it may take to answer that.
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// How long open requests may go on when central stops.
const DRAIN: Duration = Duration::from_secs(5);
/// A pause after a failed accept (no file descriptors left, mostly).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long a client has to read that its certificate is not in force any more.
const FAREWELL: Duration = Duration::from_millis(500);

/// How often the loop goes round where nobody connects.
const TURN_EVERY: Duration = Duration::from_secs(1);

/// What is counted of connections.
pub(crate) struct Counts<'a> {
    /// One for each connection that may be open.
    pub(crate) places: Arc<Semaphore>,
    /// Turns of the loop.
    pub(crate) turns: &'a AtomicU64,
    pub(crate) counted: &'a Arc<Counted>,
}

/// Serves until `shutdown`, then lets open requests end. Counts the turns of its loop.
pub(crate) async fn serve(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    service: &Service,
    (bounds, Counts { places, turns, counted }): (Listen, Counts<'_>),
    shutdown: CancellationToken,
) {
    let graceful = GracefulShutdown::new();
    let mut connections = tokio::task::JoinSet::new();
    let mut tick = tokio::time::interval(TURN_EVERY);
    loop {
        turns.fetch_add(1, Ordering::Relaxed);
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await.expect("the semaphore is never closed");
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = accepted => accepted,
            Some(_ended) = connections.join_next() => continue,
            _ = tick.tick() => continue,
        };
        let stream = match accepted {
            Ok((stream, _address)) => stream,
            Err(error) => {
                tracing::warn!(error = chain(&error), "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (acceptor, router, watcher) = (acceptor.clone(), service.router(), graceful.watcher());
        let (handshake_timeout, counted) = (bounds.handshake_timeout(), Arc::clone(counted));
        connections.spawn(async move {
            let _place = place;
            if !connection(stream, acceptor, router, watcher, (handshake_timeout, &counted)).await {
                counted.refused_clients.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    drop(listener);
    let _ = timeout(DRAIN, graceful.shutdown()).await;
    connections.shutdown().await;
}

/// Serves one client; false where it was refused.
async fn connection(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    router: Router,
    watcher: hyper_util::server::graceful::Watcher,
    (handshake_timeout, counted): (Duration, &Counted),
) -> bool {
    let stream = match timeout(handshake_timeout, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            counted.turned_away("handshake failed");
            tracing::warn!(error = chain(&error), "a client was refused at the handshake");
            return false;
        }
        Err(_) => {
            counted.turned_away("handshake too slow");
            tracing::warn!("a client did not finish its handshake in time");
            return false;
        }
    };
    let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    let peer = match certificate.map(|certificate| Peer::from_certificate(certificate)) {
        Some(Ok(peer)) => peer,
        Some(Err(error)) => {
            counted.turned_away("certificate names nobody");
            tracing::warn!(error = chain(&error), "a client was refused");
            return false;
        }
        None => {
            tracing::warn!("a client without a certificate was refused");
            return false;
        }
    };
    let presented = Presented::of(certificate.map_or(&[][..], |certificate| certificate));
    let closing = presented.closing.clone();
    let service = TowerToHyperService::new(router.layer(Extension(peer)).layer(Extension(presented)));
    let mut builder = auto::Builder::new(TokioExecutor::new()).http2_only();
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEAD_BYTES)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_TIMEOUT);
    let served = watcher.watch(builder.serve_connection(TokioIo::new(stream), service).into_owned());
    let closed = async {
        closing.cancelled().await;
        tokio::time::sleep(FAREWELL).await;
    };
    tokio::select! {
        served = served => if let Err(error) = served {
            tracing::debug!(error = chain(&*error), "a connection broke");
        },
        () = closed => tracing::info!("a connection was closed: its certificate is not in force any more"),
    }
    true
}
