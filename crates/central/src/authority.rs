//! A certificate authority of its own: for `vernport init --dev`, the demo and tests, and as the
//! authority of clients with which a central enrols gateways. It writes the convention that [`crate::Peer`] reads: common name =
//! name, organisational unit = role, organisation = controller.

use crate::Role;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose,
};
use thiserror::Error;
use vernport_crypto::Zeroizing;
use vernport_types::{ControllerId, Slug};

/// Why no certificate was issued.
#[derive(Debug, Error)]
#[error("no certificate can be issued")]
pub struct IssueError(#[from] rcgen::Error);

/// A certificate and its private key, PEM. `Debug` hides the key.
#[derive(Clone)]
pub struct Credential {
    /// The certificate.
    pub certificate_pem: String,
    /// The private key (PKCS #8).
    pub key_pem: Zeroizing<String>,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credential(<redacted>)")
    }
}

/// An authority. Unless its [key](Self::key_pem) is written down, it lives in memory only: what it has not
/// issued before it is dropped, nobody issues afterwards.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authority(<redacted>)")
    }
}

impl Authority {
    /// Draws a key and certifies it.
    ///
    /// # Errors
    /// [`IssueError`] if the kernel gives no random bytes.
    pub fn new() -> Result<Self, IssueError> {
        Self::named("vernport development authority")
    }

    /// The same for an installation, whose central issues with it.
    ///
    /// # Errors
    /// [`IssueError`] if the kernel gives no random bytes.
    pub fn of_clients() -> Result<Self, IssueError> {
        Self::named("vernport client authority")
    }

    fn named(name: &str) -> Result<Self, IssueError> {
        let mut params = params(&[], &[(DnType::CommonName, name)])?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Ok(Self { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate()?)? })
    }

    /// The authority's own certificate, PEM.
    pub fn certificate_pem(&self) -> String {
        self.issuer.pem()
    }

    /// Its private key, PEM: for a central that enrols gateways with it.
    pub fn key_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(self.issuer.key().serialize_pem())
    }

    /// A server under these host names and addresses.
    ///
    /// # Errors
    /// [`IssueError`] for what is no name.
    pub fn server(&self, names: &[&str]) -> Result<Credential, IssueError> {
        let mut params = params(names, &[(DnType::CommonName, "vernport")])?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.issue(&params)
    }

    /// A client of central.
    ///
    /// # Errors
    /// [`IssueError`] if the kernel gives no random bytes.
    pub fn client(
        &self,
        name: &Slug,
        role: Role,
        controller: &ControllerId,
    ) -> Result<Credential, IssueError> {
        let mut params = params(
            &[],
            &[
                (DnType::CommonName, name.as_str()),
                (DnType::OrganizationalUnitName, role.as_str()),
                (DnType::OrganizationName, controller.as_str()),
            ],
        )?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(&params)
    }

    fn issue(&self, params: &CertificateParams) -> Result<Credential, IssueError> {
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Credential { certificate_pem: certificate.pem(), key_pem: Zeroizing::new(key.serialize_pem()) })
    }
}

fn params(names: &[&str], subject: &[(DnType, &str)]) -> Result<CertificateParams, IssueError> {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    for (kind, text) in subject {
        params.distinguished_name.push(kind.clone(), *text);
    }
    Ok(params)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Peer;
    use rustls::pki_types::{CertificateDer, pem::PemObject as _};

    #[test]
    fn what_is_issued_is_read_back_as_the_same_peer() {
        let name: Slug = "bay-1".parse().expect("a slug");
        let controller: ControllerId = "DK-10628334".parse().expect("a controller");
        let authority = Authority::new().expect("random bytes");
        for role in [Role::Gateway, Role::Registrar, Role::Recipient, Role::Processor] {
            let issued = authority.client(&name, role, &controller).expect("issued");
            let der =
                CertificateDer::from_pem_slice(issued.certificate_pem.as_bytes()).expect("a certificate");
            let peer = Peer::from_certificate(&der).expect("names somebody");
            assert_eq!(peer, Peer { name: name.clone(), role, controller: controller.clone() });
        }
    }

    #[test]
    fn a_server_certificate_names_no_client() {
        let issued = Authority::new().and_then(|a| a.server(&["localhost"])).expect("issued");
        let der = CertificateDer::from_pem_slice(issued.certificate_pem.as_bytes()).expect("a certificate");
        assert!(Peer::from_certificate(&der).is_err());
    }
}
