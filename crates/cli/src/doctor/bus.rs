//! CAN interfaces and other sources.

use super::{Checks, System, said};
use serde_json::Value as Json;
use std::{
    fs::{self, File},
    os::unix::fs::FileTypeExt as _,
    path::Path,
    process::Command,
};
use vernport_canbus::{CanInterface, SourceUrl, interface_is_can, interface_is_up};
use vernport_gateway::config::Bus;

pub(super) async fn look(checks: &mut Checks, bus: &Bus, system: &System) {
    let what = format!("bus {}", bus.source);
    match bus.source.parse::<SourceUrl>() {
        Err(error) => checks.fail(&what, said(&error), "write the source as the sample does"),
        Ok(SourceUrl::Candump(path)) => match File::open(&path) {
            Ok(_) => checks.ok(&what, "a log that can be read"),
            Err(error) => {
                checks.fail(&what, format!("{}: {error}", path.display()), "check the path and its owner");
            }
        },
        Ok(SourceUrl::Virtual(_)) => checks.ok(&what, "a virtual bus of one process"),
        Ok(SourceUrl::Can(interface)) => can(checks, &what, &interface, bus, system),
        Ok(SourceUrl::Serial { path, .. }) => serial(checks, &what, &path),
    }
}

fn serial(checks: &mut Checks, what: &str, device: &Path) {
    match fs::metadata(device) {
        Err(error) => {
            checks.fail(
                what,
                format!("{}: {error}", device.display()),
                "plug the adapter in; name it by /dev/serial/by-id",
            );
        }
        Ok(about) if !about.file_type().is_char_device() => {
            checks.fail(what, format!("{}: is no device", device.display()), "name the adapter's device");
        }
        Ok(_)
            if rustix::fs::access(device, rustix::fs::Access::READ_OK | rustix::fs::Access::WRITE_OK)
                .is_err() =>
        {
            checks.fail(what, "may not be opened", "add the service's user to the group `dialout`");
        }
        Ok(_) => checks.ok(what, "the adapter is there"),
    }
}

fn can(checks: &mut Checks, what: &str, interface: &CanInterface, bus: &Bus, system: &System) {
    let name = match interface.resolve(&system.sysfs) {
        Ok(name) => name,
        Err(error) => {
            return checks.fail(what, said(&error), "plug the adapter in, or name the one that is meant");
        }
    };
    if !system.sysfs.join("class/net").join(&name).exists() {
        return checks.fail(
            what,
            format!("there is no interface {name}"),
            "plug the adapter in; `ip link` shows what is there",
        );
    }
    if !interface_is_can(&system.sysfs, &name) {
        return checks.fail(
            what,
            format!("{name} is no CAN interface"),
            "name a CAN interface; `ip link` shows them",
        );
    }
    if !interface_is_up(&system.sysfs, &name) {
        let remedy = format!("ip link set {name} up type can bitrate 500000 (or what this bus has)");
        return checks.fail(what, format!("{name} is down"), &remedy);
    }
    let details = (system.link)(&name);
    let bitrate = details
        .as_ref()
        .and_then(|details| details.pointer("/linkinfo/info_data/bittiming/bitrate")?.as_u64());
    let modes =
        details.as_ref().and_then(|details| details.pointer("/linkinfo/info_data/ctrlmode")?.as_array());
    let only_listens =
        modes.is_some_and(|modes| modes.iter().any(|mode| mode.as_str() == Some("LISTEN-ONLY")));
    if only_listens && !bus.listen_only {
        let remedy =
            "take listen-only off the interface, or write listen_only = true: nothing can be asked so";
        return checks.fail(what, format!("{name} is up and only listens, but it is to be asked"), remedy);
    }
    let rate = bitrate.map_or("bit rate not told".to_owned(), |rate| format!("{rate} bit/s"));
    let listens = if only_listens { ", only listens" } else { "" };
    checks.ok(what, format!("{name} is up, {rate}{listens}"));
}

/// What iproute2 tells of an interface; none where it is not there.
pub(super) fn details(name: &str) -> Option<Json> {
    let output = Command::new("ip").args(["-details", "-json", "link", "show", "dev", name]).output().ok()?;
    let all: Json = serde_json::from_slice(&output.stdout).ok()?;
    all.get(0).cloned()
}
