//! One seed from its beginning to its end: the first day, the storm, the calm after it, and the
//! last look.

use crate::{
    books,
    counter::{self, Counter},
    history::Rule,
    perform::{Outcome, perform},
    play::Play,
    site::Site,
    watch::End,
};
use anyhow::{Context as _, Result};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::time::sleep;
use vernport_spool::{Inspect, Item};
use vernport_types::TimeQuality;

/// How long it may take, in seconds, until everything is settled after the storm.
const SETTLED_SECONDS: u64 = 600;

/// Runs one seed on this thread.
pub(crate) fn run(site: &Arc<Site>, seed: u64) -> Result<Outcome> {
    perform(site, seed, None, weathered)
}

async fn weathered(play: &Arc<Play>) -> Result<()> {
    play.history.tell(format!("{:?}", play.weather));
    play.start_central(0).await?;
    let counter = Counter::open(play).await?;
    play.start_gateway().await?;
    if play.weather.two_centrals {
        play.start_central(1).await?;
    }
    play.set_storm(true);
    let truck = tokio::spawn(drive(Arc::clone(play)));
    let counter = tokio::spawn(counter.work());
    let reader = tokio::spawn(counter::read_now_and_then(Arc::clone(play)));
    let until = play.time.micros() + i64::try_from(play.weather.storm_seconds * 1_000_000)?;
    let began = tokio::time::Instant::now();
    while began.elapsed() < Duration::from_secs(play.weather.storm_seconds)
        && play.time.micros() < until * 1_000
    {
        let pause = play.dice.between(200, play.weather.blow_seconds * 1_000);
        sleep(Duration::from_millis(pause)).await;
        if let Some((head, _)) = play.status().await.and_then(|status| status.head) {
            play.watch.believes((head.era, head.sequence));
        }
        blow(play).await?;
    }
    calm(play).await?;
    let mut counter = counter.await.context("the counter")??;
    reader.await.context("the reader")??;
    counter.tidy().await?;
    truck.abort();
    settled(play, &counter).await?;
    look(play).await
}

/// The truck talks on the live bus.
pub(crate) async fn drive(play: Arc<Play>) {
    let Ok(node) = play.bus() else { return };
    let wire = node.sender();
    for frames in play.site.live.iter().cycle() {
        for frame in frames {
            wire.send(frame);
        }
        sleep(Duration::from_secs(1)).await;
    }
}

/// Something breaks, or is mended.
async fn blow(play: &Arc<Play>) -> Result<()> {
    let dice = &play.dice;
    match dice.below(100) {
        0..15 => {
            if dice.percent(60) {
                play.kill_gateway().await;
            } else {
                play.stop_gateway().await;
            }
            sleep(Duration::from_millis(dice.between(0, 8_000))).await;
            play.start_gateway().await?;
        }
        15..30 => {
            let place = usize::from(play.weather.two_centrals && dice.percent(50));
            if dice.percent(70) {
                play.kill_central(place).await;
            } else {
                play.stop_central(place).await;
            }
            sleep(Duration::from_millis(dice.between(0, 8_000))).await;
            play.start_central(place).await?;
        }
        30..45 => {
            play.history.tell("the line of the gateway is cut");
            play.set_cut(true);
            sleep(Duration::from_millis(dice.between(500, 40_000))).await;
            play.set_cut(false);
        }
        45..55 => {
            play.history.tell("the gateway's disk is full");
            play.set_disk_full(true);
            sleep(Duration::from_millis(dice.between(500, 20_000))).await;
            play.set_disk_full(false);
        }
        55..65 => {
            let seconds = dice.of(&[3, 40, 200, 299, 302, 3_600]);
            play.history.tell(format!("the gateway was suspended for {seconds} s"));
            play.gateway_clock.suspend(seconds);
        }
        65..75 => {
            let seconds = dice.of(&[-86_400, -3_600, -60, 0, 60, 3_600, 86_400]);
            let quality = dice.of(&[TimeQuality::Unset, TimeQuality::Bounded, TimeQuality::Synced]);
            play.history.tell(format!("the gateway's clock is {seconds} s off, {quality:?}"));
            play.gateway_clock.set_off(seconds);
            play.gateway_clock.set_quality(quality);
        }
        75..80 => {
            // That the clocks of two processes agree is asked of who runs them (note 0017).
            let offs = if play.weather.two_centrals { &[0][..] } else { &[-600, -60, 0, 60, 600] };
            let seconds = dice.of(offs);
            play.history.tell(format!("the clock of central is {seconds} s off"));
            for clock in &play.central_clocks {
                clock.set_off(seconds);
            }
        }
        80..88 => {
            let seconds = dice.of(&[30, 280, 400, 3_600, 40_000]);
            play.history.tell(format!("all sleep for {seconds} s"));
            play.time.sleep(seconds);
        }
        88..92 => {
            play.history.tell("the database is gone");
            play.set_database_gone(true);
            sleep(Duration::from_millis(dice.between(100, 20_000))).await;
            play.set_database_gone(false);
        }
        92..96 => {
            play.history.tell("backup");
            play.books.back_up();
        }
        _ if play.weather.sets_back => books::set_back_and_restore(play).await?,
        _ => {}
    }
    Ok(())
}

/// Everything that can be mended is.
pub(crate) async fn calm(play: &Arc<Play>) -> Result<()> {
    play.history.tell("calm");
    play.set_storm(false);
    play.set_cut(false);
    play.set_disk_full(false);
    play.set_database_gone(false);
    for clock in play.central_clocks.iter().chain([&play.gateway_clock]) {
        clock.set_off(0);
        clock.set_quality(TimeQuality::Synced);
    }
    if !play.is_central_up(0) {
        play.start_central(0).await?;
    }
    play.start_gateway().await
}

/// Time goes on until nothing waits that may go.
pub(crate) async fn settled(play: &Arc<Play>, counter: &Counter) -> Result<()> {
    let mut last = String::new();
    for _ in 0..SETTLED_SECONDS {
        sleep(Duration::from_secs(1)).await;
        let status = play.status().await.context("the gateway runs")?;
        let was_set_back = play.set_back.load(std::sync::atomic::Ordering::Relaxed);
        // What waits under an opening that the restored registry never knew waits for its due.
        let parked = if counter.is_restricted() || was_set_back { 0 } else { status.spool.batches_parked };
        if status.is_settled() && parked == 0 && status.sources_ended > 0 && status.head.is_some() {
            let alarms = status.log.alarms;
            let is_alarmed = alarms.own.is_some() || alarms.central.is_some() || alarms.count > 0;
            if !was_set_back && (status.central_rolled_back || is_alarmed) {
                let rolled = status.central_rolled_back;
                play.history.broke(Rule::FalseAlarm, format!("rolled back: {rolled}, logs: {alarms:?}"));
            }
            return Ok(());
        }
        last = format!(
            "{} queued, {} parked, {} gathered, {} logs read, room {}, head {}",
            status.spool.batches_queued,
            status.spool.batches_parked,
            status.tally.gathered,
            status.sources_ended,
            !status.waiting_for_room,
            status.head.is_some(),
        );
    }
    play.history.broke(Rule::Stalled, last);
    Ok(())
}

/// The last look: at what recipients open, at both sides' books, and at the evidence.
pub(crate) async fn look(play: &Arc<Play>) -> Result<()> {
    play.stop_gateway().await;
    for (recipient, key) in play.site.recipients() {
        counter::read_all(play, recipient, key).await?;
    }
    for place in 0..2 {
        play.stop_central(place).await;
    }
    let recorded = play.books.recorded().await?;
    for name in &recorded.without_leaf {
        play.history.broke(Rule::EvidenceBroken, format!("{name} has no leaf"));
    }
    if play.journaled_since() == Some(0) {
        play.watch.check_stored(&recorded.batches);
    }
    let spool = futures_executor::block_on(spool(play))?;
    play.watch.check_whole(&End {
        destroyed: &spool.0,
        waiting: &spool.1,
        stored: &recorded.batches,
        reads_logged: recorded.reads,
        may_have_lost_batches: play.set_back.load(std::sync::atomic::Ordering::Relaxed),
    });
    Ok(())
}

type Ids = BTreeSet<vernport_types::BatchId>;

/// What the spool notes as destroyed, and what waits in it.
async fn spool(play: &Arc<Play>) -> Result<(Ids, Ids)> {
    let of_batch = |item: Item| if let Item::Batch(id) = item { Some(id) } else { None };
    let mut inspect = Inspect::open(&play.spool_file()).await?;
    let (mut waiting, mut after) = (Ids::new(), 0);
    loop {
        let page = inspect.queued(false, after).await?;
        let Some(last) = page.last() else { break };
        after = last.row;
        waiting.extend(page.iter().filter_map(|one| of_batch(one.item)));
    }
    inspect.close().await;
    let spool = vernport_spool::Spool::open(vernport_spool::Config::new(play.spool_file(), 1 << 20)).await?;
    let (mut destroyed, mut after) = (Ids::new(), 0);
    loop {
        let notes = spool.notes(after, 256).await?;
        let Some(last) = notes.last() else { break };
        after = last.row;
        destroyed.extend(notes.iter().filter_map(|note| of_batch(note.item)));
    }
    Ok((destroyed, waiting))
}
