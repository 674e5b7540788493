//! The clock of this machine.

use super::{Checks, System};
use std::process::Command;
use vernport_types::{TimeQuality, UtcMicros};

const KEEP: &str = "let a time service keep the clock: systemd-timesyncd or chrony; until then it counts as bounded by \
     central's heads";
/// Central's clock and this one may be so far apart, in seconds: what `Date` and the way there leave open, and more.
pub(super) const APART_SECONDS: i64 = 5;

pub(super) fn here(checks: &mut Checks, system: &System) {
    let now = (system.clock)();
    if now.quality == TimeQuality::Unset {
        let found = format!("it says {}", crate::show::time(now.wall));
        return checks.fail("clock", found, "set the clock: with one that was never set nothing is released");
    }
    if system.time_synchronised.exists() {
        return checks.ok("clock", "kept by systemd-timesyncd");
    }
    match ntp_synchronised() {
        Some(true) => checks.ok("clock", "kept by a time service"),
        Some(false) => checks.warn("clock", "no time service keeps it now", KEEP),
        None => checks.warn("clock", "set; whether a time service keeps it cannot be read here", KEEP),
    }
}

/// What the system says; none where it cannot be asked.
fn ntp_synchronised() -> Option<bool> {
    let output =
        Command::new("timedatectl").args(["show", "-p", "NTPSynchronized", "--value"]).output().ok()?;
    match String::from_utf8_lossy(&output.stdout).trim() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

/// Holds this clock against what central said in its answer (RFC 9110, 6.6.1: whole seconds).
pub(super) fn against(checks: &mut Checks, central: Option<UtcMicros>, now: UtcMicros) {
    let Some(central) = central else { return checks.skip("clock of central", "its answer had no Date") };
    let apart = now.0.saturating_sub(central.0) / 1_000_000;
    if apart.abs() <= APART_SECONDS {
        checks.ok("clock of central", format!("{apart} s apart"));
    } else {
        let side = if apart > 0 { "ahead of" } else { "behind" };
        let found = format!("this clock is {} s {side} central's", apart.unsigned_abs());
        checks.fail("clock of central", found, "let a time service keep both clocks");
    }
}
