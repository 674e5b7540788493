//! A person's own link to a broker: what was typed as an endpoint, and why it does not come about.

use crate::args::AtBroker;
use thiserror::Error;
use vernport_gateway::config::Mqtt;
use vernport_mqtt::{Cause, Endpoint, acl::Principal};
use vernport_types::chain;

/// What was typed, or a file that it names, cannot be used. Nothing was sent.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct Unusable(pub String);

impl Unusable {
    pub(crate) fn from_error(error: &(dyn std::error::Error + 'static)) -> Self {
        Self(chain(error).to_string())
    }
}

/// The endpoint of a principal. Where there is a password and no user, the user is the principal.
pub(crate) fn endpoint(at: &AtBroker, who: &Principal, client_id: &str) -> Result<Endpoint, Unusable> {
    let user = at.user.clone().or_else(|| at.password_file.as_ref().map(|_| who.to_string()));
    let mqtt = Mqtt {
        url: at.url.clone(),
        ca: at.ca.clone(),
        certificate: at.certificate.clone(),
        key: at.certificate_key.clone(),
        user,
        password_file: at.password_file.clone(),
        region: None,
        delivery_window_h: None,
    };
    let client_id = at.client_id.as_deref().unwrap_or(client_id);
    let endpoint = vernport_gateway::endpoint("broker", &mqtt, client_id);
    let mut endpoint = endpoint.map_err(|error| Unusable::from_error(&error))?;
    endpoint.protocol = at.mqtt.into();
    Ok(endpoint)
}

/// Whether another attempt will not help, and what to look at.
pub(crate) fn hopeless(cause: &Cause) -> Option<String> {
    match cause {
        Cause::Refused(_) => {
            Some(format!("{cause}; check user and password, or the certificate's name, and the broker's ACL"))
        }
        Cause::Subscription => Some(format!("{cause}; check who you say you are, and the broker's ACL")),
        _ => None,
    }
}
