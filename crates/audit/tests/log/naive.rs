//! The tree as RFC 6962, 2.1 to 2.1.2 defines it, over lists; slow and plain. Also
//! a log in memory, and the published leaves.

use vernport_audit::{Edge, TileId, Tiles, leaf_hash, node_hash};

/// `MTH`.
pub(crate) fn root(leaves: &[[u8; 32]]) -> [u8; 32] {
    match leaves {
        [] => vernport_audit::empty_root(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node_hash(&root(left), &root(right))
        }
    }
}

/// `PATH(m, D[n])`.
pub(crate) fn path(index: usize, leaves: &[[u8; 32]]) -> Vec<[u8; 32]> {
    if leaves.len() < 2 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    let (mut path, sibling) = match index.checked_sub(left.len()) {
        None => (path(index, left), root(right)),
        Some(index) => (path(index, right), root(left)),
    };
    path.push(sibling);
    path
}

/// `PROOF(m, D[n])`.
pub(crate) fn proof(old: usize, leaves: &[[u8; 32]]) -> Vec<[u8; 32]> {
    if old == 0 { Vec::new() } else { subproof(old, leaves, true) }
}

fn subproof(old: usize, leaves: &[[u8; 32]], known: bool) -> Vec<[u8; 32]> {
    if old == leaves.len() {
        return if known { Vec::new() } else { vec![root(leaves)] };
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    let (mut proof, sibling) = if old <= left.len() {
        (subproof(old, left, known), root(right))
    } else {
        (subproof(old - left.len(), right, false), root(left))
    };
    proof.push(sibling);
    proof
}

/// The largest power of two below `n`.
fn split(n: usize) -> usize {
    let mut power = 1;
    while power * 2 < n {
        power *= 2;
    }
    power
}

/// Hashes of leaves that hold their number.
pub(crate) fn leaves(count: usize) -> Vec<[u8; 32]> {
    (0..count).map(|number| leaf_hash(&number.to_be_bytes())).collect()
}

/// A tile and its hashes.
pub(crate) type Tile = (TileId, Vec<[u8; 32]>);

/// All tiles over some leaves, as appending one by one makes them.
pub(crate) fn tiles(leaves: &[[u8; 32]]) -> (Edge, Tiles, Vec<Tile>) {
    let (mut edge, mut tiles, mut all) = (Edge::default(), Tiles::default(), Vec::new());
    for leaf in leaves {
        edge.push(*leaf, |id, hashes| all.push((id, hashes.to_vec())));
    }
    all.extend(edge.partial().map(|(id, hashes)| (id, hashes.to_vec())));
    for (id, hashes) in &all {
        tiles.insert(id.level, id.index, hashes.clone());
    }
    (edge, tiles, all)
}

/// Leaves of transparency-dev/merkle, testonly/constants.go (those of Certificate Transparency's own tests).
pub(crate) fn published() -> Vec<[u8; 32]> {
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
        .iter()
        .map(|leaf| leaf_hash(&hex::decode(leaf).expect("hex")))
        .collect()
}
