//! Starts the parts of a gateway and stops them again.

use crate::{
    Config,
    broker::{endpoint_with, hosted, shown},
    chain,
    clock::boot_id,
    config::{KeySource, limits},
    deliver::Deliver,
    dialects::{self, DialectError},
    driver::{Driver, MAX_WAITING},
    enrol,
    feed::{Feed, KnownLinks},
    gather::{DELIVERY_WINDOW_H, Sealing},
    given::Given,
    holds::Holds,
    last::Last,
    pipeline::Pipeline,
    publish::Publish,
    renew::Renew,
    resume,
    rules::RulesError,
    secrets::SecretError,
    source::Source,
    station::{self, Chain, ChainError, SocketError, Station},
    status::{Shared, Status},
    storage::{Survey, SurveyError, survey},
    told::Told,
    tools::Tools,
    witness::Witness,
};
use std::{collections::BTreeSet, path::PathBuf, sync::Arc};
use thiserror::Error;
use tokio::{
    sync::{Mutex, Notify, mpsc},
    task::JoinSet,
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use vernport_audit::Keeper;
use vernport_canbus::VirtualBuses;
use vernport_crypto::{IdentityKey, sha256};
use vernport_mqtt::{Publisher, PublisherConfig, SectionError, ToolInbox};
use vernport_policy::{Rules, Table};
use vernport_registry::StationRef;
use vernport_status::{Address, ListenError, PathStatus, Subject};
use vernport_types::{Catalogue, Clock, Slug};
use vernport_uplink::{HeadGuard, SetupError, TlsError};

/// What a gateway needs from outside beside its configuration.
#[derive(Clone)]
pub struct Deps {
    /// What tells the time.
    pub clock: Arc<dyn Clock>,
    /// The virtual buses of this process.
    pub buses: VirtualBuses,
}

/// Why a gateway does not start. Nothing runs then.
#[derive(Debug, Error)]
pub enum StartError {
    /// A folder cannot be made.
    #[error("{}: cannot be made; check the path and its owner", path.display())]
    Folder {
        /// Which folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A certificate that was accepted cannot be moved into its place.
    #[error(transparent)]
    Enrolment(#[from] enrol::FileError),
    /// A secret cannot be used.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// There are no rules to run.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// The spool does not open.
    #[error("the spool does not open")]
    Spool(#[from] vernport_spool::OpenError),
    /// A flow that is to be kept longest is none of the bundle.
    #[error("spool.keep_longest: the bundle has no flow {flow}; write its id as in [[flow]]")]
    KeptFlow {
        /// What is named.
        flow: Slug,
    },
    /// The spool cannot be read.
    #[error("the spool cannot be read")]
    SpoolRead(#[from] vernport_spool::ReadError),
    /// What waits for the fleet's broker cannot be looked through.
    #[error(transparent)]
    Survey(#[from] SurveyError),
    /// Certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// What was said at the station cannot be read.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// Nobody could ask how it stands.
    #[error(transparent)]
    Status(#[from] ListenError),
    /// The station's socket does not open.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// Central's address is none.
    #[error(transparent)]
    Central(#[from] SetupError),
    /// A broker's section cannot be used.
    #[error("[{section}]")]
    Broker {
        /// Which section of the configuration.
        section: &'static str,
        /// What is wrong, and what to write.
        source: SectionError,
    },
    /// A tool cannot be understood.
    #[error(transparent)]
    Tool(#[from] DialectError),
    /// The broker of the fleet operators stands where the bundle does not allow it.
    #[error("fleet.region: {message} {allowed}")]
    Region {
        /// What is wrong.
        message: &'static str,
        /// Where the bundle lets it stand.
        allowed: String,
    },
    /// A data identifier of a bus cannot be read.
    #[error("bus {source_url}, dids")]
    DataIdentifier {
        /// Which source.
        source_url: String,
        /// Which identifier, and what to mend.
        source: vernport_decode::dids::DidError,
    },
    /// DBC files cannot be used.
    #[error("bus {source_url}, dbc")]
    Dbc {
        /// Which source.
        source_url: String,
        /// What is wrong.
        source: crate::dbc::DbcError,
    },
    /// A source does not open.
    #[error("bus {source_url} does not open")]
    Source {
        /// Which source.
        source_url: String,
        /// What went wrong.
        source: vernport_canbus::OpenError,
    },
}

/// A running gateway. Dropped, it stops without waiting.
#[derive(Debug)]
pub struct Running {
    told: Arc<Told>,
    status_at: Option<Address>,
    rules: Arc<Rules>,
    catalogue: Arc<Catalogue>,
    stop: CancellationToken,
    /// The parts that stop first: they take in and send.
    parts: JoinSet<()>,
}

impl Running {
    /// How it is now.
    ///
    /// # Errors
    /// If the spool cannot be read.
    pub async fn status(&self) -> Result<Status, vernport_spool::ReadError> {
        self.told.look().await
    }

    /// How each stage of its path stands now.
    pub async fn path(&self) -> PathStatus {
        Subject::status(&*self.told, true).await
    }

    /// Where it is asked how it stands, with the port that was taken.
    pub fn status_address(&self) -> Option<&Address> {
        self.status_at.as_ref()
    }

    /// How often the loop that decides and queues went round; where this stands still, so does the gateway.
    pub fn turns(&self) -> u64 {
        Subject::turns(&*self.told)
    }

    /// The rules that it runs.
    pub fn rules(&self) -> &Arc<Rules> {
        &self.rules
    }

    /// The catalogue that it reads by.
    pub fn catalogue(&self) -> &Arc<Catalogue> {
        &self.catalogue
    }

    /// Stops: queues what was read, closes the spool.
    pub async fn stop(mut self) {
        self.stop.cancel();
        while self.parts.join_next().await.is_some() {}
        self.told.spool().close().await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Starts a gateway inside the present tokio runtime. Logs and other sources that can wait are read
/// when the first grants have come.
///
/// # Errors
/// [`StartError`], with what to mend.
pub async fn run(config: &Config, deps: Deps, stop: CancellationToken) -> Result<Running, StartError> {
    run_with(config, Given::load(config).await?, deps, stop).await
}

/// The same with what was read and opened before.
///
/// # Errors
/// [`StartError`], with what to mend.
pub async fn run_with(
    config: &Config,
    given: Given,
    deps: Deps,
    stop: CancellationToken,
) -> Result<Running, StartError> {
    let Given { catalogue, rules, secrets, uplink, certificate, spool } = given;
    let held = certificate.as_ref().map(|(_, held)| held);
    let dialects = dialects::load(&config.tool, &catalogue)?;
    let keep_longest = config.spool.keep_longest.clone();
    if let Some(flow) = keep_longest.iter().find(|flow| rules.find(flow).is_none()) {
        return Err(StartError::KeptFlow { flow: flow.clone() });
    }
    let storage_keys = Arc::new(secrets.storage);
    let tools_key = IdentityKey::from_bytes(*secrets.identity.to_bytes());
    if config.keys.storage == KeySource::Memory || storage_keys.before().is_some() {
        let survey = survey(&spool, &storage_keys, deps.clock.now().wall).await?;
        say(&config.keys.storage, &survey);
    }
    let holds = Holds::new(Table::new(Arc::clone(&rules)), secrets.identity, Chain::load(&spool).await?);
    let kept = Last::new(Arc::clone(&storage_keys));
    let last = kept.read(&spool).await;
    let last_head = last.as_ref().map(|(head, _)| *head);
    let behind = kept.read_behind(&spool).await;
    if let Some((head, snapshot)) = last
        && let Err(error) = holds.restore(snapshot, &head, deps.clock.now())
    {
        tracing::warn!(error = chain(&error), "what central said last cannot be used");
    }
    let device = Arc::new(secrets.device);
    let shared = Arc::new(Shared::default());
    if behind.is_some() {
        holds.distrust();
        shared.rolled_back(true);
        tracing::error!("central was rolled back before this start, and nobody has begun a new era since");
    }
    let sealing = Sealing {
        gateway: config.gateway.name.clone(),
        place: format!("{}/{}", config.gateway.site, config.gateway.station),
        rules: Arc::clone(&rules),
        catalogue: Arc::clone(&catalogue),
        catalogue_hash: sha256(&catalogue.normal_form()),
        device: Arc::clone(&device),
        storage: Arc::clone(&storage_keys),
        topics: config.fleet.is_some(),
        delivery_window_h: config
            .fleet
            .as_ref()
            .and_then(|fleet| fleet.delivery_window_h)
            .unwrap_or(DELIVERY_WINDOW_H),
        boot: boot_id(),
        keep_longest,
    };
    let samples = spool.samples().await?;
    let mut pipeline = Pipeline::new(
        holds.clone(),
        Arc::clone(&catalogue),
        sealing,
        config.batch.max_records,
        samples,
        Arc::clone(&shared.tally),
    );

    let mut parts = JoinSet::new();
    let told = Arc::new(Told::new(config, &shared, &spool, &holds, &deps.clock));
    let mut status_at = None;
    if let Some(section) = &config.status {
        let listener = vernport_status::open(&section.address)?;
        status_at = Some(listener.address().clone());
        parts.spawn(vernport_status::serve(listener, Arc::clone(&told), stop.clone()));
    }
    let (sender, inputs) = mpsc::channel(MAX_WAITING);
    let mut wants = Vec::new();
    for (place, bus) in config.bus.iter().enumerate() {
        let (source, tell) =
            Source::open(place, bus, (&deps, &spool, &shared), &mut pipeline, &catalogue).await?;
        wants.extend(tell.map(|tell| (place, tell)));
        parts.spawn(source.run(sender.clone(), Arc::clone(&shared), stop.clone()));
    }
    if let Some(section) = &config.tools {
        let client = format!("vernport-{}-tools", config.gateway.name);
        let endpoint = endpoint_with("tools", section, &client, shown(config, section, held))?;
        let (site, station) = (&config.gateway.site, &config.gateway.station);
        let tools = Tools {
            inbox: ToolInbox::start(endpoint, site, Some(station), limits(&config.tool_limits, &config.tool)),
            catalogue: Arc::clone(&catalogue),
            dialects,
            spool: spool.clone(),
            clock: Arc::clone(&deps.clock),
            inputs: sender.clone(),
            shared: Arc::clone(&shared),
            identity: tools_key,
        };
        parts.spawn(tools.run(stop.clone()));
    }
    if let Some(section) = &config.fleet {
        hosted(&rules, section)?;
        let client = format!("vernport-{}-fleet", config.gateway.name);
        let endpoint = endpoint_with("fleet", section, &client, shown(config, section, held))?;
        let operators: BTreeSet<_> = rules
            .flows()
            .iter()
            .filter_map(|flow| Some(flow.deliver.topic.as_ref()?.operator.clone()))
            .collect();
        let publish = Publish {
            publisher: Publisher::start(
                PublisherConfig::new(endpoint, config.gateway.name.clone()),
                storage_keys,
            ),
            operators,
            holds: holds.clone(),
            spool: spool.clone(),
            clock: Arc::clone(&deps.clock),
            shared: Arc::clone(&shared),
        };
        parts.spawn(publish.run(stop.clone()));
    }
    let deliver = Deliver {
        uplink: uplink.clone(),
        holds: holds.clone(),
        spool: spool.clone(),
        clock: Arc::clone(&deps.clock),
        shared: Arc::clone(&shared),
        swept: Instant::now(),
        kept: last_head.map(|head| (head.at, deps.clock.now().boot)),
    };
    parts.spawn(deliver.run(stop.clone()));
    let station = Arc::new(Station {
        gateway: config.gateway.name.clone(),
        at: StationRef { site: config.gateway.site.clone(), station: config.gateway.station.clone() },
        device: Arc::clone(&device),
        holds: holds.clone(),
        spool: spool.clone(),
        clock: Arc::clone(&deps.clock),
        shared: Arc::clone(&shared),
        inputs: sender.clone(),
        said: Notify::new(),
        turn: Mutex::new(()),
    });
    if let Some(section) = &config.station {
        let listener = station::open(&section.socket)?;
        parts.spawn(station::serve(Arc::clone(&station), listener, section.socket.clone(), stop.clone()));
    }
    parts.spawn(station::tell(Arc::clone(&station), uplink.clone(), stop.clone()));
    let (ending, stopped) = (station, stop.clone());
    parts.spawn(async move { ending.end_orders(stopped).await });
    let (controller, gateway) = (config.gateway.controller.clone(), config.gateway.name.clone());
    let witness = Witness {
        uplink: uplink.clone(),
        spool: spool.clone(),
        clock: Arc::clone(&deps.clock),
        shared: Arc::clone(&shared),
        device,
        gateway: Keeper::Gateway { controller: controller.clone(), gateway },
        central: Keeper::Central { controller },
        central_key: config.central.head_key,
    };
    parts.spawn(witness.run(stop.clone()));
    if let Some((files, held)) = certificate {
        let renew = Renew::new(uplink.clone(), files, held, Arc::clone(&deps.clock), Arc::clone(&shared))?;
        parts.spawn(renew.run(stop.clone()));
    }
    parts.spawn(resume::watch(uplink.clone(), Arc::clone(&deps.clock), Arc::clone(&shared), stop.clone()));
    let feed = Feed {
        uplink,
        kept,
        guard: HeadGuard::new(config.central.head_key, last_head)
            .with_eras_of(config.gateway.controller.clone(), config.rules.bundle_key)
            .with_behind(behind),
        holds: holds.clone(),
        spool: spool.clone(),
        clock: Arc::clone(&deps.clock),
        inputs: sender,
        shared: Arc::clone(&shared),
        known: KnownLinks::default(),
    };
    parts.spawn(feed.run(stop.clone()));
    let max_wait_micros = config.batch.max_wait_ms * 1000;
    let driver =
        Driver::new(pipeline, spool.clone(), deps.clock, Arc::clone(&shared), max_wait_micros, wants);
    let stopping = stop.clone();
    parts.spawn(async move {
        match driver.run(inputs, stopping.clone()).await {
            Err(error) => {
                tracing::error!(
                    error = chain(&error),
                    "the catalogue does not fit the decoder: the gateway stops"
                );
            }
            Ok(()) if !stopping.is_cancelled() => {
                tracing::error!("nothing is queued any more: the gateway stops");
            }
            Ok(()) => {}
        }
        // Without it nothing is decided: whoever looks after the process starts it again.
        stopping.cancel();
    });
    Ok(Running { told, status_at, rules, catalogue, stop, parts })
}

/// What became of messages from before this start.
fn say(key: &KeySource, survey: &Survey) {
    if survey.unreadable > 0 {
        let messages = survey.unreadable;
        tracing::warn!(messages, "messages from before the start open with no key here and are put aside");
    }
    match survey.before {
        0 if *key != KeySource::Memory => {
            tracing::info!(%key, "no message waits under the storage key before: `vernport keys rotate storage --finish`");
        }
        0 => {}
        messages => tracing::info!(messages, "messages wait under the storage key before, which has to stay"),
    }
}
