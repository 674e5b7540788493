//! What central counts: requests and refusals of its process, and what came of them by
//! controller. Numbers only, of closed lists and configured names.

use axum::{
    Extension,
    extract::{MatchedPath, Request},
    middleware::Next,
    response::Response,
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed},
    },
};
use vernport_api::{Answer, Code};

/// Where nothing is served.
const NO_ROUTE: &str = "none";

/// Counts of the process.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    /// By path of the contract and status.
    requests: Mutex<BTreeMap<(String, u16), u64>>,
    /// By place of the code in [`Code::ALL`].
    refusals: Mutex<BTreeMap<usize, u64>>,
    /// Clients that were refused before their first request.
    pub(crate) refused_clients: AtomicU64,
    /// Why certificates and tokens were refused, which nobody outside is told. Few words, all of them in this program.
    reasons: Mutex<BTreeMap<&'static str, u64>>,
}

impl Counted {
    fn answered(&self, route: String, response: &Response) {
        let status = response.status().as_u16();
        *self.requests.lock().unwrap_or_else(PoisonError::into_inner).entry((route, status)).or_default() +=
            1;
        let Some(Refused(code)) = response.extensions().get::<Refused>() else { return };
        if let Some(place) = Code::ALL.iter().position(|one| one == code) {
            *self.refusals.lock().unwrap_or_else(PoisonError::into_inner).entry(place).or_default() += 1;
        }
    }

    /// Something was turned away for a reason that is told here only.
    pub(crate) fn turned_away(&self, reason: &'static str) {
        *self.reasons.lock().unwrap_or_else(PoisonError::into_inner).entry(reason).or_default() += 1;
    }

    /// What was turned away, by reason.
    pub(crate) fn by_reason(&self) -> BTreeMap<&'static str, u64> {
        self.reasons.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn requests(&self) -> BTreeMap<(String, u16), u64> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All codes, those without a refusal too.
    pub(crate) fn refusals(&self) -> Vec<(Code, u64)> {
        let counts = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        let count = |(place, code): (usize, &Code)| (*code, counts.get(&place).copied().unwrap_or(0));
        Code::ALL.iter().enumerate().map(count).collect()
    }
}

/// Beside a response: the code of its problem document.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refused(pub(crate) Code);

/// Counts each request by where it went and how it ended.
pub(crate) async fn count(
    Extension(counted): Extension<Arc<Counted>>,
    path: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let route = path.map_or_else(|| NO_ROUTE.to_owned(), |path| path.as_str().to_owned());
    let response = next.run(request).await;
    counted.answered(route, &response);
    response
}

/// Counts of one controller.
#[derive(Debug, Default)]
pub(crate) struct OfController {
    /// In the order of [`ANSWERS`].
    answers: [AtomicU64; 5],
    pub(crate) entries: AtomicU64,
    /// Gateways whose question is held.
    pub(crate) waiting: AtomicI64,
    /// Sends of the feed.
    pub(crate) heads: AtomicU64,
    /// Whether the database turned out to be from before what was answered for: until this process ends.
    pub(crate) is_set_back: AtomicBool,
    /// Whether the last look after erasing and deleting failed.
    pub(crate) duties_fail: AtomicBool,
    /// The last notice to an operator was not taken by its broker.
    pub(crate) fleet_away: AtomicBool,
    /// When the last such look ended well, in microseconds since 1970; 0: none yet.
    pub(crate) duties_at: AtomicI64,
    /// When unused fleet numbers were last looked for, in microseconds since 1970.
    pub(crate) numbers_looked_at: AtomicI64,
}

/// The answers to a batch, as the contract writes them.
pub(crate) const ANSWERS: [&str; 5] =
    ["committed", "duplicate", "refused-withdrawn", "parked-restricted", "retry"];

impl OfController {
    pub(crate) fn answered(&self, answer: &Answer) {
        let place = match answer {
            Answer::Committed => 0,
            Answer::Duplicate => 1,
            Answer::RefusedWithdrawn => 2,
            Answer::ParkedRestricted => 3,
            Answer::Retry => 4,
        };
        self.answers[place].fetch_add(1, Relaxed);
    }

    pub(crate) fn answers(&self) -> [(&'static str, u64); 5] {
        std::array::from_fn(|place| (ANSWERS[place], self.answers[place].load(Relaxed)))
    }

    /// A gateway's question is held until this is dropped.
    pub(crate) fn wait(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Relaxed);
        Waiting(self)
    }
}

pub(crate) struct Waiting<'a>(&'a OfController);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Relaxed);
    }
}
