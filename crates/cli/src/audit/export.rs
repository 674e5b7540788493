//! `vernport audit export`: a log as files, laid out after C2SP tlog-tiles, with all
//! checkpoints and counts beside.

use super::{
    Unreadable,
    log::{Log, Stored, size_of},
};
use crate::args::AuditExport;
use anyhow::Result;
use std::path::Path;
use vernport_audit::{TileId, leaf_hash, tiles_of, write_bundle};
use vernport_status::output;

pub(super) async fn run(args: &AuditExport) -> Result<()> {
    let mut log = Log::open(&args.place).await?;
    let notes = log.checkpoints().await?;
    let newest = notes.iter().max_by_key(|note| size_of(note)).cloned();
    let newest = newest.ok_or_else(|| {
        Unreadable::Typed(
            "nothing to export yet: the log has no checkpoint, its gateway never reached central".into(),
        )
    })?;
    // Only what the newest checkpoint covers: the rest nobody has signed for.
    let size = size_of(&newest).unwrap_or(0);
    write(&args.into, "checkpoint", newest.as_bytes())?;
    for note in &notes {
        let name = format!("checkpoints/{}", size_of(note).unwrap_or(0));
        write(&args.into, &name, note.as_bytes())?;
    }
    let (all, mut left_out) = (log.size().await?, 0);
    for id in tiles_of(size) {
        // The log may have grown since: its tile is at least as wide.
        let width =
            (all.checked_shr(8 * u32::from(id.level)).unwrap_or(0)).saturating_sub(id.index * 256).min(256);
        let now = TileId { width: width as u16, ..id };
        let hashes_bytes = 32 * usize::from(id.width);
        let mut tile = log.tile(now).await?.filter(|tile| tile.len() >= hashes_bytes);
        if id.level == 0
            && let Stored::Whole(leaves) = log.leaves(now).await?
        {
            let leaves = &leaves[..leaves.len().min(id.width.into())];
            write(&args.into, &id.entries_path(), &write_bundle(leaves.iter().map(Vec::as_slice)))?;
            tile = tile.or_else(|| Some(leaves.iter().flat_map(|leaf| leaf_hash(leaf)).collect()));
        }
        match tile {
            Some(tile) => write(&args.into, &id.to_string(), &tile[..hashes_bytes.min(tile.len())])?,
            None => left_out += 1,
        }
    }
    log.close().await;
    output::tell(&format!(
        "{size} leaves and {} checkpoints are in {}; {left_out} tiles are not kept any more",
        notes.len(),
        args.into.display()
    ))?;
    Ok(())
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), Unreadable> {
    let path = folder.join(name);
    let made =
        path.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(&path, bytes));
    made.map_err(|source| Unreadable::File { path, source })
}
