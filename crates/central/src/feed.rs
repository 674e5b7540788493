//! What each gateway knows: which snapshot holds for it, which one it has in
//! effect, and until when it may believe what it heard.

use crate::{
    cache::{ATTEMPTS, overtaken},
    chain,
    controller::{Controller, State, not_enrolled},
    enrolment::enrolment_ended,
    refusal::Refusal,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use tokio::time::{Instant, timeout_at};
use vernport_api::{Code, Feed, FeedRequest, GatewayEffect, MAX_WAIT_MS, ServedNotice, Stopped};
use vernport_policy::{Believe, FlowGrant, GrantId, Head, Merged, Rules, Snapshot};
use vernport_registry::{EnrolmentState, Facts};
use vernport_store::{Revision, StoreError, Told};
use vernport_types::{EntryHash, Slug, UtcMicros};

/// How many head sequences are taken from the store at a time …
const SEQUENCES: u32 = 256;
/// … and for how long heads are sent with them. Who was sent none for longer is not listening.
const SEQUENCES_SECONDS: i64 = 15;
/// While it waits, a poll looks at least this often whether time has closed something.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// While a registrar waits, it looks at least this often whether a gateway told something elsewhere.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// One gateway, seen from central.
pub(crate) struct Watch {
    pub(crate) snapshot: Snapshot,
    hash: [u8; 32],
    /// The controller's revision at which it began to hold.
    pub(crate) since: Revision,
    /// The revision of which it was noted that the gateway has it in effect.
    applied: Option<Revision>,
    /// When it was last sent a head by this process.
    head_at: Option<UtcMicros>,
    sequences: std::ops::Range<u64>,
    /// No head with them is later than this.
    sequences_until: UtcMicros,
}

impl Watch {
    pub(crate) fn new(snapshot: Snapshot, since: Revision) -> Self {
        let hash = snapshot.hash();
        let (sequences, sequences_until) = (0..0, UtcMicros(i64::MIN));
        Self { snapshot, hash, since, applied: None, head_at: None, sequences, sequences_until }
    }

    /// Makes a snapshot the one that holds from a revision on; says whether it is another one.
    pub(crate) fn hold(&mut self, snapshot: Snapshot, since: Revision) -> bool {
        let hash = snapshot.hash();
        if hash == self.hash {
            return false;
        }
        (self.snapshot, self.hash, self.since) = (snapshot, hash, since);
        true
    }

    /// An open grant of the snapshot that holds.
    pub(crate) fn open(&self, id: GrantId) -> Option<&FlowGrant> {
        self.snapshot.grants.iter().flat_map(|grant| &grant.flows).find(|flow| flow.id == id)
    }

    /// When the gateway was last sent a head, at the latest, by whichever process.
    fn last_head(&self, told: &Told, now: UtcMicros) -> UtcMicros {
        // Nobody took sequences after this process.
        let own = self.head_at.filter(|_| self.sequences.end == told.head_sequence);
        own.unwrap_or_else(|| told.head_until.map_or(now, |until| until.min(now)))
    }
}

/// A gateway whose confirmation is worth waiting for: that it has in effect
/// what holds from a revision on.
pub(crate) struct Awaited {
    pub(crate) gateway: Slug,
    pub(crate) since: Revision,
}

/// What gateways believed of grants when these were closed.
pub(crate) type Believed = BTreeMap<(GrantId, Slug), Believe>;

impl Controller {
    /// Answers a gateway: at once if it does not know what holds, else when
    /// that changes or its wait is over.
    pub(crate) async fn follow(&self, asked: &FeedRequest) -> Result<Feed, Refusal> {
        let end = Instant::now() + Duration::from_millis(asked.wait_ms.min(MAX_WAIT_MS).into());
        let mut state = self.locked().await?;
        let mut overtakings = 0;
        loop {
            let mut changed = self.changed.subscribe();
            let now = state.now(&*self.clock);
            self.refresh(&mut state, now).await?;
            let watch = state.watches.get(&asked.gateway).ok_or_else(not_enrolled)?;
            let knows = asked.known == Some(watch.hash);
            if knows {
                self.note_applied(&mut state, &asked.gateway, now).await?;
            }
            self.may_hear(&state, &asked.gateway, knows, now).await?;
            if !knows || Instant::now() >= end || self.shutdown.is_cancelled() {
                if let Some(feed) = self.answer(&mut state, asked, !knows, now).await? {
                    return Ok(feed);
                }
                overtakings += 1;
                if overtakings > ATTEMPTS {
                    return Err(overtaken());
                }
                self.catch_up(&mut state).await?;
                continue;
            }
            drop(state);
            let look_at = end.min(Instant::now() + LOOK_EVERY);
            tokio::select! {
                biased;
                _ = timeout_at(look_at, changed.changed()) => {}
                () = self.shutdown.cancelled() => {}
            }
            state = self.locked_lately().await?;
        }
    }

    /// A gateway that was revoked hears nothing; one whose enrolment ended hears that nothing is open, and no
    /// more once it has that in effect.
    async fn may_hear(
        &self,
        state: &State,
        gateway: &Slug,
        knows: bool,
        now: UtcMicros,
    ) -> Result<(), Refusal> {
        match state.facts.gateway(gateway, now).map(|of| of.state) {
            Some(EnrolmentState::Revoked) => {
                Err(Refusal::new(Code::CertificateRevoked, "this gateway was revoked"))
            }
            // With a certificate from elsewhere it may ask on, as ever.
            Some(EnrolmentState::Ended) if knows => {
                let issued = self.store.gateway_certificates(&self.id, gateway).await?;
                if issued.is_empty() { Ok(()) } else { Err(enrolment_ended()) }
            }
            _ => Ok(()),
        }
    }

    /// Notes, once for each snapshot, that a gateway has in effect what holds.
    async fn note_applied(
        &self,
        state: &mut State,
        gateway: &Slug,
        now: UtcMicros,
    ) -> Result<(), StoreError> {
        let revision = state.revision;
        let Some(watch) = state.watches.get_mut(gateway) else { return Ok(()) };
        if watch.applied.is_none_or(|applied| applied < watch.since) {
            self.store.note_applied(&self.id, gateway, revision, now).await?;
            watch.applied = Some(revision);
            self.applied.send_replace(());
        }
        Ok(())
    }

    /// A signed head, later than every one before; none if others recorded something meanwhile. So a
    /// head that is sent with what held before has a time before what was recorded.
    async fn answer(
        &self,
        state: &mut State,
        asked: &FeedRequest,
        with_snapshot: bool,
        now: UtcMicros,
    ) -> Result<Option<Feed>, Refusal> {
        let told = self.store.told(&self.id, &asked.gateway).await?.ok_or_else(not_enrolled)?;
        if told.revision != state.revision {
            return Ok(None);
        }
        let watch = state.watches.get_mut(&asked.gateway).ok_or_else(not_enrolled)?;
        // The gateway was at another process meanwhile: there it saw later ones than these.
        let is_behind = watch.sequences.end != told.head_sequence;
        if watch.sequences.is_empty() || is_behind || now > watch.sequences_until {
            let until = now.plus_seconds(SEQUENCES_SECONDS);
            let first = self.store.take_head_sequences(&self.id, &asked.gateway, SEQUENCES, until).await?;
            watch.sequences = first..first + u64::from(SEQUENCES);
            watch.sequences_until = until;
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
        let shown = snapshot.as_ref().filter(|_| asked.notices);
        let notices =
            shown.map(|snapshot| notices(&self.rules, &state.facts, snapshot, now)).unwrap_or_default();
        let era = self.era.1.clone();
        Ok(Some(Feed { head: head.sign(&self.head_key), snapshot, merged, era, notices }))
    }

    /// Fills in by when at the latest each gateway stops, now that what stops is recorded.
    pub(crate) async fn bound(&self, state: &mut State, believed: &Believed, stopped: &mut [Stopped]) {
        let now = state.now(&*self.clock);
        let gateways: BTreeSet<Slug> = believed.keys().map(|(_, gateway)| gateway.clone()).collect();
        let mut last_heads: BTreeMap<Slug, UtcMicros> = BTreeMap::new();
        for gateway in gateways {
            let told = self.store.told(&self.id, &gateway).await.unwrap_or_default();
            let watch = state.watches.get(&gateway);
            let last_head = told.zip(watch).map_or(now, |(told, watch)| watch.last_head(&told, now));
            last_heads.insert(gateway, last_head);
        }
        for stopped in stopped {
            for effect in &mut stopped.gateways {
                let Some(believe) = believed.get(&(stopped.grant, effect.gateway.clone())) else { continue };
                let last_head = last_heads.get(&effect.gateway).copied().unwrap_or(now);
                let lease = believe.lease_seconds.map(|lease| last_head.plus_seconds(lease.into()));
                effect.at_the_latest = Some(lease.map_or(believe.until, |lease| lease.min(believe.until)));
            }
        }
    }

    /// Waits until the awaited gateways that listen have told, at whichever process, that they applied
    /// what holds, or `wait` is over; fills in when they did. What was recorded stays so, whatever
    /// becomes of the waiting.
    pub(crate) async fn await_effect(
        &self,
        awaited: &[Awaited],
        effects: &mut [&mut GatewayEffect],
        wait: Duration,
    ) {
        let end = Instant::now() + wait;
        loop {
            let mut changed = self.applied.subscribe();
            let now = self.clock.now().wall;
            let mut waiting = false;
            for Awaited { gateway, since } in awaited {
                let told = match self.store.told(&self.id, gateway).await {
                    Ok(Some(told)) => told,
                    Ok(None) => continue,
                    Err(error) => {
                        tracing::warn!(error = chain(&error), "what gateways have in effect cannot be asked");
                        return;
                    }
                };
                let applied = told.applied.filter(|(applied, _)| applied >= since);
                let listens = told.head_until.is_some_and(|until| now <= until);
                waiting |= applied.is_none() && listens;
                for effect in effects.iter_mut().filter(|effect| effect.gateway == *gateway) {
                    effect.took_effect_at = applied.map(|(_, at)| at);
                }
            }
            if !waiting || Instant::now() >= end {
                return;
            }
            tokio::select! {
                biased;
                _ = timeout_at(end.min(Instant::now() + ASK_EVERY), changed.changed()) => {}
                () = self.shutdown.cancelled() => return,
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
