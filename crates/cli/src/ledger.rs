//! `vernport ledger record`: a world file into the ledger of a developer's set, so
//! that there is something to open orders for. `vernport ledger void`: an entry was a mistake.
//! `vernport ledger import|events|find`: as a workshop's own system does it.

pub(crate) mod events;
mod import;

pub use import::Unread;

use crate::{args, effect, order::connect};
use anyhow::{Context as _, Result};
use std::path::Path;
use vernport_gateway::SystemClock;
use vernport_registry::{Event, Voided, world::World};
use vernport_status::output;
use vernport_types::Clock as _;

/// Records the world and activates the recipients' keys, or voids an entry.
///
/// # Errors
/// If the file cannot be used, or central cannot be reached or refuses.
pub async fn run(args: args::Ledger) -> Result<()> {
    match args {
        args::Ledger::Record { registrar, world } => record(registrar, &world).await,
        args::Ledger::Void { registrar, entry, reason } => {
            let (_, counter) = connect(&registrar)?;
            let effect = counter.say_together(vec![Event::Voided(Voided { entry, reason })]).await?.effect;
            output::tell(&format!("entry {entry} is void\n{}", effect::told(&effect)))?;
            Ok(())
        }
        args::Ledger::Import(args) => import::run(args).await,
        args::Ledger::Events(args) => events::follow(args).await,
        args::Ledger::Find(args) => events::find(args).await,
    }
}

async fn record(at: args::Registrar, world: &Path) -> Result<()> {
    let file = world.display().to_string();
    let text = std::fs::read_to_string(world).with_context(|| format!("{file}: cannot be read"))?;
    let world = World::from_toml(&file, &text)?;
    let (dev, registrar) = connect(&at)?;
    let controller = dev.controller(&at.controller)?;
    let entries = world.entries(&controller.id, &registrar.identity, SystemClock.now().wall)?;
    let count = entries.len();
    registrar.activate_keys(&dev, controller).await?;
    registrar.record(entries).await?;
    output::tell(&format!(
        "{count} entries recorded for {}, {} keys active",
        controller.name,
        controller.recipient.len()
    ))?;
    Ok(())
}
