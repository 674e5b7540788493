//! The evidence log: leaves by number, and whatever follows from them; what was seen of
//! gateways' logs; the view of whoever checks.

use super::{Session, tables::Tables};
use crate::{
    LogHead, Recorded, StoreError, Things, Witnessed, batch::commit_subject, evidence::MAX_CHECKPOINTS,
    look::commits,
};
use std::iter::successors;
use vernport_audit::{
    LEAF_BYTES, Leaf, LeafKind, Missing, TILE_WIDTH, TileId, Tiles, leaf_hash, root, tile_root,
};
use vernport_types::{ControllerId, Slug, UtcMicros};

/// How many rows a look shows at a time.
const ROWS: usize = 256;

impl Session {
    pub(crate) async fn log_head(&self, controller: &ControllerId) -> Result<LogHead, StoreError> {
        let mut tables = self.reading("log_head", controller).await?;
        // Most often there is nothing to do, and nobody has to wait for it.
        if tables.log.is_none() || tables.tiles < tables.leaves.len() as u64 / TILE_WIDTH {
            let mut write = self.writing("log_head", controller).await?;
            write.tables.begin_log();
            write.tables.tiles = write.tables.leaves.len() as u64 / TILE_WIDTH;
            tables = write.tables.clone();
            write.commit().await?;
        }
        let (name, size) = (tables.log.unwrap_or_default(), tables.leaves.len() as u64);
        let root = tables.ask_log(|tiles| root(size, tiles))?;
        Ok(LogHead { name, size, root })
    }

    pub(crate) async fn ask_log<T>(
        &self,
        controller: &ControllerId,
        question: impl Fn(&Tiles) -> Result<T, Missing>,
    ) -> Result<T, StoreError> {
        self.reading("ask_log", controller).await?.ask_log(question)
    }

    pub(crate) async fn keep_log_checkpoint(
        &self,
        controller: &ControllerId,
        size: u64,
        note: &str,
    ) -> Result<(), StoreError> {
        let mut write = self.writing("keep_log_checkpoint", controller).await?;
        write.tables.checkpoints.entry(size).or_insert_with(|| note.to_owned());
        while write.tables.checkpoints.len() > MAX_CHECKPOINTS.into() {
            write.tables.checkpoints.pop_first();
        }
        write.commit().await
    }

    pub(crate) async fn witness<T>(
        &self,
        controller: &ControllerId,
        gateway: &Slug,
        _now: UtcMicros,
        decide: impl FnOnce(&mut Witnessed) -> T + Send,
    ) -> Result<T, StoreError> {
        let mut write = self.writing("witness", controller).await?;
        let before = write.tables.witnessed.get(gateway).cloned().unwrap_or_default();
        let mut known = before.clone();
        let decided = decide(&mut known);
        if known != before {
            write.tables.witnessed.insert(gateway.clone(), known);
        }
        write.commit().await?;
        Ok(decided)
    }

    pub(crate) async fn log_alarms(&self, controller: &ControllerId) -> Result<(u64, u64), StoreError> {
        let tables = self.reading("log_alarms", controller).await?;
        let stands = |known: &&Witnessed| known.alarm.is_some() || known.central_alarm.is_some();
        let standing = tables.witnessed.values().filter(stands).count();
        Ok((tables.witnessed.values().map(|known| known.alarms).sum(), standing as u64))
    }
}

/// One moment of the log, as [`crate::Look`] shows it.
impl Tables {
    pub(crate) fn log(&self) -> Option<([u8; 8], u64)> {
        Some((self.log?, self.leaves.len() as u64))
    }

    pub(crate) fn kept_tiles(&self) -> u64 {
        self.tiles
    }

    pub(crate) fn tile(&self, level: u8, number: u64) -> Option<Vec<u8>> {
        let hashes = self.hashes(level, number);
        (!hashes.is_empty()).then(|| hashes.concat())
    }

    pub(crate) fn leaves(&self, number: u64) -> Vec<(u64, Vec<u8>)> {
        let first = number.saturating_mul(TILE_WIDTH);
        let under = self.leaves.range(first..first.saturating_add(TILE_WIDTH));
        under.map(|(number, (_, leaf))| (*number, leaf.to_vec())).collect()
    }

    pub(crate) fn checkpoints(&self) -> Vec<String> {
        self.checkpoints.values().cloned().collect()
    }

    pub(crate) fn alarms(&self) -> Vec<(String, Option<String>, Option<String>)> {
        let stands = |known: &Witnessed| known.alarm.is_some() || known.central_alarm.is_some();
        let standing = self.witnessed.iter().filter(|(_, known)| stands(known));
        let row = |(gateway, known): (&Slug, &Witnessed)| {
            (gateway.as_str().to_owned(), known.alarm.clone(), known.central_alarm.clone())
        };
        standing.map(row).collect()
    }

    pub(crate) fn recorded(&self, what: Things, after: i64) -> Vec<Recorded> {
        // A log without its first leaf proves nothing for anything.
        let after = after.max(self.leaves.get(&0).map_or(0, |(position, _)| *position) - 1);
        let behind = |position: &&i64| **position > after;
        let recorded = |position: &i64, name: String, kind: LeafKind, subject: &[u8]| {
            let leaf = self.leaf_at(*position).map(<[u8]>::to_vec);
            Recorded { position: *position, name, has_evidence: commits(leaf, kind, subject) }
        };
        let entry = |position: &i64| {
            let name = format!("ledger entry at position {position}");
            recorded(position, name, LeafKind::Entry, self.entries[position].entry.as_bytes())
        };
        let batch = |position: &i64| {
            let id = self.batches[position].batch;
            let subject = self.seen.get(&id).map(|hash| commit_subject(id, hash)).unwrap_or_default();
            recorded(position, format!("batch {id}"), LeafKind::Commit, &subject)
        };
        let read = |position: &i64| {
            let name = format!("read at position {position}");
            recorded(position, name, LeafKind::Read, &self.reads[position].subject())
        };
        match what {
            Things::Entries => self.entries.keys().filter(behind).take(ROWS).map(entry).collect(),
            Things::Batches => self.batches.keys().filter(behind).take(ROWS).map(batch).collect(),
            Things::Reads => self.reads.keys().filter(behind).take(ROWS).map(read).collect(),
        }
    }

    pub(crate) fn orphans(&self, after: i64) -> Vec<(u64, LeafKind)> {
        let is_there = |position: &i64| {
            self.entries.contains_key(position)
                || self.reads.contains_key(position)
                || self.batches.contains_key(position)
        };
        let first = u64::try_from(after.saturating_add(1)).unwrap_or(0);
        let orphans = self.leaves.range(first..).filter(|(_, (position, _))| !is_there(position));
        let kind = |(number, (_, leaf)): (&u64, &(i64, [u8; LEAF_BYTES]))| {
            Some((*number, Leaf::from_bytes(leaf).ok()?.kind()))
        };
        orphans.take(ROWS).filter_map(kind).collect()
    }
}

impl Tables {
    fn leaf_at(&self, position: i64) -> Option<&[u8]> {
        let mut leaves = self.leaves.values();
        leaves.find(|(of, _)| *of == position).map(|(_, leaf)| &leaf[..])
    }

    /// The hashes of a tile that somebody asked for, as far as there are any: of leaves, or roots of
    /// the full tiles below.
    fn hashes(&self, level: u8, number: u64) -> Vec<[u8; 32]> {
        let Some(below) = level.checked_sub(1) else {
            return if number < self.tiles { self.leaf_hashes(number) } else { Vec::new() };
        };
        let first = number.saturating_mul(TILE_WIDTH);
        let tiles = successors(Some(first), |tile| tile.checked_add(1)).take(ROWS);
        let full = tiles.map(|tile| self.hashes(below, tile)).take_while(|hashes| hashes.len() == ROWS);
        full.map(|hashes| tile_root(&hashes)).collect()
    }

    fn leaf_hashes(&self, number: u64) -> Vec<[u8; 32]> {
        self.leaves(number).iter().map(|(_, leaf)| leaf_hash(leaf)).collect()
    }

    fn ask_log<T>(&self, question: impl Fn(&Tiles) -> Result<T, Missing>) -> Result<T, StoreError> {
        let mut tiles = Tiles::default();
        loop {
            let Missing(TileId { level, index, width }) = match question(&tiles) {
                Ok(answer) => return Ok(answer),
                Err(missing) => missing,
            };
            let hashes = if level == 0 { self.leaf_hashes(index) } else { self.hashes(level, index) };
            if hashes.len() < width.into() {
                return Err(StoreError::Row { table: "evidence_tile" });
            }
            tiles.insert(level, index, hashes);
        }
    }
}
