//! `vernport fleet-number`: the counter says what a fleet operator calls a vehicle itself.

use crate::{args, order::connect};
use anyhow::{Context as _, Result, ensure};
use vernport_api::FleetNumberRequest;
use vernport_status::output;
use vernport_types::Slug;

/// Says it.
///
/// # Errors
/// If central cannot be reached, knows no such vehicle or refuses, or the operator has no key for anything.
pub async fn run(args: args::Called) -> Result<()> {
    let (_, registrar) = connect(&args.registrar)?;
    let found = registrar.find(args.vehicle.identifier()?).await?;
    let asset = found.context("central knows no such vehicle: look at the plate, or open its first order")?;
    let request = FleetNumberRequest { asset, operator: args.operator, number: args.number };
    let answer = registrar.fleet_number(&request).await?;
    if args.none {
        output::tell("central has no number of that vehicle for this operator any more\n")?;
        return Ok(());
    }
    ensure!(
        !answer.purposes.is_empty(),
        "the operator has no key yet for {}: let it make one (vernport keys new), activate it, and say the number again",
        list(&answer.without_key)
    );
    let mut said = format!("the operator is told, sealed, for {}\n", list(&answer.purposes));
    if !answer.without_key.is_empty() {
        said += &format!("it has no key yet for {}: say the number again then\n", list(&answer.without_key));
    }
    output::tell(&said)?;
    Ok(())
}

fn list(purposes: &[Slug]) -> String {
    purposes.iter().map(Slug::as_str).collect::<Vec<_>>().join(", ")
}
