//! Room that is kept back on the disk, so that settling works when the disk is full.
//!
//! SQLite needs room in its log even to delete. The reserve is a file of
//! zeros beside the database, really written; it is emptied when settling finds no
//! room, and written again afterwards. While it is not whole no unit is queued:
//! what little room there is belongs to withdrawals.

use std::{
    fs::File,
    io::{self, Write as _},
    path::PathBuf,
};

static CHUNK: [u8; 64 << 10] = [0; 64 << 10];

/// The reserve file.
#[derive(Debug)]
pub(crate) struct Reserve {
    path: PathBuf,
    bytes: u64,
    whole: bool,
}

impl Reserve {
    /// Takes over or writes the reserve. A reserve that cannot be written is no error here: the spool
    /// opens, settles, and queues nothing.
    pub(crate) fn open(path: PathBuf, bytes: u64) -> Self {
        let whole = std::fs::metadata(&path).is_ok_and(|file| file.len() == bytes);
        let mut reserve = Self { path, bytes, whole };
        if let Err(error) = reserve.restore() {
            tracing::warn!(%error, "the spool's reserve could not be written: nothing is queued until it can");
        }
        reserve
    }

    /// Whether all of it is on the disk.
    pub(crate) fn is_whole(&self) -> bool {
        self.whole
    }

    /// How many bytes it has when it is whole.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Gives the room free.
    pub(crate) fn release(&mut self) -> io::Result<()> {
        self.whole = false;
        File::create(&self.path)?.sync_all()
    }

    /// Writes it again, if it is not whole; on failure gives back what it took.
    pub(crate) fn restore(&mut self) -> io::Result<()> {
        if self.whole {
            return Ok(());
        }
        let written = self.write();
        if written.is_err() {
            // The room serves settling better than half a reserve does.
            let _ = self.release();
        }
        self.whole = written.is_ok();
        written
    }

    fn write(&self) -> io::Result<()> {
        let mut file = File::create(&self.path)?;
        let mut left = self.bytes;
        while left > 0 {
            let part = left.min(CHUNK.len() as u64);
            // `part` is at most the length of the chunk, so it fits.
            file.write_all(&CHUNK[..part as usize])?;
            left -= part;
        }
        file.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_takes_its_room_gives_it_free_and_takes_it_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("r");
        let length = || std::fs::metadata(&path).expect("the file is there").len();
        let mut reserve = Reserve::open(path.clone(), 100_000);
        assert!(reserve.is_whole());
        assert_eq!(length(), 100_000);
        reserve.release().expect("truncates");
        assert!(!reserve.is_whole());
        assert_eq!(length(), 0);
        reserve.restore().expect("writes");
        assert!(reserve.is_whole());
        assert_eq!(length(), 100_000);
        // A torn write of an earlier run is found out by its length.
        File::options().write(true).open(&path).and_then(|file| file.set_len(5)).expect("truncates");
        assert!(Reserve::open(path.clone(), 100_000).is_whole());
        assert_eq!(length(), 100_000);
    }
}
