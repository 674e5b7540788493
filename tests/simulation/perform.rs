//! A play from its beginning to its end: on one thread, in a runtime and a time of its own.

use crate::{
    history::Rule,
    play::{Play, Weather},
    site::Site,
};
use anyhow::Result;
use std::{
    cell::RefCell,
    panic,
    sync::{Arc, Once},
    time::Duration,
};

/// After this much of its own time a play ends in any case.
const LONGEST: Duration = Duration::from_secs(3_600);

thread_local! {
    /// What panicked on this thread: tasks of tokio keep it to themselves.
    static PANICS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Has panics of simulations noted instead of printed.
fn note_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let is_simulation =
                std::thread::current().name().is_some_and(|name| name.starts_with("simulation"));
            if is_simulation {
                PANICS.with_borrow_mut(|panics| panics.push(info.to_string()));
            } else {
                before(info);
            }
        }));
    });
}

/// What came of a play.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) broken: Vec<Rule>,
    pub(crate) hash: String,
    pub(crate) lines: Vec<String>,
    pub(crate) report: String,
    /// How many batches were queued, committed, and records opened.
    pub(crate) counts: (usize, usize, usize),
}

/// Plays on this thread, in weather that the seed draws unless another is given.
pub(crate) fn perform(
    site: &Arc<Site>,
    seed: u64,
    weather: Option<Weather>,
    act: impl AsyncFnOnce(&Arc<Play>) -> Result<()>,
) -> Result<Outcome> {
    note_panics();
    PANICS.with_borrow_mut(Vec::clear);
    vernport_crypto::danger_seed_random(Some(seed));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()?;
    let outcome = runtime.block_on(async {
        let play = Play::new(site, seed, weather)?;
        let acted = tokio::time::timeout(LONGEST, act(&play)).await;
        if let Err(error) = acted.unwrap_or_else(|_| Err(anyhow::anyhow!("it goes on for ever"))) {
            play.history.broke(Rule::Stalled, format!("the simulation itself broke off: {error:#}"));
        }
        let ended = play.end().await;
        for text in PANICS.with_borrow_mut(std::mem::take) {
            play.history.broke(Rule::Panicked, text);
        }
        ended?;
        anyhow::Ok(Outcome {
            broken: play.history.broken(),
            hash: play.history.hash(),
            lines: play.history.lines(),
            report: play.history.report(seed),
            counts: play.watch.counts(),
        })
    });
    vernport_crypto::danger_seed_random(None);
    outcome
}

/// Does something on a thread of its own, whose panics are noted.
pub(crate) fn aside<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let named = std::thread::Builder::new().name("simulation aside".into());
        named.spawn_scoped(scope, work).expect("a thread").join().expect("it ends")
    })
}
