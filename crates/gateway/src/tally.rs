//! What this gateway has counted: frames, readings, releases, refusals. Times
//! and counts only; the one place that `status`, the demo's table and the
//! metrics read from.

use serde::Serialize;
use std::collections::BTreeMap;
use vernport_decode::RejectCode;
use vernport_policy::{FlowIndex, How};
use vernport_types::{Reason, SignalId, UtcMicros};

/// What became of the readings of one signal under one flow, or under none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Released as read.
    pub exact: u64,
    /// Released coarser than read.
    pub coarsened: u64,
    /// Withheld, by reason.
    pub withheld: BTreeMap<Reason, u64>,
}

/// What one source brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Heard {
    /// Frames taken from it.
    pub frames: u64,
    /// The time of the last one.
    pub at: Option<UtcMicros>,
}

/// All counts of one gateway since its start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Frames taken from all buses.
    pub frames: u64,
    /// The same by source, in the order of the configuration.
    pub heard: Vec<Heard>,
    /// When something was last decided on.
    pub decided_at: Option<UtcMicros>,
    /// When something was last released.
    pub released_at: Option<UtcMicros>,
    /// When a visit last began or ended.
    pub visit_at: Option<UtcMicros>,
    /// When something was last sealed.
    pub sealed_at: Option<UtcMicros>,
    /// Readings that were decided on.
    pub readings: u64,
    /// Values dropped because nobody knew whose they were.
    pub unidentified: u64,
    /// Visits that began, or were recognised in another way.
    pub visits: u64,
    /// Visits that ended.
    pub visits_ended: u64,
    /// Releases that wait in memory for the next flush.
    pub gathered: u64,
    /// By signal and flow; no flow where none names the signal.
    pub rows: BTreeMap<(SignalId, Option<FlowIndex>), Row>,
    /// Bytes that did not become a value.
    pub rejected: BTreeMap<RejectCode, u64>,
    /// Releases that were dropped before they were queued, by reason.
    pub dropped: BTreeMap<Reason, u64>,
    /// Releases that could not be sealed.
    pub unsealed: u64,
    /// Batches queued for the store.
    pub queued_batches: u64,
    /// Messages queued for topics.
    pub queued_messages: u64,
    /// Messages of tools that were taken.
    pub tool_messages: u64,
}

impl Tally {
    pub(crate) fn released(&mut self, signal: SignalId, flow: FlowIndex, how: How) {
        let row = self.rows.entry((signal, Some(flow))).or_default();
        match how {
            How::Exact => row.exact += 1,
            How::Coarsened => row.coarsened += 1,
        }
    }

    pub(crate) fn withheld(&mut self, signal: SignalId, flow: Option<FlowIndex>, reason: Reason) {
        *self.rows.entry((signal, flow)).or_default().withheld.entry(reason).or_default() += 1;
    }

    pub(crate) fn heard(&mut self, place: usize, at: UtcMicros) {
        self.frames += 1;
        if self.heard.len() <= place {
            self.heard.resize(place + 1, Heard::default());
        }
        self.heard[place].frames += 1;
        self.heard[place].at = Some(at);
    }

    pub(crate) fn rejected(&mut self, code: RejectCode) {
        *self.rejected.entry(code).or_default() += 1;
    }

    /// Sums over all signals and flows: released as read, released coarser, withheld.
    pub fn totals(&self) -> (u64, u64, u64) {
        self.rows.values().fold((0, 0, 0), |(exact, coarsened, withheld), row| {
            (exact + row.exact, coarsened + row.coarsened, withheld + row.withheld.values().sum::<u64>())
        })
    }

    /// All refusals, by reason.
    pub fn reasons(&self) -> BTreeMap<Reason, u64> {
        let mut reasons = BTreeMap::new();
        for (reason, count) in self.rows.values().flat_map(|row| &row.withheld) {
            *reasons.entry(*reason).or_default() += count;
        }
        reasons
    }
}
