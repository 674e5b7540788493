//! The spool against a naive model of it: whatever is asked in whatever order,
//! with new openings in between, both say the same.

use crate::support::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use vernport_policy::Standing;
use vernport_spool::{
    Config, Cursor, HeldGrant, Item, QueueError, QueuedBatch, QueuedTopic, Settlement, Spool, ToolMessage,
    Unit, WhenFull,
};
use vernport_types::{BatchId, MessageId, Reason, UtcMicros};

const MAX_BYTES: u64 = 12_000;
const MAX_AGE_SECONDS: u64 = 1500;

#[derive(Debug, Clone)]
enum Op {
    Queue {
        batches: Vec<(u32, usize, bool)>,
        topics: Vec<(u32, u8, bool)>,
        /// In turn for the items.
        when_full: Vec<WhenFull>,
        tool: Option<u32>,
        again: bool,
    },
    Settle {
        picks: Vec<usize>,
        settlement: Settlement,
    },
    Apply {
        grant: u32,
        standing: Standing,
    },
    Sweep {
        late: bool,
    },
    Reopen,
}

fn reason() -> impl Strategy<Value = Reason> {
    prop::sample::select(vec![Reason::Restricted, Reason::GrantStale, Reason::ConsentWithdrawn])
}

fn when_full() -> impl Strategy<Value = WhenFull> {
    prop_oneof![Just(WhenFull::Wait), (0..3_u8).prop_map(WhenFull::GiveWay)]
}

fn op() -> impl Strategy<Value = Op> {
    let settlement = prop_oneof![
        3 => Just(Settlement::Delivered),
        1 => reason().prop_map(Settlement::Parked),
        1 => reason().prop_map(Settlement::Destroyed),
        1 => Just(Settlement::Quarantined),
    ];
    let standing = prop_oneof![
        Just(Standing::Send),
        reason().prop_map(Standing::Park),
        reason().prop_map(Standing::Destroy),
    ];
    prop_oneof![
        6 => (
            prop::collection::vec((1..4_u32, 0..1500_usize, any::<bool>()), 0..3),
            prop::collection::vec((1..4_u32, 1..3_u8, any::<bool>()), 0..4),
            prop::collection::vec(when_full(), 1..3),
            prop::option::of(0..6_u32),
            prop::bool::weighted(0.1),
        ).prop_map(|(batches, topics, when_full, tool, again)| Op::Queue { batches, topics, when_full, tool, again }),
        5 => (prop::collection::vec(0..20_usize, 0..4), settlement)
            .prop_map(|(picks, settlement)| Op::Settle { picks, settlement }),
        2 => (1..4_u32, standing).prop_map(|(grant, standing)| Op::Apply { grant, standing }),
        1 => any::<bool>().prop_map(|late| Op::Sweep { late }),
        1 => Just(Op::Reopen),
    ]
}

/// When something that is due early, or late, is due. The late is too old before.
fn due(late: bool) -> UtcMicros {
    if late { NOW.plus_seconds(3000) } else { NOW.plus_seconds(1000) }
}

#[derive(Debug, Clone)]
struct Waiting {
    item: Item,
    under: u32,
    due: UtcMicros,
    bytes: u64,
    parked: Option<Reason>,
    damaged: bool,
    when_full: WhenFull,
    stream: u8,
    seq: u64,
}

impl Waiting {
    fn may_go(&self) -> bool {
        self.parked.is_none() && !self.damaged
    }
}

#[derive(Debug, Default, Clone)]
struct Model {
    batches: Vec<Waiting>,
    topics: Vec<Waiting>,
    /// Per stream: the last number given, and the highest that was delivered.
    streams: BTreeMap<u8, (u64, u64)>,
    tools: BTreeSet<u32>,
    notes: Vec<(Item, Reason)>,
    cursor: u64,
}

#[derive(Debug, PartialEq, Eq)]
enum Refused {
    Full,
    Seen,
    Batch,
    Message,
}

impl Model {
    fn all(&self) -> impl Iterator<Item = &Waiting> {
        self.batches.iter().chain(&self.topics)
    }

    fn used_bytes(&self) -> u64 {
        self.all().map(|waiting| waiting.bytes).sum()
    }

    fn queue(&mut self, unit: &Unit, tool: Option<u32>, streams: &[u8]) -> Result<(), Refused> {
        let before = self.clone();
        let result = self.try_queue(unit, tool, streams);
        if result.is_err() {
            *self = before;
        }
        result
    }

    fn try_queue(&mut self, unit: &Unit, tool: Option<u32>, streams: &[u8]) -> Result<(), Refused> {
        let bytes = |sealed: &[u8]| sealed.len() as u64 + Config::ROW_BYTES;
        let batches: Vec<_> = unit
            .batches
            .iter()
            .map(|batch| {
                let header = batch.sealed.header();
                Waiting {
                    item: Item::Batch(header.batch),
                    under: number(*batch.grant.as_bytes()),
                    due: header.latest_due,
                    bytes: bytes(batch.sealed.as_bytes()),
                    parked: None,
                    damaged: false,
                    when_full: batch.when_full,
                    stream: 0,
                    seq: 0,
                }
            })
            .collect();
        let topics: Vec<_> = unit
            .topics
            .iter()
            .zip(streams)
            .map(|(topic, stream)| Waiting {
                item: Item::Topic(topic.message),
                under: number(*topic.grant.as_bytes()),
                due: topic.expiry,
                bytes: bytes(topic.sealed.as_bytes()),
                parked: None,
                damaged: false,
                when_full: topic.when_full,
                stream: *stream,
                seq: 0,
            })
            .collect();
        let asked: u64 = batches.iter().chain(&topics).map(|waiting| waiting.bytes).sum();
        let full = asked > 0 && self.used_bytes() + asked > MAX_BYTES;
        if full && batches.iter().chain(&topics).all(|new| new.when_full == WhenFull::Wait) {
            return Err(Refused::Full);
        }
        if tool.is_some_and(|tool| !self.tools.insert(tool)) {
            return Err(Refused::Seen);
        }
        for batch in batches {
            if self.batches.iter().any(|other| other.item == batch.item) {
                return Err(Refused::Batch);
            }
            self.batches.push(batch);
        }
        for mut topic in topics {
            topic.seq = self.next_seq(topic.stream);
            if self.topics.iter().any(|other| other.item == topic.item) {
                return Err(Refused::Message);
            }
            self.topics.push(topic);
        }
        while full && self.used_bytes() > MAX_BYTES {
            let next = self.next_to_give_way().ok_or(Refused::Full)?;
            self.settle(next, Settlement::Destroyed(Reason::QueueFull));
        }
        self.cursor += 1;
        Ok(())
    }

    /// The lowest rank; of it messages before envelopes; the oldest.
    fn next_to_give_way(&self) -> Option<Item> {
        let mut may: Vec<_> = self
            .topics
            .iter()
            .chain(&self.batches)
            .filter(|waiting| waiting.may_go())
            .filter_map(|waiting| match waiting.when_full {
                WhenFull::GiveWay(rank) => Some((rank, waiting.item)),
                WhenFull::Wait => None,
            })
            .collect();
        may.sort_by_key(|(rank, _)| *rank);
        may.first().map(|(_, item)| *item)
    }

    fn next_seq(&mut self, stream: u8) -> u64 {
        let (last, _) = self.streams.entry(stream).or_default();
        *last += 1;
        *last
    }

    fn settle(&mut self, item: Item, settlement: Settlement) {
        let list = if matches!(item, Item::Batch(_)) { &mut self.batches } else { &mut self.topics };
        let Some(place) = list.iter().position(|waiting| waiting.item == item) else { return };
        match settlement {
            Settlement::Parked(reason) => list[place].parked = Some(reason),
            Settlement::Quarantined => list[place].damaged = true,
            Settlement::Destroyed(reason) => {
                list.remove(place);
                self.notes.push((item, reason));
            }
            Settlement::Delivered => {
                let gone = list.remove(place);
                if let Item::Topic(_) = item {
                    let (_, delivered) = self.streams.entry(gone.stream).or_default();
                    *delivered = (*delivered).max(gone.seq);
                }
            }
        }
    }

    fn apply(&mut self, under: u32, standing: Standing) {
        let concerned: Vec<_> = self.all().filter(|waiting| waiting.under == under).cloned().collect();
        for waiting in concerned {
            match standing {
                Standing::Park(reason) => self.settle(waiting.item, Settlement::Parked(reason)),
                Standing::Destroy(reason) => self.settle(waiting.item, Settlement::Destroyed(reason)),
                Standing::Send if waiting.parked.is_none() => {}
                Standing::Send => self.resume(waiting),
            }
        }
    }

    fn resume(&mut self, mut waiting: Waiting) {
        waiting.parked = None;
        if let Item::Topic(_) = waiting.item {
            waiting.seq = self.next_seq(waiting.stream);
            self.topics.retain(|other| other.item != waiting.item);
            self.topics.push(waiting);
        } else if let Some(batch) = self.batches.iter_mut().find(|other| other.item == waiting.item) {
            batch.parked = None;
        }
    }

    fn sweep(&mut self, now: UtcMicros) {
        let overdue: Vec<_> = self
            .all()
            .filter(|waiting| waiting.due < now && waiting.parked != Some(Reason::Restricted))
            .map(|waiting| waiting.item)
            .collect();
        for item in overdue {
            self.settle(item, Settlement::Destroyed(Reason::Overdue));
        }
        let age = i64::try_from(MAX_AGE_SECONDS).expect("short");
        if NOW.plus_seconds(age) < now {
            let aged: Vec<_> = self.all().filter(|all| all.may_go()).map(|all| all.item).collect();
            for item in aged {
                self.settle(item, Settlement::Destroyed(Reason::QueueFull));
            }
        }
    }

    fn ready(&self) -> Vec<u32> {
        let ready = self.batches.iter().filter(|batch| batch.may_go());
        ready.map(|batch| item_number(batch.item)).collect()
    }

    fn ready_topics(&self) -> Vec<(u32, u64, u64)> {
        let ready: Vec<_> = self.topics.iter().filter(|topic| topic.may_go()).collect();
        ready
            .iter()
            .map(|topic| {
                let in_front =
                    ready.iter().filter(|other| other.stream == topic.stream && other.seq < topic.seq);
                let before = in_front.map(|other| other.seq).max().unwrap_or(0);
                let before = before.max(self.streams[&topic.stream].1);
                (item_number(topic.item), topic.seq, (topic.seq - 1).saturating_sub(before))
            })
            .collect()
    }

    fn grants(&self) -> Vec<HeldGrant> {
        let mut held: BTreeMap<u32, Vec<&Waiting>> = BTreeMap::new();
        for waiting in self.all() {
            held.entry(waiting.under).or_default().push(waiting);
        }
        held.into_iter()
            .map(|(under, all)| HeldGrant {
                grant: grant(under),
                queued: all.iter().filter(|waiting| waiting.may_go()).count() as u64,
                parked: all.iter().filter(|waiting| waiting.parked.is_some()).count() as u64,
                parked_for: all[0].parked.filter(|_| all.iter().all(|one| one.parked == all[0].parked)),
            })
            .collect()
    }
}

fn item_number(item: Item) -> u32 {
    match item {
        Item::Batch(id) => number(*id.as_bytes()),
        Item::Topic(id) => number(*id.as_bytes()),
    }
}

async fn same(spool: &Spool, model: &Model) {
    assert_eq!(ready(spool).await, model.ready());
    assert_eq!(ready_topics(spool).await, model.ready_topics());
    assert_eq!(spool.grants().await.expect("reads"), model.grants());
    assert_eq!(spool.cursor("can0").await.expect("reads"), model.cursor);
    let status = spool.status().await.expect("reads");
    assert_eq!(status.used_bytes, model.used_bytes());
    let dropped = model.notes.iter().filter(|(_, reason)| *reason == Reason::QueueFull).count();
    assert_eq!(status.batches_dropped + status.topics_dropped, dropped as u64);
    let notes = spool.notes(0, 10_000).await.expect("reads");
    let notes: BTreeSet<_> = notes.iter().map(|note| (note.item, note.reason)).collect();
    assert_eq!(notes, model.notes.iter().copied().collect());
    for tool in 0..6 {
        let seen = spool.seen_tool_message(&slug("scanner"), &id(tool)).await.expect("reads");
        assert_eq!(seen, model.tools.contains(&tool));
    }
}

async fn run(ops: Vec<Op>) {
    let place = Place::new();
    let config = Config { max_bytes: MAX_BYTES, max_age_seconds: MAX_AGE_SECONDS, ..place.config() };
    let mut spool = Spool::open(config.clone()).await.expect("opens");
    let mut model = Model::default();
    let mut next = 0;
    for op in ops {
        match op {
            Op::Queue { batches, topics, when_full, tool, again } => {
                let mut fresh = || {
                    next += u32::from(!again || next == 0);
                    next
                };
                let streams: Vec<_> = topics.iter().map(|(_, stream, _)| *stream).collect();
                let unit = || Unit {
                    cursors: vec![Cursor { source: "can0".into(), position: model.cursor + 1 }],
                    tool_messages: tool
                        .map(|tool| ToolMessage { tool: slug("scanner"), id: id(tool) })
                        .into_iter()
                        .collect(),
                    ..Unit::new(NOW)
                };
                let mut unit = unit();
                let mut turns = when_full.iter().cycle().copied();
                let mut turn = || turns.next().expect("at least one");
                for (under, filler_bytes, late) in batches {
                    let sealed = envelope(fresh(), due(late), filler_bytes);
                    unit.batches.push(QueuedBatch { grant: grant(under), when_full: turn(), sealed });
                }
                for (under, on, late) in topics {
                    let topic = topic(fresh(), under, on);
                    unit.topics.push(QueuedTopic { expiry: due(late), when_full: turn(), ..topic });
                }
                let expected = model.queue(&unit, tool, &streams);
                let found = spool.queue(unit).await.map(drop).map_err(|error| match error {
                    QueueError::Full { .. } => Refused::Full,
                    QueueError::Seen { .. } => Refused::Seen,
                    QueueError::DuplicateBatch { .. } => Refused::Batch,
                    QueueError::DuplicateMessage { .. } => Refused::Message,
                    error => panic!("{error}"),
                });
                assert_eq!(found, expected);
            }
            Op::Settle { picks, settlement } => {
                let waiting: Vec<_> = model.all().map(|waiting| waiting.item).collect();
                let nobody =
                    [Item::Batch(BatchId::from_bytes([0; 16])), Item::Topic(MessageId::from_bytes([0; 16]))];
                let items: Vec<_> = picks
                    .iter()
                    .map(|pick| waiting.get(*pick).copied().unwrap_or(nobody[pick % 2]))
                    .map(|item| (item, settlement))
                    .collect();
                for (item, settlement) in &items {
                    model.settle(*item, *settlement);
                }
                spool.settle(items, NOW).await.expect("settles");
            }
            Op::Apply { grant: under, standing } => {
                model.apply(under, standing);
                spool.apply(grant(under), standing, NOW).await.expect("settles");
            }
            Op::Sweep { late } => {
                let now = NOW.plus_seconds(if late { 2000 } else { 1000 }).plus_micros(1);
                model.sweep(now);
                spool.sweep(now).await.expect("sweeps");
            }
            Op::Reopen => {
                spool.close().await;
                spool = Spool::open(config.clone()).await.expect("opens");
            }
        }
        same(&spool, &model).await;
    }
    spool.close().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_spool_does_what_the_model_does(ops in prop::collection::vec(op(), 1..40)) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(run(ops));
    }
}
