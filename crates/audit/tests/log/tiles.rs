//! Tiles, their paths and their bundles.

use crate::naive;
use proptest::prelude::*;
use vernport_audit::{Edge, TILE_WIDTH, TileError, TileId, read_bundle, read_tile, tiles_of, write_bundle};

/// tlog-tiles, "Merkle Tree" and "Partial Tiles": its own examples.
#[test]
fn paths_and_tiles_are_those_of_the_examples() {
    assert_eq!(TileId::full(0, 1_234_067).to_string(), "tile/0/x001/x234/067");
    let partial = TileId { level: 0, index: 1_234_067, width: 8 };
    assert_eq!(partial.entries_path(), "tile/entries/x001/x234/067.p/8");
    let tiles: Vec<_> = tiles_of(70_000).collect();
    let count = |level, width| tiles.iter().filter(|id| (id.level, id.width) == (level, width)).count();
    assert_eq!((count(0, 256), count(0, 112), count(1, 256), count(1, 17), count(2, 1)), (273, 1, 1, 1, 1));
    assert_eq!(tiles.len(), 277);
    let of_256: Vec<_> = tiles_of(256).map(|id| id.to_string()).collect();
    assert_eq!(of_256, ["tile/0/000", "tile/1/000.p/1"]);
    assert_eq!(tiles_of(0).count(), 0);
}

#[test]
fn each_tile_has_one_path() {
    for path in [
        "",
        "tile",
        "tile/0",
        "tile/0/",
        "tile/00/000",
        "tile/8/000",
        "tile/0/0",
        "tile/0/0000",
        "tile/0/x000/000",
        "tile/0/001/002",
        "tile/0/x001/x002",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/-1/000",
        "tile/0/+01",
        "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
        "/tile/0/000",
        "tile/0/000/",
        "tile/0/../000",
    ] {
        assert_eq!(path.parse::<TileId>(), Err(TileError::Path), "{path}");
    }
}

#[test]
fn appending_makes_the_tiles_that_the_size_has() {
    for size in [1, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537] {
        let leaves = naive::leaves(size);
        let (edge, _, mut all) = naive::tiles(&leaves);
        all.sort_by_key(|(id, _)| (id.level, id.index));
        let ids: Vec<_> = all.iter().map(|(id, _)| *id).collect();
        assert_eq!(ids, tiles_of(size as u64).collect::<Vec<_>>(), "{size}");
        assert!(all.iter().all(|(id, hashes)| hashes.len() == usize::from(id.width)), "{size}");
        // The edge can be taken up again from its tiles, and from no others.
        let mut levels = vec![Vec::new(); 3];
        for (id, hashes) in edge.partial() {
            levels[usize::from(id.level)] = hashes.to_vec();
        }
        let again = Edge::new(size as u64, levels.clone()).expect("its own tiles");
        assert_eq!(again.root(), edge.root(), "{size}");
        assert!(Edge::new(size as u64 + 1, levels).is_err(), "{size}");
    }
}

#[test]
fn a_cut_or_padded_tile_or_bundle_is_refused() {
    let hashes = naive::leaves(3);
    let bytes = hashes.concat();
    assert_eq!(read_tile(3, &bytes).as_deref(), Ok(&hashes[..]));
    for wrong in [&bytes[..95], &bytes[..64], &[&bytes[..], &[0]].concat()] {
        assert_eq!(read_tile(3, wrong), Err(TileError::Length { found: wrong.len(), width: 3 }));
    }
    let bundle = write_bundle([&b"one"[..], b"", b"three"]);
    assert_eq!(bundle, b"\x00\x03one\x00\x00\x00\x05three");
    assert_eq!(read_bundle(3, &bundle), Ok(vec![&b"one"[..], b"", b"three"]));
    assert_eq!(read_bundle(2, &bundle), Err(TileError::Bundle { width: 2, entry: 2 }));
    assert_eq!(read_bundle(4, &bundle), Err(TileError::Bundle { width: 4, entry: 3 }));
    assert_eq!(read_bundle(3, &bundle[..13]), Err(TileError::Bundle { width: 3, entry: 2 }));
    // A length is not believed.
    assert_eq!(read_bundle(1, b"\xff\xff"), Err(TileError::Bundle { width: 1, entry: 0 }));
}

proptest! {
    #[test]
    fn paths_read_back(level in 0_u8..8, index: u64, width in 1_u16..=TILE_WIDTH as u16) {
        let id = TileId { level, index, width };
        prop_assert_eq!(id.to_string().parse(), Ok(id));
        if let Some(small) = index.checked_rem(10_000) {
            let id = TileId { index: small, ..id };
            prop_assert_eq!(id.to_string().parse(), Ok(id));
        }
    }

    #[test]
    fn no_text_is_a_path_by_chance(text in "(tile/)?[0-9]{0,2}/?[x0-9/.p]{0,20}") {
        if let Ok(id) = text.parse::<TileId>() {
            prop_assert_eq!(id.to_string(), text);
        }
    }

    #[test]
    fn bundles_read_back(entries in proptest::collection::vec(any::<Vec<u8>>(), 1..20)) {
        let bundle = write_bundle(entries.iter().map(Vec::as_slice));
        let read = read_bundle(entries.len() as u16, &bundle).expect("ours");
        prop_assert_eq!(read, entries);
    }

    #[test]
    fn no_bundle_panics(width in 0_u16..=256, bytes: Vec<u8>) {
        if let Ok(entries) = read_bundle(width, &bytes) {
            prop_assert_eq!(write_bundle(entries), bytes);
        }
    }
}
