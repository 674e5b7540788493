//! What all simulations of a run share: keys, rules and configurations of one controller, and what
//! its truck says. Made once; nothing of it is changed.

use anyhow::{Context as _, Result};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs::{self, File},
    path::{Path, PathBuf},
    sync::Arc,
};
use tempfile::TempDir;
use vernport::{
    dev::{self, Dev, DevController},
    shipped,
};
use vernport_central::{ControllerDeps, Peer, Role, Serving};
use vernport_crypto::{IdentityKey, MasterKey, OpeningKey, SigningKey};
use vernport_gateway::secrets::read_key;
use vernport_policy::Rules;
use vernport_registry::world::World;
use vernport_sim::{Truck, TruckConfig};
use vernport_spool::{Config as SpoolConfig, Spool};
use vernport_types::{BootMicros, CanFrame, CanId, Catalogue, Clock, KeyId, Position, Slug};

use crate::clock::BEGINNING;

const WORLD: &str = include_str!("../pipeline/worlds/truck.toml");
const VIN: &str = "YV2RT40A8KB123456";
const SECOND: u64 = 1_000_000;
/// How long the log is, in seconds: half an hour before the beginning.
const LOG_SECONDS: u64 = 20;
/// How much of what the truck says on the live bus is made ahead, in seconds.
const LIVE_SECONDS: u64 = 900;
/// Small batches: many moments at which something may go wrong.
const BATCH: &str = "\n[batch]\nmax_records = 8\nmax_wait_ms = 2000\n\n[spool]\nmax_mib = 1\n";

pub(crate) struct Site {
    pub(crate) dev: Dev,
    pub(crate) controller: DevController,
    pub(crate) world: World,
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) rules: Arc<Rules>,
    pub(crate) gateway: vernport_gateway::Config,
    central: ControllerDeps,
    head_seed: [u8; 32],
    master: [u8; 32],
    keys: BTreeMap<Slug, OpeningKey>,
    /// What the truck says on the live bus, second by second.
    pub(crate) live: Vec<Vec<CanFrame>>,
    /// Name and text of the log.
    pub(crate) log: (PathBuf, Arc<[u8]>),
    /// A spool in which nothing ever was: to make the tables anew would take each world longer than its first day.
    spool: Vec<u8>,
    folder: TempDir,
}

fn empty_spool(folder: &Path) -> Result<Vec<u8>> {
    let file = folder.join("empty.db");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        Spool::open(SpoolConfig::new(&file, 1 << 20)).await?.close().await;
        anyhow::Ok(())
    })?;
    Ok(fs::read(&file)?)
}

/// A folder that is in memory, where there is one.
fn folder() -> Result<TempDir> {
    let memory = Path::new("/dev/shm");
    let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    Ok(tempfile::Builder::new().prefix("vernport-simulation-").tempdir_in(parent)?)
}

impl Site {
    pub(crate) fn make() -> Result<Self> {
        let folder = folder()?;
        let log = folder.path().join("drive.log");
        let options = dev::Options {
            central_port: 1,
            bundles: vec![("westrum".into(), shipped::bundle_text("westrum")?.1)],
            bus: format!("candump:{}", log.display()),
            file_time: true,
            gateway_extra: BTreeMap::from([("westrum".into(), BATCH.into())]),
        };
        let dev = dev::make(&folder.path().join("set"), &options)?;
        let controller = dev.controller.first().context("a set has a controller")?.clone();
        let central_config = vernport_central::Config::read(&dev.central_config())?;
        let mut deps = vernport_central::Deps::load(&central_config)?;
        let central = deps.controllers.pop().context("a set has a controller")?;
        let mut gateway = vernport_gateway::Config::load(&dev.gateway_config(&controller))?;
        let mut live = gateway.bus[0].clone();
        live.source = "virtual:westrum".into();
        live.file_time = false;
        gateway.bus.push(live);
        let catalogue = Arc::clone(&central.catalogue);
        let rules = Arc::new(central.rules.clone());
        let mut keys = BTreeMap::new();
        for flow in rules.flows() {
            let key = controller
                .recipient
                .iter()
                .find(|key| key.recipient == flow.recipient && key.purpose == flow.purpose)
                .context("each flow has a recipient's key")?;
            keys.insert(
                flow.slug.clone(),
                OpeningKey::from_bytes(*read_key(&dev.recipient_key(&controller, key))?),
            );
        }
        Ok(Self {
            world: World::from_toml("worlds/truck.toml", WORLD)?,
            live: said(LIVE_SECONDS, 600_000_000)?.into_iter().map(|(_, frames)| frames).collect(),
            log: (log, drive_log()?.into_bytes().into()),
            dev,
            controller,
            catalogue,
            rules,
            gateway,
            central,
            head_seed: *read_key(&central_config.keys.head)?,
            master: *read_key(&central_config.keys.master)?,
            keys,
            spool: empty_spool(folder.path())?,
            folder,
        })
    }

    /// Puts an empty spool, with its reserve, where a gateway looks for it.
    pub(crate) fn lay_spool(&self, file: &Path) -> Result<()> {
        fs::write(file, &self.spool)?;
        // It counts by its length; when it is needed, it is written anew.
        File::create(file.with_extension("db.reserve"))?.set_len(SpoolConfig::MIN_RESERVE_BYTES)?;
        Ok(())
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What a central serves, by its own clock.
    pub(crate) fn serving(&self, clock: Arc<dyn Clock>) -> Serving {
        let of = &self.central;
        Serving {
            head_key: SigningKey::from_seed(self.head_seed),
            controllers: vec![ControllerDeps {
                rules: of.rules.clone(),
                catalogue: Arc::clone(&of.catalogue),
                identity_key: IdentityKey::from_bytes(*of.identity_key.to_bytes()),
                recovery_key: of.recovery_key,
                gateways: of.gateways.clone(),
                fleet: None,
            }],
            issuer: None,
            clock,
        }
    }

    pub(crate) fn master_key(&self) -> MasterKey {
        MasterKey::from_bytes(self.master)
    }

    pub(crate) fn identity(&self) -> Result<IdentityKey> {
        self.dev.identity_key(&self.controller)
    }

    pub(crate) fn bundle_key(&self) -> Result<SigningKey> {
        let file = self.dev.folder(&self.controller).join("keys/bundle.key");
        Ok(SigningKey::from_seed(*read_key(&file)?))
    }

    /// The key that opens a flow.
    pub(crate) fn key(&self, flow: &Slug) -> Option<&OpeningKey> {
        self.keys.get(flow)
    }

    /// The recipients' keys, each with a flow that it opens.
    pub(crate) fn recipients(&self) -> impl Iterator<Item = (&Slug, KeyId)> {
        self.controller.recipient.iter().map(|key| (&key.recipient, key.key_id))
    }

    pub(crate) fn peer(&self, name: &Slug, role: Role) -> Peer {
        Peer { name: name.clone(), role, controller: self.controller.id.clone() }
    }
}

/// What the truck says of its odometer and of its VIN, by second.
fn said(seconds: u64, odometer_m: u64) -> Result<Vec<(u64, Vec<CanFrame>)>> {
    let config = TruckConfig {
        vin: VIN.parse()?,
        odometer_m,
        speed_km_per_h: 80,
        position: Position::from_degrees(59.743_21, 10.204_56)?,
        fuel_percent: 62,
        battery_mv: 24_700,
        engine_s: 9_412 * 3_600,
        faults: Vec::new(),
        obd_trouble_codes: Vec::new(),
        announce_vin_every_micros: Some(2 * SECOND),
    };
    let mut truck = Truck::new(config, BootMicros(0));
    let mut said = Vec::new();
    for second in 1..=seconds {
        let mut frames = Vec::new();
        while truck.next_due().0 <= second * SECOND {
            let at = truck.next_due();
            frames.extend(truck.on_tick(at).into_iter().filter(is_of_interest));
        }
        said.push((second, frames));
    }
    Ok(said)
}

/// High resolution vehicle distance (J1939-71, PGN 65217), and the packets of long messages: the VIN.
fn is_of_interest(frame: &CanFrame) -> bool {
    let CanId::Extended(id) = frame.id() else { return false };
    let (format, specific) = ((id >> 16) & 0xFF, (id >> 8) & 0xFF);
    matches!((format, specific), (0xFE, 0xC1) | (0xEB | 0xEC, _))
}

/// The same as a log of half an hour ago.
fn drive_log() -> Result<String> {
    let start = BEGINNING.plus_seconds(-1800);
    let mut text = String::new();
    for (second, frames) in said(LOG_SECONDS, 100_000_000)? {
        for (place, frame) in frames.iter().enumerate() {
            let wall = start.plus_micros(i64::try_from(second * SECOND)? + 1000 * i64::try_from(place)?).0;
            let CanId::Extended(id) = frame.id() else { continue };
            let data = hex::encode_upper(frame.data());
            writeln!(text, "({}.{:06}) can0 {id:08X}#{data}", wall / 1_000_000, wall % 1_000_000)?;
        }
    }
    Ok(text)
}
