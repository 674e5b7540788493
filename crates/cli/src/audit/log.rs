//! A log wherever it lies: in exported files, in a spool, in central's database.

use super::{Unreadable, read};
use crate::args::LogPlace;
use std::path::{Path, PathBuf};
use vernport_audit::{Missing, SignedCheckpoint, TILE_WIDTH, TileId, Tiles, leaf_hash, read_bundle};
use vernport_spool::{Inspect, Leaves};
use vernport_store::{Look, StoreError};

/// An open log.
pub(crate) enum Log {
    /// Files as tlog-tiles lays them out, and all checkpoints beside.
    Folder { folder: PathBuf, size: u64 },
    /// A gateway's spool.
    Spool { inside: Box<Inspect>, path: PathBuf },
    /// Central's database.
    Central { look: Box<Look> },
}

/// The leaves under one tile as they are stored.
pub(crate) enum Stored {
    /// All of them, in order.
    Whole(Vec<Vec<u8>>),
    /// They do not read, are too few, or have gaps.
    Broken,
}

impl Log {
    pub(crate) async fn open(place: &LogPlace) -> Result<Self, Unreadable> {
        let path = Path::new(&place.log);
        if path.is_dir() {
            return Self::open_folder(path);
        }
        if path.is_file() {
            let spool = |source: Box<dyn std::error::Error + Send + Sync>| Unreadable::Spool {
                path: path.into(),
                source,
            };
            let inside = Inspect::open(path).await.map_err(|error| spool(error.into()))?;
            return Ok(Self::Spool { inside: Box::new(inside), path: path.into() });
        }
        if place.log.contains("://") || place.log.starts_with("sqlite:") {
            let Some(controller) = &place.controller else {
                return Err(Unreadable::Typed("--controller: say whose log in central's database".into()));
            };
            let look = Look::open(&place.log, controller.clone()).await.map_err(store)?;
            return Ok(Self::Central { look: Box::new(look) });
        }
        let text =
            format!("{}: neither a folder with a log, nor a spool, nor the URL of a database", place.log);
        Err(Unreadable::Typed(text))
    }

    fn open_folder(folder: &Path) -> Result<Self, Unreadable> {
        let mut size = 0;
        for note in folder_checkpoints(folder)? {
            // What is no checkpoint is named by whoever reads them all.
            size = size.max(size_of(&note).unwrap_or(0));
        }
        Ok(Self::Folder { folder: folder.into(), size })
    }

    pub(crate) async fn size(&mut self) -> Result<u64, Unreadable> {
        match self {
            Self::Folder { size, .. } => Ok(*size),
            Self::Spool { inside, path } => inside.size().await.map_err(|error| spool(path, error)),
            Self::Central { look } => Ok(look.log().await.map_err(store)?.map_or(0, |(_, size)| size)),
        }
    }

    /// How many full tiles of level 0 ought to be stored; central makes them when somebody asks.
    pub(crate) async fn stored_tiles(&mut self) -> Result<u64, Unreadable> {
        match self {
            Self::Central { look } => look.kept_tiles().await.map_err(store),
            _ => Ok(self.size().await? / TILE_WIDTH),
        }
    }

    /// How many tiles at the front have no leaves any more.
    pub(crate) async fn pruned_tiles(&mut self) -> Result<u64, Unreadable> {
        match self {
            Self::Folder { folder, size } => {
                let there = |number: &u64| {
                    let id = TileId::full(0, *number);
                    folder.join(id.to_string()).exists() || folder.join(id.entries_path()).exists()
                };
                let tiles = *size / TILE_WIDTH;
                Ok((0..tiles).find(there).unwrap_or(if *size == 0 { 0 } else { tiles }))
            }
            Self::Spool { inside, path } => inside.pruned_tiles().await.map_err(|error| spool(path, error)),
            Self::Central { .. } => Ok(0),
        }
    }

    /// The stored bytes of a tile.
    pub(crate) async fn tile(&mut self, id: TileId) -> Result<Option<Vec<u8>>, Unreadable> {
        match self {
            Self::Folder { folder, .. } => optional(&folder.join(id.to_string())),
            Self::Spool { inside, path } => {
                inside.tile(id.level, id.index).await.map_err(|error| spool(path, error))
            }
            Self::Central { look } => look.tile(id.level, id.index).await.map_err(store),
        }
    }

    /// The leaves under a tile of level 0.
    pub(crate) async fn leaves(&mut self, id: TileId) -> Result<Stored, Unreadable> {
        let width = id.width;
        let bundle = match self {
            Self::Folder { folder, .. } => optional(&folder.join(id.entries_path()))?,
            Self::Spool { inside, path } => {
                match inside.leaves(id.index).await.map_err(|error| spool(path, error))? {
                    Leaves::Bundle(bundle) => Some(bundle),
                    Leaves::Rows(rows) => return Ok(of_rows(id, rows)),
                }
            }
            Self::Central { look } => return Ok(of_rows(id, look.leaves(id.index).await.map_err(store)?)),
        };
        let entries = bundle.as_ref().and_then(|bundle| read_bundle(width, bundle).ok());
        let whole = entries.map(|entries| Stored::Whole(entries.into_iter().map(<[u8]>::to_vec).collect()));
        Ok(whole.unwrap_or(Stored::Broken))
    }

    /// All checkpoints that are kept: signed notes.
    pub(crate) async fn checkpoints(&mut self) -> Result<Vec<String>, Unreadable> {
        match self {
            Self::Folder { folder, .. } => folder_checkpoints(folder),
            Self::Spool { inside, path } => {
                let kept = inside.checkpoints().await.map_err(|error| spool(path, error))?;
                Ok(kept.into_iter().map(|kept| kept.note).collect())
            }
            Self::Central { look } => look.checkpoints().await.map_err(store),
        }
    }

    /// Closes what it lies in.
    pub(crate) async fn close(self) {
        match self {
            Self::Folder { .. } => {}
            Self::Spool { inside, .. } => inside.close().await,
            Self::Central { look } => look.close().await,
        }
    }

    /// Asks the tree something, bringing each tile that it needs.
    pub(crate) async fn ask<T>(
        &mut self,
        question: impl Fn(&Tiles) -> Result<T, Missing>,
    ) -> Result<T, Unreadable> {
        let mut tiles = Tiles::default();
        loop {
            let Missing(id) = match question(&tiles) {
                Ok(answer) => return Ok(answer),
                Err(missing) => missing,
            };
            let size = self.size().await?;
            // As wide as it is stored.
            let width = (size.checked_shr(8 * u32::from(id.level)).unwrap_or(0))
                .saturating_sub(id.index * TILE_WIDTH);
            let stored = TileId { width: width.min(TILE_WIDTH) as u16, ..id };
            let mut hashes = self.tile(stored).await?.map(|bytes| bytes.as_chunks().0.to_vec());
            if hashes.is_none()
                && id.level == 0
                && let Stored::Whole(leaves) = self.leaves(stored).await?
            {
                hashes = Some(leaves.iter().map(|leaf| leaf_hash(leaf)).collect());
            }
            match hashes.filter(|hashes| hashes.len() >= usize::from(id.width)) {
                Some(hashes) => tiles.insert(id.level, id.index, hashes),
                None => return Err(Unreadable::Typed(format!("{stored} is missing or not kept any more"))),
            }
        }
    }
}

/// Leaves out of rows with their numbers, of which none may be missing.
fn of_rows(id: TileId, rows: Vec<(u64, Vec<u8>)>) -> Stored {
    let numbers = (id.index * TILE_WIDTH..).take(id.width.into());
    let whole = rows.len() == usize::from(id.width)
        && rows.iter().zip(numbers).all(|((number, _), expected)| *number == expected);
    if whole { Stored::Whole(rows.into_iter().map(|(_, leaf)| leaf).collect()) } else { Stored::Broken }
}

/// How many leaves a note says that there are; nothing is checked.
pub(crate) fn size_of(note: &str) -> Option<u64> {
    SignedCheckpoint::origin_of(note.as_bytes()).ok()?;
    note.lines().nth(1)?.parse().ok()
}

fn folder_checkpoints(folder: &Path) -> Result<Vec<String>, Unreadable> {
    let mut paths = vec![folder.join("checkpoint")];
    let others = folder.join("checkpoints");
    if others.is_dir() {
        let unread = |source| Unreadable::File { path: others.clone(), source };
        for entry in std::fs::read_dir(&others).map_err(unread)? {
            paths.push(entry.map_err(unread)?.path());
        }
    }
    paths.sort();
    paths.iter().map(|path| read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())).collect()
}

fn store(error: StoreError) -> Unreadable {
    Unreadable::Store(error.into())
}

fn optional(path: &Path) -> Result<Option<Vec<u8>>, Unreadable> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Unreadable::File { path: path.into(), source }),
    }
}

fn spool(path: &Path, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Unreadable {
    Unreadable::Spool { path: path.into(), source: error.into() }
}
