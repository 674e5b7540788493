//! The disk of one box: its configuration, rules, certificates, keys and data, and
//! nothing of the controller's, the recipients' or central's.

use anyhow::{Context as _, Result};
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use vernport::dev::{Dev, DevController};

/// Where the storage key lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// A file, as all three keys.
    File,
    /// A credential, as all three keys: encrypted to the machine, opened into memory at the start.
    Credential,
    /// Memory; the other two keys are files.
    Memory,
}

impl Mode {
    pub(crate) const ALL: [Self; 3] = [Self::File, Self::Credential, Self::Memory];
}

/// One file, by its path on the box.
pub(crate) struct Found {
    pub(crate) path: String,
    pub(crate) bytes: Vec<u8>,
}

/// A box, cut out of a developer's set.
pub(crate) struct Disk {
    pub(crate) root: PathBuf,
    /// What systemd hands over, which is on no disk.
    pub(crate) credentials: PathBuf,
}

impl Disk {
    /// Puts a box together. It reads its bus from `bus`; its fleet broker is at a port where nobody is.
    pub(crate) fn furnish(
        root: PathBuf,
        dev: &Dev,
        controller: &DevController,
        mode: Mode,
        nobody: u16,
    ) -> Result<Self> {
        let from = dev.folder(controller);
        let disk = Self { credentials: root.with_file_name("credentials"), root };
        for folder in ["bundle", "signals", "keys", "tls"] {
            fs::create_dir_all(disk.root.join(folder))?;
        }
        fs::create_dir_all(&disk.credentials)?;
        for name in ["bundle/bundle.toml", "bundle/bundle.sig", "keys/broker.password"] {
            disk.copy(&from.join(name), name)?;
        }
        for name in ["gateway.pem", "gateway.key"] {
            disk.copy(&from.join("tls").join(name), &format!("tls/{name}"))?;
        }
        disk.copy(&dev.dir.join("tls/ca.pem"), "tls/ca.pem")?;
        for entry in fs::read_dir(dev.dir.join("signals"))? {
            let entry = entry?;
            disk.copy(&entry.path(), &format!("signals/{}", entry.file_name().to_string_lossy()))?;
        }
        for key in ["device", "storage", "identity"] {
            let file = from.join(format!("keys/{key}.key"));
            match mode {
                Mode::Memory if key == "storage" => {}
                Mode::File | Mode::Memory => disk.copy(&file, &format!("keys/{key}.key"))?,
                Mode::Credential => drop(fs::copy(&file, disk.credentials.join(key))?),
            }
        }
        let mut text = fs::read_to_string(dev.gateway_config(controller))?
            .replace("\"../signals\"", "\"signals\"")
            .replace("\"../tls/ca.pem\"", "\"tls/ca.pem\"");
        match mode {
            Mode::File => {}
            Mode::Credential => {
                for key in ["device", "storage", "identity"] {
                    text = text.replace(&format!("\"keys/{key}.key\""), &format!("\"credential:{key}\""));
                }
            }
            Mode::Memory => text = text.replace("\"keys/storage.key\"", "\"memory\""),
        }
        let (before, fleet) = text.split_once("[fleet]\nurl = \"").context("the set has a fleet broker")?;
        let (_, after) = fleet.split_once('"').context("an address ends")?;
        let text = format!("{before}[fleet]\nurl = \"mqtt://127.0.0.1:{nobody}\"{after}");
        fs::write(disk.config(), text)?;
        Ok(disk)
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.root.join("gateway.toml")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.root.join("gateway.log")
    }

    /// A copy of the spool's files as they are now.
    pub(crate) fn copy_spool(&self, into: &Path) -> Result<PathBuf> {
        let data = self.root.join("data");
        for entry in fs::read_dir(&data).with_context(|| data.display().to_string())? {
            let entry = entry?;
            let name = entry.file_name();
            // The shared memory and the lock are of the process.
            if name.to_string_lossy().starts_with("spool.db") && !name.to_string_lossy().ends_with("-shm") {
                fs::copy(entry.path(), into.join(name))?;
            }
        }
        Ok(into.join("spool.db"))
    }

    /// Every file.
    pub(crate) fn files(&self) -> Result<Vec<Found>> {
        let mut files = Vec::new();
        read(&self.root, "", &mut files)?;
        Ok(files)
    }

    fn copy(&self, from: &Path, to: &str) -> Result<()> {
        fs::copy(from, self.root.join(to)).with_context(|| from.display().to_string())?;
        Ok(())
    }
}

fn read(folder: &Path, below: &str, files: &mut Vec<Found>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = format!("{below}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            read(&entry.path(), &format!("{path}/"), files)?;
        } else if entry.file_type()?.is_file() {
            files.push(Found { path, bytes: fs::read(entry.path())? });
        }
    }
    Ok(())
}
