//! Starting with nothing to do, and going on after a sleep in which the connections died unheard: what waits goes,
//! central is heard, the vehicle is recognised anew and what it says goes.

use crate::{bus::Bus, p50_p99, place::Place, process::resident_mib, queue::ready};
use anyhow::{Context as _, Result, ensure};
use std::{process::Command, time::Duration};
use tokio::time::{Instant, sleep};
use vernport_gateway::SystemClock;
use vernport_status::{Address, PathStatus, Stage, StageKind, ask};
use vernport_types::{Clock as _, UtcMicros};

/// How long it sleeps: longer than what counts as a sleep, and than an adapter may be silent.
const ASLEEP: Duration = Duration::from_secs(4);
/// How long a state is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

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
    let address = place.gateway_config()?.status.context("a set has [status]")?.address;
    let mut back = Vec::new();
    for _ in 0..times {
        let signal = |name: &str| Command::new("kill").args([name, &gateway.id().to_string()]).status();
        // Something waits when it falls asleep.
        place.wire.silence();
        sleep(Duration::from_secs(1)).await;
        let before = Seen::ask(&address).await?;
        ensure!(signal("-STOP")?.success(), "the gateway cannot be stopped");
        sleep(ASLEEP).await;
        let stored = place.registrar.stored_batches().await?;
        let (begun, since) = (Instant::now(), SystemClock.now().wall);
        ensure!(signal("-CONT")?.success(), "the gateway cannot go on");
        let (waiting, watched) =
            tokio::join!(place.until_stored(stored + 1), watch(&address, &before, (begun, since)));
        let [head, heard, recognised, read] = watched?;
        back.push([waiting? - begun, head, heard, recognised, read]);
        // Until it is at rest again: everything from the sleep has gone.
        place.until_stored(stored + 20).await?;
    }
    driving.stop()?;
    println!("  back after {ASLEEP:.0?} asleep, connections silent, since it goes on:");
    for (place, what) in [
        "what waited is committed",
        "central is heard",
        "the bus is heard",
        "the vehicle is recognised again",
        "what it says then is committed",
    ]
    .into_iter()
    .enumerate()
    {
        let (p50, p99) = p50_p99(back.iter().map(|times| times[place]).collect());
        println!("    {what}: p50 {p50:.2?}, p99 {p99:.2?}");
    }
    gateway.stop().await
}

/// What the gateway says of itself.
struct Seen(PathStatus);

impl Seen {
    async fn ask(address: &Address) -> Result<Self> {
        Ok(Self(serde_json::from_slice(&ask(address, "/status", "application/json").await?)?))
    }

    fn stage(&self, kind: StageKind) -> Option<&Stage> {
        self.0.stages.iter().find(|stage| stage.stage == kind)
    }

    fn count(&self, kind: StageKind, name: &str) -> u64 {
        self.stage(kind).and_then(|stage| stage.counts.get(name)).copied().unwrap_or(0)
    }

    fn is_later(&self, kind: StageKind, since: UtcMicros) -> bool {
        self.stage(kind).and_then(|stage| stage.last_at_micros).is_some_and(|at| at > since)
    }
}

/// When it heard central and the bus, had recognised the vehicle, and had brought something that was read then.
async fn watch(
    address: &Address,
    before: &Seen,
    (begun, since): (Instant, UtcMicros),
) -> Result<[Duration; 4]> {
    let mut at = [None; 4];
    // How many batches there were when it was recognised.
    let mut batches = u64::MAX;
    while at.contains(&None) {
        ensure!(begun.elapsed() < PATIENCE, "not everything came: {at:?}");
        let now = Seen::ask(address).await?;
        let known = now.count(StageKind::Visit, "recognised") > before.count(StageKind::Visit, "recognised");
        if known && batches == u64::MAX {
            batches = now.count(StageKind::Seal, "batches");
        }
        let came = [
            now.is_later(StageKind::Uplink, since),
            now.is_later(StageKind::Bus, since),
            known,
            now.count(StageKind::Uplink, "committed") > batches,
        ];
        for (at, came) in at.iter_mut().zip(came) {
            if came {
                at.get_or_insert_with(|| begun.elapsed());
            }
        }
        sleep(Duration::from_millis(2)).await;
    }
    Ok(at.map(Option::unwrap_or_default))
}
