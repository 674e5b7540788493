//! vernport-central: the registry of what people and firms said, the grants
//! that follow from it, and a store that cannot read what it keeps.
//!
//! ```text
//! POST /v1/ledger  → facts → grants ─┬→ snapshots, signed heads → POST /v1/feed
//!                                    └→ standing of each batch ← POST /v1/batches → store
//! POST /v1/segments → checked link by link, then as the ledger
//! POST /v1/audit/witness → each side's evidence log against what the other saw of it
//! POST /v1/reads   → log entry → envelopes with their wraps
//! ```
//!
//! Promises:
//! - Blind: no key here opens the body of a batch.
//! - Default is deny: who connects has a certificate of the client authority
//!   that says name, role and controller, and no request crosses controllers.
//! - A withdrawal that was answered was committed, and no batch is committed on
//!   its basis afterwards; whoever waits at the feed hears of it at once.
//! - A read is logged before an envelope leaves.
//! - Nothing personal is logged at any level: no identifier, no body, no key, no subject.

pub mod authority;
mod book;
mod cache;
mod compute;
mod config;
mod controller;
mod counted;
mod deps;
mod duties;
mod erasing;
mod explain;
mod feed;
mod journal;
mod ledger;
mod metrics;
mod refusal;
mod release;
mod restored;
mod routes;
mod segment;
mod server;
mod sweeping;
mod tls;
mod told;
mod witness;

pub use config::{Config, ConfigError, Controller, Databases, Gateway, KeyFiles, Listen, Tls};
pub use deps::{ControllerDeps, Deps, LoadError};
pub use restored::{RestoreError, Restored, Restoring, restored};
pub use tls::{Peer, PeerError, Role, TlsError, server_config};

use axum::Extension;
use controller::Controllers;
use counted::Counted;
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use thiserror::Error;
use tokio::{
    net::TcpListener,
    sync::Semaphore,
    task::JoinHandle,
    time::{Instant, sleep},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use told::Told;
use vernport_crypto::{MasterKey, Zeroizing};
use vernport_registry::Entry;
use vernport_status::{Address, ListenError};
use vernport_store::{Opened, Rewrapped, Store, StoreError};
use vernport_types::{ControllerId, chain};

/// For how long a database that cannot be reached is waited for at the start.
const CONNECT_WITHIN: Duration = Duration::from_secs(60);
/// The pause after the first attempt; it doubles …
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// … up to this one.
const LAST_PAUSE: Duration = Duration::from_secs(5);

/// Why central did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// A database cannot be used.
    #[error("the store cannot be used")]
    Store(#[from] StoreError),
    /// The journal holds what the ledger does not.
    #[error(
        "the journal holds {missing} entries, or an era, that the ledger of {controller} lost: its database was \
         restored from a backup. Bring them back with `vernport registry restored`"
    )]
    Restored {
        /// Whose ledger.
        controller: ControllerId,
        /// How many entries.
        missing: usize,
    },
    /// Nobody could ask how it stands.
    #[error(transparent)]
    Status(#[from] ListenError),
    /// The address cannot be bound.
    #[error("{address} cannot be listened at; is another process there, or may this user not?")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What failed.
        source: std::io::Error,
    },
    /// A stored entry cannot be read back.
    #[error("the ledger of {controller} holds an entry that this version cannot read; update central")]
    Ledger {
        /// Whose ledger.
        controller: ControllerId,
    },
    /// Another process took over with another bundle.
    #[error("another process of central serves {controller} with another bundle; give both the same one")]
    OtherRules {
        /// Whose bundle.
        controller: ControllerId,
    },
    /// A gateway of the configuration cannot be enrolled.
    #[error("the gateways that are configured for {controller} cannot be enrolled: {problem}")]
    Enrol {
        /// Whose gateways.
        controller: ControllerId,
        /// Why not.
        problem: String,
    },
}

/// A running central.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub addr: SocketAddr,
    /// Where this machine asks how it stands, with the port that was taken.
    pub status_at: Option<Address>,
    turns: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Running {
    /// How often the loop that accepts connections went round; where this stands still, so does central.
    pub fn turns(&self) -> u64 {
        self.turns.load(Ordering::Relaxed)
    }

    /// Waits until it has stopped: after its token was cancelled, open requests
    /// ended and the databases were closed.
    pub async fn stopped(self) {
        if let Err(error) = self.task.await {
            tracing::error!(error = chain(&error), "central ended otherwise than asked");
        }
    }
}

/// Seals ledger entries and erasure keys under another master key. No central may serve from these
/// databases meanwhile; after an interruption it is done again with the same two keys.
///
/// # Errors
/// [`StoreError`], if a database cannot be opened or neither key opens a row.
pub async fn rewrap_master(
    databases: &Databases,
    old: MasterKey,
    new: &MasterKey,
) -> Result<Rewrapped, StoreError> {
    let external_ref = |json: &[u8]| {
        let entry: Entry = serde_json::from_slice(json).ok()?;
        Some(Zeroizing::new(entry.external_ref.as_str().to_owned()))
    };
    let store = Store::open(&databases.main, &databases.erasure, old).await?;
    let done = store.rewrap(new, external_ref).await;
    store.close().await;
    done
}

/// Opens the databases; waits for those that cannot be reached yet.
async fn open(databases: &Databases, shutdown: &CancellationToken) -> Result<Opened, StoreError> {
    let until = Instant::now() + CONNECT_WITHIN;
    let mut pause = FIRST_PAUSE;
    loop {
        let error = match Opened::open(&databases.main, &databases.erasure).await {
            Err(error) if error.is_unavailable() || error.is_busy() => error,
            opened => return opened,
        };
        if Instant::now() + pause > until {
            return Err(error);
        }
        tracing::warn!(error = chain(&error), "a database cannot be reached yet");
        tokio::select! {
            () = sleep(pause) => {}
            () = shutdown.cancelled() => return Err(error),
        }
        pause = LAST_PAUSE.min(pause * 2);
    }
}

/// Starts central; returns when it listens and has read its ledgers.
///
/// # Errors
/// [`StartError`].
pub async fn run(
    listen: Listen,
    databases: &Databases,
    deps: Deps,
    shutdown: CancellationToken,
) -> Result<Running, StartError> {
    let store = Store::over(open(databases, &shutdown).await?, deps.master_key);
    let ids: Vec<ControllerId> = deps.controllers.iter().map(|of| of.rules.controller().clone()).collect();
    let now = deps.clock.now().wall;
    let store = Arc::new(journal::join(store, deps.journal.as_deref(), &ids, now).await?);
    let clock = Arc::clone(&deps.clock);
    let controllers =
        Controllers::load(&store, deps.head_key, deps.clock, deps.controllers, &shutdown).await?;
    let controllers = Arc::new(controllers);
    let address = listen.address;
    let broken = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(broken)?;
    let addr = listener.local_addr().map_err(broken)?;
    let acceptor = TlsAcceptor::from(Arc::new(deps.tls));
    let counted = Arc::new(Counted::default());
    let router = routes::router(Arc::clone(&controllers), listen.request_timeout());
    let router = router.layer(Extension(Arc::clone(&counted)));
    let hearing = tokio::spawn(cache::listen(Arc::clone(&store), Arc::clone(&controllers), shutdown.clone()));
    let turns = Arc::new(AtomicU64::new(0));
    let places = Arc::new(Semaphore::new(listen.max_connections));
    let told = Told {
        controllers: Arc::clone(&controllers),
        store: Arc::clone(&store),
        clock,
        counted: Arc::clone(&counted),
        turns: Arc::clone(&turns),
        places: Arc::clone(&places),
        max_connections: listen.max_connections,
    };
    let mut status_at = None;
    let telling = match deps.status {
        Some(section) => {
            let listener = vernport_status::open(&section.address)?;
            status_at = Some(listener.address().clone());
            tokio::spawn(vernport_status::serve(listener, Arc::new(told), shutdown.clone()))
        }
        None => tokio::spawn(async {}),
    };
    let turning = Arc::clone(&turns);
    let task = tokio::spawn(async move {
        let duties = tokio::spawn(controllers.work(shutdown.clone()));
        let counts = server::Counts { places, turns: &turning, counted: &counted };
        server::serve(listener, acceptor, router, (listen, counts), shutdown).await;
        let _ = telling.await;
        let _ = hearing.await;
        let _ = duties.await;
        store.close().await;
    });
    tracing::info!(%addr, "central serves");
    Ok(Running { addr, status_at, turns, task })
}
