//! The one place that calls ring and hpke: hashes, signatures, wraps, data
//! keys, keys at rest and the blind index.
//!
//! Promises:
//! - Every secret is redacted under `Debug`, wiped when dropped (`ZeroizeOnDrop`),
//!   and has no `Display` and no serde. ring's expanded keys, which cannot be
//!   wiped, live for one call only.
//! - One purpose per key type: a key that wraps cannot sign, a storage key does
//!   not open what a master key sealed, even where their bytes are equal.
//! - No error and no panic repeats a key or a plaintext.

mod at_rest;
mod data_key;
mod derive;
mod hash;
mod identity;
mod public;
#[cfg(test)]
mod published;
mod sign;
mod storage;
mod wrap;

pub use at_rest::{AtRestKey, AtRestUse, BackupKey, ErasureKey, MasterKey, StorageKey};
pub use data_key::{DataKey, OpenError, TAG_BYTES};
#[cfg(feature = "danger-seeded-random")]
pub use hash::danger_seed_random;
pub use hash::{hash_text, random, sha256};
pub use identity::{BlindIndex, IdentityKey};
pub use sign::{Signature, SigningKey, VerifyError, VerifyingKey};
pub use storage::StorageKeys;
pub use wrap::{MAX_INFO_BYTES, OpeningKey, Wrap, WrapError, WrappingKey};
/// Bytes that are wiped when dropped.
pub use zeroize::Zeroizing;

/// `Debug` of a secret: its name and nothing of it.
macro_rules! redacted_debug {
    ($name:ident) => {
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(<redacted>)"))
            }
        }
    };
}
pub(crate) use redacted_debug;
