//! Central's databases and journals, in memory: the one place that knows how they are kept, broken,
//! backed up and set back.

use crate::{
    history::Rule,
    play::{Play, lock},
};
use anyhow::{Result, bail};
use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use vernport_central::{OpenJournal, restored_over};
use vernport_crypto::MasterKey;
use vernport_store::{
    Revision, RowKind, Store, StoreError, Things,
    model::{Backup, Call, Model, Outcome, Tape, When},
};
use vernport_types::{BatchId, Clock as _, ControllerId, EntryHash};

#[derive(Debug)]
pub(crate) struct Books {
    controller: ControllerId,
    model: Mutex<Model>,
    tapes: Mutex<[Tape; 2]>,
    /// The same, which sabotage does not reach: what each central has written.
    written: [Tape; 2],
    backups: Mutex<Vec<Backup>>,
    /// While somebody mends them, nothing else breaks.
    is_mended: AtomicBool,
}

/// What is recorded, and what of it has no leaf.
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    pub(crate) batches: BTreeSet<BatchId>,
    pub(crate) entries: u64,
    pub(crate) reads: u64,
    pub(crate) without_leaf: Vec<String>,
}

impl Books {
    pub(crate) fn new(controller: &ControllerId) -> Self {
        let written = <[Tape; 2]>::default();
        Self {
            controller: controller.clone(),
            model: Mutex::default(),
            tapes: Mutex::new(written.clone()),
            written,
            backups: Mutex::default(),
            is_mended: AtomicBool::new(false),
        }
    }

    fn model(&self) -> Model {
        lock(&self.model).clone()
    }

    fn tapes(&self) -> [Tape; 2] {
        lock(&self.tapes).clone()
    }

    /// For sabotage: the journals are lost, and nobody knows.
    pub(crate) fn lose_journals(&self, play: &Arc<Play>) {
        *lock(&self.tapes) = <[Tape; 2]>::default();
        self.expose(play);
    }

    /// For sabotage: the last entry of the ledger loses its leaf.
    pub(crate) fn lose_leaf(&self) {
        self.model().lose_leaf(&self.controller);
    }

    /// Has everything that is asked of them depend on the weather.
    pub(crate) fn expose(&self, play: &Arc<Play>) {
        self.model().on_call(weather(Arc::downgrade(play)));
        for tape in self.tapes() {
            tape.on_call(weather(Arc::downgrade(play)));
        }
    }

    /// The next entry is recorded, and whoever records it is not told.
    pub(crate) fn lose_next_answer(&self, play: &Arc<Play>) {
        let (is_due, weather) = (AtomicBool::new(true), weather(Arc::downgrade(play)));
        self.model().on_call(move |call| {
            let is_it = call.operation == "record" && call.when == When::Commit;
            if is_it && is_due.swap(false, Relaxed) { Outcome::AnswerLost } else { weather(call) }
        });
    }

    pub(crate) async fn open(&self, master: MasterKey) -> Result<Store, StoreError> {
        self.model().open(master).await
    }

    /// The journal of one central.
    pub(crate) fn journal(&self, place: usize) -> Result<OpenJournal, StoreError> {
        Ok(OpenJournal::open(|row| self.tapes()[place].open(row))?)
    }

    pub(crate) fn back_up(&self) {
        lock(&self.backups).push(self.model().backup());
    }

    /// Sets the main database back to a backup, and the second one, too, if `both`. Nobody has them open.
    pub(crate) async fn set_back(&self, play: &Arc<Play>, both: bool) -> Result<bool> {
        let reads = self.recorded().await?.reads;
        {
            let backups = lock(&self.backups);
            if backups.is_empty() {
                return Ok(false);
            }
            let now = self.model().backup();
            let main = &backups[usize::try_from(play.dice.below(backups.len() as u64)).unwrap_or(0)];
            *lock(&self.model) = Model::restored(main, if both { main } else { &now });
        }
        self.expose(play);
        // As with batches: what came since the backup is lost, and that is said openly.
        play.watch.reads_lost(reads.saturating_sub(self.recorded().await?.reads));
        Ok(true)
    }

    /// `vernport registry restored`: brings back what the ledger lost and begins an era.
    pub(crate) async fn restore(&self, play: &Arc<Play>) -> Result<()> {
        self.is_mended.store(true, Relaxed);
        let mut rows = Vec::new();
        for tape in self.tapes() {
            tape.read(|row| rows.push(row))?;
        }
        let store = self.open(play.site.master_key()).await?;
        let bundle_key = play.site.bundle_key()?;
        let now = play.central_clocks[0].now().wall;
        let signer = (&self.controller, &bundle_key);
        let restored = restored_over(store, self.journal(0)?, rows, signer, now).await?;
        self.is_mended.store(false, Relaxed);
        play.history.tell(format!(
            "restored: {} entries, {} fences, era {}",
            restored.entries, restored.fences, restored.era
        ));
        Ok(())
    }

    /// How many entries a central has written into its journal that the ledger does not know now. What another
    /// central wrote last may be in that one's only, and `vernport registry restored` alone reads both.
    async fn forgotten(&self, play: &Arc<Play>, place: usize) -> Result<usize> {
        self.is_mended.store(true, Relaxed);
        let store = self.open(play.site.master_key()).await?;
        let known = store.load(&self.controller, Revision::NONE).await?.entries;
        store.close().await;
        self.is_mended.store(false, Relaxed);
        let known: BTreeSet<EntryHash> = known.iter().map(|entry| entry.entry).collect();
        let mut forgotten = 0;
        self.written[place].read(|row| {
            forgotten += usize::from(row.kind == RowKind::Entry && !known.contains(&row.entry));
        })?;
        Ok(forgotten)
    }

    /// What stands in the main database now, looked at past all that breaks.
    pub(crate) async fn recorded(&self) -> Result<Recorded> {
        let mut look = self.model().look(self.controller.clone());
        let mut recorded = Recorded::default();
        for things in [Things::Batches, Things::Reads, Things::Entries] {
            let mut after = i64::MIN + 2;
            loop {
                let page = look.recorded(things, after).await?;
                let Some(last) = page.last() else { break };
                after = last.position;
                for one in page {
                    match things {
                        Things::Batches => {
                            let Some(id) = one.name.strip_prefix("batch ") else { bail!("{}", one.name) };
                            recorded.batches.insert(id.parse()?);
                        }
                        Things::Reads => recorded.reads += 1,
                        Things::Entries => recorded.entries += 1,
                    }
                    if !one.has_evidence {
                        recorded.without_leaf.push(one.name);
                    }
                }
            }
        }
        Ok(recorded)
    }
}

fn weather(play: Weak<Play>) -> impl Fn(Call) -> Outcome + Send + Sync + 'static {
    move |call| {
        let Some(play) = play.upgrade() else { return Outcome::GoOn };
        let is_broken = play.is_storm()
            && !play.books.is_mended.load(Relaxed)
            && (play.is_database_gone() || play.dice.percent(play.weather.broken_database_percent));
        if !is_broken {
            // A commit takes time, and so does whoever goes round in circles.
            let takes = call.when == When::Commit;
            return if takes { Outcome::Wait(Duration::from_millis(1)) } else { Outcome::GoOn };
        }
        if play.is_database_gone() {
            return Outcome::Gone;
        }
        let outcome = match play.dice.below(5) {
            0 => Outcome::Gone,
            1 | 2 => Outcome::AnswerLost,
            3 => Outcome::Full,
            _ => Outcome::Wait(Duration::from_millis(play.dice.between(1, 4_000))),
        };
        play.history
            .tell(format!("{:?} {} at its {:?}: {outcome:?}", call.database, call.operation, call.when));
        outcome
    }
}

/// Set back, and started as if nothing had been: that has to be refused wherever something was lost.
pub(crate) async fn set_back_and_restore(play: &Arc<Play>) -> Result<()> {
    for place in 0..2 {
        play.kill_central(place).await;
    }
    if !play.books.set_back(play, play.dice.percent(30)).await? {
        return play.start_central(0).await;
    }
    play.set_back.store(true, Relaxed);
    let forgotten = play.books.forgotten(play, 0).await?;
    play.history.tell(format!("the database is set back: {forgotten} entries of central 0 are lost"));
    if forgotten > 0 {
        let began = play.try_central(0).await;
        if began.is_ok() {
            play.history.broke(Rule::ServedWhatWasLost, format!("{forgotten} entries of its journal"));
            play.kill_central(0).await;
        }
    }
    if play.dice.percent(40) {
        let long = Duration::from_millis(play.dice.between(500, 20_000));
        serve_without_journal(play, long).await?;
    }
    play.books.restore(play).await?;
    play.start_central(0).await
}

/// Somebody takes the journal out of the configuration and starts what was set back, for so long: gateways
/// notice.
pub(crate) async fn serve_without_journal(play: &Arc<Play>, long: Duration) -> Result<()> {
    play.history.tell("central serves what was set back, without a journal");
    play.without_journal.store(true, Relaxed);
    play.ran_without_journal.fetch_add(1, Relaxed);
    play.start_central(0).await?;
    tokio::time::sleep(long).await;
    play.kill_central(0).await;
    play.without_journal.store(false, Relaxed);
    Ok(())
}
