//! A certificate that can be changed under running clients.

use crate::{TlsError, TlsFiles};
use rustls::{SignatureScheme, client::ResolvesClientCert, sign::CertifiedKey};
use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

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
