//! The machine's clock: wall time, `CLOCK_BOOTTIME`, and whether a time service keeps it.

use rustix::time::{ClockId, clock_gettime};
use vernport_types::{BootId, BootMicros, Clock, Stamp, TimeQuality, UtcMicros};

/// The clock of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Stamp {
        let wall = clock_gettime(ClockId::Realtime);
        let boot = clock_gettime(BOOT_CLOCK);
        let wall = UtcMicros(wall.tv_sec.saturating_mul(1_000_000).saturating_add(wall.tv_nsec / 1_000));
        let boot_micros = boot.tv_sec.saturating_mul(1_000_000).saturating_add(boot.tv_nsec / 1_000);
        Stamp { wall, boot: BootMicros(u64::try_from(boot_micros).unwrap_or(0)), quality: quality(wall) }
    }
}

#[cfg(target_os = "linux")]
const BOOT_CLOCK: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const BOOT_CLOCK: ClockId = ClockId::Monotonic;

/// 2026-01-01: a clock before the day this version was written was never set.
const NEVER_SET_BEFORE: UtcMicros = UtcMicros(1_767_225_600_000_000);

/// A set clock is `Bounded`: signed heads hold it, and asking the kernel's
/// time discipline needs a system call that safe Rust does not offer yet.
fn quality(wall: UtcMicros) -> TimeQuality {
    if wall < NEVER_SET_BEFORE { TimeQuality::Unset } else { TimeQuality::Bounded }
}

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The id of this start of the machine, or a random one where the kernel tells none.
pub(crate) fn boot_id() -> BootId {
    let text = std::fs::read_to_string(BOOT_ID).unwrap_or_default();
    text.trim().replace('-', "").parse().unwrap_or_else(|_| {
        tracing::warn!(
            "{BOOT_ID} cannot be read: records bear a boot id that ends with this process; let the service see it"
        );
        BootId::from_bytes(vernport_crypto::random())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_from_before_this_version_was_never_set() {
        assert_eq!(quality(UtcMicros(0)), TimeQuality::Unset);
        assert_eq!(quality(NEVER_SET_BEFORE), TimeQuality::Bounded);
    }

    #[test]
    fn the_shipped_unit_does_not_hide_the_boot_id() {
        let unit = include_str!("../../../config/systemd/vernport-gateway.service");
        assert!(unit.contains("ProtectProc=") && !unit.lines().any(|line| line.starts_with("ProcSubset=")));
    }

    #[test]
    fn the_boot_clock_does_not_go_back() {
        let first = SystemClock.now().boot;
        assert!(SystemClock.now().boot >= first);
        assert_eq!(boot_id(), boot_id());
    }
}
