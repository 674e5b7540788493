//! The watch is shown a forged history for each of its rules, and has to say so; and the same history
//! without the forged line, of which it has to say nothing.

use crate::{
    clock::{Machine, TrueTime},
    history::{History, Rule},
    watch::{End, Open, Queued, Record, Watch, hashed},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use vernport_types::{BatchId, EntryHash, EpochId, GrantId, Slug};

const GRANT: GrantId = GrantId::from_bytes([1; 16]);
const OTHER: GrantId = GrantId::from_bytes([2; 16]);
const CONSENT: EntryHash = EntryHash::from_bytes([3; 32]);
const BATCH: BatchId = BatchId::from_bytes([4; 16]);
const EPOCH: EpochId = EpochId::from_bytes([5; 16]);

struct Forged {
    watch: Watch,
    history: Arc<History>,
    gateway: Arc<Machine>,
}

fn flow() -> Slug {
    "maintenance-reminder".parse().expect("a slug")
}

fn ids(batches: &[BatchId]) -> BTreeSet<BatchId> {
    batches.iter().copied().collect()
}

impl Forged {
    /// A gateway that runs and has heard that one flow is open, on a consent.
    fn new() -> Self {
        let time = TrueTime::begin();
        let (history, gateway) = (Arc::new(History::new(&time)), Machine::new(&time));
        let watch = Watch::new(&history, &gateway);
        watch.gateway_starts();
        let forged = Self { watch, history, gateway };
        forged.head((1, 10), &[GRANT]);
        forged
    }

    fn head(&self, place: (u32, u64), open: &[GrantId]) {
        self.head_with(place, open, Some(300));
    }

    fn head_with(&self, place: (u32, u64), open: &[GrantId], lease_seconds: Option<u32>) {
        let flow = Open { lease_seconds, rests_on: vec![CONSENT] };
        let flows: BTreeMap<_, _> = open.iter().map(|grant| (*grant, flow.clone())).collect();
        self.watch.head_arrived(place, Self::hash(place), Some(flows));
    }

    fn hash(place: (u32, u64)) -> [u8; 32] {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&place.1.to_be_bytes());
        hash
    }

    fn record(&self) -> Record {
        Record {
            flow: flow(),
            collector: "main/bay-1/bus-1".into(),
            path: "Vehicle.TraveledDistance".into(),
            wall: 0,
            boot: self.gateway.boot(),
        }
    }

    /// The gateway reads now and queues.
    fn release(&self) {
        let queued = Queued { grant: GRANT, flow: flow(), epoch: EPOCH, true_micros: 0 };
        self.watch.batch_queued(BATCH, queued, &[self.record()]);
    }

    fn pass(&self, seconds: u64) {
        self.gateway.suspend(seconds);
    }

    fn end(&self, destroyed: &[BatchId], stored: &[BatchId], reads_logged: u64) {
        self.watch.check_whole(&End {
            destroyed: &ids(destroyed),
            waiting: &BTreeSet::new(),
            stored: &ids(stored),
            reads_logged,
            may_have_lost_batches: false,
        });
    }

    #[track_caller]
    fn broke(&self, expected: &[Rule]) {
        assert_eq!(self.history.broken(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_release_needs_a_grant_that_is_open_and_was_told() {
    let lawful = Forged::new();
    lawful.release();
    lawful.broke(&[]);
    let closed = Forged::new();
    closed.pass(5);
    closed.head((1, 11), &[OTHER]);
    closed.pass(5);
    closed.release();
    closed.broke(&[Rule::ReleasedWithoutGrant]);
    let unknown = Forged::new();
    let queued = Queued { grant: OTHER, flow: flow(), epoch: EPOCH, true_micros: 0 };
    unknown.watch.batch_queued(BATCH, queued, &[unknown.record()]);
    unknown.broke(&[Rule::ReleasedWithoutGrant]);
}

/// A kill between the arrival of an answer and its being kept is as if the answer had been lost on the way. Once the
/// gateway has said that it is in effect, it is.
#[tokio::test(start_paused = true)]
async fn what_a_gateway_said_is_in_effect_holds_over_a_kill_and_what_it_only_heard_need_not() {
    for (is_told, expected) in [(false, &[][..]), (true, &[Rule::ReleasedWithoutGrant])] {
        let killed = Forged::new();
        // On a contract: no lease ends it.
        killed.head_with((1, 11), &[GRANT], None);
        killed.watch.in_effect(Forged::hash((1, 11)));
        killed.pass(5);
        killed.head_with((1, 12), &[OTHER], None);
        if is_told {
            killed.watch.in_effect(Forged::hash((1, 12)));
        }
        killed.pass(1);
        killed.watch.gateway_starts();
        killed.pass(5);
        killed.release();
        killed.broke(expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_ends_without_a_head_at_a_restart_and_after_a_withdrawal() {
    let silent = Forged::new();
    silent.pass(299);
    silent.release();
    silent.broke(&[]);
    silent.pass(10);
    silent.release();
    silent.broke(&[Rule::ReleasedAfterLease]);
    let restarted = Forged::new();
    restarted.watch.gateway_starts();
    restarted.release();
    restarted.broke(&[Rule::ReleasedAfterLease]);
    let withdrawn = Forged::new();
    withdrawn.watch.withdrawn(&[CONSENT], &BTreeSet::new());
    withdrawn.pass(200);
    withdrawn.head((1, 11), &[GRANT]);
    withdrawn.release();
    withdrawn.broke(&[]);
    withdrawn.pass(150);
    withdrawn.release();
    withdrawn.broke(&[Rule::ReleasedAfterLease]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_released_under_a_registry_that_was_set_back_before_its_next_era() {
    let forged = Forged::new();
    forged.pass(5);
    forged.head((1, 7), &[GRANT]);
    forged.pass(5);
    forged.head((1, 20), &[GRANT]);
    forged.release();
    forged.broke(&[Rule::ReleasedUnderRollback]);
    forged.head((2, 1), &[GRANT]);
    forged.release();
    forged.broke(&[Rule::ReleasedUnderRollback]);
    forged.watch.believes((2, 1));
    forged.watch.believes((1, 20));
    forged.broke(&[Rule::ReleasedUnderRollback, Rule::HeadWentDown]);
}

#[tokio::test(start_paused = true)]
async fn what_is_committed_after_a_withdrawal_was_answered_is_found() {
    let forged = Forged::new();
    forged.release();
    forged.watch.withdrawn(&[CONSENT], &ids(&[BATCH]));
    forged.watch.check_stored(&ids(&[BATCH]));
    forged.broke(&[]);
    let late = Forged::new();
    late.release();
    late.watch.withdrawn(&[CONSENT], &BTreeSet::new());
    late.watch.check_stored(&ids(&[BATCH]));
    late.broke(&[Rule::CommittedAfterWithdrawal]);
}

#[tokio::test(start_paused = true)]
async fn a_record_is_opened_once_and_never_again_after_its_erasure() {
    let forged = Forged::new();
    forged.release();
    forged.watch.batch_opened(BATCH, EPOCH, vec![forged.record()], true);
    forged.watch.batch_opened(BATCH, EPOCH, vec![forged.record()], true);
    forged.broke(&[]);
    forged.watch.batch_opened(BatchId::from_bytes([9; 16]), EPOCH, vec![forged.record()], true);
    forged.broke(&[Rule::OpenedTwice]);
    let erased = Forged::new();
    erased.watch.erased(&[hashed(EPOCH)], 0, &BTreeSet::new());
    // By a central that somebody started on old databases, without what it knows of erasures.
    erased.watch.batch_opened(BATCH, EPOCH, vec![erased.record()], false);
    erased.broke(&[]);
    erased.watch.batch_opened(BATCH, EPOCH, vec![erased.record()], true);
    erased.broke(&[Rule::OpenedAfterErasure]);
    let ordered = Forged::new();
    ordered.release();
    ordered.watch.erased(&[], 1, &BTreeSet::from([CONSENT]));
    ordered.watch.batch_opened(BATCH, EPOCH, Vec::new(), true);
    ordered.broke(&[Rule::OpenedAfterErasure]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_nowhere_or_left_central_and_a_read_without_a_row_are_found() {
    let destroyed = Forged::new();
    destroyed.release();
    destroyed.end(&[BATCH], &[], 0);
    destroyed.broke(&[]);
    let lost = Forged::new();
    lost.release();
    lost.end(&[], &[], 0);
    lost.broke(&[Rule::Lost]);
    let left = Forged::new();
    left.release();
    let answers = format!("{{\"answers\":[{{\"batch\":\"{BATCH}\",\"answer\":\"committed\"}}]}}");
    left.watch.batches_answered(answers.as_bytes());
    left.end(&[], &[BATCH], 0);
    left.broke(&[]);
    left.end(&[], &[], 0);
    left.broke(&[Rule::Lost]);
    let unlogged = Forged::new();
    unlogged.watch.read_answered();
    unlogged.end(&[], &[], 1);
    unlogged.broke(&[]);
    unlogged.end(&[], &[], 0);
    unlogged.broke(&[Rule::ReadWithoutLog]);
    // Its row went with a database that was set back.
    let set_back = Forged::new();
    set_back.watch.read_answered();
    set_back.watch.reads_lost(1);
    set_back.end(&[], &[], 0);
    set_back.broke(&[]);
    set_back.watch.read_answered();
    set_back.end(&[], &[], 0);
    set_back.broke(&[Rule::ReadWithoutLog]);
}
