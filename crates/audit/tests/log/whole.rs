//! A whole log is gone over; whoever changed something in it is found out.

use crate::naive;
use vernport_audit::{Checkpoint, Finding, Leaf, LeafKind, LogCheck, TileId, check_tile, tiles_of};

struct Kept {
    leaves: Vec<Vec<u8>>,
    tiles: Vec<(TileId, Vec<u8>)>,
    checkpoints: Vec<Checkpoint>,
}

fn kept(size: usize, signed_at: &[usize]) -> Kept {
    let leaves: Vec<Leaf> =
        (0..size).map(|number| Leaf::new(LeafKind::Batch, [1; 16], &number.to_be_bytes())).collect();
    let hashes: Vec<_> = leaves.iter().map(Leaf::hash).collect();
    let (_, _, tiles) = naive::tiles(&hashes);
    Kept {
        leaves: leaves.iter().map(|leaf| leaf.to_bytes().to_vec()).collect(),
        tiles: tiles.into_iter().map(|(id, hashes)| (id, hashes.concat())).collect(),
        checkpoints: signed_at
            .iter()
            .map(|size| Checkpoint {
                origin: "log".to_owned(),
                size: *size as u64,
                root: naive::root(&hashes[..*size]),
            })
            .collect(),
    }
}

impl Kept {
    fn tile(&self, level: u8, index: u64) -> Option<&[u8]> {
        self.tiles.iter().find(|(id, _)| (id.level, id.index) == (level, index)).map(|(_, bytes)| &bytes[..])
    }

    fn tile_mut(&mut self, level: u8, index: u64) -> &mut Vec<u8> {
        &mut self.tiles.iter_mut().find(|(id, _)| (id.level, id.index) == (level, index)).expect("there").1
    }

    fn check(&self, pruned: u64) -> Vec<Finding> {
        let mut check = LogCheck::new(&self.checkpoints);
        for index in 0..pruned {
            let row = self.tile(1, index / 256).expect("the row above is kept");
            let root = row.as_chunks().0[index as usize % 256];
            check.pruned(root);
        }
        for (index, leaves) in self.leaves.chunks(256).enumerate().skip(pruned as usize) {
            check.tile(leaves, self.tile(0, index as u64));
        }
        let upper: Vec<_> = check
            .upper()
            .filter_map(|(id, hashes)| check_tile(id, hashes, self.tile(id.level, id.index)))
            .collect();
        let mut findings = check.finish();
        findings.extend(upper);
        findings
    }
}

const SIGNED: [usize; 5] = [0, 1, 300, 512, 1_100];

#[test]
fn a_log_that_nobody_touched_has_no_findings() {
    assert_eq!(kept(1_100, &SIGNED).check(0), []);
    assert_eq!(kept(1_100, &SIGNED).check(3), [], "what is not kept any more does not count");
    assert_eq!(kept(0, &[0]).check(0), []);
}

#[test]
fn a_changed_leaf_is_named_by_its_place() {
    let mut log = kept(1_100, &SIGNED);
    log.leaves[400][20] ^= 1;
    assert_eq!(log.check(0), [Finding::LeafChanged { index: 400 }]);
    log.leaves[400] = vec![9; 49];
    assert_eq!(log.check(0), [Finding::LeafUnreadable { index: 400 }, Finding::LeafChanged { index: 400 }]);
    // Whoever changes the tile with it changes every root that was signed afterwards.
    let mut log = kept(1_100, &SIGNED);
    log.leaves[400] = log.leaves[0].clone();
    let hash = Leaf::from_bytes(&log.leaves[400]).expect("a leaf").hash();
    log.tile_mut(0, 1)[(400 - 256) * 32..][..32].copy_from_slice(&hash);
    assert_eq!(
        log.check(0),
        [
            Finding::CheckpointOtherRoot { size: 512, fits_until: 300 },
            Finding::CheckpointOtherRoot { size: 1_100, fits_until: 300 },
            Finding::TileChanged { tile: "tile/1/000.p/4".to_owned(), hash: 1 },
        ]
    );
}

#[test]
fn a_tile_that_is_cut_changed_or_gone_is_named_by_its_path() {
    let mut log = kept(1_100, &SIGNED);
    log.tile_mut(0, 2).truncate(8_000);
    assert_eq!(log.check(0), [Finding::TileCut { tile: "tile/0/002".to_owned(), bytes: 8_000 }]);
    let mut log = kept(1_100, &SIGNED);
    log.tiles.retain(|(id, _)| (id.level, id.index) != (0, 2));
    assert_eq!(log.check(0), [Finding::TileMissing { tile: "tile/0/002".to_owned() }]);
    let mut log = kept(1_100, &SIGNED);
    log.tile_mut(1, 0)[32] ^= 1;
    assert_eq!(log.check(0), [Finding::TileChanged { tile: "tile/1/000.p/4".to_owned(), hash: 1 }]);
}

#[test]
fn a_log_that_was_cut_is_shorter_than_what_was_signed() {
    let mut log = kept(1_100, &SIGNED);
    let cut = kept(600, &[]);
    (log.leaves, log.tiles) = (cut.leaves, cut.tiles);
    assert_eq!(log.check(0), [Finding::CheckpointBeyond { size: 1_100, leaves: 600 }]);
}

#[test]
fn missing_leaves_are_named_and_their_tile_bridges_them() {
    let log = kept(1_100, &SIGNED);
    let mut check = LogCheck::new(&log.checkpoints);
    for (index, leaves) in log.leaves.chunks(256).enumerate() {
        if index == 1 {
            check.missing(512, log.tile(0, 1));
        } else {
            check.tile(leaves, log.tile(0, index as u64));
        }
    }
    assert_eq!(check.size(), 1_100);
    assert_eq!(check.finish(), [Finding::LeavesMissing { from: 256, until: 512 }]);
    assert_eq!(tiles_of(1_100).count(), 6);
}
