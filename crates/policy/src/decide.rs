//! The decision on one reading.
//!
//! A masked bit-set operation: the flows that name the signal, and of them those open
//! for the asset, in force now, and content with how the asset was recognised and where
//! the reading comes from. Then arithmetic on copy types. No allocation, no error, no panic.

use crate::{
    Flow, FlowIndex, How, Minimiser, Outcomes, Released, Sample, SampleKey, Sampler, Sampling, SourceClass,
    Table, sampler::ORDER_MEMORY_SECONDS, table::Row,
};
use vernport_types::{AssetId, BootMicros, Identification, Reading, Reason, SignalId, Stamp, TimeQuality};

impl Table {
    /// The flows that would take a reading of a signal of an asset now, from such a source, as
    /// bits by [`FlowIndex`]: what is 0 here need not even be asked for.
    pub fn open_flows(
        &self,
        asset: AssetId,
        signal: SignalId,
        (by, from): (Identification, SourceClass),
        now: Stamp,
    ) -> u128 {
        let (Some(rule), Some(row)) = (self.rules.signals.get(usize::from(signal.0)), self.row(asset)) else {
            self.see(now);
            return 0;
        };
        rule.named & self.in_force(row, now) & self.accepted(by, || from) & row.accepts(by)
    }

    /// Decides on one reading: for every flow that names its signal a release or a
    /// refusal, else one refusal. `now` is the gateway's clock at this moment.
    pub fn decide(&self, reading: &Reading, now: Stamp, sampler: &mut Sampler, out: &mut Outcomes) {
        out.clear();
        let Some(rule) = self.rules.signals.get(usize::from(reading.signal.0)) else {
            self.see(now);
            return out.refuse(None, reading.signal, Reason::UnknownSignal);
        };
        if rule.named == 0 {
            self.see(now);
            return out.refuse(None, reading.signal, rule.unnamed);
        }
        let row = self.row(reading.asset);
        let live = match row {
            Some(row) => self.in_force(row, now),
            None => {
                self.see(now);
                0
            }
        };
        let by = reading.identified_by;
        let accepted = self.accepted(by, || SourceClass::of(&reading.source))
            & row.map_or(u128::MAX, |row| row.accepts(by));
        let taken = if rule.takes(&reading.value) { live & accepted } else { 0 };
        let mut rest = rule.named;
        while rest != 0 {
            #[expect(clippy::cast_possible_truncation, reason = "below 128")]
            let flow = FlowIndex(rest.trailing_zeros() as u8);
            rest &= rest - 1;
            let refusal = match row {
                Some(row) if taken & flow.bit() != 0 => {
                    match self.release(row, flow, reading, now, sampler, out) {
                        Ok(()) => continue,
                        Err(reason) => reason,
                    }
                }
                _ => self.why_not_taken(row, flow, reading, live, now),
            };
            out.refuse(Some(flow), reading.signal, refusal);
        }
    }

    /// The first question that fails: is the flow open, for what was recognised so, from there,
    /// with such a value?
    fn why_not_taken(
        &self,
        row: Option<&Row>,
        flow: FlowIndex,
        reading: &Reading,
        live: u128,
        now: Stamp,
    ) -> Reason {
        let Some(row) = row else {
            return if now.quality == TimeQuality::Unset { Reason::ClockUntrusted } else { self.absent };
        };
        if live & flow.bit() == 0 {
            return self.why_closed(row, flow, now);
        }
        let by = reading.identified_by;
        let rule = self.rules.flow(flow);
        if by < rule.weakest || row.accepts(by) & flow.bit() == 0 {
            Reason::IdentificationTooWeak
        } else if rule.sources.contains(SourceClass::of(&reading.source)) {
            Reason::RuleBroken
        } else {
            Reason::SourceNotInNotice
        }
    }

    fn release(
        &self,
        row: &Row,
        flow: FlowIndex,
        reading: &Reading,
        now: Stamp,
        sampler: &mut Sampler,
        out: &mut Outcomes,
    ) -> Result<(), Reason> {
        let minimiser = self.rules.minimiser(reading.signal, flow);
        if minimiser == Minimiser::Drop {
            return Err(Reason::DroppedByRule);
        }
        let rule = self.rules.flow(flow);
        let sample = self.sample(rule, row, reading, now);
        if sample.is_some_and(|sample| !sampler.is_due(sample.key, self.wall(now))) {
            return Err(Reason::SampledOut);
        }
        let opened = self.opened_of(row, flow);
        let exact = minimiser == Minimiser::Exact && rule.time_step_micros == 0;
        out.released.push(Released {
            flow,
            grant: opened.id,
            alias: opened.alias,
            minimiser,
            how: if exact { How::Exact } else { How::Coarsened },
            reading: *reading,
        });
        if !exact {
            let released = &mut out.released.last_mut().expect("just pushed").reading;
            coarsen(&mut released.at, rule.time_step_micros);
            if !minimiser.apply_in(&mut released.value) {
                out.released.pop();
                return Err(Reason::RuleBroken);
            }
        }
        if let Some(sample) = sample {
            sampler.take(sample);
            out.samples.push(sample);
        }
        Ok(())
    }

    /// The sample that a release would take; none where the flow takes every reading.
    fn sample(&self, flow: &Flow, row: &Row, reading: &Reading, now: Stamp) -> Option<Sample> {
        let (order, micros) = match flow.sampling {
            Sampling::Every => return None,
            Sampling::PerOrder => (row.order, ORDER_MEMORY_SECONDS * 1_000_000),
            Sampling::Interval(micros) => (None, micros),
        };
        let until = self.wall(now).plus_micros(micros);
        let base = self.rules.sample_base(flow.index, reading.signal)?;
        Some(Sample { key: SampleKey::new(base, reading.asset, order), until })
    }
}

/// Cuts a time down to a step. The boot clock goes down by as much, so that both
/// together say no more than the wall clock alone.
fn coarsen(at: &mut Stamp, step_micros: i64) {
    let wall = at.wall.truncated(step_micros);
    at.boot = BootMicros(at.boot.0.saturating_sub(at.wall.0.abs_diff(wall.0)));
    at.wall = wall;
}
