//! Programs of others on the same bus: can-utils.

use crate::bus::{PATIENCE, Vcan};
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use vernport_decode::candump;
use vernport_types::CanFrame;

/// A program that runs beside the test; ends with the value at the latest.
pub(crate) struct Peer {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts a program and waits until this holds: that it listens.
    pub(crate) fn start(program: &str, arguments: &[&str], listens: impl FnMut() -> bool) -> Self {
        let peer = Self::spawn(Command::new(program).args(arguments));
        wait_until(&format!("{program} listens"), listens);
        peer
    }

    /// Starts a program that is told what to do.
    pub(crate) fn start_told(program: &str, arguments: &[&str]) -> Self {
        Self::spawn(Command::new(program).args(arguments).stdin(Stdio::piped()))
    }

    /// Tells it this line.
    pub(crate) fn tell(&mut self, line: &str) {
        let input = self.child.stdin.as_mut().expect("piped");
        input.write_all(format!("{line}\n").as_bytes()).expect("it listens");
    }

    fn spawn(command: &mut Command) -> Self {
        let child = command.stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{}: {error}", command.get_program().display()));
        let output = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, output }
    }

    /// The next line that it writes.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        assert_ne!(self.output.read_line(&mut line).expect("text"), 0, "it ended");
        line.trim_end().into()
    }

    /// The lines that it writes until it ends by itself, which must be well.
    pub(crate) fn lines(mut self) -> Vec<String> {
        let lines = self.output.by_ref().lines().map(|line| line.expect("text")).collect();
        assert!(self.child.wait().expect("ends").success());
        lines
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Ended already where the test went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// candump, listening to one interface: data frames and reports of errors.
pub(crate) struct Candump(Peer);

impl Candump {
    /// Ends after so many frames.
    pub(crate) fn start(vcan: &Vcan, count: usize) -> Self {
        let (before, count) = (vcan.receivers().len(), count.to_string());
        let interface = format!("{},0:0,#FFFFFFFF", vcan.name());
        // A buffer as large as ours.
        let arguments = ["-L", "-r", "8388608", "-n", &count, &interface];
        // One receiver for data, one for reports.
        Self(Peer::start("candump", &arguments, || vcan.receivers().len() > before + 1))
    }

    /// A line for each frame, as `candump -L` writes it.
    pub(crate) fn lines(self) -> Vec<String> {
        self.0.lines()
    }

    /// The frames, as our reader of logs reads them.
    pub(crate) fn frames(self) -> Vec<CanFrame> {
        let lines = self.lines();
        lines.iter().map(|line| candump::parse(line).expect("a line of candump").frame).collect()
    }
}

/// Sends frames with cangen and waits for its end.
pub(crate) fn cangen(vcan: &Vcan, options: &[&str]) {
    run(Command::new("cangen").arg(vcan.name()).args(options));
}

/// Sends one frame, as cansend writes frames.
pub(crate) fn cansend(vcan: &Vcan, frame: &str) {
    run(Command::new("cansend").arg(vcan.name()).arg(frame));
}

/// Waits until this holds.
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "{what}: not after {PATIENCE:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn run(command: &mut Command) {
    let output = command.output().expect("can-utils is installed");
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {why}", command.get_program().display());
}
