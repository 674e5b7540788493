//! The bound and the full disk: new units are refused, everything else goes on.

use crate::support::*;
use std::process::Command;
use vernport_policy::Standing;
use vernport_spool::{
    Config, Cursor, Item, QueueError, QueuedBatch, QueuedTopic, Settlement, Spool, Unit, WhenFull,
};
use vernport_types::{BatchId, Reason};

fn of_size(number: u32, filler_bytes: usize) -> QueuedBatch {
    QueuedBatch {
        grant: grant(number),
        when_full: WhenFull::Wait,
        sealed: envelope(number, DUE, filler_bytes),
    }
}

fn a_batch(number: u32) -> Item {
    Item::Batch(BatchId::from_bytes(id(number)))
}

fn cursor(position: u64) -> Unit {
    Unit { cursors: vec![Cursor { source: "can0".into(), position }], ..Unit::new(NOW) }
}

#[tokio::test]
async fn at_the_bound_units_are_refused_until_something_goes() {
    let place = Place::new();
    let one = envelope(1, DUE, 100).as_bytes().len() as u64 + Config::ROW_BYTES;
    let spool = Spool::open(Config { max_bytes: 3 * one, ..place.config() }).await.expect("opens");
    for number in 1..=3 {
        spool.queue(unit(vec![batch(number, number)], vec![])).await.expect("fits");
    }
    let error = spool.queue(unit(vec![batch(4, 4)], vec![])).await.expect_err("is too much");
    assert!(
        matches!(error, QueueError::Full { used_bytes, asked_bytes, max_bytes }
            if used_bytes == 3 * one && asked_bytes == one && max_bytes == 3 * one),
        "{error}"
    );
    // Where nothing is released the cursor goes on.
    spool.queue(cursor(5)).await.expect("takes no room");
    // Parking makes no room, destroying does.
    spool.apply(grant(1), Standing::Park(Reason::Restricted), NOW).await.expect("settles");
    assert!(matches!(spool.queue(unit(vec![batch(4, 4)], vec![])).await, Err(QueueError::Full { .. })));
    spool.apply(grant(1), Standing::Destroy(Reason::ConsentWithdrawn), NOW).await.expect("settles");
    spool.queue(unit(vec![batch(4, 4)], vec![])).await.expect("fits again");
    assert_eq!(ready(&spool).await, [2, 3, 4]);
    // The bound is counted anew at an opening.
    spool.close().await;
    let spool = Spool::open(Config { max_bytes: 3 * one, ..place.config() }).await.expect("opens");
    assert!(matches!(spool.queue(unit(vec![batch(5, 4)], vec![])).await, Err(QueueError::Full { .. })));
    assert_eq!(spool.status().await.expect("reads").refused_units, 1);
    // So does the cursor where the bound was lowered below what waits.
    spool.close().await;
    let spool = Spool::open(Config { max_bytes: one, ..place.config() }).await.expect("opens");
    spool.queue(cursor(6)).await.expect("takes no room");
    assert_eq!(spool.cursor("can0").await.expect("reads"), 6);
}

#[tokio::test]
async fn of_units_asked_at_once_only_as_many_as_fit_are_taken() {
    let place = Place::new();
    let one = envelope(1, DUE, 100).as_bytes().len() as u64 + Config::ROW_BYTES;
    let spool = Spool::open(Config { max_bytes: 5 * one, ..place.config() }).await.expect("opens");
    let calls = (1..=20).map(|number| spool.queue(unit(vec![batch(number, number)], vec![])));
    let answers = futures_util::future::join_all(calls).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 5);
    assert_eq!(ready(&spool).await.len(), 5);
}

/// SQLite meets its page limit (`SQLITE_FULL`) as it meets the end of a disk.
#[tokio::test]
async fn a_full_file_refuses_units_keeps_what_it_has_and_still_settles() {
    let place = Place::new();
    let config = Config { max_file_bytes: 1 << 20, ..place.config() };
    let spool = Spool::open(config.clone()).await.expect("opens");
    let mut accepted = Vec::new();
    let error = loop {
        let number = u32::try_from(accepted.len()).expect("few") + 1;
        match spool.queue(unit(vec![of_size(number, 10_000)], vec![topic(number, number, 1)])).await {
            Ok(_) => accepted.push(number),
            Err(error) => break error,
        }
        assert!(accepted.len() < 1000, "the limit must be met");
    };
    assert!(matches!(error, QueueError::Disk { .. }), "{error}");
    assert!(error.to_string().contains("no room on the disk"), "{error}");
    assert!(accepted.len() > 50, "{}", accepted.len());
    assert_eq!(ready(&spool).await, accepted);
    assert_eq!(ready_topics(&spool).await.len(), accepted.len());

    // At the limit: settling each way, and units again as soon as there is room.
    spool.settle(vec![(a_batch(1), Settlement::Delivered)], NOW).await.expect("settles");
    spool.apply(grant(2), Standing::Park(Reason::Restricted), NOW).await.expect("settles");
    spool.apply(grant(3), Standing::Destroy(Reason::ConsentWithdrawn), NOW).await.expect("settles");
    assert_eq!(ready(&spool).await, accepted[3..]);
    spool.queue(unit(vec![of_size(900, 10_000)], vec![])).await.expect("there is room again");

    // A group that does not fit is not refused as a whole.
    let small = (1000..1100).map(|number| spool.queue(unit(vec![of_size(number, 5_000)], vec![])));
    let answers = futures_util::future::join_all(small).await;
    let taken = answers.iter().filter(|answer| answer.is_ok()).count();
    assert!(answers.iter().flatten().count() < 100 && taken < 100, "{taken}");
    let expected: Vec<_> = accepted[3..]
        .iter()
        .copied()
        .chain([900])
        .chain((1000..).zip(&answers).filter(|(_, answer)| answer.is_ok()).map(|(number, _)| number))
        .collect();
    assert_eq!(ready(&spool).await, expected);

    // All of it is there after a new opening, and can be emptied.
    spool.close().await;
    let spool = Spool::open(config).await.expect("opens");
    assert_eq!(ready(&spool).await, expected);
    spool.sweep(DUE.plus_micros(1)).await.expect("sweeps");
    let status = spool.status().await.expect("reads");
    assert_eq!((status.batches_queued, status.batches_parked, status.topics_parked), (0, 1, 1));
    assert!(status.reserve_whole);
}

/// Parking makes index entries longer, which takes pages where there are none any more.
#[tokio::test]
async fn on_a_file_without_a_free_page_all_can_be_parked_and_resumed() {
    let place = Place::new();
    let spool = Spool::open(Config { max_file_bytes: 1 << 20, ..place.config() }).await.expect("opens");
    let mut accepted = Vec::new();
    for filler_bytes in [5_000, 0] {
        loop {
            let number = u32::try_from(accepted.len()).expect("few") + 1;
            match spool.queue(unit(vec![of_size(number, filler_bytes)], vec![])).await {
                Ok(_) => accepted.push(number),
                Err(QueueError::Disk { .. }) => break,
                Err(error) => panic!("{error}"),
            }
        }
    }
    let parked = accepted.iter().map(|number| (a_batch(*number), Settlement::Parked(Reason::Restricted)));
    spool.settle(parked.collect(), NOW).await.expect("settles");
    assert!(ready(&spool).await.is_empty());
    for number in &accepted {
        spool.apply(grant(*number), Standing::Send, NOW).await.expect("settles");
    }
    assert_eq!(ready(&spool).await, accepted);
}

/// Without a whole reserve nothing is queued, so that the room there is belongs to settling.
#[cfg(unix)]
#[tokio::test]
async fn without_its_reserve_the_spool_settles_and_queues_nothing() {
    let place = Place::new();
    let spool = place.open().await;
    spool.queue(unit(vec![batch(1, 1)], vec![])).await.expect("fits");
    spool.close().await;
    // A folder in its place: it cannot be written.
    let reserve = place.folder.path().join("spool.db.reserve");
    std::fs::remove_file(&reserve).expect("was there");
    std::fs::create_dir(&reserve).expect("makes a folder");
    let spool = place.open().await;
    assert!(!spool.status().await.expect("reads").reserve_whole);
    let error = spool.queue(unit(vec![batch(2, 2)], vec![])).await.expect_err("must not queue");
    assert!(matches!(error, QueueError::Disk { .. }), "{error}");
    spool.settle(vec![(a_batch(1), Settlement::Delivered)], NOW).await.expect("settles");
    // Room again: at the next sweep it is mended.
    std::fs::remove_dir(&reserve).expect("is empty");
    while !spool.status().await.expect("reads").reserve_whole {
        spool.sweep(NOW).await.expect("sweeps");
        tokio::task::yield_now().await;
    }
    spool.queue(unit(vec![batch(2, 2)], vec![])).await.expect("fits");
}

/// A file system of its own of 16 MiB, in memory; unmounted when dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// None where this user may not mount one.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"])
            .arg(folder.path())
            .output();
        mount.is_ok_and(|done| done.status.success()).then(|| Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a file of the test may still be open.
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).output();
    }
}

/// The same on a disk that is really full, to the last block.
#[expect(clippy::print_stderr, reason = "a skip is told where the suite is summed up")]
#[tokio::test]
async fn a_full_disk_refuses_units_keeps_what_it_has_and_still_settles() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!(
            "SKIPPED a_full_disk_refuses_units_keeps_what_it_has_and_still_settles: mounting a tmpfs needs root"
        );
        return;
    };
    let place = Place { folder: tempfile::tempdir_in(disk.0.path()).expect("a folder") };
    let spool = place.open().await;
    let filler = place.folder.path().join("filler");
    let fill = || {
        use std::io::Write as _;
        let mut file = std::fs::File::options().create(true).append(true).open(&filler).expect("opens");
        while file.write_all(&[7; 512]).is_ok() {}
    };
    let mut accepted = Vec::new();
    let error = loop {
        let number = u32::try_from(accepted.len()).expect("few") + 1;
        match spool.queue(unit(vec![of_size(number, 10_000)], vec![topic(number, number, 1)])).await {
            Ok(_) => accepted.push(number),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, QueueError::Disk { .. }), "{error}");
    fill();
    assert_eq!(ready(&spool).await, accepted);
    let (first, rest) = accepted.split_at(accepted.len() / 2);
    let delivered = first.iter().map(|number| (a_batch(*number), Settlement::Delivered)).collect();
    assert_eq!(spool.settle(delivered, NOW).await.expect("settles") as usize, first.len());
    fill();
    for number in rest.iter().take(20) {
        let standing = Standing::Destroy(Reason::ConsentWithdrawn);
        assert_eq!(spool.apply(grant(*number), standing, NOW).await.expect("settles"), 2);
    }
    fill();
    spool.append_link(1, vec![7; 2_000], b"tip".to_vec()).await.expect("a station is heard");
    fill();
    assert_eq!(ready(&spool).await, rest[20..]);
    // A restart on the full disk.
    spool.close().await;
    for ending in ["-wal", "-shm"] {
        // SQLite itself takes them away where it can.
        let _ = std::fs::remove_file(place.folder.path().join(format!("spool.db{ending}")));
    }
    fill();
    let spool = place.open().await;
    assert_eq!(spool.links().await.expect("reads"), [vec![7; 2_000]]);
    assert_eq!(ready(&spool).await, rest[20..]);
    spool.apply(grant(rest[20]), Standing::Park(Reason::Restricted), NOW).await.expect("settles");
    assert_eq!(ready(&spool).await, rest[21..]);
    // Room again.
    std::fs::remove_file(&filler).expect("was there");
    while !spool.status().await.expect("reads").reserve_whole {
        spool.sweep(NOW).await.expect("sweeps");
        tokio::task::yield_now().await;
    }
    spool.queue(unit(vec![of_size(9999, 10_000)], vec![])).await.expect("fits");
}

/// Of a live bus: its rank, and about 1 KiB.
fn live(number: u32, rank: u8) -> QueuedBatch {
    QueuedBatch { when_full: WhenFull::GiveWay(rank), ..of_size(number, 500) }
}

#[tokio::test]
async fn what_cannot_wait_takes_the_room_of_lower_ranks_first_and_of_the_oldest_then() {
    let place = Place::new();
    let one = live(1, 0).sealed.as_bytes().len() as u64 + Config::ROW_BYTES;
    let spool = Spool::open(Config { max_bytes: 4 * one, ..place.config() }).await.expect("opens");
    for batch in [live(1, 1), live(2, 0), live(3, 1), live(4, 0)] {
        spool.queue(unit(vec![batch], vec![])).await.expect("fits");
    }
    spool.queue(unit(vec![live(5, 1)], vec![])).await.expect("2 gives way");
    assert_eq!(ready(&spool).await, [1, 3, 4, 5]);
    spool.queue(unit(vec![live(6, 1), live(7, 1)], vec![])).await.expect("4, and then 1 give way");
    assert_eq!(ready(&spool).await, [3, 5, 6, 7]);
    // The new one itself has the lowest rank: it is what gives way, and its evidence says that it was there.
    let lowest = unit(vec![live(8, 0)], vec![]);
    spool.queue(lowest).await.expect("is taken, and gives way");
    assert_eq!(ready(&spool).await, [3, 5, 6, 7]);
    let status = spool.status().await.expect("reads");
    assert_eq!((status.batches_dropped, status.notes, status.leaves), (4, 4, 8));
    let notes = spool.notes(0, 10).await.expect("reads");
    assert!(notes.iter().all(|note| note.reason == Reason::QueueFull));
    // What could wait is told to wait, and what waits for a person or a head never gives way.
    assert!(matches!(spool.queue(unit(vec![batch(9, 9)], vec![])).await, Err(QueueError::Full { .. })));
    for number in [3, 5, 6, 7] {
        spool.apply(grant(number), Standing::Park(Reason::Restricted), NOW).await.expect("parks");
    }
    spool.queue(unit(vec![live(10, 9)], vec![])).await.expect("is taken, and gives way to what is parked");
    let status = spool.status().await.expect("reads");
    assert_eq!((status.batches_parked, status.batches_queued, status.batches_dropped), (4, 0, 5));
    // The count outlives the process.
    spool.close().await;
    let spool = Spool::open(Config { max_bytes: 4 * one, ..place.config() }).await.expect("opens");
    assert_eq!(spool.status().await.expect("reads").batches_dropped, 5);
}

#[tokio::test]
async fn a_message_that_gave_way_is_announced_as_skipped() {
    let place = Place::new();
    let one = topic(1, 1, 1).sealed.as_bytes().len() as u64 + Config::ROW_BYTES;
    let spool = Spool::open(Config { max_bytes: 2 * one, ..place.config() }).await.expect("opens");
    let live =
        |number| unit(vec![], vec![QueuedTopic { when_full: WhenFull::GiveWay(0), ..topic(number, 1, 1) }]);
    for number in 1..=5 {
        spool.queue(live(number)).await.expect("is taken");
    }
    assert_eq!(ready_topics(&spool).await, [(4, 4, 3), (5, 5, 0)]);
    assert_eq!(spool.status().await.expect("reads").topics_dropped, 3);
}

#[tokio::test]
async fn what_waits_for_too_long_goes_unless_it_is_parked() {
    let place = Place::new();
    let spool = Spool::open(Config { max_age_seconds: 3600, ..place.config() }).await.expect("opens");
    spool.queue(unit(vec![batch(1, 1), batch(2, 2)], vec![topic(3, 1, 1)])).await.expect("fits");
    spool.apply(grant(2), Standing::Park(Reason::GrantStale), NOW).await.expect("parks");
    spool.sweep(NOW.plus_seconds(3600)).await.expect("sweeps");
    assert_eq!(ready(&spool).await, [1], "as long as it may");
    assert_eq!(spool.sweep(NOW.plus_seconds(3601)).await.expect("sweeps"), 2);
    let status = spool.status().await.expect("reads");
    assert_eq!((status.batches_queued, status.batches_parked, status.topics_queued), (0, 1, 0));
    assert_eq!((status.batches_dropped, status.topics_dropped), (1, 1));
}
