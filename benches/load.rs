//! Two full buses into a whole gateway, natively: what it takes of the processor and of memory, whether
//! anything is lost, and how long a frame is under way to the decoder (figures in `README.md`).
//!
//! No criterion: the load is given, and what it costs is looked up. `cargo bench --bench load [SECONDS]`.

#![expect(clippy::print_stdout, reason = "the figures are the purpose")]

use anyhow::{Context as _, Result};
use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{runtime::Runtime, sync::oneshot};
use tokio_util::sync::CancellationToken;
use vernport::{
    shipped,
    stage::{Setting, Stage},
};
use vernport_canbus::{SourceUrl, VirtualBuses, VirtualSender};
use vernport_decode::{Config as DecoderConfig, Decoder};
use vernport_gateway::{Config, Deps, Status, SystemClock};
use vernport_registry::world::World;
use vernport_sim::{Truck, TruckConfig};
use vernport_types::{BootMicros, CanFrame, CanId, Clock, Position};

const WORLD: &str = include_str!("../tests/pipeline/worlds/truck.toml");
const VIN: &str = "YV2RT40A8KB123456";
/// What a bus of 500 kbit/s carries.
const FRAMES_PER_S: u64 = 4_000;
const BUSES: [&str; 2] = ["westrum", "westrum-body"];
/// How often frames are put on the buses.
const BEAT: Duration = Duration::from_millis(1);
/// Ticks of `/proc`'s processor times in a second, on every Linux machine.
const TICKS_PER_S: f64 = 100.0;

fn main() -> Result<()> {
    let seconds = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(20);
    whole_gateway(seconds)?;
    to_the_decoder(seconds.min(5))
}

fn runtime(name: &str, threads: usize) -> Result<Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    Ok(builder.worker_threads(threads).thread_name(name).enable_all().build()?)
}

/// Central on one runtime, the gateway on another, the buses' noise from a thread of its own.
fn whole_gateway(seconds: u64) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (central, gateway) = (runtime("central", 1)?, runtime("gateway", 2)?);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let setting = Setting {
        bundles: vec![("westrum".into(), shipped::bundle_text("westrum")?.1)],
        bus: "virtual:{name}".into(),
        file_time: false,
        clock: Arc::clone(&clock),
        brokers: false,
    };
    let stage = central.block_on(Stage::set_up(&folder.path().join("set"), setting))?;
    let controller = stage.dev.controller.first().context("a set has a controller")?.clone();
    central.block_on(async {
        let registrar = stage.registrar(&controller)?;
        registrar.activate_keys(&stage.dev, &controller).await?;
        let world = World::from_toml("worlds/truck.toml", WORLD)?;
        let entries = world.entries(&controller.id, &registrar.identity, clock.now().wall)?;
        anyhow::Ok(registrar.record(entries).await?)
    })?;
    let path = stage.dev.gateway_config(&controller);
    let text = fs::read_to_string(&path)?;
    fs::write(&path, format!("{text}\n[[bus]]\nsource = \"virtual:{}\"\n", BUSES[1]))?;

    let before_mib = resident_mib()?;
    let config = Config::load(&path)?;
    let deps = Deps { clock: Arc::clone(&clock), buses: stage.buses.clone() };
    let running = gateway.block_on(vernport_gateway::run(&config, deps, CancellationToken::new()))?;
    let status = |what: &dyn Fn(&Status) -> bool| -> Result<Status> {
        loop {
            let status = gateway.block_on(running.status())?;
            if what(&status) {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    status(&|status| status.head.is_some())?;
    let senders = attach(&stage.buses, &clock, &gateway)?;
    // Recognised first, so that the load is what is measured.
    send(&senders, &clock, 3);
    let (begun, ticks, sql) = (Instant::now(), ticks_of("gateway")?, ticks_of("sqlx")?);
    let first = status(&|_| true)?;
    let sent = send(&senders, &clock, seconds);
    let last = status(&|status| status.tally.frames >= first.tally.frames + sent)?;
    let took_s = begun.elapsed().as_secs_f64();
    let percent = |ticks: u64| ticks as f64 / TICKS_PER_S / took_s * 100.0;
    println!("two buses, {FRAMES_PER_S} frames/s each, {seconds} s:");
    println!("  frames sent {sent}, taken {}", last.tally.frames - first.tally.frames);
    println!(
        "  readings {}, batches {}",
        last.tally.readings - first.tally.readings,
        last.tally.queued_batches
    );
    println!("  processor: gateway's threads {:.1} % of a core", percent(ticks_of("gateway")? - ticks));
    println!(
        "  processor: SQLite's threads, central's among them, {:.1} %",
        percent(ticks_of("sqlx")? - sql)
    );
    println!("  resident: {before_mib} MiB with central alone, {} MiB with the gateway", resident_mib()?);
    gateway.block_on(running.stop());
    central.block_on(stage.stop());
    Ok(())
}

/// From the sender's hand through the adapter's queue and the decoder, beside the same noise.
fn to_the_decoder(seconds: u64) -> Result<()> {
    let runtime = runtime("decoder", 1)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let buses = VirtualBuses::default();
    let senders = attach(&buses, &clock, &runtime)?;
    let mut options = vernport_canbus::OpenOptions::new(Arc::clone(&clock));
    options.buses = buses;
    let url: SourceUrl = format!("virtual:{}", BUSES[0]).parse()?;
    let mut source = runtime.block_on(vernport_canbus::open(&url, options))?.source;
    let (stop, mut stopped) = oneshot::channel::<()>();
    let reading = runtime.spawn(async move {
        let catalogue = shipped::catalogue();
        let mut decoder = Decoder::new(&catalogue, DecoderConfig::default())?;
        let mut micros = Vec::new();
        loop {
            tokio::select! {
                biased;
                next = source.next() => {
                    let Some(timed) = next? else { break };
                    decoder.push(&timed.frame, timed.at, &mut |_| {});
                    micros.push(SystemClock.now().boot.0.saturating_sub(timed.at.boot.0));
                }
                _ = &mut stopped => break,
            }
        }
        anyhow::Ok((micros, source.counters().dropped))
    });
    let sent = send(&senders, &clock, seconds) / BUSES.len() as u64;
    // A receiver that is gone has said why below.
    let _ = stop.send(());
    let (mut micros, dropped) = runtime.block_on(reading)??;
    micros.sort_unstable();
    let at = |share: f64| micros[((micros.len() - 1) as f64 * share) as usize];
    println!("from the bus to the decoder, {sent} frames, {dropped} dropped:");
    println!("  p50 {} µs, p99 {} µs, longest {} µs", at(0.5), at(0.99), at(1.0));
    Ok(())
}

fn attach(buses: &VirtualBuses, clock: &Arc<dyn Clock>, runtime: &Runtime) -> Result<Vec<VirtualSender>> {
    let _inside = runtime.enter();
    let one = |name: &&str| Ok(buses.attach(&name.parse()?, Arc::clone(clock))?.sender());
    BUSES.iter().map(one).collect()
}

/// A truck on each bus, and as many frames of the engine and brakes as fill it; gives how many were sent.
fn send(senders: &[VirtualSender], clock: &Arc<dyn Clock>, seconds: u64) -> u64 {
    let start = clock.now().boot;
    let mut trucks: Vec<Truck> = senders.iter().map(|_| Truck::new(truck(), start)).collect();
    let noise = [0x0CF0_0400, 0x0CF0_0300, 0x18F0_010B, 0x18FE_BF0B].map(|id| {
        let id = CanId::extended(id).expect("29 bits");
        CanFrame::data_frame(id, &[0x40, 0x7D, 0x20, 0, 0x20, 1, 0x20, 0]).expect("8 bytes")
    });
    let (mut sent, mut beat) = (0, 0_u64);
    let each = FRAMES_PER_S * BEAT.as_millis() as u64 / 1_000;
    let begun = Instant::now();
    while beat < seconds * 1_000 {
        beat += 1;
        let now = BootMicros(start.0 + beat * 1_000);
        for (sender, truck) in senders.iter().zip(&mut trucks) {
            let said = truck.on_tick(now);
            let filler = each.saturating_sub(said.len() as u64);
            for frame in said.iter().chain(noise.iter().cycle().take(filler as usize)) {
                sender.send(frame);
                sent += 1;
            }
        }
        std::thread::sleep((begun + BEAT * beat as u32).saturating_duration_since(Instant::now()));
    }
    sent
}

fn truck() -> TruckConfig {
    TruckConfig {
        vin: VIN.parse().expect("a VIN"),
        odometer_m: 412_345_675,
        speed_km_per_h: 0,
        position: Position::from_degrees(59.743_21, 10.204_56).expect("on the globe"),
        fuel_percent: 62,
        battery_mv: 24_700,
        engine_s: 9_412 * 3_600,
        faults: Vec::new(),
        obd_trouble_codes: Vec::new(),
        announce_vin_every_micros: Some(1_000_000),
    }
}

/// Processor time of the threads whose names begin so, in ticks.
fn ticks_of(name: &str) -> Result<u64> {
    let mut ticks = 0;
    for thread in fs::read_dir("/proc/self/task")? {
        // A thread may end while it is looked at.
        let Ok(stat) = fs::read_to_string(thread?.path().join("stat")) else { continue };
        let Some((head, rest)) = stat.rsplit_once(')') else { continue };
        if head.split_once('(').is_some_and(|(_, comm)| comm.starts_with(name)) {
            // Fields 14 and 15 of the line, of which two came before the name's end.
            ticks +=
                rest.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<u64>().ok()).sum::<u64>();
        }
    }
    Ok(ticks)
}

fn resident_mib() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.split_whitespace().next().context("no number")?.parse::<u64>()? / 1024)
}
