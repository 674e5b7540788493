//! Tells fleet operators what to delete of what was published to them, hears that they did, and
//! pauses recipients that do not say so in time (decision note 0024).
//!
//! ```text
//! order to erase → a notice for each grant of a published flow → broker, daily until it is answered
//!      answer → confirmed            no answer by then, from recipient or operator → recipient-paused
//!                                    all answered                                  → recipient-resumed
//! ```
//!
//! A notice is about the times in which something may have been read under its grant: until each gateway
//! told that it closed it, or can believe in it no longer. One process speaks for one controller at a time,
//! since the answers come to one session. The pauses are entries of the ledger, as if a person had said them.

use crate::{
    controller::Controller,
    erasing::{CONFIRM_SECONDS, Covered, NO_EPOCH, Outcome},
    feed::Awaited,
    ledger::own_entry,
    refusal::Refusal,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::Ordering::Relaxed,
    time::Duration,
};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};
use vernport_api::{GatewayEffect, LedgerRequest};
use vernport_crypto::random;
use vernport_mqtt::{Answer, Backoff, DeletionNotice, Endpoint, NoticeLink, Outcome as Sent, Stream};
use vernport_policy::MAX_BELIEF_SECONDS;
use vernport_registry::{Event, MAX_FUTURE_SECONDS, PauseGround, RecipientPaused, RecipientResumed};
use vernport_store::{NoticeRow, StoreError};
use vernport_types::{EntryHash, MessageId, Slug, UtcMicros, chain};

/// A name of this duty in the store.
const DUTY: &str = "notices";
/// For how long a process that does not say another word keeps the duty.
const DUTY_MICROS: i64 = 120 * 1_000_000;
/// How often the duty is kept, and what is to be told is looked for.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// How many notices are told between two looks.
const NOTICES_A_LOOK: u16 = 64;
/// How long one notice may take; the broker has to have answered by then.
const TELL_WITHIN: Duration = Duration::from_secs(30);
/// What was told and not answered, and every roster, is told again after a day: an operator's session may have ended.
pub(crate) const TELL_AGAIN_SECONDS: i64 = 86_400;
/// How long gateways that listen are waited for, to say when they closed what is erased.
const CLOSED_WITHIN: Duration = Duration::from_secs(5);

impl Controller {
    /// Orders operators to delete what was published under these grants, but for what is kept, too.
    pub(crate) async fn order_notices(
        &self,
        entry: EntryHash,
        covered: &[Covered],
        outcome: &mut Outcome,
    ) -> Result<(), Refusal> {
        let published = covered.iter().filter(|covered| covered.is_published(&self.rules));
        let mut published: Vec<&Covered> = published.collect();
        if published.is_empty() {
            return Ok(());
        }
        let known = self.store.notices_of(&self.id, &entry).await?;
        published.retain(|covered| known.iter().all(|notice| notice.grant != covered.id));
        if published.is_empty() {
            return Ok(());
        }
        let gateways = published.iter().flat_map(|covered| covered.gateways.iter().cloned()).collect();
        let closed = self.closed_at(gateways).await?;
        let mut state = self.locked().await?;
        let now = state.now(&*self.clock);
        let mut notices = Vec::new();
        for covered in published {
            if !covered.opened().fenced_by(&state.facts, now).contains(&entry) {
                continue; // The order was voided meanwhile.
            }
            let read_at = covered.read_at(&state.facts);
            match self.keeper(&state, &covered.opening, read_at, NO_EPOCH, now) {
                // It has no key epoch of its own: looked at again with those that have.
                Some(keeper) => drop(outcome.kept.entry(keeper).or_default()),
                None => notices.push(self.notice(entry, covered, (read_at, now), &closed)),
            }
        }
        self.store.order_notices(&self.id, &notices).await?;
        self.notices.notify_one();
        Ok(())
    }

    fn notice(
        &self,
        entry: EntryHash,
        covered: &Covered,
        (read_at, now): (UtcMicros, UtcMicros),
        closed: &BTreeMap<Slug, Closed>,
    ) -> NoticeRow {
        let flow = self.rules.find(&covered.opening.flow);
        let step = flow.map_or(1, |flow| flow.time_step_micros.max(1));
        let lease = flow.and_then(|flow| flow.lease_seconds).map_or(MAX_BELIEF_SECONDS, i64::from);
        let of_gateways = covered.gateways.iter().filter_map(|gateway| closed.get(gateway));
        let ended = of_gateways.map(|closed| closed.at.unwrap_or(closed.last_head.plus_seconds(lease)));
        let opening = &covered.opening;
        NoticeRow {
            id: MessageId::from_bytes(random()),
            grant: covered.id,
            operator: opening.recipient.clone(),
            purpose: opening.purpose.clone(),
            vehicle: opening.alias,
            flow: opening.flow.clone(),
            // The clocks of gateways differ, and a time that is published was made coarser downwards.
            from: read_at.plus_seconds(-MAX_FUTURE_SECONDS).truncated(step),
            until: ended.fold(now, UtcMicros::max).plus_seconds(MAX_FUTURE_SECONDS),
            entry,
            ordered_at: now,
            confirm_by: now.plus_seconds(CONFIRM_SECONDS),
            told_at: None,
            confirmed_at: None,
        }
    }

    /// When gateways told that they have in effect what holds now; those that listen are waited for.
    async fn closed_at(&self, gateways: BTreeSet<Slug>) -> Result<BTreeMap<Slug, Closed>, Refusal> {
        let state = self.locked().await?;
        let told = |gateway: &Slug| Some((gateway.clone(), state.watches.get(gateway)?.since));
        let awaited = gateways.iter().filter_map(told).map(|(gateway, since)| Awaited { gateway, since });
        let awaited: Vec<Awaited> = awaited.collect();
        drop(state);
        let effect = |gateway: &Slug| GatewayEffect {
            gateway: gateway.clone(),
            took_effect_at: None,
            at_the_latest: None,
        };
        let mut effects: Vec<GatewayEffect> = gateways.iter().map(effect).collect();
        self.await_effect(&awaited, &mut effects.iter_mut().collect::<Vec<_>>(), CLOSED_WITHIN).await;
        let mut closed = BTreeMap::new();
        for effect in effects {
            let now = self.clock.now().wall;
            // Who was never sent a head believed nothing.
            let told = self.store.told(&self.id, &effect.gateway).await?;
            let Some(told) = told.filter(|told| told.head_sequence > 0) else { continue };
            let last_head = told.head_until.unwrap_or(now);
            closed.insert(effect.gateway, Closed { at: effect.took_effect_at, last_head });
        }
        Ok(closed)
    }

    /// Speaks with the operators' broker while this process has that duty.
    pub(crate) async fn tell(&self, endpoint: &Endpoint, holder: &[u8; 16]) {
        loop {
            if let Err(error) = self.speak(endpoint, holder).await {
                tracing::warn!(error = chain(&error), "operators are told again at the next look");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Gives the duty up, so that another process need not wait for its end.
    pub(crate) async fn fall_silent(&self, holder: &[u8; 16]) {
        if let Err(error) = self.store.leave_duty(&self.id, DUTY, holder).await {
            tracing::warn!(error = chain(&error), "the duty to tell operators was not given up");
        }
    }

    async fn speak(&self, endpoint: &Endpoint, holder: &[u8; 16]) -> Result<(), StoreError> {
        if !self.speaks(holder).await? {
            return Ok(());
        }
        let mut link = NoticeLink::start(endpoint.clone(), Backoff::default());
        let ended = self.exchange(&mut link, holder).await;
        link.stop().await;
        ended
    }

    async fn speaks(&self, holder: &[u8; 16]) -> Result<bool, StoreError> {
        let now = self.clock.now().wall;
        self.store.take_duty(&self.id, DUTY, holder, now.plus_micros(DUTY_MICROS), now).await
    }

    async fn exchange(&self, link: &mut NoticeLink, holder: &[u8; 16]) -> Result<(), StoreError> {
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                answer = link.answer() => match answer {
                    Some(answer) => self.take_answer(answer).await?,
                    None => return Ok(()),
                },
                () = self.notices.notified() => self.tell_due(link).await?,
                _ = look.tick() => {
                    if !self.speaks(holder).await? {
                        return Ok(());
                    }
                    self.tell_due(link).await?;
                }
            }
        }
    }

    /// Tells what has to be deleted, then the rosters: what no broker took since a day; where the line is gone, the
    /// rest waits for the next look.
    async fn tell_due(&self, link: &NoticeLink) -> Result<(), StoreError> {
        let end = Instant::now() + TELL_WITHIN;
        let now = self.clock.now().wall;
        let again = now.plus_seconds(-TELL_AGAIN_SECONDS);
        for row in self.store.notices_to_tell(&self.id, again, NOTICES_A_LOOK).await? {
            let stream =
                Stream { operator: row.operator.clone(), purpose: row.purpose.clone(), vehicle: row.vehicle };
            let times = (row.from, row.until);
            let notice = DeletionNotice::new(row.id, &stream, row.flow.clone(), times, row.confirm_by);
            let left = (row.confirm_by.0 - now.0) / 1_000_000;
            let expiry_s = u32::try_from(left.max(TELL_AGAIN_SECONDS)).unwrap_or(u32::MAX);
            match self.is_taken(link.tell(&stream, &notice, expiry_s), end).await {
                Some(true) => self.store.note_told(&self.id, row.id, now).await?,
                Some(false) => {}
                None => return Ok(()),
            }
        }
        self.tell_rosters(link, end).await
    }

    /// Whether the broker took what is told; none when the line is gone.
    pub(crate) async fn is_taken(&self, telling: impl Future<Output = Sent>, end: Instant) -> Option<bool> {
        let sent = timeout_at(end, telling).await.unwrap_or(Sent::Lost);
        self.counted.fleet_away.store(sent != Sent::Acknowledged, Relaxed);
        match sent {
            Sent::Acknowledged => Some(true),
            Sent::Refused => {
                tracing::warn!("the broker refuses what operators are told: give `central` its rights there");
                Some(false)
            }
            Sent::TooLong => {
                tracing::warn!(
                    "the broker takes no packet as long as what an operator is told: raise its bound"
                );
                Some(false)
            }
            Sent::Lost => None,
        }
    }

    async fn take_answer(&self, answer: Answer) -> Result<(), StoreError> {
        let now = self.clock.now().wall;
        let Stream { operator, purpose, vehicle } = &answer.stream;
        let is_known =
            self.store.confirm_notice(&self.id, (operator, purpose, *vehicle), answer.id, now).await?;
        if is_known {
            self.duties.notify_one();
        } else {
            tracing::warn!(%operator, "confirmed a deletion that it was never told of");
        }
        answer.ack.done();
        Ok(())
    }

    /// Pauses who is late with a deletion, and lifts the pauses of who is not any more.
    pub(crate) async fn pause_late(&self) -> Result<(), Refusal> {
        let (now, entries) = {
            let mut state = self.locked().await?;
            let now = state.now(&*self.clock);
            let late = self.store.late_with_deletion(&self.id, now).await?;
            let pairs: BTreeSet<(Slug, Slug)> = self
                .rules
                .flows()
                .iter()
                .map(|flow| (flow.recipient.clone(), flow.purpose.clone()))
                .collect();
            let mut events = Vec::new();
            for pair in pairs {
                let (recipient, purpose) = pair.clone();
                let pauses = state.facts.pauses(&recipient, &purpose, now);
                let mut ours = pauses
                    .iter()
                    .filter(|(_, ground)| *ground == PauseGround::DeletionUnconfirmed)
                    .peekable();
                if late.contains(&pair) && ours.peek().is_none() {
                    let ground = PauseGround::DeletionUnconfirmed;
                    events.push(Event::RecipientPaused(RecipientPaused { recipient, purpose, ground }));
                } else if !late.contains(&pair) {
                    let resumed = |(pause, _): &(EntryHash, PauseGround)| RecipientResumed { pause: *pause };
                    events.extend(ours.map(resumed).map(Event::RecipientResumed));
                }
            }
            (now, events)
        };
        for event in entries {
            tracing::warn!(kind = event.kind(), "a recipient that is late with a deletion");
            self.record_own(event, now).await?;
        }
        Ok(())
    }

    async fn record_own(&self, event: Event, now: UtcMicros) -> Result<(), Refusal> {
        let reference = format!("{} {}", event.kind(), hex::encode(random::<16>()));
        let entry = own_entry(&self.id, event, &reference, now);
        let asked = LedgerRequest { entries: vec![entry], identifiers: Vec::new(), wait_ms: 0 };
        self.record(asked, &crate::caller::By::Controller, None).await.map(drop)
    }
}

/// What is known of how a gateway ended something.
struct Closed {
    /// When it told that it did; none: it has not.
    at: Option<UtcMicros>,
    /// No head was sent to it later.
    last_head: UtcMicros,
}
