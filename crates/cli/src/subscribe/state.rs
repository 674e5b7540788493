//! The file of `--state`: which numbers have come. It names vehicles by their
//! aliases, so it is closed to others; it is replaced whole or not at all.

use crate::link::Unusable;
use anyhow::{Context as _, Result};
use std::{
    fs,
    io::{ErrorKind, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
};
use vernport_mqtt::{StreamLimits, Streams};
use vernport_types::Slug;

/// The largest file that is read: what 1024 streams of 1024 ids can take.
const MAX_BYTES: u64 = 128 << 20;

pub(super) struct StateFile {
    path: PathBuf,
    operator: Slug,
}

impl StateFile {
    pub(super) fn new(path: PathBuf, operator: Slug) -> Self {
        Self { path, operator }
    }

    /// What was saved; nothing is known where there is no file yet.
    pub(super) fn read(&self) -> Result<Streams, Unusable> {
        let limits = StreamLimits::default();
        let wrong = |why: &str| Unusable(format!("{}: {why}", self.path.display()));
        match fs::metadata(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Streams::new(limits)),
            Ok(file) if file.len() > MAX_BYTES => {
                return Err(wrong("too large for a state; name another file"));
            }
            _ => {}
        }
        let saved = fs::read(&self.path)
            .map_err(|error| wrong(&format!("cannot be read ({error}); check the path and its owner")))?;
        Streams::restore(limits, &self.operator, &saved)
            .map_err(|error| wrong(&format!("{error}; name another file, or remove it to begin anew")))
    }

    /// Replaces what was saved.
    pub(super) fn write(&self, streams: &Streams) -> Result<()> {
        let mut beside = self.path.clone().into_os_string();
        beside.push(".new");
        let written = || -> std::io::Result<()> {
            let mut options = fs::OpenOptions::new();
            let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
            file.write_all(&streams.save(&self.operator))?;
            file.sync_data()?;
            fs::rename(&beside, &self.path)
        };
        written().with_context(|| {
            format!("{}: cannot be written, so nothing more is acknowledged", self.path.display())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_state_is_closed_to_others_and_anothers_is_refused_with_its_remedy() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("fjord.state");
        let file = |operator: &str| StateFile::new(path.clone(), operator.parse().expect("a slug"));
        let streams = file("fjord").read().expect("nothing yet");
        file("fjord").write(&streams).expect("written");
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(file("fjord").read().is_ok());
        let told = file("other").read().map(drop).expect_err("of another").to_string();
        assert!(told.contains("fjord.state") && told.contains("; name another file"), "{told}");
    }
}
