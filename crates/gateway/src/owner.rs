//! Whose a file is that takes the place of another: a root shell changes what a service reads.

use std::{
    fs,
    io::{self, ErrorKind},
    os::unix::fs::{MetadataExt as _, lchown},
    path::Path,
};

/// Gives a file that was written to the user and group of the one whose place it takes, if one is there. Only root
/// may give a file away; of whoever else runs this it stays.
///
/// # Errors
/// What the system says.
pub fn give_as(written: &Path, place: &Path) -> io::Result<()> {
    let theirs = match fs::metadata(place) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        about => about?,
    };
    let own = fs::symlink_metadata(written)?;
    if (own.uid(), own.gid()) == (theirs.uid(), theirs.gid()) {
        return Ok(());
    }
    // Never what a link leads to: the folder may be the service's, and this root's.
    match lchown(written, Some(theirs.uid()), Some(theirs.gid())) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(()),
        given => given,
    }
}
