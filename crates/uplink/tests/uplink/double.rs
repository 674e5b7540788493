//! A server that answers as a test says, behind mutual TLS and HTTP/2.

use axum::{Router, body::Body, http::Response, routing::any};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_rustls::TlsAcceptor;
use vernport_crypto::sha256;
use vernport_seal::{Recipient, Sealed, reload_recipient};
use vernport_testkit::pki::{DevCa, Role};
use vernport_types::{GrantId, Slug};
use vernport_uplink::{Client, Config, Uplink};

/// Central, as far as a test needs it; ends with the value.
pub(crate) struct Double {
    pub(crate) ca: DevCa,
    pub(crate) address: SocketAddr,
    /// How many connections came about.
    pub(crate) connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Double {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Double {
    pub(crate) async fn start(router: Router) -> Self {
        let ca = DevCa::new();
        let mut tls = ca.server_config(&ca.server());
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                let (acceptor, router) = (acceptor.clone(), router.clone());
                tokio::spawn(async move {
                    // Who shows no certificate is not served.
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let service = TowerToHyperService::new(router);
                    let _ = auto::Builder::new(TokioExecutor::new())
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Self { ca, address, connections, task }
    }

    /// A double that says the same to everything.
    pub(crate) async fn saying(answer: impl Fn() -> Response<Body> + Clone + Send + Sync + 'static) -> Self {
        Self::start(Router::new().fallback(any(move || std::future::ready(answer())))).await
    }

    pub(crate) fn config(&self) -> Config {
        Config {
            request_timeout: Duration::from_secs(3),
            ..Config::new(format!("https://localhost:{}", self.address.port()))
        }
    }

    pub(crate) fn uplink(&self) -> Uplink {
        Uplink::new(&self.config(), gateway(), self.tls(&self.ca)).expect("the settings are in order")
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(&self.config(), self.tls(&self.ca)).expect("the settings are in order")
    }

    /// A TLS client with a certificate of `ca` that trusts this double.
    pub(crate) fn tls(&self, ca: &DevCa) -> rustls::ClientConfig {
        let controller = "NO-999999999".parse().expect("a controller");
        let identity = ca.client(&gateway(), Role::Gateway, &controller);
        self.ca.client_config(Some(&identity))
    }
}

pub(crate) fn gateway() -> Slug {
    "bay-1".parse().expect("a slug")
}

pub(crate) fn grant(number: u8) -> GrantId {
    GrantId::from_bytes([number; 16])
}

/// An envelope whose structure is in order; nobody could open it.
pub(crate) fn envelope(number: u8, body_bytes: usize) -> Sealed<Recipient> {
    let text = |text: &str| [&[u8::try_from(text.len()).expect("short")], text.as_bytes()].concat();
    let body = vec![number; body_bytes];
    let wraps = [&[2][..], &[7; 2 * 96]].concat();
    let bytes = [
        &b"VPEN\x01"[..],
        &text("NO-999999999"),
        &text("bay-1"),
        &[number; 16],
        &text("service-odometer"),
        &[9; 16],
        &1_900_000_000_000_000_i64.to_be_bytes(),
        &text("odometer-24-months"),
        &0_u64.to_be_bytes(),
        &u32::try_from(body.len()).expect("short").to_be_bytes(),
        &body,
        &wraps,
        &sha256(&body),
        &sha256(&wraps),
        &[3; 64],
    ]
    .concat();
    reload_recipient(bytes).expect("the structure of an envelope")
}

pub(crate) fn json(text: impl Into<Body>) -> Response<Body> {
    Response::builder().header("content-type", "application/json").body(text.into()).expect("a response")
}
