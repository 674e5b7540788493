//! The one preparation step: Debian packages of programs that are missing, and
//! a kernel with CAN where this one has none.

use crate::{
    vcan,
    workspace::{Workspace, has_program, succeed},
};
use anyhow::{Result, bail};
use std::{
    path::Path,
    process::{Command, Stdio},
};

/// A program, and the Debian package that has it.
struct Need {
    program: &'static str,
    package: &'static str,
}

const NEEDS: [Need; 10] = [
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
    // Debian has the broker beside the path, and this on it. Tests start their own.
    Need { program: "mosquitto_passwd", package: MOSQUITTO },
    Need { program: "mosquitto_sub", package: "mosquitto-clients" },
];

const MOSQUITTO: &str = "mosquitto";
/// A client of MQTT in Python, for the interpreter of Debian.
const PAHO: &str = "python3-paho-mqtt";

/// Installs what is missing, without asking.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let missing = NEEDS.iter().filter(|need| !has_program(need.program)).map(|need| need.package);
    let missing: Vec<_> = missing.chain((!has_paho()).then_some(PAHO)).collect();
    install(&missing)?;
    if missing.contains(&MOSQUITTO) {
        stop_service(MOSQUITTO);
    }
    // Which of these are needed is seen with the programs before.
    install(&vcan::packages())?;
    vcan::prepare(workspace)?;
    println!("setup: everything is here");
    Ok(())
}

/// Whether a Python finds it: the one on the path may be another than Debian's.
fn has_paho() -> bool {
    ["python3", "/usr/bin/python3"].iter().any(|python| {
        let asked =
            Command::new(python).args(["-c", "import paho.mqtt.client"]).stderr(Stdio::null()).status();
        asked.is_ok_and(|status| status.success())
    })
}

/// Stops what Debian starts with a package that was just installed here, for tests alone.
fn stop_service(name: &str) {
    if Path::new("/run/systemd/system").is_dir() {
        // Where it was not started, there is nothing to stop.
        let _ = Command::new("systemctl").args(["disable", "--now", name]).status();
    }
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
