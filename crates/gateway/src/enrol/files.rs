//! New keys and a new certificate in the place of those that are there, whatever
//! is interrupted.
//!
//! A new file lies beside the one whose place it takes, under its name and an ending. While the new
//! certificate has not got its ending, nothing has changed; from then on everything has, and
//! [`finish`] moves the files into their places, at the next start if not now:
//!
//! ```text
//! KEY.enrolling, DEVICE.enrolling   drawn
//! CERT.request                      what was asked with them; holds the token
//! CERT.enrolling.part               the answer, looked at
//! CERT.enrolling                    from here on the new ones count
//! ```

use crate::owner::give_as;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};
use thiserror::Error;
use vernport_uplink::{Held, TlsError, TlsFiles};

/// What is added to the names of files of an enrolment …
pub(crate) const ENROLLING: &str = ".enrolling";
/// … and of a renewal.
pub(crate) const RENEWING: &str = ".renewing";
const REQUEST: &str = ".request";
const PART: &str = ".part";

/// Why files could not be changed.
#[derive(Debug, Error)]
pub enum FileError {
    /// A file or its folder cannot be written.
    #[error("{}: cannot be written; check the path, its owner and the free space", path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file cannot be read.
    #[error("{}: cannot be read; check the path and its owner", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The new certificate is not for the new key.
    #[error("central answered with a certificate that does not fit the key; nothing was changed here")]
    Unfit(#[source] Box<TlsError>),
}

/// The files of one gateway that change together.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    /// None: it is not a file, or stays.
    pub(crate) device: Option<PathBuf>,
}

/// Each change of the disk asks here first: tests end at each of them.
pub(crate) type Gate<'a> = &'a (dyn Fn() -> io::Result<()> + Sync);

/// Nothing is in the way.
pub(crate) fn open() -> io::Result<()> {
    Ok(())
}

/// A name with something behind it.
pub(crate) fn with(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Where what was asked is kept until it is answered.
pub(crate) fn request(certificate: &Path) -> PathBuf {
    with(certificate, REQUEST)
}

/// Writes a file that only its owner reads, whole or not at all, and durable.
pub(crate) fn write(gate: Gate<'_>, path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let part = with(path, PART);
    let written = || {
        gate()?;
        remove_if_there(&part)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
        gate()?;
        file.write_all(bytes)?;
        file.sync_all()?;
        gate()?;
        fs::rename(&part, path)?;
        sync_folder(path)
    };
    written().map_err(|source| FileError::Write { path: path.into(), source })
}

/// Removes a file, if it is there.
pub(crate) fn remove(gate: Gate<'_>, path: &Path) -> Result<(), FileError> {
    let removed = || {
        gate()?;
        remove_if_there(path)?;
        sync_folder(path)
    };
    removed().map_err(|source| FileError::Write { path: path.into(), source })
}

/// Takes a certificate that fits the key of this ending: from here on both count.
pub(crate) fn accept(gate: Gate<'_>, places: &Places, ending: &str, pem: &str) -> Result<(), FileError> {
    let next = with(&places.certificate, ending);
    let looked_at = with(&next, ".look");
    write(gate, &looked_at, pem.as_bytes())?;
    let files =
        TlsFiles { ca: PathBuf::new(), certificate: looked_at.clone(), key: with(&places.key, ending) };
    Held::of(&files).map_err(|error| FileError::Unfit(Box::new(error)))?;
    let renamed = || {
        gate()?;
        fs::rename(&looked_at, &next)?;
        sync_folder(&next)
    };
    renamed().map_err(|source| FileError::Write { path: next.clone(), source })
}

/// Moves what counts already under this ending into its place; says whether there was anything. Harmless if
/// done again.
pub(crate) fn finish(gate: Gate<'_>, places: &Places, ending: &str) -> Result<bool, FileError> {
    let next = with(&places.certificate, ending);
    if !is_there(&next)? {
        return Ok(false);
    }
    if ending == ENROLLING {
        remove(gate, &request(&places.certificate))?;
        if let Some(device) = &places.device {
            move_into(gate, &with(device, ending), device)?;
        }
    }
    move_into(gate, &with(&places.key, ending), &places.key)?;
    // The last: while it waits, all of this is done again.
    move_into(gate, &next, &places.certificate)?;
    Ok(true)
}

fn move_into(gate: Gate<'_>, from: &Path, to: &Path) -> Result<(), FileError> {
    let moved = || {
        gate()?;
        if from.try_exists()? {
            give_as(from, to)?;
        }
        match fs::rename(from, to) {
            // An interrupted run moved it.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
            Ok(()) => sync_folder(to),
        }
    };
    moved().map_err(|source| FileError::Write { path: to.into(), source })
}

/// Whether a file is there, whatever is in it.
pub(crate) fn is_there(path: &Path) -> Result<bool, FileError> {
    path.try_exists().map_err(|source| FileError::Read { path: path.into(), source })
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt as _, lchown};

    /// Where the test runs as root, the box's own files are another's.
    #[test]
    fn what_is_moved_into_its_place_belongs_to_whom_that_belonged() {
        let folder = tempfile::tempdir().expect("a folder");
        let (certificate, key) = (folder.path().join("box.pem"), folder.path().join("box.key"));
        for path in [&certificate, &key] {
            fs::write(path, "old").expect("written");
            let _ = lchown(path, Some(4_711), Some(4_712));
            write(&open, &with(path, ENROLLING), b"new").expect("written");
        }
        let owner = |path: &Path| fs::metadata(path).map(|about| (about.uid(), about.gid())).expect("there");
        let before = owner(&key);
        let places = Places { certificate: certificate.clone(), key: key.clone(), device: None };
        assert!(finish(&open, &places, ENROLLING).expect("moved"));
        for path in [&certificate, &key] {
            assert_eq!((fs::read(path).expect("there"), owner(path)), (b"new".to_vec(), before));
        }
    }
}
