//! `vernport init --dev DIR`: a set for one developer's machine.

use crate::{
    args,
    dev::{self, Options},
    shipped,
};
use anyhow::Result;
use std::collections::BTreeMap;
use vernport_status::output;

/// Where central of a set that stays listens.
const CENTRAL_PORT: u16 = 8443;

/// Makes the set and says how to start it.
///
/// # Errors
/// If the folder holds a set already, a bundle is broken or a file cannot be written.
pub fn run(args: &args::Init) -> Result<()> {
    let options = Options {
        central_port: CENTRAL_PORT,
        bundles: shipped::bundles(args.bundles.as_deref())?,
        bus: "can:vcan0".into(),
        file_time: false,
        gateway_extra: BTreeMap::new(),
    };
    let dev = dev::make(&args.dev, &options)?;
    let dir = dev.dir.display();
    let mut text = format!(
        "{dir}: certificates, keys, signed bundles and configurations, all drawn now\n\n\
         start central:     vernport-central run --config {dir}/central.toml\n"
    );
    for controller in &dev.controller {
        text += &format!(
            "start a gateway:   vernport-gateway run --config {dir}/{}/gateway.toml\n",
            controller.name
        );
    }
    let first = dev.controller.first().map_or("NAME", |controller| controller.name.as_str());
    text += &format!(
        "fill a ledger:     vernport ledger record --dev {dir} --controller {first} --world world.toml\n\
         open an order:     vernport order open --dev {dir} --controller {first} --plate NO AB12345 --station bay-1 --reference 1017\n",
    );
    output::tell(&text)?;
    Ok(())
}
