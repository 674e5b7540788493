//! The controller's signature under its bundle. Gateway, central and command line ask here:
//! a bundle that nobody signed is refused like one that somebody else signed.

use thiserror::Error;
use vernport_crypto::{Signature, SigningKey, VerifyError, VerifyingKey, sha256};

/// Why a bundle is not the controller's.
#[derive(Debug, Error)]
pub enum SignatureError {
    /// There is none.
    #[error("the bundle is not signed; sign it with the controller's key: vernport bundle sign")]
    Missing,
    /// There are no digits of a signature.
    #[error("not a signature; sign the bundle with the controller's key: vernport bundle sign")]
    Form,
    /// Somebody else signed it, or the bundle was changed afterwards.
    #[error(
        "not signed by the controller's bundle key, or changed since; sign it anew: vernport bundle sign"
    )]
    Other {
        /// What the check said.
        source: VerifyError,
    },
}

/// What the signature begins with, so that it is of no use elsewhere.
const TAG: &[u8] = b"vernport bundle v1\0";

fn signed_bytes(text: &str) -> Vec<u8> {
    [TAG, &sha256(text.as_bytes())].concat()
}

/// Signs the text of a `bundle.toml`, as the controller does. Its digits and a line feed are `bundle.sig`.
pub fn sign_bundle(key: &SigningKey, text: &str) -> Signature {
    key.sign(&signed_bytes(text))
}

/// Checks a bundle's text against what stands in its `bundle.sig`; none, if there is no such file.
///
/// # Errors
/// [`SignatureError`].
pub fn verify_bundle(key: &VerifyingKey, text: &str, signature: Option<&str>) -> Result<(), SignatureError> {
    let signature: Signature =
        signature.ok_or(SignatureError::Missing)?.trim_end().parse().map_err(|_| SignatureError::Form)?;
    key.verify(&signed_bytes(text), &signature).map_err(|source| SignatureError::Other { source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_controllers_own_signature_of_this_very_text_is_taken() {
        let (key, other) = (SigningKey::from_seed([1; 32]), SigningKey::from_seed([2; 32]));
        let signature = format!("{}\n", sign_bundle(&key, "format = 1\n"));
        let verify = |key: &SigningKey, text, signature: &str| {
            verify_bundle(&key.verifying_key(), text, Some(signature))
        };
        verify(&key, "format = 1\n", &signature).expect("signed");
        assert!(matches!(verify(&key, "format = 1", &signature), Err(SignatureError::Other { .. })));
        assert!(matches!(verify(&other, "format = 1\n", &signature), Err(SignatureError::Other { .. })));
        for none in ["", "\n", "00", "unsigned"] {
            assert!(matches!(verify(&key, "format = 1\n", none), Err(SignatureError::Form)), "{none}");
        }
        let unsigned = verify_bundle(&key.verifying_key(), "format = 1\n", None);
        assert!(matches!(unsigned, Err(SignatureError::Missing)));
    }
}
