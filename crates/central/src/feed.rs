//! What each gateway knows: which snapshot holds for it, which one it has in
//! effect, and until when it may believe what it heard.

use crate::{
    controller::{Controller, State, not_enrolled},
    refusal::Refusal,
};
use std::{collections::BTreeMap, time::Duration};
use tokio::time::{Instant, timeout_at};
use vernport_api::{Feed, FeedRequest, GatewayEffect, MAX_WAIT_MS, ServedNotice};
use vernport_policy::{FlowGrant, GrantId, Head, Merged, Rules, Snapshot};
use vernport_registry::Facts;
use vernport_types::{EntryHash, Slug, UtcMicros};

/// How many head sequences are taken from the store at a time.
const SEQUENCES: u32 = 1_000;
/// While it waits, a poll looks at least this often whether time has closed something.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// A gateway that asked no longer ago than this is listening.
const LISTENING_MICROS: i64 = 10_000_000;

/// One gateway, seen from central.
pub(crate) struct Watch {
    pub(crate) snapshot: Snapshot,
    hash: [u8; 32],
    /// Counts the snapshots since the start of this process.
    version: u64,
    /// The newest version that the gateway told it has in effect, and when it told.
    applied: Option<(u64, UtcMicros)>,
    /// When it was last sent a head.
    head_at: Option<UtcMicros>,
    sequences: std::ops::Range<u64>,
}

impl Watch {
    pub(crate) fn new(snapshot: Snapshot) -> Self {
        let hash = snapshot.hash();
        Self { snapshot, hash, version: 1, applied: None, head_at: None, sequences: 0..0 }
    }

    /// Makes a snapshot the one that holds; says whether it is another one.
    pub(crate) fn hold(&mut self, snapshot: Snapshot) -> bool {
        let hash = snapshot.hash();
        if hash == self.hash {
            return false;
        }
        (self.snapshot, self.hash) = (snapshot, hash);
        self.version += 1;
        true
    }

    /// An open grant of the snapshot that holds.
    pub(crate) fn open(&self, id: GrantId) -> Option<&FlowGrant> {
        self.snapshot.grants.iter().flat_map(|grant| &grant.flows).find(|flow| flow.id == id)
    }

    /// Until when at the latest the gateway believes an opening that it was
    /// told of before `now`.
    pub(crate) fn believes_until(&self, flow: &FlowGrant, now: UtcMicros) -> UtcMicros {
        let lease = flow.believe.lease_seconds.map(i64::from);
        // Not heard of since the start: it may have been sent a head just before.
        let head_at = self.head_at.unwrap_or(now);
        lease.map_or(flow.believe.until, |lease| head_at.plus_seconds(lease).min(flow.believe.until))
    }

    /// The version that holds now, for [`Controller::await_effect`].
    pub(crate) fn version(&self) -> u64 {
        self.version
    }
}

/// A gateway whose confirmation of a version is worth waiting for.
pub(crate) struct Awaited {
    pub(crate) gateway: Slug,
    pub(crate) version: u64,
}

impl Controller {
    /// Answers a gateway: at once if it does not know what holds, else when
    /// that changes or its wait is over.
    pub(crate) async fn follow(&self, asked: &FeedRequest) -> Result<Feed, Refusal> {
        let end = Instant::now() + Duration::from_millis(asked.wait_ms.min(MAX_WAIT_MS).into());
        loop {
            let mut changed = self.changed.subscribe();
            let mut state = self.locked().await?;
            let now = state.now(&*self.clock);
            self.refresh(&mut state, now).await?;
            let watch = state.watches.get_mut(&asked.gateway).ok_or_else(not_enrolled)?;
            let knows = asked.known == Some(watch.hash);
            if knows && watch.applied.is_none_or(|(version, _)| version < watch.version) {
                watch.applied = Some((watch.version, now));
                self.changed.send_replace(());
                changed.mark_unchanged();
            }
            if !knows || Instant::now() >= end || self.shutdown.is_cancelled() {
                return self.answer(&mut state, asked, !knows, now).await;
            }
            drop(state);
            let look_at = end.min(Instant::now() + LOOK_EVERY);
            tokio::select! {
                _ = timeout_at(look_at, changed.changed()) => {}
                () = self.shutdown.cancelled() => {}
            }
        }
    }

    async fn answer(
        &self,
        state: &mut State,
        asked: &FeedRequest,
        with_snapshot: bool,
        now: UtcMicros,
    ) -> Result<Feed, Refusal> {
        let watch = state.watches.get_mut(&asked.gateway).ok_or_else(not_enrolled)?;
        if watch.sequences.is_empty() {
            let first = self.store.take_head_sequences(&self.id, &asked.gateway, SEQUENCES).await?;
            watch.sequences = first..first + u64::from(SEQUENCES);
        }
        let sequence = watch.sequences.next().unwrap_or_default();
        let head =
            Head { era: self.era.0, sequence, at: now, nonce: asked.nonce.0, snapshot_hash: watch.hash };
        watch.head_at = Some(now);
        let merged = state.segments.get(&asked.gateway).map(|tip| {
            let gateway = asked.gateway.clone();
            Merged { gateway, tip: *tip, snapshot_hash: watch.hash }.sign(&self.head_key)
        });
        let snapshot = with_snapshot.then(|| watch.snapshot.clone());
        let told = snapshot.as_ref().filter(|_| asked.notices);
        let notices =
            told.map(|snapshot| notices(&self.rules, &state.facts, snapshot, now)).unwrap_or_default();
        Ok(Feed { head: head.sign(&self.head_key), snapshot, merged, era: self.era.1.clone(), notices })
    }

    /// Waits until the awaited gateways that listen have told that they applied
    /// what holds, or `wait` is over; fills in when they did.
    pub(crate) async fn await_effect(
        &self,
        awaited: &[Awaited],
        effects: &mut [&mut GatewayEffect],
        wait: Duration,
    ) -> Result<(), Refusal> {
        let end = Instant::now() + wait;
        loop {
            let mut changed = self.changed.subscribe();
            let mut state = self.locked().await?;
            let now = state.now(&*self.clock);
            let mut waiting = false;
            for Awaited { gateway, version } in awaited {
                let Some(watch) = state.watches.get(gateway) else { continue };
                let applied = watch.applied.filter(|(applied, _)| applied >= version);
                let listens = watch.head_at.is_some_and(|at| now <= at.plus_micros(LISTENING_MICROS));
                waiting |= applied.is_none() && listens;
                for effect in effects.iter_mut().filter(|effect| effect.gateway == *gateway) {
                    effect.took_effect_at = applied.map(|(_, at)| at);
                }
            }
            drop(state);
            if !waiting || timeout_at(end, changed.changed()).await.is_err() {
                return Ok(());
            }
        }
    }
}

/// The notices that were published, and those that a snapshot rests on.
fn notices(rules: &Rules, facts: &Facts, snapshot: &Snapshot, now: UtcMicros) -> Vec<ServedNotice> {
    let published = rules.notices().iter().filter_map(|notice| {
        let entry = facts.notice_served(notice.version.as_str(), now)?;
        Some((entry, (notice.version.clone(), true)))
    });
    let mut served: BTreeMap<EntryHash, (Slug, bool)> = published.collect();
    let flows = snapshot.grants.iter().flat_map(|grant| &grant.flows);
    for entry in flows.flat_map(|flow| &flow.rests_on) {
        let version = facts.notice_of(entry).and_then(|notice| notice.as_str().parse().ok());
        if let Some(version) = version {
            served.entry(*entry).or_insert((version, false));
        }
    }
    served
        .into_iter()
        .map(|(entry, (version, published))| ServedNotice { entry, version, published })
        .collect()
}
