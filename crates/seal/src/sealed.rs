//! The type that says "this is sealed": what the spool, the uplink and the
//! publisher accept, and all that they accept.

use crate::{EnvelopeError, EnvelopeHeader, ReceivedEnvelope, reader::Reader, topic::is_storage_row};
use std::{fmt, marker::PhantomData};
use thiserror::Error;

/// Marks what recipients open: an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recipient {}

/// Marks what the gateway's own storage key opens: a message for a fleet topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {}

/// Sealed bytes. Only this crate makes them.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed<Kind> {
    bytes: Vec<u8>,
    kind: PhantomData<fn() -> Kind>,
}

impl<Kind> fmt::Debug for Sealed<Kind> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.bytes.len())
    }
}

impl<Kind> Sealed<Kind> {
    /// INVARIANT: every caller has just sealed these bytes, or has just checked that they look so.
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, kind: PhantomData }
    }

    /// The sealed bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The sealed bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl Sealed<Recipient> {
    /// The clear header of the envelope.
    pub fn header(&self) -> EnvelopeHeader {
        EnvelopeHeader::read(&mut Reader::new(&self.bytes)).expect("checked when it was made")
    }
}

/// Why a stored row is nothing sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ReloadError {
    /// No envelope.
    #[error("the stored row is no envelope")]
    Envelope(#[from] EnvelopeError),
    /// An envelope that nobody can open.
    #[error("the stored envelope has lost its wraps")]
    NoWraps,
    /// Not sealed for storage.
    #[error("the stored row is no sealed message of this version")]
    Storage,
}

/// Turns a row of the spool back into an envelope, whose structure and hashes it checks.
///
/// # Errors
/// [`ReloadError`] if the bytes are no whole envelope.
pub fn reload_recipient(bytes: Vec<u8>) -> Result<Sealed<Recipient>, ReloadError> {
    if ReceivedEnvelope::parse(&bytes)?.recipients().next().is_none() {
        return Err(ReloadError::NoWraps);
    }
    Ok(Sealed::new(bytes))
}

/// Turns a row of the spool back into a message sealed for storage, of which
/// only the beginning can be checked without the key.
///
/// # Errors
/// [`ReloadError::Storage`] if the bytes do not look so.
pub fn reload_storage(bytes: Vec<u8>) -> Result<Sealed<Storage>, ReloadError> {
    if is_storage_row(&bytes) { Ok(Sealed::new(bytes)) } else { Err(ReloadError::Storage) }
}
