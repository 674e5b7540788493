//! The envelope as it arrives: parsed, verified, opened, taken apart and put
//! together again.

use crate::{Body, EnvelopeHeader, header::wrap_info, reader::Reader};
use std::{fmt, ops::Range};
use thiserror::Error;
use vernport_crypto::{OpeningKey, Signature, TAG_BYTES, VerifyError, VerifyingKey, Wrap, Zeroizing, sha256};
use vernport_types::KeyId;

/// The longest envelope.
pub const MAX_ENVELOPE_BYTES: usize = 1 << 20;
/// The most wraps of one envelope: 15 recipients and the recovery key.
pub const MAX_WRAPS: usize = 16;
/// The fewest: one recipient and the recovery key.
const MIN_WRAPS: usize = 2;
const WRAP_BYTES: usize = 16 + 32 + 48;
const TRAILER_BYTES: usize = 32 + 32 + 64;

/// Why bytes are no envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EnvelopeError {
    /// Over [`MAX_ENVELOPE_BYTES`].
    #[error("{bytes} bytes are too long for an envelope of at most {MAX_ENVELOPE_BYTES}")]
    TooLong {
        /// How many there are.
        bytes: usize,
    },
    /// It ends early.
    #[error("the envelope ends within its {what}")]
    Truncated {
        /// Which part is missing.
        what: &'static str,
    },
    /// It begins otherwise.
    #[error("these bytes do not begin as an envelope")]
    NotAnEnvelope,
    /// A version that this program does not read.
    #[error("envelope version {version} is not known here; this program reads version 1")]
    Version {
        /// Which one.
        version: u8,
    },
    /// A part that holds what it may not.
    #[error("the envelope's {what} is not valid")]
    Field {
        /// Which part.
        what: &'static str,
    },
    /// A part that differs from its hash in the trailer.
    #[error("the envelope's {what} differs from its hash in the trailer; it was changed or damaged")]
    Hash {
        /// Which part.
        what: &'static str,
    },
    /// More bytes than the envelope has.
    #[error("{bytes} bytes follow the end of the envelope")]
    Trailing {
        /// How many.
        bytes: usize,
    },
}

/// Wraps that are not those of this envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("these wraps are not the ones that the envelope was signed with")]
pub struct WrapsError;

/// Why an envelope does not open.
#[derive(Debug, Error)]
pub enum OpenError {
    /// No wrap is for this key.
    #[error("the envelope is not sealed to key {key}; another recipient's or purpose's key opens it")]
    NotForThisKey {
        /// The key that was tried.
        key: KeyId,
    },
    /// The wraps were taken out (or erased).
    #[error("the envelope carries no wrapped keys; ask central for it with its wraps")]
    NoWraps,
    /// The wrap does not open.
    #[error("the wrapped data key does not open")]
    Wrap(#[source] vernport_crypto::OpenError),
    /// The body does not open.
    #[error("the sealed body does not open")]
    Sealed(#[source] vernport_crypto::OpenError),
    /// The body opened, and is none.
    #[error("the sealed body is not a batch of version 1")]
    Body,
}

/// An envelope v1 whose structure and hashes are in order.
///
/// Bytes (numbers high byte first):
///
/// | Bytes | What |
/// |---|---|
/// | h | header, see [`EnvelopeHeader`] |
/// | 4 | length b of the sealed body |
/// | b | sealed body: AES-256-GCM of [`Body`] under the epoch's data key, nonce four zero bytes and the sequence, additional data the header; with its tag of 16 bytes |
/// | 1 | number w of wraps: 2 to 16, or 0 where they were taken out |
/// | 96 w | wraps: recipient-key id (16), `enc` (32), sealed data key (48); RFC 9180 base mode, X25519, HKDF-SHA256, AES-256-GCM |
/// | 32 | SHA-256 of the sealed body |
/// | 32 | SHA-256 of the wraps with their number before them, as they were when signed |
/// | 64 | Ed25519 of the gateway's device key over header and both hashes |
///
/// `info` of a wrap: `"vernport wrap"`, a zero byte, the version, controller and
/// flow with a length byte each, key epoch, recipient-key id.
#[derive(Clone, PartialEq, Eq)]
pub struct ReceivedEnvelope {
    bytes: Vec<u8>,
    header: EnvelopeHeader,
    header_bytes: usize,
    body: Range<usize>,
    wraps: Vec<Wrap>,
}

impl fmt::Debug for ReceivedEnvelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceivedEnvelope")
            .field("header", &self.header)
            .field("bytes", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

impl ReceivedEnvelope {
    /// Reads an envelope, with or without its wraps, and checks its hashes.
    ///
    /// # Errors
    /// [`EnvelopeError`] says which part is at fault.
    pub fn parse(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        if bytes.len() > MAX_ENVELOPE_BYTES {
            return Err(EnvelopeError::TooLong { bytes: bytes.len() });
        }
        let mut reader = Reader::new(bytes);
        let header = EnvelopeHeader::read(&mut reader)?;
        let header_bytes = bytes.len() - reader.left();
        let body_bytes = u32::from_be_bytes(reader.array("body length")?);
        let body_bytes = usize::try_from(body_bytes).unwrap_or(usize::MAX);
        if body_bytes < TAG_BYTES {
            return Err(EnvelopeError::Field { what: "body length" });
        }
        let body = reader.bytes("sealed body", body_bytes)?;
        let body_start = header_bytes + 4;
        let wraps_start = bytes.len() - reader.left();
        let wraps = read_wraps(&mut reader)?;
        let wraps_end = bytes.len() - reader.left();
        let body_hash: [u8; 32] = reader.array("body hash")?;
        let wraps_hash: [u8; 32] = reader.array("wraps hash")?;
        let _signature: [u8; 64] = reader.array("signature")?;
        if reader.left() > 0 {
            return Err(EnvelopeError::Trailing { bytes: reader.left() });
        }
        if sha256(body) != body_hash {
            return Err(EnvelopeError::Hash { what: "sealed body" });
        }
        if !wraps.is_empty() && sha256(&bytes[wraps_start..wraps_end]) != wraps_hash {
            return Err(EnvelopeError::Hash { what: "list of wraps" });
        }
        Ok(Self {
            bytes: bytes.to_vec(),
            header,
            header_bytes,
            body: body_start..body_start + body_bytes,
            wraps,
        })
    }

    /// The clear header. Trustworthy after [`Self::verify`] only.
    pub fn header(&self) -> &EnvelopeHeader {
        &self.header
    }

    /// The whole envelope.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// SHA-256 of the sealed body: tells two batches of one id apart.
    pub fn body_hash(&self) -> [u8; 32] {
        self.trailer()[..32].try_into().expect("32 of 128 bytes")
    }

    /// Checks that the gateway of this device key sealed it.
    ///
    /// # Errors
    /// [`VerifyError`] if header, hashes or signer differ.
    pub fn verify(&self, gateway: &VerifyingKey) -> Result<(), VerifyError> {
        let signature = self.trailer()[64..].try_into().expect("64 of 128 bytes");
        let signed = [&self.bytes[..self.header_bytes], &self.trailer()[..64]].concat();
        gateway.verify(&signed, &Signature::from_bytes(signature))
    }

    /// Opens the body with a recipient's key.
    ///
    /// Says nothing about who sealed it: that is [`Self::verify`].
    ///
    /// # Errors
    /// [`OpenError`] if it is not for this key, was changed, or has lost its wraps.
    pub fn open(&self, key: &OpeningKey) -> Result<Body, OpenError> {
        if self.wraps.is_empty() {
            return Err(OpenError::NoWraps);
        }
        let key_id = key.wrapping_key().key_id();
        let wrap = self.wraps.iter().find(|wrap| wrap.key_id == key_id);
        let wrap = wrap.ok_or(OpenError::NotForThisKey { key: key_id })?;
        let EnvelopeHeader { controller, flow, epoch, sequence, .. } = &self.header;
        let info = wrap_info(controller, flow, epoch, &key_id);
        let data_key = key.unwrap(wrap, &info).map_err(OpenError::Wrap)?;
        let header = &self.bytes[..self.header_bytes];
        let sealed = self.bytes[self.body.clone()].to_vec();
        let plain = Zeroizing::new(data_key.open(*sequence, header, sealed).map_err(OpenError::Sealed)?);
        Body::from_bytes(&plain).ok_or(OpenError::Body)
    }

    /// The keys that it is sealed to; none where the wraps were taken out.
    pub fn recipients(&self) -> impl Iterator<Item = KeyId> {
        self.wraps.iter().map(|wrap| wrap.key_id)
    }

    /// The wraps with their number, for the erasure key to seal.
    pub fn wraps_bytes(&self) -> &[u8] {
        &self.bytes[self.body.end..self.bytes.len() - TRAILER_BYTES]
    }

    /// The envelope with its wraps taken out; it still verifies, and opens for nobody.
    #[must_use]
    pub fn without_wraps(&self) -> Self {
        let bytes = [&self.bytes[..self.body.end], &[0], self.trailer()].concat();
        Self { bytes, wraps: Vec::new(), header: self.header.clone(), body: self.body.clone(), ..*self }
    }

    /// The envelope with the wraps that [`Self::wraps_bytes`] gave put back.
    ///
    /// # Errors
    /// [`WrapsError`] if they are not the ones it was signed with.
    pub fn with_wraps(&self, wraps: &[u8]) -> Result<Self, WrapsError> {
        let mut reader = Reader::new(wraps);
        let read = read_wraps(&mut reader).map_err(|_| WrapsError)?;
        if reader.left() > 0 || sha256(wraps) != self.trailer()[32..64] {
            return Err(WrapsError);
        }
        let bytes = [&self.bytes[..self.body.end], wraps, self.trailer()].concat();
        Ok(Self { bytes, wraps: read, header: self.header.clone(), body: self.body.clone(), ..*self })
    }

    #[cfg(test)]
    pub(crate) fn first_wrap(&self) -> Wrap {
        self.wraps[0]
    }

    fn trailer(&self) -> &[u8] {
        &self.bytes[self.bytes.len() - TRAILER_BYTES..]
    }
}

/// Puts an envelope together and signs it.
pub(crate) fn assemble(
    header: &[u8],
    sealed_body: &[u8],
    wraps: &[u8],
    signer: &vernport_crypto::SigningKey,
) -> Vec<u8> {
    let hashes = [sha256(sealed_body), sha256(wraps)].concat();
    let signature = signer.sign(&[header, &hashes].concat());
    let body_bytes = u32::try_from(sealed_body.len()).expect("a body is below MAX_ENVELOPE_BYTES");
    [header, &body_bytes.to_be_bytes(), sealed_body, wraps, &hashes, signature.as_bytes()].concat()
}

/// How long an envelope of these parts is.
pub(crate) fn envelope_bytes(header: usize, sealed_body: usize, wraps: usize) -> usize {
    header + 4 + sealed_body + wraps + TRAILER_BYTES
}

/// The list of wraps with its number.
pub(crate) fn write_wraps(wraps: &[Wrap]) -> Vec<u8> {
    let mut bytes = vec![u8::try_from(wraps.len()).expect("at most MAX_WRAPS")];
    for wrap in wraps {
        bytes.extend_from_slice(wrap.key_id.as_bytes());
        bytes.extend_from_slice(&wrap.enc);
        bytes.extend_from_slice(&wrap.ciphertext);
    }
    bytes
}

fn read_wraps(reader: &mut Reader<'_>) -> Result<Vec<Wrap>, EnvelopeError> {
    let count = usize::from(reader.byte("number of wraps")?);
    if count != 0 && !(MIN_WRAPS..=MAX_WRAPS).contains(&count) {
        return Err(EnvelopeError::Field { what: "number of wraps" });
    }
    let mut wraps = Reader::new(reader.bytes("list of wraps", count * WRAP_BYTES)?);
    (0..count)
        .map(|_| {
            Ok(Wrap {
                key_id: KeyId::from_bytes(wraps.array("list of wraps")?),
                enc: wraps.array("list of wraps")?,
                ciphertext: wraps.array("list of wraps")?,
            })
        })
        .collect()
}
