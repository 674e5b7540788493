//! Starting with nothing to do, and going on after a sleep in which the connections died unheard.

use crate::{bus::Bus, p50_p99, place::Place, process::resident_mib, queue::ready};
use anyhow::{Result, ensure};
use std::{process::Command, time::Duration};
use tokio::time::{Instant, sleep};

/// How long it sleeps: longer than what counts as a sleep.
const ASLEEP: Duration = Duration::from_secs(4);

pub(crate) async fn measure(times: u64) -> Result<()> {
    let bus = Bus::plug_in()?;
    let place = Place::set_up(&bus.source, false, "\n[batch]\nmax_wait_ms = 100\n", 1, None).await?;

    println!("\nstart and resume, {times} times each");
    let (mut starts, mut rss) = (Vec::new(), 0);
    for _ in 0..times {
        let (took, gateway) = ready(&place).await?;
        starts.push(took);
        rss = resident_mib(gateway.id())?.0;
        gateway.stop().await?;
    }
    let (p50, p99) = p50_p99(starts);
    println!("  start until ready: p50 {p50:.1?}, p99 {p99:.1?}; {rss} MiB resident");

    let driving = bus.drive();
    let gateway = place.gateway(&[])?;
    let first = place.registrar.stored_batches().await?;
    place.until_stored(first + 20).await?;
    let mut back = Vec::new();
    for _ in 0..times {
        let signal = |name: &str| Command::new("kill").args([name, &gateway.id().to_string()]).status();
        // Something waits when it falls asleep: how soon the truck is recognised again is another question.
        place.wire.silence();
        sleep(Duration::from_secs(1)).await;
        ensure!(signal("-STOP")?.success(), "the gateway cannot be stopped");
        sleep(ASLEEP).await;
        let stored = place.registrar.stored_batches().await?;
        let begun = Instant::now();
        ensure!(signal("-CONT")?.success(), "the gateway cannot go on");
        back.push(place.until_stored(stored + 1).await? - begun);
        // Until it is at rest again: everything from the sleep has gone.
        place.until_stored(stored + 20).await?;
    }
    driving.stop()?;
    let (p50, p99) = p50_p99(back);
    println!(
        "  back after {ASLEEP:.0?} asleep, connections silent: first batch committed after p50 {p50:.1?}, p99 {p99:.1?}"
    );
    gateway.stop().await
}
