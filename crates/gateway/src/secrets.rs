//! The box's own secrets: files of 64 hexadecimal digits that nobody else may
//! read, credentials of systemd of the same content, or a storage key that is
//! drawn at the start and lives in memory only.

use crate::config::{KeySource, Keys};
use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use thiserror::Error;
use vernport_crypto::{IdentityKey, SigningKey, StorageKey, StorageKeys};
use zeroize::Zeroizing;

/// What is added to the name of a storage key for the one before it, as long as messages wait under that.
pub const BEFORE: &str = ".before";

/// Modes that let nobody but the owner in, …
pub const OWN: u32 = 0o077;
/// … and those of which a credential of systemd has none.
pub const HANDED: u32 = 0o007;

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
    /// Nothing but zeros.
    #[error("{}: was not drawn at random but is zeros alone, as a key that was wiped", path.display())]
    Wiped {
        /// Which file.
        path: PathBuf,
    },
    /// The process was started without credentials.
    #[error(
        "credential:{name}: this process was given no credentials; start it by its systemd unit with \
         `LoadCredentialEncrypted={name}`, or name a file"
    )]
    NoCredentials {
        /// Which one is missing.
        name: String,
    },
    /// A secret that cannot be drawn anew.
    #[error("memory: only the storage key may live in memory; name a file or a credential")]
    Memory,
}

/// What the gateway holds.
#[derive(Debug)]
pub struct Secrets {
    /// Signs batches.
    pub device: SigningKey,
    /// Seal plaintext-topic messages at rest.
    pub storage: StorageKeys,
    /// Links identifiers to asset ids of this controller.
    pub identity: IdentityKey,
}

impl Secrets {
    /// Reads all of them; credentials from where systemd says.
    ///
    /// # Errors
    /// [`SecretError`] for the first that cannot be used.
    pub fn load(keys: &Keys) -> Result<Self, SecretError> {
        let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        Self::load_with(keys, credentials.as_deref())
    }

    /// Reads all of them, with the folder of the credentials.
    ///
    /// # Errors
    /// [`SecretError`] for the first that cannot be used.
    pub fn load_with(keys: &Keys, credentials: Option<&Path>) -> Result<Self, SecretError> {
        let key = |source: &KeySource| read_source(source, credentials);
        Ok(Self {
            device: SigningKey::from_seed(*key(&keys.device)?),
            storage: storage(&keys.storage, credentials)?,
            identity: IdentityKey::from_bytes(*key(&keys.identity)?),
        })
    }
}

/// The device key alone: a gateway that enrols may have no other secret yet.
pub(crate) fn device(keys: &Keys) -> Result<SigningKey, SecretError> {
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    Ok(SigningKey::from_seed(*read_source(&keys.device, credentials.as_deref())?))
}

fn storage(source: &KeySource, credentials: Option<&Path>) -> Result<StorageKeys, SecretError> {
    let before = match source {
        KeySource::Memory => return Ok(StorageKey::generate().into()),
        KeySource::File(path) => KeySource::File(before(path)),
        KeySource::Credential(name) => KeySource::Credential(format!("{name}{BEFORE}")),
    };
    let current = StorageKey::from_bytes(*read_source(source, credentials)?);
    let before = match read_source(&before, credentials) {
        Ok(key) => Some(StorageKey::from_bytes(*key)),
        Err(SecretError::Read { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => None,
        // It was being taken away when that was interrupted.
        Err(SecretError::Wiped { .. }) => None,
        Err(error) => return Err(error),
    };
    Ok(StorageKeys::new(current, before))
}

/// Where the storage key before the one in `path` is kept.
pub fn before(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(BEFORE);
    name.into()
}

fn read_source(source: &KeySource, credentials: Option<&Path>) -> Result<Zeroizing<[u8; 32]>, SecretError> {
    match source {
        KeySource::File(path) => read_key(path),
        KeySource::Credential(name) => {
            let folder = credentials.ok_or_else(|| SecretError::NoCredentials { name: name.clone() })?;
            read_handed(&folder.join(name))
        }
        KeySource::Memory => Err(SecretError::Memory),
    }
}

/// Reads one key file: 64 hexadecimal digits, closed to others.
///
/// # Errors
/// [`SecretError`].
pub fn read_key(path: &Path) -> Result<Zeroizing<[u8; 32]>, SecretError> {
    read_closed(path, OWN)
}

/// Reads a key file that may be a credential: systemd lets the service's user in by an access list, whose
/// mask shows as the group's mode. So central reads all of its own.
///
/// # Errors
/// [`SecretError`].
pub fn read_handed(path: &Path) -> Result<Zeroizing<[u8; 32]>, SecretError> {
    read_closed(path, HANDED)
}

/// Reads a key file that none of the modes in `closed_to` lets anybody into.
fn read_closed(path: &Path, closed_to: u32) -> Result<Zeroizing<[u8; 32]>, SecretError> {
    let read = |source| SecretError::Read { path: path.into(), source };
    let mode = std::fs::metadata(path).map_err(read)?.permissions().mode();
    if mode & closed_to != 0 {
        return Err(SecretError::Open { path: path.into() });
    }
    let text = Zeroizing::new(std::fs::read_to_string(path).map_err(read)?);
    let mut key = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text.trim_end(), &mut *key).map_err(|_| SecretError::Form { path: path.into() })?;
    if *key == [0; 32] {
        return Err(SecretError::Wiped { path: path.into() });
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, content: &str, mode: u32) {
        std::fs::write(path, content).expect("writable");
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("own file");
    }

    fn file(content: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.key");
        write(&path, content, mode);
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

    #[test]
    fn a_wiped_key_is_refused_and_one_before_it_is_taken_for_gone() {
        let (folder, path) = file(&"00".repeat(32), 0o600);
        assert!(matches!(read_key(&path), Err(SecretError::Wiped { .. })));
        for (name, content) in [("storage", "07"), ("device", "01"), ("identity", "02")] {
            write(&folder.path().join(name), &content.repeat(32), 0o600);
        }
        write(&folder.path().join("storage.before"), &"00".repeat(32), 0o600);
        let secrets = Secrets::load_with(&keys("credential:storage"), Some(folder.path())).expect("loads");
        assert!(secrets.storage.before().is_none());
    }

    fn keys(storage: &str) -> Keys {
        let credential = |name: &str| KeySource::Credential(name.into());
        Keys {
            device: credential("device"),
            storage: storage.parse().expect("a source"),
            identity: credential("identity"),
        }
    }

    #[test]
    fn credentials_come_from_the_folder_that_systemd_names() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, byte) in [("device", "01"), ("identity", "02"), ("storage", "03")] {
            write(&folder.path().join(name), &byte.repeat(32), 0o440);
        }
        let keys = keys("credential:storage");
        let secrets = Secrets::load_with(&keys, Some(folder.path())).expect("all there");
        assert_eq!(*secrets.device.seed(), [1; 32]);
        assert_eq!(*secrets.identity.to_bytes(), [2; 32]);
        assert_eq!(*secrets.storage.current().to_bytes(), [3; 32]);
        assert!(secrets.storage.before().is_none());
        let alone = Secrets::load_with(&keys, None).expect_err("no credentials");
        assert!(alone.to_string().contains("credential:device"), "{alone}");
        write(&folder.path().join("identity"), &"02".repeat(32), 0o444);
        let open = Secrets::load_with(&keys, Some(folder.path())).expect_err("everybody reads it");
        assert!(matches!(open, SecretError::Open { .. }));
    }

    #[test]
    fn a_storage_key_is_in_memory_anew_at_each_start_or_has_one_before_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["device", "identity", "storage"] {
            write(&folder.path().join(name), &"07".repeat(32), 0o400);
        }
        let load =
            |source: &str| Secrets::load_with(&keys(source), Some(folder.path())).expect("loads").storage;
        let (one, two) = (load("memory"), load("memory"));
        assert_ne!(one.current().to_bytes(), two.current().to_bytes());
        assert!(one.before().is_none());
        let path = folder.path().join("storage.before");
        write(&path, &"08".repeat(32), 0o400);
        let file = folder.path().join("storage");
        for source in ["credential:storage", file.to_str().expect("text")] {
            let keys = load(source);
            assert_eq!(*keys.current().to_bytes(), [7; 32]);
            assert_eq!(keys.before().map(|key| *key.to_bytes()), Some([8; 32]));
        }
        write(&path, "no key", 0o400);
        let broken = Secrets::load_with(&keys("credential:storage"), Some(folder.path()));
        assert!(matches!(broken, Err(SecretError::Form { .. })), "it is not passed over");
    }

    #[test]
    fn nothing_of_the_secrets_is_shown() {
        let secrets = Secrets {
            device: SigningKey::from_seed([0xC7; 32]),
            storage: StorageKey::from_bytes([0xC7; 32]).into(),
            identity: IdentityKey::from_bytes([0xC7; 32]),
        };
        let shown = format!("{secrets:?} {secrets:#?}").to_lowercase();
        assert!(shown.contains("redacted") && !shown.contains("c7") && !shown.contains("199"), "{shown}");
    }
}
