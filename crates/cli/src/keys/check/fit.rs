//! Whether what gateways, central and bundles hold fits together.

use super::Seen;
use std::{fs, path::Path};
use vernport_central::Config as CentralConfig;
use vernport_crypto::{SigningKey, VerifyingKey};
use vernport_gateway::{Config as GatewayConfig, config::KeySource};
use vernport_policy::verify_bundle;

/// Gateways: by themselves, and against central.
pub(super) fn gateways(seen: &mut Seen, gateways: &[GatewayConfig], central: Option<&CentralConfig>) {
    for config in gateways {
        bundle(seen, &config.rules.bundle, &config.rules.bundle_key);
        let Some(central) = central else { continue };
        if let Some(head) = seen.key(&central.keys.head)
            && SigningKey::from_seed(**head).verifying_key() != config.central.head_key
        {
            let problem =
                format!("is not the head key that gateway {} is configured with", config.gateway.name);
            seen.wrong(
                &central.keys.head,
                problem,
                "write its public half as `head_key` into the gateway's file",
            );
        }
        enrolment(seen, config, central);
    }
}

/// Central's bundles.
pub(super) fn central(seen: &mut Seen, config: &CentralConfig) {
    for (place, controller) in config.controllers.iter().enumerate() {
        bundle(seen, &controller.bundle, &controller.bundle_key);
        let Some(key) = seen.key(&controller.identity_key).cloned() else { continue };
        let same = |other: &&vernport_central::Controller| seen.key(&other.identity_key) == Some(&key);
        if let Some(other) = config.controllers[..place].iter().find(same) {
            let problem = format!("{} and {} have one identity key", controller.id, other.id);
            let remedy = "controllers must not be able to compare vehicles: give the one without a ledger a key of its own";
            seen.wrong(&controller.identity_key, problem, remedy);
        }
    }
}

/// What central's configuration says of a gateway and its controller.
fn enrolment(seen: &mut Seen, config: &GatewayConfig, central: &CentralConfig) {
    let own = |source: &KeySource| match source {
        KeySource::File(file) => Some(file.clone()),
        KeySource::Credential(_) | KeySource::Memory => None,
    };
    let Some(controller) = central.controllers.iter().find(|one| one.id == config.gateway.controller) else {
        return;
    };
    if let Some(file) = own(&config.keys.identity)
        && let (Some(ours), Some(theirs)) = (seen.key(&file), seen.key(&controller.identity_key))
        && ours != theirs
    {
        let problem = format!("is not the identity key of {} at central", controller.id);
        seen.wrong(
            &file,
            problem,
            "copy the controller's identity.key; with another one no vehicle is recognised",
        );
    }
    if controller.bundle_key != config.rules.bundle_key {
        let problem = format!("gateway {} and central name different bundle keys", config.gateway.name);
        seen.wrong(&config.rules.bundle, problem, "write the controller's own public bundle key into both");
    }
    let enrolled = controller.gateways.iter().find(|one| one.name == config.gateway.name);
    if let (Some(file), Some(enrolled)) = (own(&config.keys.device), enrolled)
        && let Some(device) = seen.key(&file)
        && SigningKey::from_seed(**device).verifying_key() != enrolled.device_key
    {
        let problem = format!("is not the device key that central enrols {} with", config.gateway.name);
        seen.wrong(
            &file,
            problem,
            "write its public half as `device_key` into central's file and restart central",
        );
    }
}

/// A bundle that its controller signed.
fn bundle(seen: &mut Seen, folder: &Path, key: &VerifyingKey) {
    let signature = fs::read_to_string(folder.join("bundle.sig")).ok();
    let text = folder.join("bundle.toml");
    match fs::read_to_string(&text) {
        Ok(rules) => {
            if let Err(error) = verify_bundle(key, &rules, signature.as_deref()) {
                seen.wrong(&folder.join("bundle.sig"), error.to_string(), "sign it: `vernport bundle sign`");
            }
        }
        Err(_) => seen.wrong(&text, "cannot be read".into(), "check the path and its owner"),
    }
}
