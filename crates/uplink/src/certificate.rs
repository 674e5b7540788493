//! When a certificate begins and ends, and one that can be changed under running clients.

use crate::{TlsError, TlsFiles};
use rustls::{
    SignatureScheme,
    client::ResolvesClientCert,
    pki_types::{CertificateDer, pem::PemObject as _},
    sign::CertifiedKey,
};
use std::{
    fmt,
    path::Path,
    sync::{Arc, PoisonError, RwLock},
};
use thiserror::Error;
use vernport_types::UtcMicros;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// The first and the last moment of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// Before this it does not count.
    pub not_before: UtcMicros,
    /// After this it does not count.
    pub not_after: UtcMicros,
}

/// Not a certificate that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a certificate that can be read")]
pub struct CertificateError;

impl Validity {
    /// Of a certificate in DER.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn of(certificate: &[u8]) -> Result<Self, CertificateError> {
        let (_, certificate) = X509Certificate::from_der(certificate).map_err(|_| CertificateError)?;
        let micros = |seconds: i64| seconds.checked_mul(1_000_000).map(UtcMicros).ok_or(CertificateError);
        let validity = certificate.validity();
        Ok(Self {
            not_before: micros(validity.not_before.timestamp())?,
            not_after: micros(validity.not_after.timestamp())?,
        })
    }

    /// Of the first certificate in a PEM file.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn of_file(path: &Path) -> Result<Self, TlsError> {
        let read = |source| TlsError::Read { path: path.into(), source };
        let bytes = std::fs::read(path).map_err(read)?;
        let first = CertificateDer::from_pem_slice(&bytes);
        let first = first.map_err(|source| TlsError::Pem { path: path.into(), source })?;
        Self::of(&first).map_err(|_| TlsError::NoCertificate { path: path.into() })
    }
}

/// The certificate and key that clients made [with it](TlsFiles::client_with) show. Clones share it.
#[derive(Clone)]
pub struct Held(Arc<RwLock<Arc<CertifiedKey>>>);

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Held(<redacted>)")
    }
}

impl Held {
    /// Those in the files.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn of(files: &TlsFiles) -> Result<Self, TlsError> {
        Ok(Self(Arc::new(RwLock::new(Arc::new(files.pair()?)))))
    }

    /// Takes what is in the files now: connections that are made from here on show it.
    ///
    /// # Errors
    /// [`TlsError`]; then it is the one before.
    pub fn take(&self, files: &TlsFiles) -> Result<(), TlsError> {
        let pair = Arc::new(files.pair()?);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = pair;
        Ok(())
    }
}

impl ResolvesClientCert for Held {
    fn resolve(&self, _roots: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let held = Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner));
        held.key.choose_scheme(schemes).is_some().then_some(held)
    }

    fn has_certs(&self) -> bool {
        true
    }
}
