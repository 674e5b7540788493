//! The box's own secrets: files of 64 hexadecimal digits that nobody else may read.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use thiserror::Error;
use vernport_crypto::{IdentityKey, SigningKey, StorageKey};
use zeroize::Zeroizing;

use crate::config::Keys;

/// Why a secret cannot be used. Never shows a byte of it.
#[derive(Debug, Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("{}: cannot be read; check the path and its owner", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Others than the owner may read it.
    #[error("{}: others can read it; run `chmod 600` on it", path.display())]
    Open {
        /// Which file.
        path: PathBuf,
    },
    /// Not 64 hexadecimal digits.
    #[error("{}: not a key; it holds 64 hexadecimal digits and a line end", path.display())]
    Form {
        /// Which file.
        path: PathBuf,
    },
}

/// What the gateway holds.
#[derive(Debug)]
pub struct Secrets {
    /// Signs batches.
    pub device: SigningKey,
    /// Seals plaintext-topic messages at rest.
    pub storage: StorageKey,
    /// Links identifiers to asset ids of this controller.
    pub identity: IdentityKey,
}

impl Secrets {
    /// Reads all of them.
    ///
    /// # Errors
    /// [`SecretError`] for the first that cannot be used.
    pub fn load(files: &Keys) -> Result<Self, SecretError> {
        Ok(Self {
            device: SigningKey::from_seed(*read_key(&files.device)?),
            storage: StorageKey::from_bytes(*read_key(&files.storage)?),
            identity: IdentityKey::from_bytes(*read_key(&files.identity)?),
        })
    }
}

/// Reads one key file: 64 hexadecimal digits, closed to others.
///
/// # Errors
/// [`SecretError`].
pub fn read_key(path: &Path) -> Result<Zeroizing<[u8; 32]>, SecretError> {
    let read = |source| SecretError::Read { path: path.into(), source };
    let mode = std::fs::metadata(path).map_err(read)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(SecretError::Open { path: path.into() });
    }
    let text = Zeroizing::new(std::fs::read_to_string(path).map_err(read)?);
    let mut key = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text.trim_end(), &mut *key).map_err(|_| SecretError::Form { path: path.into() })?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(content: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.key");
        std::fs::write(&path, content).expect("writable");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("own file");
        (folder, path)
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let (_folder, path) = file(&"0a".repeat(32), 0o644);
        assert!(matches!(read_key(&path), Err(SecretError::Open { .. })));
    }

    #[test]
    fn a_broken_key_is_refused_without_showing_it() {
        let (_folder, path) = file("c0ffee", 0o600);
        let error = read_key(&path).expect_err("too short");
        assert!(matches!(error, SecretError::Form { .. }));
        assert!(!error.to_string().contains("c0ffee"));
        let (_folder, path) = file(&format!("{}\n", "0a".repeat(32)), 0o600);
        assert_eq!(*read_key(&path).expect("a key"), [10; 32]);
    }
}
