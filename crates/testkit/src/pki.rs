//! A certificate authority that lives as long as a test.
//!
//! Client certificates follow vernport's convention: the common name is the
//! client's name, the organisational unit its role, the organisation the
//! controller's number. Server certificates are for the loopback names.

use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use std::sync::Arc;
use vernport_api::RequestedKey;
pub use vernport_central::Role;
use vernport_central::authority::{Authority, Credential};
use vernport_central::{Issued, Issuer};
use vernport_types::{ControllerId, Slug, UtcMicros};

/// A certificate with its private key.
#[derive(Debug, Clone)]
pub struct Identity(Credential);

impl Identity {
    /// The certificate, in PEM.
    pub fn certificate_pem(&self) -> &str {
        &self.0.certificate_pem
    }

    /// The private key, PKCS #8 in PEM.
    pub fn key_pem(&self) -> &str {
        &self.0.key_pem
    }

    /// The certificate chain: this one certificate.
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![CertificateDer::from_pem_slice(self.certificate_pem().as_bytes()).expect("just issued")]
    }

    /// The private key.
    pub fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from_pem_slice(self.key_pem().as_bytes()).expect("just issued")
    }
}

/// The authority. Two of them do not trust each other's certificates.
pub struct DevCa(Authority);

impl Default for DevCa {
    fn default() -> Self {
        Self::new()
    }
}

impl DevCa {
    /// Draws a key and certifies it.
    pub fn new() -> Self {
        Self(Authority::new().expect("the kernel gives random bytes"))
    }

    /// The authority's own certificate, in PEM.
    pub fn certificate_pem(&self) -> String {
        self.0.certificate_pem()
    }

    /// Its private key, in PEM: for a central that enrols gateways.
    pub fn key_pem(&self) -> String {
        self.0.key_pem().to_string()
    }

    /// A server on `localhost`, `127.0.0.1` and `::1`.
    pub fn server(&self) -> Identity {
        Identity(self.0.server(&["localhost", "127.0.0.1", "::1"]).expect("these are names"))
    }

    /// What central issues to a gateway for a certificate request (DER): for 30 days from `now`.
    pub fn issue(&self, csr: &[u8], name: &Slug, controller: &ControllerId, now: UtcMicros) -> Issued {
        let own = CertificateDer::from_pem_slice(self.certificate_pem().as_bytes()).expect("just made");
        let issuer = Issuer::new(&own, &self.key_pem(), own.clone(), 30, now).expect("an authority");
        let key = RequestedKey::of(csr).expect("a sound request");
        issuer.issue(&key, name, controller, now).expect("issued")
    }

    /// A client of central or of a broker.
    pub fn client(&self, name: &Slug, role: Role, controller: &ControllerId) -> Identity {
        Identity(self.0.client(name, role, controller).expect("the kernel gives random bytes"))
    }

    /// What a server presents and asks: a certificate of this authority from
    /// each client. No ALPN is set.
    pub fn server_config(&self, server: &Identity) -> ServerConfig {
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(self.roots()), provider())
            .build()
            .expect("the authority is a root");
        ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("ring has the default versions")
            .with_client_cert_verifier(verifier)
            .with_single_cert(server.chain(), server.key())
            .expect("the key is the certificate's")
    }

    /// What a client presents: its certificate, or none. No ALPN is set.
    pub fn client_config(&self, client: Option<&Identity>) -> ClientConfig {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("ring has the default versions")
            .with_root_certificates(self.roots());
        match client {
            Some(client) => builder
                .with_client_auth_cert(client.chain(), client.key())
                .expect("the key is the certificate's"),
            None => builder.with_no_client_auth(),
        }
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        let own = CertificateDer::from_pem_slice(self.certificate_pem().as_bytes()).expect("just made");
        roots.add(own).expect("the authority's certificate is well formed");
        roots
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::{ClientConnection, ServerConnection, pki_types::ServerName};

    fn client(ca: &DevCa) -> Identity {
        ca.client(
            &"bay-1".parse().expect("a slug"),
            Role::Gateway,
            &"DK-10628334".parse().expect("a controller"),
        )
    }

    /// Both ends in memory, until nothing more is to be said.
    fn handshake(
        server: ServerConfig,
        client: ClientConfig,
        name: &'static str,
    ) -> Result<Vec<u8>, rustls::Error> {
        let name = ServerName::try_from(name).expect("a server name");
        let mut client = ClientConnection::new(Arc::new(client), name)?;
        let mut server = ServerConnection::new(Arc::new(server))?;
        while client.wants_write() || server.wants_write() {
            let mut bytes = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut bytes).expect("memory takes all");
            }
            server.read_tls(&mut bytes.as_slice()).expect("memory gives all");
            server.process_new_packets()?;
            let mut bytes = Vec::new();
            while server.wants_write() {
                server.write_tls(&mut bytes).expect("memory takes all");
            }
            client.read_tls(&mut bytes.as_slice()).expect("memory gives all");
            client.process_new_packets()?;
        }
        Ok(server.peer_certificates().and_then(|chain| chain.first()).expect("was asked for").to_vec())
    }

    #[test]
    fn both_ends_show_a_certificate_and_the_server_sees_name_role_and_controller() {
        let ca = DevCa::new();
        for name in ["localhost", "127.0.0.1", "::1"] {
            let config = ca.client_config(Some(&client(&ca)));
            let shown = handshake(ca.server_config(&ca.server()), config, name).expect("trusted");
            for part in ["bay-1", "gateway", "DK-10628334"] {
                assert!(shown.windows(part.len()).any(|window| window == part.as_bytes()), "{part}");
            }
        }
    }

    #[test]
    fn no_certificate_another_authority_and_another_name_are_refused() {
        let (ca, other) = (DevCa::new(), DevCa::new());
        let server = || ca.server_config(&ca.server());
        assert!(handshake(server(), ca.client_config(None), "localhost").is_err());
        assert!(handshake(server(), ca.client_config(Some(&client(&other))), "localhost").is_err());
        assert!(handshake(server(), other.client_config(Some(&client(&ca))), "localhost").is_err());
        assert!(handshake(server(), ca.client_config(Some(&client(&ca))), "central.example").is_err());
        assert!(handshake(server(), ca.client_config(Some(&ca.server())), "localhost").is_err());
    }
}
