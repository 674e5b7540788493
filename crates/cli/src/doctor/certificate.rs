//! Certificates: form, chain, names, end, and whether the key fits.

use super::{Checks, said};
use rustls::{
    RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, UnixTime, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use std::{path::Path, sync::Arc, time::Duration};
use vernport_gateway::Config;
use vernport_types::UtcMicros;
use vernport_uplink::{Certificate, TlsFiles};

pub(super) const NEW: &str = "get a certificate of this gateway from the authority that central trusts";
const ENDS: &str = "get a new certificate before the old one ends";

pub(super) fn of_gateway(checks: &mut Checks, config: &Config, now: UtcMicros) {
    let what = "certificate";
    let central = &config.central;
    let files = TlsFiles {
        ca: central.ca.clone(),
        certificate: central.certificate.clone(),
        key: central.key.clone(),
    };
    if let Err(error) = files.client() {
        return checks.fail(
            what,
            said(&error),
            "give certificate, key and authority as PEM files that belong together",
        );
    }
    let certificate = match Certificate::read(&central.certificate) {
        Ok(certificate) => certificate,
        Err(error) => return checks.fail(what, said(&error), NEW),
    };
    if certificate.common_names != [config.gateway.name.as_str()] {
        let found = format!(
            "its common name is {}, the gateway is {}",
            certificate.common_names.join(", "),
            config.gateway.name
        );
        checks.fail(what, found, NEW);
    }
    if certificate.units != ["gateway"]
        || certificate.organisations != [config.gateway.controller.to_string()]
    {
        let found = format!(
            "it says {} of {}, and has to say gateway of {}",
            certificate.units.join(", "),
            certificate.organisations.join(", "),
            config.gateway.controller
        );
        checks.fail(what, found, NEW);
    }
    if !time(checks, what, &certificate, now) {
        return;
    }
    match chain(&central.ca, &central.certificate, now) {
        Ok(()) => checks.ok(
            what,
            format!(
                "of {}, until {}",
                config.gateway.name,
                crate::show::time(certificate.validity.not_after)
            ),
        ),
        Err(problem) => {
            checks.fail(
                what,
                problem,
                "give the authority that issued it as `ca`, or get one that it issues",
            );
        }
    }
}

/// Whether it holds now.
pub(super) fn time(checks: &mut Checks, what: &str, certificate: &Certificate, now: UtcMicros) -> bool {
    let (from, until) = (
        crate::show::time(certificate.validity.not_before),
        crate::show::time(certificate.validity.not_after),
    );
    if certificate.validity.not_after <= now {
        checks.fail(
            what,
            format!("it ended at {until}"),
            "get a new certificate: nothing goes with this one",
        );
        return false;
    }
    if certificate.validity.not_before > now {
        checks.fail(what, format!("it holds from {from} on"), "set the clock, or wait until then");
        return false;
    }
    if certificate.validity.late() <= now {
        checks.warn(what, format!("it ends at {until}"), ENDS);
    }
    true
}

/// Whether the authority of `ca` issued it for a client.
fn chain(ca: &Path, certificate: &Path, now: UtcMicros) -> Result<(), String> {
    let read = |path: &Path| -> Result<Vec<CertificateDer<'static>>, String> {
        let certificates = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
        certificates.map_err(|_| format!("{}: cannot be read", path.display()))
    };
    let mut roots = RootCertStore::empty();
    for root in read(ca)? {
        roots.add(root).map_err(|error| format!("{}: {error}", ca.display()))?;
    }
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
    let verifier = verifier.map_err(|error| error.to_string())?;
    let all = read(certificate)?;
    let Some((own, between)) = all.split_first() else {
        return Err("the file has no certificate".to_owned());
    };
    let now = UnixTime::since_unix_epoch(Duration::from_micros(u64::try_from(now.0).unwrap_or(0)));
    let checked = verifier.verify_client_cert(own, between, now);
    checked
        .map(drop)
        .map_err(|error| format!("the authority in {} does not vouch for it: {error}", ca.display()))
}
