//! The one preparation step: Debian packages of programs that are missing.

use crate::workspace::{has_program, succeed};
use anyhow::{Result, bail};
use std::process::Command;

/// A program, and the Debian package that has it.
struct Need {
    program: &'static str,
    package: &'static str,
}

const NEEDS: [Need; 3] = [
    Need { program: "cc", package: "gcc" },
    // libFuzzer, for the fuzz targets.
    Need { program: "c++", package: "g++" },
    Need { program: "git", package: "git" },
];

/// Installs what is missing, without asking.
pub(crate) fn run() -> Result<()> {
    let missing: Vec<&str> =
        NEEDS.iter().filter(|need| !has_program(need.program)).map(|need| need.package).collect();
    if missing.is_empty() {
        println!("setup: everything is here");
        return Ok(());
    }
    if !has_program("apt-get") {
        bail!("install these packages by hand, there is no apt-get here: {}", missing.join(" "));
    }
    println!("setup: installing {}", missing.join(" "));
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").args(arguments);
        command
    };
    succeed(&mut apt(&["update", "-q"]))?;
    succeed(apt(&["install", "-yq", "--no-install-recommends"]).args(&missing))
}
