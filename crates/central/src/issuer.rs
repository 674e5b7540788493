//! Issuing certificates to gateways. Of a request the public key counts alone; the subject is
//! written here, as [`crate::Peer`] reads it.

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
    SerialNumber, SubjectPublicKeyInfo, date_time_ymd,
};
use rustls::{
    RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, UnixTime},
    server::WebPkiClientVerifier,
};
use std::{sync::Arc, time::Duration};
use thiserror::Error;
use vernport_api::RequestedKey;
use vernport_crypto::random;
use vernport_types::{ControllerId, Slug, UtcMicros};
/// How far a certificate begins before it is issued: the clocks of two machines.
const BACKDATED_SECONDS: i64 = 300;
const DAY_SECONDS: i64 = 86_400;

/// Why an authority cannot issue.
#[derive(Debug, Error)]
pub enum IssuerError {
    /// Its certificate or key cannot be used.
    #[error("certificate and key of the authority cannot be used together")]
    Pair(#[source] rcgen::Error),
    /// What it issues would not be let in here.
    #[error("what it issues would not be let in: [tls] client_authority is another one")]
    NotTrusted(#[source] rustls::Error),
    /// The client authority under `[tls]` gives no verifier.
    #[error("the client authority under [tls] gives no verifier")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
}

/// A certificate that was issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// The certificate, DER.
    pub certificate: Vec<u8>,
    /// Its serial number: random, as it stands in the certificate.
    pub serial: Vec<u8>,
    /// When it ends.
    pub not_after: UtcMicros,
}

/// Issues certificates to gateways with the key of the client authority.
pub struct Issuer {
    issuer: rcgen::Issuer<'static, KeyPair>,
    /// What stands between a certificate and the authority that is trusted, DER.
    between: Vec<Vec<u8>>,
    days: u16,
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Issuer(<redacted>)")
    }
}

impl Issuer {
    /// An issuer of certificates that last `days`. Its own certificate is `trusted`, or is signed by that.
    ///
    /// # Errors
    /// [`IssuerError`]; also if what it would issue at `now` would not be let in.
    pub fn new(
        certificate: &CertificateDer<'static>,
        key_pem: &str,
        trusted: CertificateDer<'static>,
        days: u16,
        now: UtcMicros,
    ) -> Result<Self, IssuerError> {
        let key = KeyPair::from_pem(key_pem).map_err(IssuerError::Pair)?;
        let issuer = rcgen::Issuer::from_ca_cert_der(certificate, key).map_err(IssuerError::Pair)?;
        let is_root = *certificate == trusted;
        let between = if is_root { Vec::new() } else { vec![certificate.to_vec()] };
        let issuer = Self { issuer, between, days };
        issuer.prove(trusted, now)?;
        Ok(issuer)
    }

    /// Issues one for nobody and holds it against who is trusted.
    fn prove(&self, trusted: CertificateDer<'static>, now: UtcMicros) -> Result<(), IssuerError> {
        let mut roots = RootCertStore::empty();
        roots.add(trusted).map_err(IssuerError::NotTrusted)?;
        let provider = Arc::new(ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
        let key = KeyPair::generate().map_err(IssuerError::Pair)?;
        let (nobody, nowhere): (Slug, ControllerId) =
            ("nobody".parse().expect("a slug"), "NO-000000000".parse().expect("an id"));
        let info = SubjectPublicKeyInfo::from_der(&rcgen::PublicKeyData::subject_public_key_info(&key));
        let issued = self.sign(&info.map_err(IssuerError::Pair)?, &nobody, &nowhere, now);
        let leaf = CertificateDer::from(issued.map_err(IssuerError::Pair)?.certificate);
        let between: Vec<CertificateDer<'_>> = self.between.iter().map(|der| der.as_slice().into()).collect();
        let at = UnixTime::since_unix_epoch(Duration::from_micros(u64::try_from(now.0).unwrap_or(0)));
        verifier.verify_client_cert(&leaf, &between, at).map(|_| ()).map_err(IssuerError::NotTrusted)
    }

    /// The chain of a certificate: itself, then what stands between it and the authority.
    pub fn chain(&self, certificate: Vec<u8>) -> Vec<Vec<u8>> {
        std::iter::once(certificate).chain(self.between.iter().cloned()).collect()
    }

    /// How long a certificate lasts.
    pub fn days(&self) -> u16 {
        self.days
    }

    /// Issues a certificate to a gateway.
    ///
    /// # Errors
    /// Those of rcgen, which this input cannot cause.
    pub fn issue(
        &self,
        key: &RequestedKey,
        gateway: &Slug,
        controller: &ControllerId,
        now: UtcMicros,
    ) -> Result<Issued, rcgen::Error> {
        self.sign(&SubjectPublicKeyInfo::from_der(key.info())?, gateway, controller, now)
    }

    fn sign(
        &self,
        key: &SubjectPublicKeyInfo,
        gateway: &Slug,
        controller: &ControllerId,
        now: UtcMicros,
    ) -> Result<Issued, rcgen::Error> {
        let mut serial: [u8; 16] = random();
        // Positive, and of 16 bytes, whatever was drawn (RFC 5280, 4.1.2.2).
        serial[0] = serial[0] & 0x7F | 0x40;
        let now = now.plus_micros(-now.0.rem_euclid(1_000_000));
        let not_after = now.plus_seconds(i64::from(self.days) * DAY_SECONDS);
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, gateway.as_str());
        params.distinguished_name.push(DnType::OrganizationalUnitName, crate::Role::Gateway.as_str());
        params.distinguished_name.push(DnType::OrganizationName, controller.as_str());
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        let at = |time: UtcMicros| {
            date_time_ymd(1970, 1, 1) + Duration::from_micros(u64::try_from(time.0).unwrap_or(0))
        };
        params.not_before = at(now.plus_seconds(-BACKDATED_SECONDS));
        params.not_after = at(not_after);
        let certificate = params.signed_by(key, &self.issuer)?;
        Ok(Issued { certificate: certificate.der().to_vec(), serial: serial.to_vec(), not_after })
    }
}
