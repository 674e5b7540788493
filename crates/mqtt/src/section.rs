//! A broker as the configurations of both daemons write it.

use crate::{Endpoint, UrlError};
use std::{
    fs::File,
    io::Read as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};
use thiserror::Error;
use zeroize::Zeroizing;

/// The longest file of a password, in bytes.
const MAX_PASSWORD_BYTES: usize = 4096;

/// A broker's section of a configuration.
#[derive(Debug, Clone, Copy)]
pub struct Section<'a> {
    /// `mqtts://host:port`, or `mqtt://host:port` on this machine.
    pub url: &'a str,
    /// Certificate authority of the broker; for `mqtts`.
    pub ca: Option<&'a Path>,
    /// Client certificate.
    pub certificate: Option<&'a Path>,
    /// Its private key.
    pub key: Option<&'a Path>,
    /// User name, where the broker asks for one.
    pub user: Option<&'a str>,
    /// File with the password.
    pub password_file: Option<&'a Path>,
}

/// Why a section cannot be used, and how to mend it.
#[derive(Debug, Error)]
pub enum SectionError {
    /// Some of the files for TLS.
    #[error("ca, certificate and key belong together: write all three or none")]
    HalfTls,
    /// A user without a password, or the reverse.
    #[error("user and password_file belong together: write both or none")]
    HalfLogin,
    /// The address of the broker is none.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The file of the password cannot be read.
    #[error("{}: cannot be read; check the path and its owner", file.display())]
    Read {
        /// Which file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Everybody may read the password.
    #[error("{}: everybody can read it; run `chmod 600` on it", file.display())]
    Open {
        /// Which file.
        file: PathBuf,
    },
    /// Far more than a password.
    #[error("{}: longer than {MAX_PASSWORD_BYTES} bytes; is it the right file?", file.display())]
    TooLong {
        /// Which file.
        file: PathBuf,
    },
}

impl<'a> Section<'a> {
    /// Authority, certificate and key for TLS; none if the section has none.
    ///
    /// # Errors
    /// [`SectionError::HalfTls`].
    pub fn tls(&self) -> Result<Option<[&'a Path; 3]>, SectionError> {
        match (self.ca, self.certificate, self.key) {
            (Some(ca), Some(certificate), Some(key)) => Ok(Some([ca, certificate, key])),
            (None, None, None) => Ok(None),
            _ => Err(SectionError::HalfTls),
        }
    }

    /// The broker, for a client of this id; `tls` is made of the files of [`tls`](Self::tls).
    ///
    /// # Errors
    /// [`SectionError`].
    pub fn endpoint(
        &self,
        client_id: &str,
        tls: Option<Arc<rustls::ClientConfig>>,
    ) -> Result<Endpoint, SectionError> {
        let endpoint = Endpoint::from_url(self.url, client_id, tls)?;
        match (self.user, self.password_file) {
            (None, None) => Ok(endpoint),
            (Some(user), Some(file)) => Ok(endpoint.with_login(user, password(file)?)),
            _ => Err(SectionError::HalfLogin),
        }
    }
}

/// Reads a password. The group may read its file: systemd lets a service in by an access list, whose mask
/// shows as the group's mode.
fn password(path: &Path) -> Result<Zeroizing<String>, SectionError> {
    let broken = |source| SectionError::Read { file: path.into(), source };
    let file = File::open(path).map_err(broken)?;
    if file.metadata().map_err(broken)?.permissions().mode() & 0o007 != 0 {
        return Err(SectionError::Open { file: path.into() });
    }
    // Not grown: what was read would stay behind.
    let mut text = Zeroizing::new(String::with_capacity(MAX_PASSWORD_BYTES + 1));
    let read = file.take(MAX_PASSWORD_BYTES as u64 + 1).read_to_string(&mut text).map_err(broken)?;
    if read > MAX_PASSWORD_BYTES {
        return Err(SectionError::TooLong { file: path.into() });
    }
    Ok(Zeroizing::new(text.trim_end().to_owned()))
}
