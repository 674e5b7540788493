//! What is past its time goes, however much there is to do, and nothing else.

use super::*;
use crate::stand::{
    self, Central, OPENING, SetClock, head, snapshot,
    waiting::{NOW, Place, batch, unit},
};

/// How long a state is waited for: longer than any pause.
const PATIENCE: Duration = Duration::from_secs(20);
const DAY_SECONDS: u32 = 86_400;

/// One batch that waits for a fresh head, and is due in a day.
async fn waits(clock: &Arc<SetClock>) -> (Deliver, Place) {
    let place = Place::new();
    let spool = place.open().await;
    spool.queue(unit(vec![batch(1, OPENING)], vec![])).await.expect("fits");
    let deliver = Deliver {
        uplink: Arc::new(Central::new(snapshot(None))).uplink(),
        holds: stand::holds(&spool).await,
        spool,
        clock: Arc::<SetClock>::clone(clock),
        shared: Arc::default(),
        swept: Instant::now().checked_sub(SWEEP_EVERY).expect("it runs for longer"),
        kept: None,
    };
    deliver.shared.head(head(1, [0; 16], &snapshot(None)), clock.now());
    (deliver, place)
}

async fn parked(spool: &Spool) -> u64 {
    spool.status().await.expect("reads").batches_parked
}

#[tokio::test]
async fn what_is_overdue_goes_although_the_bell_rings_all_the_time() {
    let clock = SetClock::new();
    let (deliver, _place) = waits(&clock).await;
    let (spool, shared, stop) =
        (deliver.spool.clone(), Arc::clone(&deliver.shared), CancellationToken::new());
    let running = tokio::spawn(deliver.run(stop.clone()));
    let waits = async {
        while parked(&spool).await == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        clock.pass(DAY_SECONDS + 1);
        while parked(&spool).await > 0 {
            shared.queued.notify_waiters();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waits).await.expect("it goes");
    assert_eq!(spool.notes(0, 2).await.expect("reads")[0].reason, Reason::Overdue);
    stop.cancel();
    running.await.expect("it ends");
}

#[tokio::test]
async fn a_clock_that_is_set_far_ahead_destroys_nothing_and_what_is_due_by_central_goes_all_the_same() {
    let clock = SetClock::new();
    let (mut deliver, _place) = waits(&clock).await;
    let left = async |deliver: &Deliver| {
        deliver.sweep().await;
        deliver.spool.status().await.expect("reads").batches_queued
    };
    // Longer than anything may wait.
    clock.set(31 * i64::from(DAY_SECONDS));
    assert_eq!(left(&deliver).await, 1);
    clock.set(-31 * i64::from(DAY_SECONDS));

    // Started again, with what central said before; then without.
    deliver.shared = Arc::default();
    deliver.kept = Some((NOW, clock.now().boot));
    clock.set(5 * i64::from(DAY_SECONDS));
    assert_eq!(left(&deliver).await, 1);
    deliver.kept = None;
    assert_eq!(left(&deliver).await, 1);

    deliver.kept = Some((NOW, clock.now().boot));
    clock.pass(DAY_SECONDS + 1);
    assert_eq!(left(&deliver).await, 0, "a day went by, whatever the clock says");
}

#[tokio::test]
async fn a_clock_that_is_somewhat_ahead_is_gone_by() {
    let clock = SetClock::new();
    let (deliver, _place) = waits(&clock).await;
    clock.set(3 * i64::from(DAY_SECONDS));
    deliver.sweep().await;
    assert_eq!(deliver.spool.status().await.expect("reads").batches_queued, 0);
}
