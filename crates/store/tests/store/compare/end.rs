//! All that the store gives back, as lines, in an order that does not depend on it.

use super::{KEY, NOW, steps, told};
use crate::bed::{Bed, controller, slug};
use std::fmt::Debug;
use vernport_audit::Leaf;
use vernport_store::{Revision, Store, Things};
use vernport_types::{EpochId, GrantId};

fn sorted<T: Debug>(rows: impl IntoIterator<Item = T>) -> String {
    let mut rows: Vec<String> = rows.into_iter().map(|row| format!("{row:?}")).collect();
    rows.sort_unstable();
    rows.join("\n")
}

/// What is there at the end.
pub(super) async fn look(bed: &Bed, store: &Store) -> Vec<String> {
    let of = controller();
    let mut lines = loaded(store).await;
    lines.push(told(store.current(&of).await));
    lines.push(told(store.count_batches(&of).await));
    lines.push(sorted(store.entry_hashes(&of).await.expect("reads")));
    lines.push(told(store.open_erasures(&of).await));
    lines.push(told(store.fenced(&of, 99).await));
    lines.push(told(store.to_look_at(&of, NOW.plus_seconds(99), 99).await));
    lines.push(told(store.era(&of).await));
    lines.push(told(store.swept(&of).await));
    lines.push(told(store.log_alarms(&of).await));
    for n in 0..steps::GATEWAYS {
        lines.push(told(store.told(&of, &steps::gateway(n)).await));
        lines.push(told(store.link_refusals(&of, &steps::gateway(n)).await));
        for chain in 0..steps::CHAINS {
            lines.push(told(store.link(&of, &steps::gateway(n), steps::segment(chain), None).await));
        }
    }
    for n in 0..steps::GRANTS {
        lines.push(told(store.live_epochs(&of, GrantId::from_bytes([n; 16])).await));
    }
    for n in 0..steps::EPOCHS {
        let epoch = EpochId::from_bytes([n; 16]);
        lines.push(told(store.kept_batches(&of, epoch, i64::MIN, 99).await));
        lines.push(told(store.with_keys(&of, &[epoch]).await));
    }
    for n in 0..steps::ENTRIES {
        let entry = steps::hash(n);
        lines.push(told(store.entry_kind(&of, &entry).await));
        lines.push(told(store.erasure_order(&of, &entry).await));
        lines.push(told(store.erased_by(&of, &entry).await));
        lines.push(told(store.certificates(&of, &entry).await));
        lines.push(told(store.deletions_of(&of, &entry).await));
        lines.push(told(store.notices_of(&of, &entry).await));
    }
    lines.push(told(steps::read(store, &slug("workshop"), KEY, 0, 99, &|_| true, NOW).await));
    lines.extend(log(bed).await);
    lines
}

async fn loaded(store: &Store) -> Vec<String> {
    let mut loaded = store.load(&controller(), Revision::NONE).await.expect("loads");
    for grant in &mut loaded.grants {
        grant.subjects.sort_unstable();
        grant.gateways.sort_unstable();
    }
    let entries: Vec<_> = loaded.entries.iter().map(|entry| (entry.entry, entry.json.clone())).collect();
    vec![
        format!("{:?} {:?} {entries:?}", loaded.revision, loaded.rules),
        sorted(loaded.grants),
        sorted(loaded.aliases),
        sorted(loaded.tips),
        sorted(loaded.keys),
    ]
}

/// The evidence log, without what is drawn.
async fn log(bed: &Bed) -> Vec<String> {
    let mut look = bed.look_at_log().await;
    let mut lines = vec![
        format!("{:?}", look.log().await.expect("reads").map(|(_, size)| size)),
        format!("{:?}", look.kept_tiles().await.expect("reads")),
        format!("{:?}", look.checkpoints().await.expect("reads")),
        format!("{:?}", look.alarms().await.expect("reads")),
        format!("{:?}", look.orphans(-1).await.expect("reads")),
    ];
    for things in [Things::Entries, Things::Batches, Things::Reads] {
        let recorded = look.recorded(things, 0).await.expect("reads");
        assert!(recorded.iter().all(|thing| thing.has_evidence), "no evidence, no record");
        lines.push(format!("{recorded:?}"));
    }
    let leaves = look.leaves(0).await.expect("reads");
    let kind = |leaf: &[u8]| Leaf::from_bytes(leaf).expect("a leaf").kind();
    lines.push(format!("{:?}", leaves.iter().map(|(n, leaf)| (n, kind(leaf))).collect::<Vec<_>>()));
    look.close().await;
    lines
}
