//! After a kill or a power cut at any point: what was acknowledged is there, and nothing half.

use crate::support::*;
use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
};
use vernport_spool::{Config, Cursor, Inspect, Item, KeptCheckpoint, Settlement, Spool, Unit};
use vernport_types::BatchId;

const CHILD: &str = "VERNPORT_TEST_SPOOL";

/// Unit `n` (from 1): batches 2n and 2n + 1, message n, the cursor at n; so three leaves.
fn numbered(n: u32) -> Unit {
    Unit {
        batches: vec![batch(2 * n, n), batch(2 * n + 1, n)],
        topics: vec![topic(n, n, 1)],
        cursors: vec![Cursor { source: "can0".into(), position: n.into() }],
        ..Unit::new(NOW)
    }
}

/// Checks that the spool holds the units up to some number whole and nothing else, but for the batches that were
/// delivered from the front; answers that number and how many batches are gone.
async fn whole_up_to(spool: &Spool) -> (u32, u32) {
    let last = u32::try_from(spool.cursor("can0").await.expect("reads")).expect("few");
    let batches = ready(spool).await;
    let first = batches.first().copied().unwrap_or(2 * last + 2);
    assert_eq!(batches, (first..2 * last + 2).collect::<Vec<_>>());
    let topics: Vec<_> = (1..=last).map(|n| (n, n.into(), 0)).collect();
    assert_eq!(ready_topics(spool).await, topics);
    let status = spool.status().await.expect("reads");
    assert_eq!((status.leaves, status.quarantined), (3 * u64::from(last), 0));
    (last, first - 2)
}

/// A power cut leaves the log cut off anywhere, or with a torn end: the disk is
/// imaged as it would be after each, and opened.
#[tokio::test]
async fn a_log_that_is_cut_anywhere_holds_all_that_was_acknowledged_before_the_cut() {
    let place = Place::new();
    // The schema goes into the database, so that the log holds units only.
    place.open().await.close().await;
    let spool = place.open().await;
    let log = place.folder.path().join("spool.db-wal");
    let log_bytes = || std::fs::metadata(&log).expect("the log is there").len();
    let mut acknowledged_at = Vec::new();
    for n in 1..=30 {
        spool.queue(numbered(n)).await.expect("fits");
        acknowledged_at.push(log_bytes());
    }
    assert!(acknowledged_at.is_sorted(), "no checkpoint may have run meanwhile");
    let database = std::fs::read(place.path()).expect("reads");
    let log = std::fs::read(&log).expect("reads");

    let end = log.len();
    let cuts = (0..64).map(|step| step * end / 64).chain([end - 1, end]);
    for (step, cut) in cuts.enumerate() {
        let after = Place::new();
        std::fs::write(after.path(), &database).expect("writes");
        let mut kept = log[..cut].to_vec();
        if step % 2 == 1 {
            // A torn end: blocks that were allotted and never written, or written in part.
            kept.resize(end.min(cut + 10_000), if step % 4 == 1 { 0 } else { 0x5A });
        }
        std::fs::write(after.folder.path().join("spool.db-wal"), kept).expect("writes");
        let spool = after.open().await;
        let acknowledged = acknowledged_at.iter().filter(|at| **at <= cut as u64).count();
        assert_eq!(whole_up_to(&spool).await, (u32::try_from(acknowledged).expect("few"), 0), "cut at {cut}");
        // And it goes on from there.
        spool.queue(numbered(u32::try_from(acknowledged).expect("few") + 1)).await.expect("fits");
        spool.close().await;
    }
}

/// Dropped without closing, as by a panic: the same.
#[tokio::test]
async fn a_spool_that_is_dropped_in_the_middle_of_calls_loses_no_acknowledged_unit() {
    let place = Place::new();
    let mut acknowledged = 0;
    for _ in 0..10 {
        let spool = loop {
            // The writer of the last round may still hold the lock for a moment.
            match Spool::open(place.config()).await {
                Ok(spool) => break spool,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        let (last, _) = whole_up_to(&spool).await;
        assert!(last >= acknowledged);
        acknowledged = last;
        for _ in 0..3 {
            spool.queue(numbered(acknowledged + 1)).await.expect("fits");
            acknowledged += 1;
        }
        // Asked and not waited for.
        let asked = spool.clone();
        let unheard = tokio::spawn(async move { asked.queue(numbered(acknowledged + 1)).await.map(drop) });
        tokio::task::yield_now().await;
        unheard.abort();
        drop(spool);
    }
}

/// SIGKILL of a process that queues and settles as fast as it can.
#[tokio::test]
async fn a_killed_process_loses_nothing_that_it_acknowledged() {
    let place = Place::new();
    // Sizes of all checkpoints that ever left the process.
    let mut signed: Vec<u64> = Vec::new();
    for round in 0..20_u32 {
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["kill::child", "--exact", "--nocapture", "--test-threads=1"])
            .env(CHILD, place.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("starts");
        let out = BufReader::new(child.stdout.take().expect("piped"));
        let mut said = out.lines().filter_map(|line| {
            let line = line.expect("text");
            let (what, n) = line.rsplit_once(' ')?;
            Some((what.to_owned(), n.parse().ok()?))
        });
        let (mut queued, mut gone) = (0, 0);
        let mut note = |(what, n): (String, u32)| match what.as_str() {
            "queued" => queued = n,
            "gone" => gone = n,
            "signed" => signed.push(n.into()),
            _ => {}
        };
        said.by_ref().take(5 + (round * 7 % 40) as usize).for_each(&mut note);
        child.kill().expect("is killed");
        // What it had said before and was not read yet counts.
        said.for_each(note);
        child.wait().expect("ends");
        assert!(queued > 0, "the child has to work");

        let spool = place.open().await;
        let (last, delivered) = whole_up_to(&spool).await;
        // One call may have been committed and not yet said.
        assert!(last == queued || last == queued + 1, "round {round}: {last} there, {queued} acknowledged");
        assert!(
            delivered == gone || delivered == gone + 1,
            "round {round}: {delivered} gone, {gone} acknowledged"
        );
        log_holds(&spool, &place, &signed).await;
        spool.close().await;
    }
}

/// The tree goes on: no leaf is lost, and it begins with that of each checkpoint that left.
async fn log_holds(spool: &Spool, place: &Place, signed: &[u64]) {
    let head = spool.log_head().await.expect("reads");
    let mut inside = Inspect::open(&place.path()).await.expect("opens");
    let leaves = crate::log::leaves(&mut inside).await;
    assert_eq!(leaves.len() as u64, head.size);
    let kept = inside.checkpoints().await.expect("reads");
    for size in signed {
        let kept = kept.iter().find(|kept| kept.size == *size).expect("kept before it left");
        let root = spool.log_root(*size).await.expect("reads");
        assert_eq!(kept.note, said(root), "checkpoint of {size}");
        let proof = spool.prove_consistency(*size, head.size).await.expect("reads");
        assert_eq!(proof.extends((*size, &root), (head.size, &head.root)), Ok(()), "{size} to {}", head.size);
    }
}

/// What stands for a note here.
fn said(root: [u8; 32]) -> String {
    root.map(|byte| format!("{byte:02x}")).concat()
}

/// The process that is killed; does nothing as an ordinary test.
#[tokio::test]
async fn child() {
    let Ok(path) = std::env::var(CHILD) else { return };
    let spool = Spool::open(Config::new(Path::new(&path), 64 << 20)).await.expect("opens");
    let say = |what: &str, n: u32| {
        let mut out = std::io::stdout();
        writeln!(out, "\n{what} {n}").and_then(|()| out.flush()).expect("the other side reads");
    };
    let (mut last, mut gone) = whole_up_to(&spool).await;
    say("queued", last);
    say("gone", gone);
    loop {
        spool.queue(numbered(last + 1)).await.expect("fits");
        last += 1;
        say("queued", last);
        if last % 4 == 0 {
            let head = spool.log_head().await.expect("reads");
            let kept = KeptCheckpoint { size: head.size, note: said(head.root), cosigned: None };
            spool.keep_checkpoint(kept).await.expect("keeps");
            say("signed", u32::try_from(head.size).expect("few"));
        }
        if last % 3 == 0 {
            let item = Item::Batch(BatchId::from_bytes(id(gone + 2)));
            assert_eq!(spool.settle(vec![(item, Settlement::Delivered)], NOW).await.expect("settles"), 1);
            gone += 1;
            say("gone", gone);
        }
    }
}
