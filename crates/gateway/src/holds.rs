//! What holds at this gateway: the table of rules and grants, shared between
//! those who decide, those who send and the one who listens to central.

use crate::gather::Opened;
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};
use vernport_crypto::IdentityKey;
use vernport_decode::visit::{Assertion, Lookup};
use vernport_policy::{ApplyError, GrantId, Head, Minimiser, Sampling, Snapshot, Standing, Table};
use vernport_types::{AssetId, Identification, Identifier, OrderId, SignalId, Stamp, UtcMicros, Vin};

/// Shared by clones.
#[derive(Debug, Clone)]
pub(crate) struct Holds {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    table: RwLock<Table>,
    identity: IdentityKey,
    /// When each open order was first heard of here.
    orders: Mutex<HashMap<OrderId, UtcMicros>>,
}

impl Holds {
    pub(crate) fn new(table: Table, identity: IdentityKey) -> Self {
        let orders = Mutex::new(HashMap::new());
        Self { shared: Arc::new(Shared { table: RwLock::new(table), identity, orders }) }
    }

    /// The table. A panic elsewhere cannot leave it half written: it is replaced in one step.
    pub(crate) fn table(&self) -> RwLockReadGuard<'_, Table> {
        self.shared.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn table_mut(&self) -> RwLockWriteGuard<'_, Table> {
        self.shared.table.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn orders(&self) -> MutexGuard<'_, HashMap<OrderId, UtcMicros>> {
        self.shared.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a verified snapshot in the place of the last one; says in the log what is not believed of it.
    pub(crate) fn apply(&self, snapshot: Snapshot, head: &Head, received: Stamp) -> Result<(), ApplyError> {
        let open: Vec<OrderId> = snapshot.grants.iter().filter_map(|grant| grant.order).collect();
        let applied = self.table_mut().apply(snapshot, head, received)?;
        {
            let mut orders = self.orders();
            orders.retain(|order, _| open.contains(order));
            for order in open {
                orders.entry(order).or_insert(received.wall);
            }
        }
        if applied.other_bundle {
            tracing::warn!(
                "central computes its grants from another bundle: nothing is open until both have one"
            );
        }
        for (_, wider) in applied.refused {
            tracing::warn!(error = %wider, "an opening goes beyond the bundle and is not believed");
        }
        tracing::info!(openings = applied.opened, sequence = head.sequence, "grants applied");
        Ok(())
    }

    pub(crate) fn refresh(&self, head: &Head, received: Stamp) -> Result<(), ApplyError> {
        self.table_mut().refresh(head, received)
    }

    pub(crate) fn standing(&self, grant: GrantId, now: Stamp) -> Standing {
        self.table().standing(grant, now)
    }

    /// What an opening seals with; none where it is closed or its recipient has no key.
    pub(crate) fn opened(&self, grant: GrantId) -> Option<Opened> {
        let table = self.table();
        let (of, opened) = table.opening(grant)?;
        let snapshot = table.snapshot()?;
        let flow = table.rules().find(&opened.flow)?;
        let recipients: Vec<_> = snapshot.keys_for(&flow.recipient, &flow.purpose).copied().collect();
        if recipients.is_empty() {
            return None;
        }
        Some(Opened {
            grant: opened.clone(),
            order: of.order,
            notice: table.rules().notices().last()?.version.clone(),
            recipients,
            recovery: snapshot.recovery,
        })
    }

    /// The asset of an identifier, if it is expected here.
    pub(crate) fn find(&self, identifier: &Identifier) -> Option<AssetId> {
        self.table().find(&self.shared.identity.index(identifier))
    }

    /// The one asset of an order that is open here.
    pub(crate) fn of_order(&self, order: OrderId) -> Option<AssetId> {
        let table = self.table();
        let mut assets = table.snapshot()?.grants.iter().filter(|grant| grant.order == Some(order));
        let first = assets.next()?;
        assets.next().is_none().then_some(first.asset)
    }
}

/// Of how much use more than one sample an order is: it may have been lost on the way.
const PER_ORDER_MICROS: u64 = 3_600 * 1_000_000;

impl Holds {
    /// The signals that flows open now want of one asset, recognised so, or of any that is
    /// expected here; and how often each is of use, in microseconds.
    pub(crate) fn wanted(&self, of: Option<(AssetId, Identification)>, now: Stamp) -> Vec<(SignalId, u64)> {
        let table = self.table();
        let mut wanted = BTreeMap::new();
        let Some(snapshot) = table.snapshot() else { return Vec::new() };
        for grant in snapshot.grants.iter().filter(|grant| of.is_none_or(|(asset, _)| asset == grant.asset)) {
            let open = grant.flows.iter().filter(|opened| table.standing(opened.id, now) == Standing::Send);
            for flow in open.filter_map(|opened| table.rules().find(&opened.flow)) {
                if of.is_some_and(|(_, by)| by < flow.weakest) {
                    continue;
                }
                let of_use = match flow.sampling {
                    Sampling::Every => 0,
                    Sampling::PerOrder => PER_ORDER_MICROS,
                    Sampling::Interval(micros) => u64::try_from(micros).unwrap_or(0),
                };
                let kept = flow.signals.iter().filter(|(_, minimiser)| !matches!(minimiser, Minimiser::Drop));
                for (signal, _) in kept {
                    let known = wanted.entry(*signal).or_insert(of_use);
                    *known = of_use.min(*known);
                }
            }
        }
        wanted.into_iter().collect()
    }
}

impl Lookup for Holds {
    fn identify_open(&self) -> bool {
        self.table().snapshot().is_some_and(|snapshot| snapshot.identify_open)
    }

    fn by_vin(&self, vin: &Vin) -> Option<AssetId> {
        self.find(&Identifier::Vin(*vin))
    }

    /// One order open at this station says which vehicle stands here; two say nothing.
    fn asserted(&self) -> Option<Assertion> {
        let (asset, order) = {
            let table = self.table();
            let mut with_order =
                table.snapshot()?.grants.iter().filter_map(|grant| Some((grant.asset, grant.order?)));
            let only = with_order.next()?;
            if with_order.next().is_some() {
                return None;
            }
            only
        };
        let made_at = *self.orders().get(&order)?;
        Some(Assertion { asset, made_at })
    }
}
