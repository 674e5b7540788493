//! `vernport registry restored`: a registry goes on after its database was restored.

use crate::{args, keys::master, order::connect};
use anyhow::{Context as _, Result};
use vernport_central::{Config, Restoring, restored};
use vernport_crypto::{MasterKey, SigningKey};
use vernport_gateway::{
    SystemClock,
    secrets::{read_handed, read_key},
};
use vernport_status::output;
use vernport_types::Clock as _;

/// Replays the journals and begins a new era.
///
/// # Errors
/// If a file cannot be used, the key is not the controller's, or central runs.
pub async fn run(args: args::Registry) -> Result<()> {
    let args = match args {
        args::Registry::Restored(args) => args,
        args::Registry::Clock { registrar } => return clock(&registrar).await,
    };
    let config = Config::read(&args.config)?;
    let controller = config.controllers.iter().find(|of| of.id == args.controller);
    let controller = controller.with_context(|| format!("central does not serve {}", args.controller))?;
    let bundle_key = SigningKey::from_seed(*read_key(&args.bundle_key)?);
    anyhow::ensure!(
        bundle_key.verifying_key() == controller.bundle_key,
        "{}: not the bundle key of {}; gateways believe no other",
        args.bundle_key.display(),
        args.controller
    );
    let journal = config.journal.as_ref().with_context(|| {
        format!(
            "{}: name the journal under [journal]: without one nothing can be brought back",
            args.config.display()
        )
    })?;
    let (master, _) = master::of(&config, args.master_key.as_deref())?;
    let asked = Restoring {
        databases: &config.store,
        master_key: MasterKey::from_bytes(*read_handed(master)?),
        controller: &args.controller,
        journal,
        others: &args.journal,
        bundle_key: &bundle_key,
        now: SystemClock.now().wall,
    };
    let back = restored(asked).await?;
    output::tell(&format!(
        "{}: {} entries came back, {} keys were erased again, era {} begins; start central",
        args.controller, back.entries, back.fences, back.era
    ))?;
    Ok(())
}

/// Confirms central's clock by the one here.
async fn clock(at: &args::Registrar) -> Result<()> {
    let (_, registrar) = connect(at)?;
    anyhow::ensure!(
        registrar.confirm_clock().await?,
        "the clocks of central and of this machine differ by more than ten minutes: set the wrong one"
    );
    output::tell("central's clock is confirmed: it erases and deletes again")?;
    Ok(())
}
