//! What tests of the parts stand on: rules, one vehicle with one opening on consent, a spool with
//! envelopes, a clock that is set, and a central that says what it is told to.

#[allow(dead_code, reason = "the tests of the spool use the rest")]
#[path = "../../spool/tests/spool/support.rs"]
pub(crate) mod waiting;

use crate::{holds::Holds, station::Chain};
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};
use vernport_api::{Feed as Answer, FeedRequest};
use vernport_crypto::{IdentityKey, OpeningKey, SigningKey};
use vernport_policy::{Believe, Bundle, ClosedGrant, FlowGrant, Grant, Head, Rules, Snapshot, Table};
use vernport_spool::Spool;
use vernport_types::{
    AssetId, BootMicros, Catalogue, Clock, EntryHash, LegalBasis, Reason, Slug, Stamp, TimeQuality,
    UtcMicros, VehicleAlias,
};
use vernport_uplink::{Broken, Call, Carried, Carrying, HeadGuard, SetupError, Transport, Uplink};
use waiting::{DUE, NOW, grant, slug};

/// The opening on consent, as [`grant`] numbers it.
pub(crate) const OPENING: u32 = 1;

/// The rules of random ledgers: `marketing` rests on consent and needs no order.
pub(crate) fn rules() -> Arc<Rules> {
    let text = include_str!("../../../config/signals/vehicle.toml");
    let catalogue = Catalogue::from_toml([("vehicle.toml", text)]).expect("the shipped catalogue");
    let text = include_str!("../../policy/tests/bundles/drawn.toml");
    let bundle = Bundle::from_toml("bundle.toml", text).expect("a bundle");
    Arc::new(Rules::compile(&bundle, &catalogue).expect("rules"))
}

/// What holds for one vehicle: its opening is open, or closed for a reason.
pub(crate) fn snapshot(closed: Option<Reason>) -> Snapshot {
    let flow: Slug = slug("marketing");
    let opened = FlowGrant {
        flow: flow.clone(),
        id: grant(OPENING),
        basis: LegalBasis::Consent,
        believe: Believe { lease_seconds: Some(300), until: DUE, ends_as: Reason::GrantStale },
        alias: VehicleAlias::from_bytes([8; 16]),
        rests_on: vec![EntryHash::from_bytes([1; 32])],
    };
    let rules = rules();
    Snapshot {
        format: Snapshot::FORMAT,
        controller: rules.controller().clone(),
        gateway: slug("bay-1"),
        bundle_hash: rules.hash(),
        identify_open: false,
        grants: vec![Grant {
            asset: AssetId::from_bytes([6; 16]),
            identifiers: Vec::new(),
            order: None,
            flows: if closed.is_none() { vec![opened] } else { Vec::new() },
            closed: closed.map(|reason| (flow, reason)).into_iter().collect(),
        }],
        closed: closed.map(|reason| ClosedGrant { id: grant(OPENING), reason }).into_iter().collect(),
        recipient_keys: Vec::new(),
        recovery: OpeningKey::from_bytes([4; 32]).wrapping_key(),
    }
}

/// A table with nothing in it, and what was said at the station out of a spool.
pub(crate) async fn holds(spool: &Spool) -> Holds {
    let chain = Chain::load(spool).await.expect("a chain");
    Holds::new(Table::new(rules()), IdentityKey::from_bytes([3; 32]), chain)
}

/// The head of a snapshot.
pub(crate) fn head(sequence: u64, nonce: [u8; 16], snapshot: &Snapshot) -> Head {
    Head { era: 0, sequence, at: NOW, nonce, snapshot_hash: snapshot.hash() }
}

/// A clock that stands still until it is set.
#[derive(Debug)]
pub(crate) struct SetClock {
    wall: AtomicI64,
    boot: AtomicU64,
}

impl SetClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { wall: AtomicI64::new(NOW.0), boot: AtomicU64::new(3_600_000_000) })
    }

    /// Time passes.
    pub(crate) fn pass(&self, seconds: u32) {
        self.set(seconds.into());
        self.boot.fetch_add(u64::from(seconds) * 1_000_000, Ordering::SeqCst);
    }

    /// Somebody sets the wall clock, so far ahead or back.
    pub(crate) fn set(&self, seconds: i64) {
        self.wall.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }
}

impl Clock for SetClock {
    fn now(&self) -> Stamp {
        let wall = UtcMicros(self.wall.load(Ordering::SeqCst));
        let boot = BootMicros(self.boot.load(Ordering::SeqCst));
        Stamp { wall, boot, quality: TimeQuality::Bounded }
    }
}

/// A central that says what it is told to, with a new head for each question. It is asked for news once
/// each 20 ms at most.
#[derive(Debug)]
pub(crate) struct Central {
    key: SigningKey,
    says: Mutex<Snapshot>,
    sequence: AtomicU64,
    /// So many seconds pass by this clock while an answer is on its way.
    slow: Option<(Arc<SetClock>, AtomicU32)>,
    /// How long it might wait with its answer, in milliseconds, question by question.
    asked: Mutex<Vec<u32>>,
}

impl Central {
    pub(crate) fn new(says: Snapshot) -> Self {
        let says = Mutex::new(says);
        let key = SigningKey::from_seed([2; 32]);
        Self { key, says, sequence: AtomicU64::new(0), slow: None, asked: Mutex::default() }
    }

    /// Its answers take so many seconds by this clock.
    pub(crate) fn slow(self, clock: &Arc<SetClock>, seconds: u32) -> Self {
        Self { slow: Some((Arc::clone(clock), seconds.into())), ..self }
    }

    /// Its answers take so many seconds from now on.
    pub(crate) fn take(&self, seconds: u32) {
        if let Some((_, slow)) = &self.slow {
            slow.store(seconds, Ordering::SeqCst);
        }
    }

    /// How long it might wait with each answer, in milliseconds.
    pub(crate) fn asked(&self) -> Vec<u32> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn said(&self) -> MutexGuard<'_, Snapshot> {
        self.says.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn say(&self, snapshot: Snapshot) {
        *self.said() = snapshot;
    }

    pub(crate) fn guard(&self) -> HeadGuard {
        HeadGuard::new(self.key.verifying_key(), None)
    }

    pub(crate) fn uplink(self: &Arc<Self>) -> Uplink {
        let transport: Arc<dyn Transport> = Arc::<Self>::clone(self);
        Uplink::over(transport, slug("bay-1"))
    }

    fn answer(&self, question: &FeedRequest) -> Answer {
        let snapshot = self.said().clone();
        let sequence = self.sequence.fetch_add(1, Ordering::SeqCst);
        let head = head(sequence, question.nonce.0, &snapshot);
        Answer {
            head: head.sign(&self.key),
            snapshot: (question.known != Some(head.snapshot_hash)).then_some(snapshot),
            merged: None,
            era: None,
            notices: Vec::new(),
        }
    }
}

impl Transport for Central {
    fn carry(&self, call: Call) -> Carrying<'_> {
        Box::pin(async move {
            let (_, body) = call.body.ok_or_else(|| Broken::from("no question"))?;
            let question: FeedRequest = serde_json::from_slice(&body)?;
            self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(question.wait_ms);
            let is_news = question.known != Some(self.said().hash());
            tokio::time::sleep(Duration::from_millis(if is_news { 1 } else { 20 })).await;
            let answer = serde_json::to_vec(&self.answer(&question))?;
            if let Some((clock, seconds)) = &self.slow {
                clock.pass(seconds.load(Ordering::SeqCst));
            }
            Ok(Carried { status: 200, retry_after: None, body: answer.into() })
        })
    }

    fn reconnect(&self) -> Result<(), SetupError> {
        Ok(())
    }
}
