//! A gateway works, its lines are down, and somebody pulls the plug and takes the box.

use crate::{
    daemons::{Gateway, free_port},
    disk::{Disk, Found, Mode},
    planted::{Talk, world},
};
use anyhow::{Context as _, Result, ensure};
use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    process::Command,
    sync::Arc,
    time::Duration,
};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};
use vernport::{
    dev::DevController,
    shipped,
    stage::{Setting, Stage},
};
use vernport_gateway::SystemClock;
use vernport_registry::world::World;
use vernport_seal::{Recipient, Sealed, Storage};
use vernport_spool::{Config as SpoolConfig, Page, Spool, SpoolStatus};

/// How long a state is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// More than ever wait here.
const ALL: Page = Page::front(10_000, 1 << 30);

/// A box that was at work, and the world it was at work in.
pub(crate) struct Theft {
    pub(crate) stage: Stage,
    pub(crate) controller: DevController,
    pub(crate) disk: Disk,
    /// What its spool holds.
    pub(crate) waiting: Waiting,
    /// What central had before the line went down.
    pub(crate) delivered: u64,
    /// Its bus; open as long as this is.
    pub(crate) _bus: File,
    _folder: TempDir,
}

/// What a spool holds.
pub(crate) struct Waiting {
    pub(crate) envelopes: Vec<Sealed<Recipient>>,
    pub(crate) messages: Vec<Sealed<Storage>>,
    pub(crate) snapshot: Option<Vec<u8>>,
}

impl Theft {
    /// The box works, and is taken.
    pub(crate) async fn of(mode: Mode) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let pipe = folder.path().join("bus.log");
        ensure!(Command::new("mkfifo").arg(&pipe).status()?.success(), "no pipe can be made");
        let setting = Setting {
            bundles: vec![("example-fleet".to_owned(), shipped::bundle_text("example-fleet")?.1)],
            bus: format!("candump:{}", pipe.display()),
            file_time: false,
            clock: Arc::new(SystemClock),
            brokers: true,
        };
        let mut stage = Stage::set_up(&folder.path().join("set"), setting).await?;
        let controller = stage.dev.controller.first().context("a set has a controller")?.clone();
        record(&stage, &controller).await?;
        let box_root = folder.path().join("box");
        let disk = Disk::furnish(box_root, &stage.dev, &controller, mode, free_port()?)?;

        // Held open for both ways, so that the gateway neither waits for us nor sees an end.
        let mut bus = OpenOptions::new().read(true).write(true).open(&pipe)?;
        let mut talk = Talk::new()?;
        let credentials = [("CREDENTIALS_DIRECTORY", disk.credentials.as_path())];
        let with: &[_] = if mode == Mode::Credential { &credentials } else { &[] };
        let gateway = Gateway::start(&disk.config(), &disk.log(), with)?;
        bus.write_all(talk.seconds(12)?.as_bytes())?;
        let registrar = stage.registrar(&controller)?;
        let delivered = until("batches at central", async || {
            let batches = registrar.stored_batches().await.ok()?;
            (batches > 1).then_some(())
        })
        .await;
        delivered.with_context(|| std::fs::read_to_string(disk.log()).unwrap_or_default())?;
        stage.stop_central().await;
        let waiting = until("batches and messages in the spool", async || {
            bus.write_all(talk.seconds(2).ok()?.as_bytes()).ok()?;
            let (status, has_snapshot) = standing(&disk).await.ok()?;
            (has_snapshot && status.batches_queued > 1 && status.topics_queued > 2).then_some(())
        });
        waiting.await.with_context(|| std::fs::read_to_string(disk.log()).unwrap_or_default())?;
        gateway.kill()?;
        let waiting = look(&disk).await?;
        stage.start_central().await?;
        let delivered = stage.registrar(&controller)?.stored_batches().await?;
        Ok(Self { stage, controller, disk, waiting, delivered, _bus: bus, _folder: folder })
    }

    /// Every file of the box.
    pub(crate) fn files(&self) -> Result<Vec<Found>> {
        self.disk.files()
    }
}

/// What people said before the truck talks.
async fn record(stage: &Stage, controller: &DevController) -> Result<()> {
    let (_, text) = shipped::bundle_text("example-fleet")?;
    let bundle = shipped::load("bundle.toml", &text)?;
    let rules = vernport_policy::Rules::compile(&bundle, &shipped::catalogue())?;
    let notice = rules.notices().first().context("a bundle has a notice")?.version.to_string();
    let world = World::from_toml("world", &world(&notice))?;
    let registrar = stage.registrar(controller)?;
    registrar.activate_keys(&stage.dev, controller).await?;
    let entries = world.entries(&controller.id, &registrar.identity, stage.clock.now().wall)?;
    registrar.record(entries).await
}

/// How the spool stands and whether what central said is in it, seen in a copy of its files.
async fn standing(disk: &Disk) -> Result<(SpoolStatus, bool)> {
    let folder = tempfile::tempdir()?;
    let spool = Spool::open(SpoolConfig::new(disk.copy_spool(folder.path())?, 1 << 30)).await?;
    let standing = (spool.status().await?, spool.kept("snapshot").await?.is_some());
    spool.close().await;
    Ok(standing)
}

/// What the spool holds, seen in a copy of its files.
async fn look(disk: &Disk) -> Result<Waiting> {
    let folder = tempfile::tempdir()?;
    let path = disk.copy_spool(folder.path())?;
    let spool = Spool::open(SpoolConfig::new(path, 1 << 30)).await?;
    let waiting = Waiting {
        envelopes: spool.next_batches(ALL).await?.into_iter().map(|batch| batch.sealed).collect(),
        messages: spool.messages(ALL).await?.into_iter().map(|message| message.sealed).collect(),
        snapshot: spool.kept("snapshot").await?,
    };
    spool.close().await;
    Ok(waiting)
}

/// Waits for a state.
async fn until(what: &str, mut is: impl AsyncFnMut() -> Option<()>) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    while is().await.is_none() {
        ensure!(Instant::now() < end, "{what}: not within {} s", PATIENCE.as_secs());
        sleep(LOOK).await;
    }
    Ok(())
}
