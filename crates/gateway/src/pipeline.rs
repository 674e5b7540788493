//! From frames and tool messages to one unit for the spool: decode, visit,
//! decide, minimise, gather. No I/O and no clock: the driver brings both.

use crate::{
    gather::{Collector, Flushed, Gather, Sealing},
    holds::Holds,
    tally::Tally,
    wants::Wants,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use vernport_canbus::TimedFrame;
use vernport_decode::{
    Config as DecoderConfig, Decoder, PlanError, dbc,
    dids::Dids,
    poll::Wanted,
    visit::{Config as VisitConfig, Event, Lookup as _, Visit},
};
use vernport_mqtt::{ToolMessage, VehicleRef};
use vernport_policy::{FlowIndex, Outcomes, Sample, Sampler};
use vernport_spool::{Cursor, Withheld};
use vernport_types::{
    AssetId, BootMicros, CanFilter, Catalogue, Identification, Reading, Reason, Slug, Source, Stamp,
};

/// How long counts of what was withheld stay open at most, in microseconds, where no visit ends.
const COUNTS_MICROS: u64 = 3600 * 1_000_000;
/// Channels that one log may hold.
const MAX_CHANNELS: usize = 8;

/// What a bus is read by beside the standards, as its configuration says.
#[derive(Debug, Clone, Default)]
pub(crate) struct OwnSignals {
    pub(crate) dids: Arc<Dids>,
    pub(crate) dbc: Option<Arc<dbc::Plan>>,
}

/// One configured source.
struct Input {
    /// Its name in the spool's cursors.
    name: String,
    /// Whether it can be read again after a restart, from its first frame on.
    replays: bool,
    visits: Vec<Visit>,
    /// What its answers of service 22 say.
    own: OwnSignals,
    /// Says which frames signals come from; none where the catalogue does not fit it.
    decoder: Option<Decoder>,
    /// Frames done with; the cursor.
    frames: u64,
    /// Frames of an earlier run: they rebuild the visit, and are not decided on again.
    done_before: u64,
}

/// The pure part of a gateway. One thread drives it.
pub(crate) struct Pipeline {
    holds: Holds,
    catalogue: Arc<Catalogue>,
    inputs: Vec<Input>,
    sampler: Sampler,
    samples: Vec<Sample>,
    withheld: BTreeMap<(Option<FlowIndex>, Reason), u64>,
    gather: Gather,
    outcomes: Outcomes,
    tally: Arc<Mutex<Tally>>,
    /// Whether a cursor moved since the last flush.
    moved: bool,
    counts: CountsDue,
}

/// When a leaf has to commit to what was withheld: at the end of a visit, else every hour.
struct CountsDue {
    /// Whether the spool may hold counts that no leaf commits to; after a start it may.
    open: bool,
    visit_ended: bool,
    closed_at: Option<BootMicros>,
}

impl Pipeline {
    pub(crate) fn new(
        holds: Holds,
        catalogue: Arc<Catalogue>,
        sealing: Sealing,
        max_records: usize,
        samples: Vec<Sample>,
        tally: Arc<Mutex<Tally>>,
    ) -> Self {
        Self {
            holds,
            catalogue,
            inputs: Vec::new(),
            sampler: Sampler::from_samples(samples),
            samples: Vec::new(),
            withheld: BTreeMap::new(),
            gather: Gather::new(sealing, max_records),
            outcomes: Outcomes::new(),
            tally,
            moved: false,
            counts: CountsDue { open: true, visit_ended: false, closed_at: None },
        }
    }

    /// Adds a source and gives its place. `done_before` frames of it were queued by an earlier run.
    pub(crate) fn add_input(
        &mut self,
        name: String,
        replays: bool,
        done_before: u64,
        own: OwnSignals,
    ) -> usize {
        let decoder = Decoder::new(&self.catalogue, DecoderConfig::default()).ok();
        let decoder = decoder.map(|decoder| match &own.dbc {
            Some(dbc) => decoder.with_dids(&own.dids).with_dbc(dbc),
            None => decoder.with_dids(&own.dids),
        });
        self.inputs.push(Input { name, replays, visits: Vec::new(), own, decoder, frames: 0, done_before });
        let place = self.inputs.len() - 1;
        if !replays {
            self.gather.add_live(as_collector(place));
        }
        place
    }

    /// What a live bus has to bring now, and what may be asked on it: of a vehicle that is
    /// recognised what its own open flows want, of another one only who it is. Of an adapter
    /// with several buses only bus 0 is asked; what passes is what any of them may bring.
    pub(crate) fn wants(&self, place: usize, now: Stamp) -> Wants {
        let visits = &self.inputs[place].visits;
        let recognised = visits.first().and_then(Visit::recognised);
        let passes = self.holds.wanted(recognised, now);
        let others: Vec<_> =
            visits.iter().skip(1).map(|visit| self.holds.wanted(visit.recognised(), now)).collect();
        let identify_open = self.holds.identify_open();
        let unsure = recognised.is_none_or(|(_, by)| by < Identification::BusVin);
        let is_wanted = |signal| {
            let mut all = others.iter().chain([&passes]);
            all.any(|passes| passes.binary_search_by_key(&signal, |(wanted, _)| *wanted).is_ok())
        };
        let interest = match &self.inputs[place].decoder {
            Some(decoder) => decoder.interest(is_wanted, identify_open),
            None => CanFilter::ALL.to_vec(),
        };
        let signals = if recognised.is_some() { passes } else { Vec::new() };
        Wants { ask: Wanted { signals, identify: identify_open && unsure }, interest, at: now.boot }
    }

    /// Takes one frame of a source.
    ///
    /// # Errors
    /// [`PlanError`] where the catalogue does not fit the decoder; nothing can be read then.
    pub(crate) fn frame(&mut self, place: usize, timed: &TimedFrame, now: Stamp) -> Result<(), PlanError> {
        let channel = usize::from(timed.bus).min(MAX_CHANNELS - 1);
        let input = &mut self.inputs[place];
        while input.visits.len() <= channel {
            let visit = Visit::new(&self.catalogue, VisitConfig::default())?.with_dids(&input.own.dids);
            input.visits.push(match &input.own.dbc {
                Some(dbc) => visit.with_dbc(dbc),
                None => visit,
            });
        }
        input.frames += 1;
        self.moved |= input.replays;
        let holds = self.holds.clone();
        self.with_events(place, channel, now, |visit, out| {
            visit.push(&timed.frame, timed.at, &holds, &mut |event| out.push(event));
        });
        // Counted when it is done with, so that who waits for the count finds what came of it.
        self.tally().heard(place, timed.at.wall);
        Ok(())
    }

    /// Lets time pass on the live buses, after a change of grants too.
    pub(crate) fn tick(&mut self, now: Stamp) {
        let holds = self.holds.clone();
        for place in 0..self.inputs.len() {
            if self.inputs[place].replays {
                continue;
            }
            for channel in 0..self.inputs[place].visits.len() {
                self.with_events(place, channel, now, |visit, out| {
                    visit.tick(now, &holds, &mut |event| out.push(event));
                });
            }
        }
        let table = self.holds.clone();
        self.gather.end_epochs(now.boot, |grant| table.table().opening(grant).is_some());
        self.sampler.make_room(now.wall, 64);
    }

    /// A source has ended at `last`, the time of its last frame, and the vehicle is gone. After a log,
    /// time goes on: what still waits for an identification gets the grace that silence would give it.
    pub(crate) fn end_input(&mut self, place: usize, last: Option<Stamp>, now: Stamp) {
        let holds = self.holds.clone();
        for channel in 0..self.inputs[place].visits.len() {
            if let Some(last) = last.filter(|_| self.inputs[place].replays) {
                let later = after(last, VisitConfig::default().vin_grace_micros + 1);
                self.with_events(place, channel, now, |visit, out| {
                    visit.tick(later, &holds, &mut |event| out.push(event));
                });
            }
            self.with_events(place, channel, now, |visit, out| {
                visit.detach(last.unwrap_or(now), &mut |event| out.push(event));
            });
        }
    }

    /// Decides on a tool's readings; says whether the vehicle is known here.
    pub(crate) fn tool(&mut self, tool: &Slug, message: &ToolMessage, now: Stamp) -> bool {
        let asset = match &message.vehicle {
            VehicleRef::Visit => self.present(),
            VehicleRef::Identifier(identifier) => self.holds.find(identifier),
            VehicleRef::Order(order) => self.holds.of_order(*order),
        };
        let Some(asset) = asset else { return false };
        let collector = Collector::Tool(tool.clone());
        for reading in &message.readings {
            let at = Stamp { wall: reading.at, ..now };
            let (signal, value) = (reading.signal, reading.value);
            let identified_by = Identification::Tool;
            let reading = Reading { asset, signal, value, at, source: Source::Tool, identified_by };
            self.decide(&reading, &collector, now);
        }
        self.tally().tool_messages += 1;
        true
    }

    /// The vehicle at the station, which a tool means by "this one": the only one recognised on its buses.
    fn present(&self) -> Option<AssetId> {
        let mut seen = self.inputs.iter().flat_map(|input| &input.visits).filter_map(Visit::recognised);
        let (first, _) = seen.next()?;
        seen.all(|(other, _)| other == first).then_some(first)
    }

    /// Whether there is something that wants to be queued now: a full batch, or an
    /// old one.
    pub(crate) fn wants_flush(&self, now: Stamp, max_wait_micros: u64) -> bool {
        let old = |oldest: BootMicros| now.boot.0.saturating_sub(oldest.0) >= max_wait_micros;
        self.gather.is_full() || self.gather.oldest().is_some_and(old)
    }

    /// Whether anything was done since the last flush that has to be durable.
    pub(crate) fn has_work(&self) -> bool {
        let counts = self.counts.open && self.counts.visit_ended;
        !self.gather.is_empty()
            || self.moved
            || !self.withheld.is_empty()
            || !self.samples.is_empty()
            || counts
    }

    /// Seals what was gathered and gives it with cursors, counts and samples: one unit, to be queued whole.
    pub(crate) fn flush(&mut self, now: Stamp) -> vernport_spool::Unit {
        let holds = &self.holds;
        let Flushed { mut unit, dropped, failed } =
            self.gather.flush(now, |grant| holds.standing(grant, now));
        {
            let mut tally = self.tally();
            for (release, reason, count) in dropped {
                tracing::debug!(flow = release.flow().0, %reason, count, "releases were dropped before they were queued");
                *tally.dropped.entry(reason).or_default() += count as u64;
            }
            for (error, count) in failed {
                tracing::error!(error = vernport_types::chain(&error), count, "releases could not be sealed");
                tally.unsealed += count as u64;
            }
            if !unit.batches.is_empty() || !unit.topics.is_empty() {
                tally.sealed_at = Some(now.wall);
            }
            tally.queued_batches += unit.batches.len() as u64;
            tally.queued_messages += unit.topics.len() as u64;
        }
        for input in self.inputs.iter().filter(|input| input.replays && input.frames > input.done_before) {
            unit.cursors.push(Cursor { source: input.name.clone(), position: input.frames });
        }
        unit.samples = std::mem::take(&mut self.samples);
        let table = self.holds.table();
        let rules = table.rules();
        for ((flow, reason), count) in std::mem::take(&mut self.withheld) {
            let flow = flow.map(|flow| rules.flow(flow).slug.clone());
            unit.withheld.push(Withheld { controller: rules.controller().clone(), flow, reason, count });
        }
        drop(table);
        self.moved = false;
        unit.closes_counts = self.closes_counts(!unit.withheld.is_empty(), now.boot);
        unit
    }

    /// Whether the counts of what was withheld are closed with this unit.
    fn closes_counts(&mut self, more: bool, now: BootMicros) -> bool {
        let counts = &mut self.counts;
        counts.open |= more;
        let begun = *counts.closed_at.get_or_insert(now);
        let due = counts.visit_ended || now.0.saturating_sub(begun.0) >= COUNTS_MICROS;
        counts.visit_ended = false;
        if !counts.open || !due {
            return false;
        }
        (counts.open, counts.closed_at) = (false, Some(now));
        true
    }

    /// Runs one step of a visit and decides on what comes out of it.
    fn with_events(
        &mut self,
        place: usize,
        channel: usize,
        now: Stamp,
        step: impl FnOnce(&mut Visit, &mut Vec<Event>),
    ) {
        let mut events = Vec::new();
        let input = &mut self.inputs[place];
        step(&mut input.visits[channel], &mut events);
        let rebuilding = input.replays && input.frames <= input.done_before;
        let collector = Collector::Bus(as_collector(place));
        for event in events {
            self.event(event, &collector, rebuilding, now);
        }
    }

    fn event(&mut self, event: Event, collector: &Collector, rebuilding: bool, now: Stamp) {
        match event {
            Event::Began { by, .. } => {
                tracing::info!(?by, "a vehicle was recognised");
                let mut tally = self.tally();
                (tally.visits, tally.visit_at) = (tally.visits + 1, Some(now.wall));
            }
            Event::Ended { why } => {
                tracing::info!(?why, "a visit ended");
                {
                    let mut tally = self.tally();
                    (tally.visits_ended, tally.visit_at) = (tally.visits_ended + 1, Some(now.wall));
                }
                self.gather.end_visit();
                self.counts.visit_ended = true;
            }
            _ if rebuilding => {}
            Event::Reading(reading) => self.decide(&reading, collector, now),
            Event::Unidentified { signal } => {
                let mut tally = self.tally();
                tally.unidentified += 1;
                tally.withheld(signal, None, Reason::Unidentified);
            }
            Event::Rejected { code } => self.tally().rejected(code),
        }
    }

    fn decide(&mut self, reading: &Reading, collector: &Collector, now: Stamp) {
        self.holds.table().decide(reading, now, &mut self.sampler, &mut self.outcomes);
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.readings += 1;
        tally.decided_at = Some(now.wall);
        if !self.outcomes.released().is_empty() {
            tally.released_at = Some(now.wall);
        }
        for release in self.outcomes.released() {
            tally.released(release.signal(), release.flow(), release.how());
            tally.gathered += 1;
            let grant = release.grant_id();
            self.gather.push(*release, collector, now.boot, || self.holds.opened(grant));
        }
        for withheld in self.outcomes.withheld() {
            tally.withheld(withheld.signal, withheld.flow, withheld.reason);
            *self.withheld.entry((withheld.flow, withheld.reason)).or_default() += 1;
        }
        self.samples.extend_from_slice(self.outcomes.samples());
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The number of a bus where readings say who collected them.
fn as_collector(place: usize) -> u8 {
    u8::try_from(place).unwrap_or(u8::MAX)
}

fn after(stamp: Stamp, micros: u64) -> Stamp {
    let wall = stamp.wall.plus_micros(i64::try_from(micros).unwrap_or(i64::MAX));
    Stamp { wall, boot: BootMicros(stamp.boot.0.saturating_add(micros)), ..stamp }
}
