//! The daemon: reads its configuration, logs, runs until it is told to stop.

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use sd_notify::NotifyState;
use std::{convert::Infallible, path::PathBuf, sync::Arc, time::Duration};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use vernport_canbus::VirtualBuses;
use vernport_gateway::{Config, Deps, Running, SystemClock, rules, secrets::Secrets};

/// How often it is told how the gateway stands, where no watchdog asks for more.
const REPORT: Duration = Duration::from_secs(10);

/// From the bus to the sealed queue, and onwards
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run until SIGTERM or SIGINT
    Run {
        /// The configuration (TOML)
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Log one JSON object a line
        #[arg(long)]
        log_json: bool,
    },
    /// Read the configuration with its rules and keys as `run` would, and say what is wrong
    CheckConfig {
        /// The configuration (TOML)
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Run { config, log_json } => {
            let config = Config::load(&config)?;
            config.log.start(std::env::var("VERNPORT_LOG").ok().as_deref(), log_json)?;
            run(&config)
        }
        Command::CheckConfig { config } => {
            let config = Config::load(&config)?;
            config.log.start(std::env::var("VERNPORT_LOG").ok().as_deref(), false)?;
            check(&config)
        }
    }
}

#[tokio::main]
async fn run(config: &Config) -> Result<()> {
    let stop = CancellationToken::new();
    let deps = Deps { clock: Arc::new(SystemClock), buses: VirtualBuses::default() };
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be caught")?;
    let running = vernport_gateway::run(config, deps, stop.clone()).await?;
    tracing::info!(gateway = %config.gateway.name, "running");
    tell(&[NotifyState::Ready]);
    let broken = tokio::select! {
        () = stop.cancelled() => true,
        _ = terminate.recv() => false,
        interrupt = tokio::signal::ctrl_c() => interrupt.map(|()| false).context("SIGINT cannot be caught")?,
        never = report(&running) => match never {},
    };
    tracing::info!("stopping");
    tell(&[NotifyState::Stopping]);
    running.stop().await;
    anyhow::ensure!(!broken, "a part of the gateway cannot go on; the log says which and why");
    Ok(())
}

/// Tells systemd how it stands, and that it lives as long as the loop that decides and queues goes round.
async fn report(running: &Running) -> Infallible {
    let every = sd_notify::watchdog_enabled().map_or(REPORT, |limit| limit / 3);
    let mut seen = None;
    loop {
        let turns = Some(running.turns());
        if turns == seen {
            tracing::error!("the loop that decides and queues stands still");
        } else {
            tell(&[NotifyState::Watchdog]);
        }
        seen = turns;
        if let Ok(status) = running.status().await {
            let (batches, messages) = (status.spool.batches_queued, status.spool.topics_queued);
            let stands = if status.waiting_for_room { "no room: reading stands still; " } else { "" };
            tell(&[NotifyState::Status(&format!("{stands}{batches} batches and {messages} messages wait"))]);
        }
        tokio::time::sleep(every).await;
    }
}

/// Without systemd there is nobody to tell.
fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "systemd cannot be told");
    }
}

fn check(config: &Config) -> Result<()> {
    let catalogue = rules::load_catalogue(&config.rules.signals)?;
    let rules = rules::load(&config.rules, &config.gateway.controller, &catalogue)?;
    for bus in &config.bus {
        bus.data_identifiers(&catalogue).with_context(|| format!("bus {}, dids", bus.source))?;
        vernport_gateway::dbc::read(&bus.dbc, bus.dbc_map.as_deref(), &catalogue)
            .with_context(|| format!("bus {}, dbc", bus.source))?;
    }
    Secrets::load(&config.keys)?;
    let (flows, signals) = (rules.flows().len(), catalogue.len());
    #[expect(clippy::print_stdout, reason = "this is the answer that was asked for")]
    {
        println!(
            "ok: bundle {} with {flows} flows, {signals} signals, {} buses",
            rules.name(),
            config.bus.len()
        );
    }
    Ok(())
}
