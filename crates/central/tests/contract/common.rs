//! A central in this process with certificates, keys, rules and a clock of its
//! own; and the clients that talk to it.

#[path = "common/described.rs"]
pub(crate) mod described;
#[path = "common/enrolling.rs"]
pub(crate) mod enrolling;
#[path = "common/program.rs"]
mod program;

use reqwest::{Client, Response};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use vernport_api::{
    Answer, BatchAnswers, Code, Feed, FeedNonce, FeedRequest, LedgerAnswer, PATH_BATCHES, PATH_FEED,
    PATH_LEDGER, Problem, batch::Encoder,
};
use vernport_central::{ControllerDeps, Databases, Deps, Gateway, Listen, Running, run, server_config};
use vernport_crypto::{
    BlindIndex, DataKey, IdentityKey, MasterKey, OpeningKey, SigningKey, WrappingKey, random, sha256,
};
use vernport_policy::{Bundle, FlowGrant, Rules, Snapshot};
use vernport_seal::EnvelopeHeader;
use vernport_store::Store;
use vernport_testkit::{
    pki::{DevCa, Identity, Role},
    postgres::Cluster,
};
use vernport_types::{
    BatchId, BootMicros, Catalogue, ControllerId, EpochId, GrantId, Identifier, Slug, Stamp, TimeQuality,
    UtcMicros,
};

pub(crate) const CONTROLLER: &str = "NO-999999999";
pub(crate) const OTHER_CONTROLLER: &str = "DK-10628334";
pub(crate) const GATEWAY: &str = "bay-1";
pub(crate) const VIN: &str = "WDB9634031L738001";
pub(crate) const ASSET: &str = "a55e0000000000000000000000000001";
pub(crate) const DRIVER: &str = "d71e0000000000000000000000000001";
pub(crate) const ORDER: &str = "0d0e0000000000000000000000000001";
/// 2026-11-20T00:00:00Z.
const START_MICROS: i64 = 1_795_132_800_000_000;

pub(crate) fn slug(text: &str) -> Slug {
    text.parse().expect("a slug")
}

pub(crate) fn controller(text: &str) -> ControllerId {
    text.parse().expect("a controller")
}

pub(crate) fn vin() -> Identifier {
    Identifier::Vin(VIN.parse().expect("a VIN"))
}

/// Everything that outlives a restart of central.
pub(crate) struct World {
    pub(crate) ca: DevCa,
    pub(crate) folder: TempDir,
    pub(crate) device: SigningKey,
    pub(crate) workshop: OpeningKey,
    pub(crate) coach: OpeningKey,
    pub(crate) recovery: OpeningKey,
    head_seed: [u8; 32],
    master: [u8; 32],
    identity: [u8; 32],
    journal: Mutex<Option<PathBuf>>,
    clock_micros: Arc<AtomicI64>,
    references: AtomicU64,
    databases: Databases,
}

pub(crate) struct Central {
    pub(crate) world: Arc<World>,
    pub(crate) addr: SocketAddr,
    /// None if it is a program of its own.
    running: Option<Running>,
    shutdown: CancellationToken,
}

impl World {
    pub(crate) fn new() -> Arc<Self> {
        let folder = TempDir::new().expect("a temporary folder");
        let url = |name: &str| format!("sqlite://{}", folder.path().join(name).display());
        let databases = Databases { main: url("main.db"), erasure: url("erasure.db") };
        Self::over(databases, folder)
    }

    /// Over databases of a PostgreSQL.
    pub(crate) fn over_postgres(cluster: &Cluster) -> Arc<Self> {
        let databases = Databases { main: cluster.database(), erasure: cluster.database() };
        Self::over(databases, TempDir::new().expect("a temporary folder"))
    }

    fn over(databases: Databases, folder: TempDir) -> Arc<Self> {
        Arc::new(Self {
            ca: DevCa::new(),
            folder,
            device: SigningKey::generate(),
            workshop: OpeningKey::generate(),
            coach: OpeningKey::generate(),
            recovery: OpeningKey::generate(),
            head_seed: random(),
            master: random(),
            identity: random(),
            journal: Mutex::default(),
            clock_micros: Arc::new(AtomicI64::new(START_MICROS)),
            references: AtomicU64::new(0),
            databases,
        })
    }

    pub(crate) async fn start(self: Arc<Self>) -> Central {
        self.start_within(|_| {}).await
    }

    /// Starts central with other bounds than the default.
    pub(crate) async fn start_within(self: Arc<Self>, bounds: impl FnOnce(&mut Listen)) -> Central {
        self.start_with(bounds, &[]).await
    }

    /// Starts central with gateways in its configuration.
    pub(crate) async fn start_with(
        self: Arc<Self>,
        bounds: impl FnOnce(&mut Listen),
        gateways: &[Gateway],
    ) -> Central {
        let mut deps = self.deps();
        deps.controllers[0].gateways = gateways.to_vec();
        self.start_as(bounds, deps).await
    }

    /// Starts central with other things than it has by default.
    pub(crate) async fn start_as(self: Arc<Self>, bounds: impl FnOnce(&mut Listen), deps: Deps) -> Central {
        let mut listen = Listen::at(SocketAddr::from(([127, 0, 0, 1], 0)));
        bounds(&mut listen);
        let shutdown = CancellationToken::new();
        let running = run(listen, &self.databases, deps, shutdown.clone()).await.expect("starts");
        Central { addr: running.addr, running: Some(running), shutdown, world: self }
    }

    /// From now on the clock here shows what the machine's shows.
    pub(crate) fn go_to_real_time(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_micros();
        self.clock_micros.store(i64::try_from(now).expect("before the year 292278"), Ordering::SeqCst);
    }

    /// The clients' side of a program that listens somewhere.
    pub(crate) fn at(self: Arc<Self>, addr: SocketAddr) -> Central {
        Central { addr, running: None, shutdown: CancellationToken::new(), world: self }
    }

    /// Where central writes its journal.
    pub(crate) fn journal(&self) -> Option<PathBuf> {
        self.journal.lock().expect("nobody panics with it").clone()
    }

    /// Where it writes it from its next start on.
    pub(crate) fn set_journal(&self, journal: Option<PathBuf>) {
        *self.journal.lock().expect("nobody panics with it") = journal;
    }

    pub(crate) fn master(&self) -> [u8; 32] {
        self.master
    }

    pub(crate) fn deps(&self) -> Deps {
        let server = self.ca.server();
        let ca = CertificateDer::from_pem_slice(self.ca.certificate_pem().as_bytes()).expect("PEM");
        let clock_micros = Arc::clone(&self.clock_micros);
        let controllers = [CONTROLLER, OTHER_CONTROLLER].map(|id| ControllerDeps {
            rules: rules(id),
            catalogue: Arc::new(catalogue()),
            identity_key: IdentityKey::from_bytes(self.identity),
            recovery_key: self.recovery.wrapping_key(),
            gateways: Vec::new(),
            fleet: None,
        });
        Deps {
            tls: server_config(server.chain(), server.key(), ca).expect("fits"),
            enrolment: None,
            head_key: SigningKey::from_seed(self.head_seed),
            master_key: MasterKey::from_bytes(self.master),
            controllers: controllers.into(),
            journal: self.journal(),
            status: None,
            clock: Arc::new(move || Stamp {
                wall: UtcMicros(clock_micros.load(Ordering::SeqCst)),
                boot: BootMicros(0),
                quality: TimeQuality::Synced,
            }),
        }
    }

    /// How often links of a gateway were refused, by code. Central must have stopped.
    pub(crate) async fn link_refusals(&self, gateway: &str) -> Vec<(String, u64)> {
        let Databases { main, erasure } = &self.databases;
        let store = Store::open(main, erasure, MasterKey::from_bytes(self.master)).await.expect("opens");
        store.link_refusals(&controller(CONTROLLER), &slug(gateway)).await.expect("reads")
    }

    pub(crate) fn head_key(&self) -> vernport_crypto::VerifyingKey {
        SigningKey::from_seed(self.head_seed).verifying_key()
    }

    pub(crate) fn now(&self) -> UtcMicros {
        UtcMicros(self.clock_micros.load(Ordering::SeqCst))
    }

    pub(crate) fn advance_seconds(&self, seconds: i64) {
        self.clock_micros.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }

    pub(crate) fn index(&self) -> BlindIndex {
        IdentityKey::from_bytes(self.identity).index(&vin())
    }

    /// One entry, as the registrar's system writes it, with a reference of its own.
    #[expect(clippy::needless_pass_by_value, reason = "callers write the event on the spot")]
    pub(crate) fn entry(&self, event: Value) -> Value {
        let number = self.references.fetch_add(1, Ordering::SeqCst);
        json!({
            "format": 1,
            "controller": CONTROLLER,
            "event": event,
            "actor": {"role": "staff", "id": "counter-7"},
            "occurred_at": self.now().0,
            "recorded_at": 0,
            "source": "dms",
            "external_ref": format!("ref-{number}"),
        })
    }

    pub(crate) fn receipt() -> String {
        vernport_registry::ReceiptCode::from_bytes([7; 7]).to_string()
    }

    /// A gateway and its keys, a vehicle with a driver who consented, and an open order.
    pub(crate) fn visit(&self) -> Vec<Value> {
        let text_hash = "00".repeat(32);
        let day_micros = 86_400_000_000;
        let station = json!({"site": "oslo", "station": "bay-1"});
        let device_key = self.device.verifying_key();
        [
            json!({"kind": "notice-served", "notice": "notice-1", "text_hash": text_hash, "language": "en",
                   "method": "web"}),
            json!({"kind": "recipient-key-activated", "recipient": "workshop", "purpose": "service",
                   "key": self.workshop.wrapping_key()}),
            json!({"kind": "recipient-key-activated", "recipient": "coach", "purpose": "coaching",
                   "key": self.coach.wrapping_key()}),
            json!({"kind": "gateway-enrolled", "gateway": GATEWAY, "station": station, "device_key": device_key}),
            json!({"kind": "gateway-enrolled", "gateway": "bay-1-spare", "station": station,
                   "device_key": device_key}),
            json!({"kind": "asset-identified", "asset": ASSET, "identifier_kind": "vin", "index": self.index()}),
            json!({"kind": "linked", "asset": ASSET, "subject": DRIVER, "role": "driver"}),
            json!({"kind": "consent-given", "subject": DRIVER, "role": "driver", "purpose": "coaching",
                   "categories": ["driving-behaviour"], "recipient": "coach", "processing": "speed in steps",
                   "form": "coaching-1", "text_hash": text_hash, "language": "en", "method": "screen",
                   "recorded_by": "counter-7", "receipt": Self::receipt(),
                   "valid_until": self.now().0 + day_micros}),
            json!({"kind": "order-opened", "order": ORDER, "assets": [ASSET], "station": station,
                   "expires_at": self.now().0 + 2 * day_micros}),
        ]
        .map(|event| self.entry(event))
        .into()
    }

    /// A sealed batch of a flow. Its body is noise: central cannot tell.
    pub(crate) fn envelope(&self, header: &EnvelopeHeader, body: &[u8]) -> Vec<u8> {
        let keys = [self.workshop.wrapping_key(), self.coach.wrapping_key(), self.recovery.wrapping_key()];
        signed(header, body, &keys, &self.device)
    }

    pub(crate) fn header(&self, flow: &str) -> EnvelopeHeader {
        EnvelopeHeader {
            controller: controller(CONTROLLER),
            gateway: slug(GATEWAY),
            batch: BatchId::from_bytes(random()),
            flow: slug(flow),
            epoch: EpochId::from_bytes(random()),
            latest_due: self.now().plus_seconds(86_400),
            retention_rule: slug("short"),
            sequence: 0,
        }
    }

    /// A new batch of a flow with an epoch of its own.
    pub(crate) fn batch(&self, flow: &str) -> Vec<u8> {
        self.envelope(&self.header(flow), b"sealed bytes of at least a tag's length")
    }
}

/// An envelope by the byte table of the crate seal, so that nothing here trusts its writer.
pub(crate) fn signed(
    header: &EnvelopeHeader,
    body: &[u8],
    keys: &[WrappingKey],
    device: &SigningKey,
) -> Vec<u8> {
    let mut wraps = vec![u8::try_from(keys.len()).expect("few")];
    for key in keys {
        let wrap = key.wrap(&DataKey::generate(), b"info").expect("a good key");
        wraps.extend_from_slice(wrap.key_id.as_bytes());
        wraps.extend_from_slice(&wrap.enc);
        wraps.extend_from_slice(&wrap.ciphertext);
    }
    let header = header.to_bytes();
    let hashes = [sha256(body), sha256(&wraps)].concat();
    let signature = device.sign(&[&header[..], &hashes].concat());
    let length = u32::try_from(body.len()).expect("short").to_be_bytes();
    [&header[..], &length, body, &wraps, &hashes, signature.as_bytes()].concat()
}

pub(crate) fn rules(id: &str) -> Rules {
    compiled(&include_str!("bundle.toml").replace(CONTROLLER, id))
}

/// The rules of a changed bundle.
pub(crate) fn compiled(text: &str) -> Rules {
    Rules::compile(&Bundle::from_toml("bundle.toml", text).expect("a bundle"), &catalogue())
        .expect("good rules")
}

fn catalogue() -> Catalogue {
    Catalogue::from_toml([("signals.toml", include_str!("signals.toml"))]).expect("a catalogue")
}

pub(crate) fn databases(folder: &Path) -> Databases {
    let url = |name: &str| format!("sqlite://{}", folder.join(name).display());
    Databases { main: url("main.db"), erasure: url("erasure.db") }
}

/// A client with a certificate of the authority.
pub(crate) fn client(ca: &DevCa, name: &str, role: Role, of: &str) -> Client {
    connect(ca, Some(&ca.client(&slug(name), role, &controller(of))))
}

pub(crate) fn connect(ca: &DevCa, identity: Option<&Identity>) -> Client {
    let mut tls = ca.client_config(identity);
    tls.alpn_protocols = vec![b"h2".to_vec()];
    Client::builder().tls_backend_preconfigured(tls).build().expect("a client")
}

impl Central {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.addr)
    }

    pub(crate) fn gateway(&self) -> Client {
        client(&self.world.ca, GATEWAY, Role::Gateway, CONTROLLER)
    }

    pub(crate) fn registrar(&self) -> Client {
        client(&self.world.ca, "dms", Role::Registrar, CONTROLLER)
    }

    /// Another process beside this one, over the same databases.
    pub(crate) async fn beside(&self) -> Self {
        Arc::clone(&self.world).start().await
    }

    /// Stops and starts again on the same databases.
    pub(crate) async fn restart(self) -> Self {
        self.stop().await.start().await
    }

    pub(crate) async fn stop(self) -> Arc<World> {
        self.shutdown.cancel();
        if let Some(running) = self.running {
            running.stopped().await;
        }
        self.world
    }

    pub(crate) async fn post(&self, client: &Client, path: &str, body: &Value) -> Response {
        let response = client.post(self.url(path)).body(body.to_string()).send().await.expect("an answer");
        if response.status().is_success() {
            described::asked(path, body);
        }
        response
    }

    pub(crate) async fn ledger(&self, entries: Vec<Value>) -> LedgerAnswer {
        taken(self.post(&self.registrar(), PATH_LEDGER, &json!({"entries": entries})).await).await
    }

    /// Records one event.
    pub(crate) async fn say(&self, event: Value) -> LedgerAnswer {
        self.ledger(vec![self.world.entry(event)]).await
    }

    pub(crate) async fn feed_as(
        &self,
        client: &Client,
        gateway: &str,
        known: Option<[u8; 32]>,
        wait_ms: u32,
    ) -> Feed {
        let asked =
            FeedRequest { gateway: slug(gateway), nonce: FeedNonce([9; 16]), known, wait_ms, notices: true };
        taken(self.post(client, PATH_FEED, &serde_json::to_value(asked).expect("plain data")).await).await
    }

    pub(crate) async fn snapshot(&self) -> Snapshot {
        self.feed_as(&self.gateway(), GATEWAY, None, 0).await.snapshot.expect("asked without one")
    }

    /// The grant of a flow that is open now.
    pub(crate) async fn grant(&self, flow: &str) -> GrantId {
        open_flow(&self.snapshot().await, flow).expect("open").id
    }

    pub(crate) async fn send(&self, client: &Client, items: &[(GrantId, &[u8])]) -> Response {
        let mut body = Encoder::default();
        for (grant, envelope) in items {
            body.push(*grant, envelope).expect("fits");
        }
        client.post(self.url(PATH_BATCHES)).body(body.finish()).send().await.expect("an answer")
    }

    pub(crate) async fn deliver(&self, items: &[(GrantId, &[u8])]) -> Vec<Answer> {
        let answers: BatchAnswers = taken(self.send(&self.gateway(), items).await).await;
        answers.answers.into_iter().map(|answer| answer.answer).collect()
    }

    pub(crate) async fn stored_batches(&self) -> u64 {
        let response = self.registrar().get(self.url(vernport_api::PATH_STATUS)).send().await;
        taken::<vernport_api::Status>(response.expect("an answer")).await.batches
    }
}

/// The same with a journal.
pub(crate) async fn with_journal() -> Central {
    let world = World::new();
    world.set_journal(Some(world.folder.path().join("central.journal")));
    let central = world.start().await;
    central.ledger(central.world.visit()).await;
    central
}

/// A central with a visit going on.
pub(crate) async fn with_visit() -> Central {
    let central = World::new().start().await;
    central.ledger(central.world.visit()).await;
    central
}

pub(crate) fn open_flow<'a>(snapshot: &'a Snapshot, flow: &str) -> Option<&'a FlowGrant> {
    snapshot.grants.iter().flat_map(|grant| &grant.flows).find(|opened| opened.flow.as_str() == flow)
}

/// The body of an answer that took effect.
pub(crate) async fn taken<T: DeserializeOwned>(response: Response) -> T {
    let (status, body) = read(response).await;
    assert!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&body));
    serde_json::from_slice(&body).expect("as the contract says")
}

/// Status and body of an answer that is as described.
async fn read(response: Response) -> (reqwest::StatusCode, Vec<u8>) {
    let (status, path) = (response.status(), response.url().path().to_owned());
    let kind = response.headers().get("content-type").cloned();
    let body = response.bytes().await.expect("a body");
    let kind = kind.as_ref().and_then(|kind| kind.to_str().ok());
    described::answered(&path, status.as_u16(), kind, &body);
    (status, body.into())
}

/// The problem document of a refusal, which must have this code.
pub(crate) async fn refused(response: Response, code: Code) -> Problem {
    let kind = response.headers().get("content-type").cloned();
    let (status, body) = read(response).await;
    let problem: Problem = serde_json::from_slice(&body).expect("a problem document");
    assert_eq!(problem.code, code, "{problem}");
    assert_eq!(
        (status.as_u16(), kind.as_ref().map(|kind| kind.as_bytes())),
        (code.status(), Some(vernport_api::PROBLEM_JSON.as_bytes()))
    );
    problem
}
