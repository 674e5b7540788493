//! Certificate requests, as gateways send them: what one has to be. The public key counts alone;
//! the subject and the extensions of the certificate are central's.

use crate::MAX_CSR_BYTES;
use thiserror::Error;
use vernport_crypto::sha256;
use x509_parser::{
    certification_request::X509CertificationRequest,
    cri_attributes::ParsedCriAttribute,
    extensions::ParsedExtension,
    oid_registry::{OID_SIG_ECDSA_WITH_SHA256, OID_SIG_ECDSA_WITH_SHA384, OID_SIG_ED25519, Oid},
    prelude::FromDer as _,
};

/// Why a certificate request is refused. Repeats nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RequestError {
    /// It is longer than any that is needed.
    #[error("send at most {MAX_CSR_BYTES} bytes")]
    TooLong,
    /// It is not PKCS #10.
    #[error("send PKCS #10 (RFC 2986) in DER, and nothing behind it")]
    Form,
    /// It is not signed by the key in it.
    #[error("sign it with the key that it is for")]
    Signature,
    /// The key is of a kind that is not taken.
    #[error("make a key on P-256 or P-384, or an Ed25519 key")]
    Key,
    /// It asks for a certificate that may sign others.
    #[error("ask for a client's certificate, not for that of an authority")]
    Authority,
}

/// A kind of key that is taken, as it has to be written: so one key has one form, and one hash.
struct Kind {
    /// What stands before the point in SubjectPublicKeyInfo, DER.
    before: &'static [u8],
    /// How long the point is, in bytes.
    point_bytes: usize,
    /// With what such a key signs a request.
    signs: &'static [Oid<'static>],
}

/// Ed25519 (RFC 8410, sections 3 and 4); P-256 and P-384, the curve by its name and the point
/// uncompressed (RFC 5480, sections 2.1 and 2.2).
const KINDS: [Kind; 3] = [
    Kind { before: b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00", point_bytes: 32, signs: &[OID_SIG_ED25519] },
    Kind {
        before: b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00\x04",
        point_bytes: 64,
        signs: &[OID_SIG_ECDSA_WITH_SHA256, OID_SIG_ECDSA_WITH_SHA384],
    },
    Kind {
        before: b"\x30\x76\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22\x03\x62\x00\x04",
        point_bytes: 96,
        signs: &[OID_SIG_ECDSA_WITH_SHA256, OID_SIG_ECDSA_WITH_SHA384],
    },
];

/// The key of a certificate request that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestedKey {
    info: Vec<u8>,
    /// SHA-256 of [`info`](Self::info).
    pub hash: [u8; 32],
}

impl RequestedKey {
    /// Checks a certificate request (DER).
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn of(csr: &[u8]) -> Result<Self, RequestError> {
        if csr.len() > MAX_CSR_BYTES {
            return Err(RequestError::TooLong);
        }
        let (rest, request) = X509CertificationRequest::from_der(csr).map_err(|_| RequestError::Form)?;
        if !rest.is_empty() {
            return Err(RequestError::Form);
        }
        let info = request.certification_request_info.subject_pki.raw;
        let kind = KINDS.iter().find(|kind| kind.is_of(info)).ok_or(RequestError::Key)?;
        if !kind.signs.contains(&request.signature_algorithm.algorithm) {
            return Err(RequestError::Signature);
        }
        request.verify_signature().map_err(|_| RequestError::Signature)?;
        if asks_to_sign(&request) {
            return Err(RequestError::Authority);
        }
        Ok(Self { info: info.to_vec(), hash: sha256(info) })
    }

    /// The key as SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7), DER.
    pub fn info(&self) -> &[u8] {
        &self.info
    }
}

impl Kind {
    fn is_of(&self, info: &[u8]) -> bool {
        info.strip_prefix(self.before).is_some_and(|point| point.len() == self.point_bytes)
    }
}

fn asks_to_sign(request: &X509CertificationRequest<'_>) -> bool {
    request.certification_request_info.iter_attributes().any(|attribute| {
        let ParsedCriAttribute::ExtensionRequest(asked) = attribute.parsed_attribute() else { return false };
        asked.extensions.iter().any(|extension| match extension.parsed_extension() {
            ParsedExtension::BasicConstraints(constraints) => constraints.ca,
            ParsedExtension::KeyUsage(usage) => usage.key_cert_sign() || usage.crl_sign(),
            _ => false,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, PublicKeyData as _};
    use vernport_crypto::SigningKey;

    fn der(tag: u8, content: &[u8]) -> Vec<u8> {
        let short = u8::try_from(content.len()).expect("short");
        let length = if short < 0x80 { vec![short] } else { vec![0x81, short] };
        [&[tag][..], &length, content].concat()
    }

    /// A request for a key, signed with an Ed25519 key.
    fn signed(info: &[u8], key: &SigningKey) -> Vec<u8> {
        let asked = der(0x30, &[b"\x02\x01\x00\x30\x00", info, b"\xa0\x00"].concat());
        let signature = der(0x03, &[b"\0", &key.sign(&asked).as_bytes()[..]].concat());
        der(0x30, &[&asked[..], b"\x30\x05\x06\x03\x2b\x65\x70", &signature].concat())
    }

    #[test]
    fn keys_of_three_kinds_are_taken_as_they_are_written() {
        for algorithm in
            [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519]
        {
            let key = KeyPair::generate_for(algorithm).expect("random bytes");
            let request = CertificateParams::default().serialize_request(&key).expect("a request");
            let taken = RequestedKey::of(request.der()).expect("a sound request");
            assert_eq!(taken.info(), key.subject_public_key_info());
            assert_eq!(taken.hash, sha256(taken.info()));
        }
    }

    #[test]
    fn a_key_is_taken_in_one_form_only_and_signs_as_its_own_kind() {
        let key = SigningKey::generate();
        let point = key.verifying_key();
        let own = [KINDS[0].before, point.as_bytes()].concat();
        assert_eq!(RequestedKey::of(&signed(&own, &key)).expect("sound").info(), own);
        // Parameters, which RFC 8410 forbids.
        let algorithm = b"\x30\x07\x06\x03\x2b\x65\x70\x05\x00";
        let with = der(0x30, &[&algorithm[..], b"\x03\x21\x00", point.as_bytes()].concat());
        assert_eq!(RequestedKey::of(&signed(&with, &key)), Err(RequestError::Key));
        // An Ed25519 key that calls itself one on P-256: with a certificate for it nobody could do anything.
        let algorithm = &KINDS[1].before[2..23];
        let posing = der(0x30, &[algorithm, b"\x03\x21\x00", point.as_bytes()].concat());
        assert_eq!(RequestedKey::of(&signed(&posing, &key)), Err(RequestError::Key));
        let long = [KINDS[1].before, point.as_bytes(), point.as_bytes()].concat();
        assert_eq!(RequestedKey::of(&signed(&long, &key)), Err(RequestError::Signature));
    }
}
