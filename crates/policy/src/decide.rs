//! The decision on one reading.
//!
//! A masked bit-set operation: the flows that name the signal, and of them those open
//! for the asset, in force now, and content with how the asset was recognised and where
//! the reading comes from. Then arithmetic on copy types. No allocation, no error, no panic.

use crate::{
    Flow, FlowIndex, How, Minimiser, Outcomes, Released, Sample, SampleKey, Sampler, Sampling, SourceClass,
    Table,
    rules::{SignalRule, Step},
    sampler::ORDER_MEMORY_SECONDS,
    table::Row,
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
        let Some(rule) = self.rules.signals.get(usize::from(signal.0)) else {
            self.see(now);
            return 0;
        };
        match self.last_row(asset) {
            Some(row) if self.all_in_force(row, now) => {
                rule.named & row.open_to(by) & self.accepted(by, from)
            }
            _ => self.open_flows_of_another(asset, rule, (by, from), now),
        }
    }

    /// The same for another asset than the last, or one of which some opening may be over.
    #[inline(never)]
    fn open_flows_of_another(
        &self,
        asset: AssetId,
        rule: &SignalRule,
        (by, from): (Identification, SourceClass),
        now: Stamp,
    ) -> u128 {
        let Some(row) = self.row(asset) else {
            self.see(now);
            return 0;
        };
        rule.named & self.in_force(row, rule.named, now) & row.open_to(by) & self.accepted(by, from)
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
        let Some(row) = self.row(reading.asset) else {
            return self.refuse_absent(rule, reading, now, out);
        };
        let live = self.in_force(row, rule.named, now);
        let by = reading.identified_by;
        let accepted = row.open_to(by) & self.accepted(by, SourceClass::of(&reading.source));
        let taken = if rule.takes(&reading.value) { live & accepted } else { 0 };
        let mut rest = rule.named;
        while rest != 0 {
            let flow = FlowIndex::first_of(rest);
            let bit = rest & rest.wrapping_neg();
            rest &= rest - 1;
            let refusal = if taken & bit == 0 {
                self.why_not_taken(row, flow, reading, live, now)
            } else {
                let step = self.rules.step(rule, flow);
                let done = if step.minimiser == Minimiser::Drop {
                    Err(Reason::DroppedByRule)
                } else if step.every {
                    self.release(row, flow, step, reading, out)
                } else {
                    self.release_sample(row, flow, step, (reading, now), sampler, out)
                };
                match done {
                    Ok(()) => continue,
                    Err(reason) => reason,
                }
            };
            out.refuse(Some(flow), reading.signal, refusal);
        }
    }

    /// Refuses a reading of an asset without a row to every flow that names its signal.
    #[cold]
    fn refuse_absent(&self, rule: &SignalRule, reading: &Reading, now: Stamp, out: &mut Outcomes) {
        self.see(now);
        let unset = now.quality == TimeQuality::Unset;
        let reason = if unset { Reason::ClockUntrusted } else { self.absent };
        let mut rest = rule.named;
        while rest != 0 {
            out.refuse(Some(FlowIndex::first_of(rest)), reading.signal, reason);
            rest &= rest - 1;
        }
    }

    /// The first question that fails: is the flow open, for what was recognised so, from there,
    /// with such a value?
    #[inline(never)]
    fn why_not_taken(
        &self,
        row: Row<'_>,
        flow: FlowIndex,
        reading: &Reading,
        live: u128,
        now: Stamp,
    ) -> Reason {
        if live & flow.bit() == 0 {
            return self.why_closed(row, flow, now);
        }
        let by = reading.identified_by;
        let rule = self.rules.flow(flow);
        if by < rule.weakest || row.open_to(by) & flow.bit() == 0 {
            Reason::IdentificationTooWeak
        } else if rule.sources.contains(SourceClass::of(&reading.source)) {
            Reason::RuleBroken
        } else {
            Reason::SourceNotInNotice
        }
    }

    /// Releases a reading to a flow that takes each.
    #[inline]
    fn release(
        &self,
        row: Row<'_>,
        flow: FlowIndex,
        step: &Step,
        reading: &Reading,
        out: &mut Outcomes,
    ) -> Result<(), Reason> {
        let Step { minimiser, how, time_step_micros, .. } = *step;
        let opened = self.opened_of(row, flow);
        let (grant, alias) = (opened.id, opened.alias);
        out.released.push(Released { flow, grant, alias, minimiser, how, reading: *reading });
        if how == How::Coarsened {
            let released = &mut out.released.last_mut().expect("just pushed").reading;
            if time_step_micros > 1 {
                coarsen(&mut released.at, time_step_micros);
            }
            if !minimiser.apply_in(&mut released.value) {
                out.released.pop();
                return Err(Reason::RuleBroken);
            }
        }
        Ok(())
    }

    /// Releases a reading to a flow that takes one now and then.
    #[inline(never)]
    fn release_sample(
        &self,
        row: Row<'_>,
        flow: FlowIndex,
        step: &Step,
        (reading, now): (&Reading, Stamp),
        sampler: &mut Sampler,
        out: &mut Outcomes,
    ) -> Result<(), Reason> {
        let rule = self.rules.flow(flow);
        let sample = self.sample(rule, row, reading, now);
        let interval = match rule.sampling {
            Sampling::Interval(micros) => Some(micros),
            Sampling::Every | Sampling::PerOrder => None,
        };
        if sample.is_some_and(|sample| !sampler.is_due(sample.key, self.wall(now), interval)) {
            return Err(Reason::SampledOut);
        }
        self.release(row, flow, step, reading, out)?;
        if let Some(sample) = sample {
            sampler.take(sample);
            out.samples.push(sample);
        }
        Ok(())
    }

    /// The sample that a release would take; none where the flow takes every reading.
    fn sample(&self, flow: &Flow, row: Row<'_>, reading: &Reading, now: Stamp) -> Option<Sample> {
        let (order, micros) = match flow.sampling {
            Sampling::Every => return None,
            Sampling::PerOrder => (self.order_of(row), ORDER_MEMORY_SECONDS * 1_000_000),
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
