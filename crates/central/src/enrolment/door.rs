//! The listener for gateways that have no certificate yet: TLS without one from
//! the client, one route, and little of everything (connections, time, bytes, attempts).

use super::{EnrolmentDeps, Why, enrolled, limits::Limits, refuse};
use crate::{
    chain,
    controller::Controllers,
    counted::{Counted, count},
    issuer::Issuer,
    refusal::{Refusal, json},
};
use axum::{
    Extension, Json, Router,
    body::Body,
    extract::State,
    middleware::{from_fn, from_fn_with_state},
    routing::post,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use vernport_api::{
    Code, EnrolmentAnswer, EnrolmentRequest, MAX_ENROLMENT_BYTES, PATH_ENROLMENTS, RequestedKey,
};

/// Connections at a time; more wait to be accepted.
const MAX_CONNECTIONS: usize = 32;
/// Requests that one connection may have open at a time.
const MAX_STREAMS: u32 = 2;
/// The longest head of a request, in bytes.
const MAX_HEAD_BYTES: u32 = 4 * 1024;
/// A pause after a failed accept (no file descriptors left, mostly).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What stands behind the listener.
pub(crate) struct Door {
    served: Arc<Controllers>,
    issuer: Arc<Issuer>,
    counted: Arc<Counted>,
    limits: Limits,
    central_url: Option<String>,
    connection_timeout: Duration,
    acceptor: TlsAcceptor,
}

impl Door {
    pub(crate) fn new(deps: EnrolmentDeps, served: Arc<Controllers>, counted: Arc<Counted>) -> Arc<Self> {
        let (total, address) = deps.attempts_per_minute;
        Arc::new(Self {
            served,
            issuer: deps.issuer,
            counted,
            limits: Limits::new(total, address),
            central_url: deps.central_url,
            connection_timeout: deps.connection_timeout,
            acceptor: TlsAcceptor::from(Arc::new(deps.tls)),
        })
    }

    fn router(self: &Arc<Self>) -> Router {
        // Less than the connection has: the document has to get out.
        let patience = self.connection_timeout / 2;
        Router::new()
            .route(PATH_ENROLMENTS, post(enrol))
            .fallback(|| async { Refusal::new(Code::NotFound, "here gateways enrol, and nothing else") })
            .method_not_allowed_fallback(|| async {
                Refusal::new(Code::MethodNotAllowed, "here gateways enrol, and nothing else")
            })
            .layer(from_fn_with_state(patience, crate::routes::in_time))
            .layer(from_fn(count))
            .layer(Extension(Arc::clone(&self.counted)))
            .with_state(Arc::clone(self))
    }
}

/// Serves until `shutdown`.
pub(crate) async fn serve(listener: TcpListener, door: Arc<Door>, shutdown: CancellationToken) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let router = door.router();
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await.expect("the semaphore is never closed");
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = accepted => accepted,
            Some(_ended) = connections.join_next() => continue,
        };
        match accepted {
            Ok((stream, from)) => {
                let (door, router) = (Arc::clone(&door), router.clone());
                connections.spawn(async move {
                    let _place = place;
                    if timeout(door.connection_timeout, connection(stream, from, &door, router))
                        .await
                        .is_err()
                    {
                        door.counted.turned_away("slow client at the listener for enrolments");
                        tracing::warn!("a client that enrols took too long and was cut off");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(error = chain(&error), "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    connections.shutdown().await;
}

async fn connection(stream: TcpStream, from: SocketAddr, door: &Door, router: Router) {
    let stream = match door.acceptor.accept(stream).await {
        Ok(stream) => stream,
        Err(error) => {
            door.counted.turned_away("handshake failed at the listener for enrolments");
            return tracing::warn!(error = chain(&error), "a client was refused at the handshake");
        }
    };
    let service = TowerToHyperService::new(router.layer(Extension(from.ip())));
    let mut builder = auto::Builder::new(TokioExecutor::new()).http2_only();
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEAD_BYTES);
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(error = chain(&*error), "a connection broke");
    }
}

async fn enrol(
    State(door): State<Arc<Door>>,
    Extension(from): Extension<IpAddr>,
    body: Body,
) -> Result<Json<EnrolmentAnswer>, Refusal> {
    if !door.limits.admit(from) {
        door.counted.turned_away("too many attempts to enrol");
        return Err(Refusal::new(Code::Busy, "too many attempts; ask again in a minute"));
    }
    let asked: EnrolmentRequest = json(body, MAX_ENROLMENT_BYTES).await?;
    let key = RequestedKey::of(&asked.csr.0)
        .map_err(|error| Refusal::new(Code::CertificateRequestRefused, error.to_string()))?;
    let Some(controller) = door.served.get(&asked.controller) else {
        return Err(refuse(&door.counted, Why::NotServed));
    };
    let done = controller.enrol(&asked, &key, (&door.issuer, &door.counted)).await?;
    Ok(Json(enrolled(controller, door.central_url.as_ref(), done)))
}
