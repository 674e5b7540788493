//! The example fleet's installation with two brokers of another maker: central and gateway in this
//! process, a simulated truck, and rules that the command writes from central's registry.

use crate::{
    broker::{BOX, Broker, FLEET},
    certificates::{CONTROLLER, Certificates, Shown},
};
use anyhow::{Context as _, Result};
use clap::Parser as _;
use std::{fmt::Write as _, fs, sync::Arc};
use tempfile::TempDir;
use vernport::{
    args::Cli,
    dev::{self, DevController},
    registrar::Registrar,
    shipped,
    stage::{Setting, Stage},
};
use vernport_canbus::VirtualSender;
use vernport_central::Role;
use vernport_gateway::SystemClock;
use vernport_policy::Rules;
use vernport_registry::world::World;
use vernport_sim::{Truck, TruckConfig};
use vernport_types::{BootMicros, Position};

const SECOND: u64 = 1_000_000;
/// The truck of the world; made up.
pub(crate) const VIN: &str = "YV2RT40A8KB123456";
/// A tool of the box's inventory.
pub(crate) const TOOL: &str = "tool.main.bay-1.scanner";
/// Notice, order and consent are there before the truck comes.
const WORLD: &str = r#"format = 1
[[asset]]
name = "truck"
since = "-30d"
vin = "YV2RT40A8KB123456"
[[subject]]
name = "driver"
[[event]]
time = "-30d"
kind = "linked"
asset = "truck"
subject = "driver"
role = "driver"
[[event]]
time = "-2d"
kind = "notice-served"
notice = "fleet-1"
[[event]]
time = "-1d"
kind = "consent-given"
subject = "driver"
role = "driver"
purpose = "eco-coaching"
recipient = "eco-coach"
categories = ["driving-behaviour", "component-status"]
valid_until = "+300d"
[[event]]
time = "-1m"
kind = "order-opened"
order = "1017"
assets = ["truck"]
station = "main/bay-1"
"#;

pub(crate) struct Installation {
    pub(crate) stage: Stage,
    pub(crate) controller: DevController,
    pub(crate) registrar: Registrar,
    pub(crate) world: World,
    pub(crate) fleet: Broker,
    pub(crate) tools: Broker,
    pub(crate) scanner: Shown,
    folder: TempDir,
}

impl Installation {
    /// Everything but the gateway and the truck.
    pub(crate) async fn set_up() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let (file, text) = shipped::bundle_text("example-fleet")?;
        let rules = Rules::compile(&shipped::load(&file, &text)?, &shipped::catalogue())?;
        let setting = Setting {
            bundles: vec![("example-fleet".to_owned(), text)],
            bus: "virtual:{name}".into(),
            file_time: false,
            clock: Arc::new(SystemClock),
            brokers: false,
        };
        let stage = Stage::set_up(&folder.path().join("set"), setting).await?;
        let controller = stage.dev.controller.first().context("a set has a controller")?.clone();
        anyhow::ensure!(controller.id.as_str() == CONTROLLER, "certificates are of the example fleet");

        let (ca, server) = (stage.dev.dir.join("tls/ca.pem"), stage.dev.dir.join("tls"));
        let server = Shown { certificate: server.join("central.pem"), key: server.join("central.key") };
        let spy = format!("\nuser O={CONTROLLER},OU=registrar,CN=registrar\ntopic read #\n");
        let rules_of_fleet = written(&stage, folder.path(), &["--for", "fleet"]).await? + &spy;
        let fleet = Broker::start_with(FLEET, &rules_of_fleet, Certificates::of(&ca, &server), |text| text);

        // The firm's own authority for what stands at the station.
        let certificates = Certificates::new();
        let (scanner, box_1) =
            (certificates.named(TOOL), certificates.client(controller.gateway.as_str(), Role::Gateway));
        let inventory = folder.path().join("tools.toml");
        fs::write(&inventory, format!("format = 1\n[[principal]]\nname = \"{TOOL}\"\n"))?;
        let inventory = inventory.display().to_string();
        let asked = ["--for", "tools", "--site", controller.site.as_str(), "--inventory", inventory.as_str()];
        let rules_of_box = written(&stage, folder.path(), &asked).await?;
        let tools = Broker::start_with(BOX, &rules_of_box, certificates, |text| text);

        let mut more = "\n[batch]\nmax_wait_ms = 100\n".to_owned();
        let at = |broker: &Broker| format!("url = \"mqtts://127.0.0.1:{}\"", broker.port);
        let _ = write!(
            more,
            "\n[fleet]\n{}\nca = \"../tls/ca.pem\"\ncertificate = \"tls/gateway.pem\"\nkey = \"tls/gateway.key\"\n{}",
            at(&fleet),
            dev::region(&rules)
        );
        let _ = write!(
            more,
            "\n[tools]\n{}\nca = {:?}\ncertificate = {:?}\nkey = {:?}\n",
            at(&tools),
            tools.certificates.file("ca.pem"),
            box_1.certificate,
            box_1.key
        );
        let config = stage.dev.gateway_config(&controller);
        fs::write(&config, fs::read_to_string(&config)? + &more)?;

        let registrar = stage.registrar(&controller)?;
        let world = World::from_toml("the world of the suite", WORLD)?;
        registrar.activate_keys(&stage.dev, &controller).await?;
        let now = stage.clock.now().wall;
        registrar.record(world.entries(&controller.id, &registrar.identity, now)?).await?;
        Ok(Self { stage, controller, registrar, world, fleet, tools, scanner, folder })
    }

    /// What a recipient or the registrar shows.
    pub(crate) fn client(&self, name: &str) -> Shown {
        let files = self.stage.dev.client_tls(&self.controller, name);
        Shown { certificate: files.certificate, key: files.key }
    }

    /// The truck on the bus of the station.
    pub(crate) fn truck(&self) -> Result<OnBus> {
        let config = TruckConfig {
            vin: VIN.parse()?,
            odometer_m: 412_345_675,
            speed_km_per_h: 0,
            position: Position::from_degrees(59.743_21, 10.204_56)?,
            fuel_percent: 62,
            battery_mv: 24_700,
            engine_s: 9_412 * 3_600,
            faults: Vec::new(),
            obd_trouble_codes: Vec::new(),
            announce_vin_every_micros: Some(2 * SECOND),
        };
        let node = self.stage.buses.attach(&self.controller.name, Arc::clone(&self.stage.clock))?;
        let truck = Truck::new(config, BootMicros(0));
        Ok(OnBus { truck, wire: node.sender(), now: BootMicros(0), sent: 0 })
    }

    /// Whether rules that were written for the fleet's broker still fit.
    pub(crate) async fn check(&self, rules: &str) -> Result<()> {
        let file = self.folder.path().join("acl.there");
        fs::write(&file, rules)?;
        let file = file.display().to_string();
        mqtt_acl(&self.stage, &["--for", "fleet", "--check", &file]).await
    }

    /// The rules of the fleet's broker as they are now.
    pub(crate) async fn rules(&self) -> Result<String> {
        written(&self.stage, self.folder.path(), &["--for", "fleet"]).await
    }
}

/// `vernport mqtt acl --out`, and what it wrote.
async fn written(stage: &Stage, folder: &std::path::Path, more: &[&str]) -> Result<String> {
    let file = folder.join("acl");
    let out = file.display().to_string();
    mqtt_acl(stage, &[more, &["--out", &out]].concat()).await?;
    Ok(fs::read_to_string(&file)?)
}

async fn mqtt_acl(stage: &Stage, more: &[&str]) -> Result<()> {
    let dir = stage.dev.dir.display().to_string();
    let typed = ["vernport", "mqtt", "acl", "--format", "mosquitto", "--dev", dir.as_str()];
    vernport::run(Cli::try_parse_from([&typed[..], more].concat())?).await
}

/// The truck on the bus, its time driven from here.
pub(crate) struct OnBus {
    truck: Truck,
    wire: VirtualSender,
    now: BootMicros,
    sent: u64,
}

impl OnBus {
    /// Sends what it says in a second of its own time, and waits for nothing.
    pub(crate) fn second(&mut self) {
        let until = BootMicros(self.now.0 + SECOND);
        while self.truck.next_due() <= until {
            self.now = self.truck.next_due();
            let frames = self.truck.on_tick(self.now);
            self.sent += frames.len() as u64;
            frames.iter().for_each(|frame| self.wire.send(frame));
        }
        self.now = until;
    }

    /// Sends for so many seconds of its own time, and waits until the gateway has taken it all.
    pub(crate) async fn drive(&mut self, seconds: u64, of: &Installation) -> Result<()> {
        (0..seconds).for_each(|_| self.second());
        let sent = self.sent;
        of.stage.wait_for(&of.controller, "all frames taken", |status| status.tally.frames >= sent).await?;
        Ok(())
    }
}
