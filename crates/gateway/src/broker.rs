//! The brokers of a configuration: where they may stand, and what is shown to them.

use crate::{Config, config::Mqtt, running::StartError, secrets::SecretError};
use std::{sync::Arc, time::Duration};
use vernport_crypto::Zeroizing;
use vernport_mqtt::Endpoint;
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
    let tls = match (&mqtt.ca, &mqtt.certificate, &mqtt.key) {
        (Some(ca), Some(certificate), Some(key)) => {
            let files = TlsFiles { ca: ca.clone(), certificate: certificate.clone(), key: key.clone() };
            Some(Arc::new(held.map_or_else(|| files.client(), |held| files.client_with(held))?))
        }
        (None, None, None) => None,
        _ => {
            let message = "ca, certificate and key belong together: write all three or none";
            return Err(StartError::BrokerFiles { section, message });
        }
    };
    let mut endpoint = Endpoint::from_url(&mqtt.url, client, tls)
        .map_err(|source| StartError::Broker { section, source })?;
    endpoint.keep_alive = Duration::from_secs(15);
    match (&mqtt.user, &mqtt.password_file) {
        (None, None) => Ok(endpoint),
        (Some(user), Some(path)) => {
            let text = std::fs::read_to_string(path)
                .map_err(|source| SecretError::Read { path: path.clone(), source })?;
            let text = Zeroizing::new(text);
            Ok(endpoint.with_login(user, Zeroizing::new(text.trim_end().to_owned())))
        }
        _ => {
            let message = "user and password_file belong together: write both or none";
            Err(StartError::BrokerFiles { section, message })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use vernport_policy::Bundle;

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
}
