//! The journal on a second path: every ledger entry and every fence once more,
//! outside of the databases, so that what was said and erased survives a
//! restore of the main database from an old backup.
//!
//! Bytes of the file: `"vernport journal v1\n"`, then frames; numbers high byte first:
//!
//! | Bytes | What |
//! |---|---|
//! | 4 | length of the row, at most [`MAX_ROW_BYTES`] |
//! | 32 | link: SHA-256 of the last link (before the first: of the line above) and the row |
//! | n | the row ([`Row`]) |
//!
//! Promises:
//! - Rows are only added, and are on the disk before [`Journal::append`] returns.
//! - A frame that a power cut tore at the end is cut off when the file is opened; it was
//!   never answered for. Any other broken frame is an error: somebody changed the file.
//! - What a row says is sealed under the master key, in the place that it has in the main database.

#[cfg(feature = "model")]
use crate::model;
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, BufReader, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use thiserror::Error;
use vernport_crypto::sha256;
use vernport_types::{ControllerId, EntryHash, UtcMicros};

const MAGIC: &[u8; 20] = b"vernport journal v1\n";
/// The longest row: more than the longest entry or list of fences takes.
pub const MAX_ROW_BYTES: usize = 1 << 20;
const HEAD_BYTES: usize = 36;
/// How often, and with which pause, the lock is asked for.
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// Why a journal cannot be used.
#[derive(Debug, Error)]
pub enum JournalError {
    /// The file cannot be read or written.
    #[error("{}: the journal cannot be read or written; check folder, owner and free space", .file.display())]
    File {
        /// Which file.
        file: PathBuf,
        /// What failed.
        source: io::Error,
    },
    /// Another process has it open.
    #[error("{}: another process writes this journal; give each central one of its own", .file.display())]
    Taken {
        /// Which file.
        file: PathBuf,
    },
    /// Not a journal, or changed by somebody.
    #[error("{}: broken at byte {offset}; restore the journal from its copy", .file.display())]
    Broken {
        /// Which file.
        file: PathBuf,
        /// Where the first broken frame begins.
        offset: u64,
    },
    /// A row that opens neither with the master key before nor with the new one.
    #[error(
        "{}: a row opens neither with the master key before nor with the new one; nothing was changed. Was the key \
         changed before without the journal? Then move it away, and let central write a new one from its ledger",
        .file.display()
    )]
    Sealed {
        /// Which file.
        file: PathBuf,
    },
    /// The row before could not be written; this one waits until the disk takes rows again.
    #[error("the writer of the journal ended; restart central")]
    Ended,
}

/// What a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowKind {
    /// A ledger entry: its JSON.
    Entry,
    /// Key epochs that an order to erase fenced: their ids.
    Fences,
    /// An era that began: its number, 4 bytes.
    Era,
}

/// A row.
///
/// Bytes: kind (1 entry, 2 fences, 3 era), 8 bytes of time, length and text of the controller,
/// 32 bytes of the entry, then what is sealed.
#[derive(Clone, PartialEq, Eq)]
pub struct Row {
    /// What it is about.
    pub kind: RowKind,
    /// When it was written.
    pub at: UtcMicros,
    /// Whose it is.
    pub controller: ControllerId,
    /// The entry, or the entry that ordered the erasure; zeros for an era.
    pub entry: EntryHash,
    pub(crate) sealed: Vec<u8>,
}

impl Row {
    pub(crate) fn entry(controller: ControllerId, entry: EntryHash, at: UtcMicros, sealed: Vec<u8>) -> Self {
        Self { kind: RowKind::Entry, at, controller, entry, sealed }
    }

    pub(crate) fn fences(controller: ControllerId, entry: EntryHash, at: UtcMicros, sealed: Vec<u8>) -> Self {
        Self { kind: RowKind::Fences, at, controller, entry, sealed }
    }

    pub(crate) fn era(controller: ControllerId, at: UtcMicros, sealed: Vec<u8>) -> Self {
        Self { kind: RowKind::Era, at, controller, entry: EntryHash::from_bytes([0; 32]), sealed }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let kind = match self.kind {
            RowKind::Entry => 1,
            RowKind::Fences => 2,
            RowKind::Era => 3,
        };
        let controller = self.controller.as_str().as_bytes();
        let length = u8::try_from(controller.len()).expect("a controller's id is short");
        let at = self.at.0.to_be_bytes();
        [&[kind][..], &at, &[length], controller, self.entry.as_bytes(), &self.sealed].concat()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (&kind, rest) = bytes.split_first()?;
        let kind = match kind {
            1 => RowKind::Entry,
            2 => RowKind::Fences,
            3 => RowKind::Era,
            _ => return None,
        };
        let (at, rest) = rest.split_first_chunk()?;
        let (&length, rest) = rest.split_first()?;
        let (controller, rest) = rest.split_at_checked(length.into())?;
        let (entry, sealed) = rest.split_first_chunk::<32>()?;
        Some(Self {
            kind,
            at: UtcMicros(i64::from_be_bytes(*at)),
            controller: std::str::from_utf8(controller).ok()?.parse().ok()?,
            entry: EntryHash::from_bytes(*entry),
            sealed: sealed.to_vec(),
        })
    }
}

/// A journal that is written to.
#[derive(Debug, Clone)]
pub struct Journal(Medium);

#[derive(Debug, Clone)]
enum Medium {
    File(Arc<Mutex<Writer>>),
    #[cfg(feature = "model")]
    Tape(Arc<model::Pen>),
}

#[cfg(feature = "model")]
impl From<Arc<model::Pen>> for Journal {
    fn from(pen: Arc<model::Pen>) -> Self {
        Self(Medium::Tape(pen))
    }
}

#[derive(Debug)]
struct Writer {
    path: PathBuf,
    file: File,
    link: [u8; 32],
    /// Where the last whole frame ends.
    end: u64,
    /// Frames that have to be written before anything is answered.
    waiting: Vec<Vec<u8>>,
}

impl Journal {
    /// Opens or makes a journal, and shows its rows. Blocks.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn open(path: &Path, row: impl FnMut(Row)) -> Result<Self, JournalError> {
        let broken = |source| JournalError::File { file: path.to_owned(), source };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(broken)?;
        lock(&file, path)?;
        let mut writer =
            Writer { path: path.to_owned(), file, link: sha256(MAGIC), end: 0, waiting: Vec::new() };
        if writer.file.metadata().map_err(broken)?.len() < MAGIC.len() as u64 {
            writer.begin().map_err(broken)?;
        }
        let (link, end) = scan(path, row)?;
        (writer.link, writer.end) = (link, end);
        writer.rewind().map_err(broken)?;
        Ok(Self(Medium::File(Arc::new(Mutex::new(writer)))))
    }

    /// Shows the rows of a journal that nobody need have open. Blocks.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn read(path: &Path, row: impl FnMut(Row)) -> Result<(), JournalError> {
        scan(path, row).map(drop)
    }

    /// Adds rows; they are on the disk when this returns, with all that waited before.
    pub(crate) async fn append(&self, rows: Vec<Vec<u8>>) -> Result<(), JournalError> {
        let writer = match &self.0 {
            Medium::File(writer) => Arc::clone(writer),
            #[cfg(feature = "model")]
            Medium::Tape(pen) => return pen.append(rows).await,
        };
        let written = tokio::task::spawn_blocking(move || write(&writer, rows));
        written.await.map_err(|_| JournalError::Ended)?
    }

    /// The same, for who may block.
    pub(crate) fn write(&self, rows: Vec<Vec<u8>>) -> Result<(), JournalError> {
        match &self.0 {
            Medium::File(writer) => write(writer, rows),
            #[cfg(feature = "model")]
            Medium::Tape(_) => Err(JournalError::Ended),
        }
    }
}

fn write(writer: &Mutex<Writer>, rows: Vec<Vec<u8>>) -> Result<(), JournalError> {
    let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
    writer.waiting.extend(rows);
    writer.write()
}

impl Writer {
    /// A file that a power cut left without its first line begins anew.
    fn begin(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.write_all(MAGIC)?;
        self.file.sync_all()?;
        // The name has to be on the disk, too.
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }

    /// Cuts off what is behind the last whole frame.
    fn rewind(&mut self) -> io::Result<()> {
        self.file.set_len(self.end)?;
        self.file.seek(SeekFrom::Start(self.end)).map(drop)
    }

    fn write(&mut self) -> Result<(), JournalError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let (mut link, mut bytes) = (self.link, Vec::new());
        for row in &self.waiting {
            link = next(&link, row);
            let length = u32::try_from(row.len()).expect("rows are bounded");
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(&link);
            bytes.extend_from_slice(row);
        }
        // After a failed write the place is not known: it is begun again at the last whole frame.
        let written =
            self.rewind().and_then(|()| self.file.write_all(&bytes)).and_then(|()| self.file.sync_data());
        written.map_err(|source| JournalError::File { file: self.path.clone(), source })?;
        self.link = link;
        self.end += bytes.len() as u64;
        self.waiting.clear();
        Ok(())
    }
}

/// Takes the journal for this process. One that is just ending is waited for.
pub(crate) fn lock(file: &File, path: &Path) -> Result<(), JournalError> {
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
            Err(TryLockError::Error(source)) => {
                return Err(JournalError::File { file: path.to_owned(), source });
            }
        }
    }
    Err(JournalError::Taken { file: path.to_owned() })
}

fn next(link: &[u8; 32], row: &[u8]) -> [u8; 32] {
    sha256(&[&link[..], row].concat())
}

/// Reads all frames; the last link and where the last whole frame ends.
pub(crate) fn scan(path: &Path, mut show: impl FnMut(Row)) -> Result<([u8; 32], u64), JournalError> {
    let file = |source| JournalError::File { file: path.to_owned(), source };
    let broken = |offset| JournalError::Broken { file: path.to_owned(), offset };
    let length = fs::metadata(path).map_err(file)?.len();
    let mut reader = BufReader::new(File::open(path).map_err(file)?);
    let mut magic = [0; MAGIC.len()];
    if length < MAGIC.len() as u64 {
        return Err(broken(0));
    }
    reader.read_exact(&mut magic).map_err(file)?;
    if magic != *MAGIC {
        return Err(broken(0));
    }
    let (mut link, mut at) = (sha256(MAGIC), MAGIC.len() as u64);
    loop {
        let left = length - at;
        if left < HEAD_BYTES as u64 {
            return Ok((link, at));
        }
        let mut head = [0; HEAD_BYTES];
        reader.read_exact(&mut head).map_err(file)?;
        let (size, said) = head.split_first_chunk::<4>().ok_or_else(|| broken(at))?;
        let size = u32::from_be_bytes(*size) as usize;
        let whole = (HEAD_BYTES + size) as u64;
        if size > MAX_ROW_BYTES {
            // Nothing can be behind a torn frame, so it is no longer than the longest one.
            return if left <= (HEAD_BYTES + MAX_ROW_BYTES) as u64 && is_empty(&mut reader).map_err(file)? {
                Ok((link, at))
            } else {
                Err(broken(at))
            };
        }
        if whole > left {
            return Ok((link, at));
        }
        let mut row = vec![0; size];
        reader.read_exact(&mut row).map_err(file)?;
        let follows = next(&link, &row);
        if follows[..] != *said {
            // The file may have grown before its bytes came.
            return if whole == left || is_empty(&mut reader).map_err(file)? {
                Ok((link, at))
            } else {
                Err(broken(at))
            };
        }
        show(Row::decode(&row).ok_or_else(|| broken(at))?);
        (link, at) = (follows, at + whole);
    }
}

/// Whether nothing but zeros follows: bytes that were never written.
fn is_empty(reader: &mut BufReader<File>) -> io::Result<bool> {
    let mut part = [0; 4096];
    loop {
        match reader.read(&mut part)? {
            0 => return Ok(true),
            n if part[..n].iter().any(|byte| *byte != 0) => return Ok(false),
            _ => {}
        }
    }
}
