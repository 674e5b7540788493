//! What was refused, counted by code; and why certificates or tokens were, which
//! nobody outside is told.

use axum::{extract::State, http::Response};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use vernport_api::Code;

/// Counts since the start of this process.
#[derive(Debug)]
pub(crate) struct Counts {
    codes: Vec<AtomicU64>,
    /// Few words, all of them in this program.
    reasons: Mutex<BTreeMap<&'static str, u64>>,
}

impl Default for Counts {
    fn default() -> Self {
        let codes = Code::ALL.iter().map(|_| AtomicU64::new(0)).collect();
        Self { codes, reasons: Mutex::default() }
    }
}

impl Counts {
    fn refused(&self, code: Code) {
        let place = Code::ALL.iter().position(|known| *known == code);
        if let Some(count) = place.and_then(|place| self.codes.get(place)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Something was turned away for a reason that is told here only.
    pub(crate) fn turned_away(&self, reason: &'static str) {
        *self.reasons.lock().unwrap_or_else(PoisonError::into_inner).entry(reason).or_default() += 1;
    }

    /// Problem documents that went out, by code; those codes that did.
    pub(crate) fn by_code(&self) -> BTreeMap<&'static str, u64> {
        let counted = Code::ALL.iter().zip(&self.codes);
        let counted = counted.map(|(code, count)| (code.code(), count.load(Ordering::Relaxed)));
        counted.filter(|(_, count)| *count > 0).collect()
    }

    /// What was turned away, by reason.
    pub(crate) fn by_reason(&self) -> BTreeMap<&'static str, u64> {
        self.reasons.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A layer around all routes: a refusal bears its code where no client sees it.
pub(crate) async fn count<B: Send>(State(counts): State<Arc<Counts>>, response: Response<B>) -> Response<B> {
    if let Some(code) = response.extensions().get::<Code>() {
        counts.refused(*code);
    }
    response
}
