//! Who is kept out at the door, and who gets in and may nothing; and that a tool is nobody else.

use crate::{
    broker::{BOX, Broker, is_missing, python},
    certificates::{Certificates, Shown, login},
    foreign::{Answer, Kind, Listener, publish, publish_with},
    operators::{Fleet, value},
};
use std::process::Command;
use vernport_central::Role;
use vernport_mqtt::acl::Principal;

#[test]
fn a_tool_publishes_as_nobody_else() {
    if is_missing("a_tool_publishes_as_nobody_else") {
        return;
    }
    let mut broker = Broker::start(BOX, &[], |text| text);
    let scanner = broker.certificates.named("tool.north.bay-1.scanner");
    let spy = broker.certificates.named("spy");
    let other_role = broker.certificates.client("box-1", Role::Recipient);
    broker.set_rules(&[
        login("CN=tool.north.bay-1.scanner", "tool.north.bay-1.scanner"),
        login("CN=tool.north.bay-1.other", "tool.north.bay-1.other"),
        login("O=NO-999999999,OU=gateway,CN=box-1", "gateway.box-1.north"),
    ]);
    broker.restart();
    let everything = Listener::start(Kind::MosquittoV5, &broker, &spy, &["#"]);
    let foreign = [
        "vernport/v1/tool/north/bay-1/other/reading",
        "vernport/v1/tool/north/bay-2/scanner/reading",
        "vernport/v1/tool/south/bay-1/scanner/reading",
        "vernport/v1/tool/north/bay-1/scanner/result",
        "vernport/v1/tool/north/bay-1/other/result",
        "vernport/v1/gateway/box-1/status",
        "vernport/v1/fleet/a/service/a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5/Vehicle.TraveledDistance",
        "vernport/v1/fleet/a/roster",
    ];
    for topic in foreign {
        assert_eq!(publish(Kind::MosquittoV5, &broker, &scanner, topic, "{}"), Answer::Refused, "{topic}");
        // Neither as the user that it says it is: the certificate counts.
        let posing = ["-u", "tool.north.bay-1.other", "-P", "x"];
        let answer = publish_with(Kind::MosquittoV5, &broker, &scanner, topic, "{}", &posing);
        assert_eq!(answer, Answer::Refused, "{topic}");
        for kind in [Kind::MosquittoV311, Kind::PahoV311, Kind::PahoV5] {
            publish(kind, &broker, &scanner, topic, "{}");
        }
    }
    // A recipient that bears a gateway's name is no gateway.
    let result = "vernport/v1/tool/north/bay-1/scanner/result";
    assert_eq!(publish(Kind::MosquittoV5, &broker, &other_role, result, "{}"), Answer::Refused);
    let own = "vernport/v1/tool/north/bay-1/scanner/reading";
    for kind in Kind::ALL {
        assert_eq!(publish(kind, &broker, &scanner, own, "mine"), Answer::Acknowledged, "{kind:?}");
    }
    let heard = everything.until_heard(Kind::ALL.len());
    assert!(heard.iter().all(|one| one.topic == own && one.payload == b"mine"), "{heard:?}");
    // A box keeps no reading for later: who asks for that is disconnected.
    publish_retained(&broker, &scanner, own);
    let late = Listener::start(Kind::MosquittoV5, &broker, &spy, &["#"]);
    publish(Kind::MosquittoV5, &broker, &scanner, own, "last");
    assert!(late.until_heard(1).iter().all(|one| !one.retained && one.payload == b"last"));
}

#[test]
fn a_gateway_speaks_to_the_operators_of_its_own_rules_for_their_purposes_only() {
    if is_missing("a_gateway_speaks_to_the_operators_of_its_own_rules_for_their_purposes_only") {
        return;
    }
    let mut fleet = Fleet::start(|text| text);
    let slug = |text: &str| text.parse().expect("a slug");
    let logins = Fleet::logins().into_iter().map(|login| match login.principal() {
        Principal::Gateway { .. } => login.publishing([(slug("a"), slug("service"))].into()),
        _ => login,
    });
    fleet.broker.set_rules(&logins.collect::<Vec<_>>());
    fleet.broker.restart();
    let b = Listener::start(Kind::MosquittoV5, &fleet.broker, &fleet.b, &["vernport/v1/fleet/b/#"]);
    let other_purpose = value("a", "sealed").replace("/service/", "/insurance/");
    for kind in Kind::ALL {
        let say = |topic: &str| publish(kind, &fleet.broker, &fleet.gateway, topic, "{}");
        assert_eq!(say(&value("a", "sealed")), Answer::Acknowledged, "{kind:?}");
        for topic in [value("b", "sealed"), other_purpose.clone(), value("a", "delete")] {
            let answer = say(&topic);
            // MQTT 3.1.1 knows no refusal: the message is taken and goes nowhere.
            assert!(kind != Kind::MosquittoV5 || answer == Answer::Refused, "{kind:?} {topic}");
        }
    }
    assert!(b.leave().is_empty(), "no box of another workshop speaks to b");
}

/// Asks to have a message retained where that is not offered; mosquitto_pub ends with an error then.
fn publish_retained(broker: &Broker, who: &Shown, topic: &str) {
    let ca = broker.certificates.file("ca.pem");
    let port = broker.port.to_string();
    let mut command = Command::new("mosquitto_pub");
    command.args([
        "-h",
        "127.0.0.1",
        "-p",
        &port,
        "-V",
        "mqttv311",
        "-q",
        "1",
        "-r",
        "-t",
        topic,
        "-m",
        "kept",
    ]);
    command.arg("--cafile").arg(ca).arg("--cert").arg(&who.certificate).arg("--key").arg(&who.key);
    let output = command.output().expect("runs");
    assert!(!output.status.success(), "it was told nothing");
}

#[test]
fn nobody_gets_in_without_a_certificate_of_the_authority() {
    if is_missing("nobody_gets_in_without_a_certificate_of_the_authority") {
        return;
    }
    let fleet = Fleet::start(|text| text);
    let elsewhere = Certificates::new();
    let stranger = elsewhere.client("a", Role::Recipient);
    let server = Shown {
        certificate: fleet.broker.certificates.file("broker.pem"),
        key: fleet.broker.certificates.file("broker.key"),
    };
    for kind in Kind::ALL {
        for who in [&stranger, &server] {
            let answer = publish(kind, &fleet.broker, who, &value("a", "deleted"), "{}");
            assert_eq!(answer, Answer::NotLetIn, "{kind:?}");
        }
        assert_eq!(
            publish(kind, &fleet.broker, &fleet.a, &value("a", "deleted"), "{}"),
            Answer::Acknowledged
        );
    }
    let port = fleet.broker.port.to_string();
    let ca = fleet.broker.certificates.file("ca.pem");
    let ca = ca.to_str().expect("text");
    let tls = ["--cafile", ca];
    let named = ["--cafile", ca, "-u", "operator.a", "-P", "x"];
    for (what, options) in
        [("no TLS", &[][..]), ("no certificate", &tls[..]), ("a user name instead", &named[..])]
    {
        let mut command = Command::new("mosquitto_pub");
        command.args(["-d", "-h", "127.0.0.1", "-p", &port, "-V", "5", "-t", "x", "-m", "x"]).args(options);
        let output = command.output().expect("runs");
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(!output.status.success() && !told.contains("CONNACK (0)"), "{what}: {told}");
    }
}

/// Shakes hands in one version of TLS, however weak, and says which it was or why not.
const HANDSHAKE: &str = r#"
import socket, ssl, sys
port, version, ca, certificate, key = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname = False
context.load_verify_locations(ca)
context.load_cert_chain(certificate, key)
context.set_ciphers("ALL:@SECLEVEL=0")
context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
try:
    print(context.wrap_socket(socket.create_connection(("127.0.0.1", int(port)))).version())
except ssl.SSLError as error:
    print(error.reason)
"#;

#[test]
fn an_old_version_of_tls_is_refused_with_a_good_certificate_too() {
    if is_missing("an_old_version_of_tls_is_refused_with_a_good_certificate_too") {
        return;
    }
    let fleet = Fleet::start(|text| text);
    let shake = |version: &str| {
        let mut command = Command::new(python().expect("looked for before"));
        command.args(["-W", "ignore", "-c", HANDSHAKE, &fleet.broker.port.to_string(), version]);
        command.arg(fleet.broker.certificates.file("ca.pem")).arg(&fleet.a.certificate).arg(&fleet.a.key);
        let output = command.output().expect("runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    assert_eq!((&*shake("TLSv1_2"), &*shake("TLSv1_3")), ("TLSv1.2", "TLSv1.3"));
    // The broker says so itself: it is not the client that will not.
    for version in ["TLSv1", "TLSv1_1"] {
        assert_eq!(shake(version), "TLSV1_ALERT_PROTOCOL_VERSION", "{version}");
    }
}

#[test]
fn who_is_not_listed_may_nothing() {
    if is_missing("who_is_not_listed_may_nothing") {
        return;
    }
    let fleet = Fleet::start(|text| text);
    let registrar = fleet.broker.certificates.client("a", Role::Registrar);
    let nobody = fleet.broker.certificates.named("operator.a");
    let listeners = [&registrar, &nobody].map(|who| {
        Listener::start(Kind::MosquittoV5, &fleet.broker, who, &["#", "vernport/v1/fleet/a/#", "$SYS/#"])
    });
    let a = Listener::start(Kind::MosquittoV5, &fleet.broker, &fleet.a, &["vernport/v1/fleet/a/#"]);
    for who in [&registrar, &nobody] {
        for topic in [value("a", "deleted"), value("a", "Vehicle.Speed"), "x".to_owned()] {
            assert_eq!(publish(Kind::MosquittoV5, &fleet.broker, who, &topic, "{}"), Answer::Refused);
        }
    }
    fleet.send(&value("a", "Vehicle.Speed"), "{}");
    a.until(&value("a", "Vehicle.Speed"));
    for listener in listeners {
        assert!(listener.leave().is_empty());
    }
}
