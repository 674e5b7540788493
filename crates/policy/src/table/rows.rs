//! The rows of the table: one line for each asset, and its openings and reasons.
//!
//! All that most questions need lies in one cache line, and an opening in another.

use super::ByRandom;
use crate::{Believe, FlowGrant, FlowIndex, GrantId};
use std::sync::atomic::{AtomicU32, Ordering};
use vernport_types::{AssetId, Identification, OrderId, Reason, UtcMicros, VehicleAlias};

/// One asset, as it is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'t> {
    line: &'t Line,
    place: usize,
}

impl Row<'_> {
    /// The flows that are open, in force or not.
    #[inline]
    pub(crate) const fn open(self) -> u128 {
        self.line.open[1]
    }

    /// Of the open flows those that take such an identification for this asset at all.
    #[inline]
    pub(crate) fn open_to(self, by: Identification) -> u128 {
        self.line.open[usize::from(by >= Identification::Asserted)]
    }

    /// Before this no opening of the row ends by itself.
    #[inline]
    pub(super) const fn earliest_end(self) -> UtcMicros {
        self.line.earliest_end
    }

    /// Up to this age of the head no opening of the row is stale.
    #[inline]
    pub(super) const fn shortest_lease_micros(self) -> u64 {
        // Where there is no lease this is 136 years: who is older is asked opening by opening.
        self.line.shortest_lease_seconds as u64 * 1_000_000
    }
}

/// What is kept of one asset: 64 bytes.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
struct Line {
    asset: AssetId,
    /// The open flows: first without those that rest on the station's own word, which takes nothing
    /// weaker than itself; then all.
    open: [u128; 2],
    earliest_end: UtcMicros,
    shortest_lease_seconds: u32,
    /// Where in `Rows::opened` the opening of flow 0 would be; wraps where that is before the first.
    origin: u32,
}

const _: () = assert!(size_of::<Line>() == 64 && size_of::<Opened>() == 64);

/// One open flow of one asset.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub(crate) struct Opened {
    pub(crate) id: GrantId,
    pub(crate) alias: VehicleAlias,
    pub(super) until: UtcMicros,
    pub(super) lease_micros: u64,
    pub(super) ends_as: Reason,
    /// Where it stands in the snapshot.
    pub(super) grant: u32,
    pub(super) place: u32,
}

impl Opened {
    /// What lies between two openings where a flow is not open: over since ever, asked for by nobody.
    const NEVER: Self = Self {
        id: GrantId::from_bytes([0; 16]),
        alias: VehicleAlias::from_bytes([0; 16]),
        until: UtcMicros(i64::MIN),
        lease_micros: 0,
        ends_as: Reason::NoGrant,
        grant: 0,
        place: 0,
    };

    /// An opening of a snapshot, with the places of its grant and of itself in that.
    pub(super) fn new(opened: &FlowGrant, (grant, place): (usize, usize)) -> Self {
        let Believe { lease_seconds, until, ends_as } = opened.believe;
        let lease_micros = lease_seconds.map_or(u64::MAX, |seconds| u64::from(seconds) * 1_000_000);
        let (id, alias) = (opened.id, opened.alias);
        Self { id, alias, until, lease_micros, ends_as, grant: narrow(grant), place: narrow(place) }
    }
}

/// All rows.
#[derive(Debug, Default)]
pub(super) struct Rows {
    lines: Vec<Line>,
    place_of: ByRandom<AssetId, u32>,
    /// The row that was asked for last: readings come in runs of one asset.
    last: AtomicU32,
    /// Row by row from its first open flow to its last, one for each flow between them: where a flow
    /// lies is an addition, and a closed flow in between costs 64 bytes. A snapshot that lists why
    /// that flow is closed takes about as much for it.
    opened: Vec<Opened>,
    open_count: usize,
    /// For each row and each flow.
    closed: Vec<Reason>,
    /// For each row.
    orders: Vec<Option<OrderId>>,
}

impl Rows {
    pub(super) fn clear(&mut self) {
        self.lines.clear();
        self.place_of.clear();
        self.opened.clear();
        self.open_count = 0;
        self.closed.clear();
        self.orders.clear();
    }

    /// Begins a row. What is opened and closed next is of it, flow by flow in their order.
    pub(super) fn begin(&mut self, asset: AssetId, order: Option<OrderId>) {
        self.place_of.insert(asset, narrow(self.lines.len()));
        self.orders.push(order);
        self.lines.push(Line {
            asset,
            open: [0; 2],
            earliest_end: UtcMicros(i64::MAX),
            shortest_lease_seconds: u32::MAX,
            origin: 0,
        });
    }

    /// Opens a flow of the row begun last; `own` if that rests on the station's own word.
    /// Gives the place of the opening.
    ///
    /// # Panics
    /// If no row was begun.
    pub(super) fn open(&mut self, flow: FlowIndex, own: bool, lease: Option<u32>, opened: Opened) -> u32 {
        let line = self.lines.last_mut().expect("a row was begun");
        let end = narrow(self.opened.len());
        if line.open[1] == 0 {
            line.origin = end.wrapping_sub(u32::from(flow.0));
        }
        line.open[1] |= flow.bit();
        if !own {
            line.open[0] |= flow.bit();
        }
        line.earliest_end = line.earliest_end.min(opened.until);
        line.shortest_lease_seconds = line.shortest_lease_seconds.min(lease.unwrap_or(u32::MAX));
        let slot = line.origin.wrapping_add(u32::from(flow.0));
        self.opened.resize(slot as usize, Opened::NEVER);
        self.opened.push(opened);
        self.open_count += 1;
        slot
    }

    /// Says why the next flow of the row is closed; of an open one it says nothing.
    pub(super) fn close(&mut self, reason: Reason) {
        self.closed.push(reason);
    }

    pub(super) const fn open_count(&self) -> usize {
        self.open_count
    }

    /// The row that was asked for last, if it is of this asset.
    #[inline]
    pub(super) fn last(&self, asset: AssetId) -> Option<Row<'_>> {
        let place = self.last.load(Ordering::Relaxed) as usize;
        let line = self.lines.get(place)?;
        (line.asset == asset).then_some(Row { line, place })
    }

    #[inline]
    pub(super) fn find(&self, asset: AssetId) -> Option<Row<'_>> {
        self.last(asset).or_else(|| self.find_another(&asset))
    }

    /// Apart, so that a run of one asset does not pay for the registers that a search needs.
    #[inline(never)]
    fn find_another(&self, asset: &AssetId) -> Option<Row<'_>> {
        let place = *self.place_of.get(asset)?;
        self.last.store(place, Ordering::Relaxed);
        let place = place as usize;
        Some(Row { line: &self.lines[place], place })
    }

    /// The opening of a flow that is open for a row.
    #[inline]
    pub(super) fn opened(&self, row: Row<'_>, flow: FlowIndex) -> &Opened {
        self.slot(row.line.origin.wrapping_add(u32::from(flow.0)))
    }

    #[inline]
    pub(super) fn slot(&self, place: u32) -> &Opened {
        &self.opened[place as usize]
    }

    /// Why a flow is closed for a row.
    pub(super) fn reason(&self, row: Row<'_>, flow: FlowIndex) -> Reason {
        let flows = self.closed.len() / self.lines.len();
        self.closed[row.place * flows + flow.place()]
    }

    pub(super) fn order(&self, row: Row<'_>) -> Option<OrderId> {
        self.orders[row.place]
    }
}

/// A place in a table of a snapshot.
fn narrow(place: usize) -> u32 {
    u32::try_from(place).expect("a snapshot is smaller than 4 GiB")
}
