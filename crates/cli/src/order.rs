//! `vernport order open|close`: hand-in and hand-back at the counter.

use crate::{args, dev::Dev, registrar::Registrar};
use anyhow::{Context as _, Result};
use std::sync::Arc;
use vernport_crypto::random;
use vernport_gateway::SystemClock;
use vernport_registry::{Event, OrderClosed, OrderOpened, StationRef};
use vernport_status::output;
use vernport_types::{AssetId, Clock as _, Identifier, OrderId};

/// Opens or closes.
///
/// # Errors
/// If the vehicle is not named, or central cannot be reached or refuses.
pub async fn run(args: args::Order) -> Result<()> {
    match args {
        args::Order::Open { registrar: at, vehicle, station, hours, reference } => {
            let (dev, registrar) = connect(&at)?;
            let controller = dev.controller(&at.controller)?;
            let asset = asset(&registrar, vehicle.identifier()?).await?;
            let order = OrderId::from_bytes(random());
            let now = SystemClock.now().wall;
            let at = StationRef { site: controller.site.clone(), station };
            let mut opened = OrderOpened::new(order, asset, at, now);
            opened.expires_at = now.plus_seconds(i64::from(hours) * 3_600);
            let result = registrar.say_as(Event::OrderOpened(opened), &reference).await?;
            output::tell(&format!(
                "order {order} is open for {hours} h; {} flows opened. Hand-back: vernport order close … {order}\n\
                 entry {}",
                result.effect.opened.len(),
                result.results.first().map(|result| result.entry.to_string()).unwrap_or_default()
            ))?;
        }
        args::Order::Close { registrar: at, order } => {
            let (_, registrar) = connect(&at)?;
            let result = registrar.say(Event::OrderClosed(OrderClosed { order })).await?;
            output::tell(&format!(
                "order {order} is closed; {} flows ended with it",
                result.effect.stopped.len()
            ))?;
        }
    }
    Ok(())
}

/// The set, and the counter's system of one of its controllers.
pub(crate) fn connect(at: &args::Registrar) -> Result<(Dev, Registrar)> {
    let dev = Dev::load(&at.dev)?;
    let registrar = Registrar::new(&dev, dev.controller(&at.controller)?, Arc::new(SystemClock))?;
    Ok((dev, registrar))
}

/// The asset of an identifier; one that is new here gets an id of its own.
pub(crate) async fn asset(registrar: &Registrar, identifier: Identifier) -> Result<AssetId> {
    match registrar.find(identifier.clone()).await? {
        Some(asset) => Ok(asset),
        None => registrar.enter_asset(identifier).await.context("the vehicle could not be entered"),
    }
}
