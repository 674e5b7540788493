//! Many seeds, over all cores.

use crate::{
    perform::{Outcome, aside},
    site::Site,
    storm,
};
use anyhow::{Result, ensure};
use std::{
    io::Write as _,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

/// How many failures are shown in full.
const SHOWN: usize = 3;

/// So many seeds may end without a record that anyone opens.
const FEW: u64 = 20;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// How many seeds a run takes: in CI more than on a developer's machine.
fn seeds() -> u64 {
    let is_ci = std::env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"));
    number("VERNPORT_SEEDS").unwrap_or(if is_ci { 2_000 } else { 200 })
}

#[test]
fn no_forbidden_outcome_in_any_seed() -> Result<()> {
    let (first, count) = (number("VERNPORT_SEED").unwrap_or(1), seeds());
    let site = Arc::new(Site::make()?);
    let began = Instant::now();
    let (next, failed, totals) = (AtomicU64::new(0), Mutex::new(Vec::new()), Mutex::new([0_usize; 3]));
    // A simulation and its spool's writer wait for each other half of the time.
    let workers = 2 * std::thread::available_parallelism()?.get();
    std::thread::scope(|scope| {
        for worker in 0..workers {
            let (site, next, failed, totals) = (&site, &next, &failed, &totals);
            let run = move || {
                loop {
                    let seed = next.fetch_add(1, Relaxed);
                    if seed >= count {
                        return;
                    }
                    let seed = first + seed;
                    let begun = Instant::now();
                    let outcome = storm::run(site, seed);
                    if begun.elapsed().as_secs() > 20 {
                        let _ =
                            writeln!(std::io::stderr(), "seed {seed} took {} s", begun.elapsed().as_secs());
                    }
                    let failure = match outcome {
                        Ok(Outcome { broken, counts, report, .. }) => {
                            let mut totals = totals.lock().expect("no worker panics with it");
                            totals[0] += counts.0;
                            totals[1] += counts.1;
                            totals[2] += counts.2;
                            (!broken.is_empty()).then_some((broken, report))
                        }
                        Err(error) => Some((Vec::new(), format!("seed {seed} did not run: {error:#}"))),
                    };
                    if let Some((broken, report)) = failure {
                        let mut failed = failed.lock().expect("no worker panics with it");
                        // At once: a run of many seeds takes hours.
                        if failed.len() < SHOWN {
                            let _ = writeln!(std::io::stderr(), "{report}");
                        }
                        failed.push((seed, broken));
                    }
                }
            };
            let named = std::thread::Builder::new().name(format!("simulation {worker}"));
            named.spawn_scoped(scope, run).expect("a thread");
        }
    });
    let failed = failed.into_inner().expect("no worker panics with it");
    let [queued, committed, opened] = totals.into_inner().expect("no worker panics with it");
    let mut out = std::io::stderr();
    let list: Vec<String> = failed.iter().map(|(seed, broken)| format!("{seed} {broken:?}")).collect();
    writeln!(
        out,
        "{count} seeds from {first} in {} s: {queued} batches queued, {committed} committed, {opened} records opened",
        began.elapsed().as_secs()
    )?;
    ensure!(failed.is_empty(), "{} of {count} seeds broke a rule: {}", failed.len(), list.join("; "));
    // One seed's storm may let nothing through.
    ensure!(opened > 0 || count < FEW, "nothing was opened: nothing was shown");
    Ok(())
}

#[test]
fn the_same_seed_is_the_same_history() -> Result<()> {
    let site = Arc::new(Site::make()?);
    for seed in 1..=4 {
        // One after the other: both have the same folder.
        let histories: Vec<Outcome> =
            (0..2).map(|_| aside(|| storm::run(&site, seed))).collect::<Result<_>>()?;
        let [one, other] = &histories[..] else { unreachable!("two runs") };
        let differs = one.lines.iter().zip(&other.lines).position(|(one, other)| one != other);
        let from = differs.unwrap_or(0).saturating_sub(3);
        ensure!(
            one.hash == other.hash,
            "seed {seed} went two ways:\n{}\n--\n{}",
            one.lines[from..(from + 8).min(one.lines.len())].join("\n"),
            other.lines[from..(from + 8).min(other.lines.len())].join("\n"),
        );
    }
    Ok(())
}
