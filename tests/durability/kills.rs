//! Whatever is killed, in the middle of a replay, and killed again: each record is
//! opened once at the end, as if nothing had been.

use crate::{
    daemons::built,
    dice::Dice,
    installation::{Installation, Victim},
    opened::Opened,
    truck::{Log, VIN},
};
use anyhow::{Context as _, Result};
use std::{collections::BTreeMap, io::Write as _, time::Duration};
use vernport_gateway::SystemClock;
use vernport_testkit::postgres::{self, Cluster, Settings};
use vernport_types::Clock as _;

/// Of a truck that nobody knows.
const OTHER_VIN: &str = "YV2RT40A8KB654321";

/// A log of the known truck, of a stranger on the same bus, and of the known truck again, so often; and
/// what of it belongs to the workshop.
fn log(times: u64) -> Result<(Log, Opened)> {
    let start = SystemClock.now().wall.plus_seconds(-3600);
    let (mut log, mut known) = (Log::starting_at(start), Opened::default());
    for time in 0..times {
        for (vin, at, seconds) in [(VIN, 0, 80), (OTHER_VIN, 100, 20), (VIN, 140, 80)] {
            let at = time * 280 + at;
            log.visit(vin, at, seconds)?;
            if vin == VIN {
                let mut visit = Log::starting_at(start);
                visit.visit(vin, at, seconds)?;
                known.extend(visit.workshop()?);
            }
        }
    }
    Ok((log, known))
}

/// Replays without and with kills, each victim in turn, at random moments all along the way.
async fn killed(
    test: &str,
    kills: u64,
    victims: &[Victim],
    database: impl Fn() -> Option<Cluster>,
) -> Result<()> {
    built()?;
    let folder = tempfile::tempdir()?;
    // The log's times go on from an hour ago, so its length is bounded.
    let ((log, known), path) = (log((kills / 40).clamp(1, 12))?, folder.path().join("drive.log"));
    log.write(&path)?;
    let frames = u64::try_from(log.frames.len())?;
    let (undisturbed, batches) = Installation::set_up(&path, frames, database()).await?.finish(0).await?;
    undisturbed.of("westrum-workshop", "service-delivery").assert_same(&known);
    assert!(undisturbed.len() > 4000, "{} records", undisturbed.len());

    let mut dice = Dice::thrown(test)?;
    let mut set = Installation::set_up(&path, frames, database()).await?;
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for (kill, victim) in (0..kills).zip(victims.iter().copied().cycle()) {
        // A random place in each part of the way, and a random moment after that.
        let at = batches * kill / (kills + 1) + dice.below(batches / (kills + 1));
        set.until_stored(at).await.with_context(|| format!("kill {kill} of {victim:?}"))?;
        tokio::time::sleep(Duration::from_micros(dice.below(20_000))).await;
        set.cut(victim, Duration::from_micros(dice.below(50_000))).await?;
        *counts.entry(format!("{victim:?}")).or_default() += 1;
    }
    let (disturbed, again) = set.finish(undisturbed.len()).await?;
    disturbed.assert_same(&undisturbed);
    writeln!(
        std::io::stderr(),
        "{test}: {kills} kills {counts:?}; {frames} frames, {} records accepted and opened, each once, in {again} batches ({batches} undisturbed)",
        disturbed.len(),
    )?;
    Ok(())
}

fn kills() -> u64 {
    std::env::var("VERNPORT_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(24)
}

#[tokio::test]
async fn killed_at_any_moment_each_record_still_arrives_once() -> Result<()> {
    let test = "killed_at_any_moment_each_record_still_arrives_once";
    killed(test, 8, &Victim::ON_SQLITE, || None).await
}

#[tokio::test]
async fn on_postgresql_killed_at_any_moment_each_record_still_arrives_once() -> Result<()> {
    let test = "on_postgresql_killed_at_any_moment_each_record_still_arrives_once";
    if postgres::own(test, Settings::default()).is_none() {
        return Ok(());
    }
    let database = || Some(Cluster::start(Settings { fsync: true }));
    killed(test, kills(), &Victim::ON_POSTGRES, database).await
}
