//! An installation on a real disk: a set of keys and configurations, central on one of the databases,
//! a wire, a gateway.

use crate::{
    daemons::{Daemon, free_port},
    wire::Wire,
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
    dev::{self, Dev, DevController},
    registrar::Registrar,
    shipped,
};
use vernport_gateway::SystemClock;
use vernport_registry::world::World;
use vernport_testkit::postgres::Cluster;
use vernport_types::Clock as _;

const WORLD: &str = include_str!("../../tests/pipeline/worlds/truck.toml");
/// How long a state is waited for.
const PATIENCE: Duration = Duration::from_secs(120);

/// The installation; its folder goes with it.
pub(crate) struct Place {
    pub(crate) dev: Dev,
    pub(crate) controller: DevController,
    pub(crate) registrar: Registrar,
    pub(crate) world: World,
    pub(crate) wire: Wire,
    central: Option<Daemon>,
    folder: tempfile::TempDir,
    _database: Option<Cluster>,
}

impl Place {
    /// Central runs on `database` or on SQLite, and knows the truck, which was handed in so many hours ago.
    pub(crate) async fn set_up(
        bus: &str,
        file_time: bool,
        batch: &str,
        hours: u64,
        database: Option<Cluster>,
    ) -> Result<Self> {
        // Beside the build: a temporary folder may lie in memory.
        let beside = crate::daemons::built()?.join("delivery");
        fs::create_dir_all(&beside)?;
        let folder = tempfile::tempdir_in(beside)?;
        let options = dev::Options {
            central_port: free_port()?,
            bundles: vec![("westrum".into(), shipped::bundle_text("westrum")?.1)],
            bus: bus.into(),
            file_time,
            gateway_extra: BTreeMap::from([("westrum".into(), batch.into())]),
        };
        let dev = dev::make(&folder.path().join("set"), &options)?;
        if let Some(cluster) = &database {
            let (file, text) = (dev.central_config(), fs::read_to_string(dev.central_config())?);
            let text = text.replace("sqlite://central/main.db", &cluster.database());
            fs::write(file, text.replace("sqlite://central/erasure.db", &cluster.database()))?;
        }
        let controller = dev.controller.first().context("a set has a controller")?.clone();
        let wire = Wire::lay(&dev.central_url).await?;
        let config = dev.gateway_config(&controller);
        fs::write(&config, fs::read_to_string(&config)?.replace(&dev.central_url, &wire.url))?;
        let registrar = Registrar::new(&dev, &controller, Arc::new(SystemClock))?;
        let world = WORLD.replace("time = \"-1h\"", &format!("time = \"-{hours}h\""));
        let mut place = Self {
            dev,
            controller,
            registrar,
            world: World::from_toml("worlds/truck.toml", &world)?,
            wire,
            central: None,
            folder,
            _database: database,
        };
        place.start_central().await?;
        place.registrar.activate_keys(&place.dev, &place.controller).await?;
        let now = SystemClock.now().wall;
        let entries = place.world.entries(&place.controller.id, &place.registrar.identity, now)?;
        place.registrar.record(entries).await?;
        Ok(place)
    }

    async fn start_central(&mut self) -> Result<()> {
        let (config, log) = (self.dev.central_config(), self.folder.path().join("central.log"));
        self.central = Some(Daemon::start("vernport-central", &config, &log, None)?);
        let until = Instant::now() + PATIENCE;
        while self.registrar.stored_batches().await.is_err() {
            ensure!(Instant::now() < until, "central does not serve");
            sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    pub(crate) fn central_pid(&self) -> Result<u32> {
        Ok(self.central.as_ref().context("central runs")?.id())
    }

    /// The gateway as a process, with something in its environment.
    pub(crate) fn gateway(&self, with: &[(&str, &Path)]) -> Result<Daemon> {
        let (config, log) =
            (self.dev.gateway_config(&self.controller), self.folder.path().join("gateway.log"));
        Daemon::start_with("vernport-gateway", &config, &log, None, with)
    }

    pub(crate) fn gateway_config(&self) -> Result<vernport_gateway::Config> {
        Ok(vernport_gateway::Config::load(&self.dev.gateway_config(&self.controller))?)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Waits until central keeps so many batches, and says when.
    pub(crate) async fn until_stored(&self, batches: u64) -> Result<Instant> {
        let (mut until, mut before) = (Instant::now() + PATIENCE, 0);
        loop {
            let stored = self.registrar.stored_batches().await?;
            if stored >= batches {
                return Ok(Instant::now());
            }
            if stored > before {
                (until, before) = (Instant::now() + PATIENCE, stored);
            }
            ensure!(Instant::now() < until, "{stored} batches of {batches} came");
            sleep(Duration::from_millis(5)).await;
        }
    }
}
