//! mosquitto, started with a configuration that we ship: paths, port and log are put where a test has them.

use crate::certificates::Certificates;
use rustix::process::{Pid, Signal, kill_process};
use std::{
    env, fs,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use vernport_mqtt::acl::Login;

/// The shipped configuration of the fleet's broker.
pub(crate) const FLEET: &str = include_str!("../../config/mosquitto/fleet.conf");
/// That of the broker on a box.
pub(crate) const BOX: &str = include_str!("../../config/mosquitto/box.conf");

/// How long a state is waited for before it counts as never coming.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(10);

/// Waits for a state.
pub(crate) fn wait_until(what: &str, mut is: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < until, "did not come within {} s: {what}", PATIENCE.as_secs());
        thread::sleep(LOOK);
    }
}

/// A program on the path, or where Debian has daemons.
fn program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let folders = env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// The Python that has paho.
pub(crate) fn python() -> Option<&'static str> {
    let has_paho = |python: &&str| {
        let asked =
            Command::new(python).args(["-c", "import paho.mqtt.client"]).stderr(Stdio::null()).status();
        asked.is_ok_and(|status| status.success())
    };
    ["python3", "/usr/bin/python3"].into_iter().find(has_paho)
}

/// Says SKIPPED where a program is missing.
pub(crate) fn is_missing(test: &str) -> bool {
    let programs = ["mosquitto", "mosquitto_sub", "mosquitto_pub", "stdbuf"];
    let missing = programs.into_iter().find(|name| program(name).is_none());
    let missing = missing.or_else(|| python().is_none().then_some("python3 with paho"));
    if let Some(missing) = missing {
        say(&format!("SKIPPED {test}: {missing} is not there; run cargo xtask setup"));
    }
    missing.is_some()
}

#[expect(clippy::print_stdout, reason = "the report of the suite reads it")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}

/// A running broker in a folder of its own, with an authority of its own unless it was given files.
pub(crate) struct Broker {
    child: Child,
    pub(crate) port: u16,
    pub(crate) certificates: Certificates,
    folder: TempDir,
}

impl Broker {
    /// Starts it with the rules of these logins, and a spy who may read everything and write nothing.
    pub(crate) fn start(shipped: &str, logins: &[Login], change: impl Fn(String) -> String) -> Self {
        Self::start_with(shipped, &rules(logins), Certificates::new(), change)
    }

    /// The same with rules as they are.
    pub(crate) fn start_with(
        shipped: &str,
        rules: &str,
        certificates: Certificates,
        change: impl Fn(String) -> String,
    ) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path();
        fs::create_dir(place.join("data")).expect("a folder");
        certificates.install(place);
        fs::write(place.join("acl"), rules).expect("written");
        for _ in 0..10 {
            let free = TcpListener::bind("127.0.0.1:0").and_then(|taken| taken.local_addr()).expect("a port");
            let text = change(placed(shipped, place, free.port()));
            fs::write(place.join("mosquitto.conf"), text).expect("written");
            if let Some(child) = run(place, free.port()) {
                return Self { child, port: free.port(), certificates, folder };
            }
        }
        panic!("mosquitto does not start: {}", log(place));
    }

    /// Where its files lie.
    pub(crate) fn place(&self) -> &Path {
        self.folder.path()
    }

    /// Puts other rules there; they count when it is told.
    pub(crate) fn set_rules(&self, logins: &[Login]) {
        fs::write(self.place().join("acl"), rules(logins)).expect("written");
    }

    /// Tells it to read its files again, and waits until it says that it did.
    pub(crate) fn reload(&self) {
        let before = log(self.place()).matches("Reloading config").count();
        self.signal(Signal::HUP);
        wait_until("mosquitto reads its files again", || {
            log(self.place()).matches("Reloading config").count() > before
        });
    }

    /// Stops it and starts it on the same port.
    pub(crate) fn restart(&mut self) {
        self.stop();
        wait_until("mosquitto is back", || match run(self.place(), self.port) {
            Some(child) => {
                self.child = child;
                true
            }
            None => false,
        });
    }

    fn stop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.signal(Signal::TERM);
            let _ = self.child.wait();
        }
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process");
        kill_process(pid, signal).expect("our own process");
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The generated rules, and a user of the tests' own.
fn rules(logins: &[Login]) -> String {
    let logins = logins.iter().cloned().collect();
    vernport_mqtt::acl::mosquitto(&["for a test".to_owned()], &logins)
        + "\nuser CN=spy\ntopic read #\ntopic read $SYS/#\n"
}

/// The shipped text with a test's places in it. What has to be replaced has to be there.
fn placed(shipped: &str, place: &Path, port: u16) -> String {
    let folder = place.display();
    let mut text = shipped.to_owned();
    for (ours, theirs) in [
        ("/etc/mosquitto/vernport", format!("{folder}")),
        ("log_dest syslog", format!("log_dest file {folder}/log")),
        ("\nlistener 8883\n", format!("\nlistener {port} 127.0.0.1\n")),
    ] {
        assert!(text.contains(ours), "the shipped configuration says '{ours}'");
        text = text.replace(ours, &theirs);
    }
    text = text.replace("/var/lib/mosquitto/", &format!("{folder}/data/"));
    // As root it would become another user, who cannot read this folder.
    if rustix::process::geteuid().is_root() { format!("user root\n{text}") } else { text }
}

/// Starts it and waits until it listens; nothing if it ended instead.
fn run(place: &Path, port: u16) -> Option<Child> {
    let mosquitto = program("mosquitto").expect("looked for before");
    let mut command = Command::new(mosquitto);
    command.arg("-c").arg(place.join("mosquitto.conf")).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("runs");
    let until = Instant::now() + PATIENCE;
    loop {
        if child.try_wait().expect("our own process").is_some() {
            return None;
        }
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Some(child);
        }
        assert!(Instant::now() < until, "mosquitto does not listen: {}", log(place));
        thread::sleep(LOOK);
    }
}

fn log(place: &Path) -> String {
    fs::read_to_string(place.join("log")).unwrap_or_default()
}
