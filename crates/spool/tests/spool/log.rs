//! The evidence log: numbered with what is queued, condensed, bounded, provable.

use crate::support::*;
use sqlx::{ConnectOptions as _, sqlite::SqliteConnectOptions};
use vernport_audit::{Counts, Edge, Leaf, LeafKind, TILE_WIDTH, read_bundle};
use vernport_spool::{
    Config, Inspect, Item, KeptCheckpoint, Leaves, QueueError, ReadError, Settlement, Spool, Unit, Withheld,
};
use vernport_types::{BatchId, Reason, UtcMicros};

/// All leaves that are kept, in order; panics where a number is missing.
pub(crate) async fn leaves(inside: &mut Inspect) -> Vec<Leaf> {
    let mut all = Vec::new();
    let first = inside.pruned_tiles().await.expect("reads");
    for tile in first.. {
        match inside.leaves(tile).await.expect("reads") {
            Leaves::Bundle(bytes) => {
                let entries = read_bundle(TILE_WIDTH as u16, &bytes).expect("a full bundle");
                all.extend(entries.into_iter().map(|entry| Leaf::from_bytes(entry).expect("a leaf")));
            }
            Leaves::Rows(rows) => {
                let from = first * TILE_WIDTH + all.len() as u64;
                for ((number, leaf), expected) in rows.iter().zip(from..) {
                    assert_eq!(*number, expected, "numbers have no gap");
                    all.push(Leaf::from_bytes(leaf).expect("a leaf"));
                }
                break;
            }
        }
    }
    all
}

async fn inside(place: &Place) -> Inspect {
    Inspect::open(&place.path()).await.expect("opens")
}

fn many(from: u32, count: u32) -> Unit {
    unit((from..from + count).map(|number| batch(number, 1)).collect(), vec![])
}

/// Queues and delivers, so that only the log grows.
async fn pass_through(spool: &Spool, from: u32, count: u32) {
    spool.queue(many(from, count)).await.expect("fits");
    let all = (from..from + count).map(|n| (Item::Batch(BatchId::from_bytes(id(n))), Settlement::Delivered));
    spool.settle(all.collect(), NOW).await.expect("settles");
}

#[tokio::test]
async fn each_batch_and_message_has_its_leaf_and_the_root_is_that_of_all_leaves() {
    let place = Place::new();
    let spool = place.open().await;
    assert_eq!(spool.log_head().await.expect("reads").root, vernport_audit::empty_root());
    for step in 0..7 {
        spool.queue(many(1000 * step, 100)).await.expect("fits");
        spool.queue(unit(vec![], vec![topic(step, 1, 1)])).await.expect("fits");
        let mut inside = inside(&place).await;
        let leaves = leaves(&mut inside).await;
        let mut edge = Edge::default();
        leaves.iter().for_each(|leaf| edge.push(leaf.hash(), |_, _| ()));
        let head = spool.log_head().await.expect("reads");
        assert_eq!((head.size, head.root), (edge.size(), edge.root()));
        assert_eq!(inside.head().await.expect("reads"), Some(head));
        for (topics, count) in [(false, 64), (true, (step + 1) as usize)] {
            let queued = inside.queued(topics, 0).await.expect("reads");
            assert_eq!(queued.len(), count);
            for queued in queued {
                let leaf = leaves[queued.leaf.expect("has a number") as usize];
                assert!(leaf.commits_to(&queued.sealed), "{:?}", queued.item);
                assert_eq!(leaf.kind() == LeafKind::Message, topics);
            }
        }
    }
    assert_eq!(inside(&place).await.size().await.expect("reads"), 707);
}

#[tokio::test]
async fn every_size_that_was_is_provably_the_beginning_of_the_present_one() {
    let place = Place::new();
    let spool = place.open().await;
    let mut heads = vec![spool.log_head().await.expect("reads")];
    for step in 0..12 {
        pass_through(&spool, 1000 * step, 60 + step).await;
        heads.push(spool.log_head().await.expect("reads"));
    }
    let now = heads[heads.len() - 1];
    for head in heads {
        assert_eq!(head.name, now.name);
        assert_eq!(spool.log_root(head.size).await.expect("reads"), head.root);
        let proof = spool.prove_consistency(head.size, now.size).await.expect("reads");
        assert_eq!(proof.extends((head.size, &head.root), (now.size, &now.root)), Ok(()), "{}", head.size);
    }
    assert!(matches!(spool.log_root(now.size + 1).await, Err(ReadError::NotKept { .. })));
}

#[tokio::test]
async fn a_unit_that_is_refused_takes_no_number() {
    let place = Place::new();
    let spool = place.open().await;
    spool.queue(many(1, 3)).await.expect("fits");
    let (again, more) = tokio::join!(spool.queue(many(2, 4)), spool.queue(many(10, 2)));
    assert!(matches!(again, Err(QueueError::DuplicateBatch { .. })));
    more.expect("it is not its fault");
    assert_eq!(leaves(&mut inside(&place).await).await.len(), 5);
}

#[tokio::test]
async fn old_leaves_go_beyond_the_bound_and_the_tree_goes_on() {
    let place = Place::new();
    let config = Config { log_tiles: 2, ..place.config() };
    let spool = Spool::open(config.clone()).await.expect("opens");
    let mut heads = Vec::new();
    for step in 0..10 {
        pass_through(&spool, 1000 * step, 256).await;
        heads.push(spool.log_head().await.expect("reads"));
    }
    pass_through(&spool, 20_000, 9).await;
    let mut inside = inside(&place).await;
    assert_eq!(inside.pruned_tiles().await.expect("reads"), 8);
    assert_eq!(leaves(&mut inside).await.len(), 2 * 256 + 9);
    let now = spool.log_head().await.expect("reads");
    assert_eq!(now.size, 10 * 256 + 9);
    for head in &heads {
        let proof = spool.prove_consistency(head.size, now.size).await.expect("whole tiles stay provable");
        assert_eq!(proof.extends((head.size, &head.root), (now.size, &now.root)), Ok(()));
    }
    assert!(matches!(spool.log_root(300).await, Err(ReadError::NotKept { .. })));
    // An opening does not begin anew.
    spool.close().await;
    assert_eq!(Spool::open(config).await.expect("opens").log_head().await.expect("reads"), now);
}

#[tokio::test]
async fn what_was_withheld_is_closed_by_a_leaf_that_commits_to_the_counts() {
    let place = Place::new();
    let spool = place.open().await;
    let withheld = |flow: Option<&str>, reason, count| Withheld {
        controller: controller(),
        flow: flow.map(slug),
        reason,
        count,
    };
    let at = |seconds| NOW.plus_seconds(seconds);
    let counted =
        |seconds, withheld, closes_counts| Unit { withheld, closes_counts, ..Unit::new(at(seconds)) };
    spool.queue(counted(0, vec![], true)).await.expect("fits");
    assert_eq!(spool.log_head().await.expect("reads").size, 0, "nothing withheld, no leaf");
    spool.queue(counted(1, vec![withheld(None, Reason::NoGrant, 5)], false)).await.expect("fits");
    spool.queue(counted(2, vec![withheld(Some("a"), Reason::NoGrant, 1)], false)).await.expect("fits");
    // Counts are not lost with the process.
    spool.close().await;
    let spool = place.open().await;
    spool.queue(counted(3, vec![withheld(None, Reason::NoGrant, 2)], true)).await.expect("fits");
    spool.queue(counted(4, vec![withheld(None, Reason::SampledOut, 9)], true)).await.expect("fits");
    let mut inside = inside(&place).await;
    let (leaves, kept) = (leaves(&mut inside).await, inside.counts(0).await.expect("reads"));
    assert_eq!(leaves.len(), 2);
    let mut read = Vec::new();
    for ((number, bytes), (leaf, expected)) in kept.iter().zip(leaves.iter().zip(0..)) {
        assert_eq!(*number, expected);
        assert!(leaf.kind() == LeafKind::Withheld && leaf.commits_to(bytes));
        let counts = Counts::from_bytes(bytes).expect("counts");
        let rows =
            counts.rows.iter().map(|row| (row.flow.clone(), row.reason, row.readings)).collect::<Vec<_>>();
        read.push((counts.from, counts.until, rows));
    }
    let first = vec![(None, Reason::NoGrant, 7), (Some(slug("a")), Reason::NoGrant, 1)];
    let second = vec![(None, Reason::SampledOut, 9)];
    assert_eq!(read, [(at(1), at(3), first), (at(4), at(4), second)]);
    assert_eq!(spool.status().await.expect("reads").withheld, 17, "and the total goes on");
}

#[tokio::test]
async fn a_checkpoint_is_kept_and_its_cosignature_is_not_forgotten() {
    let place = Place::new();
    let spool = place.open().await;
    let kept = |size, note: &str, cosigned| KeptCheckpoint { size, note: note.into(), cosigned };
    for one in [kept(5, "a", None), kept(5, "a+c", Some(NOW)), kept(5, "a", None), kept(9, "b", None)] {
        spool.keep_checkpoint(one).await.expect("keeps");
    }
    let last = spool.last_checkpoints().await.expect("reads");
    assert_eq!(last, (Some(kept(9, "b", None)), Some(kept(5, "a+c", Some(UtcMicros(NOW.0))))));
    for size in 10..4_200 {
        spool.keep_checkpoint(kept(size, "c", None)).await.expect("keeps");
    }
    assert_eq!(inside(&place).await.checkpoints().await.expect("reads").len(), 4096);
}

/// The spool of an earlier version has leaves without tiles, and batches without numbers.
#[tokio::test]
async fn leaves_of_an_earlier_version_become_tiles_at_the_next_opening() {
    let place = Place::new();
    place.open().await.close().await;
    let mut raw = SqliteConnectOptions::new().filename(place.path()).connect().await.expect("opens");
    let mut edge = Edge::default();
    for number in 0..3000_u32 {
        let leaf = Leaf::new(LeafKind::Batch, [1; 16], &number.to_be_bytes());
        edge.push(leaf.hash(), |_, _| ());
        let bytes = leaf.to_bytes();
        sqlx::query("INSERT INTO leaf (leaf) VALUES (?)")
            .bind(&bytes[..])
            .execute(&mut raw)
            .await
            .expect("writes");
    }
    drop(raw);
    let spool = place.open().await;
    let head = spool.log_head().await.expect("reads");
    assert_eq!((head.size, head.root), (3000, edge.root()));
    assert_eq!(leaves(&mut inside(&place).await).await.len(), 3000);
    spool.queue(many(1, 1)).await.expect("fits");
    assert_eq!(spool.log_head().await.expect("reads").size, 3001);
}
