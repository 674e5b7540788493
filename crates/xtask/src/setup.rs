//! The one preparation step: Debian packages of programs that are missing, and
//! a kernel with CAN where this one has none.

use crate::{
    vcan,
    workspace::{Workspace, has_program, succeed},
};
use anyhow::{Result, bail};
use std::process::Command;

/// A program, and the Debian package that has it.
struct Need {
    program: &'static str,
    package: &'static str,
}

const NEEDS: [Need; 8] = [
    Need { program: "cc", package: "gcc" },
    // libFuzzer, for the fuzz targets.
    Need { program: "c++", package: "g++" },
    Need { program: "git", package: "git" },
    Need { program: "ip", package: "iproute2" },
    Need { program: "candump", package: "can-utils" },
    // The kernel's J1939 in the suite `vcan`.
    Need { program: "python3", package: "python3" },
    // Debian has its server beside the path, and this on it. Tests start their own cluster.
    Need { program: "pg_lsclusters", package: "postgresql" },
    // Checks the shipped units.
    Need { program: "systemd-analyze", package: "systemd" },
];

/// Installs what is missing, without asking.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let missing = NEEDS.iter().filter(|need| !has_program(need.program)).map(|need| need.package);
    install(&missing.collect::<Vec<_>>())?;
    // Which of these are needed is seen with the programs before.
    install(&vcan::packages())?;
    vcan::prepare(workspace)?;
    println!("setup: everything is here");
    Ok(())
}

fn install(packages: &[&str]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    if !has_program("apt-get") {
        bail!("install these packages by hand, there is no apt-get here: {}", packages.join(" "));
    }
    println!("setup: installing {}", packages.join(" "));
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").args(arguments);
        command
    };
    succeed(&mut apt(&["update", "-q"]))?;
    succeed(apt(&["install", "-yq", "--no-install-recommends"]).args(packages))
}
