//! From PEM files to a TLS client: our certificate and key, and whom we trust.
//!
//! TLS 1.3 with ring; only the given authority is trusted, not those of the system.

use crate::Held;
use rustls::{
    ClientConfig, RootCertStore,
    client::Resumption,
    crypto::ring,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject as _},
    },
    sign::CertifiedKey,
    version::TLS13,
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use thiserror::Error;
use vernport_crypto::Zeroizing;

/// The three files of a TLS client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificates of the authority that central's certificate was issued by.
    pub ca: PathBuf,
    /// Our certificate, then those between it and the authority.
    pub certificate: PathBuf,
    /// The private key of our certificate.
    pub key: PathBuf,
}

/// Why the files are not enough for a TLS client.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {path}: check that it exists and that this user may read it")]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not PEM.
    #[error("{path} is not a PEM file: expected lines between -----BEGIN … and -----END …")]
    Pem {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: pem::Error,
    },
    /// A file has no certificate.
    #[error("{path} holds no certificate: expected -----BEGIN CERTIFICATE-----")]
    NoCertificate {
        /// Which file.
        path: PathBuf,
    },
    /// A file has no private key.
    #[error("{path} holds no private key: expected -----BEGIN PRIVATE KEY-----")]
    NoKey {
        /// Which file.
        path: PathBuf,
    },
    /// An authority's certificate cannot be used.
    #[error("a certificate in {path} cannot serve as an authority")]
    Authority {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: rustls::Error,
    },
    /// Certificate and key cannot be used together.
    #[error(
        "the key {key} does not belong to the certificate {certificate}, or is of a kind that is not supported"
    )]
    Pair {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// What is wrong.
        source: rustls::Error,
    },
}

impl TlsFiles {
    /// Reads the files and checks that they fit together.
    ///
    /// # Errors
    /// [`TlsError`] names the file and what is wrong with it.
    pub fn client(&self) -> Result<ClientConfig, TlsError> {
        self.client_with(&Held::of(self)?)
    }

    /// The same with a certificate that can be changed later.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn client_with(&self, held: &Held) -> Result<ClientConfig, TlsError> {
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&TLS13])
            .map_err(|source| self.unfit(source))?
            .with_root_certificates(roots(&self.ca)?)
            .with_client_cert_resolver(Arc::new(held.clone()));
        // A session that is resumed would show the certificate before.
        config.resumption = Resumption::disabled();
        Ok(config)
    }

    /// Our certificate and its key, which fit together.
    pub(crate) fn pair(&self) -> Result<CertifiedKey, TlsError> {
        let (chain, key) = (certificates(&self.certificate)?, key(&self.key)?);
        CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|source| self.unfit(source))
    }

    fn unfit(&self, source: rustls::Error) -> TlsError {
        TlsError::Pair { certificate: self.certificate.clone(), key: self.key.clone(), source }
    }
}

/// The authorities in a file.
pub(crate) fn roots(ca: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(ca)? {
        roots.add(certificate).map_err(|source| TlsError::Authority { path: ca.into(), source })?;
    }
    Ok(roots)
}

pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bytes = read(path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let chain = chain.map_err(|source| TlsError::Pem { path: path.into(), source })?;
    if chain.is_empty() { Err(TlsError::NoCertificate { path: path.into() }) } else { Ok(chain) }
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(&read(path)?).map_err(|source| match source {
        pem::Error::NoItemsFound => TlsError::NoKey { path: path.into() },
        source => TlsError::Pem { path: path.into(), source },
    })
}

/// One of them is a key, so all are wiped.
fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    std::fs::read(path).map(Zeroizing::new).map_err(|source| TlsError::Read { path: path.into(), source })
}
