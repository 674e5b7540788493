//! The evidence log: salted leaves in an append-only Merkle tree, its tiles, signed
//! checkpoints, and what one log's keeper asks of another's. Pure.
//!
//! | Part | After |
//! |---|---|
//! | [`leaf`](Leaf) | ours: kind, salt, commitment; never a value |
//! | [`tree`](Proof) | RFC 6962, 2.1: hashes, inclusion and consistency; checked as in RFC 9162, 2.1.3.2 and 2.1.4.2 |
//! | [`tile`](TileId) | C2SP tlog-tiles: tiles of 256 hashes, partial ones, entry bundles, their paths |
//! | [`note`](Note) | C2SP signed-note: keys, key ids, signatures of kind 01 |
//! | [`checkpoint`](Checkpoint) | C2SP tlog-checkpoint, and cosignatures of kind 04 after tlog-cosignature |
//! | [`proof_file`](ProofFile) | C2SP tlog-proof: one leaf, provable without the log |
//! | [`witness`](advance) | what C2SP tlog-witness checks before it cosigns |
//!
//! Promises:
//! - Foreign bytes never panic here and never make room by a length they claim: notes, proofs, tiles
//!   and bundles have bounds that stand beside their parsers.
//! - Nothing is cosigned that was not proven to hold all that was cosigned before.
//! - A leaf says *that* something was, to whoever holds the thing itself, and nothing to anybody else.

mod checkpoint;
mod counts;
mod edge;
mod leaf;
mod log;
mod note;
mod origin;
mod proof_file;
mod tile;
mod tree;
mod witness;

pub use checkpoint::{Checkpoint, CheckpointError, SignedCheckpoint};
pub use counts::{Count, Counts, CountsError};
pub use edge::{Edge, EdgeError};
pub use leaf::{LEAF_BYTES, Leaf, LeafError, LeafKind};
pub use log::{Finding, LogCheck, check_tile};
pub use note::{KeyKind, MAX_NOTE_BYTES, MAX_SIGNATURES, Note, NoteError, NoteKey, NoteKeyError};
pub use origin::Keeper;
pub use proof_file::{ProofFile, ProofFileError};
pub use tile::{
    TILE_WIDTH, TileError, TileId, Tiles, read_bundle, read_tile, tile_root, tiles_of, write_bundle,
};
pub use tree::{
    MAX_PROOF_HASHES, Missing, Node, Nodes, Proof, ProofError, consistency, empty_root, inclusion, leaf_hash,
    node_hash, root,
};
pub use witness::{Advance, Broken, advance};
