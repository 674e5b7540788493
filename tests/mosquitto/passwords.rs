//! Tools that have a password and no certificate: each is itself and nobody else, and nobody comes in without.

use crate::{
    broker::{BOX, Broker, is_missing},
    certificates::{Certificates, login},
    foreign::{Answer, Kind, Listener},
};
use std::{
    fs,
    io::Write as _,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};
use vernport_mqtt::acl;

/// The shipped listener.
const PASSWORDS: &str = include_str!("../../config/mosquitto/passwords.conf");
const SCANNER: &str = "tool.north.bay-1.scanner";
const OTHER: &str = "tool.north.bay-1.other";
const OWN: &str = "vernport/v1/tool/north/bay-1/scanner/reading";

/// The broker of a box with both listeners.
struct Workshop {
    broker: Broker,
    port: u16,
}

impl Workshop {
    /// Both tools have a password, and only they have rules.
    fn start() -> Self {
        let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = taken.local_addr().expect("an address").port();
        drop(taken);
        let by_subject = [login("CN=spy-gateway", "gateway.box-1.north")].into_iter().collect();
        let rules = acl::mosquitto(&[], &by_subject);
        let broker = Broker::start_with(BOX, &rules, Certificates::new(), |text| with_passwords(&text, port));
        Self { broker, port }
    }

    fn passwords(&self) -> PathBuf {
        self.broker.place().join("passwords")
    }

    /// Publishes at QoS 1 with these options, without a certificate.
    fn publish(&self, version: &str, options: &[&str], topic: &str) -> Answer {
        let ca = self.broker.certificates.file("ca.pem");
        let output = typed(self.port, version, &[&["--cafile", text(&ca)], options].concat(), topic);
        let told = String::from_utf8_lossy(&output.stdout);
        if !told.contains("received CONNACK (0)") {
            Answer::NotLetIn
        } else if told.contains("RC:135") {
            Answer::Refused
        } else {
            assert!(output.status.success(), "{told}");
            Answer::Acknowledged
        }
    }
}

fn typed(port: u16, version: &str, options: &[&str], topic: &str) -> Output {
    let mut command = Command::new("mosquitto_pub");
    command.args(["-d", "-h", "127.0.0.1", "-p", &port.to_string(), "-V", version, "-q", "1"]).args(options);
    command.args(["-t", topic, "-m", "mine"]).stdin(Stdio::null()).output().expect("runs")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// The shipped configuration as an operator changes it: the listener put where it is looked for, on a free port.
fn with_passwords(text: &str, port: u16) -> String {
    let wanted = "#include_dir ";
    let folder = text.lines().find_map(|line| line.strip_prefix(wanted)).expect("box.conf names the folder");
    let place = Path::new(folder).parent().expect("a folder in the broker's own");
    fs::create_dir_all(folder).expect("a folder");
    let ours = "\nlistener 8884 127.0.0.1\n";
    assert!(PASSWORDS.contains(ours), "the shipped listener is on the box itself");
    let listener = PASSWORDS.replace(ours, &format!("\nlistener {port} 127.0.0.1\n"));
    let listener = listener.replace("/etc/mosquitto/vernport", &place.display().to_string());
    fs::write(Path::new(folder).join("passwords.conf"), listener).expect("written");
    let tools = [SCANNER, OTHER].map(|name| acl::Login::by_name(name.parse().expect("a principal")));
    let rules = acl::mosquitto(&[], &tools.into_iter().collect());
    fs::write(place.join("acl-by-name"), rules).expect("written");
    for (name, password) in [(SCANNER, "right"), (OTHER, "other's")] {
        set_password(&place.join("passwords"), name, password);
    }
    text.replace(wanted, "include_dir ")
}

/// The command of the README, which asks for the password twice.
fn set_password(file: &Path, name: &str, password: &str) {
    if !file.exists() {
        fs::write(file, "").expect("written");
    }
    let mut command = Command::new("mosquitto_passwd");
    command.arg(file).arg(name).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = command.spawn().expect("mosquitto_passwd comes with mosquitto");
    let asked = format!("{password}\n{password}\n");
    child.stdin.take().expect("piped").write_all(asked.as_bytes()).expect("it reads");
    assert!(child.wait().expect("our own process").success());
}

#[test]
fn a_tool_with_its_password_is_itself_and_nobody_else() {
    if is_missing("a_tool_with_its_password_is_itself_and_nobody_else") {
        return;
    }
    let on = Workshop::start();
    let gateway = on.broker.certificates.named("spy-gateway");
    let everything = Listener::start(Kind::MosquittoV5, &on.broker, &gateway, &["vernport/#"]);
    let right = ["-u", SCANNER, "-P", "right"];
    for topic in [
        "vernport/v1/tool/north/bay-1/other/reading",
        "vernport/v1/tool/north/bay-2/scanner/reading",
        "vernport/v1/tool/south/bay-1/scanner/reading",
        "vernport/v1/tool/north/bay-1/scanner/result",
        "vernport/v1/gateway/box-1/status",
    ] {
        assert_eq!(on.publish("5", &right, topic), Answer::Refused, "{topic}");
        // Acknowledged, since MQTT 3.1.1 has no other word, and handed to nobody.
        on.publish("mqttv311", &right, topic);
    }
    // Nor by a certificate that it may have for elsewhere: here the password counts.
    let (certificate, key) = (text(&gateway.certificate), text(&gateway.key));
    let posing = ["--cert", certificate, "--key", key, "-u", SCANNER, "-P", "right"];
    assert_eq!(on.publish("5", &posing, "vernport/v1/tool/north/bay-1/scanner/result"), Answer::Refused);
    for version in ["5", "mqttv311"] {
        assert_eq!(on.publish(version, &right, OWN), Answer::Acknowledged, "{version}");
    }
    // Over both listeners it is one broker: the gateway heard the tool's own messages, and no other.
    let heard = everything.until_heard(2);
    assert!(heard.iter().all(|one| one.topic == OWN && one.payload == b"mine"), "{heard:?}");
}

#[test]
fn nobody_comes_in_without_the_right_password_over_tls() {
    if is_missing("nobody_comes_in_without_the_right_password_over_tls") {
        return;
    }
    let mut on = Workshop::start();
    let stranger = on.broker.certificates.named(SCANNER);
    let (certificate, key) = (text(&stranger.certificate).to_owned(), text(&stranger.key).to_owned());
    let right = ["-u", SCANNER, "-P", "right"];
    for version in ["5", "mqttv311"] {
        for (what, options) in [
            ("wrong", &["-u", SCANNER, "-P", "wrong"][..]),
            ("another's", &["-u", OTHER, "-P", "right"]),
            ("empty", &["-u", SCANNER, "-P", ""]),
            ("a name alone", &["-u", SCANNER]),
            ("nothing", &[]),
            ("a stranger", &["-u", "gateway.box-1.north", "-P", "right"]),
            ("a certificate alone", &["--cert", &certificate, "--key", &key]),
        ] {
            assert_eq!(on.publish(version, options, OWN), Answer::NotLetIn, "{what}");
        }
        let ca = on.broker.certificates.file("ca.pem");
        let over_tls = [&["--cafile", text(&ca)], &right[..]].concat();
        for (what, port, options) in
            [("without TLS", on.port, &right[..]), ("where certificates count", on.broker.port, &over_tls)]
        {
            let told = typed(port, version, options, OWN).stdout;
            assert!(!String::from_utf8_lossy(&told).contains("CONNACK (0)"), "{what}");
        }
        assert_eq!(on.publish(version, &right, OWN), Answer::Acknowledged);
    }
    // A password that was changed, and one that was taken away, end with the next start.
    set_password(&on.passwords(), SCANNER, "new");
    let gone =
        Command::new("mosquitto_passwd").arg("-D").arg(on.passwords()).arg(OTHER).status().expect("runs");
    assert!(gone.success());
    on.broker.restart();
    assert_eq!(on.publish("5", &right, OWN), Answer::NotLetIn);
    assert_eq!(on.publish("5", &["-u", SCANNER, "-P", "new"], OWN), Answer::Acknowledged);
    let other = "vernport/v1/tool/north/bay-1/other/reading";
    assert_eq!(on.publish("5", &["-u", OTHER, "-P", "other's"], other), Answer::NotLetIn);
}
