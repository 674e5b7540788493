//! Which CAN interface is meant: one by name, or the adapter behind it by its
//! place on USB or its serial number, since names follow the order of plugging in.

use crate::url::UrlError;
use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    str::FromStr,
};
use thiserror::Error;

/// IFNAMSIZ - 1 of Linux.
const NAME_MAX_BYTES: usize = 15;
/// The longest serial number or USB path; a USB string has at most 126 characters.
const KEY_MAX_BYTES: usize = 126;
/// IFF_UP of Linux: an interface's flag.
const IS_UP: u32 = 1;
/// ARPHRD_CAN of Linux: what the kernel says of an interface that is CAN.
const CAN_INTERFACE_TYPE: &str = "280";
/// Interfaces of one machine that are looked at.
const MAX_INTERFACES: usize = 1024;
const CHANNEL: &str = ",channel=";

/// A CAN interface of Linux, as it stands in a source URL after `can:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CanInterface {
    /// `can0`: by the name that the system gave it.
    Name(String),
    /// `usb=1-1.2`: what is plugged into this port of this hub of this bus.
    Usb {
        /// The place, as Linux writes it (`/sys/bus/usb/devices`).
        path: String,
        /// Which of the adapter's interfaces, from 0 (`,channel=1`).
        channel: u8,
    },
    /// `serial=0042`: the USB adapter with this serial number.
    Serial {
        /// The number, as the adapter says it.
        serial: String,
        /// Which of the adapter's interfaces, from 0 (`,channel=1`).
        channel: u8,
    },
}

/// Why no interface answers to a selector.
#[derive(Debug, Error)]
pub enum LookupError {
    /// Nothing like it is plugged in.
    #[error("no CAN adapter with {selector} is plugged in; ls /sys/class/net shows what is")]
    Absent {
        /// What was looked for.
        selector: CanInterface,
    },
    /// The adapter has fewer interfaces.
    #[error("the CAN adapter with {selector} has {channels} interfaces; channels count from 0")]
    NoChannel {
        /// What was looked for.
        selector: CanInterface,
        /// How many there are.
        channels: usize,
    },
    /// Two adapters say the same serial number.
    #[error("several CAN adapters have {selector}; name the one that is meant by usb=")]
    Ambiguous {
        /// What was looked for.
        selector: CanInterface,
    },
    /// The list of interfaces cannot be read.
    #[error("cannot list the network interfaces in {folder}")]
    Unreadable {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl CanInterface {
    /// The name that the interface has now. `sysfs` is `/sys`, or what a test puts there.
    ///
    /// # Errors
    /// [`LookupError`] when no interface, or more than one adapter, is meant. A name is not looked up.
    pub fn resolve(&self, sysfs: &Path) -> Result<String, LookupError> {
        let (wanted, channel): (fn(&Adapter) -> &str, _) = match self {
            Self::Name(name) => return Ok(name.clone()),
            Self::Usb { channel, .. } => (|adapter| &adapter.usb_path, *channel),
            Self::Serial { channel, .. } => (|adapter| &adapter.serial, *channel),
        };
        let key = self.key();
        let folder = sysfs.join("class/net");
        let mut found = adapters(&folder).map_err(|source| LookupError::Unreadable { folder, source })?;
        found.retain(|adapter| wanted(adapter) == key);
        found.sort_unstable();
        let Some(first) = found.first() else { return Err(LookupError::Absent { selector: self.clone() }) };
        if found.iter().any(|adapter| adapter.usb_path != first.usb_path) {
            return Err(LookupError::Ambiguous { selector: self.clone() });
        }
        let no_channel = || LookupError::NoChannel { selector: self.clone(), channels: found.len() };
        found.get(usize::from(channel)).map(|it| it.name.clone()).ok_or_else(no_channel)
    }

    fn key(&self) -> &str {
        match self {
            Self::Name(key) | Self::Usb { path: key, .. } | Self::Serial { serial: key, .. } => key,
        }
    }
}

impl FromStr for CanInterface {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let adapter = |key: &str| {
            let (key, channel) = key.split_once(CHANNEL).unwrap_or((key, "0"));
            let known = (1..=KEY_MAX_BYTES).contains(&key.len())
                && key.bytes().all(|byte| byte.is_ascii_graphic() && !b"/,".contains(&byte));
            let channel = channel.parse().ok().filter(|_| known);
            let refused = || UrlError::Adapter { text: text.into() };
            channel.map(|channel| (key.to_owned(), channel)).ok_or_else(refused)
        };
        if let Some(key) = text.strip_prefix("usb=") {
            return adapter(key).map(|(path, channel)| Self::Usb { path, channel });
        }
        if let Some(key) = text.strip_prefix("serial=") {
            return adapter(key).map(|(serial, channel)| Self::Serial { serial, channel });
        }
        let fits = (1..=NAME_MAX_BYTES).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/' && byte != b':')
            && text != "."
            && text != "..";
        if fits { Ok(Self::Name(text.into())) } else { Err(UrlError::Interface { name: text.into() }) }
    }
}

impl fmt::Display for CanInterface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, channel) = match self {
            Self::Name(name) => return f.write_str(name),
            Self::Usb { path, channel } => (format!("usb={path}"), *channel),
            Self::Serial { serial, channel } => (format!("serial={serial}"), *channel),
        };
        f.write_str(&key)?;
        if channel == 0 { Ok(()) } else { write!(f, "{CHANNEL}{channel}") }
    }
}

/// One interface of a USB adapter. The order is that of the adapter's channels.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Adapter {
    usb_path: String,
    /// The part of the USB device, `1-1.2:1.0`.
    usb_part: String,
    /// What the driver says of the channel.
    channel: u32,
    index: u32,
    name: String,
    serial: String,
}

/// The CAN interfaces of USB adapters. One that goes away meanwhile is passed over.
fn adapters(folder: &Path) -> io::Result<Vec<Adapter>> {
    let entries = fs::read_dir(folder)?.take(MAX_INTERFACES);
    Ok(entries.filter_map(|entry| adapter(&entry.ok()?.path())).collect())
}

/// Whether the interface of this name is up; one that is not there is not. `sysfs` is `/sys`, or what a
/// test puts there.
pub fn interface_is_up(sysfs: &Path, name: &str) -> bool {
    let flags = attribute(&sysfs.join("class/net").join(name), "flags");
    flags.and_then(|text| number(&text)).is_some_and(|flags| flags & IS_UP != 0)
}

/// Whether the interface of this name is one of CAN. `sysfs` as in [`interface_is_up`].
pub fn interface_is_can(sysfs: &Path, name: &str) -> bool {
    is_can(&sysfs.join("class/net").join(name))
}

fn is_can(interface: &Path) -> bool {
    attribute(interface, "type").is_some_and(|kind| kind == CAN_INTERFACE_TYPE)
}

fn attribute(folder: &Path, name: &str) -> Option<String> {
    fs::read_to_string(folder.join(name)).ok().map(|text| text.trim().to_owned())
}

fn adapter(interface: &Path) -> Option<Adapter> {
    if !is_can(interface) {
        return None;
    }
    let part = fs::canonicalize(interface.join("device")).ok()?;
    // Hubs are devices too, further up.
    let device = part.ancestors().find(|folder| folder.join("idVendor").is_file())?;
    let name_of = |folder: &Path| Some(folder.file_name()?.to_str()?.to_owned());
    let number = |name: &str| attribute(interface, name).and_then(|text| number(&text)).unwrap_or(0);
    Some(Adapter {
        usb_path: name_of(device)?,
        usb_part: name_of(&part)?,
        // Drivers fill the one or the other.
        channel: number("dev_port").max(number("dev_id")),
        index: number("ifindex"),
        name: name_of(interface)?,
        serial: attribute(device, "serial").unwrap_or_default(),
    })
}

fn number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
#[path = "interface_tests.rs"]
mod tests;
