//! `vernport-gateway enrol`: draws keys, asks central for a certificate with a
//! one-time token, and puts all of it in its place at one moment.
//!
//! What is asked is kept until it is answered: after an interruption, or when the answer was lost, the
//! same command asks the same again, and central answers it again while the token is valid.

pub(crate) mod files;
#[cfg(test)]
mod tests;

use crate::{
    Config,
    config::KeySource,
    secrets::{SecretError, read_key},
};
pub use files::FileError;
use files::{ENROLLING, Gate, Places, RENEWING, is_there, with};
use rcgen::{CertificateParams, KeyPair};
use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};
use thiserror::Error;
use vernport_api::{CertificateAnswer, Code, EnrolmentAnswer, EnrolmentRequest, Token};
use vernport_crypto::{SigningKey, Zeroizing};
use vernport_uplink::{CallError, Config as UplinkConfig, EnrolError};

/// Why a gateway is not enrolled. What was there works as before.
#[derive(Debug, Error)]
pub enum EnrolmentError {
    /// Something is there already.
    #[error("{}: is there already; to take its place, be invited with --replace and enrol with --replace", path.display())]
    There {
        /// Which file.
        path: PathBuf,
    },
    /// Nothing was asked yet, and there is no token to ask with.
    #[error("no token: name its file with --token-file, or write it on standard input")]
    NoToken,
    /// What was asked is of another gateway.
    #[error("{}: was asked for another gateway; remove it, or mend [gateway] in the configuration", path.display())]
    OtherGateway {
        /// The file of the request.
        path: PathBuf,
    },
    /// What was asked cannot be read.
    #[error("{}: is not a request to enrol; remove it and enrol with a token", path.display())]
    Request {
        /// The file of the request.
        path: PathBuf,
    },
    /// A key cannot be drawn or used.
    #[error("a TLS key or certificate request cannot be made")]
    Make(#[from] rcgen::Error),
    /// The device key cannot be used.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A file cannot be changed.
    #[error(transparent)]
    File(#[from] FileError),
    /// Central did not enrol it, or its answer was lost.
    #[error("not enrolled; what was asked is kept, and the same command asks again")]
    Central(#[source] EnrolError),
    /// Central does not take the token: asking again does not help.
    #[error("not enrolled; with the token of a new invitation the same command begins anew")]
    Refused(#[source] EnrolError),
}

/// How to enrol.
#[derive(Debug)]
pub struct Enrolling<'a> {
    /// The gateway's configuration. Of the files that it names, neither certificate nor keys have to be there.
    pub config: &'a Config,
    /// `https://host:port` of central's listener for enrolments.
    pub url: &'a str,
    /// The authority of central's own certificate.
    pub ca: &'a Path,
    /// From the invitation; none: goes on with what was asked before.
    pub token: Option<Token>,
    /// Whether what is there may be replaced.
    pub replace: bool,
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Enrolled {
    /// It was enrolled now.
    Now(Box<EnrolmentAnswer>),
    /// It was enrolled before, and only files had to be moved into their places.
    Before,
}

/// Enrols a gateway.
///
/// # Errors
/// [`EnrolmentError`].
pub async fn enrol(asked: Enrolling<'_>) -> Result<Enrolled, EnrolmentError> {
    let (url, ca) = (UplinkConfig::new(asked.url), asked.ca);
    let ask = async |request: &EnrolmentRequest| vernport_uplink::enrol(&url, ca, request).await;
    enrol_with(asked.config, asked.token, asked.replace, &files::open, ask).await
}

/// Moves a certificate that was accepted into its place, with its keys, where a run was interrupted.
///
/// # Errors
/// [`FileError`].
pub fn finish(config: &Config) -> Result<(), FileError> {
    let places = places(config);
    files::finish(&files::open, &places, RENEWING)?;
    files::finish(&files::open, &places, ENROLLING)?;
    Ok(())
}

/// Where a request is kept that was not answered yet, if there is one.
pub fn unanswered(config: &Config) -> Option<PathBuf> {
    Some(files::request(&config.central.certificate)).filter(|path| path.exists())
}

pub(crate) fn places(config: &Config) -> Places {
    let device = match &config.keys.device {
        KeySource::File(path) => Some(path.clone()),
        KeySource::Credential(_) | KeySource::Memory => None,
    };
    Places { certificate: config.central.certificate.clone(), key: config.central.key.clone(), device }
}

async fn enrol_with(
    config: &Config,
    token: Option<Token>,
    replace: bool,
    gate: Gate<'_>,
    ask: impl AsyncFnOnce(&EnrolmentRequest) -> Result<EnrolmentAnswer, EnrolError>,
) -> Result<Enrolled, EnrolmentError> {
    let places = places(config);
    files::finish(gate, &places, RENEWING)?;
    if files::finish(gate, &places, ENROLLING)? {
        return Ok(Enrolled::Before);
    }
    let asked = asked_before(config, &places)?;
    // Another token: whoever invited again means it.
    let asked = asked.filter(|asked| token.as_ref().is_none_or(|token| asked.token == *token));
    let request = match asked {
        Some(request) => request,
        None => prepare(config, &places, token.ok_or(EnrolmentError::NoToken)?, replace, gate)?,
    };
    let answer = ask(&request).await.map_err(not_enrolled)?;
    files::accept(gate, &places, ENROLLING, &pem(&answer.certificate))?;
    files::finish(gate, &places, ENROLLING)?;
    Ok(Enrolled::Now(Box::new(answer)))
}

fn not_enrolled(error: EnrolError) -> EnrolmentError {
    match &error {
        EnrolError::Call(CallError::Refused(problem)) if problem.code == Code::EnrolmentRefused => {
            EnrolmentError::Refused(error)
        }
        _ => EnrolmentError::Central(error),
    }
}

/// What an earlier run asked, if it was not answered.
fn asked_before(config: &Config, places: &Places) -> Result<Option<EnrolmentRequest>, EnrolmentError> {
    let path = files::request(&places.certificate);
    let text = match fs::read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        read => Zeroizing::new(read.map_err(|source| FileError::Read { path: path.clone(), source })?),
    };
    let unread = || EnrolmentError::Request { path: path.clone() };
    let request: EnrolmentRequest = serde_json::from_slice(&text).map_err(|_| unread())?;
    if request.gateway != config.gateway.name || request.controller != config.gateway.controller {
        return Err(EnrolmentError::OtherGateway { path });
    }
    Ok(Some(request))
}

/// Draws what is needed, and keeps what is going to be asked.
fn prepare(
    config: &Config,
    places: &Places,
    token: Token,
    replace: bool,
    gate: Gate<'_>,
) -> Result<EnrolmentRequest, EnrolmentError> {
    for path in [&places.certificate, &places.key] {
        if !replace && is_there(path)? {
            return Err(EnrolmentError::There { path: path.clone() });
        }
    }
    // What was asked with other keys is not asked again.
    files::remove(gate, &files::request(&places.certificate))?;
    let device = match &places.device {
        Some(path) => {
            files::remove(gate, &with(path, ENROLLING))?;
            if replace || !is_there(path)? {
                let device = SigningKey::generate();
                let mut text = Zeroizing::new([b'\n'; 65]);
                let seed = device.seed();
                hex::encode_to_slice(seed.as_slice(), &mut text[..64]).expect("64 digits for 32 bytes");
                files::write(gate, &with(path, ENROLLING), &text[..])?;
                device
            } else {
                // `vernport keys new gateway` made it, and nobody was enrolled with it yet.
                SigningKey::from_seed(*read_key(path)?)
            }
        }
        None => crate::secrets::device(&config.keys)?,
    };
    let (key, csr) = draw()?;
    files::write(gate, &with(&places.key, ENROLLING), key.as_bytes())?;
    let (controller, gateway) = (config.gateway.controller.clone(), config.gateway.name.clone());
    let request = EnrolmentRequest::sign(controller, gateway, token, csr, &device);
    let text = Zeroizing::new(serde_json::to_vec(&request).expect("ids, keys and texts are plain data"));
    files::write(gate, &files::request(&places.certificate), &text)?;
    Ok(request)
}

/// A TLS key (PEM) and a certificate request for it (DER).
pub(crate) fn draw() -> Result<(Zeroizing<String>, Vec<u8>), rcgen::Error> {
    let key = KeyPair::generate()?;
    let csr = request_for(&key)?;
    Ok((Zeroizing::new(key.serialize_pem()), csr))
}

/// A certificate request for a key (PEM) that was drawn before.
pub(crate) fn request_again(key: &str) -> Result<Vec<u8>, rcgen::Error> {
    request_for(&KeyPair::from_pem(key)?)
}

fn request_for(key: &KeyPair) -> Result<Vec<u8>, rcgen::Error> {
    Ok(CertificateParams::default().serialize_request(key)?.der().to_vec())
}

/// A chain as text (RFC 7468).
pub(crate) fn pem(certificate: &CertificateAnswer) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let mut text = String::new();
    for der in &certificate.chain {
        text += "-----BEGIN CERTIFICATE-----\n";
        let encoded = STANDARD.encode(&der.0);
        for line in encoded.as_bytes().chunks(64) {
            text += std::str::from_utf8(line).expect("base64 is ASCII");
            text.push('\n');
        }
        text += "-----END CERTIFICATE-----\n";
    }
    text
}
