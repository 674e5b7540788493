//! The broker of a controller's fleet operators, from its section of the configuration.

use super::{LoadError, closed, read};
use crate::config::{Controller, FleetBroker};
use std::{path::Path, sync::Arc};
use vernport_crypto::Zeroizing;
use vernport_mqtt::Endpoint;
use vernport_policy::Rules;
use vernport_uplink::TlsFiles;

/// Where central speaks with the operators of a controller; under a client id of its own for each, so that
/// one session brings the answers of one controller.
pub(super) fn endpoint(
    controller: &Controller,
    broker: &FleetBroker,
    rules: &Rules,
) -> Result<Endpoint, LoadError> {
    if let Some(hosting) = rules.hosting()
        && !broker.region.as_deref().is_some_and(|region| hosting.allows(region))
    {
        return Err(LoadError::BrokerRegion { allowed: hosting.regions.join(", ") });
    }
    let tls = match (&broker.ca, &broker.certificate, &broker.key) {
        (Some(ca), Some(certificate), Some(key)) => {
            closed(key, 0o007)?;
            let files = TlsFiles { ca: ca.clone(), certificate: certificate.clone(), key: key.clone() };
            Some(Arc::new(files.client()?))
        }
        (None, None, None) => None,
        _ => {
            let message = "ca, certificate and key belong together: write all three or none";
            return Err(LoadError::BrokerFiles { message });
        }
    };
    let client = format!("central.{}", controller.id.as_str().to_ascii_lowercase());
    let endpoint = Endpoint::from_url(&broker.url, &client, tls)?;
    let is_here = endpoint.host == "localhost" || endpoint.host.starts_with("127.");
    if endpoint.tls.is_none() && !is_here {
        let message = "mqtt:// is for a broker on this machine: write mqtts:// with ca, certificate and key";
        return Err(LoadError::BrokerFiles { message });
    }
    match (&broker.user, &broker.password_file) {
        (None, None) => Ok(endpoint),
        (Some(user), Some(path)) => Ok(endpoint.with_login(user, password(path)?)),
        _ => {
            let message = "user and password_file belong together: write both or none";
            Err(LoadError::BrokerFiles { message })
        }
    }
}

fn password(file: &Path) -> Result<Zeroizing<String>, LoadError> {
    closed(file, 0o007)?;
    let text = Zeroizing::new(read(file)?);
    Ok(Zeroizing::new(text.trim_end().to_owned()))
}
