//! A certificate revocation list (RFC 5280, 5) of the authority of clients.
//!
//! The list replaces the one before: whatever is to stay revoked is named again. Its number is the
//! time in seconds, so a later list has a higher one.

use super::unread;
use crate::args::MqttCrl;
use anyhow::{Context as _, Result, ensure};
use rcgen::{
    CertificateRevocationListParams, Issuer, KeyIdMethod, KeyPair, PublicKeyData as _, RevokedCertParams,
    SerialNumber, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use std::{collections::BTreeSet, path::Path, time::Duration};
use vernport_crypto::Zeroizing;
use vernport_gateway::SystemClock;
use vernport_types::Clock as _;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// The longest serial number (RFC 5280, 4.1.2.2), in bytes.
const MAX_SERIAL_BYTES: usize = 20;
const DAY: Duration = Duration::from_secs(86_400);

/// The list in PEM, and how many certificates it names.
pub(super) fn list(args: &MqttCrl) -> Result<(String, usize)> {
    let mut serials = BTreeSet::new();
    for file in &args.revoked {
        serials.insert(serial_in(file)?);
    }
    for text in &args.serial {
        serials.insert(serial_of(text)?);
    }
    let now = u64::try_from(SystemClock.now().wall.0 / 1_000_000)
        .context("the clock of this machine stands before 1970")?;
    let this_update = date_time_ymd(1970, 1, 1) + Duration::from_secs(now);
    let revoked = |serial: &Vec<u8>| RevokedCertParams {
        serial_number: SerialNumber::from_slice(serial),
        revocation_time: this_update,
        reason_code: None,
        invalidity_date: None,
    };
    let params = CertificateRevocationListParams {
        this_update,
        next_update: this_update + DAY * u32::from(args.days),
        crl_number: SerialNumber::from(now),
        issuing_distribution_point: None,
        revoked_certs: serials.iter().map(revoked).collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let list = params.signed_by(&issuer(args)?).context("this authority may sign no such list")?;
    Ok((list.pem()?, serials.len()))
}

/// The authority; rcgen itself believes that certificate and key belong together.
fn issuer(args: &MqttCrl) -> Result<Issuer<'static, KeyPair>> {
    let key =
        std::fs::read_to_string(&args.authority_key).with_context(|| unread(args.authority_key.display()))?;
    let key = KeyPair::from_pem(&Zeroizing::new(key))
        .with_context(|| format!("{}: no private key", args.authority_key.display()))?;
    let certificate =
        CertificateDer::from_pem_file(&args.authority).with_context(|| unread(args.authority.display()))?;
    let is_its = X509Certificate::from_der(&certificate).is_ok_and(|(_, read)| {
        let may_issue = read.basic_constraints().ok().flatten().is_some_and(|basic| basic.value.ca);
        may_issue && read.public_key().raw == key.subject_public_key_info()
    });
    ensure!(is_its, "{}: not the certificate of an authority with this key", args.authority.display());
    Ok(Issuer::from_ca_cert_der(&certificate, key)?)
}

fn serial_in(file: &Path) -> Result<Vec<u8>> {
    let certificate = CertificateDer::from_pem_file(file).with_context(|| unread(file.display()))?;
    let read = X509Certificate::from_der(&certificate);
    let (_, read) = read.ok().with_context(|| format!("{}: no certificate", file.display()))?;
    Ok(without_zeros(read.tbs_certificate.raw_serial()))
}

fn serial_of(text: &str) -> Result<Vec<u8>> {
    let digits: String = text.chars().filter(|c| *c != ':').collect();
    let even = if digits.len() % 2 == 1 { format!("0{digits}") } else { digits };
    let bytes = hex::decode(even).ok().filter(|bytes| (1..=MAX_SERIAL_BYTES).contains(&bytes.len()));
    let bytes = bytes.context("--serial: a serial number has 1 to 40 hexadecimal digits")?;
    ensure!(bytes.iter().any(|byte| *byte != 0), "--serial: no certificate has the number 0");
    Ok(without_zeros(&bytes))
}

/// One number, one writing.
fn without_zeros(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().skip_while(|byte| **byte == 0).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::CertificateRevocationListDer;
    use vernport_central::{Role, authority::Authority};
    use x509_parser::prelude::CertificateRevocationList;

    #[test]
    fn the_list_names_what_was_revoked_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("written");
            path
        };
        let authority = Authority::new().expect("random bytes");
        let client = authority.client(
            &"box-1".parse().expect("a slug"),
            Role::Gateway,
            &"NO-999999999".parse().expect("a controller"),
        );
        let client = client.expect("issued");
        let mut args = MqttCrl {
            authority: file("ca.pem", &authority.certificate_pem()),
            authority_key: file("ca.key", &authority.key_pem()),
            revoked: vec![file("client.pem", &client.certificate_pem)],
            serial: vec!["01:FF".into(), "1ff".into(), "0001ff".into()],
            days: 30,
            out: folder.path().join("crl.pem"),
        };
        let (pem, count) = list(&args).expect("a list");
        assert_eq!(count, 2);
        let der = CertificateRevocationListDer::from_pem_slice(pem.as_bytes()).expect("PEM");
        let (_, read) = CertificateRevocationList::from_der(&der).expect("a list");
        let mut serials: Vec<Vec<u8>> =
            read.iter_revoked_certificates().map(|of| without_zeros(of.raw_serial())).collect();
        serials.sort();
        let mut expected = vec![vec![1, 0xFF], serial_in(&args.revoked[0]).expect("a serial")];
        expected.sort();
        assert_eq!(serials, expected);

        args.authority = args.revoked[0].clone();
        assert!(list(&args).is_err(), "a client signs no list");
        args.revoked = vec![folder.path().join("nowhere.pem")];
        assert!(list(&args).expect_err("not there").is::<crate::link::Unusable>());
        for bad in ["", "0", "xyz", &"1".repeat(41)] {
            assert!(serial_of(bad).is_err(), "{bad}");
        }
    }
}
