//! The tree of RFC 6962, section 2.1: hashes and both kinds of proof, made from
//! whole subtrees and checked from foreign hashes.
//!
//! Making a proof asks [`Nodes`] for whole subtrees; what is not at hand is named by
//! [`Missing`], so that the caller brings it and asks again. Checking is after
//! RFC 9162, 2.1.3.2 and 2.1.4.2 (the trees are the same), takes any bytes and never panics.

use crate::TileId;
use thiserror::Error;
use vernport_crypto::sha256;

/// The longest proof that is read: a tree of 2⁶⁴ leaves has no longer one (tlog-witness: at most 63).
pub const MAX_PROOF_HASHES: usize = 63;

/// A whole subtree: 2^`height` leaves, the `index`-th of them from the left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    /// Levels of the tree above the leaves, at most 63.
    pub height: u8,
    /// How many subtrees of this height stand left of it.
    pub index: u64,
}

/// A tile that has to be at hand first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("tile {0} is not there")]
pub struct Missing(pub TileId);

/// Gives the hashes of whole subtrees.
pub trait Nodes {
    /// The hash of one.
    ///
    /// # Errors
    /// [`Missing`] names the tile that it needs.
    fn node(&self, node: Node) -> Result<[u8; 32], Missing>;
}

/// Hashes that prove inclusion or consistency, from the leaves upwards.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proof(pub Vec<[u8; 32]>);

/// Why a proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ProofError {
    /// No such leaf, or a tree that would have shrunk.
    #[error("a proof of {inner} in a tree of {outer}: there is none")]
    Range {
        /// Index of the leaf, or the smaller size.
        inner: u64,
        /// Size of the tree.
        outer: u64,
    },
    /// Too few or too many hashes.
    #[error("a proof of {found} hashes does not fit these sizes")]
    Length {
        /// How many there are.
        found: usize,
    },
    /// It leads to another root.
    #[error("the proof leads to another root hash")]
    Root,
}

/// The hash of a leaf: SHA-256 of `00` and its bytes.
pub fn leaf_hash(leaf: &[u8]) -> [u8; 32] {
    sha256(&[&[0][..], leaf].concat())
}

/// The hash of a node: SHA-256 of `01` and both children.
pub fn node_hash(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    let mut bytes = [1; 65];
    bytes[1..33].copy_from_slice(left);
    bytes[33..].copy_from_slice(right);
    sha256(&bytes)
}

/// The root of the tree without leaves: SHA-256 of nothing.
pub fn empty_root() -> [u8; 32] {
    sha256(&[])
}

/// The root of the tree of the first `size` leaves.
///
/// # Errors
/// [`Missing`].
pub fn root(size: u64, nodes: &impl Nodes) -> Result<[u8; 32], Missing> {
    if size == 0 { Ok(empty_root()) } else { range(0, size, nodes) }
}

/// Proves that leaf `index` stands in the tree of `size` leaves (RFC 6962, 2.1.1). Empty where there is no such leaf.
///
/// # Errors
/// [`Missing`].
pub fn inclusion(index: u64, size: u64, nodes: &impl Nodes) -> Result<Proof, Missing> {
    let mut siblings = Vec::new();
    let (mut start, mut end) = (0, size);
    while index < size && end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            siblings.push((middle, end));
            end = middle;
        } else {
            siblings.push((start, middle));
            start = middle;
        }
    }
    hashes(&siblings, nodes)
}

/// Proves that the tree of `new` leaves begins with that of `old` (RFC 6962, 2.1.2). Empty where nothing has to be
/// proven (`old` is 0 or `new`), or can be.
///
/// # Errors
/// [`Missing`].
pub fn consistency(old: u64, new: u64, nodes: &impl Nodes) -> Result<Proof, Missing> {
    if old == 0 || old >= new {
        return Ok(Proof::default());
    }
    let mut siblings = Vec::new();
    let (mut start, mut end, mut known) = (0, new, true);
    // Down to where the old tree ends with a whole subtree; `known` while that is the old tree itself.
    while end != old {
        let middle = start + split(end - start);
        if old <= middle {
            siblings.push((middle, end));
            end = middle;
        } else {
            siblings.push((start, middle));
            (start, known) = (middle, false);
        }
    }
    if !known {
        siblings.push((start, end));
    }
    hashes(&siblings, nodes)
}

impl Proof {
    /// Checks that `leaf`, a hash, is number `index` of the tree of `size` leaves with this root.
    ///
    /// # Errors
    /// [`ProofError`].
    pub fn includes(
        &self,
        leaf: &[u8; 32],
        index: u64,
        size: u64,
        root: &[u8; 32],
    ) -> Result<(), ProofError> {
        if index >= size {
            return Err(ProofError::Range { inner: index, outer: size });
        }
        let mut at = Place { first: index, second: size - 1 };
        let mut hash = *leaf;
        for sibling in &self.0 {
            if at.second == 0 {
                return Err(self.length());
            }
            hash = if at.is_right() { node_hash(sibling, &hash) } else { node_hash(&hash, sibling) };
            at.up();
        }
        self.end(at, hash == *root)
    }

    /// Checks that the tree of `new` leaves begins with that of `old`; sizes and roots of both.
    ///
    /// # Errors
    /// [`ProofError`].
    pub fn extends(
        &self,
        (old, old_root): (u64, &[u8; 32]),
        (new, new_root): (u64, &[u8; 32]),
    ) -> Result<(), ProofError> {
        if old > new {
            return Err(ProofError::Range { inner: old, outer: new });
        }
        if old == 0 || old == new {
            let same = if old == 0 { empty_root() == *old_root } else { old_root == new_root };
            return if self.0.is_empty() {
                same.then_some(()).ok_or(ProofError::Root)
            } else {
                Err(self.length())
            };
        }
        // Where the old tree is a whole subtree of the new one, its root is not sent.
        let (first, rest) = if old.is_power_of_two() {
            (old_root, &self.0[..])
        } else {
            self.0.split_first().ok_or(self.length())?
        };
        let mut at = Place { first: old - 1, second: new - 1 };
        while at.first & 1 == 1 {
            at.shift();
        }
        let (mut olds, mut news) = (*first, *first);
        for sibling in rest {
            if at.second == 0 {
                return Err(self.length());
            }
            if at.is_right() {
                (olds, news) = (node_hash(sibling, &olds), node_hash(sibling, &news));
            } else {
                news = node_hash(&news, sibling);
            }
            at.up();
        }
        self.end(at, olds == *old_root && news == *new_root)
    }

    fn end(&self, at: Place, same: bool) -> Result<(), ProofError> {
        if at.second != 0 {
            return Err(self.length());
        }
        if same { Ok(()) } else { Err(ProofError::Root) }
    }

    fn length(&self) -> ProofError {
        ProofError::Length { found: self.0.len() }
    }
}

/// Where a check stands: the number of a node in its row, and that of the last one of the row (`fn` and `sn` in
/// RFC 9162).
#[derive(Clone, Copy)]
struct Place {
    first: u64,
    second: u64,
}

impl Place {
    fn is_right(self) -> bool {
        self.first & 1 == 1 || self.first == self.second
    }

    /// One row up, past the rows in which the last node has no sibling.
    fn up(&mut self) {
        if self.is_right() {
            while self.first & 1 == 0 && self.first != 0 {
                self.shift();
            }
        }
        self.shift();
    }

    fn shift(&mut self) {
        self.first >>= 1;
        self.second >>= 1;
    }
}

/// The largest power of two below `leaves`, which are at least 2.
fn split(leaves: u64) -> u64 {
    1 << (leaves - 1).ilog2()
}

/// The hash over the leaves from `start` to before `end`, as a tree of their own. Each range that a proof takes
/// begins at a multiple of its own width, rounded up.
fn range(start: u64, end: u64, nodes: &impl Nodes) -> Result<[u8; 32], Missing> {
    let leaves = end - start;
    if leaves.is_power_of_two() {
        let height = leaves.ilog2();
        return nodes.node(Node { height: height as u8, index: start >> height });
    }
    let middle = start + split(leaves);
    Ok(node_hash(&range(start, middle, nodes)?, &range(middle, end, nodes)?))
}

/// The hashes of ranges that were found from the root downwards.
fn hashes(ranges: &[(u64, u64)], nodes: &impl Nodes) -> Result<Proof, Missing> {
    ranges.iter().rev().map(|(start, end)| range(*start, *end, nodes)).collect::<Result<_, _>>().map(Proof)
}
