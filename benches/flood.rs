//! Budget: how long workshop tools wait for their answers beside one that sends fifty times its limit, as a
//! ratio to the same tools undisturbed, in one run. A whole gateway with its spool on a disk, a broker, real
//! sockets; the scene is that of `tests/pipeline/flood.rs`, which asserts that nothing is lost.
//!
//! `cargo bench --bench flood [-- MESSAGES]`: so many of each of ten tools; 200 unless told.

#![expect(clippy::print_stdout, reason = "the figures are the purpose")]

#[allow(dead_code, reason = "the suite pipeline uses the rest")]
#[path = "../tests/pipeline/fleet.rs"]
mod fleet;
#[allow(dead_code, reason = "the suite pipeline uses the rest")]
#[path = "../tests/pipeline/flood.rs"]
mod flood;
#[allow(dead_code, reason = "the suite pipeline uses the rest")]
#[path = "../tests/pipeline/opened.rs"]
mod opened;
#[allow(dead_code, reason = "the suite pipeline uses the rest")]
#[path = "../tests/pipeline/stand.rs"]
mod stand;
#[allow(dead_code, reason = "the suite pipeline uses the rest")]
#[path = "../tests/pipeline/truck.rs"]
mod truck;

use anyhow::Result;
use std::time::Duration;

/// Each honest tool sends one message in this time, well within its limit.
const PAUSE: Duration = Duration::from_millis(200);
/// What the budget allows.
const BUDGET: f64 = 2.0;

#[tokio::main]
async fn main() -> Result<()> {
    let messages = std::env::args().filter_map(|argument| argument.parse().ok()).next_back().unwrap_or(200);
    let bay = flood::Bay::open().await?;
    bay.scene("warm", 10, PAUSE, false).await?;
    let calm = bay.scene("calm", messages, PAUSE, false).await?;
    let beside = bay.scene("beside", messages, PAUSE, true).await?;
    let again = bay.scene("again", messages, PAUSE, false).await?;
    println!(
        "10 tools, {messages} messages each; the flood sent {}, {} of them over its limit; refused {}",
        beside.flooded,
        beside.limited,
        calm.refused + beside.refused + again.refused
    );
    let undisturbed = [calm.times, again.times].concat();
    let (p50, p99) = p50_p99(undisturbed);
    let (flooded_p50, flooded_p99) = p50_p99(beside.times);
    println!("undisturbed (before and after): p50 {p50:.2?}, p99 {p99:.2?}");
    println!("beside the flood:               p50 {flooded_p50:.2?}, p99 {flooded_p99:.2?}");
    let ratio = flooded_p99.as_secs_f64() / p99.as_secs_f64();
    println!("ratio of the p99: {ratio:.2} (budget {BUDGET:.1})");
    bay.close().await;
    Ok(())
}

/// The middle one, and the one that 99 of 100 do not exceed.
fn p50_p99(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    (at(0.5), at(0.99))
}
