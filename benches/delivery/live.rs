//! A minute of a live truck: syncs and bytes to the disk, bytes on the wire.

use crate::{bus::Bus, place::Place, process::written_bytes};
use anyhow::{Context as _, Result};
use std::{
    fs,
    process::{Command, Stdio},
    time::Duration,
};
use tokio::time::sleep;

/// What counts the syncs of the kernel's calls.
const STRACE: &str = "strace";

pub(crate) async fn measure(seconds: u64) -> Result<()> {
    println!("\na live truck for {seconds} s, max_wait_ms 1000");
    let bus = Bus::plug_in()?;
    let driving = bus.drive();
    let place = Place::set_up(&bus.source, false, "\n[batch]\nmax_wait_ms = 1000\n", 1, None).await?;
    let gateway = place.gateway(&[])?;
    let first = place.registrar.stored_batches().await?;
    place.until_stored(first + 20).await?;
    let calls = bus.folder.path().join("calls");
    let mut counting = Command::new(STRACE)
        .args(["-f", "-c", "-e", "trace=fsync,fdatasync,sync_file_range", "-o"])
        .arg(&calls)
        .args(["-p", &gateway.id().to_string()])
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("{STRACE} does not start; install it, or leave `live` out"))?;
    let (batches, bytes) = (place.registrar.stored_batches().await?, written_bytes(gateway.id())?);
    let wire = place.wire.bytes();
    sleep(Duration::from_secs(seconds)).await;
    let batches = place.registrar.stored_batches().await? - batches;
    let bytes = written_bytes(gateway.id())? - bytes;
    let (up, down) = place.wire.bytes();
    Command::new("kill").args(["-INT", &counting.id().to_string()]).status()?;
    counting.wait()?;
    driving.stop()?;
    gateway.stop().await?;
    let syncs: u64 = fs::read_to_string(&calls)?
        .lines()
        .filter(|line| line.contains("sync"))
        .filter_map(|line| line.split_whitespace().nth(3)?.parse::<u64>().ok())
        .sum();
    let opened = crate::opened::Opened::read(&place.dev, &place.controller).await?;
    let all = place.registrar.stored_batches().await?;
    let records = opened.len() as u64 * batches / all.max(1);
    println!("  {batches} batches, some {records} records ({} of {all} batches in all)", opened.len());
    println!("  syncs a minute: {}", syncs * 60 / seconds);
    println!(
        "  written to the disk: {} bytes a record, {} KiB a minute",
        bytes / records.max(1),
        bytes * 60 / seconds / 1024
    );
    println!(
        "  on the wire, feed and all: {} bytes a record up, {} down",
        (up - wire.0) / records.max(1),
        (down - wire.1) / records.max(1)
    );
    Ok(())
}
