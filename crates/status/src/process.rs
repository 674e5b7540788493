//! The process itself: memory, processor, files. From `/proc/self`, which a hardened unit leaves it.

use crate::{Family, Kind};

/// Where the system tells of this process.
const STATUS: &str = "/proc/self/status";

/// Resident memory, time of the processor and open files of this process; what the system does not tell is left out.
pub fn families() -> Vec<Family> {
    let mut families = Vec::new();
    let mut add = |name, kind, help, value: Option<f64>| {
        let family = Family::new(name, kind, help);
        families.push(match value {
            Some(value) => family.value(value),
            None => family,
        });
    };
    let resident = std::fs::read_to_string(STATUS).ok().and_then(|text| resident_bytes(&text));
    add("process_resident_memory_bytes", Kind::Gauge, "Resident memory.", resident);
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let seconds = spent.tv_sec as f64 + spent.tv_nsec as f64 / 1e9;
    add("process_cpu_seconds_total", Kind::Counter, "Time of the processor, user and system.", Some(seconds));
    let files = std::fs::read_dir("/proc/self/fd").ok().map(|files| files.count() as f64);
    add("process_open_fds", Kind::Gauge, "Open files and sockets.", files);
    families
}

/// `VmRSS:   1234 kB`.
fn resident_bytes(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_bytes_and_what_is_not_there_is_none() {
        assert_eq!(resident_bytes("Name:\tx\nVmRSS:\t    2048 kB\n"), Some(2_097_152.0));
        assert_eq!(resident_bytes("Name:\tx\n"), None);
        assert_eq!(resident_bytes("VmRSS: many kB"), None);
    }
}
