//! vernport-central: reads one configuration file and serves, or only checks it.

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use std::{io::IsTerminal as _, path::PathBuf};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;
use vernport_central::{Config, Deps, run};

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
        /// What to log, as in `info` or `vernport_central=debug`.
        #[arg(long, env = "VERNPORT_LOG", default_value = "info")]
        log: String,
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
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Run { config, log, log_json } => {
            let log = EnvFilter::try_new(log).context("--log cannot be read; write `info`, for instance")?;
            let builder = tracing_subscriber::fmt()
                .with_env_filter(log)
                .with_writer(std::io::stderr)
                .with_ansi(std::io::stderr().is_terminal());
            if log_json {
                builder.json().init();
            } else {
                builder.init();
            }
            let config = Config::read(&config)?;
            let deps = Deps::load(&config)?;
            serve(config, deps)
        }
        Command::CheckConfig { config } => {
            let checked = Config::read(&config)?;
            Deps::load(&checked)?;
            #[expect(clippy::print_stdout, reason = "the answer of the command")]
            {
                println!("{}: in order, {} controllers", config.display(), checked.controllers.len());
            }
            Ok(())
        }
    }
}

#[tokio::main]
async fn serve(config: Config, deps: Deps) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be listened for")?;
    let shutdown = CancellationToken::new();
    let running = run(config.listen, &config.store, deps, shutdown.clone()).await?;
    tokio::select! {
        _ = terminate.recv() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted.context("SIGINT cannot be listened for")?,
    }
    shutdown.cancel();
    running.stopped().await;
    Ok(())
}
