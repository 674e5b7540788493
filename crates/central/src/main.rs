//! vernport-central: reads one configuration file and serves, or only checks it.

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use sd_notify::NotifyState;
use std::{convert::Infallible, path::PathBuf};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use vernport_central::{Config, Deps, Running, run};
use vernport_status::output;

#[derive(Parser)]
#[command(version, about = "Registry, grants, and the store that cannot read")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve until SIGTERM or SIGINT.
    Run {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
        /// What to log, as in `info` or `vernport_central=debug`; goes before the configuration.
        #[arg(long, env = "VERNPORT_LOG")]
        log: Option<String>,
        /// Log one JSON object a line.
        #[arg(long)]
        log_json: bool,
    },
    /// Say whether a configuration and everything it names is in order.
    CheckConfig {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
    },
    /// Print the description of what is served (OpenAPI 3.1).
    Openapi,
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Run { config, log, log_json } => {
            let config = Config::read(&config)?;
            config.log.start(log.as_deref(), log_json)?;
            let deps = Deps::load(&config)?;
            serve(config, deps)
        }
        Command::CheckConfig { config } => {
            let checked = Config::read(&config)?;
            Deps::load(&checked)?;
            let controllers = checked.controllers.len();
            Ok(output::tell(&format!("{}: in order, {controllers} controllers", config.display()))?)
        }
        Command::Openapi => Ok(output::tell(vernport_api::OPENAPI)?),
    }
}

#[tokio::main]
async fn serve(config: Config, deps: Deps) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be listened for")?;
    let shutdown = CancellationToken::new();
    let running = run(config.listen, &config.store, deps, shutdown.clone()).await?;
    let address = format!("serves at {}", running.addr);
    tell(&[NotifyState::Ready, NotifyState::Status(&address)]);
    tokio::select! {
        _ = terminate.recv() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted.context("SIGINT cannot be listened for")?,
        never = watch(&running) => match never {},
    }
    tell(&[NotifyState::Stopping]);
    shutdown.cancel();
    running.stopped().await;
    Ok(())
}

/// Tells systemd that central lives, as long as the loop that accepts connections goes round.
async fn watch(running: &Running) -> Infallible {
    let Some(limit) = sd_notify::watchdog_enabled() else { return std::future::pending().await };
    let mut seen = None;
    loop {
        let turns = Some(running.turns());
        if turns == seen {
            tracing::error!("the loop that accepts connections stands still");
        } else {
            tell(&[NotifyState::Watchdog]);
        }
        seen = turns;
        tokio::time::sleep(limit / 3).await;
    }
}

/// Without systemd there is nobody to tell.
fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "systemd cannot be told");
    }
}
