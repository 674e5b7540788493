//! `vernport keys check`: every key that configurations name, each by itself and
//! all of them together. Says what, where and how to mend it.

mod certificates;
mod fit;

use super::{file::Secret, kind::Kind};
use crate::args::KeysCheck;
use anyhow::{Result, bail};
use serde_json::json;
use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::SystemTime,
};
use vernport_gateway::{
    config::KeySource,
    secrets::{self, SecretError, read_handed, read_key},
};
use vernport_status::output;

/// From which age on it is said that a key could be changed, in days.
const OLD_DAYS: u64 = 2 * 365;

/// Reads a key as the side that uses it does.
type Read = fn(&Path) -> Result<Secret, SecretError>;

/// Something to mend, or to know.
struct Finding {
    file: PathBuf,
    problem: String,
    remedy: &'static str,
    /// Whether the key may stay as it is.
    note: bool,
}

/// A key that could be read.
struct Held {
    file: PathBuf,
    kind: Kind,
    key: Secret,
    age_days: Option<u64>,
}

/// All that was seen.
#[derive(Default)]
struct Seen {
    held: Vec<Held>,
    findings: Vec<Finding>,
    /// Keys that are not in a file of this machine now.
    elsewhere: Vec<String>,
}

pub(super) fn run(args: &KeysCheck) -> Result<()> {
    look(args)?.tell(args.json)
}

/// What is wrong with the keys of configurations: file, problem, remedy, and whether it is only to be known.
pub(crate) fn findings(args: &KeysCheck) -> Result<Vec<(PathBuf, String, &'static str, bool)>> {
    let seen = look(args)?;
    Ok(seen.findings.into_iter().map(|one| (one.file, one.problem, one.remedy, one.note)).collect())
}

fn look(args: &KeysCheck) -> Result<Seen> {
    let mut seen = Seen::default();
    let mut gateways = Vec::new();
    for path in &args.gateway {
        let config = vernport_gateway::Config::load(path)?;
        let keys = &config.keys;
        for (kind, source) in
            [(Kind::Device, &keys.device), (Kind::Storage, &keys.storage), (Kind::Identity, &keys.identity)]
        {
            match source {
                KeySource::File(file) => seen.look_at(kind, file, path, read_key),
                source => seen.elsewhere.push(format!("{}: {source}", path.display())),
            }
        }
        if let KeySource::File(file) = &keys.storage {
            let before = secrets::before(file);
            if before.exists() {
                seen.look_at(Kind::Storage, &before, path, read_key);
                seen.note(&before, "the storage key before is still here".into(), FINISH);
            }
        }
        certificates::gateway(&mut seen, &config, path);
        gateways.push(config);
    }
    let central = match &args.central {
        Some(path) => {
            let config = vernport_central::Config::read(path)?;
            seen.look_at(Kind::Head, &config.keys.head, path, read_handed);
            seen.look_at(Kind::Master, &config.keys.master, path, read_handed);
            certificates::central(&mut seen, &config, path);
            for controller in &config.controllers {
                seen.look_at(Kind::Identity, &controller.identity_key, path, read_handed);
            }
            Some(config)
        }
        None => None,
    };
    seen.weak_or_twice();
    fit::gateways(&mut seen, &gateways, central.as_ref());
    if let Some(central) = &central {
        fit::central(&mut seen, central);
    }
    Ok(seen)
}

const FINISH: &str =
    "let the gateway send what waits under it, stop it, then `vernport keys rotate storage --finish`";

impl Seen {
    /// Opens one key file that `config` names.
    fn look_at(&mut self, kind: Kind, file: &Path, config: &Path, read: Read) {
        let key = match read(file) {
            Ok(key) => key,
            Err(error) => {
                let said = error.to_string();
                let problem = said.split_once(": ").map_or(said.as_str(), |(_, problem)| problem);
                self.wrong(
                    file,
                    problem.to_owned(),
                    "see `vernport keys new`; a lost key comes back by `vernport keys restore`",
                );
                return;
            }
        };
        let age_days = self.around(file, config);
        if let Some(days) = age_days.filter(|days| *days > OLD_DAYS) {
            self.note(file, format!("{days} days old"), "change it: `vernport keys rotate`");
        }
        self.held.push(Held { file: file.to_owned(), kind, key, age_days });
    }

    /// Owner, folder and age of a file.
    fn around(&mut self, file: &Path, config: &Path) -> Option<u64> {
        let about = fs::metadata(file).ok()?;
        let owners = [0, fs::metadata(config).map_or(0, |config| config.uid())];
        if !owners.contains(&about.uid()) && about.uid() != rustix::process::geteuid().as_raw() {
            let problem =
                format!("belongs to user {}, who is neither root nor owns the configuration", about.uid());
            self.wrong(file, problem, "run `chown` on it for the user that the service runs as");
        }
        let folder = file.parent().and_then(|folder| fs::metadata(folder).ok());
        // A folder such as /tmp lets everybody write, and nobody replace what is another's.
        if folder.is_some_and(|folder| folder.mode() & 0o022 != 0 && folder.mode() & 0o1000 == 0) {
            self.wrong(
                file,
                "others may replace it: its folder is open to them".into(),
                "run `chmod 700` on its folder",
            );
        }
        let changed = about.modified().ok()?;
        Some(SystemTime::now().duration_since(changed).ok()?.as_secs() / (24 * 3600))
    }

    /// Keys that nobody drew at random, and one key in two places that need keys of their own.
    fn weak_or_twice(&mut self) {
        let mut found = Vec::new();
        for (place, held) in self.held.iter().enumerate() {
            if held.key.iter().all(|byte| *byte == held.key[0]) {
                found.push((held.file.clone(), "was not drawn at random".to_owned(), NEW));
            }
            let others =
                self.held[..place].iter().filter(|other| other.key == held.key && other.file != held.file);
            for other in others {
                if (held.kind, other.kind) != (Kind::Identity, Kind::Identity) {
                    found.push((
                        held.file.clone(),
                        format!("is the same key as {}", other.file.display()),
                        NEW,
                    ));
                }
            }
        }
        for (file, problem, remedy) in found {
            self.wrong(&file, problem, remedy);
        }
    }

    fn wrong(&mut self, file: &Path, problem: String, remedy: &'static str) {
        self.findings.push(Finding { file: file.to_owned(), problem, remedy, note: false });
    }

    fn note(&mut self, file: &Path, problem: String, remedy: &'static str) {
        self.findings.push(Finding { file: file.to_owned(), problem, remedy, note: true });
    }

    /// The key that a file holds, if it could be read.
    fn key(&self, file: &Path) -> Option<&Secret> {
        self.held.iter().find(|held| held.file == file).map(|held| &held.key)
    }

    fn tell(mut self, as_json: bool) -> Result<()> {
        let mut told = Vec::new();
        self.held.retain(|held| {
            let first = !told.contains(&held.file);
            told.push(held.file.clone());
            first
        });
        if as_json {
            let keys = self.held.iter().map(|held| {
                json!({"file": held.file, "kind": held.kind.name(), "shown": held.kind.shown(*held.key), "age_days": held.age_days})
            });
            let findings = self.findings.iter().map(|one| {
                let severity = if one.note { "note" } else { "error" };
                json!({"file": one.file, "severity": severity, "problem": one.problem, "remedy": one.remedy})
            });
            let (keys, findings): (Vec<_>, Vec<_>) = (keys.collect(), findings.collect());
            output::tell(
                &json!({"keys": keys, "findings": findings, "not_in_a_file": self.elsewhere}).to_string(),
            )?;
        } else {
            for held in &self.held {
                let age = held.age_days.map_or(String::new(), |days| format!("; {days} days"));
                output::tell(&format!(
                    "{}: {} {}{age}",
                    held.file.display(),
                    held.kind.name(),
                    held.kind.shown(*held.key)
                ))?;
            }
            for elsewhere in &self.elsewhere {
                output::tell(&format!("{elsewhere}: not looked at, it is not in a file"))?;
            }
            for one in &self.findings {
                let word = if one.note { "note" } else { "error" };
                output::tell(&format!("{word}: {}: {}; {}", one.file.display(), one.problem, one.remedy))?;
            }
        }
        let wrong = self.findings.iter().filter(|one| !one.note).count();
        if wrong > 0 {
            bail!("{wrong} of these have to be mended");
        }
        Ok(())
    }
}

const NEW: &str = "make one of its own with `vernport keys new`";
