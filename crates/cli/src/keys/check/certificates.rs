//! Certificates and their keys: whether they are closed to others, fit together and last.

use super::Seen;
use std::{fs, os::unix::fs::MetadataExt as _, path::Path};
use vernport_central::Config as CentralConfig;
use vernport_gateway::{
    Config as GatewayConfig, SystemClock,
    secrets::{HANDED, OWN},
};
use vernport_types::Clock as _;
use vernport_uplink::{Certificate, TlsFiles};

/// The certificate of a gateway, and what an interrupted enrolment left.
pub(super) fn gateway(seen: &mut Seen, config: &GatewayConfig, file: &Path) {
    let of = &config.central;
    if let Some(request) = vernport_gateway::enrol::unanswered(config) {
        seen.note(
            &request,
            "an enrolment was begun and not answered".into(),
            "run the same `vernport-gateway enrol` again",
        );
    }
    if !of.certificate.exists() {
        return seen.note(&of.certificate, "is not there yet".into(), "see `vernport-gateway enrol`");
    }
    private(seen, &of.key, file, OWN);
    let (ca, certificate, key) = (of.ca.clone(), of.certificate.clone(), of.key.clone());
    if let Err(error) = (TlsFiles { ca, certificate, key }).client() {
        seen.wrong(&of.certificate, error.to_string(), "enrol the gateway anew, or copy both files again");
    }
    let Ok(Certificate { validity, .. }) = Certificate::read(&of.certificate) else { return };
    let now = SystemClock.now().wall;
    if now >= validity.not_after {
        seen.wrong(&of.certificate, "ended".into(), "be invited and enrol anew with --replace");
    } else if now >= validity.late() {
        seen.note(
            &of.certificate,
            "ends soon".into(),
            "the gateway renews it while it runs; its log says why it could not",
        );
    }
}

/// The key with which central issues certificates.
pub(super) fn central(seen: &mut Seen, config: &CentralConfig, file: &Path) {
    if let Some(enrolment) = &config.enrolment {
        private(seen, &enrolment.authority_key, file, HANDED);
    }
}

/// A private key in PEM: its owner, its folder, and who may read it.
fn private(seen: &mut Seen, key: &Path, config: &Path, closed_to: u32) {
    match fs::metadata(key) {
        Ok(about) if about.mode() & closed_to != 0 => {
            seen.wrong(key, "others can read it".into(), "run `chmod 600` on it");
        }
        Ok(_) => {}
        Err(_) => seen.wrong(key, "cannot be read".into(), "check the path and its owner"),
    }
    seen.around(key, config);
}
