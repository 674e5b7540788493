//! Folders, their disk, and the spool in them.

use super::{Checks, Disk, existing, said};
use rustix::fs::{Access, access, statfs, statvfs};
use std::path::Path;
use vernport_gateway::{Config, LogAlarms};
use vernport_spool::{Config as SpoolConfig, Inspect};

/// Beside bound and reserve: what SQLite adds to the spool, and its evidence log.
const BESIDE_BYTES: u64 = 64 << 20;
/// Free inodes below which a disk is about to fill, whatever its bytes.
const FEW_INODES: u64 = 1_000;
const ROOM: &str = "make room, lower [spool] max_mib, or move [gateway] data_dir to a larger disk";
const WRITABLE: &str = "give the folder to the user that the service runs as";

/// What the system tells of the disk of a folder.
pub(super) fn of(folder: &Path) -> Option<Disk> {
    let (room, about) = (statvfs(folder).ok()?, statfs(folder).ok()?);
    Some(Disk {
        free_bytes: room.f_bavail.saturating_mul(room.f_frsize),
        // Some file systems make inodes as they go, and say 0.
        free_inodes: (room.f_files > 0).then_some(room.f_favail),
        kind: u64::try_from(about.f_type).unwrap_or(0) & 0xFFFF_FFFF,
    })
}

pub(super) fn folder(
    checks: &mut Checks,
    folder: &Path,
    max_bytes: u64,
    disk_of: impl Fn(&Path) -> Option<Disk>,
) {
    let what = "data folder";
    let there = existing(folder);
    if !there.is_dir() || access(there, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        return checks.fail(what, format!("{}: cannot be written to", there.display()), WRITABLE);
    }
    checks.ok(what, folder.display().to_string());
    let Some(disk) = disk_of(there) else { return checks.skip("disk", "the system does not tell of it") };
    let used = std::fs::metadata(folder.join("spool.db")).map_or(0, |file| file.len());
    room(
        checks,
        &disk,
        max_bytes.saturating_sub(used).saturating_add(SpoolConfig::MIN_RESERVE_BYTES + BESIDE_BYTES),
    );
    if let Some(few) = disk.free_inodes.filter(|free| *free < FEW_INODES) {
        let found = format!("the disk of {} has {few} inodes free", there.display());
        checks.fail("inodes", found, "delete files: without an inode no log of the database can be made");
    }
    kind(checks, there, &disk);
}

/// Whether what may be written fits.
fn room(checks: &mut Checks, disk: &Disk, needed_bytes: u64) {
    let free_bytes = disk.free_bytes;
    let found = format!("{} MiB free, the spool may still take {} MiB", free_bytes >> 20, needed_bytes >> 20);
    if free_bytes < SpoolConfig::MIN_RESERVE_BYTES + BESIDE_BYTES {
        checks.fail("disk", found, ROOM);
    } else if free_bytes < needed_bytes {
        checks.warn("disk", found, ROOM);
    } else {
        checks.ok("disk", found);
    }
}

/// Whether the file system keeps what it was told to synchronise (statfs(2) names the numbers).
fn kind(checks: &mut Checks, folder: &Path, disk: &Disk) {
    let name = match disk.kind {
        0x0102_1994 | 0x8584_58f6 => "memory (tmpfs)",
        0x6969 => "NFS",
        0xff53_4d42 | 0xfe53_4d42 => "SMB",
        0x0102_1997 => "9p",
        0x4d44 => "FAT",
        0x6573_5546 => "FUSE",
        _ => return checks.ok("file system", "keeps what was synchronised"),
    };
    let found = format!("{} lies on {name}: after a power cut what was queued may be gone", folder.display());
    checks.warn(
        "file system",
        found,
        "move [gateway] data_dir to a local disk with ext4, XFS, Btrfs or F2FS",
    );
}

pub(super) async fn spool(checks: &mut Checks, config: &Config) {
    let what = "spool";
    let path = config.gateway.data_dir.join("spool.db");
    if !path.exists() {
        return checks.skip(what, "none yet: the gateway makes it at its first start");
    }
    if let Err(error) = look(checks, &path).await {
        let remedy = "stop the gateway, keep a copy of the file, and run `vernport audit fsck` on it";
        checks.fail(what, format!("{}: {}", path.display(), said(&*error)), remedy);
    }
}

async fn look(checks: &mut Checks, path: &Path) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut inside = Inspect::open(path).await?;
    let (found, known) = inside.schema().await?;
    if found > known {
        let found = format!("was written by a newer version (schema {found}, this knows {known})");
        checks.fail("spool", found, "start the version that wrote it, or a newer one");
        // What else is in it, this version would read wrongly.
        inside.close().await;
        return Ok(());
    }
    if found < known {
        checks.ok("spool", format!("schema {found}; the gateway brings it to {known} at its next start"));
    }
    let wrong = inside.quick_check().await?;
    match wrong.first() {
        None => checks.ok("spool", "quick check: whole"),
        Some(first) => {
            let remedy = "stop the gateway, keep a copy of the file, and run `vernport audit fsck` on it";
            checks.fail("spool", format!("quick check: {first}"), remedy);
        }
    }
    match inside.head().await? {
        Some(head) => checks.ok("evidence", format!("{} leaves, the tree above them is whole", head.size)),
        None => {
            checks.fail("evidence", "a tile of the log is gone", "run `vernport audit fsck` on the spool");
        }
    }
    let alarms = inside.kept("log-alarms").await?;
    let alarms: LogAlarms = alarms.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    for (log, alarm) in [("this gateway", alarms.own), ("central", alarms.central)] {
        if let Some(alarm) = alarm {
            let found = format!("the log of {log} is not the one that was seen: {alarm}");
            checks.fail("evidence", found, "run `vernport audit fsck` on the spool: it says what to do");
        }
    }
    inside.close().await;
    Ok(())
}
