//! How the gateway is: one place that its parts write to and operators read
//! from. Holds times, counts and reasons; never a value or an identifier.

use crate::{
    renew::CertificateSeen,
    tally::Tally,
    witness::{LogAlarms, LogSeen},
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::{Notify, watch};
use vernport_api::{Answer, BatchAnswer};
use vernport_canbus::Counters;
use vernport_decode::poll;
use vernport_mqtt::{LinkStatus, PassedOver, ResultCode};
use vernport_policy::Head;
use vernport_spool::SpoolStatus;
use vernport_types::{Slug, Stamp, UtcMicros};

/// Written by the parts of one gateway.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) tally: Arc<Mutex<Tally>>,
    /// Turns of the loop that decides and queues; it turns while nothing happens, too.
    pub(crate) turns: AtomicU64,
    /// Rung when something was queued or resumed.
    pub(crate) queued: Notify,
    first_head: Notify,
    /// Rung when central answers after it did not.
    pub(crate) central_back: Notify,
    /// Rung when this process goes on after a sleep.
    pub(crate) resumed: Notify,
    state: Mutex<State>,
    buses: Mutex<BTreeMap<usize, BusStatus>>,
    links: Mutex<Links>,
}

/// The connections to brokers.
#[derive(Debug, Default)]
struct Links {
    fleet: Option<watch::Receiver<LinkStatus>>,
    tools: Option<watch::Receiver<LinkStatus>>,
    limited: Option<watch::Receiver<u64>>,
    operators: BTreeMap<Slug, OperatorStatus>,
    results: BTreeMap<&'static str, u64>,
    passed_over: BTreeMap<&'static str, u64>,
}

/// What was seen before the spool was looked into.
pub(crate) struct Seen {
    state: State,
    tally: Tally,
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    head: Option<(Head, Stamp)>,
    central_failures: u64,
    rolled_back: bool,
    delivering: Delivering,
    delivered: u64,
    published: u64,
    settled: u64,
    refused: u64,
    station_refused: u64,
    expected_assets: usize,
    waiting_for_room: bool,
    sources_ended: usize,
    log: LogSeen,
    certificate: Option<CertificateSeen>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A head of central came, which was asked for then.
    pub(crate) fn head(&self, head: Head, asked: Stamp) {
        self.state().head = Some((head, asked));
        self.first_head.notify_waiters();
    }

    /// The last head of this run, and when it was asked for.
    pub(crate) fn last_head(&self) -> Option<(Head, Stamp)> {
        self.state().head
    }

    /// Waits until central was heard of once.
    pub(crate) async fn first_head(&self) {
        loop {
            let heard = self.first_head.notified();
            if self.state().head.is_some() {
                return;
            }
            heard.await;
        }
    }

    /// The loop that decides and queues goes round.
    pub(crate) fn turn(&self) {
        self.turns.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn central_failed(&self) {
        self.state().central_failures += 1;
    }

    /// Central was rolled back, or is where it was again; whether it was rolled back before.
    pub(crate) fn rolled_back(&self, is: bool) -> bool {
        std::mem::replace(&mut self.state().rolled_back, is)
    }

    /// All that was gathered is in the spool.
    pub(crate) fn flushed(&self) {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).gathered = 0;
    }

    /// Central committed so many batches.
    pub(crate) fn delivered(&self, batches: usize, at: UtcMicros) {
        let mut state = self.state();
        state.delivered += batches as u64;
        if batches > 0 {
            state.delivering.last_at = Some(at);
        }
    }

    /// What came of batches that were sent.
    pub(crate) fn delivering(&self, change: impl FnOnce(&mut Delivering)) {
        change(&mut self.state().delivering);
    }

    /// The broker acknowledged so many messages for an operator, and so many were not published.
    pub(crate) fn published(&self, operator: &Slug, messages: usize, skipped: usize, at: UtcMicros) {
        self.state().published += messages as u64;
        if messages + skipped == 0 {
            return;
        }
        let mut links = self.links();
        let of = links.operators.entry(operator.clone()).or_default();
        of.published += messages as u64;
        of.skipped += skipped as u64;
        of.last_at = Some(at);
    }

    fn links(&self) -> MutexGuard<'_, Links> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection to the fleet's broker, and for whom.
    pub(crate) fn publishes(&self, link: watch::Receiver<LinkStatus>, operators: impl Iterator<Item = Slug>) {
        let mut links = self.links();
        links.fleet = Some(link);
        links.operators.extend(operators.map(|operator| (operator, OperatorStatus::default())));
    }

    /// The connection to the tools' broker, and how many messages were over a rate there.
    pub(crate) fn listens(&self, link: watch::Receiver<LinkStatus>, limited: watch::Receiver<u64>) {
        let mut links = self.links();
        (links.tools, links.limited) = (Some(link), Some(limited));
    }

    /// A tool got this answer.
    pub(crate) fn answered(&self, code: ResultCode) {
        *self.links().results.entry(code.as_str()).or_default() += 1;
    }

    /// What of a tool's message became no reading.
    pub(crate) fn passed_over(&self, passed: PassedOver) {
        let mut links = self.links();
        for (why, count) in passed.by_why() {
            *links.passed_over.entry(why).or_default() += u64::from(count);
        }
    }

    /// So many batches or messages were parked or destroyed instead of sent.
    pub(crate) fn settled(&self, items: usize) {
        self.state().settled += items as u64;
    }

    /// A tool's message was refused.
    pub(crate) fn refused(&self) {
        self.state().refused += 1;
    }

    /// Central did not take so much of what was said here.
    pub(crate) fn station_refused(&self, links: usize) {
        self.state().station_refused += links as u64;
    }

    /// So many assets have an order here or are mounted here.
    pub(crate) fn expects(&self, assets: usize) {
        self.state().expected_assets = assets;
    }

    pub(crate) fn waiting_for_room(&self, waiting: bool) {
        self.state().waiting_for_room = waiting;
    }

    /// Changes what is known of the two evidence logs.
    pub(crate) fn log_seen(&self, change: impl FnOnce(&mut LogSeen)) {
        change(&mut self.state().log);
    }

    /// How the gateway's certificate stands.
    pub(crate) fn certificate(&self, seen: CertificateSeen) {
        self.state().certificate = Some(seen);
    }

    /// What was found wrong with the evidence logs.
    pub(crate) fn log_alarms(&self) -> LogAlarms {
        self.state().log.alarms
    }

    /// How a live bus is now.
    pub(crate) fn bus(&self, place: usize, status: BusStatus) {
        self.buses.lock().unwrap_or_else(PoisonError::into_inner).insert(place, status);
    }

    #[cfg(test)]
    pub(crate) fn certificate_seen(&self) -> Option<CertificateSeen> {
        self.state().certificate
    }

    #[cfg(test)]
    pub(crate) fn only_bus(&self) -> Option<BusStatus> {
        self.buses.lock().unwrap_or_else(PoisonError::into_inner).values().next().copied()
    }

    pub(crate) fn source_ended(&self) {
        self.state().sources_ended += 1;
    }

    /// How it stands, and then what was counted.
    pub(crate) fn seen(&self) -> Seen {
        let state = *self.state();
        Seen { state, tally: self.tally.lock().unwrap_or_else(PoisonError::into_inner).clone() }
    }

    pub(crate) fn read(
        &self,
        Seen { state, tally }: Seen,
        spool: SpoolStatus,
        station_links: usize,
    ) -> Status {
        let links = self.links();
        let now =
            |link: &Option<watch::Receiver<LinkStatus>>| link.as_ref().map(|link| link.borrow().clone());
        let mut tool_results = links.results.clone();
        if let Some(limited) = &links.limited {
            *tool_results.entry(ResultCode::Limited.as_str()).or_default() += *limited.borrow();
        }
        Status {
            turns: self.turns.load(Ordering::Relaxed),
            delivering: state.delivering,
            fleet: now(&links.fleet),
            tools: now(&links.tools),
            operators: links.operators.clone(),
            tool_results,
            passed_over: links.passed_over.clone(),
            tally,
            spool,
            head: state.head,
            central_failures: state.central_failures,
            central_rolled_back: state.rolled_back,
            delivered_batches: state.delivered,
            published_messages: state.published,
            settled_items: state.settled,
            refused_tool_messages: state.refused,
            station_links,
            station_refused: state.station_refused,
            expected_assets: state.expected_assets,
            waiting_for_room: state.waiting_for_room,
            sources_ended: state.sources_ended,
            log: state.log,
            certificate: state.certificate,
            buses: self.buses.lock().unwrap_or_else(PoisonError::into_inner).values().copied().collect(),
        }
    }
}

/// How the gateway is at one moment.
#[derive(Debug, Clone)]
pub struct Status {
    /// Turns of the loop that decides and queues.
    pub turns: u64,
    /// What central answered to batches.
    pub delivering: Delivering,
    /// The connection to the fleet's broker, where there is one.
    pub fleet: Option<LinkStatus>,
    /// The connection to the tools' broker, where there is one.
    pub tools: Option<LinkStatus>,
    /// What each fleet operator got.
    pub operators: BTreeMap<Slug, OperatorStatus>,
    /// Answers to tools, by code.
    pub tool_results: BTreeMap<&'static str, u64>,
    /// What of tools' messages became no reading, by why.
    pub passed_over: BTreeMap<&'static str, u64>,
    /// What it has counted.
    pub tally: Tally,
    /// What waits.
    pub spool: SpoolStatus,
    /// The last head of central and when it was asked for.
    pub head: Option<(Head, Stamp)>,
    /// Calls to central that failed.
    pub central_failures: u64,
    /// Whether central is behind what it said before, so that everything is closed.
    pub central_rolled_back: bool,
    /// Batches that central has committed.
    pub delivered_batches: u64,
    /// Messages that the fleet's broker has acknowledged.
    pub published_messages: u64,
    /// Batches and messages that were parked or destroyed instead of sent.
    pub settled_items: u64,
    /// Tool messages that were refused.
    pub refused_tool_messages: u64,
    /// Things said at the station that central's grants do not know yet.
    pub station_links: usize,
    /// How often central did not take something that was said at the station.
    pub station_refused: u64,
    /// Assets that central expects here, by an order or because the gateway is mounted in them.
    pub expected_assets: usize,
    /// Whether reading stands still because nothing can be queued.
    pub waiting_for_room: bool,
    /// Sources that have ended (logs).
    pub sources_ended: usize,
    /// How far the evidence logs of this gateway and of central were seen by the other side, and what was wrong.
    pub log: LogSeen,
    /// This gateway's certificate.
    pub certificate: Option<CertificateSeen>,
    /// The live buses, in the order of the configuration.
    pub buses: Vec<BusStatus>,
}

/// What central answered to batches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Delivering {
    /// Batches that were sent, each time they were.
    pub sent: u64,
    /// Committed.
    pub committed: u64,
    /// Committed before.
    pub duplicate: u64,
    /// Refused: the basis is withdrawn.
    pub refused_withdrawn: u64,
    /// To be parked: processing is restricted.
    pub parked_restricted: u64,
    /// To be sent again.
    pub retry: u64,
    /// Refused for their bytes.
    pub quarantined: u64,
    /// Whether the last call failed.
    pub failing: bool,
    /// When something was last committed.
    pub last_at: Option<UtcMicros>,
}

impl Delivering {
    /// Central answered a call.
    pub(crate) fn take(&mut self, answers: &[BatchAnswer]) {
        self.failing = false;
        self.sent += answers.len() as u64;
        for answer in answers {
            *match answer.answer {
                Answer::Committed => &mut self.committed,
                Answer::Duplicate => &mut self.duplicate,
                Answer::RefusedWithdrawn => &mut self.refused_withdrawn,
                Answer::ParkedRestricted => &mut self.parked_restricted,
                Answer::Retry => &mut self.retry,
            } += 1;
        }
    }
}

/// What one fleet operator got.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OperatorStatus {
    /// Messages that the broker acknowledged.
    pub published: u64,
    /// Messages that were parked, destroyed or put aside instead.
    pub skipped: u64,
    /// When that last happened.
    pub last_at: Option<UtcMicros>,
}

/// How one live bus is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BusStatus {
    /// Its place in the configuration.
    pub place: usize,
    /// Whether it went down and is not back.
    pub is_down: bool,
    /// Frames handed out, filtered, lost; errors by class.
    pub counters: Counters,
    /// Whether frames that nobody wants are kept away now.
    pub filtered: bool,
    /// How it is asked; none on a bus that is only listened to.
    pub asking: Option<Asking>,
}

/// How a bus is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asking {
    /// Whether it is asked now, and why not.
    pub standing: poll::Standing,
    /// What came of the requests.
    pub counts: poll::Counts,
    /// Frames that the bus did not take.
    pub unsent: u64,
}

impl Status {
    /// Whether everything that was read is queued, delivered and published: nothing waits that may be sent.
    pub fn is_settled(&self) -> bool {
        let queued = self.spool.batches_queued + self.spool.topics_queued;
        queued + self.tally.gathered == 0 && !self.waiting_for_room
    }
}
