//! A disk that forgets what was not synced: the worst that a power cut may leave.
//!
//! `vernport-forgetful` keeps a copy of each file as it was at its last sync. After
//! a kill, [`forget`] puts the copies in the files' place.

use crate::daemons::built;
use anyhow::{Context as _, Result, ensure};
use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

/// The variable with the folder of the copies.
pub(crate) const FOLDER: &str = "VERNPORT_SYNCED";

/// The library to preload.
pub(crate) fn library() -> Result<PathBuf> {
    let library = built()?.join("libvernport_forgetful.so");
    ensure!(library.exists(), "{} was not built", library.display());
    Ok(library)
}

/// Makes a file what its last sync left, after the process that wrote it is gone: its copy, or nothing.
pub(crate) fn forget(file: &Path, copies: &Path) -> Result<()> {
    let copy = copies.join(file.file_name().context("a file has a name")?);
    let done = match fs::copy(copy, file) {
        Err(error) if error.kind() == ErrorKind::NotFound => fs::remove_file(file),
        done => done.map(drop),
    };
    match done {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Writes a text with coreutils' dd, which syncs at the end where it is told to.
#[cfg(test)]
fn write(text: &str, to: &Path, how: &str, copies: &Path) -> Result<()> {
    let from = copies.join("input");
    fs::write(&from, text)?;
    let done = std::process::Command::new("dd")
        .arg(format!("if={}", from.display()))
        .arg(format!("of={}", to.display()))
        .args(["status=none", how])
        .env("LD_PRELOAD", library()?)
        .env(FOLDER, copies)
        .status()?;
    ensure!(done.success(), "dd ended with {done}");
    Ok(())
}

#[test]
fn what_was_written_after_the_last_sync_is_forgotten() -> Result<()> {
    let (files, copies) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let file = files.path().join("kept");
    for sync in ["conv=fsync", "conv=fdatasync"] {
        write(sync, &file, sync, copies.path())?;
        write("later, and not synced", &file, "conv=notrunc", copies.path())?;
        assert_ne!(fs::read_to_string(&file)?, sync);
        forget(&file, copies.path())?;
        assert_eq!(fs::read_to_string(&file)?, sync);
    }
    let never = files.path().join("never");
    write("never synced", &never, "conv=notrunc", copies.path())?;
    forget(&never, copies.path())?;
    forget(&never, copies.path())?;
    assert!(!never.exists());
    Ok(())
}
