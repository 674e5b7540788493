//! A new master key of central: everything under the old one is sealed anew.

use crate::keys::{
    file::{is_free, next, take_place, with},
    master,
};
use anyhow::{Context as _, Result, ensure};
use std::path::{Path, PathBuf};
use vernport_central::{Config, rewrap_master};
use vernport_crypto::MasterKey;
use vernport_gateway::secrets::{BEFORE, read_handed};
use vernport_status::output;

pub(super) async fn master(config: &Path, file: Option<&Path>, others: &[PathBuf]) -> Result<()> {
    let config = Config::read(config)?;
    let (path, credential) = master::of(&config, file)?;
    let kept = with(path, BEFORE);
    ensure!(
        is_free(path, &kept)?,
        "{}: the key before is still here; put it with the backups that were made under it, or destroy both",
        kept.display()
    );
    let old = MasterKey::from_bytes(*read_handed(path)?);
    let new = MasterKey::from_bytes(*next(path)?);
    let journals: Vec<&Path> = config.journal.iter().chain(others).map(PathBuf::as_path).collect();
    let done = rewrap_master(&config.store, &journals, old, &new).await.with_context(|| {
        format!(
            "{} stays in use; no central may serve before this command has gone through: run it again",
            path.display()
        )
    })?;
    let (rows, journaled) = done;
    take_place(path, Some(&kept))?;
    output::tell(&format!(
        "{}: new; {} ledger entries, {} erasure keys and {journaled} rows of the journal were sealed anew",
        path.display(),
        rows.entries,
        rows.erasure_keys
    ))?;
    if let Some(name) = credential {
        output::tell(&format!(
            "next, before central starts: systemd-creds encrypt --name={name} {} {}; then destroy {}",
            path.display(),
            master::encrypted(name),
            path.display()
        ))?;
    }
    output::tell(&format!(
        "{}: opens backups that were made before. Destroy it with the last of them; after a theft, destroy them now",
        kept.display()
    ))?;
    Ok(())
}
