//! What holds at this gateway: the table of rules and grants, shared between
//! those who decide, those who send and the one who listens to central.

use crate::{
    gather::Opened,
    notices::Notices,
    station::{Chain, Kept},
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};
use vernport_api::ServedNotice;
use vernport_crypto::{BlindIndex, IdentityKey, WrappingKey};
use vernport_decode::visit::{Assertion, Lookup};
use vernport_policy::{
    Applied, ApplyError, GrantId, Head, Merged, Minimiser, Sampling, Snapshot, Standing, Table,
};
use vernport_types::{
    AssetId, ControllerId, Identification, Identifier, LegalBasis, OrderId, Reason, SignalId, Slug, Stamp,
    UtcMicros, Vin,
};

/// Shared by clones.
#[derive(Debug, Clone)]
pub(crate) struct Holds {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    table: RwLock<Table>,
    identity: IdentityKey,
    controller: ControllerId,
    /// What was said here. Locked before the table.
    chain: Mutex<Chain>,
    notices: Mutex<Notices>,
    /// When each open order was first heard of here.
    orders: Mutex<HashMap<OrderId, UtcMicros>>,
}

impl Holds {
    pub(crate) fn new(table: Table, identity: IdentityKey, chain: Chain) -> Self {
        let controller = table.rules().controller().clone();
        let (table, notices) = (RwLock::new(table), Mutex::default());
        let (orders, chain) = (Mutex::new(HashMap::new()), Mutex::new(chain));
        Self { shared: Arc::new(Shared { table, identity, controller, chain, notices, orders }) }
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

    fn chain(&self) -> MutexGuard<'_, Chain> {
        self.shared.chain.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn notices(&self) -> MutexGuard<'_, Notices> {
        self.shared.notices.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which notices were served, as central tells beside the snapshot that is applied next.
    pub(crate) fn hear(&self, told: Vec<ServedNotice>) {
        self.notices().hear(told);
    }

    /// Looks at what was said here and no snapshot knows.
    pub(crate) fn with_chain<T>(&self, look: impl FnOnce(&Chain) -> T) -> T {
        look(&self.chain())
    }

    /// Puts a verified snapshot in the place of the last one, without what was said here that it
    /// knows; says in the log what is not believed of it. The last link that it knows, if that is news.
    pub(crate) fn apply(
        &self,
        snapshot: Snapshot,
        head: &Head,
        (asked, now): (Stamp, Stamp),
        merged: Option<&Merged>,
    ) -> Result<Option<u64>, ApplyError> {
        let mut chain = self.chain();
        let known = chain.known(merged);
        let applied = self.table_mut().apply_under(snapshot, head, asked, &chain.links(known))?;
        // A snapshot that cannot be applied brings no news of the chain either.
        let known = chain.forget(known);
        drop(chain);
        self.note_orders(now);
        tell(&applied);
        tracing::info!(openings = applied.opened, sequence = head.sequence, "grants applied");
        Ok(known)
    }

    /// Takes what held when the last process ended; what needs a head of late waits for one.
    pub(crate) fn restore(&self, snapshot: Snapshot, head: &Head, now: Stamp) -> Result<(), ApplyError> {
        let chain = self.chain();
        let floor = chain.last_said().unwrap_or(head.at);
        let applied = self.table_mut().restore(snapshot, head, floor, &chain.links(0))?;
        drop(chain);
        self.note_orders(now);
        tell(&applied);
        tracing::info!(openings = applied.opened, "what central said last holds on");
        Ok(())
    }

    /// Central is not where it was: closes everything until it is again, or a new era began. What was
    /// believed last, without its grants.
    pub(crate) fn distrust(&self) -> Option<Snapshot> {
        let mut table = self.table_mut();
        let last = table.of_central().cloned();
        table.distrust();
        last.map(|last| Snapshot { grants: Vec::new(), identify_open: false, ..last })
    }

    /// Something was said here and is durable.
    pub(crate) fn say(&self, kept: Kept, now: Stamp) {
        let mut chain = self.chain();
        chain.push(kept);
        let applied = self.table_mut().say(&chain.links(0));
        drop(chain);
        self.note_orders(now);
        if let Some(applied) = applied {
            tell(&applied);
        }
    }

    fn note_orders(&self, now: Stamp) {
        let open: Vec<OrderId> = {
            let table = self.table();
            let grants = table.snapshot().map_or(&[][..], |snapshot| &snapshot.grants);
            grants.iter().filter_map(|grant| grant.order).collect()
        };
        let mut orders = self.orders();
        orders.retain(|order, _| open.contains(order));
        for order in open {
            orders.entry(order).or_insert(now.wall);
        }
    }

    /// Takes a newer head of the same snapshot. The last link that it knows, if that is news.
    pub(crate) fn refresh(
        &self,
        head: &Head,
        asked: Stamp,
        merged: Option<&Merged>,
    ) -> Result<Option<u64>, ApplyError> {
        let mut chain = self.chain();
        let mut table = self.table_mut();
        table.refresh(head, asked)?;
        let known = chain.known(merged);
        if known > 0 {
            table.say(&chain.links(known));
        }
        Ok(chain.forget(known))
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
            notice: self.notices().of(table.rules(), flow, &opened.rests_on),
            recipients,
            recovery: snapshot.recovery,
        })
    }

    /// The asset of an identifier, if it is expected here.
    pub(crate) fn find(&self, identifier: &Identifier) -> Option<AssetId> {
        self.table().find(&self.shared.identity.index(identifier))
    }

    /// How an identifier looks under the controller's identity key.
    pub(crate) fn index(&self, identifier: &Identifier) -> BlindIndex {
        self.shared.identity.index(identifier)
    }

    /// Whose rules these are.
    pub(crate) fn controller(&self) -> &ControllerId {
        &self.shared.controller
    }

    /// The controller's recovery key, if central ever told it.
    pub(crate) fn recovery(&self) -> Option<WrappingKey> {
        self.table().snapshot().map(|snapshot| snapshot.recovery)
    }

    /// Whether a flow that needs an order is open for an asset: its order is not over.
    pub(crate) fn is_in_order(&self, asset: AssetId, now: Stamp) -> bool {
        let rules = Arc::clone(self.table().rules());
        let needs = |flow: &Slug| rules.find(flow).is_some_and(vernport_policy::Flow::needs_order);
        self.open_flows(Some(asset), now).keys().any(|(_, flow)| needs(flow))
    }

    /// The order that is open here for an asset.
    pub(crate) fn order_of(&self, asset: AssetId) -> Option<OrderId> {
        let table = self.table();
        table.snapshot()?.grants.iter().find(|grant| grant.asset == asset)?.order
    }

    /// The vehicle that stands here: the one that was asserted, or the only one that is expected.
    pub(crate) fn only_one(&self) -> Option<AssetId> {
        if let Some(asserted) = self.asserted() {
            return Some(asserted.asset);
        }
        let table = self.table();
        match &table.snapshot()?.grants[..] {
            [grant] => Some(grant.asset),
            _ => None,
        }
    }

    /// The flows that are open now, of one asset or of all.
    pub(crate) fn open_flows(
        &self,
        of: Option<AssetId>,
        now: Stamp,
    ) -> BTreeMap<(AssetId, Slug), LegalBasis> {
        let table = self.table();
        let grants = table.snapshot().map_or(&[][..], |snapshot| &snapshot.grants);
        let mut open = BTreeMap::new();
        for grant in grants.iter().filter(|grant| of.is_none_or(|asset| asset == grant.asset)) {
            let held = grant.flows.iter().filter(|opened| table.standing(opened.id, now) == Standing::Send);
            open.extend(held.map(|opened| ((grant.asset, opened.flow.clone()), opened.basis)));
        }
        open
    }

    /// Why a flow of an asset is closed.
    pub(crate) fn why_closed(&self, asset: AssetId, flow: &Slug) -> Option<Reason> {
        let table = self.table();
        let grant = table.snapshot()?.grants.iter().find(|grant| grant.asset == asset)?;
        grant.closed.iter().rev().find(|(closed, _)| closed == flow).map(|(_, reason)| *reason)
    }

    /// The one asset of an order that is open here.
    pub(crate) fn of_order(&self, order: OrderId) -> Option<AssetId> {
        let table = self.table();
        let mut assets = table.snapshot()?.grants.iter().filter(|grant| grant.order == Some(order));
        let first = assets.next()?;
        assets.next().is_none().then_some(first.asset)
    }
}

/// Says in the log what is not believed.
fn tell(applied: &Applied) {
    if applied.other_bundle {
        tracing::warn!(
            "central computes its grants from another bundle: nothing is open until both have one"
        );
    }
    for (_, wider) in &applied.refused {
        tracing::warn!(error = %wider, "an opening goes beyond the bundle and is not believed");
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

    /// A technician said which of the vehicles with an order stands here; else one order open at this
    /// station says it; two say nothing.
    fn asserted(&self) -> Option<Assertion> {
        let said = self.table().asserted();
        if let Some((asset, made_at)) = said.filter(|(asset, _)| self.order_of(*asset).is_some()) {
            return Some(Assertion { asset, made_at });
        }
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
