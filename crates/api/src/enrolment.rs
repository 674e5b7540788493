//! Enrolment: a registrar invites a gateway with a token that works once, the
//! gateway asks for its certificate with it, and later for the next one (decision note 0020).
//!
//! Token as text: `vpe1-`, 64 hexadecimal digits, and 8 more as a checksum (the
//! first 4 bytes of SHA-256 over `vpe1-` and the 32 bytes). The prefix is there to be found by
//! programs that look for secrets in files.

use crate::Blob;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{fmt, str::FromStr};
use thiserror::Error;
use vernport_crypto::{Signature, SigningKey, VerifyError, VerifyingKey, Zeroizing, random, sha256};
use vernport_types::{ControllerId, Slug, UtcMicros};

/// What the text of a token begins with.
pub const TOKEN_PREFIX: &str = "vpe1-";
/// The longest that a token works, in hours.
pub const MAX_TOKEN_HOURS: u16 = 168;
/// The longest certificate request, in bytes of DER.
pub const MAX_CSR_BYTES: usize = 2_048;
/// The longest body of a request to enrol, in bytes.
pub const MAX_ENROLMENT_BYTES: usize = 8 * 1024;

const TOKEN_CHARS: usize = TOKEN_PREFIX.len() + 64 + 8;
const TOKEN_TAG: &[u8] = b"vernport enrolment token v1\0";
const PROOF_TAG: &[u8] = b"vernport enrolment proof v1\0";

/// Not a token. Repeats nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a token: it is `vpe1-` and 72 hexadecimal digits, copied whole")]
pub struct TokenError;

/// Lets one gateway enrol, once: 32 random bytes. Wiped when dropped; `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Zeroizing<[u8; 32]>);

impl Token {
    /// Draws one.
    pub fn generate() -> Self {
        Self(Zeroizing::new(random()))
    }

    /// The token of these bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Its text. This is the secret itself: it is not for logs.
    pub fn text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(TOKEN_CHARS));
        text.push_str(TOKEN_PREFIX);
        for byte in self.0.iter().chain(&self.checksum()) {
            for digit in [byte >> 4, byte & 0xF] {
                text.push(char::from_digit(digit.into(), 16).expect("below 16"));
            }
        }
        text
    }

    /// What central stores of it. 256 random bits need no key and no slow hash.
    pub fn hash(&self) -> [u8; 32] {
        sha256(&Zeroizing::new([TOKEN_TAG, &self.0[..]].concat()))
    }

    fn checksum(&self) -> [u8; 4] {
        let hash = sha256(&Zeroizing::new([TOKEN_PREFIX.as_bytes(), &self.0[..]].concat()));
        [hash[0], hash[1], hash[2], hash[3]]
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(<redacted>)")
    }
}

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let digits =
            text.strip_prefix(TOKEN_PREFIX).filter(|_| text.len() == TOKEN_CHARS).ok_or(TokenError)?;
        let mut bytes = Zeroizing::new([0; 36]);
        hex::decode_to_slice(digits, &mut bytes[..]).map_err(|_| TokenError)?;
        let mut token = Self(Zeroizing::new([0; 32]));
        token.0.copy_from_slice(&bytes[..32]);
        if token.checksum() == bytes[32..] { Ok(token) } else { Err(TokenError) }
    }
}

impl Serialize for Token {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        text.parse().map_err(D::Error::custom)
    }
}

/// A registrar invites a gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InvitationRequest {
    /// What it will be called.
    pub gateway: Slug,
    /// The site where it will stand.
    pub site: Slug,
    /// The station at the site.
    pub station: Slug,
    /// How long the token works, in hours, 1 to [`MAX_TOKEN_HOURS`].
    pub valid_h: u16,
    /// Whether it may take the place of a gateway that is enrolled under this name.
    pub replace: bool,
}

/// The token: told once, and never again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InvitationAnswer {
    /// For the person who sets the gateway up.
    pub token: Token,
    /// Until when it works.
    pub expires_at: UtcMicros,
}

/// A gateway asks for its first certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolmentRequest {
    /// Whose gateway.
    pub controller: ControllerId,
    /// What it is called: as in the invitation.
    pub gateway: Slug,
    /// From the invitation.
    pub token: Token,
    /// PKCS #10 (RFC 2986) for the key of its TLS client, DER, at most [`MAX_CSR_BYTES`]. The names in it do not count.
    pub csr: Blob,
    /// The key that will sign its envelopes.
    pub device_key: VerifyingKey,
    /// By that key, over what [`Self::sign`] writes.
    pub proof: Signature,
}

impl EnrolmentRequest {
    /// A request with its proof: the signature over `"vernport enrolment proof v1" 00`, the token's hash,
    /// SHA-256 of the certificate request, and controller, `00` and gateway.
    pub fn sign(
        controller: ControllerId,
        gateway: Slug,
        token: Token,
        csr: Vec<u8>,
        device: &SigningKey,
    ) -> Self {
        let proof = device.sign(&proven(&controller, &gateway, &token, &csr));
        Self { controller, gateway, token, csr: Blob(csr), device_key: device.verifying_key(), proof }
    }

    /// Whether who asks has the device key.
    ///
    /// # Errors
    /// [`VerifyError`].
    pub fn verify(&self) -> Result<(), VerifyError> {
        let message = proven(&self.controller, &self.gateway, &self.token, &self.csr.0);
        self.device_key.verify(&message, &self.proof)
    }
}

fn proven(controller: &ControllerId, gateway: &Slug, token: &Token, csr: &[u8]) -> Vec<u8> {
    [
        PROOF_TAG,
        &token.hash(),
        &sha256(csr),
        controller.as_str().as_bytes(),
        b"\0",
        gateway.as_str().as_bytes(),
    ]
    .concat()
}

/// A gateway was enrolled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolmentAnswer {
    /// Its certificate.
    pub certificate: CertificateAnswer,
    /// Whose gateway it is.
    pub controller: ControllerId,
    /// Where it stands: its site …
    pub site: Slug,
    /// … and the station at the site.
    pub station: Slug,
    /// Central signs heads with it.
    pub head_key: VerifyingKey,
    /// Where central serves gateways, if it was configured to say so.
    pub central_url: Option<String>,
}

/// A gateway asks for its next certificate, under the one that it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenewalRequest {
    /// PKCS #10 for a new key, DER, at most [`MAX_CSR_BYTES`].
    pub csr: Blob,
}

/// A certificate that was issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateAnswer {
    /// The certificate, then those between it and the authority; DER.
    pub chain: Vec<Blob>,
    /// When it ends.
    pub not_after: UtcMicros,
}

/// How the enrolment of a gateway stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GatewayState {
    /// It is enrolled.
    Enrolled,
    /// Its enrolment ended; what waits there is still taken.
    Ended,
    /// It is in wrong hands: nothing is taken from it.
    Revoked,
}

/// A gateway that was ever enrolled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayListed {
    /// What it is called.
    pub gateway: Slug,
    /// The site where it stands or stood.
    pub site: Slug,
    /// The station at the site.
    pub station: Slug,
    /// How its enrolment stands.
    pub state: GatewayState,
    /// When it was enrolled last.
    pub enrolled_at: UtcMicros,
    /// Until when the last certificate that central issued to it lasts; none where it has one from elsewhere.
    pub certificate_until: Option<UtcMicros>,
}

/// An invitation that nobody used yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InvitationListed {
    /// Who is invited.
    pub gateway: Slug,
    /// Until when.
    pub expires_at: UtcMicros,
    /// Whether it may take the place of a gateway that is enrolled under this name.
    pub replace: bool,
}

/// A controller's gateways.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewaysAnswer {
    /// By name.
    pub gateways: Vec<GatewayListed>,
    /// By name.
    pub invitations: Vec<InvitationListed>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_token_has_this_text_and_no_other_is_one() {
        let token = Token::from_bytes([0xA5; 32]);
        let text = token.text();
        assert_eq!(*text, format!("vpe1-{}{}", "a5".repeat(32), hex::encode(token.checksum())));
        assert_eq!(text.parse(), Ok(token));
        for wrong in
            ["", "vpe1-", &text[1..], &text[..76], &format!("{}0", *text), &text.replacen("a5", "a6", 1)]
        {
            assert_eq!(wrong.parse::<Token>(), Err(TokenError), "{wrong}");
        }
    }

    #[test]
    fn nothing_of_a_token_is_shown() {
        let token = Token::from_bytes([0xA5; 32]);
        assert_eq!(format!("{token:?}"), "Token(<redacted>)");
        let wrong = serde_json::from_str::<Token>("\"vpe1-c0ffee\"").expect_err("too short");
        assert!(!wrong.to_string().contains("c0ffee"), "{wrong}");
    }

    #[test]
    fn the_proof_holds_for_what_was_signed_only() {
        let device = SigningKey::from_seed([1; 32]);
        let (controller, gateway) =
            ("NO-999999999".parse().expect("an id"), "bay-1".parse().expect("a slug"));
        let token = Token::from_bytes([2; 32]);
        let signed = EnrolmentRequest::sign(controller, gateway, token, b"csr".to_vec(), &device);
        assert!(signed.verify().is_ok());
        let other = |change: &dyn Fn(&mut EnrolmentRequest)| {
            let mut other = signed.clone();
            change(&mut other);
            other.verify()
        };
        assert!(other(&|it| it.controller = "DK-10628334".parse().expect("an id")).is_err());
        assert!(other(&|it| it.gateway = "bay-2".parse().expect("a slug")).is_err());
        assert!(other(&|it| it.token = Token::from_bytes([3; 32])).is_err());
        assert!(other(&|it| it.csr = Blob(b"other".to_vec())).is_err());
        assert!(other(&|it| it.device_key = SigningKey::from_seed([2; 32]).verifying_key()).is_err());
    }

    proptest! {
        #[test]
        fn every_token_is_read_back(bytes: [u8; 32]) {
            let token = Token::from_bytes(bytes);
            prop_assert_eq!(token.text().parse::<Token>(), Ok(token));
        }

        #[test]
        fn foreign_text_is_no_token_and_no_panic(text in "(vpe1-)?[0-9a-fé]{0,80}") {
            if let Ok(token) = text.parse::<Token>() {
                prop_assert_eq!(&*token.text(), &text);
            }
        }
    }
}
