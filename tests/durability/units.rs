//! Under systemd: what the daemons tell it, and the units that they are shipped with.

use crate::daemons::{Daemon, free_port};
use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    os::unix::net::UnixDatagram,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};
use vernport::{dev, shipped};

/// How long a word of a daemon is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Hears what a daemon tells until it says `word`; all of it.
fn hear(socket: &UnixDatagram, word: &str) -> Result<String> {
    let (end, mut heard) = (Instant::now() + PATIENCE, String::new());
    let mut message = [0; 4096];
    loop {
        ensure!(Instant::now() < end, "{word} was not said, but: {heard}");
        if let Ok(bytes) = socket.recv(&mut message) {
            heard += &String::from_utf8_lossy(&message[..bytes]);
            heard += "\n";
            if heard.lines().any(|line| line.starts_with(word)) {
                return Ok(heard);
            }
        }
    }
}

#[tokio::test]
async fn the_daemons_say_when_they_are_ready_that_they_live_and_that_they_stop() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let options = dev::Options {
        central_port: free_port()?,
        bundles: vec![("westrum".to_owned(), shipped::bundle_text("westrum")?.1)],
        bus: "virtual:bay".into(),
        file_time: false,
        gateway_extra: BTreeMap::new(),
    };
    let set = dev::make(&folder.path().join("set"), &options)?;
    let controller = set.controller.first().context("a set has a controller")?;
    let mut running = Vec::new();
    for (name, config) in
        [("vernport-central", set.central_config()), ("vernport-gateway", set.gateway_config(controller))]
    {
        let with_log = fs::read_to_string(&config)? + "\n[log]\nformat = \"json\"\n";
        fs::write(&config, with_log)?;
        let path = folder.path().join(format!("{name}.notify"));
        let socket = UnixDatagram::bind(&path)?;
        socket.set_read_timeout(Some(Duration::from_millis(200)))?;
        // Three seconds in microseconds, as systemd says it.
        let with = [("NOTIFY_SOCKET", path.as_path()), ("WATCHDOG_USEC", Path::new("3000000"))];
        let log = folder.path().join(format!("{name}.log"));
        let daemon = Daemon::start_with(name, &config, &log, None, &with)?;
        let heard = hear(&socket, "READY=1").with_context(|| fs::read_to_string(&log).unwrap_or_default())?;
        ensure!(!heard.contains("WATCHDOG=1"), "it is ready first: {heard}");
        hear(&socket, "WATCHDOG=1")?;
        hear(&socket, "WATCHDOG=1").context("and again")?;
        running.push((daemon, socket));
    }
    let (gateway, socket) = running.pop().context("two were started")?;
    hear(&socket, "STATUS=0 batches and 0 messages wait")?;
    gateway.stop().await?;
    hear(&socket, "STOPPING=1")?;
    let (central, socket) = running.pop().context("two were started")?;
    central.stop().await?;
    hear(&socket, "STOPPING=1")?;
    let schema: Value = serde_json::from_str(include_str!("../../crates/status/schema/log-v1.json"))?;
    let schema = jsonschema::validator_for(&schema)?;
    for name in ["vernport-central", "vernport-gateway"] {
        let log = fs::read_to_string(folder.path().join(format!("{name}.log")))?;
        ensure!(!log.is_empty(), "{name} says something");
        for line in log.lines() {
            let line: Value = serde_json::from_str(line).with_context(|| format!("{name}: {line}"))?;
            ensure!(schema.is_valid(&line), "{name}: {line}");
        }
    }
    Ok(())
}

/// The most that `systemd-analyze security` may find against a unit, in tenths: 20 is a fifth of the worst.
const MOST_EXPOSED: &str = "20";

#[test]
#[expect(clippy::print_stdout, reason = "the harness reads this line")]
fn the_shipped_units_are_sound_and_leave_the_daemons_little() -> Result<()> {
    let test = "the_shipped_units_are_sound_and_leave_the_daemons_little";
    let shown = Command::new("systemd-analyze").arg("--version").output();
    if !shown.is_ok_and(|output| output.status.success()) {
        println!("SKIPPED {test}: systemd-analyze is not there; run cargo xtask setup");
        return Ok(());
    }
    let units = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/systemd");
    let folder = tempfile::tempdir()?;
    for name in ["vernport-gateway", "vernport-central"] {
        let text = fs::read_to_string(units.join(format!("{name}.service")))?;
        let program = format!("ExecStart=/usr/bin/{name} run --config /etc/vernport/");
        ensure!(text.contains(&program), "{name} is started by its own name");
        for line in ["Type=notify", "LimitCORE=0", "CapabilityBoundingSet=", "MemoryDenyWriteExecute=yes"] {
            ensure!(text.lines().any(|one| one == line), "{name}: {line}");
        }
        let families = text.lines().find(|line| line.starts_with("RestrictAddressFamilies="));
        ensure!(
            families.is_some_and(|line| line.contains("AF_CAN") == (name == "vernport-gateway")),
            "{name}"
        );
        // It is not installed here, and all else is as shipped.
        let unit = folder.path().join(format!("{name}.service"));
        fs::write(&unit, text.replace(&format!("/usr/bin/{name}"), "/bin/true"))?;
        for args in [&["verify"][..], &["security", "--offline=true", "--threshold", MOST_EXPOSED]] {
            let output = Command::new("systemd-analyze").args(args).arg(&unit).output()?;
            let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            ensure!(output.status.success(), "systemd-analyze {args:?} on {name}:\n{told}");
            ensure!(args[0] != "verify" || !told.contains(name), "{name}: {told}");
        }
    }
    Ok(())
}
