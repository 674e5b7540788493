//! The right edge of a tree: all that is needed to append to it. One partial tile a
//! level, at most 8 × 255 hashes.

use crate::{TILE_WIDTH, TileId, empty_root, node_hash, tile_root};
use thiserror::Error;

/// The partial tiles of a tree, from level 0 up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edge {
    size: u64,
    levels: Vec<Vec<[u8; 32]>>,
}

/// Partial tiles that are not those of a tree of this size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the right edge of a tree of {size} leaves has {expected} hashes at level {level}, not {found}")]
pub struct EdgeError {
    /// How many leaves the tree has.
    pub size: u64,
    /// The first level that differs.
    pub level: usize,
    /// How many hashes there ought to be.
    pub expected: usize,
    /// How many there are.
    pub found: usize,
}

impl Edge {
    /// The edge of a tree of `size` leaves; `levels` are its partial tiles, empty ones too.
    ///
    /// # Errors
    /// [`EdgeError`] where a width does not fit the size.
    pub fn new(size: u64, levels: Vec<Vec<[u8; 32]>>) -> Result<Self, EdgeError> {
        for level in 0..8.max(levels.len()) {
            let row = u32::try_from(level).ok().and_then(|level| size.checked_shr(8 * level));
            let expected = (row.unwrap_or(0) % TILE_WIDTH) as usize;
            let found = levels.get(level).map_or(0, Vec::len);
            if expected != found {
                return Err(EdgeError { size, level, expected, found });
            }
        }
        Ok(Self { size, levels })
    }

    /// How many leaves the tree has.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends the hash of a leaf. `full` gets each tile that it completes, from level 0 up.
    pub fn push(&mut self, leaf: [u8; 32], full: impl FnMut(TileId, &[[u8; 32]])) {
        self.push_at(0, leaf, full);
        self.size = self.size.saturating_add(1);
    }

    /// Appends 256 leaves of which only the root of their tile is known. The tree has whole tiles only by then;
    /// else nothing happens.
    pub(crate) fn push_tile(&mut self, root: [u8; 32], full: impl FnMut(TileId, &[[u8; 32]])) {
        if self.size.is_multiple_of(TILE_WIDTH) {
            self.push_at(1, root, full);
            self.size = self.size.saturating_add(TILE_WIDTH);
        }
    }

    fn push_at(&mut self, lowest: usize, lowest_hash: [u8; 32], mut full: impl FnMut(TileId, &[[u8; 32]])) {
        let mut hash = lowest_hash;
        for level in lowest.. {
            self.levels.resize_with(self.levels.len().max(level + 1), Vec::new);
            let row = &mut self.levels[level];
            row.push(hash);
            if row.len() < TILE_WIDTH as usize {
                break;
            }
            let index = above(self.size, level);
            full(TileId::full(level as u8, index), row);
            hash = tile_root(row);
            row.clear();
        }
    }

    /// The partial tiles, from level 0 up; empty ones are left out.
    pub fn partial(&self) -> impl Iterator<Item = (TileId, &[[u8; 32]])> {
        self.levels.iter().enumerate().filter(|(_, row)| !row.is_empty()).map(|(level, row)| {
            let index = above(self.size, level);
            (TileId { level: level as u8, index, width: row.len() as u16 }, row.as_slice())
        })
    }

    /// The root of the tree.
    pub fn root(&self) -> [u8; 32] {
        let mut root = None;
        for row in &self.levels {
            // From the right: the smallest whole subtree first.
            let mut end = row.len();
            while end > 0 {
                let start = end & (end - 1);
                let subtree = tile_root(&row[start..end]);
                root = Some(root.map_or(subtree, |right| node_hash(&subtree, &right)));
                end = start;
            }
        }
        root.unwrap_or_else(empty_root)
    }
}

/// How many full tiles a level of a tree of `size` leaves has.
fn above(size: u64, level: usize) -> u64 {
    u32::try_from(8 * (level + 1)).ok().and_then(|bits| size.checked_shr(bits)).unwrap_or(0)
}
