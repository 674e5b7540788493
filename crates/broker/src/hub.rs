//! What all connections share: the sessions and the retained messages, under one lock.
//!
//! Every publish walks all sessions and their subscriptions. That is right for
//! a box with a dozen tools and wrong for a fleet; a fleet has its own broker.

use crate::{
    codec::{Connect, Message, Retained, Wanted},
    config::{Access, Acknowledge, Identity, Limits},
    counters::{Counters, count},
    encode::{Granted, Refusal},
    fault::{Fate, Hook, Packet},
    session::{Ack, Delivery, Link, Outgoing, Session, Share},
    topic,
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub(crate) struct Hub {
    pub(crate) limits: Limits,
    pub(crate) access: Arc<dyn Access>,
    pub(crate) acknowledge: Acknowledge,
    pub(crate) counters: Counters,
    /// Connections end without a word.
    pub(crate) killed: AtomicBool,
    faults: Option<Hook>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    sessions: HashMap<Arc<str>, Session>,
    retained: BTreeMap<Arc<str>, Message>,
    last_epoch: u64,
}

/// A connection's hold on its session.
pub(crate) struct Attached {
    pub(crate) client: Arc<str>,
    pub(crate) identity: Identity,
    pub(crate) epoch: u64,
    pub(crate) session_present: bool,
    pub(crate) expiry: Duration,
    pub(crate) wake: Arc<Notify>,
    pub(crate) cut: CancellationToken,
}

impl Hub {
    pub(crate) fn new(
        limits: Limits,
        access: Arc<dyn Access>,
        acknowledge: Acknowledge,
        faults: Option<Hook>,
    ) -> Self {
        let (counters, killed) = (Counters::default(), AtomicBool::new(false));
        Self { limits, access, acknowledge, counters, killed, faults, state: Mutex::default() }
    }

    pub(crate) fn fate(&self, client: &str, packet: Packet<'_>) -> Fate {
        self.faults.as_ref().map_or(Fate::Pass, |hook| hook(client, packet))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic under the lock leaves whole values: go on.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the connection its session, new or resumed; another connection of
    /// the same client ends.
    pub(crate) fn attach(
        &self,
        identity: Identity,
        client: &str,
        connect: &Connect,
    ) -> Result<Attached, Refusal> {
        let now = Instant::now();
        let mut state = self.state();
        let state = &mut *state;
        state.sessions.retain(|_, session| !session.is_over(now));
        if let Some(session) = state.sessions.get(client) {
            if session.identity != identity {
                return Err(Refusal::ClientId);
            }
            if let Some(link) = &session.link {
                link.cut.cancel();
            }
        }
        if connect.clean {
            state.sessions.remove(client);
        }
        let session_present = state.sessions.contains_key(client);
        if !session_present && state.sessions.len() >= self.limits.sessions {
            let gone = state.sessions.iter().filter_map(|(id, s)| Some((s.gone_since?, id.clone())));
            let (_, longest) = gone.min().ok_or(Refusal::Busy)?;
            state.sessions.remove(&longest);
        }
        state.last_epoch += 1;
        let client: Arc<str> = client.into();
        let expiry = self.limits.session_expiry.min(Duration::from_secs(connect.session_expiry_s.into()));
        let (wake, cut) = (Arc::new(Notify::new()), CancellationToken::new());
        let session = state.sessions.entry(client.clone()).or_insert_with(|| Session::new(identity.clone()));
        if session.link.take().is_some() {
            session.detached();
        }
        session.epoch = state.last_epoch;
        session.expiry = expiry;
        session.gone_since = None;
        session.link = Some(Link {
            wake: wake.clone(),
            cut: cut.clone(),
            window: usize::from(self.limits.inflight.min(connect.receive_maximum)),
        });
        session.wake();
        Ok(Attached { client, identity, epoch: session.epoch, session_present, expiry, wake, cut })
    }

    /// Runs `act` on the session, if this connection still has it.
    fn with<R: Default>(&self, held: &Attached, act: impl FnOnce(&mut Session) -> R) -> R {
        let mut state = self.state();
        match state.sessions.get_mut(&held.client) {
            Some(session) if session.epoch == held.epoch => act(session),
            _ => R::default(),
        }
    }

    pub(crate) fn detach(&self, held: &Attached) {
        let over = self.with(held, |session| {
            session.detached();
            session.expiry.is_zero()
        });
        if over {
            self.forget(&held.client);
        }
    }

    /// Drops a session with everything in it, as a broker that lost its memory
    /// would; its connection ends.
    pub(crate) fn forget(&self, client: &str) {
        let session = self.state().sessions.remove(client);
        if let Some(link) = session.and_then(|session| session.link) {
            link.cut.cancel();
        }
    }

    pub(crate) fn cut(&self, client: &str) {
        if let Some(link) = self.state().sessions.get(client).and_then(|s| s.link.as_ref()) {
            link.cut.cancel();
        }
    }

    /// Makes all that is kept older.
    pub(crate) fn age(&self, by: Duration) {
        let mut state = self.state();
        let state = &mut *state;
        state.sessions.values_mut().for_each(|session| session.age(by));
        state.retained.values_mut().for_each(|message| message.age(by));
    }

    /// Whether a client has a session here, and whether it is connected.
    pub(crate) fn presence(&self, client: &str) -> Option<bool> {
        self.state().sessions.get(client).map(|session| session.link.is_some())
    }

    pub(crate) fn may_publish(&self, who: &Identity, message: &Message) -> bool {
        self.access.may_publish(who, &message.topic)
            && (!message.retain || self.access.may_retain(who, &message.topic))
    }

    /// Puts a message that was let in into the queues of everybody who wants
    /// it. With `ack`, each of them gets a share in it; nobody fails it.
    pub(crate) fn route(&self, from: &str, message: &Message, ack: Option<&Arc<Ack>>) {
        let mut state = self.state();
        let state = &mut *state;
        if message.retain {
            if message.payload.is_empty() {
                state.retained.remove(&message.topic);
            } else if state.retained.contains_key(&message.topic)
                || state.retained.len() < self.limits.retained
            {
                state.retained.insert(message.topic.clone(), message.clone());
            } else {
                count(&self.counters.queue_full);
            }
        }
        let now = Instant::now();
        let mut taken = false;
        for (client, session) in &mut state.sessions {
            let Some((acked, keep_retain)) = session.wants(&message.topic, **client == *from) else {
                continue;
            };
            if session.is_over(now) || !self.access.may_receive(&session.identity, &message.topic) {
                continue;
            }
            let acked = acked && message.acked;
            let delivery = Delivery {
                message: message.clone(),
                acked,
                retain: message.retain && keep_retain,
                share: ack.filter(|_| acked).map(Share::of),
            };
            taken |= acked;
            if !session.push(delivery, &self.limits) {
                count(&self.counters.queue_full);
            }
        }
        if let Some(ack) = ack.filter(|_| !taken) {
            ack.fail();
        }
    }

    pub(crate) fn subscribe(&self, held: &Attached, wanted: Vec<Wanted>) -> Vec<Granted> {
        let mut state = self.state();
        let State { sessions, retained, .. } = &mut *state;
        let session = sessions.get_mut(&held.client).filter(|s| s.epoch == held.epoch);
        let Some(session) = session else { return Vec::new() };
        let mut granted = Vec::with_capacity(wanted.len());
        for wanted in wanted {
            if wanted.filter.starts_with("$share/") {
                granted.push(Granted::Shared);
                continue;
            }
            if !self.access.may_subscribe(&held.identity, &wanted.filter) {
                granted.push(Granted::NotAuthorized);
                continue;
            }
            let known = session.subscriptions.iter().position(|s| s.filter == wanted.filter);
            if known.is_none() && session.subscriptions.len() >= self.limits.subscriptions {
                granted.push(Granted::Quota);
                continue;
            }
            granted.push(if wanted.acked { Granted::AtLeastOnce } else { Granted::AtMostOnce });
            let send_retained = match wanted.retained {
                Retained::Always => true,
                Retained::IfNew => known.is_none(),
                Retained::Never => false,
            };
            for message in retained.values().filter(|_| send_retained) {
                let allowed = topic::matches(&wanted.filter, &message.topic)
                    && self.access.may_receive(&held.identity, &message.topic);
                let acked = message.acked && wanted.acked;
                let delivery = Delivery { message: message.clone(), acked, retain: true, share: None };
                if allowed && !session.push(delivery, &self.limits) {
                    count(&self.counters.queue_full);
                }
            }
            match known {
                Some(at) => session.subscriptions[at] = wanted,
                None => session.subscriptions.push(wanted),
            }
        }
        let refused = granted.iter().filter(|g| !matches!(g, Granted::AtLeastOnce | Granted::AtMostOnce));
        self.counters.subscriptions_refused.fetch_add(refused.count() as u64, Ordering::Relaxed);
        granted
    }

    pub(crate) fn unsubscribe(&self, held: &Attached, filters: &[String]) -> Vec<bool> {
        self.with(held, |session| {
            let drop_one = |filter: &String| {
                let before = session.subscriptions.len();
                session.subscriptions.retain(|s| s.filter != *filter);
                session.subscriptions.len() < before
            };
            filters.iter().map(drop_one).collect()
        })
    }

    pub(crate) fn next(&self, held: &Attached, most: usize) -> Vec<Outgoing> {
        let mut expired = 0;
        let out = self.with(held, |session| session.next(most, &mut expired));
        self.counters.expired.fetch_add(expired, Ordering::Relaxed);
        out
    }

    /// See [`Session::settle`].
    pub(crate) fn settle(&self, held: &Attached, pkid: u16, taken: bool) -> bool {
        self.with(held, |session| session.settle(pkid, taken))
    }
}
