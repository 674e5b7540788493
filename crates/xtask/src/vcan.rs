//! A command where CAN sockets and vcan are: on this kernel if it has them and
//! lets us, else in a guest that boots a Debian kernel over this machine's files.

mod guest;
mod image;

use crate::workspace::{Workspace, has_program, shown};
use anyhow::{Context as _, Result, bail};
use std::{
    ffi::OsString,
    process::{Command, Stdio},
};

/// The suite that runs there.
pub(crate) const SUITE: &str = "vcan";
/// Tells the suite that it may make interfaces, and that not being able to is a failure.
const READY: &str = "VERNPORT_VCAN";
/// Tells the suite why it cannot run.
const MISSING: &str = "VERNPORT_VCAN_MISSING";
/// An interface that is made to see whether one can be.
const PROBE: &str = "vernport-probe";

/// Where a command finds CAN.
pub(crate) enum Way {
    /// On this kernel.
    Here,
    /// In a guest.
    Guest(image::Kernel),
    /// Nowhere, for this reason.
    None(String),
}

impl Way {
    pub(crate) fn find(workspace: &Workspace) -> Self {
        if kernel_has_vcan() {
            return Self::Here;
        }
        match image::Kernel::find(workspace) {
            Ok(kernel) => Self::Guest(kernel),
            Err(why) => Self::None(format!("this kernel makes no vcan interface for us, and {why:#}")),
        }
    }
}

/// Has cargo run its test binary there, or tell it why it cannot.
pub(crate) fn lead(workspace: &Workspace, cargo: &mut Command) -> Result<()> {
    match Way::find(workspace) {
        Way::None(why) => {
            cargo.env(MISSING, why);
        }
        Way::Here | Way::Guest(_) => {
            let this = std::env::current_exe().context("cannot tell where this program is")?;
            let this = this.to_str().context("the path of this program is not text")?;
            // Rates and times are measured there, on two emulated processors: one test at a time.
            cargo.env("RUST_TEST_THREADS", "1");
            cargo.arg("--config").arg(format!("target.'cfg(all())'.runner=[{this:?}, \"vcan\", \"--\"]"));
        }
    }
    Ok(())
}

/// Runs a command; its exit status.
pub(crate) fn run(workspace: &Workspace, command: &[OsString]) -> Result<u8> {
    match Way::find(workspace) {
        Way::Here => {
            let (program, arguments) = command.split_first().context("there is no command to run")?;
            let mut command = Command::new(program);
            command.args(arguments).env(READY, "1");
            let status = command.status().with_context(|| format!("cannot run {}", shown(&command)))?;
            Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(guest::DIED))
        }
        Way::Guest(kernel) => guest::run(workspace, &kernel, command),
        Way::None(why) => bail!("{why}; see cargo xtask setup"),
    }
}

/// Debian packages for a guest, where this kernel needs one: programs and what has them.
pub(crate) fn packages() -> Vec<&'static str> {
    if kernel_has_vcan() {
        return Vec::new();
    }
    let missing = image::NEEDS.iter().filter(|(program, _)| !has_program(program));
    let busybox = (!image::has_static_busybox()).then_some("busybox-static");
    missing.map(|(_, package)| *package).chain(busybox).collect()
}

/// Fetches the kernel of the guest, where this one is not enough and it is not there.
pub(crate) fn prepare(workspace: &Workspace) -> Result<()> {
    match Way::find(workspace) {
        Way::None(_) => image::Kernel::fetch(workspace),
        Way::Here | Way::Guest(_) => Ok(()),
    }
}

/// Makes an interface and listens on it for a moment: what the suite does too.
fn kernel_has_vcan() -> bool {
    let succeeds = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    if !succeeds("ip", &["link", "add", "dev", PROBE, "type", "vcan"]) {
        return false;
    }
    let works = succeeds("ip", &["link", "set", PROBE, "up"]) && succeeds("candump", &["-T", "20", PROBE]);
    succeeds("ip", &["link", "del", PROBE]) && works
}
