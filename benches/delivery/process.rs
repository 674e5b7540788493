//! What the kernel says of a process.

use anyhow::{Context as _, Result};
use std::fs;

/// Memory that is in use now, and the most that ever was, in MiB.
pub(crate) fn resident_mib(pid: u32) -> Result<(u64, u64)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).context("a line of memory")?;
        anyhow::Ok(line.split_whitespace().next().context("a number")?.parse::<u64>()? / 1024)
    };
    Ok((of("VmRSS:")?, of("VmHWM:")?))
}

/// Bytes that it has had written to the disk (pages made dirty, less what was cut off before it got there).
pub(crate) fn written_bytes(pid: u32) -> Result<u64> {
    let io = fs::read_to_string(format!("/proc/{pid}/io"))?;
    let of = |name: &str| {
        let line = io.lines().find_map(|line| line.strip_prefix(name)).context("a line of bytes")?;
        anyhow::Ok(line.trim().parse::<u64>()?)
    };
    Ok(of("write_bytes:")?.saturating_sub(of("cancelled_write_bytes:")?))
}
