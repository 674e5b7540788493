//! Tiles: 256 hashes in a row of the tree (C2SP tlog-tiles, "Merkle Tree", "Partial
//! Tiles", "Log entries"), where they lie in a folder, and the bundles of leaves.
//!
//! Level 0 holds hashes of leaves; each hash of a higher level is the root of a full
//! tile below. A tile of fewer than 256 hashes stands at the right edge only.

use crate::{Missing, Node, Nodes, node_hash};
use std::{collections::BTreeMap, fmt, str::FromStr};
use thiserror::Error;

/// How many hashes a full tile has.
pub const TILE_WIDTH: u64 = 256;
/// The highest level of a tree of 2⁶⁴ leaves.
const MAX_LEVEL: u8 = 7;
/// The longest entry in a bundle: its length has 16 bits.
const MAX_ENTRY_BYTES: usize = u16::MAX as usize;

/// One tile of hashes. Its text is its path below the log's folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    /// 0 over the leaves, at most 7.
    pub level: u8,
    /// How many tiles of this level stand left of it.
    pub index: u64,
    /// How many hashes it has, from 1 to 256.
    pub width: u16,
}

/// Bytes or a path that are no tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TileError {
    /// Not a path of tlog-tiles.
    #[error(
        "not the path of a tile: expected tile/<level>/<x000/...>/<000>, with .p/<width> where it is partial"
    )]
    Path,
    /// Another number of hashes.
    #[error("{found} bytes are no tile of {width} hashes")]
    Length {
        /// How many bytes there are.
        found: usize,
        /// How many hashes it should have.
        width: u16,
    },
    /// Not so many entries, or cut off.
    #[error("no bundle of {width} entries: entry {entry} is cut off, or something follows the last one")]
    Bundle {
        /// How many entries it should have.
        width: u16,
        /// The first that cannot be read.
        entry: usize,
    },
}

/// Tiles at hand, by level and index.
#[derive(Debug, Clone, Default)]
pub struct Tiles(BTreeMap<(u8, u64), Vec<[u8; 32]>>);

impl TileId {
    /// A full tile.
    pub const fn full(level: u8, index: u64) -> Self {
        Self { level, index, width: TILE_WIDTH as u16 }
    }

    /// Whether it has fewer than 256 hashes.
    pub const fn is_partial(&self) -> bool {
        (self.width as u64) < TILE_WIDTH
    }

    /// The path of the leaves under a tile of level 0: `tile/entries/...`.
    pub fn entries_path(&self) -> String {
        format!("tile/entries/{}", self.place())
    }

    /// Number and width: the number in groups of three digits, so that no folder holds more than a thousand.
    fn place(&self) -> String {
        let mut text = format!("{:03}", self.index % 1000);
        let mut left = self.index / 1000;
        while left > 0 {
            text = format!("x{:03}/{text}", left % 1000);
            left /= 1000;
        }
        if self.is_partial() { format!("{text}.p/{}", self.width) } else { text }
    }

    fn of_place(level: u8, place: &str) -> Option<Self> {
        let (number, width) = match place.split_once(".p/") {
            Some((number, width)) => {
                (number, decimal(width).filter(|width| (1..TILE_WIDTH).contains(width))?)
            }
            None => (place, TILE_WIDTH),
        };
        let mut groups = number.split('/').rev();
        let mut index = group(groups.next()?)?;
        let mut unit = 1_u64;
        for part in groups {
            unit = unit.checked_mul(1000)?;
            index = group(part.strip_prefix('x')?)?.checked_mul(unit)?.checked_add(index)?;
        }
        let id = Self { level, index, width: u16::try_from(width).ok()? };
        // One path a tile: no groups of zeros in front.
        (id.place() == place).then_some(id)
    }
}

impl fmt::Display for TileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tile/{}/{}", self.level, self.place())
    }
}

impl FromStr for TileId {
    type Err = TileError;

    fn from_str(path: &str) -> Result<Self, TileError> {
        let parts = path.strip_prefix("tile/").and_then(|rest| rest.split_once('/'));
        let (level, place) = parts.ok_or(TileError::Path)?;
        let level = decimal(level).and_then(|level| u8::try_from(level).ok()).ok_or(TileError::Path)?;
        if level > MAX_LEVEL {
            return Err(TileError::Path);
        }
        Self::of_place(level, place).ok_or(TileError::Path)
    }
}

/// Three digits.
fn group(text: &str) -> Option<u64> {
    (text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

/// A number without leading zeros or signs.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    plain.then(|| text.parse().ok())?
}

/// The tiles of the tree of `size` leaves, level by level from the leaves, the partial one last.
pub fn tiles_of(size: u64) -> impl Iterator<Item = TileId> {
    let rows = (0..=MAX_LEVEL).map(move |level| (level, size.checked_shr(8 * u32::from(level)).unwrap_or(0)));
    rows.take_while(|(_, hashes)| *hashes > 0).flat_map(|(level, hashes)| {
        let full = (0..hashes / TILE_WIDTH).map(move |index| TileId::full(level, index));
        let partial = Some(hashes % TILE_WIDTH).filter(|width| *width > 0);
        full.chain(partial.map(|width| TileId { level, index: hashes / TILE_WIDTH, width: width as u16 }))
    })
}

/// The hashes of a tile.
///
/// # Errors
/// [`TileError::Length`] for another number of them.
pub fn read_tile(width: u16, bytes: &[u8]) -> Result<Vec<[u8; 32]>, TileError> {
    match bytes.as_chunks() {
        (hashes, []) if hashes.len() == usize::from(width) => Ok(hashes.to_vec()),
        _ => Err(TileError::Length { found: bytes.len(), width }),
    }
}

/// The entries of a bundle: each after its length in 16 bits, big-endian.
///
/// # Errors
/// [`TileError::Bundle`].
pub fn read_bundle(width: u16, bytes: &[u8]) -> Result<Vec<&[u8]>, TileError> {
    let mut entries = Vec::new();
    let mut rest = bytes;
    for entry in 0..usize::from(width) {
        let broken = TileError::Bundle { width, entry };
        let (length, behind) = rest.split_first_chunk().ok_or(broken)?;
        let (one, behind) = behind.split_at_checked(u16::from_be_bytes(*length).into()).ok_or(broken)?;
        entries.push(one);
        rest = behind;
    }
    if rest.is_empty() { Ok(entries) } else { Err(TileError::Bundle { width, entry: width.into() }) }
}

/// The bundle of some entries, each at most 65 535 bytes long; what is longer is cut there.
pub fn write_bundle<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut bundle = Vec::new();
    for entry in entries {
        let entry = &entry[..entry.len().min(MAX_ENTRY_BYTES)];
        bundle.extend_from_slice(&(entry.len() as u16).to_be_bytes());
        bundle.extend_from_slice(entry);
    }
    bundle
}

impl Tiles {
    /// Takes a tile, in the place of a narrower one.
    pub fn insert(&mut self, level: u8, index: u64, hashes: Vec<[u8; 32]>) {
        let kept = self.0.entry((level, index)).or_default();
        if kept.len() < hashes.len() {
            *kept = hashes;
        }
    }

    /// The hashes of a tile, as many as there are.
    pub fn get(&self, level: u8, index: u64) -> Option<&[[u8; 32]]> {
        self.0.get(&(level, index)).map(Vec::as_slice)
    }
}

impl Nodes for Tiles {
    fn node(&self, node: Node) -> Result<[u8; 32], Missing> {
        let (level, height) = (node.height / 8, node.height % 8);
        // The hashes of the tile that the node spans.
        let count = 1_usize << height;
        let first = node.index << height;
        let (index, offset) = (first / TILE_WIDTH, (first % TILE_WIDTH) as usize);
        let width = (offset + count) as u16;
        let hashes = self.get(level, index).and_then(|tile| tile.get(offset..offset + count));
        hashes.map(tile_root).ok_or(Missing(TileId { level, index, width }))
    }
}

/// The root over hashes in a row whose number is a power of two: that of a full tile, which stands in the row above.
pub fn tile_root(hashes: &[[u8; 32]]) -> [u8; 32] {
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        row = row.as_chunks().0.iter().map(|[left, right]| node_hash(left, right)).collect();
    }
    row.first().copied().unwrap_or_else(crate::empty_root)
}
