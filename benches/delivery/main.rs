//! What the way from the spool into the store takes: rates, bytes, syncs, memory, and the times of
//! starting, going on after a sleep, and withdrawing. Daemons as processes of their own on a real disk;
//! figures in `../README.md`.
//!
//! No criterion: these are not loops but a whole installation that is watched.
//! `cargo bench --bench delivery [-- queue|live|resume|withdrawal …] [--hours N]`.

#![expect(clippy::print_stdout, reason = "the figures are the purpose")]

mod bus;
#[allow(dead_code, reason = "the suite durability uses the rest")]
#[path = "../../tests/durability/daemons.rs"]
mod daemons;
#[allow(dead_code, reason = "the suite durability uses the rest")]
#[path = "../../tests/durability/disk.rs"]
mod disk;
mod live;
#[allow(dead_code, reason = "the suite pipeline uses the rest")]
#[path = "../../tests/pipeline/opened.rs"]
mod opened;
mod place;
mod process;
mod queue;
mod resume;
#[allow(dead_code, reason = "the suite pipeline uses the rest")]
#[path = "../../tests/pipeline/truck.rs"]
mod truck;
mod wire;
mod withdrawal;

use anyhow::Result;
use std::time::Duration;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let number = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)?.parse::<u64>().ok()
    };
    let named = ["queue", "live", "resume", "withdrawal"];
    let all = !named.iter().any(|name| arguments.iter().any(|argument| argument == name));
    let asked = |name: &str| all || arguments.iter().any(|argument| argument == name);
    daemons::built()?;
    if asked("queue") {
        queue::measure(number("--hours").unwrap_or(24)).await?;
    }
    if asked("live") {
        live::measure(number("--seconds").unwrap_or(60)).await?;
    }
    if asked("resume") {
        resume::measure(number("--times").unwrap_or(20)).await?;
    }
    if asked("withdrawal") {
        withdrawal::measure(number("--withdrawals").unwrap_or(1_000)).await?;
    }
    Ok(())
}

/// The middle one, and the one that 99 of 100 do not exceed.
fn p50_p99(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    (at(0.5), at(0.99))
}
