//! Gathers releases until they are sealed: one key epoch for each opening of a flow.
//!
//! An epoch serves one grant, one visit, this process and at most a day; its data
//! key is in memory only. Nothing is written here: [`Gather::flush`] gives one
//! [`Unit`] that the spool takes whole or not at all.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};
use thiserror::Error;
use vernport_crypto::{SigningKey, StorageKeys, WrappingKey, random};
use vernport_mqtt::{FleetContext, Stream as TopicStream, sealed_message, value_message};
use vernport_policy::{Flow, FlowGrant, GrantId, Payload, Released, Rules, Standing};
use vernport_seal::{
    BatchContext, EpochContext, EpochError, EpochSealer, MAX_RECORDS, Recipient, SealError, Sealed, Storage,
    TopicError,
};
use vernport_spool::{QueuedBatch, QueuedTopic, Stream, Unit, WhenFull};
use vernport_types::{
    BatchId, BootId, BootMicros, Catalogue, EpochId, MessageId, OrderId, Reason, Slug, Stamp, UtcMicros,
};

/// The longest that one data key is used.
const EPOCH_MICROS: u64 = 24 * 3600 * 1_000_000;
/// What made a batch, as its head says.
const SOFTWARE: &str = concat!("vernport-gateway ", env!("CARGO_PKG_VERSION"));
/// How long a fleet message is worth delivering, unless it has to be gone before or is told otherwise.
pub(crate) const DELIVERY_WINDOW_H: u32 = 24;

/// Why a release could not be sealed. The release is lost only if the flow's keys are unusable.
#[derive(Debug, Error)]
pub enum GatherError {
    /// The epoch could not begin.
    #[error("no key epoch for flow {flow}")]
    Epoch {
        /// Which flow.
        flow: Slug,
        /// Why.
        source: EpochError,
    },
    /// A batch could not be sealed.
    #[error("a batch of flow {flow} cannot be sealed")]
    Seal {
        /// Which flow.
        flow: Slug,
        /// Why.
        source: SealError,
    },
    /// A fleet message could not be made.
    #[error("a message of flow {flow} cannot be made")]
    Topic {
        /// Which flow.
        flow: Slug,
        /// Why.
        source: TopicError,
    },
}

/// What collected a reading.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Collector {
    /// A bus of the station, by its place in the configuration.
    Bus(u8),
    /// A workshop tool.
    Tool(Slug),
}

/// What is the same for everything that this gateway seals.
pub(crate) struct Sealing {
    pub(crate) gateway: Slug,
    pub(crate) place: String,
    pub(crate) rules: Arc<Rules>,
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) catalogue_hash: [u8; 32],
    pub(crate) device: Arc<SigningKey>,
    pub(crate) storage: Arc<StorageKeys>,
    /// Whether there is a fleet broker to send messages to.
    pub(crate) topics: bool,
    /// How long a message is worth delivering, in hours, unless it has to be gone before.
    pub(crate) delivery_window_h: u32,
    pub(crate) boot: BootId,
    /// Flows whose readings are kept longest when the spool is full, the first of them before all others.
    pub(crate) keep_longest: Vec<Slug>,
}

impl Sealing {
    /// The rank of a flow in a full spool: 0 unless it is to be kept longer.
    fn rank(&self, flow: &Slug) -> u8 {
        let place = self.keep_longest.iter().rev().position(|kept| kept == flow);
        place.map_or(0, |place| u8::try_from(place + 1).unwrap_or(u8::MAX))
    }
}

/// What an opening seals with; from the snapshot that grants it.
#[derive(Debug, Clone)]
pub(crate) struct Opened {
    pub(crate) grant: FlowGrant,
    pub(crate) order: Option<OrderId>,
    /// The version of the notice that was served.
    pub(crate) notice: Slug,
    /// The active keys of the recipient for this purpose, at least one.
    pub(crate) recipients: Vec<WrappingKey>,
    pub(crate) recovery: WrappingKey,
}

struct Epoch {
    sealer: EpochSealer,
    context: BatchContext,
    begun: BootMicros,
}

/// Releases of one opening in one visit, from one collector.
struct Group {
    grant: GrantId,
    visit: u64,
    collector: Collector,
    /// What it seals with, from when the first of them was released; none where the recipient had no key.
    opened: Option<Opened>,
    released: Vec<Released>,
}

/// Releases that wait to be sealed, and the keys they will be sealed with.
pub(crate) struct Gather {
    sealing: Sealing,
    max_records: usize,
    /// Places of the buses that cannot wait.
    live: BTreeSet<u8>,
    /// By opening and visit.
    epochs: HashMap<(GrantId, u64), Epoch>,
    /// Counts the visits that have ended: a later visit never seals under an earlier one's key.
    visit: u64,
    /// In the order of the first release.
    pending: Vec<Group>,
    oldest: Option<BootMicros>,
    fullest: usize,
}

impl Gather {
    pub(crate) fn new(sealing: Sealing, max_records: usize) -> Self {
        Self {
            sealing,
            max_records: max_records.min(MAX_RECORDS),
            live: BTreeSet::new(),
            epochs: HashMap::new(),
            visit: 0,
            pending: Vec::new(),
            oldest: None,
            fullest: 0,
        }
    }

    /// The bus at this place cannot wait: in a full spool its readings give way to one another.
    pub(crate) fn add_live(&mut self, place: u8) {
        self.live.insert(place);
    }

    /// Takes a release. `opened` gives what its opening seals with.
    pub(crate) fn push(
        &mut self,
        released: Released,
        collector: &Collector,
        now: BootMicros,
        opened: impl FnOnce() -> Option<Opened>,
    ) {
        let (grant, visit) = (released.grant_id(), self.visit);
        let same =
            |group: &Group| group.grant == grant && group.visit == visit && group.collector == *collector;
        let place = self.pending.iter().position(same).unwrap_or_else(|| {
            let (collector, opened) = (collector.clone(), opened());
            self.pending.push(Group { grant, visit, collector, opened, released: Vec::new() });
            self.pending.len() - 1
        });
        let waiting = &mut self.pending[place].released;
        waiting.push(released);
        self.fullest = self.fullest.max(waiting.len());
        self.oldest.get_or_insert(now);
    }

    /// Whether a flow has as many records as a batch takes.
    pub(crate) fn is_full(&self) -> bool {
        self.fullest >= self.max_records
    }

    /// When the oldest release was taken.
    pub(crate) fn oldest(&self) -> Option<BootMicros> {
        self.oldest
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// A visit is over: what comes from now on is sealed under other keys.
    pub(crate) fn end_visit(&mut self) {
        self.visit += 1;
    }

    /// Ends the epochs that `keep` does not name, and those that have lasted a day.
    pub(crate) fn end_epochs(&mut self, now: BootMicros, keep: impl Fn(GrantId) -> bool) {
        self.epochs
            .retain(|(grant, _), epoch| keep(*grant) && now.0.saturating_sub(epoch.begun.0) < EPOCH_MICROS);
    }

    /// Seals all that waits. `may_go` says for each opening whether its releases
    /// may still be sent. What may not, or cannot be sealed, is dropped and
    /// comes back as a count; what has to wait is sealed and waits in the spool.
    pub(crate) fn flush(&mut self, now: Stamp, may_go: impl Fn(GrantId) -> Standing) -> Flushed {
        let mut flushed = Flushed { unit: Unit::new(now.wall), dropped: Vec::new(), failed: Vec::new() };
        for group in std::mem::take(&mut self.pending) {
            let (first, count) = (group.released[0], group.released.len());
            if let Standing::Destroy(reason) = may_go(group.grant) {
                flushed.dropped.push((first, reason, count));
                continue;
            }
            let Some(opened) = &group.opened else {
                flushed.dropped.push((first, Reason::RecipientKeyMissing, count));
                continue;
            };
            if let Err(error) = self.seal_group(&group, now, opened, &mut flushed.unit) {
                flushed.failed.push((error, count));
            }
        }
        let visit = self.visit;
        self.epochs.retain(|(_, of), _| *of == visit);
        self.oldest = None;
        self.fullest = 0;
        flushed
    }

    fn seal_group(
        &mut self,
        group: &Group,
        now: Stamp,
        opened: &Opened,
        unit: &mut Unit,
    ) -> Result<(), GatherError> {
        let Group { grant, visit, collector, released, .. } = group;
        let (grant, visit) = (*grant, *visit);
        let flow = self.sealing.rules.flow(released[0].flow()).clone();
        let error = |source| GatherError::Seal { flow: flow.slug.clone(), source };
        self.begin((grant, visit), &flow, now.boot, opened)?;
        let sealing = &self.sealing;
        let epoch = self.epochs.get_mut(&(grant, visit)).expect("begun just above");
        let mut context = epoch.context.clone();
        context.collector = match collector {
            Collector::Bus(bus) => format!("{}/bus-{bus}", sealing.place),
            Collector::Tool(tool) => format!("{}/tool/{tool}", sealing.place),
        };
        let when_full = match collector {
            Collector::Bus(bus) if self.live.contains(bus) => WhenFull::GiveWay(sealing.rank(&flow.slug)),
            Collector::Bus(_) | Collector::Tool(_) => WhenFull::Wait,
        };
        let latest_due = flow.retention.latest_due(now.wall);
        if flow.deliver.store {
            for batch in released.chunks(self.max_records) {
                let id = BatchId::from_bytes(random());
                let sealed = epoch
                    .sealer
                    .seal(&sealing.device, id, latest_due, context.clone(), batch, &sealing.catalogue)
                    .map_err(error)?;
                unit.batches.push(QueuedBatch { grant, when_full, sealed });
            }
        }
        let Some(topic) = flow.deliver.topic.as_ref().filter(|_| sealing.topics) else { return Ok(()) };
        let stream = Stream {
            operator: topic.operator.clone(),
            purpose: flow.purpose.clone(),
            alias: opened.grant.alias,
        };
        let fleet =
            Fleet { sealing, flow: &flow, stream: &stream, latest_due, at: now.wall, grant, when_full };
        match topic.payload {
            Payload::Plain => {
                for release in released {
                    fleet.plain(release, unit)?;
                }
            }
            Payload::Sealed => {
                for batch in released.chunks(self.max_records) {
                    let id = BatchId::from_bytes(random());
                    let context = context.clone();
                    let sealed = epoch.sealer.seal(
                        &sealing.device,
                        id,
                        latest_due,
                        context,
                        batch,
                        &sealing.catalogue,
                    );
                    fleet.sealed(&sealed.map_err(error)?, unit)?;
                }
            }
        }
        Ok(())
    }

    /// Begins the epoch of an opening, unless it goes on.
    fn begin(
        &mut self,
        key: (GrantId, u64),
        flow: &Flow,
        now: BootMicros,
        opened: &Opened,
    ) -> Result<(), GatherError> {
        if self.epochs.contains_key(&key) {
            return Ok(());
        }
        let sealing = &self.sealing;
        let epoch = EpochContext {
            controller: sealing.rules.controller().clone(),
            gateway: sealing.gateway.clone(),
            flow: flow.slug.clone(),
            epoch: EpochId::from_bytes(random()),
            retention_rule: flow.retention.rule.clone(),
            grant: key.0,
        };
        let sealer = EpochSealer::new(epoch, &opened.recipients, &opened.recovery)
            .map_err(|source| GatherError::Epoch { flow: flow.slug.clone(), source })?;
        let context = BatchContext {
            bundle_hash: sealing.rules.hash(),
            notice: opened.notice.to_string(),
            purpose: flow.purpose_iri.clone(),
            basis: flow.basis,
            rests_on: opened.grant.rests_on.clone(),
            catalogue_hash: sealing.catalogue_hash,
            collector: sealing.place.clone(),
            order: opened.order,
            software: SOFTWARE.to_owned(),
            boot: sealing.boot,
        };
        self.epochs.insert(key, Epoch { sealer, context, begun: now });
        Ok(())
    }
}

/// Makes the messages of one opening for a fleet operator.
struct Fleet<'a> {
    sealing: &'a Sealing,
    flow: &'a Flow,
    stream: &'a Stream,
    latest_due: UtcMicros,
    at: UtcMicros,
    grant: GrantId,
    when_full: WhenFull,
}

impl Fleet<'_> {
    fn plain(&self, release: &Released, unit: &mut Unit) -> Result<(), GatherError> {
        let signal = self.sealing.catalogue.signal(release.signal());
        self.queue(unit, |fleet| value_message(release, signal, fleet, self.sealing.storage.current()))
    }

    fn sealed(&self, envelope: &Sealed<Recipient>, unit: &mut Unit) -> Result<(), GatherError> {
        self.queue(unit, |fleet| sealed_message(envelope, fleet, self.sealing.storage.current()))
    }

    fn queue(
        &self,
        unit: &mut Unit,
        render: impl FnOnce(&FleetContext<'_>) -> Result<Sealed<Storage>, TopicError>,
    ) -> Result<(), GatherError> {
        let message = MessageId::from_bytes(random());
        let window_s = i64::from(self.sealing.delivery_window_h) * 3600;
        let expiry = self.latest_due.min(self.at.plus_seconds(window_s));
        let stream = TopicStream {
            operator: self.stream.operator.clone(),
            purpose: self.stream.purpose.clone(),
            vehicle: self.stream.alias,
        };
        let fleet = FleetContext {
            stream: &stream,
            id: message,
            flow: &self.flow.slug,
            bundle: self.sealing.rules.name(),
            delete_by: self.latest_due,
            expiry,
        };
        let sealed =
            render(&fleet).map_err(|source| GatherError::Topic { flow: self.flow.slug.clone(), source })?;
        let controller = self.sealing.rules.controller().clone();
        let (grant, when_full, stream) = (self.grant, self.when_full, self.stream.clone());
        unit.topics.push(QueuedTopic { controller, grant, when_full, stream, message, expiry, sealed });
        Ok(())
    }
}

/// What a flush gives.
pub(crate) struct Flushed {
    pub(crate) unit: Unit,
    /// One release of each group that may not be sent any more, why, and how many there were.
    pub(crate) dropped: Vec<(Released, Reason, usize)>,
    pub(crate) failed: Vec<(GatherError, usize)>,
}
