//! A live bus cannot wait for a gateway that is killed. What is lost of what it said until
//! then is bounded: what had gathered in memory, no longer than `[batch] max_wait_ms`,
//! and what was being committed.
//!
//! A truck behind an adapter on a serial line counts upwards, without end. After kills of
//! the gateway and cuts of its power, each number that was not opened has to lie
//! shortly before one of them, or between it and the next recognition of the truck.

use crate::{
    daemons::built,
    dice::Dice,
    installation::{Installation, Victim},
    opened::json,
    truck::{VIN, truck},
};
use anyhow::{Context as _, Result, ensure};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;
use vernport_canbus::{SimulatedAdapter, SimulatedOptions, VirtualBuses, VirtualNode};
use vernport_gateway::SystemClock;
use vernport_types::{BootMicros, CanFrame, CanId, Clock, Value};

/// Longest that a reading waits in the gateway's memory; what is written to its configuration.
const MAX_WAIT: Duration = Duration::from_millis(500);
/// What a commit, and the way from the adapter, may take on a machine that does other things as well.
const COMMIT: Duration = Duration::from_millis(1_500);
/// How often each unit tells its number.
const PERIOD: Duration = Duration::from_millis(100);
/// Units that count, each at its own time within the period.
const UNITS: u8 = 5;
/// The first number, in units of 5 m (SAE J1939-71, high resolution total vehicle distance).
const FIRST: u32 = 80_000_000;
const STEP_M: u32 = 5;
/// How long nothing may come.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked what has arrived: opening is slow.
const LOOK: Duration = Duration::from_millis(250);

/// What a unit told: its address and the metres.
type Told = (u8, u32);

/// The truck on its bus, until it is told to stop.
struct Bus {
    told: Arc<Mutex<BTreeMap<Told, Instant>>>,
    stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<Result<()>>,
}

impl Bus {
    fn start(node: VirtualNode) -> Self {
        let (told, stop) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let task = tokio::spawn(count(node, Arc::clone(&told), Arc::clone(&stop)));
        Self { told, stop, task }
    }

    fn told(&self) -> BTreeMap<Told, Instant> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn stop(self) -> Result<BTreeMap<Told, Instant>> {
        self.stop.store(true, Ordering::Relaxed);
        let told = Arc::clone(&self.told);
        self.task.await??;
        Ok(told.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

/// The truck's own frames, its VIN among them, and the units that count.
async fn count(
    node: VirtualNode,
    told: Arc<Mutex<BTreeMap<Told, Instant>>>,
    stop: Arc<AtomicBool>,
) -> Result<()> {
    let (sender, begun) = (node.sender(), Instant::now());
    let mut truck = truck(VIN, 80, BootMicros(0))?;
    let mut beats = tokio::time::interval(PERIOD / u32::from(UNITS));
    for beat in 0_u32.. {
        beats.tick().await;
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let now = BootMicros(u64::try_from(begun.elapsed().as_micros())?);
        truck.on_tick(now).iter().for_each(|frame| sender.send(frame));
        let (unit, steps) = (u8::try_from(beat % u32::from(UNITS))?, FIRST + beat / u32::from(UNITS));
        let mut data = [0xFF; 8];
        data[..4].copy_from_slice(&steps.to_le_bytes());
        let id = CanId::Extended(0x18FE_C100 | u32::from(0x40 + unit));
        let at = Instant::now();
        sender.send(&CanFrame::data_frame(id, &data).context("eight bytes")?);
        told.lock().unwrap_or_else(PoisonError::into_inner).insert((0x40 + unit, steps * STEP_M), at);
    }
    Ok(())
}

/// Which of what was told the workshop can open.
async fn arrived(set: &Installation, told: &BTreeMap<Told, Instant>) -> Result<BTreeSet<Told>> {
    let opened = set.opened_by("westrum-workshop", "service-delivery").await?;
    let values = opened.values("Vehicle.TraveledDistance");
    let is_there = |&&(unit, metres): &&Told| {
        let source = format!("j1939:65217:sa={unit:02x}");
        values.contains_key(&(source, json(Value::Integer(metres.into()))))
    };
    Ok(told.keys().filter(is_there).copied().collect())
}

fn kills() -> u32 {
    std::env::var("VERNPORT_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(24) / 8
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_live_bus_a_kill_takes_no_more_than_the_stated_window() -> Result<()> {
    let test = "of_a_live_bus_a_kill_takes_no_more_than_the_stated_window";
    built()?;
    let folder = tempfile::tempdir()?;
    let (link, clock) = (folder.path().join("adapter"), Arc::new(SystemClock));
    let (buses, name) = (VirtualBuses::default(), "bay-1".parse()?);
    let options = SimulatedOptions::new(Arc::clone(&clock) as Arc<dyn Clock>);
    let _adapter = SimulatedAdapter::plug_in(&link, &buses, &[name], options)?;
    let bus = Bus::start(buses.attach(&"bay-1".parse()?, clock)?);
    let batch = format!("\n[batch]\nmax_wait_ms = {}\n", MAX_WAIT.as_millis());
    let mut set = Installation::of_a_live_bus(&link, &batch).await?;

    let mut dice = Dice::thrown(test)?;
    // When the gateway was cut off, and the first number that counted after it was there again.
    let mut cuts: Vec<(Instant, Instant)> = Vec::new();
    let mut from = Instant::now();
    let recognised = first_arrival(&set, &bus, from).await?;
    for victim in [Victim::Gateway, Victim::GatewayPower].into_iter().cycle().take(kills().max(2) as usize) {
        // For as long as it lives it has to have something to lose.
        tokio::time::sleep(MAX_WAIT + Duration::from_micros(dice.below(900_000))).await;
        let (cut, down) = (Instant::now(), Duration::from_micros(dice.below(200_000)));
        set.cut(victim, down).await?;
        from = Instant::now();
        cuts.push((cut, first_arrival(&set, &bus, from).await?));
    }
    let told = bus.stop().await?;
    let last_cut = cuts.last().map_or(recognised, |(_, again)| *again);
    let settled = until_all_since(&set, &told, last_cut).await?;

    let mut longest = Duration::ZERO;
    for (number, at) in told.iter().filter(|(number, at)| !settled.contains(number) && **at >= recognised) {
        let before = cuts.iter().map(|(cut, again)| (cut.saturating_duration_since(*at), at < again, at));
        // Lost while it was cut off, or in the window before.
        let window = before.filter(|(_, early, _)| *early).map(|(window, ..)| window).min();
        let Some(window) = window else { panic!("{number:?} was told after the last cut, and is lost") };
        longest = longest.max(window);
    }
    writeln!(
        std::io::stderr(),
        "{test}: {} kills; {} numbers told while the truck was known or the gateway away, {} opened; \
         the oldest that was lost was told {longest:?} before a kill (max_wait_ms {})",
        cuts.len(),
        told.values().filter(|at| **at >= recognised).count(),
        settled.len(),
        MAX_WAIT.as_millis(),
    )?;
    ensure!(longest <= MAX_WAIT + COMMIT, "{longest:?} before a kill is lost");
    Ok(())
}

/// When the first number was told after `from` that the workshop can open.
async fn first_arrival(set: &Installation, bus: &Bus, from: Instant) -> Result<Instant> {
    let until = Instant::now() + PATIENCE;
    loop {
        let told: BTreeMap<_, _> = bus.told().into_iter().filter(|(_, at)| *at >= from).collect();
        let first = arrived(set, &told).await?.into_iter().map(|number| told[&number]).min();
        if let Some(first) = first {
            return Ok(first);
        }
        ensure!(Instant::now() < until, "nothing arrives of a live bus");
        tokio::time::sleep(LOOK).await;
    }
}

/// What has arrived when all that was told since `last` has.
async fn until_all_since(
    set: &Installation,
    told: &BTreeMap<Told, Instant>,
    last: Instant,
) -> Result<BTreeSet<Told>> {
    let until = Instant::now() + PATIENCE;
    loop {
        let there = arrived(set, told).await?;
        if told.iter().all(|(number, at)| *at < last || there.contains(number)) {
            return Ok(there);
        }
        ensure!(Instant::now() < until, "what a live bus said at the end does not arrive");
        tokio::time::sleep(LOOK).await;
    }
}
