//! What the machine below has too little of, loses or tells wrongly, and what the doctor says to do about it.

use super::doctor::{Set, found, says};
use serde_json::json;
use std::path::Path;
use vernport::doctor::{Disk, Outcome, System};
use vernport_gateway::SystemClock;
use vernport_types::{BootMicros, Clock as _, Stamp, TimeQuality, UtcMicros};

type DiskOf = fn(&Path) -> Option<Disk>;

/// A terabyte on ext4, and inodes for it.
const ROOMY: Disk = Disk { free_bytes: 1 << 40, free_inodes: Some(1_000_000), kind: 0xEF53 };

fn has(checks: &vernport::doctor::Checks, what: &str) -> bool {
    checks.all().iter().any(|check| check.what == what)
}

#[tokio::test]
async fn a_disk_without_inodes_is_told_whatever_room_it_has() {
    let set = Set::new();
    let on = |disk| System { disk, ..set.system() };
    let full = set.gateway_on(&on(|_| Some(Disk { free_inodes: Some(12), ..ROOMY }))).await;
    says(&full, "inodes", Outcome::Fail, "delete files: without an inode no log of the database can be made");
    found(&full, "inodes", "12 inodes free");
    found(&full, "inodes", &set.home().display().to_string());
    says(&full, "disk", Outcome::Ok, "");
    let roomy = set.gateway_on(&on(|_| Some(ROOMY))).await;
    // Btrfs makes them as it goes.
    let without = set.gateway_on(&on(|_| Some(Disk { free_inodes: None, kind: 0x9123_683E, ..ROOMY }))).await;
    assert!(!has(&roomy, "inodes") && !has(&without, "inodes"));
    says(&without, "file system", Outcome::Ok, "");
}

#[tokio::test]
async fn a_disk_with_no_room_and_one_that_tells_nothing_are_told_apart() {
    let set = Set::new();
    let on = |disk| System { disk, ..set.system() };
    let full = set.gateway_on(&on(|_| Some(Disk { free_bytes: 1 << 20, ..ROOMY }))).await;
    says(&full, "disk", Outcome::Fail, "make room, lower [spool] max_mib");
    found(&full, "disk", "1 MiB free");
    says(&set.gateway_on(&on(|_| None)).await, "disk", Outcome::Skipped, "");
}

#[tokio::test]
async fn a_file_system_that_forgets_is_called_by_its_name() {
    let set = Set::new();
    let memory: DiskOf = |_| Some(Disk { kind: 0x0102_1994, ..ROOMY });
    let nfs: DiskOf = |_| Some(Disk { kind: 0x6969, ..ROOMY });
    let smb: DiskOf = |_| Some(Disk { kind: 0xFF53_4D42, ..ROOMY });
    let fat: DiskOf = |_| Some(Disk { kind: 0x4D44, ..ROOMY });
    let kinds = [("memory (tmpfs)", memory), ("NFS", nfs), ("SMB", smb), ("FAT", fat)];
    for (name, disk) in kinds {
        let checks = set.gateway_on(&System { disk, ..set.system() }).await;
        says(&checks, "file system", Outcome::Warn, "move [gateway] data_dir to a local disk with ext4");
        found(&checks, "file system", &format!("lies on {name}: after a power cut"));
    }
}

/// What every Linux has in memory.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_spool_in_the_memory_of_this_machine_is_told() {
    let set = Set::new();
    let memory = tempfile::tempdir_in("/dev/shm").expect("shared memory is mounted there");
    let folder = memory.path().display().to_string();
    set.change(&set.config(), "data_dir = \"data\"", &format!("data_dir = \"{folder}\""));
    let checks = set.gateway_on(&set.system()).await;
    says(&checks, "file system", Outcome::Warn, "move [gateway] data_dir to a local disk");
    found(&checks, "file system", &format!("{folder} lies on memory (tmpfs)"));
}

#[tokio::test]
async fn a_clock_that_was_never_set_or_is_ages_ahead_is_told_and_what_follows_for_certificates() {
    let set = Set::new();
    let at = |clock| System { clock, ..set.system() };
    let never = set
        .gateway_on(&at(|| Stamp { wall: UtcMicros(0), boot: BootMicros(0), quality: TimeQuality::Unset }))
        .await;
    says(&never, "clock", Outcome::Fail, "set the clock");
    found(&never, "clock", "it says 1970-01-01");
    says(&never, "certificate", Outcome::Fail, "set the clock, or wait until then");
    // Beyond the year 4096, when certificates of a developer's set end.
    let ahead =
        set.gateway_on(&at(|| Stamp { wall: UtcMicros(95_000_000_000_000_000), ..SystemClock.now() })).await;
    says(&ahead, "certificate", Outcome::Fail, "get a new certificate: nothing goes with this one");
}

#[tokio::test]
async fn an_interface_that_only_listens_is_wrong_where_the_bus_is_to_be_asked_and_there_alone() {
    let set = Set::new();
    // As iproute2 tells of a CAN interface.
    let system = System {
        link: |name| {
            Some(json!({"ifname": name, "linkinfo": {"info_kind": "can", "info_data": {
                "ctrlmode": ["LISTEN-ONLY"], "state": "ERROR-ACTIVE", "bittiming": {"bitrate": 250_000}}}}))
        },
        ..set.system()
    };
    let quiet = set.gateway_on(&system).await;
    says(&quiet, "bus can:can7", Outcome::Ok, "");
    found(&quiet, "bus can:can7", "can7 is up, 250000 bit/s, only listens");
    set.change(&set.config(), "[[bus]]", "[[bus]]\nlisten_only = false");
    let asked = set.gateway_on(&system).await;
    says(
        &asked,
        "bus can:can7",
        Outcome::Fail,
        "take listen-only off the interface, or write listen_only = true",
    );
    found(&asked, "bus can:can7", "can7 is up and only listens, but it is to be asked");
    let normal = |name: &str| Some(json!({"ifname": name, "linkinfo": {"info_data": {"ctrlmode": ["FD"]}}}));
    says(&set.gateway_on(&System { link: normal, ..system }).await, "bus can:can7", Outcome::Ok, "");
}
