//! One client's session: its subscriptions, its queue, and what it has not acknowledged yet.

use crate::{
    codec::{Message, Wanted},
    config::{Identity, Limits},
    encode::{Granted, Verdict},
    topic,
};
use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc::Sender};
use tokio_util::sync::CancellationToken;

/// An answer on its way to a client. It holds one of the connection's permits
/// until it is written, which bounds how many can wait.
pub(crate) struct Reply {
    pub(crate) body: ReplyBody,
    /// Given back when the reply is written.
    pub(crate) _permit: OwnedSemaphorePermit,
}

pub(crate) enum ReplyBody {
    PubAck(u16, Verdict),
    SubAck(u16, Vec<Granted>),
    UnsubAck(u16, Vec<bool>),
    Ping,
}

/// The acknowledgement that a publisher waits for. Sent when the last
/// [`Share`] of it is gone; it is a good one if every share was settled.
pub(crate) struct Ack {
    pkid: u16,
    replies: Sender<Reply>,
    permit: Option<OwnedSemaphorePermit>,
    failed: AtomicBool,
}

impl Ack {
    pub(crate) fn new(pkid: u16, replies: Sender<Reply>, permit: OwnedSemaphorePermit) -> Arc<Self> {
        Arc::new(Self { pkid, replies, permit: Some(permit), failed: AtomicBool::new(false) })
    }

    pub(crate) fn fail(&self) {
        self.failed.store(true, Ordering::Relaxed);
    }
}

impl Drop for Ack {
    fn drop(&mut self) {
        let verdict = if *self.failed.get_mut() { Verdict::NotTaken } else { Verdict::Accepted };
        if let Some(permit) = self.permit.take() {
            // The publisher may be gone: then it asks again when it is back.
            let _ =
                self.replies.try_send(Reply { body: ReplyBody::PubAck(self.pkid, verdict), _permit: permit });
        }
    }
}

/// One subscriber's part of an [`Ack`]; dropped unsettled, it fails the whole.
pub(crate) struct Share {
    ack: Arc<Ack>,
    settled: bool,
}

impl Share {
    pub(crate) fn of(ack: &Arc<Ack>) -> Self {
        Self { ack: ack.clone(), settled: false }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if !self.settled {
            self.ack.fail();
        }
    }
}

/// One message for one session.
pub(crate) struct Delivery {
    pub(crate) message: Message,
    pub(crate) acked: bool,
    pub(crate) retain: bool,
    pub(crate) share: Option<Share>,
}

/// What the connection writes next.
pub(crate) struct Outgoing {
    pub(crate) message: Message,
    /// 0 for QoS 0.
    pub(crate) pkid: u16,
    pub(crate) dup: bool,
    pub(crate) retain: bool,
}

struct Unacked {
    pkid: u16,
    delivery: Delivery,
    sent: bool,
    dup: bool,
}

/// The connection that serves a session at the moment.
pub(crate) struct Link {
    pub(crate) wake: Arc<Notify>,
    pub(crate) cut: CancellationToken,
    /// Unacknowledged messages the client takes at once.
    pub(crate) window: usize,
}

pub(crate) struct Session {
    pub(crate) identity: Identity,
    pub(crate) epoch: u64,
    pub(crate) link: Option<Link>,
    pub(crate) subscriptions: Vec<Wanted>,
    pub(crate) expiry: Duration,
    pub(crate) gone_since: Option<Instant>,
    queue: VecDeque<Delivery>,
    queue_bytes: usize,
    unacked: VecDeque<Unacked>,
    last_pkid: u16,
}

impl Session {
    pub(crate) fn new(identity: Identity) -> Self {
        Self {
            identity,
            epoch: 0,
            link: None,
            subscriptions: Vec::new(),
            expiry: Duration::ZERO,
            gone_since: None,
            queue: VecDeque::new(),
            queue_bytes: 0,
            unacked: VecDeque::new(),
            last_pkid: 0,
        }
    }

    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.gone_since.is_some_and(|since| now.saturating_duration_since(since) >= self.expiry)
    }

    /// Makes what waits older, and the absence of the client longer.
    pub(crate) fn age(&mut self, by: Duration) {
        self.gone_since = self.gone_since.map(|since| earlier(since, by));
        let unacked = self.unacked.iter_mut().map(|unacked| &mut unacked.delivery);
        unacked.chain(&mut self.queue).for_each(|delivery| delivery.message.age(by));
    }

    pub(crate) fn wake(&self) {
        if let Some(link) = &self.link {
            link.wake.notify_one();
        }
    }

    /// The connection is gone: what waited for an acknowledgement will go out
    /// again, marked as such; QoS 0 is not kept.
    pub(crate) fn detached(&mut self) {
        self.link = None;
        self.gone_since = Some(Instant::now());
        for unacked in &mut self.unacked {
            unacked.dup |= unacked.sent;
            unacked.sent = false;
        }
        self.queue.retain(|delivery| delivery.acked);
        self.queue_bytes = self.queue.iter().map(|d| d.message.payload.len()).sum();
    }

    /// Whether the session wants a message of this topic: at least once? with the retain flag kept?
    pub(crate) fn wants(&self, name: &str, own: bool) -> Option<(bool, bool)> {
        self.subscriptions
            .iter()
            .filter(|s| !(own && s.no_local) && topic::matches(&s.filter, name))
            .map(|s| (s.acked, s.keep_retain_flag))
            .reduce(|a, b| (a.0 | b.0, a.1 | b.1))
    }

    /// Takes a message into the queue, unless that is full.
    pub(crate) fn push(&mut self, delivery: Delivery, limits: &Limits) -> bool {
        if !delivery.acked && self.link.is_none() {
            return true;
        }
        let bytes = self.queue_bytes + delivery.message.payload.len();
        if self.queue.len() >= limits.queue_messages || bytes > limits.queue_bytes {
            return false;
        }
        self.queue_bytes = bytes;
        self.queue.push_back(delivery);
        self.wake();
        true
    }

    /// The next messages to write, within the client's window. Counts what
    /// expired meanwhile.
    pub(crate) fn next(&mut self, most: usize, expired: &mut u64) -> Vec<Outgoing> {
        let window = self.link.as_ref().map_or(0, |link| link.window);
        let mut out = Vec::new();
        for unacked in self.unacked.iter_mut().filter(|u| !u.sent).take(most.min(window)) {
            unacked.sent = true;
            out.push(Outgoing {
                message: unacked.delivery.message.clone(),
                pkid: unacked.pkid,
                dup: unacked.dup,
                retain: unacked.delivery.retain,
            });
        }
        while out.len() < most {
            let Some(next) = self.queue.front() else { break };
            if next.acked && self.unacked.len() >= window {
                break;
            }
            let Some(delivery) = self.queue.pop_front() else { break };
            self.queue_bytes -= delivery.message.payload.len();
            if delivery.message.expires.is_some_and(|at| at <= Instant::now()) {
                *expired += 1;
                continue;
            }
            let pkid = if delivery.acked { self.next_pkid() } else { 0 };
            out.push(Outgoing {
                message: delivery.message.clone(),
                pkid,
                dup: false,
                retain: delivery.retain,
            });
            if pkid != 0 {
                self.unacked.push_back(Unacked { pkid, delivery, sent: true, dup: false });
            }
        }
        out
    }

    fn next_pkid(&mut self) -> u16 {
        // The window is far smaller than the ids, so one is always free.
        loop {
            self.last_pkid = self.last_pkid.checked_add(1).unwrap_or(1);
            if self.unacked.iter().all(|u| u.pkid != self.last_pkid) {
                return self.last_pkid;
            }
        }
    }

    /// The client has a message, or can never take it. False if none waited under that id.
    pub(crate) fn settle(&mut self, pkid: u16, taken: bool) -> bool {
        let Some(at) = self.unacked.iter().position(|u| u.pkid == pkid) else { return false };
        if let Some(mut unacked) = self.unacked.remove(at)
            && let Some(share) = &mut unacked.delivery.share
        {
            share.settled = taken;
        }
        self.wake();
        true
    }
}

/// A moment before another, as far as this machine's clock reaches back.
pub(crate) fn earlier(moment: Instant, by: Duration) -> Instant {
    moment.checked_sub(by).unwrap_or(moment)
}
