//! The configuration file of central: one TOML file, checked whole before any
//! port is bound. Unknown keys are refused. Paths in it are relative to the
//! file's folder. Secrets are never in it, only the names of their files.

use serde::Deserialize;
use std::{
    collections::HashSet,
    net::SocketAddr,
    path::{Component, Path, PathBuf},
    time::Duration,
};
use thiserror::Error;
use vernport_crypto::{VerifyingKey, WrappingKey};
use vernport_types::{ControllerId, Slug};

/// The format that this program reads.
const FORMAT: u16 = 1;

/// Why a file is not a configuration.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{file}: cannot be read; check the name and that this user may read it")]
    Read {
        /// The file.
        file: String,
        /// What failed.
        source: std::io::Error,
    },
    /// The text is not the TOML that is expected.
    #[error("{file}:{line}: {problem}")]
    Text {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong and what is expected.
        problem: String,
    },
    /// A value is outside of its range, or two do not fit together.
    #[error("{file}: {key}: {remedy}")]
    Value {
        /// The file.
        file: String,
        /// Which key.
        key: &'static str,
        /// What is expected.
        remedy: &'static str,
    },
}

/// A checked configuration.
///
/// `listen` and `store` are what [`crate::run`] needs; the rest names the files
/// that [`crate::Deps::load`] reads.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where central listens, and within which bounds.
    pub listen: Listen,
    /// The two databases.
    pub store: Databases,
    /// Where every entry and fence is written once more; none: nowhere.
    pub journal: Option<PathBuf>,
    /// Where this machine asks how central stands; none: nowhere.
    pub status: Option<vernport_status::Listen>,
    /// What is logged, and how.
    pub log: vernport_status::Log,
    /// Certificates of the server.
    pub tls: Tls,
    /// How gateways enrol; none: not here.
    pub enrolment: Option<Enrolment>,
    /// Files of central's own keys.
    pub keys: KeyFiles,
    /// Folder of the signal catalogue.
    pub signals: PathBuf,
    /// The country where databases and backups stand (ISO 3166, such as `NO`): has to be given
    /// where the `[hosting]` of a bundle says where they may stand.
    pub region: Option<String>,
    /// The controllers that this central serves.
    pub controllers: Vec<Controller>,
}

/// Where central listens, and within which bounds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// Address and port; port 0 takes a free one.
    pub address: SocketAddr,
    /// How long a TLS handshake may take, in milliseconds, 100 to 60 000. Default 5 000.
    #[serde(default = "default_handshake_timeout_ms")]
    pub handshake_timeout_ms: u64,
    /// How long a request may take from its head to its answer, in milliseconds,
    /// 6 000 (above the feed's longest wait) to 300 000. Default 30 000.
    #[serde(default = "default_request_timeout_ms")]
    pub request_timeout_ms: u64,
    /// Connections at a time, 1 to 65 536; more wait to be accepted. Default 256.
    #[serde(default = "default_max_connections")]
    pub max_connections: usize,
}

impl Listen {
    /// The default bounds, at an address.
    pub fn at(address: SocketAddr) -> Self {
        Self {
            address,
            handshake_timeout_ms: default_handshake_timeout_ms(),
            request_timeout_ms: default_request_timeout_ms(),
            max_connections: default_max_connections(),
        }
    }

    pub(crate) fn handshake_timeout(&self) -> Duration {
        Duration::from_millis(self.handshake_timeout_ms)
    }

    pub(crate) fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.request_timeout_ms)
    }
}

const fn default_handshake_timeout_ms() -> u64 {
    5_000
}

const fn default_request_timeout_ms() -> u64 {
    30_000
}

const fn default_max_connections() -> usize {
    256
}

/// Certificates of the server, PEM.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The server's certificate and those above it.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authority that signs the certificates of gateways, registrars and recipients.
    pub client_authority: PathBuf,
}

/// How gateways enrol over the network.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolment {
    /// Address and port of a listener for that alone; port 0 takes a free one.
    pub address: SocketAddr,
    /// The certificate of the authority that issues: `client_authority`, or signed by it (PEM).
    pub authority_certificate: PathBuf,
    /// Its private key (PEM), for nobody but its owner to read.
    pub authority_key: PathBuf,
    /// How long a certificate lasts, in days, 1 to 90. Default 30.
    #[serde(default = "default_certificate_days")]
    pub certificate_days: u16,
    /// `https://host:port` where gateways find central; they are told when they enrol.
    pub central_url: Option<String>,
    /// How often anybody may try, in attempts a minute, 1 to 6 000. Default 60.
    #[serde(default = "default_attempts_per_minute")]
    pub attempts_per_minute: u32,
    /// The same for one address. Default 6.
    #[serde(default = "default_attempts_per_minute_of_address")]
    pub attempts_per_minute_of_address: u32,
    /// How long a connection may last, in milliseconds, 1 000 to 60 000. Default 10 000.
    #[serde(default = "default_connection_timeout_ms")]
    pub connection_timeout_ms: u64,
}

impl Enrolment {
    /// Which key is out of its range, and what is expected.
    fn wrong(&self) -> Option<(&'static str, &'static str)> {
        let tries = 1..=6_000;
        if !(1..=90).contains(&self.certificate_days) {
            return Some(("enrolment.certificate_days", "give 1 to 90"));
        }
        if !tries.contains(&self.attempts_per_minute) || !tries.contains(&self.attempts_per_minute_of_address)
        {
            return Some(("enrolment.attempts_per_minute", "give 1 to 6000, also of one address"));
        }
        if !(1_000..=60_000).contains(&self.connection_timeout_ms) {
            return Some(("enrolment.connection_timeout_ms", "give 1000 to 60000"));
        }
        let url = self.central_url.as_deref();
        let is_wrong = url.is_some_and(|url| !url.starts_with("https://"));
        is_wrong.then_some(("enrolment.central_url", "write https://host:port"))
    }
}

const fn default_certificate_days() -> u16 {
    30
}

const fn default_attempts_per_minute() -> u32 {
    60
}

const fn default_attempts_per_minute_of_address() -> u32 {
    6
}

const fn default_connection_timeout_ms() -> u64 {
    10_000
}

/// The two databases.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Databases {
    /// URL of the main database, `sqlite://PATH` or `postgres://USER@HOST/DATABASE`.
    pub main: String,
    /// URL of the database of the erasure keys: on other storage, with short backups.
    pub erasure: String,
}

/// The journal.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct JournalFile {
    /// Its path: on another disk than the databases, and in no backup that is restored with them.
    path: PathBuf,
}

/// Files with central's own keys: 64 hexadecimal digits each.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyFiles {
    /// Seed of the Ed25519 key that signs heads.
    pub head: PathBuf,
    /// Master key: wraps erasure keys, seals ledger entries.
    pub master: PathBuf,
}

/// One controller.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Controller {
    /// Its organisation number, `NO-…` or `DK-…`.
    pub id: ControllerId,
    /// Folder with its `bundle.toml` and `bundle.sig`.
    pub bundle: PathBuf,
    /// Public half of its bundle key, which has to have signed the bundle: 64 hexadecimal digits.
    pub bundle_key: VerifyingKey,
    /// The country where what is kept for it stands; by default that of the whole central.
    pub region: Option<String>,
    /// File of its identity key: 64 hexadecimal digits.
    pub identity_key: PathBuf,
    /// Public key of its recovery pair: 64 hexadecimal digits.
    pub recovery_key: WrappingKey,
    /// Gateways that central enrols when it starts, if the ledger does not say
    /// the same already. Taking one out here does not end its enrolment.
    #[serde(default, rename = "gateway")]
    pub gateways: Vec<Gateway>,
    /// The broker where its fleet operators are told what to delete; none: they are not told there.
    pub fleet: Option<FleetBroker>,
}

/// The broker of a controller's fleet operators.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FleetBroker {
    /// `mqtts://host:port`, or `mqtt://host:port` on this machine.
    pub url: String,
    /// Certificate authority of the broker (PEM); for `mqtts`.
    pub ca: Option<PathBuf>,
    /// Central's certificate there (PEM).
    pub certificate: Option<PathBuf>,
    /// Its private key (PEM).
    pub key: Option<PathBuf>,
    /// User name, where the broker asks for one.
    pub user: Option<String>,
    /// File with the password, for nobody but its owner to read.
    pub password_file: Option<PathBuf>,
    /// The country where the broker stands (ISO 3166, such as `NO`): has to be given where the
    /// bundle's `[hosting]` says where it may stand.
    pub region: Option<String>,
}

impl FleetBroker {
    fn below(self, folder: &Path) -> Self {
        let path = |file: Option<PathBuf>| file.map(|file| folder.join(file));
        let (ca, certificate, key) = (path(self.ca), path(self.certificate), path(self.key));
        Self { ca, certificate, key, password_file: path(self.password_file), ..self }
    }
}

/// A gateway to enrol.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// The common name in its certificate.
    pub name: Slug,
    /// The site it stands at.
    pub site: Slug,
    /// The station at the site.
    pub station: Slug,
    /// Its device key, public, which signs its envelopes: 64 hexadecimal digits.
    pub device_key: VerifyingKey,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    format: u16,
    listen: Listen,
    tls: Tls,
    enrolment: Option<Enrolment>,
    store: Databases,
    journal: Option<JournalFile>,
    status: Option<vernport_status::Listen>,
    #[serde(default)]
    log: vernport_status::Log,
    keys: KeyFiles,
    signals: PathBuf,
    region: Option<String>,
    #[serde(default, rename = "controller")]
    controllers: Vec<Controller>,
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { file: file.clone(), source })?;
        Self::from_toml(&file, &text, path.parent().unwrap_or(Path::new("")))
    }

    /// Checks the text of a file whose relative paths begin at `folder`.
    ///
    /// # Errors
    /// [`ConfigError::Text`] and [`ConfigError::Value`].
    pub fn from_toml(file: &str, text: &str, folder: &Path) -> Result<Self, ConfigError> {
        let raw: Raw = toml::from_str(text).map_err(|error| {
            let before = &text[..error.span().map_or(0, |span| span.start.min(text.len()))];
            ConfigError::Text {
                file: file.into(),
                line: 1 + before.matches('\n').count(),
                problem: error.message().into(),
            }
        })?;
        let refuse = |key, remedy| Err(ConfigError::Value { file: file.into(), key, remedy });
        if raw.format != FORMAT {
            return refuse("format", "this program reads format 1");
        }
        if !(100..=60_000).contains(&raw.listen.handshake_timeout_ms) {
            return refuse("listen.handshake_timeout_ms", "give 100 to 60000");
        }
        if !(6_000..=300_000).contains(&raw.listen.request_timeout_ms) {
            return refuse("listen.request_timeout_ms", "give 6000 to 300000");
        }
        if !(1..=65_536).contains(&raw.listen.max_connections) {
            return refuse("listen.max_connections", "give 1 to 65536");
        }
        if let Some((key, remedy)) = raw.enrolment.as_ref().and_then(Enrolment::wrong) {
            return refuse(key, remedy);
        }
        if raw.store.main == raw.store.erasure {
            return refuse("store.erasure", "give the erasure keys a database of their own");
        }
        if let Some(journal) = &raw.journal {
            let databases = [&raw.store.main, &raw.store.erasure];
            let mut files = databases.into_iter().filter_map(|url| url.strip_prefix("sqlite:"));
            let journal = plain(&folder.join(&journal.path));
            let is_journal = |file: &str| {
                plain(&folder.join(file.trim_start_matches("//").split('?').next().unwrap_or(file)))
                    == journal
            };
            if files.any(is_journal) {
                return refuse(
                    "journal.path",
                    "give the journal a file of its own, on another disk than the databases",
                );
            }
        }
        let brokers = raw.controllers.iter().filter_map(|controller| controller.fleet.as_ref());
        let regions = raw.controllers.iter().map(|controller| &controller.region).chain([&raw.region]);
        let regions = regions.chain(brokers.map(|broker| &broker.region));
        if regions.flatten().any(|text| text.len() != 2 || !text.bytes().all(|b| b.is_ascii_uppercase())) {
            return refuse("region", "write a country code of ISO 3166, such as NO");
        }
        if raw.log.check().is_err() {
            return refuse("log.filter", "write `info`, for instance, or `vernport_store=debug,info`");
        }
        let mut seen = HashSet::new();
        for controller in &raw.controllers {
            if !seen.insert((&controller.id, None)) {
                return refuse("controller.id", "list each controller once");
            }
            for gateway in &controller.gateways {
                if !seen.insert((&controller.id, Some(&gateway.name))) {
                    return refuse("controller.gateway.name", "list each gateway of a controller once");
                }
            }
        }
        Ok(Self::below(folder, raw))
    }

    fn below(folder: &Path, raw: Raw) -> Self {
        let path = |path: PathBuf| folder.join(path);
        let url = |url: String| match url.strip_prefix("sqlite://") {
            Some(path) => format!("sqlite://{}", folder.join(path).display()),
            None => url,
        };
        Self {
            listen: raw.listen,
            tls: Tls {
                certificate: path(raw.tls.certificate),
                key: path(raw.tls.key),
                client_authority: path(raw.tls.client_authority),
            },
            enrolment: raw.enrolment.map(|enrolment| Enrolment {
                authority_certificate: path(enrolment.authority_certificate),
                authority_key: path(enrolment.authority_key),
                ..enrolment
            }),
            store: Databases { main: url(raw.store.main), erasure: url(raw.store.erasure) },
            journal: raw.journal.map(|journal| path(journal.path)),
            status: raw.status.map(|mut status| {
                status.address.below(folder);
                status
            }),
            log: raw.log,
            keys: KeyFiles { head: path(raw.keys.head), master: path(raw.keys.master) },
            signals: path(raw.signals),
            region: raw.region,
            controllers: raw
                .controllers
                .into_iter()
                .map(|controller| Controller {
                    bundle: path(controller.bundle),
                    identity_key: path(controller.identity_key),
                    fleet: controller.fleet.map(|broker| broker.below(folder)),
                    ..controller
                })
                .collect(),
        }
    }
}

/// A path without `.` and `..`, as far as the name tells.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if plain.file_name().is_some() => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    plain
}
