//! What mosquitto and our publisher give a fleet operator: messages a second beside a plain rumqttc
//! worker, and the time from a CAN frame to a subscriber beside a full bus (figures in `../README.md`).
//!
//! No criterion: these are installations that are watched.
//! `cargo bench --bench publish [-- rate|latency] [--messages N] [--seconds N]`.

#![expect(clippy::print_stdout, reason = "the figures are the purpose")]

#[allow(dead_code, reason = "the suite mosquitto uses the rest")]
#[path = "../../tests/mosquitto/broker.rs"]
mod broker;
#[allow(dead_code, reason = "the suite mosquitto uses the rest")]
#[path = "../../tests/mosquitto/certificates.rs"]
mod certificates;
#[allow(dead_code, reason = "the suite mosquitto uses the rest")]
#[path = "../../tests/mosquitto/installation.rs"]
mod installation;
mod latency;
mod rate;
#[allow(dead_code, reason = "the adapter's own tests use the rest")]
#[path = "../../crates/mqtt/tests/link/world.rs"]
mod world;

use anyhow::Result;
use std::time::Duration;

/// How long a message is waited for before it counts as lost.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::main]
async fn main() -> Result<()> {
    if broker::is_missing("publish") {
        return Ok(());
    }
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let number = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)?.parse::<u64>().ok()
    };
    let named = |name: &str| arguments.iter().any(|argument| argument == name);
    let all = !named("rate") && !named("latency");
    if all || named("rate") {
        rate::measure(usize::try_from(number("--messages").unwrap_or(20_000))?).await?;
    }
    if all || named("latency") {
        latency::measure(number("--seconds").unwrap_or(30)).await?;
    }
    Ok(())
}
