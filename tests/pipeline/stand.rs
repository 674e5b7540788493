//! One controller's installation for a test: a stage with central, a world that is
//! recorded, a gateway that the test starts when it likes.

use crate::{opened::Opened, truck};
use anyhow::{Context as _, Result};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};
use tempfile::TempDir;
use vernport::{
    dev::DevController,
    registrar::Registrar,
    shipped,
    stage::{Setting, Stage},
};
use vernport_canbus::VirtualSender;
use vernport_gateway::{Status, SystemClock};
use vernport_registry::world::World;
use vernport_sim::{J1939Fault, Truck};
use vernport_types::{BootMicros, CanFrame, Clock, Stamp, TimeQuality, UtcMicros};

const TRUCK_WORLD: &str = include_str!("worlds/truck.toml");

/// The truck's world.
pub(crate) fn truck_world() -> Result<World> {
    Ok(World::from_toml("worlds/truck.toml", TRUCK_WORLD)?)
}

/// The installation. What it wrote goes with it.
pub(crate) struct Stand {
    pub(crate) stage: Stage,
    pub(crate) controller: DevController,
    pub(crate) registrar: Registrar,
    pub(crate) world: World,
    _folder: TempDir,
}

impl Stand {
    /// Westrum, where the truck was handed in; its gateway is not started.
    /// `bundles` are those of the set, of which Westrum's is the first.
    pub(crate) async fn of(bundles: &[&str], bus: &str, brokers: bool) -> Result<Self> {
        let bundles = bundles.iter().map(|name| Ok(((*name).to_owned(), shipped::bundle_text(name)?.1)));
        Self::empty(bundles.collect::<Result<_>>()?, bus, brokers).await?.with_truck().await
    }

    /// The truck's world is recorded.
    async fn with_truck(self) -> Result<Self> {
        let stand = self;
        let now = stand.stage.clock.now().wall;
        let entries = stand.world.entries(&stand.controller.id, &stand.registrar.identity, now)?;
        stand.registrar.record(entries).await?;
        Ok(stand)
    }

    /// The same under these texts, and nothing of the truck's world is recorded yet but the keys.
    pub(crate) async fn empty(bundles: Vec<(String, String)>, bus: &str, brokers: bool) -> Result<Self> {
        Self::empty_at(bundles, bus, brokers, Arc::new(SystemClock)).await
    }

    /// Westrum alone on the virtual bus, with brokers, by another clock than the machine's.
    pub(crate) async fn with_brokers_and(clock: Arc<dyn Clock>) -> Result<Self> {
        let bundles = vec![("westrum".to_owned(), shipped::bundle_text("westrum")?.1)];
        Self::empty_at(bundles, "virtual:{name}", true, clock).await?.with_truck().await
    }

    async fn empty_at(
        bundles: Vec<(String, String)>,
        bus: &str,
        brokers: bool,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let setting = Setting { bundles, bus: bus.into(), file_time: true, clock, brokers };
        let stage = Stage::set_up(&folder.path().join("set"), setting).await?;
        let controller = stage.dev.controller.first().context("a set has a controller")?.clone();
        let registrar = stage.registrar(&controller)?;
        let world = truck_world()?;
        registrar.activate_keys(&stage.dev, &controller).await?;
        Ok(Self { stage, controller, registrar, world, _folder: folder })
    }

    /// Westrum alone, on the virtual bus "westrum".
    pub(crate) async fn on_virtual_bus() -> Result<Self> {
        Self::of(&["westrum"], "virtual:{name}", false).await
    }

    /// The same by another clock than the machine's.
    pub(crate) async fn on_virtual_bus_with(clock: Arc<dyn Clock>) -> Result<Self> {
        let bundles = vec![("westrum".to_owned(), shipped::bundle_text("westrum")?.1)];
        Self::empty_at(bundles, "virtual:{name}", false, clock).await?.with_truck().await
    }

    /// Westrum alone, which replays a log.
    pub(crate) async fn on_log(log: &Path) -> Result<Self> {
        Self::of(&["westrum"], &format!("candump:{}", log.display()), false).await
    }

    /// A file in the controller's folder of the set.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.stage.dev.folder(&self.controller).join(name)
    }

    /// Changes the gateway's configuration before it is started.
    pub(crate) fn configure(&self, change: impl FnOnce(String) -> String) -> Result<()> {
        let file = self.stage.dev.gateway_config(&self.controller);
        let text = fs::read_to_string(&file)?;
        Ok(fs::write(&file, change(text))?)
    }

    /// Starts the gateway.
    pub(crate) async fn start(&mut self) -> Result<()> {
        let controller = self.controller.clone();
        self.stage.start_gateway(&controller).await
    }

    /// Stops the gateway; what it read is queued.
    pub(crate) async fn stop(&mut self) {
        let controller = self.controller.clone();
        self.stage.stop_gateway(&controller).await;
    }

    /// Waits for a state of the gateway.
    pub(crate) async fn until(&self, state: &str, is: impl Fn(&Status) -> bool) -> Result<Status> {
        self.stage.wait_for(&self.controller, state, is).await
    }

    /// Waits until the log was read to its end and central has what may go there.
    pub(crate) async fn until_log_is_delivered(&self) -> Result<Status> {
        self.until("log read and delivered", |status| status.sources_ended > 0 && is_delivered(status)).await
    }

    /// What the recipients open.
    pub(crate) async fn opened(&self) -> Result<Opened> {
        Opened::read(&self.stage.dev, &self.controller).await
    }
}

/// Whether central has what may go there. There is no fleet broker here, so messages stay in the spool.
pub(crate) fn is_delivered(status: &Status) -> bool {
    status.spool.batches_queued + status.tally.gathered == 0
}

/// Frames that the truck is ahead of the gateway at most when it says more: well within what a node of
/// a virtual bus may leave unread.
const MOST_AHEAD: usize = 1_000;

/// The known truck on the virtual bus of a stand.
pub(crate) struct OnBus {
    truck: Truck,
    wire: VirtualSender,
    now: BootMicros,
    /// How many frames an earlier run of the gateway heard.
    earlier: usize,
    /// All that was sent.
    pub(crate) sent: Vec<(BootMicros, CanFrame)>,
}

impl OnBus {
    /// It comes to the bus; it says nothing before it is driven.
    pub(crate) fn arrive(stand: &Stand, speed_km_per_h: u8) -> Result<Self> {
        Self::arrive_as(stand, truck::truck(truck::VIN, speed_km_per_h, BootMicros(0))?)
    }

    /// Of what it reports each word is one frame: it may pause anywhere, and all of it is heard.
    pub(crate) fn arrive_halting(stand: &Stand, speed_km_per_h: u8) -> Result<Self> {
        let faults = vec![J1939Fault { spn: 3216, fmi: 4, occurrences: 2 }];
        Self::arrive_as(stand, truck::truck_with(truck::VIN, speed_km_per_h, faults, BootMicros(0))?)
    }

    fn arrive_as(stand: &Stand, truck: Truck) -> Result<Self> {
        let node = stand.stage.buses.attach(&stand.controller.name, Arc::clone(&stand.stage.clock))?;
        Ok(Self { truck, wire: node.sender(), now: BootMicros(0), earlier: 0, sent: Vec::new() })
    }

    /// The gateway was started anew: it counts from 0.
    pub(crate) fn restarted(&mut self) {
        self.earlier = self.sent.len();
    }

    /// It talks for so many seconds of its own time, as fast as it can; until the gateway has taken
    /// all of it and queued what it releases.
    pub(crate) async fn drive(&mut self, stand: &Stand, seconds: u64) -> Result<Status> {
        self.talk(seconds);
        let sent = u64::try_from(self.sent.len() - self.earlier)?;
        stand
            .until("everything heard and queued", |status| {
                status.tally.frames >= sent && status.tally.gathered == 0
            })
            .await
    }

    /// It talks until the gateway is in a state, and never so far ahead of it that a queue runs over:
    /// on a slow machine, too, all that it said is heard.
    pub(crate) async fn drive_until(
        &mut self,
        stand: &Stand,
        state: &str,
        is: impl Fn(&Status) -> bool,
    ) -> Result<Status> {
        for _ in 0..10_000 {
            let status = stand.stage.gateway(&stand.controller)?.status().await?;
            if is(&status) {
                return Ok(status);
            }
            let heard = self.earlier + usize::try_from(status.tally.frames)?;
            if self.sent.len().saturating_sub(heard) < MOST_AHEAD {
                self.talk(1);
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        anyhow::bail!("the gateway did not reach the state '{state}'")
    }

    fn talk(&mut self, seconds: u64) {
        let frames = truck::drive(&mut self.truck, self.now, seconds);
        self.now = BootMicros(self.now.0 + seconds * 1_000_000);
        for (_, frame) in &frames {
            self.wire.send(frame);
        }
        self.sent.extend(frames);
    }

    /// What the flow "workshop" has to release of what was sent since `from`, without times.
    pub(crate) fn workshop(&self, from: usize) -> Result<Opened> {
        self.workshop_of(from..self.sent.len())
    }

    /// The same of some of what was sent.
    pub(crate) fn workshop_of(&self, sent: std::ops::Range<usize>) -> Result<Opened> {
        let stamp = |at| Stamp { wall: UtcMicros(0), boot: at, quality: TimeQuality::Bounded };
        let frames = self.sent[sent].iter().map(|(at, frame)| (stamp(*at), frame));
        Ok(truck::workshop(frames)?.timeless())
    }
}
