//! `vernport doctor`: what keeps a gateway or central from working, and what to do about it.
//! Changes nothing: it reads, connects and asks.

mod bus;
mod central;
mod certificate;
mod clock;
mod disk;
mod files;
mod line;
mod unit;

use crate::{args, show, status::Unasked};
use anyhow::Result;
use serde_json::{Value as Json, json};
use std::path::{Path, PathBuf};
use thiserror::Error;
use vernport_gateway::{Config as GatewayConfig, SystemClock};
use vernport_status::output;
use vernport_types::{Clock as _, Stamp, chain};

/// How one check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It was not looked at.
    Skipped,
    /// It is well.
    Ok,
    /// It works, and somebody should know.
    Warn,
    /// It has to be mended.
    Fail,
}

impl Outcome {
    const fn word(self) -> &'static str {
        match self {
            Self::Skipped => "skipped",
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was looked at: a word of a closed list, and a configured name where there are several.
    pub what: String,
    /// How it came out.
    pub outcome: Outcome,
    /// What was found, or why it was not looked at.
    pub found: String,
    /// What to do, unless it is well.
    pub remedy: Option<String>,
}

/// Where the system keeps what is looked at, and what it tells; tests put folders and words of their own there.
#[derive(Debug, Clone)]
pub struct System {
    /// `/sys`.
    pub sysfs: PathBuf,
    /// Folders of units, the first that has one counts.
    pub units: Vec<PathBuf>,
    /// A file that is there when systemd-timesyncd keeps the clock.
    pub time_synchronised: PathBuf,
    /// What this machine's clock says.
    pub clock: fn() -> Stamp,
    /// What the disk of a folder has left; none where the system does not tell.
    pub disk: fn(&Path) -> Option<Disk>,
    /// What iproute2 tells of an interface (`ip -details -json link`); none where it is not there.
    pub link: fn(&str) -> Option<Json>,
}

/// The disk that a folder lies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disk {
    /// Bytes that are free for users other than root.
    pub free_bytes: u64,
    /// Inodes that are free for them; none where the file system makes them as it goes.
    pub free_inodes: Option<u64>,
    /// Its file system, by its number in statfs(2).
    pub kind: u64,
}

impl Default for System {
    fn default() -> Self {
        let units =
            ["/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];
        Self {
            sysfs: "/sys".into(),
            units: units.map(PathBuf::from).into(),
            time_synchronised: "/run/systemd/timesync/synchronized".into(),
            clock: || SystemClock.now(),
            disk: disk::of,
            link: bus::details,
        }
    }
}

/// All checks, in their order.
#[derive(Debug, Default)]
pub struct Checks(Vec<Check>);

impl Checks {
    fn add(&mut self, what: &str, outcome: Outcome, found: impl Into<String>, remedy: Option<&str>) {
        let (what, found) = (what.to_owned(), found.into());
        self.0.push(Check { what, outcome, found, remedy: remedy.map(str::to_owned) });
    }

    fn ok(&mut self, what: &str, found: impl Into<String>) {
        self.add(what, Outcome::Ok, found, None);
    }

    fn warn(&mut self, what: &str, found: impl Into<String>, remedy: &str) {
        self.add(what, Outcome::Warn, found, Some(remedy));
    }

    fn fail(&mut self, what: &str, found: impl Into<String>, remedy: &str) {
        self.add(what, Outcome::Fail, found, Some(remedy));
    }

    fn skip(&mut self, what: &str, why: impl Into<String>) {
        self.add(what, Outcome::Skipped, why, None);
    }

    /// What was found.
    pub fn all(&self) -> &[Check] {
        &self.0
    }

    fn count(&self, outcome: Outcome) -> usize {
        self.0.iter().filter(|check| check.outcome == outcome).count()
    }
}

/// Something has to be mended; it was printed.
#[derive(Debug, Error)]
#[error("{0} of these have to be mended")]
struct Failed(usize);

/// Looks and prints.
///
/// # Errors
/// [`Unasked`] where a configuration cannot be read, another one where something has to be mended.
pub async fn run(args: &args::Doctor) -> Result<()> {
    let checks = look(args, &System::default()).await?;
    if args.json {
        let all: Vec<Json> = checks.all().iter().map(json_of).collect();
        output::tell(&json!({"v": 1, "checks": all}).to_string())?;
    } else {
        let rows = checks.all().iter().map(|check| {
            let remedy = check.remedy.clone().unwrap_or_default();
            [check.outcome.word().to_owned(), check.what.clone(), check.found.clone(), remedy]
        });
        output::tell(&show::table(&["", "check", "found", "what to do"], rows))?;
    }
    match checks.count(Outcome::Fail) {
        0 => Ok(()),
        failed => Err(Failed(failed).into()),
    }
}

fn json_of(check: &Check) -> Json {
    json!({"check": check.what, "outcome": check.outcome.word(), "found": check.found, "remedy": check.remedy})
}

/// Looks at everything.
///
/// # Errors
/// [`Unasked`] where a configuration cannot be read.
pub async fn look(args: &args::Doctor, system: &System) -> Result<Checks> {
    let mut checks = Checks::default();
    let unread = |error: &(dyn std::error::Error + 'static)| Unasked::Configuration(chain(error).to_string());
    let gateway = match &args.gateway {
        Some(path) => Some((path, GatewayConfig::load(path).map_err(|error| unread(&error))?)),
        None => None,
    };
    let central = match &args.central {
        Some(path) => Some((path, vernport_central::Config::read(path).map_err(|error| unread(&error))?)),
        None => None,
    };
    if let Some((path, _)) = &gateway {
        checks.ok("configuration", path.display().to_string());
    }
    if let Some((path, _)) = &central {
        checks.ok("configuration of central", path.display().to_string());
    }
    let paths = (args.gateway.as_deref(), args.central.as_deref());
    files::keys(&mut checks, paths);
    clock::here(&mut checks, system);
    if let Some((_, config)) = &gateway {
        of_gateway(&mut checks, config, system).await;
    }
    if let Some((_, config)) = &central {
        central::look(&mut checks, config, system).await;
        unit::look(&mut checks, "vernport-central", system);
    }
    Ok(checks)
}

async fn of_gateway(checks: &mut Checks, config: &GatewayConfig, system: &System) {
    files::rules(checks, config);
    certificate::of_gateway(checks, config, (system.clock)().wall);
    disk::folder(checks, &config.gateway.data_dir, config.spool.max_mib << 20, system.disk);
    disk::spool(checks, config).await;
    for bus in &config.bus {
        bus::look(checks, bus, system).await;
    }
    let running = line::daemon(checks, config.status.as_ref()).await;
    line::station(checks, config);
    line::central(checks, config, system.clock).await;
    line::brokers(checks, config).await;
    line::registry(checks, running.as_ref());
    unit::look(checks, "vernport-gateway", system);
}

/// What a failure says, in one line.
fn said(error: &(dyn std::error::Error + 'static)) -> String {
    chain(error).to_string()
}

/// A folder and what is above it: the first that is there.
fn existing(path: &Path) -> &Path {
    path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"))
}
