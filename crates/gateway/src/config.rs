//! The gateway's one configuration file: read raw, checked once, then used.
//!
//! Unknown keys are refused. Paths are taken relative to the file. Secrets are
//! named by path, never written in the file itself.

mod dids;
mod keys;
mod tool;

pub use dids::BusDid;
pub use keys::{KeySource, KeySourceError, Keys};
pub(crate) use tool::limits;
pub use tool::{Limits, Tool};

use serde::Deserialize;
use std::path::{Path, PathBuf};
use thiserror::Error;
use vernport_canbus::SourceUrl;
use vernport_crypto::VerifyingKey;
use vernport_decode::dids::{DidError, Dids};
use vernport_types::{Catalogue, ControllerId, Slug};

/// Why a configuration cannot be used. Says the file and how to mend it.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: cannot be read; check the path and its permissions", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not TOML, an unknown key, a missing key or a value of the wrong kind.
    #[error("{}: {message}", path.display())]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// Line, column and what is wrong.
        message: String,
    },
    /// A value that cannot work.
    #[error("{}: {key}: {message}", path.display())]
    Value {
        /// Which file.
        path: PathBuf,
        /// Which key.
        key: &'static str,
        /// What is wrong and how to mend it.
        message: String,
    },
}

/// The configuration, as written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Version of this file's form. Must be 1.
    pub format: u32,
    /// Who this box is.
    pub gateway: Identity,
    /// Whose rules it follows.
    pub rules: RulesFiles,
    /// Where batches go and grants come from.
    pub central: Central,
    /// The box's own secrets.
    pub keys: Keys,
    /// The buses it reads. At least one, unless there is a tool listener. At most 8.
    #[serde(default)]
    pub bus: Vec<Bus>,
    /// The broker on which workshop tools publish. None: no tools.
    pub tools: Option<Mqtt>,
    /// The tools that speak otherwise than our contract, or may send more or less than the others. At most 64.
    #[serde(default)]
    pub tool: Vec<Tool>,
    /// How much tools may send.
    #[serde(default)]
    pub tool_limits: Limits,
    /// The broker on which fleet operators subscribe. None: no messages for topics are made, so that none
    /// wait for a broker that never comes.
    pub fleet: Option<Mqtt>,
    /// Where a technician's command speaks to this gateway. None: nowhere.
    pub station: Option<Station>,
    /// Where this machine asks how the gateway stands. None: nowhere.
    pub status: Option<vernport_status::Listen>,
    /// What is logged, and how.
    #[serde(default)]
    pub log: vernport_status::Log,
    /// How readings are gathered.
    #[serde(default)]
    pub batch: Batch,
    /// The durable queue.
    #[serde(default)]
    pub spool: Spool,
}

/// Who this box is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Name of this gateway; equal to the common name of its certificate.
    pub name: Slug,
    /// Controller it works for.
    pub controller: ControllerId,
    /// Site it stands at.
    pub site: Slug,
    /// Station within the site: a bay, or a vehicle for an on-board box.
    pub station: Slug,
    /// Folder of the spool; made if missing.
    pub data_dir: PathBuf,
}

/// Whose rules it follows.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RulesFiles {
    /// Folder with `bundle.toml` and `bundle.sig`.
    pub bundle: PathBuf,
    /// The controller's public bundle key, 64 hexadecimal digits.
    pub bundle_key: VerifyingKey,
    /// Folder with the signal catalogue (`*.toml`).
    pub signals: PathBuf,
}

/// Where batches go and grants come from.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Central {
    /// `https://host:port`.
    pub url: String,
    /// Certificate authority of central (PEM).
    pub ca: PathBuf,
    /// This gateway's certificate (PEM).
    pub certificate: PathBuf,
    /// Its private key (PEM).
    pub key: PathBuf,
    /// Public key that signs heads, 64 hexadecimal digits.
    pub head_key: VerifyingKey,
}

/// One bus.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bus {
    /// `can:can0`, `can:usb=1-1.2`, `can:serial=0042`, `serial:/dev/ttyACM0`, `candump:FILE` or `virtual:NAME`.
    pub source: String,
    /// Never send on this bus, not even read-only requests. Default true.
    #[serde(default = "yes")]
    pub listen_only: bool,
    /// Whether only frames pass that a wanted signal may come from. Default true, but false for a log and
    /// a virtual bus: there nothing is spared, and what is withheld shows in the counts.
    pub filters: Option<bool>,
    /// Most requests a second on this bus, where it may be asked: 1 to 20. Default 5.
    #[serde(default = "five")]
    pub requests_per_second: u32,
    /// How long the bus is listened to before the first request, in milliseconds: 2000 to 5000. Default 3000.
    #[serde(default = "three_seconds")]
    pub listen_first_ms: u64,
    /// Data identifiers of UDS that give signals on this bus: asked where it may be asked, and
    /// read whoever asks. At most 32.
    #[serde(default)]
    pub dids: Vec<BusDid>,
    /// DBC files of the vehicles on this bus, read beside the standards. Default none.
    #[serde(default)]
    pub dbc: Vec<PathBuf>,
    /// Which signal of the DBC files is which of the catalogue (TOML); its rules come before the shipped ones.
    pub dbc_map: Option<PathBuf>,
    /// For a log: whether frames bear the log's time. Default false: the time at which they are read.
    #[serde(default)]
    pub file_time: bool,
}

impl Bus {
    /// Where its frames come from.
    pub(crate) fn url(&self) -> SourceUrl {
        self.source.parse().expect("checked with the configuration")
    }

    /// Its data identifiers, held against the catalogue.
    ///
    /// # Errors
    /// [`DidError`] for the first that does not fit.
    pub fn data_identifiers(&self, catalogue: &Catalogue) -> Result<Dids, DidError> {
        Dids::new(catalogue, self.dids.iter().map(BusDid::rule).collect())
    }

    /// Whether frames that nobody wants are kept away.
    pub(crate) fn is_filtered(&self) -> bool {
        let spares_nothing = matches!(self.url(), SourceUrl::Candump(_) | SourceUrl::Virtual(_));
        self.filters.unwrap_or(!spares_nothing)
    }
}

/// A broker.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mqtt {
    /// `mqtt://host:port` (plain, loopback only) or `mqtts://host:port`.
    pub url: String,
    /// Certificate authority of the broker (PEM); for `mqtts`.
    pub ca: Option<PathBuf>,
    /// Client certificate (PEM).
    pub certificate: Option<PathBuf>,
    /// Its private key (PEM).
    pub key: Option<PathBuf>,
    /// User name, where the broker asks for one.
    pub user: Option<String>,
    /// File with the password.
    pub password_file: Option<PathBuf>,
    /// The country where the broker of the fleet operators stands (ISO 3166, such as `NO`): has to be
    /// given where the bundle's `[hosting]` says where it may stand. Not for tools.
    pub region: Option<String>,
    /// How long a message for a fleet operator is worth delivering, in hours: after that the broker drops it.
    /// 1 to 720, default 24. Not for tools.
    pub delivery_window_h: Option<u32>,
}

/// Where a technician speaks.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Station {
    /// The local socket that is made there, for its owner and group. Its folder must exist, and others
    /// must not write to it.
    pub socket: PathBuf,
}

/// How readings are gathered before they are sealed and queued.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Batch {
    /// Most records of one flow in a batch. Default 512, at most 4096.
    pub max_records: usize,
    /// Longest that a reading waits in memory, in milliseconds. Default 1000.
    /// This is what a power cut can take from a live bus.
    pub max_wait_ms: u64,
}

impl Default for Batch {
    fn default() -> Self {
        Self { max_records: 512, max_wait_ms: 1000 }
    }
}

/// The durable queue.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Spool {
    /// Most bytes of sealed batches and messages, in MiB. Default 256.
    pub max_mib: u64,
    /// How long anything waits for its delivery, in hours, unless it is parked. Default 720.
    pub max_age_h: u64,
    /// Flows whose readings are kept longest when there is no room, the most important first. Those of
    /// other flows give way before them. Default none: the oldest readings of live buses give way.
    pub keep_longest: Vec<Slug>,
}

impl Default for Spool {
    fn default() -> Self {
        Self { max_mib: 256, max_age_h: 720, keep_longest: Vec::new() }
    }
}

fn yes() -> bool {
    true
}

fn five() -> u32 {
    5
}

fn three_seconds() -> u64 {
    3000
}

/// Most flows that are told to be kept longest: a gateway has no more.
const MAX_KEPT_FLOWS: usize = 128;

/// Most buses of one gateway.
pub const MAX_BUSES: usize = 8;

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// [`ConfigError`], with file, place and remedy.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.into(), source })?;
        let mut config: Self = toml::from_str(&text)
            .map_err(|e| ConfigError::Syntax { path: path.into(), message: e.to_string() })?;
        config.resolve(path.parent().unwrap_or(Path::new("")));
        config.check(path)?;
        Ok(config)
    }

    fn resolve(&mut self, folder: &Path) {
        let mut paths = vec![
            &mut self.gateway.data_dir,
            &mut self.rules.bundle,
            &mut self.rules.signals,
            &mut self.central.ca,
            &mut self.central.certificate,
            &mut self.central.key,
        ];
        paths.extend(self.keys.files_mut());
        paths.extend(self.station.iter_mut().map(|station| &mut station.socket));
        paths.extend(self.tool.iter_mut().filter_map(|tool| tool.mapping.as_mut()));
        for mqtt in [&mut self.tools, &mut self.fleet].into_iter().flatten() {
            paths.extend(mqtt.ca.iter_mut());
            paths.extend(mqtt.certificate.iter_mut());
            paths.extend(mqtt.key.iter_mut());
            paths.extend(mqtt.password_file.iter_mut());
        }
        for path in paths {
            *path = folder.join(&*path);
        }
        if let Some(status) = &mut self.status {
            status.address.below(folder);
        }
        for bus in &mut self.bus {
            for path in bus.dbc.iter_mut().chain(&mut bus.dbc_map) {
                *path = folder.join(&*path);
            }
            if let Some(file) = bus.source.strip_prefix("candump:") {
                bus.source = format!("candump:{}", folder.join(file).display());
            }
        }
    }

    fn check(&self, path: &Path) -> Result<(), ConfigError> {
        let wrong =
            |key, message: &str| Err(ConfigError::Value { path: path.into(), key, message: message.into() });
        if self.format != 1 {
            return wrong("format", "this version reads format 1");
        }
        if self.bus.len() > MAX_BUSES {
            return wrong("bus", "at most 8 buses; run a second gateway for more");
        }
        if self.bus.is_empty() && self.tools.is_none() {
            return wrong("bus", "nothing to read; add a [[bus]] or a [tools] section");
        }
        for bus in &self.bus {
            match bus.source.parse::<SourceUrl>() {
                Err(error) => return wrong("bus.source", &error.to_string()),
                Ok(SourceUrl::Candump(_)) if !bus.listen_only || bus.filters == Some(true) => {
                    return wrong(
                        "bus",
                        "a log is neither asked nor filtered; take listen_only and filters out",
                    );
                }
                Ok(_) => {}
            }
            if !(1..=20).contains(&bus.requests_per_second) {
                return wrong("bus.requests_per_second", "choose 1 to 20");
            }
            if !(2000..=5000).contains(&bus.listen_first_ms) {
                return wrong("bus.listen_first_ms", "choose 2000 to 5000 milliseconds");
            }
        }
        if !(1..=4096).contains(&self.batch.max_records) {
            return wrong("batch.max_records", "choose 1 to 4096");
        }
        if !(10..=60_000).contains(&self.batch.max_wait_ms) {
            return wrong("batch.max_wait_ms", "choose 10 to 60000 milliseconds");
        }
        if !(1..=1_048_576).contains(&self.spool.max_mib) {
            return wrong("spool.max_mib", "choose 1 to 1048576 MiB");
        }
        if !(1..=87_600).contains(&self.spool.max_age_h) {
            return wrong("spool.max_age_h", "choose 1 to 87600 hours");
        }
        if self.spool.keep_longest.len() > MAX_KEPT_FLOWS {
            return wrong("spool.keep_longest", "name at most 128 flows, as many as a gateway has");
        }
        if let Err((key, message)) = tool::check(&self.tool, self.tools.is_some()) {
            return wrong(key, &message);
        }
        if self.tools.as_ref().is_some_and(|tools| tools.region.is_some()) {
            return wrong("tools.region", "take it out: only the broker of the fleet operators has a region");
        }
        if self.tools.as_ref().is_some_and(|tools| tools.delivery_window_h.is_some()) {
            return wrong("tools.delivery_window_h", "take it out: only messages of fleet operators expire");
        }
        let window = self.fleet.as_ref().and_then(|fleet| fleet.delivery_window_h);
        if window.is_some_and(|hours| !(1..=720).contains(&hours)) {
            return wrong("fleet.delivery_window_h", "choose 1 to 720 hours");
        }
        let region = self.fleet.as_ref().and_then(|fleet| fleet.region.as_deref());
        if region.is_some_and(|region| region.len() != 2 || !region.bytes().all(|b| b.is_ascii_uppercase())) {
            return wrong("fleet.region", "write a country code of ISO 3166, such as NO");
        }
        for (key, source) in [("keys.device", &self.keys.device), ("keys.identity", &self.keys.identity)] {
            if *source == KeySource::Memory {
                return wrong(key, "only the storage key may live in memory; name a file or a credential");
            }
        }
        if let Err(error) = self.log.check() {
            return wrong("log.filter", &error.to_string());
        }
        if !self.central.url.starts_with("https://") {
            return wrong("central.url", "write https://host:port; central speaks TLS only");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("gateway.toml");
        std::fs::write(&path, text).expect("writable");
        Config::load(&path)
    }

    #[test]
    fn the_shipped_samples_are_valid() {
        for sample in ["gateway.basic.toml", "gateway.full.toml"] {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config").join(sample);
            let config = Config::load(&path).expect(sample);
            let KeySource::File(device) = config.keys.device else { panic!("{sample} names files") };
            assert!(device.starts_with(path.parent().expect("a folder")));
        }
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        let sample = include_str!("../../../config/gateway.basic.toml");
        let wrong =
            load(&sample.replace("[central]", "[central]\nurll = \"https://x\"")).expect_err("unknown key");
        let text = wrong.to_string();
        assert!(text.contains("urll") && text.contains("line"), "{text}");
    }

    #[test]
    fn a_value_that_cannot_work_is_named_with_its_remedy() {
        let sample = include_str!("../../../config/gateway.basic.toml");
        let plain = load(&sample.replace("https://", "http://")).expect_err("plain HTTP");
        assert!(plain.to_string().contains("central.url"), "{plain}");
        let bus = load(&sample.replace("can:can0", "elm:tty")).expect_err("unknown source");
        assert!(bus.to_string().contains("bus.source"), "{bus}");
        let mqtt = "[SECTION]\nurl = \"mqtt://127.0.0.1\"\nregion = \"REGION\"\n[[bus]]";
        for (section, region, key) in [("tools", "NO", "tools.region"), ("fleet", "Norway", "fleet.region")] {
            let with = mqtt.replace("SECTION", section).replace("REGION", region);
            let wrong = load(&sample.replace("[[bus]]", &with)).expect_err("no such region");
            assert!(wrong.to_string().contains(key), "{wrong}");
        }
        for (section, window) in [("tools", 24), ("fleet", 0), ("fleet", 721)] {
            let with = format!("[{section}]\nurl = \"mqtt://x\"\ndelivery_window_h = {window}\n[[bus]]");
            let wrong = load(&sample.replace("[[bus]]", &with)).expect_err("no such window");
            assert!(wrong.to_string().contains(&format!("{section}.delivery_window_h")), "{wrong}");
        }
        for (key, remedy) in [
            ("requests_per_second = 50", "bus.requests_per_second"),
            ("requests_per_second = 0", "bus.requests_per_second"),
            ("listen_first_ms = 100", "bus.listen_first_ms"),
        ] {
            let keys = format!("[[bus]]\n{key}");
            let wrong = load(&sample.replace("[[bus]]", &keys)).expect_err("out of its bounds");
            assert!(wrong.to_string().contains(remedy), "{wrong}");
        }
        let log =
            sample.replace("can:can0", "candump:x.log").replace("[[bus]]", "[[bus]]\nlisten_only = false");
        assert!(load(&log).expect_err("a log").to_string().contains("a log is neither asked"));
    }

    #[test]
    fn only_the_storage_key_may_live_in_memory() {
        let sample = include_str!("../../../config/gateway.basic.toml");
        let config = load(&sample.replace("\"keys/storage.key\"", "\"memory\"")).expect("it may");
        assert_eq!(config.keys.storage, KeySource::Memory);
        for key in ["device", "identity"] {
            let told = load(&sample.replace(&format!("\"keys/{key}.key\""), "\"memory\""));
            let wrong = told.expect_err("it may not").to_string();
            assert!(wrong.contains(&format!("keys.{key}")) && wrong.contains("credential"), "{wrong}");
        }
    }

    #[test]
    fn a_bus_is_not_asked_unless_configured_and_only_a_real_one_is_filtered_by_itself() {
        let sample = include_str!("../../../config/gateway.basic.toml");
        let bus = |text: &str| load(text).expect("a configuration").bus[0].clone();
        assert!(bus(sample).listen_only && bus(sample).is_filtered());
        assert!(!bus(&sample.replace("can:can0", "virtual:bay")).is_filtered());
        let told = sample.replace("can:can0", "virtual:bay").replace("[[bus]]", "[[bus]]\nfilters = true");
        assert!(bus(&told).is_filtered());
    }
}
