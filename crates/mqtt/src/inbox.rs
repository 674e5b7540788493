//! Messages coming in, each acknowledged only when the caller says so.
//!
//! The session is kept at the broker under a stable client id. An
//! acknowledgement goes to the connection that brought the message and to no
//! other; when that has ended it is discarded, since the broker sends again. Subscriptions are made anew on every
//! connection and waited for, so a session that the broker lost is no gap
//! in what we listen to. When the caller is slow, nothing more is read.

use crate::{
    backoff::{Backoff, Waits},
    endpoint::Endpoint,
    status::LinkStatus,
    wire::{Arrived, Cause, Event, Opening, SPARE_REQUESTS, Wire},
};
use bytes::Bytes;
use std::{collections::VecDeque, fmt, sync::Arc, time::Duration};
use tokio::{
    sync::{
        Notify,
        mpsc::{self, OwnedPermit, error::TrySendError},
        watch,
    },
    task::JoinHandle,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

/// When an acknowledgement that rumqttc had no room for is offered again, unless something came before.
const OWED_AGAIN: Duration = Duration::from_millis(2);
/// Answers that may wait for a connection.
const REPLIES: usize = 256;

/// What to listen to, and how.
#[derive(Debug, Clone)]
pub struct InboxConfig {
    /// The broker.
    pub endpoint: Endpoint,
    /// What to subscribe to, at QoS 1.
    pub filters: Vec<String>,
    /// Messages without acknowledgement at one time.
    pub window: u16,
    /// How long the broker keeps our session while we are away, in seconds. 0: not at all.
    pub session_expiry_s: u32,
    /// Longest wait for the confirmation of the subscriptions.
    pub subscribe_timeout: Duration,
    /// How long a message that could not be taken in is left with the broker.
    pub retry_after: Duration,
    /// Waits between connections.
    pub backoff: Backoff,
}

impl InboxConfig {
    /// The usual bounds: 64 messages, a day, 10 s, 5 s.
    pub fn new(endpoint: Endpoint, filters: Vec<String>) -> Self {
        Self {
            endpoint,
            filters,
            window: 64,
            session_expiry_s: 24 * 60 * 60,
            subscribe_timeout: Duration::from_secs(10),
            retry_after: Duration::from_secs(5),
            backoff: Backoff::default(),
        }
    }
}

/// A message that came in. `Debug` shows neither topic nor payload.
pub struct Message {
    /// Where it was published.
    pub topic: String,
    /// What was published.
    pub payload: Bytes,
    /// Whether the broker had kept it from before we subscribed.
    pub retained: bool,
    /// Its packet identifier, the same in each repetition; 0 for what is not acknowledged.
    pub packet: u16,
    /// Whether the broker says that it has sent it before.
    pub repeated: bool,
    /// To be called when the message is dealt with for good.
    pub ack: AckHandle,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({} bytes, {:?})", self.payload.len(), self.ack)
    }
}

/// The right to acknowledge one message, on the connection that brought it.
///
/// Dropped unused, the message stays with the broker, and comes again after
/// [`InboxConfig::retry_after`].
#[derive(Debug)]
pub struct AckHandle(Option<Answer>);

impl AckHandle {
    /// The message is dealt with, and that is durable.
    pub fn done(mut self) {
        if let Some(answer) = self.0.take() {
            match answer.done.try_send(answer.pkid) {
                // That connection has ended: the broker sends it again.
                Ok(()) | Err(TrySendError::Closed(_)) => {}
                Err(TrySendError::Full(_)) => answer.renew.notify_one(),
            }
        }
    }
}

impl Drop for AckHandle {
    fn drop(&mut self) {
        if let Some(answer) = self.0.take() {
            answer.renew.notify_one();
        }
    }
}

/// The way back to the connection that a message came on.
struct Answer {
    pkid: u16,
    done: mpsc::Sender<u16>,
    /// Asks for a new connection: only that makes the broker send again.
    renew: Arc<Notify>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.pkid)
    }
}

/// A running subscription.
pub struct Inbox {
    messages: mpsc::Receiver<Message>,
    replies: mpsc::Sender<(String, Bytes)>,
    status: watch::Receiver<LinkStatus>,
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

impl Inbox {
    /// Connects in the background, again and again, until stopped.
    pub fn start(config: InboxConfig) -> Self {
        let (messages, receiver) = mpsc::channel(usize::from(config.window.max(1)));
        let (replies, waiting) = mpsc::channel(REPLIES);
        let (state, status) = watch::channel(LinkStatus::default());
        let stop = CancellationToken::new();
        let runner = Runner { config, messages, waiting, state, stop: stop.clone(), epoch: 0 };
        let task = tokio::spawn(runner.run());
        Self { messages: receiver, replies, status, stop, task: Some(task) }
    }

    /// The next message; `None` once stopped.
    pub async fn next(&mut self) -> Option<Message> {
        self.messages.recv().await
    }

    /// The next message if one is here already.
    pub fn try_next(&mut self) -> Option<Message> {
        self.messages.try_recv().ok()
    }

    /// Publishes a short answer at QoS 0, now or when there is a connection. Too
    /// many of them are dropped: whoever waits for one asks again.
    pub fn reply(&self, topic: String, payload: Vec<u8>) {
        let _ = self.replies.try_send((topic, payload.into()));
    }

    /// The state of the link, as it changes. Up means: subscribed.
    pub fn status(&self) -> watch::Receiver<LinkStatus> {
        self.status.clone()
    }

    /// Leaves the broker with a good-bye; the session stays there.
    pub async fn stop(mut self) {
        self.stop.cancel();
        self.messages.close();
        if let Some(task) = self.task.take() {
            // It only fails if it panicked, which the runtime has reported.
            let _ = task.await;
        }
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

struct Runner {
    config: InboxConfig,
    messages: mpsc::Sender<Message>,
    waiting: mpsc::Receiver<(String, Bytes)>,
    state: watch::Sender<LinkStatus>,
    stop: CancellationToken,
    epoch: u64,
}

impl Runner {
    async fn run(mut self) {
        let mut waits = Waits::new(self.config.backoff);
        let stop = self.stop.clone();
        while !stop.is_cancelled() {
            self.epoch += 1;
            let cause = self.connection(&mut waits).await;
            if cause != Cause::Stopped {
                tracing::warn!(%cause, "link for incoming messages is down");
            }
            self.state.send_modify(|status| status.went_down(cause));
            let wait = waits.next();
            tokio::select! {
                () = sleep(wait) => {}
                () = stop.cancelled() => {}
                () = self.messages.closed() => return,
            }
        }
    }

    /// One connection, until it ends.
    async fn connection(&mut self, waits: &mut Waits) -> Cause {
        let opening = Opening {
            endpoint: &self.config.endpoint,
            // MQTT 3.1.1 has no expiry: there only a clean session ends with its connection.
            session_expiry_s: Some(self.config.session_expiry_s).filter(|seconds| *seconds > 0),
            window: self.config.window.max(1),
            will: None,
        };
        let (wire, mut events) = Wire::open(&opening);
        // No broker may have more than the window without acknowledgement. One that does not know (3.1.1) or
        // miscounts (mosquitto before 2.0.13) is read no further at twice that, so that this is never full.
        let most = 2 * usize::from(opening.window);
        let (done, mut finished) = mpsc::channel(most);
        let mut unacknowledged = 0;
        // Acknowledgements that rumqttc has no room for while it hands on what it read at once: no more than that.
        let mut owed: VecDeque<u16> = VecDeque::new();
        let renew = Arc::new(Notify::new());
        // Until it is connected, rumqttc's own connection timeout applies.
        let mut subscribe_by: Option<Instant> = None;
        let mut renew_at: Option<Instant> = None;
        let mut unsent_replies = 0;
        let mut permit: Option<OwnedPermit<Message>> = None;
        let stop = self.stop.clone();
        loop {
            while owed.front().is_some_and(|pkid| wire.acknowledge(*pkid).is_ok()) {
                owed.pop_front();
            }
            let due = subscribe_by.into_iter().chain(renew_at).min();
            let has_permit = permit.is_some();
            tokio::select! {
                reserved = self.messages.clone().reserve_owned(), if !has_permit => match reserved {
                    Ok(reserved) => permit = Some(reserved),
                    Err(_) => return leave(&wire, &mut finished, &mut events).await,
                },
                // Read only when there is room for what may come.
                event = events.recv(), if has_permit && unacknowledged < most => match event {
                    Some(Event::Connected { session_present, .. }) => {
                        self.state.send_modify(|status| status.sessions_lost += u64::from(!session_present));
                        if wire.subscribe(&self.config.filters).is_err() {
                            return Cause::Subscription;
                        }
                        subscribe_by = Some(Instant::now() + self.config.subscribe_timeout);
                    }
                    Some(Event::Subscribed { granted: true }) => {
                        subscribe_by = None;
                        waits.reset();
                        let epoch = self.epoch;
                        self.state.send_modify(|status| status.went_up(epoch));
                    }
                    Some(Event::Subscribed { granted: false }) => return Cause::Subscription,
                    Some(Event::Arrived(arrived)) => {
                        if let Some(permit) = permit.take() {
                            unacknowledged += usize::from(arrived.pkid != 0);
                            permit.send(message(arrived, &done, &renew));
                        }
                    }
                    Some(Event::Sent(0)) => unsent_replies -= 1,
                    Some(Event::Sent(_) | Event::Answered { .. }) => {}
                    Some(Event::Down(cause)) => return cause,
                    None => return Cause::Ended("closed".to_owned()),
                },
                Some(pkid) = finished.recv() => {
                    unacknowledged -= 1;
                    owed.push_back(pkid);
                }
                () = sleep(OWED_AGAIN), if !owed.is_empty() => {}
                () = renew.notified() => {
                    renew_at.get_or_insert(Instant::now() + self.config.retry_after);
                }
                // A few at a time: the room in rumqttc's channel is for acknowledgements.
                Some((topic, payload)) = self.waiting.recv(), if unsent_replies < SPARE_REQUESTS / 2 => {
                    unsent_replies += 1;
                    if wire.publish(&topic, payload, false, false, None).is_err() {
                        return Cause::Ended("the client is stuck".to_owned());
                    }
                }
                // While nothing is read, the broker cannot be late.
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() && has_permit => {
                    return if due == renew_at { Cause::TakenBack } else { Cause::Subscription };
                }
                () = stop.cancelled() => return leave(&wire, &mut finished, &mut events).await,
            }
        }
    }
}

/// Acknowledges what was dealt with until now, so that it does not come again, and says good-bye.
async fn leave(wire: &Wire, finished: &mut mpsc::Receiver<u16>, events: &mut mpsc::Receiver<Event>) -> Cause {
    while let Ok(pkid) = finished.try_recv() {
        if wire.acknowledge(pkid).is_err() {
            break;
        }
    }
    good_bye(wire, events).await
}

fn message(arrived: Arrived, done: &mpsc::Sender<u16>, renew: &Arc<Notify>) -> Message {
    let answer = Answer { pkid: arrived.pkid, done: done.clone(), renew: renew.clone() };
    Message {
        topic: arrived.topic,
        payload: arrived.payload,
        retained: arrived.retain,
        packet: arrived.pkid,
        repeated: arrived.dup,
        ack: AckHandle((arrived.pkid != 0).then_some(answer)),
    }
}

/// Disconnects, and gives that a moment to go out.
pub(crate) async fn good_bye(wire: &Wire, events: &mut mpsc::Receiver<Event>) -> Cause {
    wire.disconnect();
    let gone = async { while !matches!(events.recv().await, None | Some(Event::Down(_))) {} };
    let _ = tokio::time::timeout(Duration::from_secs(1), gone).await;
    Cause::Stopped
}
