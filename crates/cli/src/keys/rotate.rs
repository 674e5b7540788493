//! `vernport keys rotate`: a new key takes the place of one at one moment. What was done
//! halfway and interrupted is gone on with by the next run.

mod central;
mod gateway;
mod recipient;

use super::file::{self, next, take_place};
use crate::{args::KeysRotate, shipped};
use anyhow::{Context as _, Result, bail};
use std::{
    fs,
    path::{Path, PathBuf},
};
use vernport_crypto::SigningKey;
use vernport_gateway::secrets::read_key;
use vernport_policy::sign_bundle;
use vernport_status::output;

/// Why an identity key stays as it is.
const IDENTITY: &str = "an identity key is not changed: the ledger names vehicles by hashes under it, its entries \
are never rewritten, and central cannot read the identifiers to hash them anew.\n\
If it was stolen: make a new one (`vernport keys new controller`), open the sealed identifiers with the recovery key at \
the controller, record `asset-identified` under the new key for each asset, then give the new file to central and all \
gateways at once and restart them";

pub(super) async fn run(args: KeysRotate) -> Result<()> {
    match args {
        KeysRotate::Device { gateway, central } => gateway::device(&gateway, central.as_deref()),
        KeysRotate::Storage { gateway, finish: false } => gateway::storage(&gateway),
        KeysRotate::Storage { gateway, finish: true } => gateway::finish_storage(&gateway).await,
        KeysRotate::Recipient(args) => recipient::run(&args).await,
        KeysRotate::Identity => bail!(IDENTITY),
        KeysRotate::Master { central, master_key, journal } => {
            central::master(&central, master_key.as_deref(), &journal).await
        }
        KeysRotate::Bundle { key, bundle, config } => sign_anew(&key, &bundle, &config),
    }
}

/// A new bundle key: the bundle is signed with it, and configurations name it.
fn sign_anew(path: &Path, bundle: &Path, configs: &[PathBuf]) -> Result<()> {
    let old = SigningKey::from_seed(*read_key(path)?).verifying_key();
    let text_file = bundle.join("bundle.toml");
    let text =
        fs::read_to_string(&text_file).with_context(|| format!("{}: cannot be read", text_file.display()))?;
    shipped::load(&text_file.display().to_string(), &text)?;
    let key = SigningKey::from_seed(*next(path)?);
    let (was, now) = (old.to_string(), key.verifying_key().to_string());
    for config in configs {
        let text =
            fs::read_to_string(config).with_context(|| format!("{}: cannot be read", config.display()))?;
        if !text.contains(&was) && !text.contains(&now) {
            bail!("{}: does not name the bundle key {was}; nothing was changed", config.display());
        }
    }
    let signature = bundle.join("bundle.sig");
    fs::write(&signature, format!("{}\n", sign_bundle(&key, &text)))
        .with_context(|| format!("{}: cannot be written", signature.display()))?;
    for config in configs {
        file::replace_in(config, &was, &now)?;
    }
    take_place(path, None)?;
    output::tell(&format!("{}: public {now}; {} is signed with it", path.display(), signature.display()))?;
    output::tell(
        "next: bring bundle.sig and bundle_key to every gateway and to central together, and restart them; one \
         that has only one of the two does not start",
    )?;
    Ok(())
}
