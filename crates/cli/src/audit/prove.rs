//! `vernport audit prove`: one leaf, provable without the log.

use super::{
    Unreadable,
    log::{Log, Stored, size_of},
    read,
};
use crate::args::AuditProve;
use anyhow::Result;
use serde_json::json;
use vernport_audit::{Leaf, ProofFile, TILE_WIDTH, TileId, inclusion};
use vernport_crypto::sha256;
use vernport_seal::ReceivedEnvelope;
use vernport_status::output;

pub(super) async fn run(args: &AuditProve) -> Result<()> {
    let mut log = Log::open(&args.place).await?;
    let index = match (&args.envelope, args.leaf) {
        (Some(path), _) => {
            let subjects = subjects(&read(path)?);
            let found =
                find(&mut log, |leaf| subjects.iter().any(|subject| leaf.commits_to(subject))).await?;
            found.ok_or_else(|| {
                Unreadable::Typed(format!("{}: no leaf that is kept commits to it", path.display()))
            })?
        }
        (None, Some(index)) => index,
        (None, None) => return Err(Unreadable::Typed("say which leaf or which envelope".into()).into()),
    };
    let file = prove(&mut log, index).await?;
    log.close().await;
    std::fs::write(&args.out, file.to_string())
        .map_err(|source| Unreadable::File { path: args.out.clone(), source })?;
    if args.json {
        let kind = serde_json::to_value(file.leaf.kind())?;
        let told = json!({ "leaf": index, "kind": kind, "proof": args.out, "hashes": file.proof.0.len() });
        output::tell(&serde_json::to_string_pretty(&told)?)?;
    } else {
        output::tell(&format!("leaf {index}: the proof is in {}", args.out.display()))?;
    }
    Ok(())
}

/// The bytes that leaves commit to for an envelope: its own at a gateway; its id and hash at central.
pub(super) fn subjects(envelope: &[u8]) -> Vec<Vec<u8>> {
    let mut subjects = vec![envelope.to_vec()];
    if let Ok(received) = ReceivedEnvelope::parse(envelope) {
        subjects.push([&received.header().batch.as_bytes()[..], &sha256(envelope)].concat());
    }
    subjects
}

/// The number of the newest leaf that fits.
async fn find(log: &mut Log, fits: impl Fn(&Leaf) -> bool) -> Result<Option<u64>, Unreadable> {
    let (size, pruned) = (log.size().await?, log.pruned_tiles().await?);
    for tile in (pruned..size.div_ceil(TILE_WIDTH)).rev() {
        let width = (size - tile * TILE_WIDTH).min(TILE_WIDTH) as u16;
        let Stored::Whole(leaves) = log.leaves(TileId { width, ..TileId::full(0, tile) }).await? else {
            continue;
        };
        let place = leaves.iter().rposition(|leaf| Leaf::from_bytes(leaf).is_ok_and(|leaf| fits(&leaf)));
        if let Some(place) = place {
            return Ok(Some(tile * TILE_WIDTH + place as u64));
        }
    }
    Ok(None)
}

/// The proof of a leaf, for the newest checkpoint.
pub(super) async fn prove(log: &mut Log, index: u64) -> Result<ProofFile, Unreadable> {
    let newest = log.checkpoints().await?.into_iter().max_by_key(|note| size_of(note));
    let signed = newest.as_deref().and_then(size_of).filter(|size| *size > index);
    let (Some(size), Some(checkpoint)) = (signed, newest) else {
        let text = format!(
            "leaf {index} stands under no checkpoint yet: one is signed when its gateway reaches central"
        );
        return Err(Unreadable::Typed(text));
    };
    let leaves = log.size().await?;
    let tile = index / TILE_WIDTH;
    let width = (leaves.saturating_sub(tile * TILE_WIDTH)).min(TILE_WIDTH) as u16;
    let not_kept = || Unreadable::Typed(format!("leaf {index} does not read, or is not kept any more"));
    let Stored::Whole(entries) = log.leaves(TileId { width, ..TileId::full(0, tile) }).await? else {
        return Err(not_kept());
    };
    let leaf = entries.get((index % TILE_WIDTH) as usize).and_then(|entry| Leaf::from_bytes(entry).ok());
    let leaf = leaf.ok_or_else(not_kept)?;
    let proof = log.ask(|tiles| inclusion(index, size, tiles)).await?;
    Ok(ProofFile { leaf, index, proof, checkpoint })
}
