//! The naive oracle: writes down what was said, heard, queued and committed, as anybody could who
//! stands beside the machines, and says which of it was forbidden.

use crate::{
    clock::Machine,
    history::{History, Rule},
    opened::Content,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use vernport_api::{Answer, BatchAnswers, Feed, FeedRequest};
use vernport_seal::Body;
use vernport_types::{BatchId, EntryHash, EpochId, GrantId, Slug};

/// What may pass between a word and its effect inside of one machine.
const GRACE_MICROS: u64 = 2_000_000;
/// The longest that a consent is believed without a head: five minutes.
const LEASE_MICROS: u64 = 300_000_000;

/// A flow that central opened.
#[derive(Debug, Clone)]
pub(crate) struct Open {
    pub(crate) lease_seconds: Option<u32>,
    pub(crate) rests_on: Vec<EntryHash>,
}

/// A head that came to the gateway and that it has to believe.
#[derive(Debug, Clone)]
struct Heard {
    run: u32,
    boot: u64,
    open: Arc<BTreeSet<GrantId>>,
}

/// A batch that the gateway's spool took.
#[derive(Debug, Clone)]
pub(crate) struct Queued {
    pub(crate) grant: GrantId,
    pub(crate) flow: Slug,
    pub(crate) epoch: EpochId,
    pub(crate) true_micros: i64,
}

/// One record, told from every other one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Record {
    pub(crate) flow: Slug,
    pub(crate) collector: String,
    pub(crate) path: String,
    pub(crate) wall: i64,
    pub(crate) boot: u64,
}

/// When a consent was over, as who withdrew it was told.
#[derive(Debug, Clone)]
struct Over {
    gateway_boot: u64,
    stored: BTreeSet<BatchId>,
}

#[derive(Debug, Default)]
struct Seen {
    run: u32,
    by_hash: BTreeMap<[u8; 32], Arc<BTreeSet<GrantId>>>,
    grants: BTreeMap<GrantId, Open>,
    heard: Vec<Heard>,
    /// What is open by the last snapshot that the gateway said is in effect: until it says so, a kill
    /// may take what it heard as if it had not.
    in_effect: Arc<BTreeSet<GrantId>>,
    last: Option<(u32, u64)>,
    believed: Option<(u32, u64)>,
    distrusted_at: Option<u64>,
    queued: BTreeMap<BatchId, Queued>,
    committed: BTreeSet<BatchId>,
    over: BTreeMap<EntryHash, Over>,
    erased: BTreeSet<String>,
    erasures: Vec<(i64, BTreeSet<EntryHash>)>,
    opened: BTreeMap<Record, BTreeSet<BatchId>>,
    reads_answered: u64,
    /// Rows of the read log that went with a database that was set back.
    reads_lost: u64,
}

#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) history: Arc<History>,
    gateway: Arc<Machine>,
    seen: Mutex<Seen>,
}

impl Watch {
    pub(crate) fn new(history: &Arc<History>, gateway: &Arc<Machine>) -> Self {
        Self { history: Arc::clone(history), gateway: Arc::clone(gateway), seen: Mutex::default() }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The gateway starts: what rests on a fresh head waits for one, and the rest goes on by what it heard last
    /// or by what it last said was in effect.
    pub(crate) fn gateway_starts(&self) {
        let mut seen = self.seen();
        if let Some(last) = seen.heard.last() {
            let open = Arc::new(last.open.union(&seen.in_effect).copied().collect());
            let again = Heard { run: seen.run, boot: self.gateway.boot(), open };
            seen.heard.push(again);
        }
        seen.run += 1;
    }

    /// The gateway asks for more than the snapshot that it says is in effect, and that it keeps.
    pub(crate) fn feed_asked(&self, body: &[u8]) {
        if let Ok(FeedRequest { known: Some(hash), .. }) = serde_json::from_slice(body) {
            self.in_effect(hash);
        }
    }

    pub(crate) fn in_effect(&self, snapshot: [u8; 32]) {
        let mut seen = self.seen();
        if let Some(open) = seen.by_hash.get(&snapshot).cloned() {
            seen.in_effect = open;
        }
    }

    /// An answer of the feed is handed to the gateway.
    pub(crate) fn feed_arrived(&self, body: &[u8]) {
        let Ok(feed) = serde_json::from_slice::<Feed>(body) else { return };
        let head = feed.head.head;
        let flows = feed.snapshot.map(|snapshot| {
            let flows = snapshot.grants.into_iter().flat_map(|grant| grant.flows);
            let open = flows.map(|flow| {
                (flow.id, Open { lease_seconds: flow.believe.lease_seconds, rests_on: flow.rests_on })
            });
            open.collect()
        });
        self.head_arrived((head.era, head.sequence), head.snapshot_hash, flows);
    }

    /// A head came, with the flows that are open where it brought a snapshot.
    pub(crate) fn head_arrived(
        &self,
        place: (u32, u64),
        snapshot: [u8; 32],
        flows: Option<BTreeMap<GrantId, Open>>,
    ) {
        let mut seen = self.seen();
        if let Some(flows) = flows {
            seen.by_hash.insert(snapshot, Arc::new(flows.keys().copied().collect()));
            seen.grants.extend(flows);
        }
        let boot = self.gateway.boot();
        // An era is begun by the controller's signature only; here it signs every one that there is.
        let is_behind = seen.last.is_some_and(|last| {
            let was_behind = place.1 < last.1 || seen.distrusted_at.is_some();
            place.0 < last.0 || (place.0 == last.0 && was_behind)
        });
        if is_behind {
            seen.distrusted_at.get_or_insert(boot);
            drop(seen);
            return self.history.tell(format!("a head behind came: era {} no. {}", place.0, place.1));
        }
        let Some(open) = seen.by_hash.get(&snapshot).cloned() else { return };
        (seen.last, seen.distrusted_at) = (Some(place), None);
        let heard = Heard { run: seen.run, boot, open };
        seen.heard.push(heard);
    }

    /// The gateway says which head it believes.
    pub(crate) fn believes(&self, place: (u32, u64)) {
        let mut seen = self.seen();
        let before = seen.believed.replace(place);
        drop(seen);
        if before.is_some_and(|before| place < before) {
            self.history.broke(Rule::HeadWentDown, format!("{place:?} behind {before:?}"));
        }
    }

    /// Central answers for batches, whether or not that arrives.
    pub(crate) fn batches_answered(&self, body: &[u8]) {
        let Ok(BatchAnswers { answers }) = serde_json::from_slice(body) else { return };
        let mut seen = self.seen();
        for answer in answers {
            if answer.answer != Answer::Duplicate {
                self.history.tell(format!("{} is {:?}", answer.batch, answer.answer));
            }
            if matches!(answer.answer, Answer::Committed | Answer::Duplicate) {
                seen.committed.insert(answer.batch);
            }
        }
    }

    /// The spool took a batch.
    pub(crate) fn queued(&self, grant: GrantId, of: &Content, true_micros: i64) {
        let header = of.envelope.header();
        let queued = Queued { grant, flow: header.flow.clone(), epoch: header.epoch, true_micros };
        self.batch_queued(header.batch, queued, &records(&header.flow, &of.body));
    }

    /// A batch with these records was queued.
    pub(crate) fn batch_queued(&self, batch: BatchId, queued: Queued, records: &[Record]) {
        let mut seen = self.seen();
        let grant = queued.grant;
        seen.queued.insert(batch, queued);
        let broken = records.iter().find_map(|record| Some((record, seen.forbids(grant, record)?)));
        drop(seen);
        if let Some((record, (rule, why))) = broken {
            let at = record.boot / 1_000;
            self.history.broke(rule, format!("{} read at {at} ms of the gateway's boot: {why}", record.flow));
        }
    }

    /// Somebody was told that these consents are over; what central had of them by then.
    pub(crate) fn withdrawn(&self, consents: &[EntryHash], stored: &BTreeSet<BatchId>) {
        let over = Over { gateway_boot: self.gateway.boot(), stored: stored.clone() };
        let mut seen = self.seen();
        for consent in consents {
            self.history.tell(format!("over: {consent}"));
            seen.over.entry(*consent).or_insert_with(|| over.clone());
        }
    }

    /// Central certified that everything of an order is gone; what rested on these consents before `since`.
    pub(crate) fn erased(&self, epoch_hashes: &[String], since: i64, consents: &BTreeSet<EntryHash>) {
        let mut seen = self.seen();
        seen.erased.extend(epoch_hashes.iter().cloned());
        seen.erasures.push((since, consents.clone()));
    }

    /// A recipient was given an envelope, by a central that knows what was erased or not, and opened it.
    pub(crate) fn opened(&self, of: &Content, knows_erasures: bool) {
        let header = of.envelope.header();
        self.batch_opened(header.batch, header.epoch, records(&header.flow, &of.body), knows_erasures);
    }

    /// A batch with these records was opened.
    pub(crate) fn batch_opened(
        &self,
        batch: BatchId,
        epoch: EpochId,
        records: Vec<Record>,
        knows_erasures: bool,
    ) {
        let mut seen = self.seen();
        let mut broken = Vec::new();
        if knows_erasures && seen.erased.contains(&hashed(epoch)) {
            broken.push((Rule::OpenedAfterErasure, format!("batch {batch} of an erased epoch")));
        }
        if let Some(queued) = seen.queued.get(&batch) {
            let rests_on =
                seen.grants.get(&queued.grant).map(|open| open.rests_on.clone()).unwrap_or_default();
            let was_ordered_to_go = seen.erasures.iter().any(|(since, consents)| {
                queued.true_micros < *since && rests_on.iter().any(|entry| consents.contains(entry))
            });
            if knows_erasures && was_ordered_to_go {
                broken.push((Rule::OpenedAfterErasure, format!("batch {batch} was ordered to go")));
            }
        }
        for record in records {
            let text = format!("a record of {} at {}", record.flow, record.wall);
            let batches = seen.opened.entry(record).or_default();
            batches.insert(batch);
            if batches.len() > 1 {
                broken.push((Rule::OpenedTwice, text));
            }
        }
        drop(seen);
        for (rule, why) in broken {
            self.history.broke(rule, why);
        }
    }

    pub(crate) fn read_answered(&self) {
        self.seen().reads_answered += 1;
    }

    /// The database was set back to before so many reads.
    pub(crate) fn reads_lost(&self, reads: u64) {
        self.seen().reads_lost += reads;
    }

    /// What central holds at some time, against what it may hold.
    pub(crate) fn check_stored(&self, stored: &BTreeSet<BatchId>) {
        let seen = self.seen();
        let mut broken = Vec::new();
        for batch in stored {
            let Some(queued) = seen.queued.get(batch) else { continue };
            let Some(open) = seen.grants.get(&queued.grant) else { continue };
            for (entry, over) in open.rests_on.iter().filter_map(|entry| Some((entry, seen.over.get(entry)?)))
            {
                if !over.stored.contains(batch) {
                    broken.push(format!("batch {batch} of {}, on {entry}", queued.flow));
                }
            }
        }
        drop(seen);
        for what in broken {
            self.history.broke(Rule::CommittedAfterWithdrawal, what);
        }
    }

    /// At the end: each batch that was queued is accounted for.
    pub(crate) fn check_whole(&self, end: &End<'_>) {
        let seen = self.seen();
        let mut broken = Vec::new();
        for (batch, queued) in &seen.queued {
            let was_committed = seen.committed.contains(batch);
            if !was_committed && !end.destroyed.contains(batch) && !end.waiting.contains(batch) {
                broken.push((Rule::Lost, format!("batch {batch} of {} is nowhere", queued.flow)));
            }
            let is_gone = !end.stored.contains(batch) && !seen.erased.contains(&hashed(queued.epoch));
            if was_committed && is_gone && !end.may_have_lost_batches {
                broken.push((Rule::Lost, format!("batch {batch} of {} left central", queued.flow)));
            }
        }
        let (answered, logged) = (seen.reads_answered, end.reads_logged + seen.reads_lost);
        if answered > logged {
            broken.push((Rule::ReadWithoutLog, format!("{answered} reads answered, {logged} in the log")));
        }
        drop(seen);
        for (rule, why) in broken {
            self.history.broke(rule, why);
        }
    }

    /// What is open at the gateway, as it heard last.
    pub(crate) fn open(&self) -> Arc<BTreeSet<GrantId>> {
        self.seen().heard.last().map(|heard| Arc::clone(&heard.open)).unwrap_or_default()
    }

    /// How many batches of a flow central said that it has.
    pub(crate) fn committed(&self, flow: &str) -> usize {
        let seen = self.seen();
        let of_flow = seen.queued.iter().filter(|(_, queued)| queued.flow.as_str() == flow);
        of_flow.filter(|(batch, _)| seen.committed.contains(batch)).count()
    }

    /// How many batches of a flow were queued that central never said it has.
    pub(crate) fn waiting(&self, flow: &str) -> usize {
        let seen = self.seen();
        let of_flow = seen.queued.iter().filter(|(_, queued)| queued.flow.as_str() == flow);
        of_flow.filter(|(batch, _)| !seen.committed.contains(batch)).count()
    }

    /// How many batches were queued, committed, opened.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        let seen = self.seen();
        (seen.queued.len(), seen.committed.len(), seen.opened.len())
    }
}

/// How things stand at the end.
pub(crate) struct End<'a> {
    /// Notes of the spool.
    pub(crate) destroyed: &'a BTreeSet<BatchId>,
    /// What waits in the spool, parked or not.
    pub(crate) waiting: &'a BTreeSet<BatchId>,
    /// What central has.
    pub(crate) stored: &'a BTreeSet<BatchId>,
    /// Rows of the read log.
    pub(crate) reads_logged: u64,
    /// Whether central was set back to an old backup: batches since then are lost, and that is said openly.
    pub(crate) may_have_lost_batches: bool,
}

impl Seen {
    /// Why a record may not have been released under a grant. Of a log the time is its own: only the
    /// grant is asked for.
    fn forbids(&self, grant: GrantId, record: &Record) -> Option<(Rule, String)> {
        let Some(open) = self.grants.get(&grant) else {
            return Some((Rule::ReleasedWithoutGrant, "its grant was never told".into()));
        };
        if !record.is_live() {
            return None;
        }
        let before = record.boot.saturating_sub(GRACE_MICROS);
        if self.distrusted_at.is_some_and(|since| since < before) {
            return Some((Rule::ReleasedUnderRollback, "central had been set back".into()));
        }
        // What was in effect then, and whatever came after that.
        let from = self.heard.iter().rposition(|heard| heard.boot <= before).unwrap_or(0);
        if !self.heard[from..].iter().any(|heard| heard.open.contains(&grant)) {
            return Some((Rule::ReleasedWithoutGrant, "its grant had been closed".into()));
        }
        let lease = u64::from(open.lease_seconds?) * 1_000_000;
        let fresh = record.boot.saturating_sub(lease.min(LEASE_MICROS) + GRACE_MICROS);
        if !self.heard.iter().any(|heard| heard.run == self.run && heard.boot >= fresh) {
            return Some((Rule::ReleasedAfterLease, "no head had come for longer than the lease".into()));
        }
        let over =
            open.rests_on.iter().filter_map(|entry| self.over.get(entry)).map(|over| over.gateway_boot);
        let late = over.min().is_some_and(|over| record.boot > over + LEASE_MICROS + GRACE_MICROS);
        late.then(|| {
            (Rule::ReleasedAfterLease, "the consent had been withdrawn for longer than a lease".into())
        })
    }
}

impl Record {
    /// The live bus is the second of the configuration.
    fn is_live(&self) -> bool {
        self.collector.ends_with("bus-1")
    }
}

/// As certificates name an epoch.
pub(crate) fn hashed(epoch: EpochId) -> String {
    hex::encode(vernport_crypto::sha256(epoch.as_bytes()))
}

fn records(flow: &Slug, body: &Body) -> Vec<Record> {
    let record = |record: &vernport_seal::Record| Record {
        flow: flow.clone(),
        collector: body.head.context.collector.clone(),
        path: body.head.signals[usize::from(record.signal)].path.clone(),
        wall: record.at.wall.0,
        boot: record.at.boot.0,
    };
    body.records.iter().map(record).collect()
}
