//! The broker of a controller's fleet operators, from its section of the configuration.

use super::{LoadError, closed};
use crate::config::{Controller, FleetBroker};
use std::sync::Arc;
use vernport_mqtt::{Endpoint, Section};
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
    let section = Section {
        url: &broker.url,
        ca: broker.ca.as_deref(),
        certificate: broker.certificate.as_deref(),
        key: broker.key.as_deref(),
        user: broker.user.as_deref(),
        password_file: broker.password_file.as_deref(),
    };
    let tls = match section.tls()? {
        Some([ca, certificate, key]) => {
            closed(key)?;
            let files = TlsFiles { ca: ca.into(), certificate: certificate.into(), key: key.into() };
            Some(Arc::new(files.client()?))
        }
        None => None,
    };
    let client = format!("central.{}", controller.id.as_str().to_ascii_lowercase());
    Ok(section.endpoint(&client, tls)?)
}
