//! vernport-central: the registry of what people and firms said, the grants
//! that follow from it, and a store that cannot read what it keeps.
//!
//! ```text
//! POST /v1/ledger  → facts → grants ─┬→ snapshots, signed heads → POST /v1/feed
//!                                    └→ standing of each batch ← POST /v1/batches → store
//! POST /v1/segments → checked link by link, then as the ledger
//! POST /v1/audit/witness → each side's evidence log against what the other saw of it
//! POST /v1/reads   → log entry → envelopes with their wraps
//! POST /v1/enrolments (a listener of its own) → invitation → ledger, certificate
//! an order to erase → journal, keys, batches → certificate; notices → operators' broker → their answers
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
mod caller;
mod compute;
mod config;
mod controller;
mod counted;
mod deps;
mod duties;
mod enrolment;
mod erasing;
mod events;
mod explain;
mod feed;
mod import;
mod in_force;
mod issuer;
mod journal;
mod keyed;
mod ledger;
mod lines;
mod metrics;
mod refusal;
mod release;
mod restored;
mod rosters;
mod routes;
mod segment;
mod server;
mod service;
mod sweeping;
mod telling;
mod tls;
mod told;
mod witness;

pub use config::{Config, ConfigError, Controller, Databases, Enrolment, Gateway, KeyFiles, Listen, Tls};
pub use deps::{ControllerDeps, Deps, LoadError, Serving};
pub use enrolment::EnrolmentDeps;
pub use issuer::{Issued, Issuer, IssuerError};
pub use journal::OpenJournal;
pub use restored::{RestoreError, Restored, Restoring, restored, restored_over};
pub use routes::ROUTES;
pub use service::Service;
pub use tls::{Peer, PeerError, Role, TlsError, enrolment_server_config, server_config};

use counted::Counted;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::Path,
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
use vernport_api::Problem;
use vernport_crypto::{MasterKey, Zeroizing};
use vernport_registry::Entry;
use vernport_status::{Address, ListenError};
use vernport_store::{Journal, Opened, Rewrapped, Store, StoreError};
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
        problem: Box<Problem>,
    },
}

/// A running central.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub addr: SocketAddr,
    /// Where it listens for gateways that enrol, if it does.
    pub enrolment_addr: Option<SocketAddr>,
    /// Where this machine asks how it stands, with the port that was taken.
    pub status_at: Option<Address>,
    counted: Arc<Counted>,
    turns: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Running {
    /// How often the loop that accepts connections went round; where this stands still, so does central.
    pub fn turns(&self) -> u64 {
        self.turns.load(Ordering::Relaxed)
    }

    /// How many problem documents went out since the start, by code.
    pub fn refusals(&self) -> BTreeMap<&'static str, u64> {
        self.counted
            .refusals()
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(code, count)| (code.code(), count))
            .collect()
    }

    /// Why clients, certificates and tokens were turned away since the start, in words that no client is told.
    pub fn turned_away(&self) -> BTreeMap<&'static str, u64> {
        self.counted.by_reason()
    }

    /// Waits until it has stopped: after its token was cancelled, open requests
    /// ended and the databases were closed.
    pub async fn stopped(self) {
        if let Err(error) = self.task.await {
            tracing::error!(error = chain(&error), "central ended otherwise than asked");
        }
    }
}

/// Seals ledger entries, erasure keys and the rows of journals under another master key; how many of
/// the last stands beside. No central may serve from these databases meanwhile: one that has a journal
/// open is noticed. After an interruption it is done again with the same two keys. Blocks while it is at a journal.
///
/// # Errors
/// [`StoreError`], if a journal is taken, a database cannot be opened or neither key opens a row.
pub async fn rewrap_master(
    databases: &Databases,
    journals: &[&Path],
    old: MasterKey,
    new: &MasterKey,
) -> Result<(Rewrapped, u64), StoreError> {
    let (mut rows, mut held) = (0, Vec::new());
    for path in journals.iter().filter(|path| path.exists()) {
        rows += Journal::reseal(path, &old, new)?;
        // Nobody starts meanwhile.
        held.push(Journal::open(path, |_| {})?);
    }
    let external_ref = |json: &[u8]| {
        let entry: Entry = serde_json::from_slice(json).ok()?;
        Some(Zeroizing::new(entry.external_ref.as_str().to_owned()))
    };
    let store = Store::open(&databases.main, &databases.erasure, old).await?;
    let done = store.rewrap(new, external_ref).await;
    store.close().await;
    drop(held);
    Ok((done?, rows))
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
    let Deps { tls, head_key, master_key, controllers, journal, enrolment, status, clock } = deps;
    let store = Store::over(open(databases, &shutdown).await?, master_key);
    let journal = match &journal {
        Some(path) => Some(journal::open(path).await.map_err(StoreError::from)?),
        None => None,
    };
    let tls = tls::by_the_clock(tls, &clock);
    let issuer = enrolment.as_ref().map(|enrolment| Arc::clone(&enrolment.issuer));
    let serving = Serving { head_key, controllers, issuer, clock: Arc::clone(&clock) };
    let service = Service::start(store, journal, serving, listen.request_timeout(), shutdown.clone()).await?;
    let (listener, addr) = bind(listen.address).await?;
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let counted = Arc::clone(service.counted());
    let mut enrolment_addr = None;
    let mut door = None;
    if let Some(enrolment) = enrolment {
        let (listener, at) = bind(enrolment.address).await?;
        enrolment_addr = Some(at);
        let of = enrolment::Door::new(enrolment, Arc::clone(service.controllers()), Arc::clone(&counted));
        door = Some(tokio::spawn(enrolment::serve(listener, of, shutdown.clone())));
    }
    let turns = Arc::new(AtomicU64::new(0));
    let places = Arc::new(Semaphore::new(listen.max_connections));
    let told = Told {
        controllers: Arc::clone(service.controllers()),
        store: Arc::clone(service.store()),
        clock,
        counted: Arc::clone(&counted),
        turns: Arc::clone(&turns),
        places: Arc::clone(&places),
        max_connections: listen.max_connections,
    };
    let mut status_at = None;
    let telling = match status {
        Some(section) => {
            let listener = vernport_status::open(&section.address)?;
            status_at = Some(listener.address().clone());
            tokio::spawn(vernport_status::serve(listener, Arc::new(told), shutdown.clone()))
        }
        None => tokio::spawn(async {}),
    };
    let (turning, counting) = (Arc::clone(&turns), Arc::clone(&counted));
    let task = tokio::spawn(async move {
        let counts = server::Counts { places, turns: &turning, counted: &counting };
        server::serve(listener, acceptor, &service, (listen, counts), shutdown).await;
        if let Some(door) = door {
            let _ = door.await;
        }
        let _ = telling.await;
        service.stopped().await;
    });
    tracing::info!(%addr, "central serves");
    Ok(Running { addr, enrolment_addr, status_at, counted, turns, task })
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let broken = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(broken)?;
    let addr = listener.local_addr().map_err(broken)?;
    Ok((listener, addr))
}
