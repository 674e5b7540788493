//! Who is asked how central stands: its stages and its metrics. The databases are asked a
//! few small questions within a time; everything else was counted anyway.

use crate::{controller::Controllers, counted::Counted, metrics};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{sync::Semaphore, time::timeout};
use vernport_status::{Cause, Daemon, Family, PathStatus, Stage, StageKind, State, Subject};
use vernport_store::{OpenWork, Store};
use vernport_types::{Clock, ControllerId, UtcMicros, chain};

/// How long the databases may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// An epoch that was to be looked at so long ago is late, in seconds: the duty looks twice a minute.
const LATE_SECONDS: i64 = 900;

pub(crate) struct Told {
    pub(crate) controllers: Arc<Controllers>,
    pub(crate) store: Arc<Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) counted: Arc<Counted>,
    pub(crate) turns: Arc<AtomicU64>,
    pub(crate) places: Arc<Semaphore>,
    pub(crate) max_connections: usize,
}

/// What one controller's databases say; none where they did not answer.
pub(crate) struct Asked {
    pub(crate) id: ControllerId,
    pub(crate) work: Option<OpenWork>,
    /// Alarms since ever, and gateways concerned now.
    pub(crate) alarms: Option<(u64, u64)>,
}

/// All that is told of.
pub(crate) struct Look<'a> {
    pub(crate) told: &'a Told,
    pub(crate) now: UtcMicros,
    pub(crate) lives: bool,
    pub(crate) asked: Vec<Asked>,
}

impl Told {
    async fn look(&self, lives: bool) -> Look<'_> {
        let now = self.clock.now().wall;
        let mut asked = Vec::new();
        let mut answers = true;
        for controller in self.controllers.all() {
            let id = controller.id();
            let late = now.plus_seconds(-LATE_SECONDS);
            let question = async {
                Ok::<_, vernport_store::StoreError>((
                    self.store.open_work(id, late, now).await?,
                    self.store.log_alarms(id).await?,
                ))
            };
            // Who did not answer once is not waited for again.
            let said = if answers { timeout(PATIENCE, question).await.ok() } else { None };
            let (work, alarms) = match said {
                Some(Ok((work, alarms))) => (Some(work), Some(alarms)),
                Some(Err(error)) => {
                    tracing::warn!(error = chain(&error), "the database does not say how it stands");
                    (None, None)
                }
                None => (None, None),
            };
            answers = work.is_some();
            asked.push(Asked { id: controller.id().clone(), work, alarms });
        }
        Look { told: self, now, lives, asked }
    }
}

impl Look<'_> {
    pub(crate) fn database_answers(&self) -> bool {
        self.asked.iter().all(|asked| asked.work.is_some())
    }

    fn sum(&self, of: impl Fn(&OpenWork) -> u64) -> u64 {
        self.asked.iter().filter_map(|asked| asked.work.as_ref().map(&of)).sum()
    }

    pub(crate) fn used_connections(&self) -> u64 {
        self.told.max_connections.saturating_sub(self.told.places.available_permits()) as u64
    }

    /// The stages of central.
    pub(crate) fn path(&self) -> PathStatus {
        let told = self.told;
        let requests: u64 = told.counted.requests().values().sum();
        let refusals = told.counted.refusals();
        let mut most: Vec<_> = refusals.iter().map(|(code, count)| (code.code(), *count)).collect();
        most.sort_by_key(|(code, count)| (std::cmp::Reverse(*count), *code));
        let full = told.places.available_permits() == 0;
        let listen = Stage::new(StageKind::Listen, if requests > 0 { State::Ok } else { State::Waiting })
            .count("requests", requests)
            .count("refused", refusals.iter().map(|(_, count)| count).sum())
            .count("connections", self.used_connections())
            .because(Cause::StandsStill, !self.lives)
            .because(Cause::ConnectionsFull, full)
            .codes(most);
        let all = || told.controllers.all();
        let committed: u64 = all().map(|one| one.counted.answers()[0].1).sum();
        let store = Stage::new(StageKind::Store, State::Ok)
            .count("committed", committed)
            .count("entries", all().map(|one| one.counted.entries.load(Relaxed)).sum())
            .because(Cause::DatabaseAway, !self.database_answers())
            .because(Cause::RegistrySetBack, all().any(|one| one.counted.is_set_back.load(Relaxed)));
        let journal = Stage::new(StageKind::Journal, State::Ok)
            .because(Cause::NoJournal, !told.store.has_journal())
            .because(Cause::JournalFails, told.store.journal_fails());
        let waiting: i64 = all().map(|one| one.counted.waiting.load(Relaxed)).sum();
        let heads: u64 = all().map(|one| one.counted.heads.load(Relaxed)).sum();
        let feed = Stage::new(StageKind::Feed, if heads > 0 { State::Ok } else { State::Waiting })
            .count("waiting", waiting.unsigned_abs())
            .count("heads", heads);
        let looked = all().map(|one| one.counted.duties_at.load(Relaxed)).min().filter(|at| *at > 0);
        let fails = all().any(|one| one.counted.duties_fail.load(Relaxed));
        let retention =
            Stage::new(StageKind::Retention, if looked.is_some() { State::Ok } else { State::Waiting })
                .last(looked.map(UtcMicros))
                .count("deleted", self.sum(|work| work.swept))
                .count("late", self.sum(|work| work.late_epochs))
                .because(Cause::RetentionLate, fails || self.sum(|work| work.late_epochs) > 0);
        let overdue = self.sum(|work| work.deletions_overdue);
        let erasure = Stage::new(StageKind::Erasure, State::Ok)
            .count("orders_open", self.sum(|work| work.erasures))
            .count("epochs_fenced", self.sum(|work| work.fenced_epochs))
            .count("deletions_open", self.sum(|work| work.deletions))
            .count("deletions_overdue", overdue)
            .because(Cause::DeletionOverdue, overdue > 0)
            .because(Cause::BrokerAway, all().any(|one| one.counted.fleet_away.load(Relaxed)));
        let alarms: u64 = self.asked.iter().filter_map(|asked| asked.alarms).map(|(_, now)| now).sum();
        let evidence = Stage::new(StageKind::Evidence, State::Ok)
            .count("leaves", self.sum(|work| work.leaves))
            .count("alarms", alarms)
            .because(Cause::LogAlarm, alarms > 0);
        let stages = vec![listen, store, journal, feed, retention, erasure, evidence];
        PathStatus::of(Daemon::Central, "central".into(), env!("CARGO_PKG_VERSION"), self.now, stages)
    }
}

impl Subject for Told {
    fn turns(&self) -> u64 {
        self.turns.load(Relaxed)
    }

    async fn status(&self, lives: bool) -> PathStatus {
        self.look(lives).await.path()
    }

    async fn metrics(&self, lives: bool) -> Vec<Family> {
        metrics::families(&self.look(lives).await)
    }
}
