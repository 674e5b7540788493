//! Work orders: open until closed, and never past their end.

use super::{
    Facts,
    history::{Book, Filed, Item},
};
use crate::{OrderClosed, OrderOpened, StationRef};
use std::collections::{BTreeSet, HashMap};
use vernport_types::{AssetId, EntryHash, OrderId, UtcMicros};

/// Orders by number, by asset, and by station in the order of their ends.
#[derive(Debug, Clone, Default)]
pub(crate) struct Orders {
    opened: Book<OrderId, OrderOpened>,
    closed: Book<OrderId, ()>,
    by_asset: HashMap<AssetId, BTreeSet<OrderId>>,
    by_station: HashMap<StationRef, BTreeSet<(UtcMicros, OrderId)>>,
}

/// An open order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderFacts {
    /// The order.
    pub id: OrderId,
    /// What was handed in, as the order names it.
    pub assets: Vec<AssetId>,
    /// Where.
    pub station: StationRef,
    /// When it was opened.
    pub opened: UtcMicros,
    /// The first moment at which it is over, if it is not closed before.
    pub expires: UtcMicros,
    /// The entry that opened it.
    pub entry: EntryHash,
}

impl Orders {
    pub(crate) fn open(&mut self, order: &OrderOpened, filed: &Filed) {
        for asset in &order.assets {
            self.by_asset.entry(*asset).or_default().insert(order.order);
        }
        self.by_station.entry(order.station.clone()).or_default().insert((order.expires_at, order.order));
        self.opened.file(order.order, filed.item(order.clone()));
    }

    pub(crate) fn close(&mut self, order: &OrderClosed, filed: &Filed) {
        self.closed.file(order.order, filed.item(()));
    }

    /// What was handed in with an order.
    pub(crate) fn assets_of(&self, order: OrderId) -> impl Iterator<Item = AssetId> {
        self.opened.of(&order).flat_map(|item| item.says.assets.iter().copied())
    }

    pub(crate) fn is_known(&self, order: OrderId) -> bool {
        self.opened.of(&order).next().is_some()
    }
}

impl Facts {
    /// The order that is open for an asset now, at one station or (with none)
    /// anywhere. Of several, the one that was opened last.
    pub fn open_order(
        &self,
        asset: AssetId,
        station: Option<&StationRef>,
        now: UtcMicros,
    ) -> Option<OrderFacts> {
        let members = self.assets.members(asset, &self.voids);
        self.open_items(&members, now)
            .filter(|item| station.is_none_or(|station| item.says.station == *station))
            .max_by_key(|item| item.place())
            .map(order_facts)
    }

    /// The orders that are open at a station now, by their ends.
    pub fn orders_at(&self, station: &StationRef, now: UtcMicros) -> Vec<OrderFacts> {
        let Some(orders) = self.orders.by_station.get(station) else { return Vec::new() };
        let unexpired = orders.range((now.plus_micros(1), OrderId::from_bytes([0; 16]))..);
        unexpired
            .filter_map(|(_, order)| self.open_item(*order, now))
            .filter(|item| item.says.station == *station)
            .map(order_facts)
            .collect()
    }

    /// What is said of the orders that are open now for any of these ids.
    pub(super) fn open_orders(
        &self,
        assets: &[AssetId],
        now: UtcMicros,
    ) -> impl Iterator<Item = &OrderOpened> {
        self.open_items(assets, now).map(|item| &item.says)
    }

    /// When an order ended: closed, or by itself, whichever was first. None if
    /// that did not happen yet, or nobody opened it.
    pub fn order_ended(&self, order: OrderId, now: UtcMicros) -> Option<UtcMicros> {
        let in_force = |item: &&Item<OrderOpened>| self.voids.at(&item.entry).is_none();
        let opened = self.orders.opened.of(&order).filter(in_force).max_by_key(|item| item.place())?;
        let closed = self.orders.closed.of(&order).filter(|item| self.voids.counts(item, now));
        let ended = closed.map(|item| item.occurred).chain([opened.says.expires_at]).min()?;
        (ended <= now).then_some(ended)
    }

    fn open_items(&self, assets: &[AssetId], now: UtcMicros) -> impl Iterator<Item = &Item<OrderOpened>> {
        let orders = assets.iter().flat_map(|asset| self.orders.by_asset.get(asset)).flatten();
        orders
            .filter_map(move |order| self.open_item(*order, now))
            .filter(|item| assets.iter().any(|asset| item.says.assets.contains(asset)))
    }

    /// The opening of an order that is open now. A closing holds for the
    /// number, however the times of the two compare: nothing reopens an order.
    fn open_item(&self, order: OrderId, now: UtcMicros) -> Option<&Item<OrderOpened>> {
        if self.orders.closed.of(&order).any(|item| self.voids.counts(item, now)) {
            return None;
        }
        self.orders
            .opened
            .of(&order)
            .filter(|item| self.voids.counts(item, now) && now < item.says.expires_at)
            .max_by_key(|item| item.place())
    }
}

fn order_facts(item: &Item<OrderOpened>) -> OrderFacts {
    OrderFacts {
        id: item.says.order,
        assets: item.says.assets.clone(),
        station: item.says.station.clone(),
        opened: item.occurred,
        expires: item.says.expires_at,
        entry: item.entry,
    }
}
