//! `vernport status`: how each stage of a daemon stands, as it says itself; where a gateway
//! does not run, what its spool tells.

use crate::{args, show, spool};
use anyhow::Result;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use thiserror::Error;
use vernport_gateway::Config as GatewayConfig;
use vernport_spool::Inspect;
use vernport_status::{
    Address, AskError, Cause, Daemon, PathStatus, Stage, StageKind, State, VERSION, ask, output,
};
use vernport_types::{UtcMicros, chain};

/// How often `--watch` looks.
const AGAIN: Duration = Duration::from_secs(2);
/// Clears a terminal and goes to its first line.
const CLEAR: &str = "\x1b[2J\x1b[H";

/// Nobody could be asked.
#[derive(Debug, Error)]
pub enum Unasked {
    /// A configuration cannot be read.
    #[error("{0}")]
    Configuration(String),
    /// The configuration names no address.
    #[error("{}: has no [status]; write address = \"127.0.0.1:{port}\" below it and restart the daemon", path.display())]
    NoAddress {
        /// Which file.
        path: PathBuf,
        /// A port that is free by habit.
        port: u16,
    },
    /// Nobody answered.
    #[error(transparent)]
    Silent(#[from] AskError),
    /// It answered in a version that is not known here.
    #[error("{address}: tells its status in version {found}, this command reads {VERSION}; update it")]
    Version {
        /// Where.
        address: Address,
        /// Of the answer.
        found: u64,
    },
}

/// Something is degraded or broken; it was printed.
#[derive(Debug, Error)]
#[error("{0}")]
struct Trouble(String);

/// Asks and prints.
///
/// # Errors
/// [`Unasked`] where nobody could be asked, another one where somebody has to look.
pub async fn run(args: &args::Status) -> Result<()> {
    loop {
        let told = look(args).await;
        if !args.watch {
            let told = told?;
            output::tell(&text(&told, args.json)?)?;
            return well(&told);
        }
        match &told {
            Ok(told) => {
                let clear = if args.json { "" } else { CLEAR };
                output::print(&(clear.to_owned() + &text(told, args.json)?))?;
            }
            Err(error) => output::print(&format!("{error:#}"))?,
        }
        tokio::select! {
            _ = tokio::signal::ctrl_c() => return told.map(drop),
            () = tokio::time::sleep(AGAIN) => {}
        }
    }
}

fn well(told: &[PathStatus]) -> Result<()> {
    let not: Vec<String> = told
        .iter()
        .flat_map(|status| &status.stages)
        .filter(|stage| stage.state.is_trouble())
        .map(|stage| format!("{} is {}", stage.stage.code(), stage.state.code()))
        .collect();
    if not.is_empty() { Ok(()) } else { Err(Trouble(not.join(", ")).into()) }
}

async fn look(args: &args::Status) -> Result<Vec<PathStatus>> {
    let mut told = Vec::new();
    if let Some(address) = &args.gateway {
        told.push(asked(address).await?);
    }
    if let Some(path) = &args.config {
        told.push(gateway(path).await?);
    }
    if let Some(path) = &args.central {
        let config = vernport_central::Config::read(path)
            .map_err(|error| Unasked::Configuration(chain(&error).to_string()))?;
        let section = config.status.ok_or_else(|| Unasked::NoAddress { path: path.clone(), port: 9751 })?;
        told.push(asked(&section.address).await?);
    }
    Ok(told)
}

/// Asks a daemon.
pub(crate) async fn asked(address: &Address) -> Result<PathStatus, Unasked> {
    let body = ask(address, "/status", "application/json").await?;
    if let Ok(status) = serde_json::from_slice::<PathStatus>(&body)
        && status.v == VERSION
    {
        return Ok(status);
    }
    let json: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
    match json.and_then(|json| json.get("v").and_then(serde_json::Value::as_u64)) {
        Some(found) => Err(Unasked::Version { address: address.clone(), found }),
        None => Err(AskError::Other { address: address.clone() }.into()),
    }
}

/// Asks the gateway of a configuration, or looks into its spool where it does not run.
async fn gateway(path: &Path) -> Result<PathStatus, Unasked> {
    let config =
        GatewayConfig::load(path).map_err(|error| Unasked::Configuration(chain(&error).to_string()))?;
    let Some(section) = &config.status else {
        return Err(Unasked::NoAddress { path: path.into(), port: 9750 });
    };
    match asked(&section.address).await {
        Err(Unasked::Silent(silent @ AskError::Nobody { .. })) => {
            let spool = config.gateway.data_dir.join("spool.db");
            let name = config.gateway.name.to_string();
            from_spool(&spool, name, config.spool.max_mib << 20).await.ok_or(Unasked::Silent(silent))
        }
        asked => asked,
    }
}

/// What a spool tells of a gateway that does not run; none where there is no spool that can be read.
async fn from_spool(path: &Path, name: String, max_bytes: u64) -> Option<PathStatus> {
    let mut inside = Inspect::open(path).await.ok()?;
    let now = spool::now();
    let waiting = inside.waiting(now).await.ok()?;
    inside.close().await;
    let sum = |of: fn(&vernport_spool::Waiting) -> u64| waiting.values().map(of).sum::<u64>();
    let quarantined = sum(|one| one.quarantined);
    let stage = Stage::new(StageKind::Spool, State::Ok)
        .last(waiting.values().filter_map(|one| one.oldest_at).min())
        .count("queued", sum(|one| one.queued))
        .count("parked", sum(|one| one.parked))
        .count("quarantined", quarantined)
        .count("used_bytes", sum(|one| one.bytes))
        .count("max_bytes", max_bytes)
        .because(Cause::NotRunning, true)
        .because(Cause::Quarantined, quarantined > 0);
    Some(PathStatus::of(Daemon::Gateway, name, "", now, vec![stage]))
}

fn text(told: &[PathStatus], json: bool) -> Result<String> {
    let mut text = String::new();
    for status in told {
        if json {
            text += &(serde_json::to_string(status)? + "\n");
            continue;
        }
        let running = if status.software.is_empty() { "does not run" } else { status.state.code() };
        text += &format!("{} {}: {running}\n", daemon(status.daemon), status.name);
        text += &table(status);
    }
    Ok(text)
}

const fn daemon(daemon: Daemon) -> &'static str {
    match daemon {
        Daemon::Gateway => "gateway",
        Daemon::Central => "central",
    }
}

/// One line for each stage.
pub(crate) fn table(status: &PathStatus) -> String {
    let rows = status.stages.iter().map(|stage| {
        let counts: Vec<_> = stage
            .counts
            .iter()
            .filter(|(_, count)| **count > 0)
            .map(|(name, count)| format!("{name} {count}"))
            .collect();
        let reasons: Vec<_> = stage
            .reasons
            .iter()
            .map(|told| match told.count {
                0 | 1 => told.code.clone(),
                count => format!("{} {count}", told.code),
            })
            .collect();
        [
            stage.stage.code().to_owned(),
            stage.name.clone().unwrap_or_default(),
            stage.state.code().to_owned(),
            stage.last_at_micros.map(|at| ago(at, status.at_micros)).unwrap_or_default(),
            counts.join(", "),
            reasons.join(", "),
            stage.remedy.clone().unwrap_or_default(),
        ]
    });
    show::table(&["stage", "name", "state", "last", "counts", "why", "what to do"], rows)
}

/// How long ago something was, in the largest whole unit.
pub(crate) fn ago(at: UtcMicros, now: UtcMicros) -> String {
    let seconds = now.0.saturating_sub(at.0).max(0) / 1_000_000;
    match seconds {
        0..120 => format!("{seconds} s ago"),
        120..7_200 => format!("{} min ago", seconds / 60),
        7_200..172_800 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_in_the_largest_whole_unit() {
        let now = UtcMicros(1_800_000_000_000_000);
        for (seconds, text) in [
            (0, "0 s ago"),
            (119, "119 s ago"),
            (120, "2 min ago"),
            (7_200, "2 h ago"),
            (200_000, "2 d ago"),
            (-5, "0 s ago"),
        ] {
            assert_eq!(ago(now.plus_seconds(-seconds), now), text);
        }
    }
}
