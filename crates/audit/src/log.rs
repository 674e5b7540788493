//! Goes over a whole log, tile by tile: leaves against tiles, tiles against the row
//! above, roots against every checkpoint that was signed; and names what does not fit.

use crate::{Checkpoint, Edge, Leaf, TILE_WIDTH, TileId, leaf_hash, read_tile};
use serde::Serialize;
use std::{collections::BTreeMap, fmt};

/// Something in a log that is not as it was signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum Finding {
    /// A leaf that does not read.
    LeafUnreadable {
        /// Its place, from 0.
        index: u64,
    },
    /// A leaf that is another than the tile over it says.
    LeafChanged {
        /// Its place, from 0.
        index: u64,
    },
    /// Leaves that ought to be there.
    LeavesMissing {
        /// The first.
        from: u64,
        /// The one after the last.
        until: u64,
    },
    /// A full tile that is not there.
    TileMissing {
        /// Its path.
        tile: String,
    },
    /// A tile of another length.
    TileCut {
        /// Its path.
        tile: String,
        /// How many bytes it has.
        bytes: usize,
    },
    /// A tile whose hash is another than what lies below it.
    TileChanged {
        /// Its path.
        tile: String,
        /// The first of its hashes that differs.
        hash: usize,
    },
    /// A checkpoint that was signed over other leaves.
    CheckpointOtherRoot {
        /// How many leaves it is for.
        size: u64,
        /// How many leaves the last checkpoint before it has that fits: what was changed stands behind them.
        fits_until: u64,
    },
    /// A checkpoint that was signed over more leaves than there are.
    CheckpointBeyond {
        /// How many leaves it is for.
        size: u64,
        /// How many there are.
        leaves: u64,
    },
}

/// A walk over one log.
#[derive(Debug, Clone, Default)]
pub struct LogCheck {
    edge: Edge,
    /// Roots that were signed, by size.
    signed: BTreeMap<u64, Vec<[u8; 32]>>,
    fits_until: u64,
    upper: Vec<(TileId, Vec<[u8; 32]>)>,
    findings: Vec<Finding>,
}

impl LogCheck {
    /// Begins; the signatures of the checkpoints were checked.
    pub fn new<'a>(checkpoints: impl IntoIterator<Item = &'a Checkpoint>) -> Self {
        let mut check = Self::default();
        for checkpoint in checkpoints {
            check.signed.entry(checkpoint.size).or_default().push(checkpoint.root);
        }
        check.compare();
        check
    }

    /// How many leaves were gone over.
    pub const fn size(&self) -> u64 {
        self.edge.size()
    }

    /// The next 256 leaves are not kept any more; this is the root of their tile, out of the row above. Checkpoints
    /// inside of them cannot be compared.
    pub fn pruned(&mut self, root: [u8; 32]) {
        let (end, upper) = (self.edge.size() + TILE_WIDTH, &mut self.upper);
        self.edge.push_tile(root, |id, hashes| upper.push((id, hashes.to_vec())));
        self.signed.retain(|size, _| *size >= end);
        self.compare();
    }

    /// The next leaves, at most 256, and the tile that was stored over them; a partial one need not be.
    ///
    /// Where both are there and differ, the tile is believed: it is what later roots are made of, so that
    /// these tell which of the two was changed.
    pub fn tile(&mut self, leaves: &[impl AsRef<[u8]>], stored: Option<&[u8]>) {
        let start = self.edge.size();
        let id = TileId { width: leaves.len().min(256) as u16, ..TileId::full(0, start / TILE_WIDTH) };
        let mut hashes: Vec<_> = leaves.iter().map(|leaf| leaf_hash(leaf.as_ref())).collect();
        for (leaf, index) in leaves.iter().zip(start..) {
            if Leaf::from_bytes(leaf.as_ref()).is_err() {
                self.findings.push(Finding::LeafUnreadable { index });
            }
        }
        match stored.map(|bytes| (bytes, read_tile(id.width, bytes))) {
            None if id.is_partial() => {}
            None => self.findings.push(Finding::TileMissing { tile: id.to_string() }),
            Some((bytes, Err(_))) => {
                self.findings.push(Finding::TileCut { tile: id.to_string(), bytes: bytes.len() });
            }
            Some((_, Ok(tile))) => {
                let changed = tile.iter().zip(&hashes).zip(start..).filter(|((a, b), _)| a != b);
                self.findings.extend(changed.map(|(_, index)| Finding::LeafChanged { index }));
                hashes = tile;
            }
        }
        self.push(&hashes);
    }

    /// The leaves up to `until` are missing; as far as their tile is there, the walk goes on with it.
    pub fn missing(&mut self, until: u64, stored: Option<&[u8]>) {
        let from = self.edge.size();
        self.findings.push(Finding::LeavesMissing { from, until });
        let width = u16::try_from(until - from).unwrap_or(u16::MAX);
        if let Some(hashes) = stored.and_then(|bytes| read_tile(width, bytes).ok()) {
            self.push(&hashes);
        }
    }

    /// The tiles above level 0 so far, the partial ones last, to be held against what was stored.
    pub fn upper(&self) -> impl Iterator<Item = (TileId, &[[u8; 32]])> {
        let full = self.upper.iter().map(|(id, hashes)| (*id, hashes.as_slice()));
        full.chain(self.edge.partial().filter(|(id, _)| id.level > 0))
    }

    /// Ends the walk: all that was found.
    pub fn finish(mut self) -> Vec<Finding> {
        let leaves = self.edge.size();
        let beyond = self.signed.keys().map(|size| Finding::CheckpointBeyond { size: *size, leaves });
        self.findings.extend(beyond);
        self.findings
    }

    fn push(&mut self, hashes: &[[u8; 32]]) {
        for hash in hashes {
            let upper = &mut self.upper;
            self.edge.push(*hash, |id, hashes| {
                if id.level > 0 {
                    upper.push((id, hashes.to_vec()));
                }
            });
            self.compare();
        }
    }

    /// Holds the root against what was signed for this size.
    fn compare(&mut self) {
        let size = self.edge.size();
        let Some(signed) = self.signed.remove(&size) else { return };
        let root = self.edge.root();
        if signed.iter().all(|signed| *signed == root) {
            self.fits_until = size;
        } else {
            self.findings.push(Finding::CheckpointOtherRoot { size, fits_until: self.fits_until });
        }
    }
}

/// Holds a tile above level 0 against what was stored.
pub fn check_tile(id: TileId, expected: &[[u8; 32]], stored: Option<&[u8]>) -> Option<Finding> {
    let tile = id.to_string();
    let Some(bytes) = stored else { return Some(Finding::TileMissing { tile }) };
    match read_tile(id.width, bytes) {
        Err(_) => Some(Finding::TileCut { tile, bytes: bytes.len() }),
        Ok(found) => {
            let hash = found.iter().zip(expected).position(|(a, b)| a != b)?;
            Some(Finding::TileChanged { tile, hash })
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeafUnreadable { index } => write!(f, "leaf {index} does not read"),
            Self::LeafChanged { index } => {
                write!(f, "leaf {index} is not the one that its tile was made over")
            }
            Self::LeavesMissing { from, until } => write!(f, "leaves {from} to {} are missing", until - 1),
            Self::TileMissing { tile } => write!(f, "{tile} is missing"),
            Self::TileCut { tile, bytes } => write!(f, "{tile} is cut: it has {bytes} bytes"),
            Self::TileChanged { tile, hash } => {
                write!(f, "{tile} was changed: its hash {hash} is another than what lies below it")
            }
            Self::CheckpointOtherRoot { size, fits_until } => write!(
                f,
                "the checkpoint of {size} leaves was signed over others: something behind leaf {fits_until} was changed afterwards"
            ),
            Self::CheckpointBeyond { size, leaves } => write!(
                f,
                "a checkpoint of {size} leaves was signed, and there are {leaves}: the log was cut or set back to an older copy"
            ),
        }
    }
}
