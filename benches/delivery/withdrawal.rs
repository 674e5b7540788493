//! Consents that are given and withdrawn again and again while a bus is busy: when the last batch on each
//! was committed, by central's own clock, and when the gateway had closed.

use crate::{bus::Bus, p50_p99, place::Place};
use anyhow::{Context as _, Result, ensure};
use sqlx::{Connection as _, SqliteConnection};
use std::{collections::BTreeSet, time::Duration};
use tokio::time::{Instant, sleep};
use vernport_crypto::random;
use vernport_gateway::SystemClock;
use vernport_registry::{Consent, Event, Method, ReceiptCode, Withdrawal, WithdrawalScope};
use vernport_types::{Clock as _, UtcMicros};

const FLOW: &str = "maintenance-reminder";
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn measure(withdrawals: u64) -> Result<()> {
    let (bus, clock) = (Bus::plug_in()?, SystemClock);
    let place = Place::set_up(&bus.source, false, "\n[batch]\nmax_wait_ms = 20\n", 1, None).await?;
    let driving = bus.drive();
    let gateway = place.gateway(&[])?;
    let entries = place.world.entries(&place.controller.id, &place.registrar.identity, clock.now().wall)?;
    let consent = entries.into_iter().find_map(|entry| match entry.event {
        Event::ConsentGiven(consent) => Some(consent),
        _ => None,
    });
    let consent = consent.context("the world has a consent")?;
    let database = place.dev.dir.join("central/main.db");
    let mut look = SqliteConnection::connect(&format!("sqlite://{}?mode=ro", database.display())).await?;

    let (mut answers, mut effects, mut after) = (Vec::new(), Vec::new(), Vec::new());
    let (mut late, mut told) = (0, 0_u64);
    for turn in 0..withdrawals {
        // The first was given with the world.
        if turn > 0 {
            let again = Consent { receipt: ReceiptCode::from_bytes(random()), ..consent.clone() };
            place.registrar.say(Event::ConsentGiven(again)).await?;
        }
        let since = clock.now().wall;
        until_committed(&mut look, since).await?;
        let scope = WithdrawalScope::Subject {
            subject: consent.subject,
            purpose: None,
            recipient: None,
            categories: BTreeSet::new(),
        };
        let withdrawal = Withdrawal { scope, method: Method::Spoken, recorded_by: None };
        let begun = Instant::now();
        let answer = place.registrar.say_together(vec![Event::ConsentWithdrawn(withdrawal)]).await?;
        let stopped = answer.effect.stopped.iter().find(|stopped| stopped.flow.as_str() == FLOW);
        let stopped = stopped.context("the withdrawal stops the flow")?;
        let effect = stopped.gateways.iter().filter_map(|gateway| gateway.took_effect_at).max();
        if let Some(at) = effect {
            effects.push(micros(at.0 - stopped.since.0));
            told += 1;
        }
        // It is answered when gateways told, so this is the whole way and back.
        answers.push(begun.elapsed());
        let last = last_commit(&mut look).await?.context("something was committed")?;
        late += u64::from(last.0 > stopped.since.0);
        after.push(micros(last.0 - stopped.since.0));
    }
    // What was on its way then has had its answer by now.
    let seen = last_commit(&mut look).await?;
    sleep(Duration::from_secs(2)).await;
    ensure!(last_commit(&mut look).await? == seen, "a batch was committed on a consent that is withdrawn");
    driving.stop()?;
    println!("\n{withdrawals} withdrawals under load, connected");
    println!("  committed on the basis after central had recorded its end: {late}");
    let (p50, p99) = p50_p99(after);
    println!("  from the record to the last commit, 0 where that was before: p50 {p50:.1?}, p99 {p99:.1?}");
    let (p50, p99) = p50_p99(effects);
    println!(
        "  from the record to the gateway's word that it has closed ({told} told): p50 {p50:.1?}, p99 {p99:.1?}"
    );
    let (p50, p99) = p50_p99(answers);
    println!("  from the question to the answer, that word in it: p50 {p50:.1?}, p99 {p99:.1?}");
    gateway.stop().await
}

fn micros(between: i64) -> Duration {
    Duration::from_micros(u64::try_from(between).unwrap_or(0))
}

async fn last_commit(look: &mut SqliteConnection) -> Result<Option<UtcMicros>> {
    let asked = sqlx::query_scalar("SELECT max(committed_at) FROM batch WHERE flow = ?").bind(FLOW);
    Ok(asked.fetch_one(look).await.map(|at: Option<i64>| at.map(UtcMicros))?)
}

async fn until_committed(look: &mut SqliteConnection, since: UtcMicros) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    while last_commit(look).await?.is_none_or(|at| at.0 < since.0) {
        ensure!(Instant::now() < until, "nothing is committed on a consent that stands");
        sleep(Duration::from_millis(2)).await;
    }
    Ok(())
}
