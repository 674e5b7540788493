//! One simulation: the machines, the clocks, the network and the weather, and what holds them together.

use crate::{
    books::Books,
    clock::{Machine, TrueTime},
    dice::Dice,
    disk::Plate,
    history::{History, Rule},
    network::Line,
    opened::Opened,
    site::Site,
    watch::Watch,
};
use anyhow::{Context as _, Result};
use std::{
    fs,
    future::Future,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::task::{JoinSet, yield_now};
use tokio_util::sync::CancellationToken;
use vernport_api::Code;
use vernport_canbus::{VirtualBuses, VirtualNode};
use vernport_central::{Peer, Role, Service, StartError};
use vernport_gateway::{Deps, Given, Running, secrets::Secrets};
use vernport_spool::{OpenError, Spool};
use vernport_types::{Clock, Slug};
use vernport_uplink::{Client, Uplink};

/// How long a request may take at central.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// The file of a gateway's spool.
const SPOOL: &str = "spool.db";

/// How bad it is, drawn once for each simulation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weather {
    /// How long it lasts.
    pub(crate) storm_seconds: u64,
    /// Of how many calls something goes wrong.
    pub(crate) lossy_percent: u64,
    pub(crate) slow_disk_percent: u64,
    /// Of how many transactions of central something goes wrong.
    pub(crate) broken_database_percent: u64,
    /// Whether central may be set back to an old backup.
    pub(crate) sets_back: bool,
    pub(crate) two_centrals: bool,
    /// The pause between two blows, at most.
    pub(crate) blow_seconds: u64,
}

impl Weather {
    /// Nothing happens by itself.
    pub(crate) const FAIR: Self = Self {
        storm_seconds: 0,
        lossy_percent: 0,
        slow_disk_percent: 0,
        broken_database_percent: 0,
        sets_back: false,
        two_centrals: false,
        blow_seconds: 0,
    };

    fn drawn(dice: &Dice) -> Self {
        Self {
            storm_seconds: dice.between(10, 90),
            lossy_percent: dice.of(&[0, 2, 10, 30]),
            slow_disk_percent: dice.of(&[0, 0, 5, 30]),
            broken_database_percent: dice.of(&[0, 0, 2, 10]),
            sets_back: dice.percent(25),
            two_centrals: dice.percent(40),
            blow_seconds: dice.of(&[5, 15, 40]),
        }
    }
}

/// A central that runs.
pub(crate) struct Central {
    service: Arc<Service>,
    calls: Mutex<JoinSet<()>>,
    stop: CancellationToken,
}

impl Central {
    pub(crate) fn service(&self) -> Arc<Service> {
        Arc::clone(&self.service)
    }

    /// Does something in this central's process: it ends with it.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut calls = lock(&self.calls);
        while calls.try_join_next().is_some() {}
        calls.spawn(work);
    }
}

pub(crate) struct Play {
    pub(crate) site: Arc<Site>,
    pub(crate) dice: Dice,
    pub(crate) weather: Weather,
    pub(crate) time: Arc<TrueTime>,
    pub(crate) history: Arc<History>,
    pub(crate) watch: Watch,
    pub(crate) books: Books,
    pub(crate) opened: Opened,
    pub(crate) gateway_clock: Arc<Machine>,
    pub(crate) central_clocks: [Arc<Machine>; 2],
    pub(crate) set_back: AtomicBool,
    pub(crate) without_journal: AtomicBool,
    /// How often a central was started without its journal.
    pub(crate) ran_without_journal: AtomicU64,
    folder: PathBuf,
    buses: VirtualBuses,
    centrals: Mutex<[Option<Arc<Central>>; 2]>,
    gateway: tokio::sync::Mutex<Option<Running>>,
    storm: AtomicBool,
    cut: AtomicBool,
    disk_full: AtomicBool,
    database_gone: AtomicBool,
    others: Mutex<JoinSet<()>>,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Play {
    pub(crate) fn new(site: &Arc<Site>, seed: u64, weather: Option<Weather>) -> Result<Arc<Self>> {
        let dice = Dice::new(seed);
        let weather = weather.unwrap_or_else(|| Weather::drawn(&dice));
        let time = TrueTime::begin();
        let history = Arc::new(History::new(&time));
        let folder = site.folder().join(format!("{seed}"));
        fs::create_dir_all(&folder)?;
        site.lay_spool(&folder.join(SPOOL))?;
        let gateway_clock = Machine::new(&time);
        let play = Arc::new(Self {
            watch: Watch::new(&history, &gateway_clock),
            books: Books::new(&site.controller.id),
            opened: Opened::default(),
            central_clocks: [Machine::new(&time), Machine::new(&time)],
            site: Arc::clone(site),
            dice,
            weather,
            time,
            history,
            gateway_clock,
            set_back: AtomicBool::new(false),
            without_journal: AtomicBool::new(false),
            ran_without_journal: AtomicU64::new(0),
            folder,
            buses: VirtualBuses::default(),
            centrals: Mutex::default(),
            gateway: tokio::sync::Mutex::default(),
            storm: AtomicBool::new(false),
            cut: AtomicBool::new(false),
            disk_full: AtomicBool::new(false),
            database_gone: AtomicBool::new(false),
            others: Mutex::default(),
        });
        play.buses.lend_log(&site.log.0, Arc::clone(&site.log.1));
        play.books.expose(&play);
        Ok(play)
    }

    pub(crate) fn is_storm(&self) -> bool {
        self.storm.load(Relaxed)
    }

    pub(crate) fn set_storm(&self, is: bool) {
        self.storm.store(is, Relaxed);
    }

    /// Whether the line of a gateway is cut: others speak to central from elsewhere.
    pub(crate) fn is_cut(&self, peer: &Peer) -> bool {
        peer.role == Role::Gateway && self.cut.load(Relaxed)
    }

    pub(crate) fn set_cut(&self, is: bool) {
        self.cut.store(is, Relaxed);
    }

    /// How often a central was started without its journal, if none runs so now.
    pub(crate) fn journaled_since(&self) -> Option<u64> {
        (!self.without_journal.load(Relaxed)).then(|| self.ran_without_journal.load(Relaxed))
    }

    pub(crate) fn is_disk_full(&self) -> bool {
        self.disk_full.load(Relaxed)
    }

    pub(crate) fn set_disk_full(&self, is: bool) {
        self.disk_full.store(is, Relaxed);
    }

    pub(crate) fn is_database_gone(&self) -> bool {
        self.database_gone.load(Relaxed)
    }

    pub(crate) fn set_database_gone(&self, is: bool) {
        self.database_gone.store(is, Relaxed);
    }

    /// Does something that nobody waits for; it ends with the simulation.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut others = lock(&self.others);
        while others.try_join_next().is_some() {}
        others.spawn(work);
    }

    /// One of the centrals that run.
    pub(crate) fn any_central(&self) -> Option<Arc<Central>> {
        let centrals = lock(&self.centrals);
        let up: Vec<&Arc<Central>> = centrals.iter().flatten().collect();
        if up.is_empty() { None } else { Some(Arc::clone(self.dice.of(&up))) }
    }

    pub(crate) fn is_central_up(&self, place: usize) -> bool {
        lock(&self.centrals)[place].is_some()
    }

    /// Starts a central, as often as its databases break meanwhile.
    pub(crate) async fn start_central(&self, place: usize) -> Result<()> {
        loop {
            match self.try_central(place).await {
                Err(error) if is_the_database(&error) => {
                    self.history.tell(format!("central {place} does not start: {error}"));
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
                started => return Ok(started?),
            }
        }
    }

    pub(crate) async fn try_central(&self, place: usize) -> Result<(), StartError> {
        let clock = Arc::clone(&self.central_clocks[place]);
        let serving = self.site.serving(clock);
        let stop = CancellationToken::new();
        let store = self.books.open(self.site.master_key()).await?;
        let journal =
            if self.without_journal.load(Relaxed) { None } else { Some(self.books.journal(place)?) };
        let service = Service::start(store, journal, serving, REQUEST_TIMEOUT, stop.clone()).await?;
        let central = Central { service: Arc::new(service), calls: Mutex::default(), stop };
        lock(&self.centrals)[place] = Some(Arc::new(central));
        self.history.tell(format!("central {place} runs"));
        Ok(())
    }

    /// Ends a central wherever it is.
    pub(crate) async fn kill_central(&self, place: usize) {
        let Some(central) = lock(&self.centrals)[place].take() else { return };
        self.history.tell(format!("central {place} is killed"));
        let service = Arc::downgrade(&central.service);
        lock(&central.calls).abort_all();
        drop(central);
        if !gone(&service).await {
            self.history.broke(Rule::Stalled, format!("central {place} does not end"));
        }
    }

    /// Ends a central in good order.
    pub(crate) async fn stop_central(&self, place: usize) {
        let Some(central) = lock(&self.centrals)[place].take() else { return };
        self.history.tell(format!("central {place} stops"));
        central.stop.cancel();
        let mut calls = std::mem::take(&mut *lock(&central.calls));
        while calls.join_next().await.is_some() {}
        drop(calls);
        if let Some(Central { service, .. }) = Arc::into_inner(central)
            && let Some(service) = Arc::into_inner(service)
        {
            service.stopped().await;
        }
    }

    /// A client that is not a gateway.
    pub(crate) fn client(self: &Arc<Self>, name: &Slug, role: Role) -> Client {
        Client::over(Line::new(self, self.site.peer(name, role)))
    }

    pub(crate) fn bus(&self) -> Result<VirtualNode> {
        Ok(self.buses.attach(&"westrum".parse()?, Arc::clone(&self.gateway_clock) as Arc<dyn Clock>)?)
    }

    pub(crate) async fn start_gateway(self: &Arc<Self>) -> Result<()> {
        let mut place = self.gateway.lock().await;
        if place.is_some() {
            return Ok(());
        }
        let mut config = self.site.gateway.clone();
        config.gateway.data_dir.clone_from(&self.folder);
        // Nobody asks how it stands, and all worlds would be told of by one socket.
        config.status = None;
        let uplink = Uplink::over(
            Line::new(self, self.site.peer(&config.gateway.name, Role::Gateway)),
            config.gateway.name.clone(),
        );
        let given = Given {
            catalogue: Arc::clone(&self.site.catalogue),
            rules: Arc::clone(&self.site.rules),
            secrets: Secrets::load(&config.keys)?,
            uplink,
            certificate: None,
            spool: self.open_spool(&config).await?,
        };
        let clock = Arc::clone(&self.gateway_clock) as Arc<dyn Clock>;
        let deps = Deps { clock, buses: self.buses.clone() };
        self.watch.gateway_starts();
        *place = Some(vernport_gateway::run_with(&config, given, deps, CancellationToken::new()).await?);
        self.history.tell("the gateway runs");
        Ok(())
    }

    /// The writer of a gateway that was killed ends when it has seen that nobody asks any more.
    async fn open_spool(self: &Arc<Self>, config: &vernport_gateway::Config) -> Result<Spool> {
        for _ in 0..1_000 {
            match Spool::open_on(Plate::of(self), config.spool()).await {
                Err(OpenError::InUse { .. }) => tokio::time::sleep(Duration::from_millis(10)).await,
                opened => return Ok(opened?),
            }
        }
        anyhow::bail!("the spool of a gateway that was killed is not given free")
    }

    /// Ends the gateway wherever it is.
    pub(crate) async fn kill_gateway(&self) {
        if self.gateway.lock().await.take().is_some() {
            self.history.tell("the gateway is killed");
        }
    }

    /// Ends it in good order.
    pub(crate) async fn stop_gateway(&self) {
        if let Some(running) = self.gateway.lock().await.take() {
            self.history.tell("the gateway stops");
            running.stop().await;
        }
    }

    pub(crate) async fn status(&self) -> Option<vernport_gateway::Status> {
        let place = self.gateway.lock().await;
        match place.as_ref()?.status().await {
            Ok(status) => Some(status),
            Err(error) => {
                self.history.broke(Rule::Stalled, format!("the gateway tells no status: {error}"));
                None
            }
        }
    }

    pub(crate) fn spool_file(&self) -> PathBuf {
        self.folder.join(SPOOL)
    }

    /// Ends everything, and takes away what it wrote.
    pub(crate) async fn end(&self) -> Result<()> {
        self.kill_gateway().await;
        for place in 0..2 {
            self.kill_central(place).await;
        }
        lock(&self.others).abort_all();
        yield_now().await;
        fs::remove_dir_all(&self.folder).context("what a simulation wrote")
    }
}

/// Waits until nothing holds it any more; false if something does for ever.
async fn gone<T>(what: &Weak<T>) -> bool {
    for _ in 0..10_000 {
        if what.strong_count() == 0 {
            return true;
        }
        yield_now().await;
    }
    false
}

/// Whether central may start when its database is there again.
fn is_the_database(error: &StartError) -> bool {
    match error {
        StartError::Store(_) => true,
        StartError::Enrol { problem, .. } => matches!(problem.code, Code::Busy | Code::Internal),
        _ => false,
    }
}
