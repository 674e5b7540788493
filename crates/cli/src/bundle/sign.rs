//! `vernport bundle sign`: the controller's signature under its rules.

use super::files::{in_folder, or_invalid, replace};
use crate::shipped;
use anyhow::Result;
use std::path::Path;
use vernport_crypto::SigningKey;
use vernport_gateway::secrets::read_key;
use vernport_policy::sign_bundle;
use vernport_status::output;

/// Signs what compiles, and nothing else: `bundle.sig` beside `bundle.toml`.
pub(super) fn run(folder: &Path, key: &Path) -> Result<()> {
    let usable = or_invalid(in_folder(folder, &shipped::catalogue()))?;
    let key = SigningKey::from_seed(*read_key(key)?);
    let signature = folder.join("bundle.sig");
    replace(&signature, format!("{}\n", sign_bundle(&key, &usable.text)).as_bytes())?;
    output::tell(&format!(
        "{}: signed; SHA-256 {}, bundle key {}",
        signature.display(),
        hex::encode(usable.rules.hash()),
        key.verifying_key()
    ))?;
    Ok(())
}
