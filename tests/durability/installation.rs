//! One installation of daemons: central on a database, and a gateway that replays a log.

use crate::{
    daemons::{Daemon, free_port},
    disk,
    opened::Opened,
};
use anyhow::{Context as _, Result, ensure};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::time::{Instant, sleep};
use vernport::{
    dev::{self, Dev, DevController, DevRecipient},
    registrar::Registrar,
    shipped,
};
use vernport_gateway::SystemClock;
use vernport_registry::world::World;
use vernport_spool::{Config as SpoolConfig, Spool};
use vernport_testkit::postgres::Cluster;
use vernport_types::Clock as _;

/// How long nothing may come of a replay.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a state is looked at.
const LOOK: Duration = Duration::from_millis(2);
/// So often it is looked before nothing more is expected to come.
const MUST_BE_ALL: u32 = 40;
/// Small batches: many of them, and many moments to be killed in.
const BATCH: &str = "\n[batch]\nmax_records = 8\n";
const WORLD: &str = include_str!("../pipeline/worlds/truck.toml");

/// What is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Victim {
    /// The gateway's process.
    Gateway,
    /// The power of its box: what was not synced is lost as well.
    GatewayPower,
    /// Central's process.
    Central,
    /// Both processes.
    Both,
    /// The database's processes, and started again.
    Database,
    /// The database, which is shut down in good order and started again.
    DatabaseInOrder,
}

impl Victim {
    pub(crate) const ON_SQLITE: [Self; 4] = [Self::Gateway, Self::Central, Self::Both, Self::GatewayPower];
    pub(crate) const ON_POSTGRES: [Self; 6] =
        [Self::Gateway, Self::Central, Self::Database, Self::GatewayPower, Self::Both, Self::DatabaseInOrder];

    fn stops_the_gateway(self) -> bool {
        matches!(self, Self::Gateway | Self::GatewayPower | Self::Both)
    }

    fn stops_central(self) -> bool {
        matches!(self, Self::Central | Self::Both)
    }
}

/// The daemons and what they work on.
pub(crate) struct Installation {
    dev: Dev,
    controller: DevController,
    pub(crate) registrar: Registrar,
    pub(crate) world: World,
    log: PathBuf,
    frames: u64,
    folder: PathBuf,
    database: Option<Cluster>,
    central: Option<Daemon>,
    gateway: Option<Daemon>,
    _folder: tempfile::TempDir,
}

impl Installation {
    /// Central on `database`, or on SQLite; the truck's world recorded; the gateway reads `log`.
    pub(crate) async fn set_up(log: &Path, frames: u64, database: Option<Cluster>) -> Result<Self> {
        Self::on_bus((&format!("candump:{}", log.display()), true), BATCH, (log, frames), database).await
    }

    /// Central on SQLite; the gateway reads an adapter on a serial line.
    pub(crate) async fn of_a_live_bus(link: &Path, batch: &str) -> Result<Self> {
        Self::on_bus((&format!("serial:{}", link.display()), false), batch, (Path::new(""), 0), None).await
    }

    async fn on_bus(
        (bus, file_time): (&str, bool),
        batch: &str,
        (log, frames): (&Path, u64),
        database: Option<Cluster>,
    ) -> Result<Self> {
        let temporary = tempfile::tempdir()?;
        let folder = temporary.path().to_owned();
        let options = dev::Options {
            central_port: free_port()?,
            bundles: vec![("westrum".into(), shipped::bundle_text("westrum")?.1)],
            bus: bus.into(),
            file_time,
            gateway_extra: BTreeMap::from([("westrum".into(), batch.into())]),
        };
        let dev = dev::make(&folder.join("set"), &options)?;
        if let Some(cluster) = &database {
            let (file, text) = (dev.central_config(), fs::read_to_string(dev.central_config())?);
            let text = text.replace("sqlite://central/main.db", &cluster.database());
            fs::write(file, text.replace("sqlite://central/erasure.db", &cluster.database()))?;
        }
        fs::create_dir(folder.join("synced"))?;
        let controller = dev.controller.first().context("a set has a controller")?.clone();
        let registrar = Registrar::new(&dev, &controller, Arc::new(SystemClock))?;
        let mut set = Self {
            dev,
            controller,
            registrar,
            world: World::from_toml("worlds/truck.toml", WORLD)?,
            log: log.to_owned(),
            frames,
            folder,
            database,
            central: None,
            gateway: None,
            _folder: temporary,
        };
        set.start_central().await?;
        set.registrar.activate_keys(&set.dev, &set.controller).await?;
        let now = SystemClock.now().wall;
        set.registrar.record(set.world.entries(&set.controller.id, &set.registrar.identity, now)?).await?;
        set.start_gateway()?;
        Ok(set)
    }

    async fn start_central(&mut self) -> Result<()> {
        let (config, log) = (self.dev.central_config(), self.folder.join("central.log"));
        self.central = Some(Daemon::start("vernport-central", &config, &log, None)?);
        let until = Instant::now() + PATIENCE;
        while self.registrar.stored_batches().await.is_err() {
            ensure!(Instant::now() < until, "central does not serve:\n{}", self.said("central.log"));
            sleep(LOOK).await;
        }
        Ok(())
    }

    fn start_gateway(&mut self) -> Result<()> {
        let (config, log) = (self.dev.gateway_config(&self.controller), self.folder.join("gateway.log"));
        let synced = self.folder.join("synced");
        self.gateway = Some(Daemon::start("vernport-gateway", &config, &log, Some(&synced))?);
        Ok(())
    }

    /// Cuts something off, all at once, and waits `down` before it is there again.
    pub(crate) async fn cut(&mut self, victim: Victim, down: Duration) -> Result<()> {
        if victim.stops_the_gateway() {
            self.gateway.as_mut().context("the gateway runs")?.kill()?;
        }
        if victim.stops_central() {
            self.central.as_mut().context("central runs")?.kill()?;
        }
        if let Victim::Database | Victim::DatabaseInOrder = victim {
            let cluster = self.database.as_mut().context("there is a database to cut off")?;
            if victim == Victim::Database { cluster.kill() } else { cluster.stop() }
        }
        if victim == Victim::GatewayPower {
            self.forget()?;
        }
        sleep(down).await;
        if let Victim::Database | Victim::DatabaseInOrder = victim {
            self.database.as_mut().context("there is a database to start again")?.start_again();
        }
        if victim.stops_central() {
            self.start_central().await?;
        }
        if victim.stops_the_gateway() {
            self.start_gateway()?;
        }
        Ok(())
    }

    /// The gateway's disk loses what was not synced.
    fn forget(&self) -> Result<()> {
        let (spool, copies) = (self.spool(), self.folder.join("synced"));
        for suffix in ["", "-wal"] {
            disk::forget(&PathBuf::from(format!("{}{suffix}", spool.display())), &copies)?;
        }
        // Never synced, and made anew from the log.
        let shared = PathBuf::from(format!("{}-shm", spool.display()));
        if shared.exists() {
            fs::remove_file(shared)?;
        }
        Ok(())
    }

    fn spool(&self) -> PathBuf {
        self.dev.folder(&self.controller).join("data/spool.db")
    }

    /// Waits until central keeps so many batches. Meanwhile it may be gone.
    pub(crate) async fn until_stored(&self, batches: u64) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        while self.registrar.stored_batches().await.unwrap_or(0) < batches {
            let logs = || format!("{}\n{}", self.said("central.log"), self.said("gateway.log"));
            ensure!(Instant::now() < until, "central does not get {batches} batches:\n{}", logs());
            sleep(LOOK).await;
        }
        Ok(())
    }

    /// How far the log was read and queued, and how many batches wait: also those that are parked since the
    /// gateway was started again and has not heard of their consent yet. The gateway does not run.
    async fn spooled(&self) -> Result<(u64, u64)> {
        let spool = Spool::open(SpoolConfig::new(self.spool(), 256 << 20)).await?;
        let at = spool.cursor(&format!("candump:{}", self.log.display())).await?;
        let status = spool.status().await?;
        spool.close().await;
        Ok((at, status.batches_queued + status.batches_parked))
    }

    /// What recipients can open now.
    pub(crate) async fn opened(&self) -> Result<Opened> {
        Opened::read(&self.dev, &self.controller).await
    }

    /// What one recipient can open now for one purpose.
    pub(crate) async fn opened_by(&self, recipient: &str, purpose: &str) -> Result<Opened> {
        let is = |key: &DevRecipient| key.recipient.as_str() == recipient && key.purpose.as_str() == purpose;
        Opened::read_as(&self.dev, &self.controller, is).await
    }

    /// Waits until `records` are there (or nothing more comes), ends the gateway in good order, and says
    /// what was opened and in how many batches.
    pub(crate) async fn finish(mut self, records: usize) -> Result<(Opened, u64)> {
        let mut until = Instant::now() + PATIENCE;
        let (mut before, mut still) = (0, 0);
        loop {
            let batches = self.registrar.stored_batches().await?;
            still = if batches == before { still + 1 } else { 0 };
            if still == 0 {
                until = Instant::now() + PATIENCE;
            }
            before = batches;
            // Read only when it stands still, for opening is slow.
            if batches > 0 && still > 0 {
                let there = self.opened().await?.len();
                if (there >= records || still > MUST_BE_ALL) && self.is_done().await? {
                    return Ok((self.opened().await?, self.registrar.stored_batches().await?));
                }
            }
            let log = || self.said("gateway.log");
            ensure!(Instant::now() < until, "{batches} batches came, and no more:\n{}", log());
            sleep(Duration::from_millis(300)).await;
        }
    }

    /// Ends the gateway; whether it had read the whole log and central has all of it. If not, it runs on.
    async fn is_done(&mut self) -> Result<bool> {
        self.gateway.take().context("the gateway runs")?.stop().await?;
        if self.spooled().await? == (self.frames, 0) {
            return Ok(true);
        }
        self.start_gateway()?;
        Ok(false)
    }

    /// The end of a daemon's log.
    fn said(&self, log: &str) -> String {
        let text = fs::read_to_string(self.folder.join(log)).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}
