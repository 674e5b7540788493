//! Roots and proofs.

use crate::naive;
use proptest::prelude::*;
use vernport_audit::{Missing, Proof, ProofError, TileId, Tiles, consistency, inclusion, root};

fn hash(hex: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hex::decode_to_slice(hex, &mut hash).expect("64 digits");
    hash
}

/// transparency-dev/merkle, testonly/constants.go, RootHashes.
const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

#[test]
fn the_published_roots_come_out_at_every_size() {
    let leaves = naive::published();
    for (size, expected) in ROOTS.iter().enumerate() {
        let (edge, tiles, _) = naive::tiles(&leaves[..size]);
        assert_eq!(edge.root(), hash(expected), "{size} leaves");
        assert_eq!(root(size as u64, &tiles), Ok(hash(expected)), "{size} leaves");
        assert_eq!(naive::root(&leaves[..size]), hash(expected), "{size} leaves");
    }
}

/// transparency-dev/merkle, testonly/reference_test.go.
#[test]
fn the_published_proofs_come_out_and_verify() {
    let leaves = naive::published();
    let (_, tiles, _) = naive::tiles(&leaves);
    let inclusions: [(u64, u64, &[&str]); 4] = [
        (0, 1, &[]),
        (2, 3, &["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
        (
            1,
            5,
            &[
                "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            ],
        ),
        (
            5,
            8,
            &[
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
    ];
    for (index, size, expected) in inclusions {
        let proof = inclusion(index, size, &tiles).expect("the tile is there");
        assert_eq!(proof, Proof(expected.iter().map(|text| hash(text)).collect()), "{index} in {size}");
        let (leaf, root) = (&leaves[index as usize], hash(ROOTS[size as usize]));
        assert_eq!(proof.includes(leaf, index, size, &root), Ok(()), "{index} in {size}");
    }
    let consistencies: [(u64, u64, &[&str]); 4] = [
        (1, 1, &[]),
        (
            1,
            8,
            &[
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            2,
            5,
            &[
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            ],
        ),
        (
            6,
            8,
            &[
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
    ];
    for (old, new, expected) in consistencies {
        let proof = consistency(old, new, &tiles).expect("the tile is there");
        assert_eq!(proof, Proof(expected.iter().map(|text| hash(text)).collect()), "{old} to {new}");
        let (first, second) = (hash(ROOTS[old as usize]), hash(ROOTS[new as usize]));
        assert_eq!(proof.extends((old, &first), (new, &second)), Ok(()), "{old} to {new}");
    }
}

#[test]
fn every_pair_of_small_sizes_proves_and_nothing_else_does() {
    let leaves = naive::leaves(40);
    for new in 0..=leaves.len() {
        let (_, tiles, _) = naive::tiles(&leaves[..new]);
        let new_root = naive::root(&leaves[..new]);
        for old in 0..=new {
            let proof = consistency(old as u64, new as u64, &tiles).expect("all tiles");
            assert_eq!(proof.0, naive::proof(old, &leaves[..new]), "{old} to {new}");
            let old_root = naive::root(&leaves[..old]);
            let (first, second) = ((old as u64, &old_root), (new as u64, &new_root));
            assert_eq!(proof.extends(first, second), Ok(()), "{old} to {new}");
            for wrong in [&[1; 32], &new_root].into_iter().filter(|root| **root != old_root) {
                assert_eq!(
                    proof.extends((old as u64, wrong), second),
                    Err(ProofError::Root),
                    "{old} to {new}"
                );
            }
        }
        for index in 0..new {
            let proof = inclusion(index as u64, new as u64, &tiles).expect("all tiles");
            assert_eq!(proof.0, naive::path(index, &leaves[..new]), "{index} in {new}");
            let includes = |leaf| proof.includes(leaf, index as u64, new as u64, &new_root);
            assert_eq!(includes(&leaves[index]), Ok(()), "{index} in {new}");
            assert_eq!(includes(&[1; 32]), Err(ProofError::Root), "{index} in {new}");
        }
    }
}

#[test]
fn a_tile_that_is_not_at_hand_is_named() {
    let (_, _, all) = naive::tiles(&naive::leaves(70_000));
    let mut some = Tiles::default();
    let mut asked = Vec::new();
    let proof = loop {
        match inclusion(69_999, 70_000, &some) {
            Ok(proof) => break proof,
            Err(Missing(missing)) => {
                assert!(!asked.contains(&missing), "{missing} was brought");
                asked.push(missing);
                let found = all.iter().find(|(id, _)| (id.level, id.index) == (missing.level, missing.index));
                let (_, hashes) = found.expect("the log has it");
                some.insert(missing.level, missing.index, hashes.clone());
            }
        }
    };
    assert!(proof.0.len() > 8 && asked.len() <= 5, "{asked:?}");
    assert!(asked.contains(&TileId { level: 2, index: 0, width: 1 }), "{asked:?}");
}

proptest! {
    #[test]
    fn large_trees_agree_with_the_naive_one(size in 1_usize..1500, a: usize, b: usize) {
        let leaves = naive::leaves(size);
        let (edge, tiles, _) = naive::tiles(&leaves);
        let expected = naive::root(&leaves);
        prop_assert_eq!(edge.root(), expected);
        prop_assert_eq!(root(size as u64, &tiles), Ok(expected));
        let (index, old) = (a % size, b % (size + 1));
        let proof = inclusion(index as u64, size as u64, &tiles).expect("all tiles");
        prop_assert_eq!(&proof.0, &naive::path(index, &leaves));
        prop_assert_eq!(proof.includes(&leaves[index], index as u64, size as u64, &expected), Ok(()));
        let proof = consistency(old as u64, size as u64, &tiles).expect("all tiles");
        prop_assert_eq!(&proof.0, &naive::proof(old, &leaves));
        let old_root = naive::root(&leaves[..old]);
        prop_assert_eq!(root(old as u64, &tiles), Ok(old_root));
        prop_assert_eq!(proof.extends((old as u64, &old_root), (size as u64, &expected)), Ok(()));
    }

    /// One bit of a proof, one hash more or fewer, another place: none of it proves anything.
    #[test]
    fn a_changed_proof_proves_nothing(size in 2_usize..600, a: usize, b: usize, bit in 0_usize..256, which: usize) {
        let leaves = naive::leaves(size);
        let (_, tiles, _) = naive::tiles(&leaves);
        let new_root = naive::root(&leaves);
        let (index, old) = (a % size, 1 + b % (size - 1));
        let old_root = naive::root(&leaves[..old]);
        let inclusion = inclusion(index as u64, size as u64, &tiles).expect("all tiles");
        let consistency = consistency(old as u64, size as u64, &tiles).expect("all tiles");
        let included = |proof: &Proof, index| proof.includes(&leaves[index], index as u64, size as u64, &new_root);
        let extends = |proof: &Proof| proof.extends((old as u64, &old_root), (size as u64, &new_root));
        for proof in changed(&inclusion, which, bit) {
            prop_assert!(included(&proof, index).is_err());
        }
        for proof in changed(&consistency, which, bit) {
            prop_assert!(extends(&proof).is_err());
        }
        prop_assert!(included(&inclusion, (index + 1) % size).is_err());
        prop_assert!(inclusion.includes(&leaves[index], size as u64, size as u64, &new_root).is_err());
    }

    #[test]
    fn no_foreign_proof_panics(hashes in proptest::collection::vec(any::<[u8; 32]>(), 0..80), a: u64, b: u64, root: [u8; 32]) {
        let proof = Proof(hashes);
        prop_assert!(proof.includes(&[7; 32], a, b, &root).is_err());
        if a != b && a != 0 {
            prop_assert!(proof.extends((a, &[7; 32]), (b, &root)).is_err());
        }
    }
}

fn changed(proof: &Proof, which: usize, bit: usize) -> Vec<Proof> {
    let mut longer = proof.clone();
    longer.0.push([3; 32]);
    let mut all = vec![longer];
    if !proof.0.is_empty() {
        let mut flipped = proof.clone();
        let place = which % proof.0.len();
        flipped.0[place][bit / 8] ^= 1 << (bit % 8);
        let mut shorter = proof.clone();
        shorter.0.remove(place);
        all.extend([flipped, shorter]);
    }
    all
}
