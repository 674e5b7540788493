//! Tiles, bundles, their paths, leaves and counts; a walk over a log that holds any of it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vernport_audit::{Counts, Edge, Leaf, LogCheck, TileId, read_bundle, read_tile, write_bundle};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(id) = text.parse::<TileId>()
    {
        assert_eq!(id.to_string(), text);
    }
    let Some(([width, split], rest)) = bytes.split_first_chunk() else { return };
    let width = u16::from(*width) + 1;
    if let Ok(hashes) = read_tile(width, rest) {
        assert_eq!(hashes.concat(), rest);
        let _ = Edge::new(u64::from(width), vec![hashes]);
    }
    if let Ok(leaf) = Leaf::from_bytes(rest) {
        assert_eq!(leaf.to_bytes(), rest);
    }
    let _ = Counts::from_bytes(rest);
    let (one, other) = rest.split_at(usize::from(*split).min(rest.len()));
    let mut check = LogCheck::default();
    if let Ok(entries) = read_bundle(width, one) {
        assert_eq!(write_bundle(entries.iter().copied()), one);
        check.tile(&entries, Some(other));
    }
    check.missing(u64::from(width), Some(other));
    check.pruned([1; 32]);
    let _ = check.finish();
});
