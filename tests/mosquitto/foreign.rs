//! Clients that know nothing of us: mosquitto's own, and paho in Python.

use crate::{
    broker::{Broker, python, wait_until},
    certificates::Shown,
};
use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

/// What the program of our page says when it is.
const SUBSCRIBED: &str = "subscribed";

/// Which client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    MosquittoV311,
    MosquittoV5,
    PahoV311,
    PahoV5,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::MosquittoV311, Self::MosquittoV5, Self::PahoV311, Self::PahoV5];

    fn is_paho(self) -> bool {
        matches!(self, Self::PahoV311 | Self::PahoV5)
    }

    fn version(self) -> &'static str {
        match self {
            Self::MosquittoV311 => "mqttv311",
            Self::PahoV311 => "311",
            Self::MosquittoV5 | Self::PahoV5 => "5",
        }
    }

    /// The program up to what it is to do.
    fn command(self, what: &str, broker: &Broker, who: &Shown) -> Command {
        let port = broker.port.to_string();
        let ca = broker.certificates.file("ca.pem");
        if self.is_paho() {
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mosquitto/client.py");
            let mut command = Command::new(python().expect("looked for before"));
            command.arg(script).args([what, self.version(), &port]);
            command.arg(ca).arg(&who.certificate).arg(&who.key);
            return command;
        }
        // It tells of a subscription in a buffer that only messages empty.
        let mut command = Command::new("stdbuf");
        command.args([
            "-oL",
            &format!("mosquitto_{what}"),
            "-h",
            "127.0.0.1",
            "-p",
            &port,
            "-V",
            self.version(),
        ]);
        command.args(["-d", "-q", "1", "--cafile"]).arg(ca);
        command.arg("--cert").arg(&who.certificate).arg("--key").arg(&who.key);
        command
    }
}

/// A message as a client was handed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
    pub(crate) retained: bool,
}

/// A client that subscribed.
pub(crate) struct Listener {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Listener {
    /// Subscribes, and waits until the broker has confirmed all filters.
    pub(crate) fn start(kind: Kind, broker: &Broker, who: &Shown, filters: &[&str]) -> Self {
        Self::start_with(kind, broker, who, filters, &[])
    }

    /// The same with further options of mosquitto_sub.
    pub(crate) fn start_with(
        kind: Kind,
        broker: &Broker,
        who: &Shown,
        filters: &[&str],
        more: &[&str],
    ) -> Self {
        let mut command = kind.command("sub", broker, who);
        if kind.is_paho() {
            assert!(more.is_empty(), "options are mosquitto_sub's");
            command.args(filters);
        } else {
            command.args(["-F", "MSG %r %x %t"]).args(more);
            for filter in filters {
                command.args(["-t", filter]);
            }
        }
        let listener = Self::spawn(command);
        let is_ready = |line: &String| line.starts_with("Subscribed ") || line == "READY";
        wait_until("the broker confirms subscriptions", || {
            assert!(
                !listener.lines().iter().any(|line| line.starts_with("REFUSED")),
                "{:?}",
                listener.lines()
            );
            listener.lines().iter().any(is_ready)
        });
        listener
    }

    /// The program of our page for fleet developers, subscribed: a line for each message.
    pub(crate) fn fleet_page(broker: &Broker, who: &Shown, operator: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/mqtt/examples/fleet.py");
        // It says on its other stream that it is subscribed.
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$0\" \"$@\" 2>&1"]).arg(python().expect("looked for before")).arg(script);
        command.args(["--host", "127.0.0.1", "--port", &broker.port.to_string(), "--operator", operator]);
        command.arg("--ca").arg(broker.certificates.file("ca.pem"));
        command.arg("--certificate").arg(&who.certificate).arg("--certificate-key").arg(&who.key);
        let listener = Self::spawn(command);
        wait_until("the program is subscribed", || listener.lines().iter().any(|line| line == SUBSCRIBED));
        listener
    }

    /// What that program said of messages.
    pub(crate) fn told(&self) -> Vec<String> {
        self.lines().into_iter().filter(|line| line != SUBSCRIBED).collect()
    }

    fn spawn(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("runs");
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let (output, shelf) = (child.stdout.take().expect("piped"), Arc::clone(&lines));
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                shelf.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
        Self { child, lines }
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What it was handed until now.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        let message = |line: &String| {
            let mut parts = line.strip_prefix("MSG ")?.splitn(3, ' ');
            let retained = parts.next()? == "1";
            let payload = hex::decode(parts.next()?).expect("hexadecimal digits");
            Some(Heard { topic: parts.next()?.to_owned(), payload, retained })
        };
        self.lines().iter().filter_map(message).collect()
    }

    /// Waits until it was handed something on this topic; the broker hands out in order, so what came
    /// before was handed out too, or never is.
    pub(crate) fn until(&self, topic: &str) -> Vec<Heard> {
        wait_until("a message is handed out", || self.heard().iter().any(|heard| heard.topic == topic));
        self.heard()
    }

    /// Waits until it heard so many messages.
    pub(crate) fn until_heard(&self, count: usize) -> Vec<Heard> {
        wait_until("messages are handed out", || self.heard().len() >= count);
        self.heard()
    }

    /// How often the broker let it in.
    pub(crate) fn connections(&self) -> usize {
        self.lines().iter().filter(|line| line.ends_with("received CONNACK (0)")).count()
    }

    /// Leaves as a client does that is told to end: with a good-bye.
    pub(crate) fn leave(mut self) -> Vec<Heard> {
        let pid =
            i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw).expect("a process");
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("our own process");
        let _ = self.child.wait();
        self.heard()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What became of an attempt to publish, as far as the client was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Acknowledged. Under MQTT 3.1.1 that is all a broker can say.
    Acknowledged,
    /// "Not authorized".
    Refused,
    /// There was no connection.
    NotLetIn,
}

/// Publishes one message at QoS 1.
pub(crate) fn publish(kind: Kind, broker: &Broker, who: &Shown, topic: &str, payload: &str) -> Answer {
    publish_with(kind, broker, who, topic, payload, &[])
}

/// The same with further options of mosquitto_pub.
pub(crate) fn publish_with(
    kind: Kind,
    broker: &Broker,
    who: &Shown,
    topic: &str,
    payload: &str,
    more: &[&str],
) -> Answer {
    let mut command = kind.command("pub", broker, who);
    if kind.is_paho() {
        command.args([topic, payload]);
    } else {
        command.args(["-t", topic, "-m", payload]).args(more);
    }
    let output = command.stdin(Stdio::null()).output().expect("runs");
    let told = String::from_utf8_lossy(&output.stdout);
    let told_wrong = String::from_utf8_lossy(&output.stderr);
    if told.contains("REFUSED") || (!kind.is_paho() && !told.contains("received CONNACK (0)")) {
        Answer::NotLetIn
    } else if told.contains("RC:135") {
        Answer::Refused
    } else {
        assert!(output.status.success(), "{told}{told_wrong}");
        Answer::Acknowledged
    }
}
