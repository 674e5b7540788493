//! A journal under another master key: every row is sealed anew, into a file that then takes the place of
//! the one before in one step.
//!
//! Interrupted before that step, nothing has changed; afterwards everything has. Done again, it finds
//! nothing left to do.

use crate::{
    Journal, JournalError, Row, RowKind,
    erase::fences_place,
    journal::{lock, scan},
    journaled::era_place,
    ledger::entry_place,
};
use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{MetadataExt as _, lchown},
    path::{Path, PathBuf},
};
use vernport_crypto::MasterKey;

/// How many rows are written, and synced, together.
const ROWS_A_STEP: usize = 256;

impl Journal {
    /// Seals all rows under `new`; says how many were under `old`. Nobody may write the journal meanwhile. Blocks.
    ///
    /// # Errors
    /// [`JournalError`]: [`Taken`](JournalError::Taken) while a central runs on it,
    /// [`Sealed`](JournalError::Sealed) for a row that neither key opens. The journal is as it was then.
    pub fn reseal(path: &Path, old: &MasterKey, new: &MasterKey) -> Result<u64, JournalError> {
        let broken = |source| JournalError::File { file: path.to_owned(), source };
        let held = OpenOptions::new().read(true).write(true).open(path).map_err(broken)?;
        lock(&held, path)?;
        let aside = PathBuf::from(format!("{}.new", path.display()));
        match fs::remove_file(&aside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(broken(error)),
            _ => {}
        }
        let (mut resealed, mut refused) = (0, None);
        let mut rows = Vec::new();
        let journal = Self::open(&aside, |_| {})?;
        scan(path, |row| {
            if refused.is_some() {
                return;
            }
            match reseal(row, old, new) {
                Some((row, anew)) => {
                    resealed += u64::from(anew);
                    rows.push(row.encode());
                }
                None => refused = Some(JournalError::Sealed { file: path.to_owned() }),
            }
            if rows.len() == ROWS_A_STEP {
                refused = journal.write(std::mem::take(&mut rows)).err();
            }
        })?;
        if let Some(error) = refused {
            return Err(error);
        }
        journal.write(rows)?;
        give_as(&aside, path).and_then(|()| fs::rename(&aside, path)).map_err(broken)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all()).map_err(broken)?;
        Ok(resealed)
    }
}

/// Gives a file to the user and group of the one whose place it takes: root does this for central, which then goes
/// on writing. Only root may; of whoever else runs this it stays.
fn give_as(written: &Path, place: &Path) -> io::Result<()> {
    let (own, theirs) = (fs::symlink_metadata(written)?, fs::metadata(place)?);
    if (own.uid(), own.gid()) == (theirs.uid(), theirs.gid()) {
        return Ok(());
    }
    // Never what a link leads to: the folder is central's, and this root's.
    match lchown(written, Some(theirs.uid()), Some(theirs.gid())) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        given => given,
    }
}

/// The row under the new key, and whether it was under the old one; none if neither opens it.
fn reseal(row: Row, old: &MasterKey, new: &MasterKey) -> Option<(Row, bool)> {
    let place = match row.kind {
        RowKind::Entry => entry_place(&row.controller, row.entry),
        RowKind::Fences => fences_place(&row.controller, row.entry),
        RowKind::Era => era_place(&row.controller),
    };
    match old.open(&place, &row.sealed) {
        Ok(plain) => Some((Row { sealed: new.seal(&place, &plain), ..row }, true)),
        Err(_) => new.open(&place, &row.sealed).ok().map(|_| (row, false)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the test runs as root, they are another's.
    #[test]
    fn a_journal_under_another_master_key_belongs_to_whom_it_belonged() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("journal");
        let (old, new) = (MasterKey::from_bytes([7; 32]), MasterKey::from_bytes([8; 32]));
        drop(Journal::open(&path, |_| {}).expect("made"));
        let _ = lchown(&path, Some(4_711), Some(4_712));
        let owner = || fs::metadata(&path).map(|about| (about.uid(), about.gid())).expect("there");
        let before = owner();
        Journal::reseal(&path, &old, &new).expect("sealed anew");
        assert_eq!(owner(), before);
    }
}
