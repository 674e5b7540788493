//! The `vernport` command, as a library: so that tests drive the same stage,
//! set and commands as a person at the keyboard.

pub mod args;
pub mod audit;
pub mod bundle;
pub mod consent;
pub mod dbc;
pub mod decode;
pub mod deleted;
pub mod demo;
pub mod dev;
pub mod doctor;
mod effect;
pub mod erase;
pub mod explain;
pub mod fleet_number;
pub mod gateway;
pub mod init;
pub mod keys;
pub mod ledger;
pub mod link;
pub mod mqtt;
pub mod order;
pub mod processor;
pub mod publish;
pub mod registrar;
pub mod registry;
pub mod replay;
pub mod shipped;
pub mod show;
pub mod sim;
pub mod spool;
pub mod stage;
pub mod station;
pub mod status;
pub mod subscribe;
pub mod unseal;

use anyhow::Result;
use args::{Cli, Command};

/// Carries out what was typed.
///
/// # Errors
/// What `main` shows the person, with what to mend.
pub async fn run(cli: Cli) -> Result<()> {
    match cli.command {
        Command::Demo(args) => demo::run(&args).await,
        Command::Replay(args) => replay::run(&args).await,
        Command::Decode(args) => decode::run(&args),
        Command::Unseal(args) => unseal::run(&args),
        Command::Subscribe(args) => subscribe::run(&args).await,
        Command::Deleted(args) => deleted::run(&args).await,
        Command::Publish(args) => publish::run(&args).await,
        Command::Order(args) => order::run(args).await,
        Command::FleetNumber(args) => fleet_number::run(args).await,
        Command::Station(args) => station::run(args).await,
        Command::Gateway(args) => gateway::run(args).await,
        Command::Mqtt(args) => mqtt::run(args).await,
        Command::Consent(args) => consent::run(args).await,
        Command::Ledger(args) => ledger::run(args).await,
        Command::Processor(args) => processor::run(args).await,
        Command::Erase(args) => erase::run(args).await,
        Command::Erasure(args) => erase::show(args).await,
        Command::Deletions(args) => erase::deletions(args).await,
        Command::Registry(args) => registry::run(args).await,
        Command::Explain(args) => explain::run(&args).await,
        Command::Audit(args) => audit::run(&args).await,
        Command::Bundle(args) => bundle::run(&args),
        Command::Dbc(args) => dbc::run(&args),
        Command::Init(args) => init::run(&args),
        Command::Keys(args) => keys::run(args).await,
        Command::Sim(args) => sim::run(&args).await,
        Command::Status(args) => status::run(&args).await,
        Command::Doctor(args) => doctor::run(&args).await,
        Command::Spool(args::Spool::Status(args)) => spool::run(&args).await,
        Command::Spool(args::Spool::Refused(args)) => spool::refused::run(&args).await,
    }
}
