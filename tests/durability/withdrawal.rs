//! A consent that is withdrawn under load while parts are killed: nothing on it is
//! committed after the answer, and what rests on other bases arrives whole.

use crate::{
    daemons::built,
    dice::Dice,
    installation::{Installation, Victim},
    truck::Log,
};
use anyhow::{Context as _, Result, ensure};
use std::{collections::BTreeSet, time::Duration};
use tokio::time::Instant;
use vernport_gateway::SystemClock;
use vernport_registry::{Event, Method, Withdrawal, WithdrawalScope};
use vernport_testkit::postgres::{self, Settings};
use vernport_types::Clock as _;

/// How long central may be away.
const PATIENCE: Duration = Duration::from_secs(60);

/// Withdraws the owner's consent, again and again until central answers: it counts once.
async fn withdraw(set: &Installation) -> Result<()> {
    let subject = set.world.subject("owner").context("the world has an owner")?;
    let scope =
        WithdrawalScope::Subject { subject, purpose: None, recipient: None, categories: BTreeSet::new() };
    let until = Instant::now() + PATIENCE;
    loop {
        let withdrawal = Withdrawal { scope: scope.clone(), method: Method::Spoken, recorded_by: None };
        match set.registrar.say_as(Event::ConsentWithdrawn(withdrawal), "on the telephone").await {
            Ok(_) => return Ok(()),
            Err(error) => ensure!(Instant::now() < until, "central takes no withdrawal: {error:#}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn nothing_is_committed_on_a_consent_after_its_withdrawal_was_answered() -> Result<()> {
    let test = "nothing_is_committed_on_a_consent_after_its_withdrawal_was_answered";
    let Some(cluster) = postgres::own(test, Settings { fsync: true }) else { return Ok(()) };
    built()?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("drive.log");
    let log = Log::of_one_visit(SystemClock.now().wall.plus_seconds(-600), 120)?;
    log.write(&path)?;
    let workshop = log.workshop()?;

    let mut dice = Dice::thrown(test)?;
    let mut set = Installation::set_up(&path, u64::try_from(log.frames.len())?, Some(cluster)).await?;
    set.until_stored(50).await?;
    // While something is down, and then with everything killed once more.
    set.cut(dice.of(&Victim::ON_POSTGRES), Duration::from_micros(dice.below(50_000))).await?;
    withdraw(&set).await?;
    let reminder = |opened: &crate::opened::Opened| opened.of("westrum-workshop", "maintenance-reminder");
    let before = reminder(&set.opened().await?);
    ensure!(before.len() > 0, "something was committed while the consent stood");
    for victim in Victim::ON_POSTGRES {
        set.cut(victim, Duration::from_micros(dice.below(50_000))).await?;
    }
    let (opened, _) = set.finish(before.len() + workshop.len()).await?;
    reminder(&opened).assert_same(&before);
    opened.of("westrum-workshop", "service-delivery").assert_same(&workshop);
    Ok(())
}
