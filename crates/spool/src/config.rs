//! What the spool is told at its opening.

use std::path::PathBuf;

/// Where the spool lies and how much it may hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The database file. Beside it lie `<path>-wal`, `<path>-shm`,
    /// `<path>.lock` and `<path>.reserve`. The folder must exist.
    pub path: PathBuf,
    /// How many bytes may wait: sealed bytes and [`ROW_BYTES`](Self::ROW_BYTES) for each
    /// row, parked and quarantined ones included. At the bound units whose source can
    /// wait are refused; those of a live bus make others give way.
    pub max_bytes: u64,
    /// How long anything may wait, in seconds, unless it is parked: then it is destroyed as if there were no room.
    pub max_age_seconds: u64,
    /// How many bytes of disk are kept back, written out, for settling on a full
    /// disk. At least [`MIN_RESERVE_BYTES`](Self::MIN_RESERVE_BYTES).
    pub reserve_bytes: u64,
    /// How large the database file may become, in bytes; a second line behind `max_bytes` that
    /// holds for leaves, notes and indexes too.
    pub max_file_bytes: u64,
    /// Of how many full tiles of the evidence log, 256 leaves each, leaves and hashes are kept; at least 1.
    /// Older ones go, the tree above them stays.
    pub log_tiles: u64,
}

impl Config {
    /// What one row counts for beside its sealed bytes, in bytes.
    pub const ROW_BYTES: u64 = 300;
    /// The least reserve, in bytes: enough to delete one envelope of the largest
    /// size, page by page, twice.
    pub const MIN_RESERVE_BYTES: u64 = 4 << 20;

    /// The longest wait unless another is given, in seconds: 30 days.
    pub const MAX_AGE_SECONDS: u64 = 30 * 86_400;
    /// What is kept of the evidence log unless said otherwise: 524 288 leaves, a year at one a minute.
    pub const LOG_TILES: u64 = 2048;
    /// What a tile and its leaves take in the file, in bytes, with what SQLite adds.
    pub const TILE_BYTES: u64 = 24 << 10;

    /// A spool of `max_bytes` with the longest wait, the least reserve and a file of at most twice the
    /// bound, 64 MiB and the evidence log.
    pub fn new(path: impl Into<PathBuf>, max_bytes: u64) -> Self {
        Self {
            path: path.into(),
            max_bytes,
            max_age_seconds: Self::MAX_AGE_SECONDS,
            reserve_bytes: Self::MIN_RESERVE_BYTES,
            max_file_bytes: max_bytes
                .saturating_mul(2)
                .saturating_add((64 << 20) + Self::LOG_TILES * Self::TILE_BYTES),
            log_tiles: Self::LOG_TILES,
        }
    }
}
