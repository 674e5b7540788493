//! Whole worlds in which one thing is broken on purpose: each shows that a rule which only a running world can
//! break is noticed there, and nothing else with it. What the watch alone finds stands in `broken.rs`.

use crate::{
    books,
    history::Rule,
    play::Play,
    scene::{Scene, played},
    storm,
};
use anyhow::{Result, ensure};
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;

const REMINDER: &str = "maintenance-reminder";

/// Plays a world in which these rules, and no others, have to be broken.
fn breaks(rules: &[Rule], script: impl AsyncFnOnce(&Arc<Play>) -> Result<()> + Send) -> Result<()> {
    let outcome = played(script)?;
    let mut broken = outcome.broken.clone();
    broken.sort_unstable();
    broken.dedup();
    ensure!(broken == rules, "{broken:?} was broken and not {rules:?}: {}", outcome.report);
    Ok(())
}

async fn a_day(play: &Arc<Play>) -> Result<Scene> {
    let scene = Scene::open(play).await?;
    scene.until("a reminder was committed", |play| play.watch.committed(REMINDER) > 0).await?;
    Ok(scene)
}

#[test]
fn a_world_in_which_nothing_is_broken_breaks_no_rule() -> Result<()> {
    breaks(&[], async |play: &Arc<Play>| a_day(play).await?.close().await)
}

/// The database loses one leaf; everything else is there.
#[test]
fn a_leaf_that_is_lost_is_found_missing() -> Result<()> {
    breaks(&[Rule::EvidenceBroken], async |play: &Arc<Play>| {
        let scene = a_day(play).await?;
        play.books.lose_leaf();
        scene.look().await
    })
}

/// The registry is set back and served, and nobody admits it: to the world it is an alarm about nothing.
#[test]
fn an_alarm_where_nothing_is_said_to_have_been_set_back_is_found() -> Result<()> {
    breaks(&[Rule::FalseAlarm], async |play: &Arc<Play>| {
        let mut scene = Scene::open(play).await?;
        play.books.back_up();
        scene.until("a reminder was committed", |play| play.watch.committed(REMINDER) > 0).await?;
        scene.counter.withdraw().await?;
        play.kill_central(0).await;
        ensure!(play.books.set_back(play, true).await?, "there is a backup");
        // Long enough for both sides to have looked at each other's logs.
        books::serve_without_journal(play, Duration::from_secs(300)).await?;
        play.books.restore(play).await?;
        play.start_central(0).await?;
        scene.settle().await
    })
}

/// The journal is lost with the database: central cannot know that it forgot something.
#[test]
fn a_central_that_starts_on_what_was_set_back_is_found() -> Result<()> {
    breaks(&[Rule::ServedWhatWasLost], async |play: &Arc<Play>| {
        let mut scene = Scene::open(play).await?;
        play.books.back_up();
        scene.counter.withdraw().await?;
        play.books.lose_journals(play);
        books::set_back_and_restore(play).await
    })
}

#[test]
fn a_task_that_panics_is_found() -> Result<()> {
    breaks(&[Rule::Panicked], async |play: &Arc<Play>| {
        let scene = a_day(play).await?;
        play.spawn(async { panic!("on purpose") });
        scene.close().await
    })
}

/// The storm is over and the line stays cut.
#[test]
fn a_batch_that_stays_where_it_is_is_found() -> Result<()> {
    breaks(&[Rule::Stalled], async |play: &Arc<Play>| {
        let scene = a_day(play).await?;
        play.set_cut(true);
        scene.until("a reminder waits", |play| play.watch.waiting(REMINDER) > 0).await?;
        scene.settle().await
    })
}

/// Central dies over an order to erase and nobody starts it again.
#[test]
fn an_erasure_that_is_never_done_is_found() -> Result<()> {
    breaks(&[Rule::Stalled], async |play: &Arc<Play>| {
        let mut scene = a_day(play).await?;
        scene.counter.order_erasure().await?;
        play.kill_central(0).await;
        scene.counter.tidy().await
    })
}

/// Something goes round without end: the world itself comes to an end.
#[test]
fn a_world_that_goes_on_for_ever_is_found() -> Result<()> {
    breaks(&[Rule::Stalled], async |play: &Arc<Play>| {
        storm::calm(play).await?;
        loop {
            sleep(Duration::from_secs(60)).await;
        }
    })
}
