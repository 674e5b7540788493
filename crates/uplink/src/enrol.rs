//! The one call of a gateway that has no certificate yet.

use crate::{CallError, Config, SetupError, TlsError, http::Http, tls::roots};
use rustls::{ClientConfig, crypto::ring, version::TLS13};
use std::{path::Path, sync::Arc, time::Duration};
use thiserror::Error;
use vernport_api::{EnrolmentAnswer, EnrolmentRequest, PATH_ENROLMENTS};

/// The longest answer, in bytes.
const MAX_ANSWER_BYTES: usize = 64 << 10;

/// Why a gateway was not enrolled.
#[derive(Debug, Error)]
pub enum EnrolError {
    /// The file of central's authority cannot be used.
    #[error(transparent)]
    Authority(#[from] TlsError),
    /// The address is none.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The call failed. The same request may be sent again: it is answered once more, or it was not heard.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// Asks to be enrolled, at central's listener for that alone; trusts the authority in `ca` only.
///
/// # Errors
/// [`EnrolError`].
pub async fn enrol(
    config: &Config,
    ca: &Path,
    request: &EnrolmentRequest,
) -> Result<EnrolmentAnswer, EnrolError> {
    let trusted = roots(ca)?;
    let authority = |source| TlsError::Authority { path: ca.into(), source };
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .map_err(authority)?
        .with_root_certificates(trusted)
        .with_no_client_auth();
    let http = Http::new(config, tls)?;
    Ok(http.post(PATH_ENROLMENTS, request, Duration::ZERO, MAX_ANSWER_BYTES).await?)
}
