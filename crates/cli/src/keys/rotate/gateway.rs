//! New keys of a gateway: the one that signs, the one that seals what waits for topics.

use crate::keys::file::{self, is_free, is_one, next, replace_in, take_place};
use anyhow::{Context as _, Result, bail, ensure};
use std::path::{Path, PathBuf};
use vernport_crypto::SigningKey;
use vernport_gateway::{
    Config, SystemClock,
    config::KeySource,
    secrets::{Secrets, before, read_key},
    storage::survey,
};
use vernport_registry::DEVICE_KEY_OVERLAP_DAYS;
use vernport_spool::{Config as SpoolConfig, Spool};
use vernport_status::output;
use vernport_types::Clock as _;

/// A new device key; central's configuration enrols the gateway with it.
pub(super) fn device(config: &Path, central: Option<&Path>) -> Result<()> {
    let config = Config::load(config)?;
    let path = file_of(&config.keys.device, "device")?;
    let was = SigningKey::from_seed(*read_key(&path)?).verifying_key().to_string();
    let key = SigningKey::from_seed(*next(&path)?);
    let now = key.verifying_key().to_string();
    if let Some(central) = central {
        let read = |error| format!("{}: cannot be read: {error}", central.display());
        let text = std::fs::read_to_string(central).map_err(|error| anyhow::anyhow!(read(error)))?;
        ensure!(
            replace_in(central, &was, &now)? > 0 || text.contains(&now),
            "{}: enrols no gateway with the device key {was}; the gateway's key was not changed",
            central.display()
        );
    }
    take_place(&path, None)?;
    output::tell(&format!("{}: public {now}", path.display()))?;
    match central {
        Some(central) => output::tell(&format!(
            "{}: names it. Next: restart central, which enrols the gateway with it, then the gateway",
            central.display()
        ))?,
        None => output::tell(&format!(
            "next: device_key = \"{now}\" for {} in central's configuration (or record gateway-enrolled), restart \
             central, then the gateway",
            config.gateway.name
        ))?,
    }
    output::tell(&format!(
        "what the old key signed and still waits is taken for {DEVICE_KEY_OVERLAP_DAYS} days; after a theft record \
         enrolment-ended first: then it is not taken at all"
    ))?;
    Ok(())
}

/// A new storage key; the one before stays beside it.
pub(super) fn storage(config: &Path) -> Result<()> {
    let config = Config::load(config)?;
    if config.keys.storage == KeySource::Memory {
        output::tell("memory: a new storage key is drawn at every start; there is nothing to change")?;
        return Ok(());
    }
    let path = file_of(&config.keys.storage, "storage")?;
    let kept = before(&path);
    ensure!(
        is_free(&path, &kept)?,
        "{}: the key before is still here, and messages may wait under it; start the gateway, let it send, stop it, and \
         run this with --finish",
        kept.display()
    );
    read_key(&path)?;
    next(&path)?;
    take_place(&path, Some(&kept))?;
    output::tell(&format!("{}: new; the one before stays as {}", path.display(), kept.display()))?;
    output::tell(
        "next: restart the gateway. It seals under the new one and still sends what waits under the one before",
    )?;
    output::tell("then, with the gateway stopped: the same command with --finish takes the old one away")?;
    Ok(())
}

/// Takes the storage key before away, once nothing waits under it.
pub(super) async fn finish_storage(config: &Path) -> Result<()> {
    let config = Config::load(config)?;
    let path = file_of(&config.keys.storage, "storage")?;
    let kept = before(&path);
    ensure!(kept.exists(), "{}: is not there; the change is finished", kept.display());
    ensure!(
        !is_one(&path, &kept)?,
        "{}: is still the key that seals, under a second name: the change was interrupted; run this without \
         --finish first",
        kept.display()
    );
    let keys = Secrets::load(&config.keys)?.storage;
    let database = config.gateway.data_dir.join("spool.db");
    let spool = SpoolConfig::new(database.clone(), config.spool.max_mib << 20);
    let spool = Spool::open(spool)
        .await
        .with_context(|| format!("{}: stop the gateway first", database.display()))?;
    let found = survey(&spool, &keys, SystemClock.now().wall).await;
    spool.close().await;
    let found = found?;
    ensure!(
        found.before == 0,
        "{}: {} messages wait under it; let the gateway send them first",
        kept.display(),
        found.before
    );
    let is_wiped = file::remove(&kept)?;
    output::tell(&format!("{}: taken away; no message waits under it", kept.display()))?;
    if !is_wiped {
        output::tell("it was not wiped: the same file has another name, where it lies on; look for it")?;
    }
    Ok(())
}

/// The file of a key. One that systemd hands over is changed where it is encrypted.
fn file_of(source: &KeySource, name: &str) -> Result<PathBuf> {
    match source {
        KeySource::File(path) => Ok(path.clone()),
        KeySource::Credential(credential) => bail!(
            "keys.{name}: is the credential {credential}, which only its own machine can encrypt: make a key with \
             `vernport keys new gateway`, encrypt it with `systemd-creds encrypt --name={credential}`, and, for a storage \
             key, load the old one as {credential}.before until the gateway says that nothing waits under it"
        ),
        KeySource::Memory => bail!("keys.{name}: lives in memory; a restart draws a new one"),
    }
}
