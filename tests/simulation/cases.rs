//! Bugs that seeds found, each as a script: a seed means something else as soon as the dice fall in
//! another order. Each is played a second time as its control, in which what the bug did is done on purpose:
//! the rule that the bug broke has to be broken there, so the script does come to the moment that matters.

use crate::{
    history::Rule,
    play::Play,
    scene::{Scene, played},
};
use anyhow::{Result, ensure};
use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};
use tokio::time::sleep;

/// The flow that rests on a consent.
const REMINDER: &str = "maintenance-reminder";

/// Which of both is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Run {
    Case,
    Control,
}

/// Plays a script both ways.
fn holds<S>(rule: Rule, script: S) -> Result<()>
where
    S: AsyncFn(&Arc<Play>, Run) -> Result<()> + Sync,
{
    let outcome = played(async |play: &Arc<Play>| script(play, Run::Case).await)?;
    ensure!(outcome.broken.is_empty(), "{}", outcome.report);
    let control = played(async |play: &Arc<Play>| script(play, Run::Control).await)?;
    let is_seen = !control.broken.is_empty() && control.broken.iter().all(|broken| *broken == rule);
    ensure!(is_seen, "the control breaks {:?} and not {rule:?}: {}", control.broken, control.report);
    Ok(())
}

/// A reminder was committed, and the next one waits at the gateway, whose line is cut.
async fn a_reminder_waits(scene: &Scene) -> Result<()> {
    scene.until("a reminder was committed", |play| play.watch.committed(REMINDER) > 0).await?;
    scene.play.set_cut(true);
    scene.until("a reminder waits", |play| play.watch.waiting(REMINDER) > 0).await
}

/// A batch waits at the gateway, whose line is cut, when its consent is withdrawn. In the control the counter
/// says so and never tells central.
async fn withdrawn_meanwhile(mut scene: Scene, off_seconds: i64, run: Run) -> Result<()> {
    let play = Arc::clone(&scene.play);
    a_reminder_waits(&scene).await?;
    play.central_clocks[0].set_off(off_seconds);
    match run {
        Run::Case => scene.counter.withdraw().await?,
        Run::Control => scene.counter.claim_withdrawal().await?,
    }
    play.set_cut(false);
    // All that waits goes to central while its clock is still behind.
    sleep(Duration::from_secs(30)).await;
    scene.close().await
}

/// A consent was withdrawn at a counter whose clock was ahead of central's: it was answered at once, and
/// batches came in on it until central's clock was there.
#[test]
fn a_withdrawal_counts_when_it_is_answered_though_the_counters_clock_is_ahead() -> Result<()> {
    holds(Rule::CommittedAfterWithdrawal, async |play: &Arc<Play>, run| {
        play.central_clocks[0].set_off(-200);
        withdrawn_meanwhile(Scene::open(play).await?, -200, run).await
    })
}

/// Central's clock was set back by more than a counter's may be ahead: the time of a withdrawal was measured
/// from that clock and not from the time that central had seen, so it was let in and did not count yet.
#[test]
fn a_withdrawal_counts_when_it_is_answered_though_centrals_clock_was_set_back() -> Result<()> {
    holds(Rule::CommittedAfterWithdrawal, async |play: &Arc<Play>, run| {
        withdrawn_meanwhile(Scene::open(play).await?, -600, run).await
    })
}

/// The database recorded a withdrawal and its answer was lost; asked again, central said that it has it, but it
/// was in no journal, and a restore lost it.
#[test]
fn a_withdrawal_whose_commit_was_not_answered_is_in_the_journal_when_it_is_answered() -> Result<()> {
    holds(Rule::CommittedAfterWithdrawal, async |play: &Arc<Play>, run| {
        let mut scene = Scene::open(play).await?;
        a_reminder_waits(&scene).await?;
        play.books.back_up();
        match run {
            Run::Case => {
                play.books.lose_next_answer(play);
                scene.counter.withdraw().await?;
            }
            Run::Control => scene.counter.claim_withdrawal().await?,
        }
        play.kill_central(0).await;
        ensure!(play.books.set_back(play, false).await?, "there is a backup");
        play.set_back.store(true, Relaxed);
        play.books.restore(play).await?;
        play.start_central(0).await?;
        play.set_cut(false);
        sleep(Duration::from_secs(30)).await;
        scene.close().await
    })
}

/// Central's clock was ahead of the counter's: an order to erase bore a time before that of the opening
/// which it was about, and was certified as done without it.
#[test]
fn an_order_to_erase_takes_what_was_open_before_it_though_the_counters_clock_is_behind() -> Result<()> {
    holds(Rule::OpenedAfterErasure, async |play: &Arc<Play>, run| {
        play.central_clocks[0].set_off(600);
        let mut scene = Scene::open(play).await?;
        scene.until("a reminder was committed", |play| play.watch.committed(REMINDER) > 0).await?;
        match run {
            Run::Case => scene.counter.order_erasure().await?,
            Run::Control => scene.counter.claim_erasure(),
        }
        sleep(Duration::from_secs(30)).await;
        scene.close().await
    })
}

/// A central that started with its clock behind computed grants as of a time before what others had
/// recorded: it took back keys, and two processes undid each other's grants until the clock was there. In the
/// control a consent is withdrawn meanwhile, which does end a grant.
#[test]
fn a_central_that_starts_with_its_clock_behind_undoes_nothing() -> Result<()> {
    holds(Rule::Stalled, async |play: &Arc<Play>, run| {
        let mut scene = Scene::open(play).await?;
        scene.until("a reminder was committed", |play| play.watch.committed(REMINDER) > 0).await?;
        let (open, committed) = (play.watch.open(), play.watch.committed(REMINDER));
        play.central_clocks[1].set_off(-600);
        play.start_central(1).await?;
        if run == Run::Control {
            scene.counter.withdraw().await?;
        }
        sleep(Duration::from_secs(60)).await;
        ensure!(play.watch.open() == open, "the grants are others than before");
        let goes_on = |play: &Play| play.watch.committed(REMINDER) > committed;
        scene.until("reminders go on to be committed", goes_on).await?;
        scene.close().await
    })
}
