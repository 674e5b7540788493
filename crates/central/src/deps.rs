//! What central needs beside its settings: certificates, keys, rules. Made in
//! memory by demo and tests, read from the files that a configuration names by
//! the daemon.

use crate::{
    EnrolmentDeps,
    config::{Config, Controller, Enrolment, Gateway},
    issuer::{Issuer, IssuerError},
    tls::{TlsError, enrolment_server_config, server_config},
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use thiserror::Error;
use vernport_crypto::{IdentityKey, MasterKey, SigningKey, WrappingKey, Zeroizing};
use vernport_mqtt::{Endpoint, SectionError};
use vernport_policy::{Bundle, BundleError, BundleFile, Rules, SignatureError, verify_bundle};
use vernport_types::{BootMicros, Catalogue, CatalogueError, Clock, Slug, Stamp, TimeQuality, UtcMicros};

mod fleet;

/// The longest file that is read whole, in bytes.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Why what central needs is not there.
#[derive(Debug, Error)]
pub enum LoadError {
    /// A file or folder cannot be read.
    #[error("{}: cannot be read; check the name and that this user may read it", .file.display())]
    Read {
        /// The file or folder.
        file: PathBuf,
        /// What failed.
        source: std::io::Error,
    },
    /// A file is far longer than it can be.
    #[error("{}: longer than {MAX_FILE_BYTES} bytes; is it the right file?", .file.display())]
    TooLong {
        /// The file.
        file: PathBuf,
    },
    /// Everybody may read a key file.
    #[error("{}: everybody can read it; run `chmod 600` on it", .file.display())]
    OpenKey {
        /// The file.
        file: PathBuf,
    },
    /// A key file does not hold a key.
    #[error("{}: not a key; a key file has 64 hexadecimal digits", .file.display())]
    Key {
        /// The file.
        file: PathBuf,
    },
    /// A key file holds nothing but zeros.
    #[error("{}: was not drawn at random but is zeros alone, as a key that was wiped", .file.display())]
    WipedKey {
        /// The file.
        file: PathBuf,
    },
    /// A PEM file does not hold what it should.
    #[error("{}: holds no {what} in PEM form", .file.display())]
    Pem {
        /// The file.
        file: PathBuf,
        /// What was looked for.
        what: &'static str,
        /// What failed.
        source: rustls::pki_types::pem::Error,
    },
    /// Certificates and keys do not fit together.
    #[error("the certificates under [tls] cannot be used")]
    Tls(#[from] TlsError),
    /// Central cannot enrol gateways with this authority.
    #[error("{}, or the certificate with it under [enrolment], cannot be used", .file.display())]
    Authority {
        /// The file of the authority's key.
        file: PathBuf,
        /// What is wrong.
        source: IssuerError,
    },
    /// The signal catalogue is broken.
    #[error("the signal catalogue cannot be used")]
    Catalogue(#[from] CatalogueError),
    /// A bundle is broken.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// A bundle is not signed by its controller.
    #[error("{}", .file.display())]
    Signature {
        /// The file of the signature.
        file: PathBuf,
        /// What the check said, and how to mend it.
        source: SignatureError,
    },
    /// The bundle says where its data may stand, and central does not say where it stands, or elsewhere.
    #[error("{}: data may stand in {allowed} only; central stands in {stands}: mend `region`", .folder.display())]
    Region {
        /// The folder of the bundle.
        folder: PathBuf,
        /// Where the bundle allows it.
        allowed: String,
        /// Where central stands by its configuration.
        stands: String,
    },
    /// The broker of the fleet operators stands elsewhere than the bundle allows.
    #[error(
        "controller.fleet.region: the broker may stand in {allowed} only: mend `region`, or take another broker"
    )]
    BrokerRegion {
        /// Where the bundle allows it.
        allowed: String,
    },
    /// The section of the fleet operators' broker cannot be used.
    #[error("controller.fleet")]
    Broker(#[from] SectionError),
    /// The certificates for the fleet operators' broker cannot be used.
    #[error("controller.fleet")]
    BrokerTls(#[from] vernport_uplink::TlsError),
    /// A bundle is of another controller.
    #[error("{}: the bundle is not of {controller}; name the right folder under [[controller]]", .folder.display())]
    OtherController {
        /// The folder of the bundle.
        folder: PathBuf,
        /// The controller of the configuration.
        controller: String,
    },
}

/// What central needs beside its settings.
pub struct Deps {
    /// The server's side of mutual TLS, as [`server_config`] makes it.
    pub tls: ServerConfig,
    /// What it takes to enrol gateways over the network; none: that is not done here.
    pub enrolment: Option<EnrolmentDeps>,
    /// Signs heads; gateways have its public half.
    pub head_key: SigningKey,
    /// Wraps erasure keys, seals ledger entries.
    pub master_key: MasterKey,
    /// The controllers that are served.
    pub controllers: Vec<ControllerDeps>,
    /// Where the journal is kept: on another file system than the databases. Without one, a restored
    /// backup loses withdrawals and erasures.
    pub journal: Option<PathBuf>,
    /// Where this machine asks how central stands; none: nowhere.
    pub status: Option<vernport_status::Listen>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

/// What a [`Service`](crate::Service) needs beside its databases.
pub struct Serving {
    /// Signs heads.
    pub head_key: SigningKey,
    /// The controllers that are served.
    pub controllers: Vec<ControllerDeps>,
    /// Issues certificates to gateways; none: nobody is invited.
    pub issuer: Option<Arc<Issuer>>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

/// What central needs of one controller.
pub struct ControllerDeps {
    /// Its checked rules.
    pub rules: Rules,
    /// The signals that they were compiled against.
    pub catalogue: Arc<Catalogue>,
    /// Makes blind indexes of identifiers.
    pub identity_key: IdentityKey,
    /// The public half of its recovery pair.
    pub recovery_key: WrappingKey,
    /// Gateways to enrol at the start.
    pub gateways: Vec<Gateway>,
    /// The broker of its fleet operators; none: orders to delete are fetched, and nobody is told there.
    pub fleet: Option<Endpoint>,
}

impl Deps {
    /// Reads everything that a configuration names.
    ///
    /// # Errors
    /// [`LoadError`] names the file and how to mend it.
    pub fn load(config: &Config) -> Result<Self, LoadError> {
        let catalogue = Arc::new(catalogue(&config.signals)?);
        let controllers = config.controllers.iter().map(|controller| {
            let region = controller.region.as_deref().or(config.region.as_deref());
            load_controller(controller, region, &catalogue)
        });
        let controllers = controllers.collect::<Result<_, _>>()?;
        let clock = Arc::new(system_clock());
        let now = clock.now().wall;
        let enrolment = config.enrolment.as_ref();
        Ok(Self {
            tls: tls(config)?,
            enrolment: enrolment.map(|section| load_enrolment(config, section, now)).transpose()?,
            head_key: SigningKey::from_seed(*key(&config.keys.head)?),
            master_key: MasterKey::from_bytes(*key(&config.keys.master)?),
            controllers,
            journal: config.journal.clone(),
            clock,
            status: config.status.clone(),
        })
    }
}

fn load_controller(
    controller: &Controller,
    region: Option<&str>,
    catalogue: &Arc<Catalogue>,
) -> Result<ControllerDeps, LoadError> {
    let file = controller.bundle.join("bundle.toml");
    let text = read(&file)?;
    let signature = controller.bundle.join("bundle.sig");
    verify_bundle(&controller.bundle_key, &text, if_there(read(&signature))?.as_deref())
        .map_err(|source| LoadError::Signature { file: signature, source })?;
    let mut base = |name: &Slug| read_base(&controller.bundle, name).map_err(Into::into);
    let bundle = Bundle::load(&file.display().to_string(), &text, &mut base)?;
    if *bundle.controller() != controller.id {
        let (folder, controller) = (controller.bundle.clone(), controller.id.to_string());
        return Err(LoadError::OtherController { folder, controller });
    }
    let rules = Rules::compile(&bundle, catalogue)?;
    if let Some(hosting) = rules.hosting()
        && !region.is_some_and(|region| hosting.allows(region))
    {
        let (folder, allowed) = (controller.bundle.clone(), hosting.regions.join(", "));
        let stands = region.unwrap_or("no region that it names").to_owned();
        return Err(LoadError::Region { folder, allowed, stands });
    }
    let fleet = controller.fleet.as_ref().map(|broker| fleet::endpoint(controller, broker, &rules));
    let fleet = fleet.transpose()?;
    Ok(ControllerDeps {
        rules,
        catalogue: Arc::clone(catalogue),
        identity_key: IdentityKey::from_bytes(*key(&controller.identity_key)?),
        recovery_key: controller.recovery_key,
        gateways: controller.gateways.clone(),
        fleet,
    })
}

/// The base of a bundle: a file of its name in the bundle's folder, or a folder of its name beside it.
fn read_base(folder: &Path, name: &Slug) -> Result<BundleFile, LoadError> {
    let inside = folder.join(format!("{name}.toml"));
    let beside = folder.join("..").join(name.as_str()).join("bundle.toml");
    let path = if inside.is_file() { inside } else { beside };
    Ok(BundleFile { file: path.display().to_string(), text: read(&path)? })
}

fn tls(config: &Config) -> Result<ServerConfig, LoadError> {
    let (chain, key) = server(config)?;
    Ok(server_config(chain, key, certificate(&config.tls.client_authority)?)?)
}

fn load_enrolment(config: &Config, section: &Enrolment, now: UtcMicros) -> Result<EnrolmentDeps, LoadError> {
    let (chain, key) = server(config)?;
    let file = &section.authority_key;
    closed(file)?;
    let key_pem = Zeroizing::new(read(file)?);
    let own = certificate(&section.authority_certificate)?;
    let trusted = certificate(&config.tls.client_authority)?;
    let issuer = Issuer::new(&own, &key_pem, trusted, section.certificate_days, now)
        .map_err(|source| LoadError::Authority { file: file.clone(), source })?;
    Ok(EnrolmentDeps {
        address: section.address,
        tls: enrolment_server_config(chain, key)?,
        issuer: Arc::new(issuer),
        central_url: section.central_url.clone(),
        attempts_per_minute: (section.attempts_per_minute, section.attempts_per_minute_of_address),
        connection_timeout: Duration::from_millis(section.connection_timeout_ms),
    })
}

/// What the server shows, and its key.
fn server(config: &Config) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), LoadError> {
    let files = &config.tls;
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect)
        .map_err(pem(&files.certificate, "certificate"))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(pem(&files.key, "private key"))?;
    Ok((chain, key))
}

fn certificate(file: &Path) -> Result<CertificateDer<'static>, LoadError> {
    CertificateDer::from_pem_file(file).map_err(pem(file, "certificate"))
}

fn pem(file: &Path, what: &'static str) -> impl FnOnce(rustls::pki_types::pem::Error) -> LoadError {
    let file = file.to_owned();
    move |source| LoadError::Pem { file, what, source }
}

fn catalogue(folder: &Path) -> Result<Catalogue, LoadError> {
    let broken = |source| LoadError::Read { file: folder.to_owned(), source };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(broken)? {
        let path = entry.map_err(broken)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.push((path.display().to_string(), read(&path)?));
        }
    }
    files.sort();
    Ok(Catalogue::from_toml(files.iter().map(|(name, text)| (name.as_str(), text.as_str())))?)
}

fn key(file: &Path) -> Result<Zeroizing<[u8; 32]>, LoadError> {
    closed(file)?;
    let text = Zeroizing::new(read(file)?);
    let mut key = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text.trim(), &mut *key).map_err(|_| LoadError::Key { file: file.to_owned() })?;
    if *key == [0; 32] {
        return Err(LoadError::WipedKey { file: file.to_owned() });
    }
    Ok(key)
}

/// A file that not everybody can read. The group may: systemd lets a service's user in to a credential by an
/// access list, whose mask shows as the group's mode.
fn closed(file: &Path) -> Result<(), LoadError> {
    let broken = |source| LoadError::Read { file: file.to_owned(), source };
    let mode = fs::metadata(file).map_err(broken)?.permissions().mode();
    if mode & 0o007 == 0 { Ok(()) } else { Err(LoadError::OpenKey { file: file.to_owned() }) }
}

fn read(file: &Path) -> Result<String, LoadError> {
    let broken = |source| LoadError::Read { file: file.to_owned(), source };
    if fs::metadata(file).map_err(broken)?.len() > MAX_FILE_BYTES {
        return Err(LoadError::TooLong { file: file.to_owned() });
    }
    fs::read_to_string(file).map_err(broken)
}

/// What was read; none if there is no such file.
fn if_there(read: Result<String, LoadError>) -> Result<Option<String>, LoadError> {
    match read {
        Err(LoadError::Read { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some),
    }
}

/// The machine's clock. Central's machines keep their time; what compares here is the wall clock.
fn system_clock() -> impl Clock {
    let start = std::time::Instant::now();
    move || {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let boot = start.elapsed().as_micros();
        Stamp {
            wall: UtcMicros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX)),
            boot: BootMicros(u64::try_from(boot).unwrap_or(u64::MAX)),
            quality: TimeQuality::Synced,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vernport_policy::sign_bundle;

    /// The shipped bundle of a workshop lets its data stand in Norway only.
    fn load(region: Option<&str>) -> LoadError {
        let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config");
        let catalogue = Arc::new(catalogue(&config.join("signals")).expect("the shipped catalogue"));
        let text = read(&config.join("bundles/westrum/bundle.toml")).expect("the shipped bundle");
        let key = SigningKey::from_seed([1; 32]);
        let signed = tempfile::tempdir().expect("a folder");
        fs::write(signed.path().join("bundle.toml"), &text).expect("written");
        fs::write(signed.path().join("bundle.sig"), sign_bundle(&key, &text).to_string()).expect("written");
        let controller = Controller {
            id: "NO-900000001".parse().expect("an id"),
            bundle: signed.path().to_owned(),
            bundle_key: key.verifying_key(),
            region: None,
            identity_key: config.join("no-such.key"),
            recovery_key: vernport_crypto::OpeningKey::from_bytes([1; 32]).wrapping_key(),
            gateways: Vec::new(),
            fleet: None,
        };
        load_controller(&controller, region, &catalogue).map(|_| ()).expect_err("it has no identity key")
    }

    #[test]
    fn a_wiped_key_is_no_key() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("master.key");
        for (digits, is_key) in [("00", false), ("07", true)] {
            fs::write(&file, digits.repeat(32)).expect("written");
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("own file");
            assert_eq!(key(&file).is_ok(), is_key);
        }
    }

    #[test]
    fn a_bundle_is_served_only_where_its_data_may_stand() {
        for region in [None, Some("SE")] {
            let error = load(region).to_string();
            assert!(error.contains("may stand in NO only") && error.contains("region"), "{error}");
        }
        let error = load(Some("NO"));
        assert!(matches!(&error, LoadError::Read { file, .. } if file.ends_with("no-such.key")), "{error}");
    }
}
