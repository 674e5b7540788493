//! Bugs that seeds found, each kept by name.

use crate::{site::Site, storm};
use anyhow::{Result, ensure};
use std::sync::Arc;

/// Runs one seed and demands that nothing forbidden is seen.
fn holds(seed: u64) -> Result<()> {
    let site = Arc::new(Site::make()?);
    let outcome = std::thread::scope(|scope| {
        let named = std::thread::Builder::new().name(format!("simulation case {seed}"));
        named.spawn_scoped(scope, || storm::run(&site, seed)).expect("a thread").join().expect("it ends")
    })?;
    ensure!(outcome.broken.is_empty(), "{}", outcome.report);
    Ok(())
}

/// A consent was withdrawn at a counter whose clock was ahead of central's: it was answered at once, and
/// batches came in on it until central's clock was there.
#[test]
fn a_withdrawal_counts_when_it_is_answered_though_the_counters_clock_is_ahead() -> Result<()> {
    holds(87)
}

/// A central that started with its clock behind computed grants as of a time before what others had
/// recorded: it took back keys, and two processes undid each other's grants until the clock was there.
#[test]
fn a_central_that_starts_with_its_clock_behind_undoes_nothing() -> Result<()> {
    holds(100)
}
