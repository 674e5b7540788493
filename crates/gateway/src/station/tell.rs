//! Brings what was said here to central, as soon as the line is there.

use super::Station;
use crate::chain;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;
use vernport_api::{Code, LinkOutcome, SegmentRequest};
use vernport_crypto::random;
use vernport_uplink::{Backoff, CallError, Uplink};

/// How many links go with one call.
const LINKS_A_CALL: usize = 16;
/// How often it is looked whether links wait, when nobody rings.
const IDLE: Duration = Duration::from_secs(30);
/// First and longest pause after a failure.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));

/// Tells central until shutdown.
pub(crate) async fn tell(station: Arc<Station>, uplink: Uplink, shutdown: CancellationToken) {
    let mut backoff = Backoff::new(BACKOFF.0, BACKOFF.1);
    // The last link that central answered for.
    let mut told = 0;
    loop {
        let rung = station.said.notified();
        let links: Vec<_> = station.holds.with_chain(|chain| {
            let fresh = chain.waiting().iter().filter(|kept| kept.signed.link.sequence > told);
            fresh.take(LINKS_A_CALL).cloned().collect()
        });
        if links.is_empty() {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                () = rung => {}
                () = tokio::time::sleep(IDLE) => {}
            }
            continue;
        }
        let identifiers = links.iter().filter_map(|kept| kept.identifier.clone()).collect();
        let request =
            SegmentRequest { links: links.into_iter().map(|kept| kept.signed).collect(), identifiers };
        let answer = tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            answer = uplink.merge(&request) => answer,
        };
        match answer {
            Ok(answer) => {
                backoff.succeeded();
                told = answer.tip.sequence;
                for result in answer.results.iter().filter(|result| result.entry.is_none()) {
                    let problem = result.problem.as_deref().unwrap_or("no reason given");
                    let again = result.outcome == LinkOutcome::Duplicate;
                    tracing::warn!(
                        sequence = result.sequence,
                        problem,
                        again,
                        "central refused what was said here"
                    );
                    station.shared.station_refused(usize::from(!again));
                }
                // Batches that waited for it need not wait for their pause.
                station.shared.queued.notify_waiters();
            }
            Err(error) => {
                station.shared.central_failed();
                if matches!(&error, CallError::Refused(problem) if problem.code == Code::LinkGap) {
                    // Central has less than it answered for: it was restored. What is still here goes again.
                    told = 0;
                }
                if error.is_transient() {
                    tracing::warn!(
                        error = chain(&error),
                        "what was said here waits: central did not take it"
                    );
                } else {
                    station.shared.station_refused(1);
                    tracing::error!(error = chain(&error), "central does not take this station's chain");
                }
                let pause = backoff.failed(u32::from_le_bytes(random()), error.retry_after());
                tokio::select! {
                    biased;
                    () = shutdown.cancelled() => return,
                    () = tokio::time::sleep(pause) => {}
                }
            }
        }
    }
}
