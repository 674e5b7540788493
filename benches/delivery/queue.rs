//! A day without a network: how fast it is read, sealed and queued, what it takes on the disk and in memory, and how
//! fast it then goes to a central on either database.

use crate::{
    daemons::Daemon,
    place::Place,
    process::resident_mib,
    truck::{Log, VIN, drive, truck},
    wire::Now,
};
use anyhow::{Context as _, Result};
use std::{
    io::{BufWriter, Write as _},
    os::unix::net::UnixDatagram,
    path::Path,
    sync::Arc,
    time::Duration,
};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use vernport_canbus::VirtualBuses;
use vernport_gateway::{Deps, Running, Status, SystemClock};
use vernport_testkit::postgres::{self, Cluster, Settings};
use vernport_types::{BootMicros, Clock as _, UtcMicros};

/// Batches as a live bus makes them, and such that gather for long.
const BATCHES: [(&str, &str); 2] = [
    ("max_wait_ms 1000", "\n[batch]\nmax_wait_ms = 1000\n[spool]\nmax_mib = 8192\n"),
    ("max_wait_ms 60000", "\n[batch]\nmax_wait_ms = 60000\n[spool]\nmax_mib = 8192\n"),
];
/// A visit is a log's part, so that not all frames stand in memory at once.
const PART_SECONDS: u64 = 3_600;

pub(crate) async fn measure(hours: u64) -> Result<()> {
    let folder = tempfile::tempdir_in(crate::daemons::built()?)?;
    let log = folder.path().join("day.log");
    let frames = write_log(&log, hours)?;
    println!("a queue of {hours} h: a truck, {frames} frames");
    for (name, batch) in BATCHES {
        for database in ["SQLite", "PostgreSQL"] {
            let cluster = match database {
                "SQLite" => None,
                _ => {
                    let cluster = postgres::own("delivery", Settings { fsync: true });
                    let Some(cluster) = cluster else { continue };
                    Some(cluster)
                }
            };
            one(&log, hours, (name, batch), database, cluster).await?;
        }
    }
    Ok(())
}

fn write_log(path: &Path, hours: u64) -> Result<u64> {
    let start = start(hours);
    let (mut file, mut frames) = (BufWriter::new(std::fs::File::create(path)?), 0);
    let mut driven = truck(VIN, 80, BootMicros(0))?;
    for part in 0..(hours * 3_600).div_ceil(PART_SECONDS) {
        let mut log = Log::starting_at(start);
        log.frames = drive(&mut driven, BootMicros(part * PART_SECONDS * 1_000_000), PART_SECONDS);
        frames += log.frames.len() as u64;
        for line in log.lines() {
            file.write_all(line.as_bytes())?;
        }
    }
    file.flush()?;
    Ok(frames)
}

fn start(hours: u64) -> UtcMicros {
    SystemClock.now().wall.plus_seconds(-3_600 * i64::try_from(hours).expect("hours of a bench"))
}

async fn one(
    log: &Path,
    hours: u64,
    (name, batch): (&str, &str),
    database: &str,
    cluster: Option<Cluster>,
) -> Result<()> {
    let bus = format!("candump:{}", log.display());
    let place = Place::set_up(&bus, true, batch, hours + 1, cluster).await?;
    println!("\n{name}, central on {database}");
    let running = start_gateway(&place).await?;
    // The first head has come, so the log is being read; from here on there is no network.
    place.wire.set(Now::Cut);
    let begun = Instant::now();
    let status = until(&running, |status| status.sources_ended == 1).await?;
    let took = begun.elapsed();
    running.stop().await;
    let released: u64 = status.tally.rows.values().map(|row| row.exact + row.coarsened).sum();
    let frames = status.tally.frames;
    let rate = |n: u64, took: Duration| (n as f64 / took.as_secs_f64()) as u64;
    println!(
        "  read, decided, sealed, queued: {frames} frames in {:.1} s, {} frames/s, {} records/s",
        took.as_secs_f64(),
        rate(frames, took),
        rate(released, took),
    );
    let sent_before = place.registrar.stored_batches().await?;
    let (batches, bytes) = (status.spool.batches_queued, status.spool.used_bytes);
    let file = std::fs::metadata(place.dev.folder(&place.controller).join("data/spool.db"))?.len();
    println!(
        "  waiting: {released} records in {batches} batches, {} bytes a record, file {} MiB, {} bytes a record on the disk",
        bytes / released.max(1),
        file >> 20,
        file / released.max(1),
    );
    starts(&place, batches).await?;

    let (up, down) = place.wire.bytes();
    let gateway = place.gateway(&[])?;
    place.wire.set(Now::Whole);
    place.until_stored(sent_before + 1).await?;
    let begun = Instant::now();
    let last = place.until_stored(sent_before + batches).await?;
    let took = last - begun;
    let (up_after, down_after) = place.wire.bytes();
    let (rss, most) = resident_mib(gateway.id())?;
    println!(
        "  to {database}: {:.1} s, {} batches/s, {} records/s; on the wire {} bytes a record up, {:.2} down",
        took.as_secs_f64(),
        rate(batches, took),
        rate(released, took),
        (up_after - up) / released.max(1),
        (down_after - down) as f64 / released.max(1) as f64,
    );
    let (central, central_most) = resident_mib(place.central_pid()?)?;
    println!("  resident: gateway {rss} MiB, at most {most}; central {central} MiB, at most {central_most}");
    gateway.stop().await
}

async fn start_gateway(place: &Place) -> Result<Running> {
    let deps = Deps { clock: Arc::new(SystemClock), buses: VirtualBuses::default() };
    let running = vernport_gateway::run(&place.gateway_config()?, deps, CancellationToken::new()).await?;
    until(&running, |status| status.head.is_some()).await?;
    Ok(running)
}

async fn until(running: &Running, is: impl Fn(&Status) -> bool) -> Result<Status> {
    loop {
        let status = running.status().await?;
        if is(&status) {
            return Ok(status);
        }
        sleep(Duration::from_millis(1)).await;
    }
}

/// How long the daemon takes until it says that it is ready, with this queue, and its memory then.
async fn starts(place: &Place, batches: u64) -> Result<()> {
    let mut times = Vec::new();
    let mut rss = 0;
    for _ in 0..10 {
        let (took, gateway) = ready(place).await?;
        times.push(took);
        rss = resident_mib(gateway.id())?.0;
        gateway.stop().await?;
    }
    let (p50, worst) = crate::p50_p99(times);
    println!(
        "  start with {batches} batches waiting: p50 {p50:.1?}, longest of ten {worst:.1?}; then {rss} MiB resident"
    );
    Ok(())
}

/// Starts the daemon and waits until it tells systemd, whose place is taken here, that it is ready.
pub(crate) async fn ready(place: &Place) -> Result<(Duration, Daemon)> {
    let socket = place.path("notify");
    if socket.exists() {
        std::fs::remove_file(&socket)?;
    }
    let told = UnixDatagram::bind(&socket)?;
    told.set_read_timeout(Some(Duration::from_secs(60)))?;
    let begun = Instant::now();
    let gateway = place.gateway(&[("NOTIFY_SOCKET", &socket)])?;
    let heard = tokio::task::spawn_blocking(move || {
        let mut text = [0; 512];
        loop {
            let length = told.recv(&mut text).context("the daemon does not become ready")?;
            if text[..length].windows(7).any(|part| part == b"READY=1") {
                return anyhow::Ok(());
            }
        }
    });
    heard.await??;
    Ok((begun.elapsed(), gateway))
}
