//! The daemon: reads its configuration, logs, runs until it is told to stop.

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use sd_notify::NotifyState;
use std::{
    convert::Infallible,
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use vernport_api::{EnrolmentAnswer, Token};
use vernport_canbus::VirtualBuses;
use vernport_crypto::Zeroizing;
use vernport_gateway::{
    CertificateHealth, Config, Deps, Running, SystemClock,
    enrol::{self, Enrolled, Enrolling},
    rules,
    secrets::Secrets,
};
use vernport_status::output;
use vernport_types::Clock as _;
use vernport_uplink::{Certificate, TlsFiles};

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
    /// Get this gateway's certificate from central, with the token of an invitation
    ///
    /// Draws the keys that the configuration names and are not there, and writes them and the certificate
    /// into its files. Interrupted, or without an answer, it is run again and goes on.
    Enrol(Enrol),
    /// Read the configuration with its rules and keys as `run` would, and say what is wrong
    CheckConfig {
        /// The configuration (TOML)
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

#[derive(Debug, clap::Args)]
struct Enrol {
    /// The configuration (TOML)
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Where central takes enrolments: https://host:port
    #[arg(long)]
    url: String,
    /// The authority of central's certificate (PEM)
    #[arg(long, value_name = "FILE")]
    ca: PathBuf,
    /// File with the token; without it the token is read from standard input
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Take the place of keys and certificate that are here, and of the gateway of this name at central
    #[arg(long)]
    replace: bool,
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Run { config, log_json } => {
            let config = Config::load(&config)?;
            config.log.start(std::env::var("VERNPORT_LOG").ok().as_deref(), log_json)?;
            run(&config)
        }
        Command::Enrol(args) => {
            vernport_status::Log::default().start(std::env::var("VERNPORT_LOG").ok().as_deref(), false)?;
            enrol(&args)
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

/// A token is 77 characters; what is longer is none.
const MAX_TOKEN_BYTES: u64 = 1024;

#[tokio::main]
async fn enrol(args: &Enrol) -> Result<()> {
    let config = Config::load(&args.config)?;
    let token = token(args.token_file.as_deref())?;
    let Enrol { url, ca, replace, .. } = args;
    let asked = Enrolling { config: &config, url, ca, token, replace: *replace };
    let told = match enrol::enrol(asked).await? {
        Enrolled::Before => vec!["enrolled before; what was interrupted is finished".to_owned()],
        Enrolled::Now(answer) => told(&config, &answer),
    };
    let next = format!(
        "next: vernport-gateway check-config --config {0}\n      vernport-gateway run --config {0}",
        args.config.display()
    );
    for line in told.iter().chain([&next]) {
        output::tell(line)?;
    }
    Ok(())
}

/// What was written, and what in the configuration does not fit to it.
fn told(config: &Config, answer: &EnrolmentAnswer) -> Vec<String> {
    let (central, identity) = (&config.central, &config.gateway);
    let mut told = vec![format!(
        "{} is enrolled at {}/{} of {}; certificate {}, key {}",
        identity.name,
        answer.site,
        answer.station,
        answer.controller,
        central.certificate.display(),
        central.key.display()
    )];
    if answer.head_key != central.head_key {
        told.push(format!("mend [central]: head_key = \"{}\"", answer.head_key));
    }
    if let Some(url) = answer.central_url.as_ref().filter(|url| **url != central.url) {
        told.push(format!("central says that it serves gateways at {url}; [central] says {}", central.url));
    }
    if (&answer.site, &answer.station) != (&identity.site, &identity.station) {
        told.push(format!(
            "mend [gateway]: site = \"{}\" and station = \"{}\", as in the invitation",
            answer.site, answer.station
        ));
    }
    told
}

/// A token is never an argument, where every user of the machine could read it. Nothing on standard input:
/// what was asked before is asked again.
fn token(file: Option<&Path>) -> Result<Option<Token>> {
    let mut text = Zeroizing::new(String::new());
    match file {
        Some(path) => {
            let said = || format!("{}: the token cannot be read", path.display());
            let opened = std::fs::File::open(path).with_context(said)?;
            opened.take(MAX_TOKEN_BYTES).read_to_string(&mut text).with_context(said)?;
        }
        None => {
            let read = std::io::stdin().take(MAX_TOKEN_BYTES).read_to_string(&mut text);
            read.context("the token cannot be read from standard input")?;
        }
    }
    let text = text.trim();
    Ok(if text.is_empty() { None } else { Some(text.parse()?) })
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
            let certificate = match status.certificate.map(|seen| seen.health) {
                Some(CertificateHealth::Late) => "; the certificate ends soon",
                Some(CertificateHealth::Ended) => "; the certificate ended: enrol anew",
                Some(CertificateHealth::Good) | None => "",
            };
            let waits = format!("{stands}{batches} batches and {messages} messages wait{certificate}");
            tell(&[NotifyState::Status(&waits)]);
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
    vernport_gateway::dialects::load(&config.tool, &catalogue)?;
    Secrets::load(&config.keys)?;
    certificate(config)?;
    let (flows, signals) = (rules.flows().len(), catalogue.len());
    let (name, buses) = (rules.name(), config.bus.len());
    Ok(output::tell(&format!("ok: bundle {name} with {flows} flows, {signals} signals, {buses} buses"))?)
}

/// Whether the certificate for central fits its key and lasts; one that is not there yet is not wrong.
fn certificate(config: &Config) -> Result<()> {
    let central = &config.central;
    let (ca, certificate, key) = (central.ca.clone(), central.certificate.clone(), central.key.clone());
    if !certificate.exists() {
        let told = format!("{}: is not there yet; see `vernport-gateway enrol`", certificate.display());
        return Ok(output::tell(&told)?);
    }
    let until = Certificate::read(&certificate)?.validity.not_after;
    anyhow::ensure!(
        SystemClock.now().wall < until,
        "{}: ended; be invited and enrol anew with `vernport-gateway enrol --replace`",
        certificate.display()
    );
    TlsFiles { ca, certificate, key }.client()?;
    Ok(())
}
