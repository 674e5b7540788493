//! Merging what was said at a station: every link once, in its order, under the
//! ledger's rules.
//!
//! A closing is always taken, at no later time than now. An opening is taken as
//! it was signed, so that its entry has the name that the station's batches rest on, or
//! it is refused, and what it opened at the station is over.

use crate::{
    cache::{ATTEMPTS, NotAdopted, overtaken},
    chain,
    controller::{Controller, State},
    ledger::{Sealed, note, own_entry},
    refusal::Refusal,
};
use vernport_api::{Code, LinkOutcome, LinkResult, SegmentAnswer, SegmentRequest};
use vernport_policy::{Judged, Link, LinkError, Opening, StationOpening, Tip, judge_opening};
use vernport_registry::{Effect, Entry, Event, MAX_FUTURE_SECONDS, Merge, OrderOpened, StationRef};
use vernport_store::{AliasRow, Change, GrantRow, LinkRow, Turn};
use vernport_types::{AssetId, EntryHash, Reason, Slug, TimeQuality, UtcMicros};

/// What comes of the links of one request.
struct Merging {
    station: StationRef,
    now: UtcMicros,
    sealed: Sealed,
    change: Change,
    /// What the station opened, and why it is over at once if it is.
    opened: Vec<(GrantRow, Option<AliasRow>)>,
}

impl Controller {
    /// Merges links of a gateway. Those that cannot be of their chain are counted, and change nothing.
    pub(crate) async fn merge(
        &self,
        gateway: &Slug,
        asked: SegmentRequest,
    ) -> Result<SegmentAnswer, Refusal> {
        let mut merged = Err(overtaken());
        for _ in 0..ATTEMPTS {
            merged = match self.merge_all(gateway, &asked).await {
                Err(NotAdopted::Stale) => continue,
                Err(NotAdopted::Refused(refusal)) => Err(refusal),
                Ok(answer) => Ok(answer),
            };
            break;
        }
        if let Err(Refusal(problem)) = &merged {
            let of_chain = matches!(
                problem.code,
                Code::LinkForged
                    | Code::LinkGap
                    | Code::LinkReplaced
                    | Code::OtherController
                    | Code::OtherGateway
            );
            if of_chain {
                tracing::warn!(%gateway, code = %problem.code, "links of a station were refused");
                self.store.count_link_refusal(&self.id, gateway, problem.code.code()).await?;
            }
        }
        merged
    }

    async fn merge_all(&self, gateway: &Slug, asked: &SegmentRequest) -> Result<SegmentAnswer, NotAdopted> {
        let device_keys = self.device_keys(gateway).await?;
        for (at, signed) in asked.links.iter().enumerate() {
            self.is_of(gateway, &signed.link).map_err(|refusal| refusal.at_item(at))?;
            if !device_keys.iter().any(|key| signed.verify(key).is_ok()) {
                let detail =
                    "it is not signed by the device key that this gateway was enrolled with, or was changed";
                return Err(Refusal::new(Code::LinkForged, detail).at_item(at).into());
            }
        }
        let mut state = self.locked().await?;
        let now = state.now(&*self.clock);
        self.refresh(&mut state, now).await?;
        let turn = self.turn(&mut state).await?;
        let now = state.now(&*self.clock);
        let (known, mut tip) = self.known(gateway, &asked.links[0].link).await?;
        let mut results = Vec::with_capacity(asked.links.len());
        let mut fresh: Vec<&Link> = Vec::new();
        for (at, signed) in asked.links.iter().enumerate() {
            match self.place(&signed.link, known, &tip).await.map_err(|refusal| refusal.at_item(at))? {
                Some(result) => results.push(result),
                None => {
                    tip = signed.link.tip();
                    fresh.push(&signed.link);
                }
            }
        }
        if !fresh.is_empty() {
            let station = state.places.get(gateway).map(|place| place.station.clone());
            let sealed = asked.identifiers.iter().map(|row| (row.index, row.sealed.0.clone())).collect();
            let mut merging = Merging {
                station: station.ok_or_else(crate::controller::not_enrolled)?,
                now,
                sealed,
                change: Change::default(),
                opened: Vec::new(),
            };
            state.is_stored = false;
            for link in fresh {
                let taken = self.take(&mut state, &mut merging, link).await?;
                results.push(merging.note(link, taken));
            }
            self.settle(&mut state, turn, merging).await?;
            state.segments.insert(gateway.clone(), tip);
            self.changed.send_replace(());
        } else {
            // All of it may be known by an attempt that was not told so.
            self.store.settle_journal().await?;
        }
        Ok(SegmentAnswer { results, tip })
    }

    /// Whether a link is of this gateway and says what a station may say.
    fn is_of(&self, gateway: &Slug, link: &Link) -> Result<(), Refusal> {
        if link.entry.controller != self.id {
            return Err(Refusal::new(Code::OtherController, "the link is of another controller"));
        }
        if link.gateway != *gateway {
            return Err(Refusal::new(Code::OtherGateway, "the link is of another gateway"));
        }
        Ok(())
    }

    /// How far the chain of a link is known here.
    async fn known(&self, gateway: &Slug, first: &Link) -> Result<(u64, Tip), Refusal> {
        let last = self.store.link(&self.id, gateway, first.segment, None).await?;
        let tip = last.map_or(Tip::of_new(first.segment), |last| Tip {
            segment: last.segment,
            sequence: last.sequence,
            link: last.link,
        });
        Ok((tip.sequence, tip))
    }

    /// Whether a link is the next one; if it was merged before, what came of it then.
    async fn place(&self, link: &Link, known: u64, tip: &Tip) -> Result<Option<LinkResult>, Refusal> {
        if link.segment == tip.segment && (1..=known).contains(&link.sequence) {
            let merged = self.store.link(&self.id, &link.gateway, link.segment, Some(link.sequence)).await?;
            let merged = merged.filter(|merged| merged.link == link.hash()).ok_or_else(|| {
                Refusal::new(Code::LinkReplaced, "what was said once is not said otherwise: write it anew")
            })?;
            return Ok(Some(LinkResult {
                sequence: link.sequence,
                outcome: LinkOutcome::Duplicate,
                entry: merged.entry,
                problem: merged.refused,
            }));
        }
        if link.follows(tip) {
            return Ok(None);
        }
        let detail = format!("central has this chain up to link {}: send the next one", tip.sequence);
        Err(Refusal::new(Code::LinkGap, detail))
    }

    /// Records what a link says, or says why not.
    async fn take(
        &self,
        state: &mut State,
        merging: &mut Merging,
        link: &Link,
    ) -> Result<Result<EntryHash, String>, Refusal> {
        match link.check(&merging.station) {
            Ok(()) => {}
            Err(error @ LinkError::Order { .. }) => {
                self.refuse(state, merging, link);
                return Ok(Err(error.to_string()));
            }
            Err(error) => return Err(Refusal::new(Code::LinkForged, error.to_string())),
        }
        let opens = link.entry.event.effect() == Effect::Opens;
        if opens && let Err(why) = may_open_still(state, merging, link) {
            self.refuse(state, merging, link);
            return Ok(Err(why.into()));
        }
        if let Event::AssetIdentified(identified) = &link.entry.event {
            self.join(state, merging, identified.asset, &identified.index).await?;
        }
        let entry = if opens { link.entry.clone() } else { as_closing(link, merging.now) };
        match state.facts.apply(&entry) {
            Ok(applied) => {
                let name = applied.entry;
                if !applied.duplicate {
                    note(&mut merging.change, &entry, name, &merging.sealed);
                    state.note(&self.rules, &entry, applied);
                }
                if let Event::OrderOpened(order) = &entry.event {
                    self.open(state, merging, link, order, name);
                }
                Ok(Ok(name))
            }
            Err(refused) => {
                self.refuse(state, merging, link);
                Ok(Err(chain(&refused)))
            }
        }
    }

    /// A vehicle that the station gave an id of its own, and that has one here: the two are one.
    async fn join(
        &self,
        state: &mut State,
        merging: &mut Merging,
        from: AssetId,
        index: &vernport_crypto::BlindIndex,
    ) -> Result<(), Refusal> {
        let now = merging.now;
        let Some(into) = state.facts.find_asset(index, now).filter(|into| *into != from) else {
            return Ok(());
        };
        if merging.change.assets.contains(&from) || self.store.knows_asset(&self.id, from).await? {
            return Ok(());
        }
        let merged = Event::AssetMerged(Merge { from, into });
        let entry = own_entry(&self.id, merged, &format!("join a{from}"), now);
        if let Ok(applied) = state.facts.apply(&entry) {
            note(&mut merging.change, &entry, applied.entry, &merging.sealed);
            state.note(&self.rules, &entry, applied);
        }
        Ok(())
    }

    /// Enters what an order opened at the station, judged by the rules here.
    fn open(
        &self,
        state: &mut State,
        merging: &mut Merging,
        link: &Link,
        order: &OrderOpened,
        entry: EntryHash,
    ) {
        let from = link.entry.occurred_at.max(link.entry.recorded_at);
        for opening in &link.openings {
            let judged =
                judge_opening(&state.facts, &self.rules, &merging.station, (order, entry), opening, from);
            if let Some(judged) = judged {
                merging.enter(state, &link.gateway, opening, judged);
            }
        }
    }

    /// What a refused link opened at the station is over: its batches go nowhere.
    fn refuse(&self, state: &mut State, merging: &mut Merging, link: &Link) {
        let Event::OrderOpened(order) = &link.entry.event else { return };
        let Some(asset) = order.assets.first() else { return };
        for opening in &link.openings {
            let Some(flow) = self.rules.find(&opening.flow) else { continue };
            let rests = Opening {
                asset: *asset,
                flow: flow.slug.clone(),
                purpose: flow.purpose.clone(),
                recipient: flow.recipient.clone(),
                basis: flow.basis,
                categories: flow.categories.clone(),
                order: Some(order.order),
                alias: opening.alias,
                subjects: Vec::new(),
                consent_of: Vec::new(),
                rests_on: vec![link.entry.hash()],
                erasures: Vec::new(),
            };
            let judged = Judged { opening: rests, over: Some(Reason::NoGrant), year: None };
            merging.enter(state, &link.gateway, opening, judged);
        }
    }

    /// Computes what holds with all of it, and makes it durable.
    async fn settle(&self, state: &mut State, turn: Turn, merging: Merging) -> Result<(), NotAdopted> {
        let Merging { now, change, opened, .. } = merging;
        let mut computed = self.compute(state, now);
        for (row, alias) in opened {
            if let Some((_, reason)) = row.closed {
                computed.changes.closed.push((row.id, reason));
            }
            computed.changes.aliases.extend(alias);
            computed.changes.opened.push(row);
        }
        self.adopt(state, Some(turn), computed, change, now).await
    }
}

impl Merging {
    /// What is kept of a link, and what its gateway hears.
    fn note(&mut self, link: &Link, taken: Result<EntryHash, String>) -> LinkResult {
        let outcome = if taken.is_ok() { LinkOutcome::Recorded } else { LinkOutcome::Refused };
        let (entry, problem) = (taken.as_ref().ok().copied(), taken.err());
        self.change.links.push(LinkRow {
            gateway: link.gateway.clone(),
            segment: link.segment,
            sequence: link.sequence,
            link: link.hash(),
            entry,
            refused: problem.clone(),
        });
        LinkResult { sequence: link.sequence, outcome, entry, problem }
    }

    fn enter(&mut self, state: &mut State, gateway: &Slug, drawn: &StationOpening, judged: Judged) {
        if state.book.get(drawn.grant).is_some() {
            tracing::warn!(%gateway, "a station opened under an id that was used before: it opens nothing");
            return;
        }
        let Judged { opening, over, year } = judged;
        let alias = year
            .filter(|year| !state.book.has_alias(opening.asset, &opening.recipient, &opening.purpose, *year))
            .map(|year| AliasRow {
                asset: opening.asset,
                recipient: opening.recipient.clone(),
                purpose: opening.purpose.clone(),
                year,
                alias: drawn.alias,
            });
        let mut subjects: Vec<_> = opening.subjects.iter().map(|(_, subject)| *subject).collect();
        subjects.sort_unstable();
        subjects.dedup();
        let row = GrantRow {
            id: drawn.grant,
            asset: opening.asset,
            flow: opening.flow.clone(),
            opening: serde_json::to_string(&opening).expect("ids and lists are plain data"),
            opened_at: self.now,
            closed: over.map(|reason| (self.now, reason)),
            subjects,
            gateways: vec![gateway.clone()],
        };
        state.book.enter_from_station(row.clone(), alias.clone());
        state.touch(state.facts.touched_asset(opening.asset));
        self.opened.push((row, alias));
    }
}

/// Whether what a link opens may still be opened: its gateway is enrolled and its clock can be right.
fn may_open_still(state: &State, merging: &Merging, link: &Link) -> Result<(), &'static str> {
    if link.clock == TimeQuality::Unset {
        return Err("the clock of the station was not set; open it at central");
    }
    let latest = link.entry.occurred_at.max(link.entry.recorded_at);
    if latest > merging.now.plus_seconds(MAX_FUTURE_SECONDS) {
        return Err("the clock of the station is ahead; set it, and open it at central");
    }
    match state.facts.enrolment(&link.gateway, merging.now) {
        Some(_) => Ok(()),
        None => Err("the gateway is not enrolled any more; open it at central"),
    }
}

/// What closes or states something counts from when it was said, and from now at the latest.
fn as_closing(link: &Link, now: UtcMicros) -> Entry {
    let said = &link.entry;
    if link.clock == TimeQuality::Unset {
        return Entry { occurred_at: now, recorded_at: now, ..said.clone() };
    }
    Entry { occurred_at: said.occurred_at.min(now), recorded_at: said.recorded_at.min(now), ..said.clone() }
}
