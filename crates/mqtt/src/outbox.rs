//! Messages going out at QoS 1, each answered to its sender by name: taken,
//! refused, or lost with the connection.
//!
//! Nothing is kept here: a message that is not acknowledged goes back to where
//! it came from, which decides anew whether it may be sent. So every connection
//! starts clean, and whatever is sent on it is in the order it was given.
//!
//! A [`Link`] is the right to send on one connection. When that ends, all its
//! unanswered messages are lost, and so is whatever is still given to it: no
//! later message can overtake an earlier one.

use crate::{
    backoff::{Backoff, Waits},
    endpoint::Endpoint,
    inbox::good_bye,
    status::{LinkState, LinkStatus},
    wire::{Cause, Event, Opening, Wire},
};
use bytes::Bytes;
use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;

/// A topic on which a link says that it is there, retained: one payload while
/// it is, another one, as its last words, when it is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Presence {
    pub(crate) topic: String,
    pub(crate) online: Vec<u8>,
    pub(crate) offline: Vec<u8>,
}

/// Where to send, and how.
#[derive(Debug, Clone)]
pub(crate) struct OutboxConfig {
    pub(crate) endpoint: Endpoint,
    pub(crate) window: u16,
    pub(crate) ack_timeout: Duration,
    pub(crate) backoff: Backoff,
    pub(crate) presence: Option<Presence>,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The broker has it.
    Acknowledged,
    /// The broker does not want it: no right to the topic, or no room.
    Refused,
    /// It is longer than any packet that the broker takes, and was not sent: that would end the connection.
    TooLong,
    /// The connection ended first. The broker may have it or not.
    Lost,
}

/// The outcome of one message, when it comes.
#[derive(Debug)]
pub struct Receipt(oneshot::Receiver<Outcome>);

impl Receipt {
    /// Waits for the broker's answer, or for the end of the connection.
    pub async fn outcome(self) -> Outcome {
        self.0.await.unwrap_or(Outcome::Lost)
    }
}

pub(crate) struct Outgoing {
    pub(crate) topic: String,
    pub(crate) payload: Bytes,
    pub(crate) expiry_s: Option<u32>,
}

struct Order {
    epoch: u64,
    message: Outgoing,
    answer: oneshot::Sender<Outcome>,
}

pub(crate) struct Outbox {
    orders: mpsc::Sender<Order>,
    status: watch::Receiver<LinkStatus>,
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

impl Outbox {
    pub(crate) fn start(config: OutboxConfig) -> Self {
        let (orders, receiver) = mpsc::channel(usize::from(config.window.max(1)));
        let (state, status) = watch::channel(LinkStatus::default());
        let stop = CancellationToken::new();
        let runner = Runner { config, orders: receiver, state, stop: stop.clone(), epoch: 0 };
        let task = tokio::spawn(runner.run());
        Self { orders, status, stop, task: Some(task) }
    }

    /// Waits for a connection. `None` once stopped.
    pub(crate) async fn link(&self) -> Option<Link> {
        let mut status = self.status.clone();
        let up = status.wait_for(|status| status.state == LinkState::Up).await.ok()?;
        Some(Link { epoch: up.epoch, orders: self.orders.clone() })
    }

    pub(crate) fn status(&self) -> watch::Receiver<LinkStatus> {
        self.status.clone()
    }

    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take() {
            // It only fails if it panicked, which the runtime has reported.
            let _ = task.await;
        }
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The right to send on one connection.
#[derive(Clone)]
pub(crate) struct Link {
    epoch: u64,
    orders: mpsc::Sender<Order>,
}

impl Link {
    /// Hands a message over; waits while the window is full.
    pub(crate) async fn send(&self, message: Outgoing) -> Receipt {
        let (answer, receipt) = oneshot::channel();
        // A closed channel drops the order, and with it the answer: lost.
        let _ = self.orders.send(Order { epoch: self.epoch, message, answer }).await;
        Receipt(receipt)
    }
}

struct Runner {
    config: OutboxConfig,
    orders: mpsc::Receiver<Order>,
    state: watch::Sender<LinkStatus>,
    stop: CancellationToken,
    epoch: u64,
}

/// A message handed to rumqttc. Dropped without an answer, it is lost.
struct Pending {
    since: Instant,
    answer: Option<oneshot::Sender<Outcome>>,
}

impl Runner {
    async fn run(mut self) {
        let mut waits = Waits::new(self.config.backoff);
        let stop = self.stop.clone();
        while !stop.is_cancelled() {
            self.epoch += 1;
            let cause = self.connection(&mut waits).await;
            if cause != Cause::Stopped {
                tracing::warn!(%cause, "link for outgoing messages is down");
            }
            self.state.send_modify(|status| status.went_down(cause));
            let wait = sleep(waits.next());
            tokio::pin!(wait);
            loop {
                tokio::select! {
                    () = &mut wait => break,
                    () = stop.cancelled() => break,
                    // Dropping the order answers it: lost.
                    Some(_) = self.orders.recv() => {}
                }
            }
        }
    }

    async fn connection(&mut self, waits: &mut Waits) -> Cause {
        let presence = self.config.presence.clone();
        let (wire, mut events) = Wire::open(&Opening {
            endpoint: &self.config.endpoint,
            session_expiry_s: None,
            window: self.config.window.max(1),
            will: presence.as_ref().map(|p| (p.topic.as_str(), p.offline.as_slice())),
        });
        // In the order of sending, until rumqttc tells the packet id.
        let mut unsent: VecDeque<Pending> = VecDeque::new();
        let mut inflight: HashMap<u16, Pending> = HashMap::new();
        let (mut window, mut longest_bytes) = (0, usize::MAX);
        let mut watchdog = interval((self.config.ack_timeout / 4).max(Duration::from_millis(10)));
        watchdog.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let stop = self.stop.clone();
        let stuck = || Cause::Ended("the client is stuck".to_owned());
        loop {
            let room = unsent.len() + inflight.len() < window;
            tokio::select! {
                event = events.recv() => match event {
                    Some(Event::Connected { window: theirs, packet_bytes, .. }) => {
                        longest_bytes = packet_bytes;
                        window = usize::from(self.config.window.min(theirs).max(1));
                        if let Some(p) = &presence {
                            if wire.publish(&p.topic, p.online.clone().into(), true, true, None).is_err() {
                                return stuck();
                            }
                            unsent.push_back(Pending { since: Instant::now(), answer: None });
                        }
                        let epoch = self.epoch;
                        self.state.send_modify(|status| status.went_up(epoch));
                    }
                    Some(Event::Sent(pkid)) => {
                        let Some(pending) = unsent.pop_front() else { return stuck() };
                        if inflight.insert(pkid, pending).is_some() {
                            return stuck();
                        }
                    }
                    Some(Event::Answered { pkid, taken }) => {
                        let Some(pending) = inflight.remove(&pkid) else { return stuck() };
                        waits.reset();
                        match pending.answer {
                            Some(answer) => {
                                let outcome = if taken { Outcome::Acknowledged } else { Outcome::Refused };
                                // Who does not wait for it does not want to know.
                                let _ = answer.send(outcome);
                            }
                            None if !taken => tracing::warn!("the broker refused our status message"),
                            None => {}
                        }
                    }
                    Some(Event::Arrived(_) | Event::Subscribed { .. }) => {}
                    Some(Event::Down(cause)) => return cause,
                    None => return Cause::Ended("closed".to_owned()),
                },
                Some(order) = self.orders.recv(), if room || window == 0 => {
                    // Of an earlier connection, or before this one: dropped, so lost.
                    if order.epoch != self.epoch || window == 0 {
                        continue;
                    }
                    let Outgoing { topic, payload, expiry_s } = order.message;
                    if wire.packet_bytes(&topic, &payload, expiry_s) > longest_bytes {
                        let _ = order.answer.send(Outcome::TooLong);
                        continue;
                    }
                    if wire.publish(&topic, payload, true, false, expiry_s).is_err() {
                        return stuck();
                    }
                    unsent.push_back(Pending { since: Instant::now(), answer: Some(order.answer) });
                }
                _ = watchdog.tick() => {
                    let oldest = unsent.iter().chain(inflight.values()).map(|p| p.since).min();
                    if oldest.is_some_and(|since| since.elapsed() >= self.config.ack_timeout) {
                        return Cause::Unacknowledged;
                    }
                }
                () = stop.cancelled() => {
                    if let Some(p) = &presence {
                        // The last words are for those who leave without them.
                        let _ = wire.publish(&p.topic, p.offline.clone().into(), true, true, None);
                    }
                    return good_bye(&wire, &mut events).await;
                }
            }
        }
    }
}
