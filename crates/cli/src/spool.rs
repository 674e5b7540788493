//! `vernport spool status`: what waits, and how long there is room. Reads only, also beside a
//! running gateway.

pub mod refused;

use crate::{
    args, show,
    status::{Unasked, ago, asked},
};
use anyhow::Result;
use serde_json::{Value as Json, json};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::SystemTime,
};
use vernport_gateway::Config as GatewayConfig;
use vernport_spool::{Destination, Inspect, Waiting};
use vernport_status::{StageKind, State, output};
use vernport_types::{UtcMicros, chain};

/// What is taken as the present, in seconds.
const HOUR: u64 = 3_600;
/// Below this a window says little, in seconds.
const LEAST_WINDOW: u64 = 60;

/// How many bytes came and went, and within how many seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rate {
    in_bytes: u64,
    /// Known of a running gateway only.
    out_bytes: Option<u64>,
    seconds: u64,
}

impl Rate {
    /// Hours until `room` bytes are used, if what comes in has to stay; none where nothing comes in.
    fn hours(self, room: u64) -> Option<f64> {
        hours(room, self.in_bytes, self.seconds)
    }

    /// The same for as much as comes in more than goes out.
    fn hours_net(self, room: u64) -> Option<f64> {
        hours(room, self.in_bytes.saturating_sub(self.out_bytes?), self.seconds)
    }
}

fn hours(room: u64, bytes: u64, seconds: u64) -> Option<f64> {
    (bytes > 0 && seconds > 0).then(|| room as f64 * seconds as f64 / bytes as f64 / HOUR as f64)
}

/// All that is told.
struct Found {
    file: PathBuf,
    waiting: BTreeMap<Destination, Waiting>,
    used_bytes: u64,
    max_bytes: Option<u64>,
    reserve_bytes: u64,
    free_bytes: Option<u64>,
    rate: Rate,
    running: bool,
    now: UtcMicros,
}

/// The time of this machine.
pub(crate) fn now() -> UtcMicros {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UtcMicros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// Looks and prints.
///
/// # Errors
/// [`Unasked`] for a configuration, [`crate::audit::Unreadable`] for a spool that cannot be read.
pub async fn run(args: &args::SpoolStatus) -> Result<()> {
    let found = look(args).await?;
    if args.json {
        output::print(&found.json().to_string())?;
    } else {
        output::print(&found.text())?;
    }
    Ok(())
}

async fn look(args: &args::SpoolStatus) -> Result<Found> {
    let config = configuration(args.at.gateway.as_deref())?;
    let file = place(config.as_ref(), &args.at)?;
    let unread = |source| crate::audit::Unreadable::Spool { path: file.clone(), source };
    let now = now();
    let mut inside = Inspect::open(&file).await.map_err(|error| unread(error.into()))?;
    let since = now.plus_seconds(-(HOUR as i64));
    let waiting = inside.waiting(since).await.map_err(|error| unread(error.into()))?;
    inside.close().await;
    let daemon = match config.as_ref().and_then(|config| config.status.as_ref()) {
        Some(section) => asked(&section.address).await.ok(),
        None => None,
    };
    let flowed = daemon.as_ref().and_then(|status| {
        let spool =
            status.stages.iter().find(|stage| stage.stage == StageKind::Spool && stage.state > State::Off)?;
        let count = |name: &str| spool.counts.get(name).copied();
        let seconds = count("last_hour_seconds").filter(|seconds| *seconds >= LEAST_WINDOW)?;
        let out_bytes = Some(count("freed_bytes_last_hour")?);
        Some(Rate { in_bytes: count("taken_bytes_last_hour")?, out_bytes, seconds })
    });
    let used_bytes = waiting.values().map(|one| one.bytes).sum();
    Ok(Found {
        rate: flowed.unwrap_or_else(|| of_rows(&waiting, now)),
        used_bytes,
        max_bytes: config.map(|config| config.spool.max_mib << 20),
        reserve_bytes: std::fs::metadata(reserve(&file)).map_or(0, |file| file.len()),
        free_bytes: rustix::fs::statvfs(&file).ok().map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize)),
        running: daemon.is_some(),
        waiting,
        file,
        now,
    })
}

fn configuration(path: Option<&Path>) -> Result<Option<GatewayConfig>, Unasked> {
    let load =
        |path| GatewayConfig::load(path).map_err(|error| Unasked::Configuration(chain(&error).to_string()));
    path.map(load).transpose()
}

/// The file of the spool that was meant.
fn place(config: Option<&GatewayConfig>, at: &args::SpoolAt) -> Result<PathBuf> {
    match (config, &at.file) {
        (Some(config), _) => Ok(config.gateway.data_dir.join("spool.db")),
        (None, Some(file)) => Ok(file.clone()),
        (None, None) => anyhow::bail!("name a spool, or a gateway's configuration with --gateway"),
    }
}

pub(crate) fn reserve(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".reserve");
    name.into()
}

/// What came within the last hour and is still there: the rate of a line that is down.
fn of_rows(waiting: &BTreeMap<Destination, Waiting>, now: UtcMicros) -> Rate {
    let oldest = waiting.values().filter_map(|one| one.oldest_at).min();
    let age = oldest.map_or(0, |at| u64::try_from(now.0.saturating_sub(at.0) / 1_000_000).unwrap_or(0));
    let in_bytes = waiting.values().map(|one| one.recent_bytes).sum();
    Rate { in_bytes, out_bytes: None, seconds: age.clamp(LEAST_WINDOW, HOUR) }
}

fn name(to: &Destination) -> (&'static str, String) {
    match to {
        Destination::Flow(flow) => ("central", flow.to_string()),
        Destination::Operator(operator) => ("topics", operator.to_string()),
        Destination::Unreadable => ("unreadable", String::new()),
    }
}

impl Found {
    fn room(&self) -> Option<u64> {
        self.max_bytes.map(|max| max.saturating_sub(self.used_bytes))
    }

    fn oldest(&self) -> Option<UtcMicros> {
        self.waiting.values().filter_map(|one| one.oldest_at).min()
    }

    /// What goes first when there is no room.
    fn gives_way(&self) -> String {
        let ranked = |topics: bool| {
            let of_kind = move |to: &&Destination| matches!(to, Destination::Operator(_)) == topics;
            self.waiting.iter().filter(move |(to, _)| of_kind(to)).filter_map(move |(to, one)| {
                Some((one.lowest_rank?, !topics, one.oldest_at, to, one.gives_way))
            })
        };
        // Lowest rank, then messages before batches, then the oldest.
        let first = ranked(true)
            .chain(ranked(false))
            .min_by_key(|(rank, batch, oldest, ..)| (*rank, *batch, *oldest));
        match first {
            Some((_, _, _, to, count)) => {
                let (kind, to) = name(to);
                format!("the oldest of {count} items for {kind} {to}")
            }
            None => "nothing: reading stands still, and logs and tools wait".to_owned(),
        }
    }

    fn json(&self) -> Json {
        let waiting: Vec<Json> = self
            .waiting
            .iter()
            .map(|(to, one)| {
                let (kind, to) = name(to);
                json!({
                    "to": kind, "name": to, "queued": one.queued, "parked": one.parked,
                    "quarantined": one.quarantined, "bytes": one.bytes, "gives_way": one.gives_way,
                    "oldest_at_micros": one.oldest_at,
                })
            })
            .collect();
        json!({
            "v": 1,
            "file": self.file,
            "running": self.running,
            "waiting": waiting,
            "used_bytes": self.used_bytes,
            "max_bytes": self.max_bytes,
            "reserve_bytes": self.reserve_bytes,
            "disk_free_bytes": self.free_bytes,
            "rate": {
                "from": if self.rate.out_bytes.is_some() { "gateway" } else { "rows" },
                "in_bytes": self.rate.in_bytes,
                "out_bytes": self.rate.out_bytes,
                "seconds": self.rate.seconds,
            },
            "hours_if_the_line_is_down": self.room().and_then(|room| self.rate.hours(room)),
            "hours_as_it_goes_now": self.room().and_then(|room| self.rate.hours_net(room)),
            "hours_until_the_disk_is_full": self.free_bytes.and_then(|free| self.rate.hours(free)),
            "gives_way_first": self.gives_way(),
        })
    }

    fn text(&self) -> String {
        let rows = self.waiting.iter().map(|(to, one)| {
            let (kind, to) = name(to);
            let oldest = one.oldest_at.map(|at| ago(at, self.now)).unwrap_or_default();
            [
                kind.to_owned(),
                to,
                one.queued.to_string(),
                one.parked.to_string(),
                one.quarantined.to_string(),
                bytes(one.bytes),
                oldest,
            ]
        });
        let mut text =
            show::table(&["to", "name", "queued", "parked", "quarantined", "bytes", "oldest"], rows);
        let of = |max: Option<u64>| max.map_or("an unknown bound (name the configuration)".to_owned(), bytes);
        text += &format!(
            "\nused {} of {}, reserve {}",
            bytes(self.used_bytes),
            of(self.max_bytes),
            bytes(self.reserve_bytes)
        );
        text += &format!(", free on its disk {}\n", self.free_bytes.map_or("unknown".to_owned(), bytes));
        if let Some(oldest) = self.oldest() {
            text += &format!("the oldest was queued {}\n", ago(oldest, self.now));
        }
        let per_hour =
            |count: u64| bytes((count as f64 * HOUR as f64 / self.rate.seconds.max(1) as f64) as u64);
        text += &match self.rate.out_bytes {
            Some(out) => format!(
                "in {} an hour, out {}, as the gateway counts\n",
                per_hour(self.rate.in_bytes),
                per_hour(out)
            ),
            None => format!(
                "in {} an hour, by what came in the last hour and waits\n",
                per_hour(self.rate.in_bytes)
            ),
        };
        let lasts = |what: &str, hours: Option<f64>| match hours {
            Some(hours) => format!("{what}: {hours:.1} hours\n"),
            None => format!("{what}: no end, at this rate\n"),
        };
        if let Some(room) = self.room() {
            text += &lasts("room if the line is down", self.rate.hours(room));
            if self.rate.out_bytes.is_some() {
                text += &lasts("room as it goes now", self.rate.hours_net(room));
            }
        }
        if let Some(free) = self.free_bytes {
            text += &lasts("until the disk is full", self.rate.hours(free));
        }
        text + &format!("without room there gives way first: {}\n", self.gives_way())
    }
}

/// Bytes in a unit that a person reads.
fn bytes(count: u64) -> String {
    match count {
        0..10_240 => format!("{count} B"),
        10_240..10_485_760 => format!("{:.1} KiB", count as f64 / 1024.0),
        _ => format!("{:.1} MiB", count as f64 / 1_048_576.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_follow_from_the_rate_and_where_nothing_comes_there_is_no_end() {
        let rate = Rate { in_bytes: 1_000, out_bytes: Some(400), seconds: 1_800 };
        assert_eq!(rate.hours(24_000), Some(12.0));
        assert_eq!(rate.hours_net(24_000), Some(20.0));
        assert_eq!(Rate { out_bytes: Some(2_000), ..rate }.hours_net(24_000), None);
        assert_eq!(Rate { in_bytes: 0, ..rate }.hours(24_000), None);
        assert_eq!(Rate { out_bytes: None, ..rate }.hours_net(1), None);
    }

    #[test]
    fn the_rate_of_rows_is_over_an_hour_or_since_the_oldest_of_a_younger_spool() {
        let now = UtcMicros(1_800_000_000_000_000);
        let waiting = |age: i64| {
            let one =
                Waiting { recent_bytes: 500, oldest_at: Some(now.plus_seconds(-age)), ..Waiting::default() };
            BTreeMap::from([(Destination::Unreadable, one)])
        };
        assert_eq!(of_rows(&waiting(600), now).seconds, 600);
        assert_eq!(of_rows(&waiting(90_000), now).seconds, HOUR);
        assert_eq!(of_rows(&waiting(1), now).seconds, LEAST_WINDOW);
        assert_eq!(of_rows(&BTreeMap::new(), now).in_bytes, 0);
    }
}
