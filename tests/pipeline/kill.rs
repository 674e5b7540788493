//! Gateway and central are killed in the middle of a replay, started again, and
//! killed again: each record is opened once at the end, as if nothing had been.

use crate::{
    daemons::{Daemon, built, free_port},
    opened::Opened,
    stand::truck_world,
    truck::{Log, OTHER_VIN, VIN},
};
use anyhow::{Context as _, Result, ensure};
use std::{
    collections::BTreeMap,
    io::Write as _,
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
use vernport_spool::{Config as SpoolConfig, Spool};
use vernport_types::Clock as _;

/// How long a replay may take, disturbed or not.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a state is looked at.
const LOOK: Duration = Duration::from_millis(2);
/// So often it is looked before nothing more is expected to come.
const MUST_BE_ALL: u32 = 40;
/// Small batches: many of them, and many moments to be killed in.
const BATCH: &str = "\n[batch]\nmax_records = 8\n";

/// Who is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Gateway,
    Central,
    Both,
}

/// Random numbers that a seed gives again (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound.max(1)
    }
}

/// One installation of daemons, and the log that its gateway replays.
struct Installation {
    dev: Dev,
    controller: DevController,
    registrar: Registrar,
    log: PathBuf,
    frames: u64,
    logs: PathBuf,
    central: Option<Daemon>,
    gateway: Option<Daemon>,
    _folder: tempfile::TempDir,
}

impl Installation {
    async fn set_up(log: &Path, frames: u64) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let options = dev::Options {
            central_port: free_port()?,
            bundles: vec![("westrum".into(), shipped::bundle_text("westrum")?.1)],
            bus: format!("candump:{}", log.display()),
            file_time: true,
            gateway_extra: BTreeMap::from([("westrum".into(), BATCH.into())]),
        };
        let dev = dev::make(&folder.path().join("set"), &options)?;
        let controller = dev.controller.first().context("a set has a controller")?.clone();
        let registrar = Registrar::new(&dev, &controller, Arc::new(SystemClock))?;
        let (log, logs) = (log.to_owned(), folder.path().to_owned());
        let mut set = Self {
            dev,
            controller,
            registrar,
            log,
            frames,
            logs,
            central: None,
            gateway: None,
            _folder: folder,
        };
        set.start(Victim::Central).await?;
        set.registrar.activate_keys(&set.dev, &set.controller).await?;
        let entries =
            truck_world()?.entries(&set.controller.id, &set.registrar.identity, SystemClock.now().wall)?;
        set.registrar.record(entries).await?;
        set.start(Victim::Gateway).await?;
        Ok(set)
    }

    async fn start(&mut self, who: Victim) -> Result<()> {
        if who != Victim::Gateway {
            let config = self.dev.central_config();
            self.central = Some(Daemon::start("vernport-central", &config, &self.logs.join("central.log"))?);
            let until = Instant::now() + PATIENCE;
            while self.registrar.stored_batches().await.is_err() {
                ensure!(Instant::now() < until, "central does not serve:\n{}", self.said("central.log"));
                sleep(LOOK).await;
            }
        }
        if who != Victim::Central {
            let config = self.dev.gateway_config(&self.controller);
            self.gateway = Some(Daemon::start("vernport-gateway", &config, &self.logs.join("gateway.log"))?);
        }
        Ok(())
    }

    fn kill(&mut self, who: Victim) -> Result<()> {
        if who != Victim::Central {
            self.gateway.as_mut().context("the gateway runs")?.kill()?;
        }
        if who != Victim::Gateway {
            self.central.as_mut().context("central runs")?.kill()?;
        }
        Ok(())
    }

    /// Waits until central keeps so many batches.
    async fn until_stored(&self, batches: u64) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        while self.registrar.stored_batches().await? < batches {
            let logs = || format!("{}\n{}", self.said("central.log"), self.said("gateway.log"));
            ensure!(Instant::now() < until, "central does not get {batches} batches:\n{}", logs());
            sleep(LOOK).await;
        }
        Ok(())
    }

    /// How far the log was read and queued, and how many batches wait. The gateway does not run.
    async fn spooled(&self) -> Result<(u64, u64)> {
        let path = self.dev.folder(&self.controller).join("data/spool.db");
        let spool = Spool::open(SpoolConfig::new(path, 256 << 20)).await?;
        let at = spool.cursor(&format!("candump:{}", self.log.display())).await?;
        let waiting = spool.status().await?.batches_queued;
        spool.close().await;
        Ok((at, waiting))
    }

    /// Waits until `records` are there (or nothing more comes), ends the gateway in good order, and says
    /// what was opened and in how many batches.
    async fn finish(mut self, records: usize) -> Result<(Opened, u64)> {
        let until = Instant::now() + PATIENCE;
        let (mut before, mut still) = (0, 0);
        loop {
            let batches = self.registrar.stored_batches().await?;
            still = if batches == before { still + 1 } else { 0 };
            before = batches;
            // Read only when it stands still, for opening is slow.
            if batches > 0 && still > 0 {
                let there = Opened::read(&self.dev, &self.controller).await?.len();
                if (there >= records || still > MUST_BE_ALL) && self.is_done().await? {
                    let opened = Opened::read(&self.dev, &self.controller).await?;
                    return Ok((opened, self.registrar.stored_batches().await?));
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
        self.start(Victim::Gateway).await?;
        Ok(false)
    }

    /// The end of a daemon's log.
    fn said(&self, log: &str) -> String {
        let text = std::fs::read_to_string(self.logs.join(log)).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

/// A log of the known truck, of a stranger on the same bus, and of the known truck again; and what of
/// it belongs to the workshop.
fn log() -> Result<(Log, Opened)> {
    let start = SystemClock.now().wall.plus_seconds(-3600);
    let (mut log, mut known) = (Log::starting_at(start), Opened::default());
    for (vin, at, seconds) in [(VIN, 0, 80), (OTHER_VIN, 100, 20), (VIN, 140, 80)] {
        log.visit(vin, at, seconds)?;
        if vin == VIN {
            let mut visit = Log::starting_at(start);
            visit.visit(vin, at, seconds)?;
            known.extend(visit.workshop()?);
        }
    }
    Ok((log, known))
}

#[tokio::test]
async fn killed_at_any_moment_each_record_still_arrives_once() -> Result<()> {
    built()?;
    let folder = tempfile::tempdir()?;
    let ((log, known), path) = (log()?, folder.path().join("drive.log"));
    log.write(&path)?;
    let frames = u64::try_from(log.frames.len())?;

    let (undisturbed, batches) = Installation::set_up(&path, frames).await?.finish(0).await?;
    undisturbed.of("westrum-workshop", "service-delivery").assert_same(&known);
    assert!(undisturbed.len() > 4000, "{} records", undisturbed.len());

    let seed = std::env::var("VERNPORT_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from_le_bytes(vernport_crypto::random()));
    let mut dice = Dice(seed);
    let mut say = std::io::stderr();
    writeln!(
        say,
        "kill: VERNPORT_SEED={seed}; {frames} frames, {} records, {batches} batches",
        undisturbed.len()
    )?;

    let mut set = Installation::set_up(&path, frames).await?;
    // Each victim in turn, in each sixth of the way; at a random place in it, and a random moment after that.
    for (sixth, victim) in
        [Victim::Gateway, Victim::Central, Victim::Both].into_iter().cycle().take(6).enumerate()
    {
        let at = batches * u64::try_from(sixth)? / 6 + dice.below(batches / 7);
        set.until_stored(at).await?;
        sleep(Duration::from_micros(dice.below(20_000))).await;
        set.kill(victim)?;
        if victim == Victim::Central {
            // The gateway goes on reading meanwhile, and finds nobody.
            sleep(Duration::from_micros(dice.below(50_000))).await;
        } else {
            let (read, waiting) = set.spooled().await?;
            writeln!(
                say,
                "kill: {victim:?} with {at} batches at central, {read} frames read, {waiting} waiting"
            )?;
            assert!(sixth > 0 || read < frames, "killed too late to show anything");
        }
        set.start(victim).await?;
    }
    let (disturbed, _) = set.finish(undisturbed.len()).await?;
    disturbed.assert_same(&undisturbed);
    Ok(())
}
