//! A spool without room. A log waits: reading stands still and says so, goes on
//! where it stood, and nothing of the log is missing. A live bus does not wait:
//! what matters least gives way, and is counted.

use crate::{
    opened::Opened,
    stand::{OnBus, Stand},
    truck::Log,
    wire::Wire,
};
use anyhow::Result;
use vernport_gateway::{Status, SystemClock};
use vernport_types::Clock as _;

/// Waits until nothing is read while units are offered again and again. What central answered right
/// before the wire was cut may still make room for some more.
async fn stands_still(stand: &Stand, mut before: Status) -> Result<Status> {
    for _ in 0..10 {
        let tried = before.spool.refused_units + 3;
        let after =
            stand.until("tried again, three times", |status| status.spool.refused_units >= tried).await?;
        if after.tally.frames == before.tally.frames {
            return Ok(after);
        }
        before = after;
    }
    anyhow::bail!("what cannot be kept is read all the same")
}

#[tokio::test]
async fn a_full_spool_stops_reading_and_loses_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let log = Log::of_one_visit(SystemClock.now().wall.plus_seconds(-600), 80)?;
    let path = folder.path().join("long.log");
    log.write(&path)?;
    let frames = u64::try_from(log.frames.len())?;

    // With a fleet broker, so that only what is for central waits.
    let mut stand = Stand::of(&["westrum"], &format!("candump:{}", path.display()), true).await?;
    let wire = Wire::lay(&stand).await?;
    let small = "max_wait_ms = 100\nmax_records = 2\n[spool]\nmax_mib = 1\n";
    stand.configure(|text| text.replace("max_wait_ms = 100\n", small))?;
    stand.start().await?;
    stand.until("reading began", |status| status.tally.frames > 0).await?;
    wire.cut();

    let full = stand.until("no room", |status| status.waiting_for_room).await?;
    assert!(full.tally.frames < frames && full.sources_ended == 0, "it stopped in the middle");
    assert!(full.spool.used_bytes > full.spool.max_bytes / 2, "{} bytes", full.spool.used_bytes);
    let still = stands_still(&stand, full).await?;
    assert!(still.waiting_for_room && still.spool.used_bytes <= still.spool.max_bytes);

    wire.mend();
    let done = |status: &Status| status.sources_ended > 0 && status.is_settled();
    let status = stand.until("all of it read and delivered", done).await?;
    assert_eq!((status.tally.frames, status.waiting_for_room), (frames, false));
    stand.opened().await?.of("westrum-workshop", "service-delivery").assert_same(&log.workshop()?);
    stand.stage.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_live_bus_does_not_stand_still_older_readings_give_way_and_each_is_accounted_for() -> Result<()> {
    let mut stand = Stand::on_virtual_bus().await?;
    let wire = Wire::lay(&stand).await?;
    let small = "\n[batch]\nmax_records = 2\n[spool]\nmax_mib = 1\nkeep_longest = [\"workshop\"]\n";
    stand.configure(|text| text + small)?;
    stand.start().await?;
    stand.until("grants heard", |status| status.head.is_some()).await?;
    wire.cut();
    let mut truck = OnBus::arrive(&stand, 80)?;
    let full =
        truck.drive_until(&stand, "some gave way", |status| status.spool.batches_dropped >= 10).await?;
    assert!(!full.waiting_for_room && full.spool.refused_units == 0);
    assert!(full.spool.used_bytes <= full.spool.max_bytes);
    truck.drive(&stand, 1).await?;

    wire.mend();
    let status = stand.until("delivered", |status| status.is_settled()).await?;
    assert_eq!(status.spool.notes, status.spool.batches_dropped, "each that gave way has its note");
    assert_eq!(status.delivered_batches + status.spool.batches_dropped, status.tally.queued_batches);
    let opened = stand.opened().await?.of("westrum-workshop", "service-delivery").timeless();
    let all = truck.workshop(0)?;
    assert_eq!(all.missing_of(&opened), [], "nothing that was not sent");
    // The odometer only grows, so the newest reading of it is the greatest.
    let newest = |records: &Opened| records.values("Vehicle.TraveledDistance").into_keys().max();
    assert!(newest(&opened).is_some() && newest(&opened) == newest(&all), "the oldest went, not the newest");
    stand.stage.stop().await;
    Ok(())
}
