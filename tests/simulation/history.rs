//! What happened in one simulation, line by line, and which rules were broken.

use std::{
    fmt::Write as _,
    io::Write as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use vernport_crypto::sha256;

use crate::clock::TrueTime;

/// How many lines of the end are shown with a broken rule.
const SHOWN: usize = 120;

/// A forbidden outcome. The list in `main.rs` says what each of them means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Rule {
    Lost,
    OpenedTwice,
    CommittedAfterWithdrawal,
    ReadWithoutLog,
    OpenedAfterErasure,
    ReleasedWithoutGrant,
    ReleasedAfterLease,
    ReleasedUnderRollback,
    HeadWentDown,
    EvidenceBroken,
    FalseAlarm,
    ServedWhatWasLost,
    Panicked,
    Stalled,
}

#[derive(Debug)]
pub(crate) struct History {
    time: Arc<TrueTime>,
    told: Mutex<Told>,
    /// Whether each line is shown at once.
    is_live: bool,
}

#[derive(Debug, Default)]
struct Told {
    lines: Vec<String>,
    broken: Vec<(Rule, String)>,
}

impl History {
    pub(crate) fn new(time: &Arc<TrueTime>) -> Self {
        Self {
            time: Arc::clone(time),
            told: Mutex::default(),
            is_live: std::env::var_os("VERNPORT_TELL").is_some(),
        }
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn tell(&self, text: impl AsRef<str>) {
        let micros = self.time.micros();
        let line = format!("{:>6}.{:03} {}", micros / 1_000_000, micros / 1_000 % 1_000, text.as_ref());
        if self.is_live {
            let _ = writeln!(std::io::stderr(), "{line}");
        }
        self.told().lines.push(line);
    }

    /// A forbidden outcome was seen.
    pub(crate) fn broke(&self, rule: Rule, text: impl AsRef<str>) {
        self.tell(format!("BROKEN {rule:?}: {}", text.as_ref()));
        self.told().broken.push((rule, text.as_ref().to_owned()));
    }

    pub(crate) fn broken(&self) -> Vec<Rule> {
        self.told().broken.iter().map(|(rule, _)| *rule).collect()
    }

    pub(crate) fn hash(&self) -> String {
        hex::encode(&sha256(self.told().lines.join("\n").as_bytes())[..8])
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.told().lines.clone()
    }

    /// For who has to find out.
    pub(crate) fn report(&self, seed: u64) -> String {
        let told = self.told();
        let mut text = format!("seed {seed} broke:\n");
        for (rule, what) in told.broken.iter().take(5) {
            let _ = writeln!(text, "  {rule:?}: {what}");
        }
        let _ = writeln!(
            text,
            "replay: VERNPORT_SEED={seed} VERNPORT_SEEDS=1 cargo test --test simulation no_forbidden_outcome\nthe last of what happened:"
        );
        for line in &told.lines[told.lines.len().saturating_sub(SHOWN)..] {
            let _ = writeln!(text, "  {line}");
        }
        text
    }
}
