//! A developer's set: certificates, keys, signed bundles and configurations for
//! central and one gateway per controller, all in one folder.
//!
//! `vernport init --dev` makes it to stay; the demo and `replay` make it in a
//! temporary folder and go through the same files as a real installation.
//! Everything is drawn anew each time: no key is ever shipped.

use crate::{keys, shipped};
use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};
use vernport_central::{
    Role,
    authority::{Authority, Credential},
};
use vernport_crypto::{IdentityKey, OpeningKey, SigningKey, VerifyingKey, Zeroizing, random};
use vernport_policy::{Rules, sign_bundle};
use vernport_types::{Catalogue, ControllerId, KeyId, Slug};

/// What stands in `dev.toml`: where everything is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Dev {
    /// `https://host:port` of central.
    pub central_url: String,
    /// Public key that signs heads.
    pub head_key: VerifyingKey,
    /// The controllers, each with one station.
    pub controller: Vec<DevController>,
    /// The folder; not in the file.
    #[serde(skip)]
    pub dir: PathBuf,
}

/// One controller of the set.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DevController {
    /// Name of its bundle; its folder in the set.
    pub name: Slug,
    /// Organisation number.
    pub id: ControllerId,
    /// Site of its one station.
    pub site: Slug,
    /// Its one station.
    pub station: Slug,
    /// Its one gateway.
    pub gateway: Slug,
    /// Public device key of the gateway.
    pub device_key: VerifyingKey,
    /// Keys of its recipients, one for each purpose.
    pub recipient: Vec<DevRecipient>,
}

/// The key with which one recipient opens one purpose.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DevRecipient {
    /// Recipient of the bundle.
    pub recipient: Slug,
    /// Purpose of the bundle.
    pub purpose: Slug,
    /// Names the key.
    pub key_id: KeyId,
}

impl Dev {
    /// Reads the set in `dir`.
    ///
    /// # Errors
    /// If there is none.
    pub fn load(dir: &Path) -> Result<Self> {
        let file = dir.join("dev.toml");
        let text = fs::read_to_string(&file).with_context(|| {
            format!("{}: cannot be read; make a set with `vernport init --dev DIR`", file.display())
        })?;
        let dev: Self = toml::from_str(&text)
            .with_context(|| format!("{}: not a set of this version", file.display()))?;
        Ok(Self { dir: dir.to_path_buf(), ..dev })
    }

    /// The controller of a name.
    ///
    /// # Errors
    /// If the set has none, with the names that it has.
    pub fn controller(&self, name: &Slug) -> Result<&DevController> {
        self.controller.iter().find(|controller| controller.name == *name).with_context(|| {
            let names: Vec<&str> = self.controller.iter().map(|c| c.name.as_str()).collect();
            format!("no controller {name} in {}; it has {}", self.dir.display(), names.join(", "))
        })
    }

    /// The folder of a controller.
    pub fn folder(&self, controller: &DevController) -> PathBuf {
        self.dir.join(controller.name.as_str())
    }

    /// The configuration of central.
    pub fn central_config(&self) -> PathBuf {
        self.dir.join("central.toml")
    }

    /// The configuration of a controller's gateway.
    pub fn gateway_config(&self, controller: &DevController) -> PathBuf {
        self.folder(controller).join("gateway.toml")
    }

    /// Certificate files of a client of central: `registrar`, or a recipient's name.
    pub fn client_tls(&self, controller: &DevController, client: &str) -> vernport_uplink::TlsFiles {
        let folder = self.folder(controller).join("tls");
        vernport_uplink::TlsFiles {
            ca: self.dir.join("tls/ca.pem"),
            certificate: folder.join(format!("{client}.pem")),
            key: folder.join(format!("{client}.key")),
        }
    }

    /// The key file of a recipient for a purpose.
    pub fn recipient_key(&self, controller: &DevController, recipient: &DevRecipient) -> PathBuf {
        let file = format!("{}.{}.key", recipient.recipient, recipient.purpose);
        self.folder(controller).join("recipients").join(file)
    }

    /// The controller's identity key.
    ///
    /// # Errors
    /// If its file cannot be read.
    pub fn identity_key(&self, controller: &DevController) -> Result<IdentityKey> {
        let file = self.folder(controller).join("keys/identity.key");
        Ok(IdentityKey::from_bytes(*vernport_gateway::secrets::read_key(&file)?))
    }

    /// The opening key of a recipient for a purpose.
    ///
    /// # Errors
    /// If its file cannot be read.
    pub fn opening_key(&self, controller: &DevController, recipient: &DevRecipient) -> Result<OpeningKey> {
        let file = self.recipient_key(controller, recipient);
        Ok(OpeningKey::from_bytes(*vernport_gateway::secrets::read_key(&file)?))
    }

    /// Says where central listens, after it has taken a free port.
    ///
    /// # Errors
    /// If a configuration cannot be rewritten.
    pub fn set_central_url(&mut self, url: &str) -> Result<()> {
        for controller in &self.controller {
            let file = self.gateway_config(controller);
            let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
            fs::write(&file, text.replace(&self.central_url, url))
                .with_context(|| file.display().to_string())?;
        }
        url.clone_into(&mut self.central_url);
        self.save()
    }

    /// Says which key opens what one did before.
    ///
    /// # Errors
    /// If the set has no such key, or cannot be written.
    pub fn set_recipient_key(&mut self, controller: &Slug, old: KeyId, new: KeyId) -> Result<()> {
        let keys = self.controller.iter_mut().filter(|one| one.name == *controller);
        let mut keys = keys.flat_map(|one| &mut one.recipient);
        let key = keys.find(|key| key.key_id == old || key.key_id == new);
        key.with_context(|| format!("{controller} has no key {old} in this set"))?.key_id = new;
        self.save()
    }

    fn save(&self) -> Result<()> {
        let file = self.dir.join("dev.toml");
        fs::write(&file, toml::to_string(self)?)
            .with_context(|| format!("{}: cannot be written", file.display()))
    }
}

/// How a set is made.
#[derive(Debug, Clone)]
pub struct Options {
    /// Port on which central listens; 0 takes a free one, see [`Dev::set_central_url`].
    pub central_port: u16,
    /// Bundles by name: name and text.
    pub bundles: Vec<(String, String)>,
    /// Source of each gateway's bus, `{name}` standing for the controller's name.
    pub bus: String,
    /// Whether frames of a log bear the log's time.
    pub file_time: bool,
    /// Further sections of a gateway's configuration, by the controller's name.
    pub gateway_extra: BTreeMap<String, String>,
}

/// Makes a set in `dir`, which may exist but must hold no set yet.
///
/// # Errors
/// If a bundle is broken (with file, line and remedy) or a file cannot be written.
pub fn make(dir: &Path, options: &Options) -> Result<Dev> {
    let dir = &std::path::absolute(dir)?;
    anyhow::ensure!(
        !dir.join("dev.toml").exists(),
        "{}: holds a set already; remove it or name another folder",
        dir.display()
    );
    folder(&dir.join("tls"))?;
    folder(&dir.join("central"))?;
    folder(&dir.join("signals"))?;
    for (name, text) in shipped::SIGNALS {
        write(&dir.join("signals").join(name), text)?;
    }
    let authority = Authority::new()?;
    write(&dir.join("tls/ca.pem"), &authority.certificate_pem())?;
    credential(&dir.join("tls"), "central", &authority.server(&["localhost", "127.0.0.1"])?)?;
    let head = SigningKey::generate();
    secret(&dir.join("central/head.key"), &head.seed())?;
    secret(&dir.join("central/master.key"), &Zeroizing::new(random()))?;

    let mut dev = Dev {
        central_url: format!("https://127.0.0.1:{}", options.central_port),
        head_key: head.verifying_key(),
        controller: Vec::new(),
        dir: dir.clone(),
    };
    let catalogue = shipped::catalogue();
    let mut central = central_toml(dir, options.central_port);
    for (name, text) in &options.bundles {
        let controller = make_controller(&dev, &authority, &catalogue, (name, text), options, &mut central)?;
        dev.controller.push(controller);
    }
    write(&dev.central_config(), &central)?;
    dev.save()?;
    Ok(dev)
}

fn make_controller(
    dev: &Dev,
    authority: &Authority,
    catalogue: &Catalogue,
    (name, text): (&str, &str),
    options: &Options,
    central: &mut String,
) -> Result<DevController> {
    let folder_of = dev.dir.join(name);
    let (bundle_dir, keys, tls) = (folder_of.join("bundle"), folder_of.join("keys"), folder_of.join("tls"));
    for made in [&bundle_dir, &keys, &tls, &folder_of.join("recipients"), &folder_of.join("data")] {
        folder(made)?;
    }
    let bundle = shipped::load(&format!("{name}/bundle.toml"), text)?;
    let rules = Rules::compile(&bundle, catalogue)?;
    for (base, text) in bundle.bases() {
        write(&bundle_dir.join(format!("{base}.toml")), text)?;
    }
    let bundle_key = SigningKey::generate();
    write(&bundle_dir.join("bundle.toml"), text)?;
    write(&bundle_dir.join("bundle.sig"), &format!("{}\n", sign_bundle(&bundle_key, text)))?;
    secret(&keys.join("bundle.key"), &bundle_key.seed())?;
    let (device, identity, recovery) =
        (SigningKey::generate(), IdentityKey::generate(), OpeningKey::generate());
    secret(&keys.join("device.key"), &device.seed())?;
    secret(&keys.join("storage.key"), &Zeroizing::new(random()))?;
    secret(&keys.join("identity.key"), &identity.to_bytes())?;
    secret(&keys.join("recovery.key"), &recovery.to_bytes())?;

    let id = rules.controller().clone();
    let controller = DevController {
        name: name.parse()?,
        id: id.clone(),
        site: site()?,
        station: "bay-1".parse()?,
        gateway: gateway_name(&name.parse()?)?,
        device_key: device.verifying_key(),
        recipient: recipients(&rules, &folder_of)?,
    };
    let issue = |name: &Slug, role| authority.client(name, role, &id);
    credential(&tls, "gateway", &issue(&controller.gateway, Role::Gateway)?)?;
    credential(&tls, "registrar", &issue(&"registrar".parse()?, Role::Registrar)?)?;
    for recipient in &controller.recipient {
        credential(&tls, recipient.recipient.as_str(), &issue(&recipient.recipient, Role::Recipient)?)?;
    }
    write(
        &folder_of.join("gateway.toml"),
        &gateway_toml(dev, &controller, bundle_key.verifying_key(), options),
    )?;
    write!(
        central,
        "\n[[controller]]\nid = \"{id}\"\nbundle = \"{name}/bundle\"\nbundle_key = \"{}\"\n{}identity_key = \"{name}/keys/identity.key\"\n\
         recovery_key = \"{}\"\n\n[[controller.gateway]]\nname = \"{}\"\nsite = \"{}\"\nstation = \"{}\"\ndevice_key = \"{}\"\n",
        bundle_key.verifying_key(),
        region(&rules),
        recovery.wrapping_key(),
        controller.gateway,
        controller.site,
        controller.station,
        controller.device_key,
    )?;
    Ok(controller)
}

/// The line of a configuration that says where the machines stand: for a set on a developer's own
/// machine, where the controller would have them.
pub fn region(rules: &Rules) -> String {
    let Some(hosting) = rules.hosting() else { return String::new() };
    let countries = std::iter::once(&rules.controller_info().jurisdiction).chain(&hosting.regions);
    let stands = countries.filter(|country| country.len() == 2).find(|country| hosting.allows(country));
    stands.map_or(String::new(), |country| format!("region = \"{country}\"\n"))
}

/// The one site of each controller.
///
/// # Errors
/// Never: it is a slug.
pub fn site() -> Result<Slug> {
    Ok("main".parse()?)
}

/// What the gateway of a controller is called.
///
/// # Errors
/// Never: what is cut out of a slug is one.
pub fn gateway_name(controller: &Slug) -> Result<Slug> {
    let room: String = controller.as_str().chars().take(28).collect();
    Ok(format!("{}-box", room.trim_end_matches('-')).parse()?)
}

/// One key for each recipient and purpose that the flows name.
fn recipients(rules: &Rules, folder: &Path) -> Result<Vec<DevRecipient>> {
    let mut made: Vec<DevRecipient> = Vec::new();
    for flow in rules.flows() {
        if made.iter().any(|key| key.recipient == flow.recipient && key.purpose == flow.purpose) {
            continue;
        }
        let key = OpeningKey::generate();
        let file = format!("{}.{}.key", flow.recipient, flow.purpose);
        secret(&folder.join("recipients").join(file), &key.to_bytes())?;
        let key_id = key.wrapping_key().key_id();
        made.push(DevRecipient { recipient: flow.recipient.clone(), purpose: flow.purpose.clone(), key_id });
    }
    Ok(made)
}

/// The longest path of a local socket that every system takes, in bytes.
const MAX_SOCKET_BYTES: usize = 100;

/// Where the daemon of a folder is asked how it stands: nowhere, if the path were too long for a socket.
fn status(folder: &Path, socket: &str) -> String {
    if folder.join(socket).as_os_str().len() > MAX_SOCKET_BYTES {
        return String::new();
    }
    format!("\n[status]\naddress = \"unix:{socket}\"\n")
}

fn central_toml(dir: &Path, port: u16) -> String {
    format!(
        r#"# Made by `vernport init --dev`: central on one developer's machine.
format = 1
signals = "signals"

[listen]
address = "127.0.0.1:{port}"

[tls]
certificate = "tls/central.pem"
key = "tls/central.key"
client_authority = "tls/ca.pem"

[store]
main = "sqlite://central/main.db"
erasure = "sqlite://central/erasure.db"

[journal]
path = "central/journal"

[keys]
head = "central/head.key"
master = "central/master.key"
{status}"#,
        status = status(dir, "central/status.sock"),
    )
}

fn gateway_toml(
    dev: &Dev,
    controller: &DevController,
    bundle_key: VerifyingKey,
    options: &Options,
) -> String {
    let DevController { name, id, site, station, gateway, .. } = controller;
    let file_time = if options.file_time { "file_time = true\n" } else { "" };
    format!(
        r#"# Made by `vernport init --dev`: the gateway of {name}.
format = 1

[gateway]
name = "{gateway}"
controller = "{id}"
site = "{site}"
station = "{station}"
data_dir = "data"

[rules]
bundle = "bundle"
bundle_key = "{bundle_key}"
signals = "../signals"

[central]
url = "{url}"
ca = "../tls/ca.pem"
certificate = "tls/gateway.pem"
key = "tls/gateway.key"
head_key = "{head_key}"

[keys]
device = "keys/device.key"
storage = "keys/storage.key"
identity = "keys/identity.key"
{status}
[[bus]]
source = "{bus}"
{file_time}{extra}"#,
        status = status(&dev.folder(controller), "status.sock"),
        url = dev.central_url,
        head_key = dev.head_key,
        bus = options.bus.replace("{name}", name.as_str()),
        extra = options.gateway_extra.get(name.as_str()).map_or("", String::as_str),
    )
}

fn folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).with_context(|| format!("{}: cannot be made", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
        .with_context(|| format!("{}: cannot be closed to others", path.display()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("{}: cannot be written", path.display()))
}

/// Writes a private file; nobody else could read it at any moment.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<()> {
    use std::io::Write as _;
    let open = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    open.and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("{}: cannot be written", path.display()))
}

fn secret(path: &Path, key: &Zeroizing<[u8; 32]>) -> Result<()> {
    keys::file::create(path, key)
}

fn credential(folder: &Path, name: &str, credential: &Credential) -> Result<()> {
    let path = folder.join(format!("{name}.pem"));
    if path.exists() {
        return Ok(());
    }
    write(&path, &credential.certificate_pem)?;
    write_private(&folder.join(format!("{name}.key")), &credential.key_pem)
}
