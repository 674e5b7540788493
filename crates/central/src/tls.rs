//! Mutual TLS: who may connect, and in which role.
//!
//! The subject of a client certificate says who its holder is: common name =
//! name, organisational unit = role, organisation = controller id; of a processor, which
//! records for several controllers, its own organisation number. What the
//! authority signed is believed; a certificate that says anything else, or
//! says one of them twice, is refused at the handshake's end.

use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, UnixTime},
    server::WebPkiClientVerifier,
    time_provider::TimeProvider,
    version::TLS13,
};
use std::{str::FromStr, sync::Arc, time::Duration};
use thiserror::Error;
use vernport_types::{Clock, ControllerId, Slug};
use x509_parser::prelude::{AttributeTypeAndValue, FromDer, X509Certificate, X509Name};

/// Why there is no TLS configuration.
#[derive(Debug, Error)]
pub enum TlsError {
    /// The authority's certificate is none.
    #[error("the client authority is not a certificate that can sign others")]
    Authority(#[source] rustls::Error),
    /// The verifier cannot be built.
    #[error("the client authority gives no verifier")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
    /// Certificate and key of the server do not fit.
    #[error("certificate and key of the server do not fit together")]
    Server(#[source] rustls::Error),
}

/// What a client may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Delivers batches and follows the feed.
    Gateway,
    /// Records what people and firms said, looks up assets.
    Registrar,
    /// Reads what is sealed to it.
    Recipient,
    /// Records for controllers that agreed to that; its organisation is its own.
    Processor,
}

impl Role {
    /// The organisational unit that says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Registrar => "registrar",
            Self::Recipient => "recipient",
            Self::Processor => "processor",
        }
    }
}

impl FromStr for Role {
    type Err = PeerError;

    fn from_str(text: &str) -> Result<Self, PeerError> {
        let known = [Self::Gateway, Self::Registrar, Self::Recipient, Self::Processor];
        known.into_iter().find(|role| role.as_str() == text).ok_or(PeerError::Subject("organisational unit"))
    }
}

/// Who is at the other end of a connection, by its certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Common name.
    pub name: Slug,
    /// Organisational unit.
    pub role: Role,
    /// Organisation: the controller; of a processor, itself.
    pub controller: ControllerId,
}

/// Why a certificate names nobody.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PeerError {
    /// There is none, or it cannot be read.
    #[error("the client certificate cannot be read")]
    Unreadable,
    /// A part of its subject is missing, there twice, or not of the expected form.
    #[error(
        "the client certificate needs one {0}: CN = name, OU = gateway, registrar, recipient or processor, O = organisation number"
    )]
    Subject(&'static str),
}

/// The server's side: TLS 1.3, HTTP/2, a certificate of the client authority required.
///
/// # Errors
/// [`TlsError`].
pub fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    client_authority: CertificateDer<'static>,
) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(client_authority).map_err(TlsError::Authority)?;
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build()?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(TlsError::Server)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(TlsError::Server)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    // A session that is resumed would show a certificate without having it checked again.
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// The server's side for gateways that have no certificate yet: TLS 1.3, HTTP/2.
///
/// # Errors
/// [`TlsError::Server`].
pub fn enrolment_server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, TlsError> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .map_err(TlsError::Server)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(TlsError::Server)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// Has certificates of clients begin and end by central's clock.
pub(crate) fn by_the_clock(mut config: ServerConfig, clock: &Arc<dyn Clock>) -> ServerConfig {
    config.time_provider = Arc::new(Wall(Arc::clone(clock)));
    config
}

struct Wall(Arc<dyn Clock>);

impl std::fmt::Debug for Wall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wall")
    }
}

impl TimeProvider for Wall {
    fn current_time(&self) -> Option<UnixTime> {
        let micros = u64::try_from(self.0.now().wall.0).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_micros(micros)))
    }
}

impl Peer {
    /// Reads who the holder of a verified certificate is.
    ///
    /// # Errors
    /// [`PeerError`].
    pub fn from_certificate(certificate: &[u8]) -> Result<Self, PeerError> {
        let (_, certificate) = X509Certificate::from_der(certificate).map_err(|_| PeerError::Unreadable)?;
        let subject = certificate.subject();
        Ok(Self {
            name: only(subject, X509Name::iter_common_name, "common name")?,
            role: only(subject, X509Name::iter_organizational_unit, "organisational unit")?,
            controller: only(subject, X509Name::iter_organization, "organisation")?,
        })
    }
}

fn only<'a, T: FromStr, I: Iterator<Item = &'a AttributeTypeAndValue<'a>>>(
    subject: &'a X509Name<'a>,
    attributes: impl Fn(&'a X509Name<'a>) -> I,
    part: &'static str,
) -> Result<T, PeerError> {
    let mut attributes = attributes(subject);
    let (Some(attribute), None) = (attributes.next(), attributes.next()) else {
        return Err(PeerError::Subject(part));
    };
    let text = attribute.as_str().map_err(|_| PeerError::Subject(part))?;
    text.parse().map_err(|_| PeerError::Subject(part))
}
