//! The brokers of a configuration: where they may stand, and what is shown to them.

use crate::{Config, config::Mqtt, running::StartError};
use std::{sync::Arc, time::Duration};
use vernport_mqtt::{Endpoint, Section};
use vernport_policy::Rules;
use vernport_uplink::{Held, TlsFiles};

/// A broker stands where the bundle lets one stand.
pub(crate) fn hosted(rules: &Rules, fleet: &Mqtt) -> Result<(), StartError> {
    let Some(hosting) = rules.hosting() else { return Ok(()) };
    let allowed = hosting.regions.join(", ");
    match fleet.region.as_deref() {
        Some(region) if hosting.allows(region) => Ok(()),
        Some(_) => Err(StartError::Region { message: "the broker stands elsewhere than in", allowed }),
        None => {
            Err(StartError::Region { message: "say where the broker stands; the bundle allows", allowed })
        }
    }
}

/// The certificate for central, which is renewed while this runs, where a broker is shown it too: its next
/// connection shows the new one.
pub(crate) fn shown<'a>(config: &Config, mqtt: &Mqtt, held: Option<&'a Held>) -> Option<&'a Held> {
    let central = &config.central;
    let is_same =
        mqtt.certificate.as_ref() == Some(&central.certificate) && mqtt.key.as_ref() == Some(&central.key);
    held.filter(|_| is_same)
}

/// A broker of the configuration, for a client of this id.
///
/// # Errors
/// [`StartError`], with what to mend.
pub fn endpoint(section: &'static str, mqtt: &Mqtt, client: &str) -> Result<Endpoint, StartError> {
    endpoint_with(section, mqtt, client, None)
}

pub(crate) fn endpoint_with(
    section: &'static str,
    mqtt: &Mqtt,
    client: &str,
    held: Option<&Held>,
) -> Result<Endpoint, StartError> {
    let wrong = |source| StartError::Broker { section, source };
    let read = Section {
        url: &mqtt.url,
        ca: mqtt.ca.as_deref(),
        certificate: mqtt.certificate.as_deref(),
        key: mqtt.key.as_deref(),
        user: mqtt.user.as_deref(),
        password_file: mqtt.password_file.as_deref(),
    };
    let tls = match read.tls().map_err(wrong)?.map(|files| files.map(Into::into)) {
        Some([ca, certificate, key]) => {
            let files = TlsFiles { ca, certificate, key };
            Some(Arc::new(held.map_or_else(|| files.client(), |held| files.client_with(held))?))
        }
        None => None,
    };
    let mut endpoint = read.endpoint(client, tls).map_err(wrong)?;
    endpoint.keep_alive = Duration::from_secs(15);
    Ok(endpoint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};
    use vernport_policy::Bundle;
    use vernport_types::chain;

    #[test]
    fn the_fleets_broker_stands_where_the_bundle_lets_it() {
        let catalogue =
            crate::rules::load_catalogue(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/signals"));
        let text = include_str!("../../../config/bundles/westrum/bundle.toml");
        let bundle = Bundle::from_toml("bundle.toml", text).expect("the shipped bundle");
        let rules = Rules::compile(&bundle, &catalogue.expect("the shipped catalogue")).expect("rules");
        let told = |region: &str| {
            let fleet: Mqtt =
                toml::from_str(&format!("url = \"mqtt://127.0.0.1\"\n{region}")).expect("a broker");
            hosted(&rules, &fleet).map_err(|error| error.to_string())
        };
        assert_eq!(told("region = \"NO\""), Ok(()));
        for region in ["", "region = \"SE\""] {
            let error = told(region).expect_err("not there");
            assert!(error.starts_with("fleet.region") && error.ends_with("NO"), "{error}");
        }
    }

    #[test]
    fn a_broker_elsewhere_is_not_spoken_to_in_the_clear_and_a_password_is_closed_to_others() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("broker.password");
        fs::write(&file, "orbit lamp\n").expect("written");
        let login = format!("\nuser = \"bay-1\"\npassword_file = \"{}\"", file.display());
        let read = |host: &str, mode: u32, more: &str| {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("own file");
            let mqtt: Mqtt = toml::from_str(&format!("url = \"mqtt://{host}\"{more}")).expect("a broker");
            endpoint("fleet", &mqtt, "bay-1").map_err(|error| chain(&error))
        };
        for mode in [0o600, 0o440] {
            let (user, password) = read("localhost", mode, &login).expect("good").login.expect("a login");
            assert_eq!((user.as_str(), password.as_str()), ("bay-1", "orbit lamp"));
        }
        for (host, mode, more, says) in [
            ("fleet.example.net", 0o600, login.as_str(), "[fleet]: mqtt:// is for a broker on this machine"),
            ("localhost", 0o604, &login, "run `chmod 600` on it"),
            ("localhost", 0o600, "\nuser = \"bay-1\"", "[fleet]: user and password_file belong together"),
            ("localhost", 0o600, "\nca = \"ca.pem\"", "[fleet]: ca, certificate and key belong together"),
        ] {
            let error = read(host, mode, more).expect_err(says);
            assert!(error.contains(says), "{error}");
        }
    }
}
