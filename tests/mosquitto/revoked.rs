//! A right ends: by the rules, by a list of revoked certificates; told by a restart or by SIGHUP.

use crate::{
    broker::{FLEET, is_missing, wait_until},
    foreign::{Answer, Kind, Listener, publish},
    operators::{Fleet, value},
};
use anyhow::Result;
use clap::Parser as _;
use std::path::Path;
use vernport::args::Cli;
use vernport_mqtt::acl::Login;

/// The rules without one of them.
fn without(name: &str) -> Vec<Login> {
    Fleet::logins().into_iter().filter(|login| !login.name().ends_with(name)).collect()
}

#[test]
fn by_a_restart_a_right_ends_at_once_and_who_was_away_loses_nothing() {
    if is_missing("by_a_restart_a_right_ends_at_once_and_who_was_away_loses_nothing") {
        return;
    }
    let mut fleet = Fleet::start(|text| text);
    let away = ["-c", "-x", "3600", "-i", "dispatch-of-b"];
    let b = ["vernport/v1/fleet/b/#"];
    Listener::start_with(Kind::MosquittoV5, &fleet.broker, &fleet.b, &b, &away).leave();
    let a = Listener::start(Kind::MosquittoV5, &fleet.broker, &fleet.a, &["#"]);
    fleet.send(&value("a", "before"), "{}");
    fleet.send(&value("b", "before"), "{}");
    a.until(&value("a", "before"));

    fleet.broker.set_rules(&without("CN=a"));
    fleet.broker.restart();
    // Its client comes back by itself, and its certificate is a good one.
    wait_until("a is let in again", || a.connections() > 1);
    let again = Listener::start(Kind::PahoV5, &fleet.broker, &fleet.a, &["#"]);
    fleet.send(&value("a", "after"), "{}");
    fleet.send(&value("b", "after"), "{}");
    assert_eq!(
        publish(Kind::MosquittoV5, &fleet.broker, &fleet.a, &value("a", "deleted"), "{}"),
        Answer::Refused
    );
    let back = Listener::start_with(Kind::MosquittoV5, &fleet.broker, &fleet.b, &b, &away);
    let heard: Vec<String> = back.until(&value("b", "after")).into_iter().map(|one| one.topic).collect();
    assert_eq!(heard, [value("b", "before"), value("b", "after")]);
    assert_eq!(a.leave().len(), 1, "nothing after the right ended");
    assert!(again.leave().is_empty());
}

#[test]
fn by_sighup_a_right_ends_on_open_connections_too() {
    if is_missing("by_sighup_a_right_ends_on_open_connections_too") {
        return;
    }
    // That it has read its files again is information.
    let fleet = Fleet::start(|text| format!("log_type information\n{text}"));
    let a = Listener::start(Kind::MosquittoV311, &fleet.broker, &fleet.a, &["#"]);
    let b = Listener::start(Kind::MosquittoV311, &fleet.broker, &fleet.b, &["#"]);
    fleet.send(&value("a", "before"), "{}");
    a.until(&value("a", "before"));
    fleet.broker.set_rules(&without("CN=a"));
    fleet.broker.reload();
    assert_eq!(
        publish(Kind::MosquittoV5, &fleet.broker, &fleet.a, &value("a", "deleted"), "{}"),
        Answer::Refused
    );
    // mosquitto 2.0 may cut connections; what is sent until b is back is not b's.
    wait_until("b is served", || {
        fleet.send(&value("a", "after"), "{}");
        fleet.send(&value("b", "after"), "{}");
        b.heard().iter().any(|one| one.topic == value("b", "after"))
    });
    assert_eq!(a.leave().len(), 1, "nothing after the right ended");
}

/// `vernport mqtt crl`, with this certificate on the list.
fn write_list(authority: &Path, revoked: Option<&Path>, out: &Path) -> Result<()> {
    let file = |name: &str| authority.join(name).display().to_string();
    let (certificate, key, out) = (file("ca.pem"), file("ca.key"), out.display().to_string());
    let mut typed =
        vec!["vernport", "mqtt", "crl", "--authority", &certificate, "--authority-key", &key, "--out", &out];
    let revoked = revoked.map(|path| path.display().to_string());
    typed.extend(revoked.iter().flat_map(|path| ["--revoked", path.as_str()]));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(vernport::run(Cli::try_parse_from(typed)?))
}

#[test]
fn a_certificate_on_the_list_is_refused_at_the_door() -> Result<()> {
    if is_missing("a_certificate_on_the_list_is_refused_at_the_door") {
        return Ok(());
    }
    assert!(FLEET.contains("\n#crlfile "), "the shipped configuration has the line ready");
    let mut fleet = Fleet::start(|text| text);
    let place = fleet.broker.place().to_owned();
    let authority = fleet.broker.certificates.file("");
    write_list(&authority, None, &place.join("crl.pem"))?;
    let conf = std::fs::read_to_string(place.join("mosquitto.conf"))?;
    std::fs::write(place.join("mosquitto.conf"), conf.replace("\n#crlfile ", "\ncrlfile "))?;
    fleet.broker.restart();
    let lets_in =
        |who| publish(Kind::MosquittoV5, &fleet.broker, who, &value("a", "x"), "{}") != Answer::NotLetIn;
    assert!(lets_in(&fleet.gateway) && lets_in(&fleet.a));

    write_list(&authority, Some(&fleet.a.certificate), &place.join("crl.pem"))?;
    fleet.broker.restart();
    for kind in Kind::ALL {
        assert_eq!(
            publish(kind, &fleet.broker, &fleet.a, &value("a", "deleted"), "{}"),
            Answer::NotLetIn,
            "{kind:?}"
        );
        let answer = publish(kind, &fleet.broker, &fleet.b, &value("b", "deleted"), "{}");
        assert_eq!(answer, Answer::Acknowledged, "{kind:?}");
    }
    Ok(())
}
