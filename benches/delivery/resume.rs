//! Starting with nothing to do, and going on after a sleep in which the connections died unheard.

use crate::{p50_p99, place::Place, process::resident_mib, queue::ready};
use anyhow::{Result, ensure};
use std::{process::Command, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep};
use vernport_canbus::{SimulatedAdapter, SimulatedOptions, VirtualBuses};
use vernport_gateway::SystemClock;
use vernport_types::{BootMicros, Clock};

use crate::truck::{VIN, truck};

/// How long it sleeps: longer than what counts as a sleep.
const ASLEEP: Duration = Duration::from_secs(4);

pub(crate) async fn measure(times: u64) -> Result<()> {
    let folder = tempfile::tempdir_in(crate::daemons::built()?)?;
    let link = folder.path().join("adapter");
    let (clock, buses) = (Arc::new(SystemClock), VirtualBuses::default());
    let options = SimulatedOptions::new(Arc::clone(&clock) as Arc<dyn Clock>);
    let _adapter = SimulatedAdapter::plug_in(&link, &buses, &["bay-1".parse()?], options)?;
    let node = buses.attach(&"bay-1".parse()?, clock)?;
    let bus = format!("serial:{}", link.display());
    let place = Place::set_up(&bus, false, "\n[batch]\nmax_wait_ms = 100\n", 1, None).await?;

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

    let driving = tokio::spawn(async move {
        let (sender, begun) = (node.sender(), Instant::now());
        let mut truck = truck(VIN, 80, BootMicros(0)).expect("a truck");
        loop {
            let now = BootMicros(u64::try_from(begun.elapsed().as_micros()).expect("a short bench"));
            truck.on_tick(now).iter().for_each(|frame| sender.send(frame));
            sleep(Duration::from_millis(5)).await;
        }
    });
    let gateway = place.gateway(&[])?;
    let first = place.registrar.stored_batches().await?;
    place.until_stored(first + 20).await?;
    let mut back = Vec::new();
    for _ in 0..times {
        let signal = |name: &str| Command::new("kill").args([name, &gateway.id().to_string()]).status();
        ensure!(signal("-STOP")?.success(), "the gateway cannot be stopped");
        place.wire.silence();
        sleep(ASLEEP).await;
        let stored = place.registrar.stored_batches().await?;
        let begun = Instant::now();
        ensure!(signal("-CONT")?.success(), "the gateway cannot go on");
        back.push(place.until_stored(stored + 1).await? - begun);
        // Until it is at rest again: everything from the sleep has gone.
        place.until_stored(stored + 20).await?;
    }
    ensure!(!driving.is_finished(), "the truck stopped");
    driving.abort();
    let (p50, p99) = p50_p99(back);
    println!(
        "  back after {ASLEEP:.0?} asleep, connections silent: first batch committed after p50 {p50:.1?}, p99 {p99:.1?}"
    );
    gateway.stop().await
}
