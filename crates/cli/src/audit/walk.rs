//! Goes over a whole log: all checkpoints, tiles and leaves, whatever it lies in.

use super::{
    Unreadable,
    keys::Keys,
    log::{Log, Stored},
    report::{Found, Report},
};
use vernport_audit::{
    Checkpoint, Leaf, LogCheck, SignedCheckpoint, TILE_WIDTH, TileId, check_tile, leaf_hash,
};

const OTHER_KEY: &str =
    "ask its keeper which key signed it; where the key was changed, give the old one too (--key)";

/// A walk's leaves, for whoever holds things against them.
#[derive(Debug, Default)]
pub(crate) struct Leaves {
    /// The number of the first one that is kept.
    pub(crate) first: u64,
    /// From there on; none where one does not read.
    pub(crate) kept: Vec<Option<Leaf>>,
}

impl Leaves {
    /// The leaf of this number, if it is kept and reads.
    pub(crate) fn get(&self, number: u64) -> Option<&Leaf> {
        self.kept.get(usize::try_from(number.checked_sub(self.first)?).ok()?)?.as_ref()
    }
}

/// Walks. Without keys the signatures of checkpoints are not looked at.
pub(crate) async fn walk(log: &mut Log, keys: &Keys) -> Result<(Report, Leaves), Unreadable> {
    let mut report = Report { leaves: log.size().await?, ..Report::default() };
    let checkpoints = checkpoints(log, keys, &mut report).await?;
    let mut check = LogCheck::new(&checkpoints);
    let (pruned, stored_tiles) = (log.pruned_tiles().await?, log.stored_tiles().await?);
    for number in 0..pruned {
        match row_above(log, number, report.leaves).await? {
            Some(root) => check.pruned(root),
            None => break,
        }
    }
    let mut leaves = Leaves { first: check.size(), kept: Vec::new() };
    while check.size() < report.leaves {
        let start = check.size();
        let width = (report.leaves - start).min(TILE_WIDTH) as u16;
        let id = TileId { width, ..TileId::full(0, start / TILE_WIDTH) };
        let mut tile = log.tile(id).await?;
        match log.leaves(id).await? {
            Stored::Whole(entries) => {
                if tile.is_none() && id.index >= stored_tiles {
                    // Nobody has asked for it yet: it follows from its leaves.
                    tile = Some(entries.iter().flat_map(|entry| leaf_hash(entry)).collect());
                }
                check.tile(&entries, tile.as_deref());
                leaves.kept.extend(entries.iter().map(|entry| Leaf::from_bytes(entry).ok()));
                report.leaves_read += u64::from(width);
            }
            Stored::Broken => {
                check.missing(start + u64::from(width), tile.as_deref());
                leaves.kept.extend(std::iter::repeat_n(None, width.into()));
            }
        }
        if check.size() == start {
            // Neither leaves nor tile: there is no way on.
            break;
        }
    }
    let ended = check.size() == report.leaves;
    let mut upper = Vec::new();
    for (id, hashes) in check.upper().filter(|_| ended) {
        // As far as it is stored; the rest nobody has asked for yet.
        let row = stored_tiles.checked_shr(8 * u32::from(id.level - 1)).unwrap_or(0);
        let width = row.saturating_sub(id.index * TILE_WIDTH).min(id.width.into()) as u16;
        if width > 0 {
            let id = TileId { width, ..id };
            upper.extend(check_tile(id, &hashes[..width.into()], log.tile(id).await?.as_deref()));
        }
    }
    // Where the walk could not go on, a checkpoint behind that is no finding of its own.
    let found = check
        .finish()
        .into_iter()
        .chain(upper)
        .filter(|finding| ended || !matches!(finding, vernport_audit::Finding::CheckpointBeyond { .. }));
    report.findings.extend(found.map(Found::from));
    Ok((report, leaves))
}

async fn checkpoints(log: &mut Log, keys: &Keys, report: &mut Report) -> Result<Vec<Checkpoint>, Unreadable> {
    let mut checkpoints: Vec<Checkpoint> = Vec::new();
    for note in log.checkpoints().await? {
        report.checkpoints += 1;
        let size = note.lines().nth(1).unwrap_or("?").chars().take(20).collect::<String>();
        let at = |text: String| format!("the checkpoint of {size} leaves: {text}");
        let read = if keys.is_empty() {
            SignedCheckpoint::unsigned(&note)
        } else {
            keys.checkpoint(&note).map(|signed| {
                if let Err(why) = keys.witnessed(&signed) {
                    report.findings.push(Found::new(
                        "checkpoint-not-witnessed",
                        at(why),
                        "let its keeper reach its witness",
                    ));
                }
                signed.checkpoint().clone()
            })
        };
        match read {
            Ok(checkpoint) => {
                if checkpoints.first().is_some_and(|first| first.origin != checkpoint.origin) {
                    let text = at(format!("it is of another log, {}", checkpoint.origin));
                    report.findings.push(Found::new("checkpoint-other-log", text, OTHER_KEY));
                } else {
                    checkpoints.push(checkpoint);
                }
            }
            Err(error) => {
                let text = at(vernport_types::chain(&error));
                report.findings.push(Found::new("checkpoint-not-signed", text, OTHER_KEY));
            }
        }
    }
    Ok(checkpoints)
}

/// The root of a tile whose leaves are not kept, out of the row above.
async fn row_above(log: &mut Log, number: u64, size: u64) -> Result<Option<[u8; 32]>, Unreadable> {
    let full = size / TILE_WIDTH;
    let index = number / TILE_WIDTH;
    let width = (full - index * TILE_WIDTH).min(TILE_WIDTH) as u16;
    let row = log.tile(TileId { level: 1, index, width }).await?;
    Ok(row.and_then(|row| row.as_chunks().0.get((number % TILE_WIDTH) as usize).copied()))
}
