//! What is reached over sockets: the daemon itself, central, brokers.

use super::{Checks, certificate, clock, said};
use crate::status::{Unasked, asked};
use std::{net::SocketAddr, os::unix::fs::FileTypeExt as _, time::Duration};
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};
use vernport_gateway::{Config, config::Mqtt, endpoint};
use vernport_mqtt::{Cause, Endpoint, probe};
use vernport_status::{Listen, PathStatus};
use vernport_types::{Stamp, UtcMicros};
use vernport_uplink::TlsFiles;

/// How long a name or a connection may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks the daemon, if it runs.
pub(super) async fn daemon(checks: &mut Checks, section: Option<&Listen>) -> Option<PathStatus> {
    let what = "daemon";
    let Some(section) = section else {
        checks.warn(what, "the configuration has no [status]", "write [status] address = \"127.0.0.1:9750\"");
        return None;
    };
    match asked(&section.address).await {
        Ok(status) => {
            let troubled = status.stages.iter().filter(|stage| stage.state.is_trouble());
            let troubled: Vec<_> = troubled.map(|stage| stage.stage.code()).collect();
            if troubled.is_empty() {
                checks.ok(what, format!("runs, and answers at {}", section.address));
            } else {
                let found = format!("runs; not well: {}", troubled.join(", "));
                checks.warn(what, found, "run `vernport status`: it says what to do for each stage");
            }
            Some(status)
        }
        Err(Unasked::Silent(error @ vernport_status::AskError::Nobody { .. })) => {
            checks.skip(what, format!("does not run: {error}"));
            None
        }
        Err(error) => {
            checks.fail(what, said(&error), "give [status] a port that no other program has");
            None
        }
    }
}

/// What only a running gateway knows.
pub(super) fn registry(checks: &mut Checks, running: Option<&PathStatus>) {
    let Some(status) = running else {
        return checks.skip("registry", "only the running gateway knows which head it saw last");
    };
    let code = vernport_status::Cause::CentralRolledBack.code();
    let is_back = status.stages.iter().flat_map(|stage| &stage.reasons).any(|told| told.code == code);
    if is_back {
        let remedy = vernport_status::Cause::CentralRolledBack.remedy();
        checks.fail("registry", "central is behind what it said before", remedy);
    } else {
        checks.ok("registry", "not behind what it said before");
    }
}

/// The socket of a technician.
pub(super) fn station(checks: &mut Checks, config: &Config) {
    let Some(section) = &config.station else { return };
    let at = section.socket.display();
    match std::fs::symlink_metadata(&section.socket) {
        Ok(about) if about.file_type().is_socket() => checks.ok("station", format!("{at}: is there")),
        Ok(_) => {
            checks.fail("station", format!("{at}: is no socket"), "choose another path for [station] socket");
        }
        Err(_) if section.socket.parent().is_some_and(std::path::Path::is_dir) => {
            checks.ok("station", format!("{at}: is made when the gateway starts"));
        }
        Err(_) => checks.fail(
            "station",
            format!("{at}: its folder is not there"),
            "make the folder, for the service's user",
        ),
    }
}

/// Name and port, one step after the other.
async fn reach(checks: &mut Checks, what: &str, host: &str, port: u16) -> bool {
    let looked_up = timeout(PATIENCE, lookup_host((host, port))).await;
    let addresses: Vec<SocketAddr> = match looked_up {
        Ok(Ok(addresses)) => addresses.collect(),
        Ok(Err(_)) | Err(_) => Vec::new(),
    };
    if addresses.is_empty() {
        let remedy = "check the name, and the resolver of this machine";
        checks.fail(what, format!("{host}: no address of that name"), remedy);
        return false;
    }
    for address in &addresses {
        if let Ok(Ok(_)) = timeout(PATIENCE, TcpStream::connect(address)).await {
            return true;
        }
    }
    let remedy = "start what listens there, or let the network through: address, port, firewall";
    checks.fail(what, format!("{host}:{port}: no connection"), remedy);
    false
}

/// Central: name, TCP, TLS, certificate, an answer, the clock.
pub(super) async fn central(checks: &mut Checks, config: &Config, here: fn() -> Stamp) {
    let what = "central";
    let url: reqwest::Url = match config.central.url.parse() {
        Ok(url) => url,
        Err(_) => return checks.fail(what, "its address is none", "write https://host:port"),
    };
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return checks.fail(what, "its address is none", "write https://host:port");
    };
    if !reach(checks, what, host.trim_matches(['[', ']']), port).await {
        return checks.skip("clock of central", "central was not reached");
    }
    let files = TlsFiles {
        ca: config.central.ca.clone(),
        certificate: config.central.certificate.clone(),
        key: config.central.key.clone(),
    };
    let Ok(tls) = files.client() else { return checks.skip(what, "the certificate cannot be used") };
    let client = reqwest::Client::builder()
        .http2_prior_knowledge()
        .tls_backend_preconfigured(tls)
        .timeout(PATIENCE)
        .no_proxy()
        .build();
    let Ok(client) = client else { return checks.skip(what, "no client can be made") };
    let asked = client
        .get(format!("{}{}", config.central.url.trim_end_matches('/'), vernport_api::PATH_STATUS))
        .send();
    match asked.await {
        Err(error) => {
            let remedy = "it is TLS that fails: `ca` has to have issued central's certificate, which has to bear this \
                 name, and central has to trust the issuer of the gateway's";
            checks.fail(what, said(&error.without_url()), remedy);
            checks.skip("clock of central", "central did not answer");
        }
        Ok(answer) => {
            let date = answer.headers().get("date").and_then(|date| date.to_str().ok()).and_then(http_date);
            match answer.status().as_u16() {
                200 => checks.ok(what, "reached, and it takes the certificate"),
                403 => {
                    checks.fail(
                        what,
                        "it does not serve the controller of the certificate",
                        certificate::NEW,
                    );
                }
                other => checks.fail(what, format!("answers {other}"), "see the log of central"),
            }
            clock::against(checks, date, here().wall);
        }
    }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, 5.6.7).
fn http_date(text: &str) -> Option<UtcMicros> {
    let time =
        jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text.replace("GMT", "+0000")).ok()?;
    Some(UtcMicros(time.as_microsecond()))
}

pub(super) async fn brokers(checks: &mut Checks, config: &Config) {
    for (section, mqtt) in [("tools", &config.tools), ("fleet", &config.fleet)] {
        let what = format!("broker [{section}]");
        match mqtt {
            None => checks.skip(&what, "not configured"),
            Some(mqtt) => broker(checks, section, &what, mqtt, config).await,
        }
    }
}

async fn broker(checks: &mut Checks, section: &'static str, what: &str, mqtt: &Mqtt, config: &Config) {
    // Not the gateway's own client id: its connection stays.
    let client = format!("vernport-{}-{section}-doctor", config.gateway.name);
    let endpoint = match endpoint(section, mqtt, &client) {
        Ok(endpoint) => endpoint,
        Err(error) => return checks.fail(what, said(&error), "mend the section as the message says"),
    };
    probed(checks, what, &endpoint).await;
}

/// A broker: name, TCP, TLS, and whether it takes this login.
pub(super) async fn probed(checks: &mut Checks, what: &str, endpoint: &Endpoint) {
    if !reach(checks, what, &endpoint.host, endpoint.port).await {
        return;
    }
    match probe(endpoint).await {
        Ok(()) => checks.ok(what, "reached, and it takes us"),
        Err(Cause::Refused(why)) => {
            checks.fail(
                what,
                format!("it refused: {why}"),
                "check user, password_file or certificate, and the broker's ACL",
            );
        }
        Err(error) => {
            let remedy = "it is TLS or MQTT that fails: check ca, certificate, port, and that it is a broker";
            checks.fail(what, said(&error), remedy);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_of_an_answer_is_read() {
        assert_eq!(http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(UtcMicros(784_111_777_000_000)));
        assert_eq!(http_date("yesterday"), None);
    }
}
