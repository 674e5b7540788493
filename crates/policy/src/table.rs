//! The gateway's dense table: which flows are open for which asset, for how long
//! that is believed, and whether a batch of an opening may be sent.
//!
//! Time (invariant 3): the wall clock never counts for less than the floor, which
//! is the latest time that the table has seen; leases run on the boot clock. So a
//! clock set back reopens nothing. Only a fresh signed head lowers the floor.

mod rows;

use crate::{
    Applied, ApplyError, ClosedGrant, FlowGrant, FlowIndex, Grant, GrantId, Head, Rules, SignedLink,
    Snapshot, SourceClass, Standing, Wider, at_station, grant::flow_no_wider, sampler::FirstBytes,
};
pub(crate) use rows::Row;
use rows::{Opened, Rows};
use std::{
    collections::{HashMap, HashSet},
    hash::BuildHasherDefault,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};
use vernport_crypto::BlindIndex;
use vernport_types::{AssetId, BootMicros, Identification, OrderId, Reason, Stamp, TimeQuality, UtcMicros};

/// A map by keys that are random already.
type ByRandom<K, V> = HashMap<K, V, BuildHasherDefault<FirstBytes>>;

/// All that one controller's rules and grants say at one gateway.
///
/// One thread decides at a time: two that decide at once may leave the floor at
/// the earlier of their two times.
#[derive(Debug)]
pub struct Table {
    pub(crate) rules: Arc<Rules>,
    /// By [`Identification`] and [`SourceClass`]: the flows that accept both.
    accepts: [[u128; 3]; 4],
    /// What holds, with what was said at the station.
    snapshot: Option<Snapshot>,
    /// As central computed it, where something was said at the station since.
    central: Option<Snapshot>,
    /// The openings that rest on the station's own word.
    own: HashSet<GrantId>,
    asserted: Option<(AssetId, UtcMicros)>,
    snapshot_hash: [u8; 32],
    /// When the head of the snapshot was signed.
    head_at: UtcMicros,
    rows: Rows,
    standing: ByRandom<GrantId, Place>,
    /// None where two assets have it: then it identifies neither (invariant 6).
    asset_of: ByRandom<BlindIndex, Option<AssetId>>,
    /// Why an asset without a row gets nothing.
    pub(crate) absent: Reason,
    /// The boot clock when the last head was asked for.
    head_boot: BootMicros,
    /// All bits set where that was before this process, so that the head is older than any lease; else 0.
    no_head: u64,
    /// The latest wall clock seen since the last head.
    floor: AtomicI64,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Open(u32),
    Closed(Reason),
}

impl Table {
    /// A table in which nothing is open before the first head.
    pub fn new(rules: Arc<Rules>) -> Self {
        let mut accepts = [[0; 3]; 4];
        for flow in rules.flows() {
            for by_source in &mut accepts[rank(flow.weakest)..] {
                for class in flow.sources.iter() {
                    by_source[class.place()] |= flow.index.bit();
                }
            }
        }
        Self {
            rules,
            accepts,
            snapshot: None,
            central: None,
            own: HashSet::new(),
            asserted: None,
            snapshot_hash: [0; 32],
            head_at: UtcMicros(i64::MIN),
            rows: Rows::default(),
            standing: HashMap::default(),
            asset_of: HashMap::default(),
            absent: Reason::GrantStale,
            head_boot: BootMicros(0),
            no_head: u64::MAX,
            floor: AtomicI64::new(i64::MIN),
        }
    }

    /// The rules.
    pub const fn rules(&self) -> &Arc<Rules> {
        &self.rules
    }

    /// What was applied last.
    pub const fn snapshot(&self) -> Option<&Snapshot> {
        self.snapshot.as_ref()
    }

    /// The vehicle that a technician said stands here, and when.
    pub const fn asserted(&self) -> Option<(AssetId, UtcMicros)> {
        self.asserted
    }

    /// Puts a snapshot in the place of the last one. `head` was verified and names it;
    /// `asked` is when it was asked for: it is no older, however long its answer lay about here. Closings count
    /// at once; openings only as far as the bundle here allows them.
    ///
    /// # Errors
    /// [`ApplyError`] for a snapshot of another controller or head, or one that contradicts itself.
    pub fn apply(&mut self, snapshot: Snapshot, head: &Head, asked: Stamp) -> Result<Applied, ApplyError> {
        self.apply_under(snapshot, head, asked, &[])
    }

    /// The same where something was said at the station: `links` are all that the snapshot does
    /// not know, in their order.
    ///
    /// # Errors
    /// As for [`Self::apply`].
    pub fn apply_under(
        &mut self,
        snapshot: Snapshot,
        head: &Head,
        asked: Stamp,
        links: &[SignedLink],
    ) -> Result<Applied, ApplyError> {
        let applied = self.take(snapshot, head, links)?;
        self.believe(head, asked);
        Ok(applied)
    }

    /// Takes the snapshot that held when this process began, as it was kept. What needs a head
    /// of late waits for one; no time counts for less than `floor`.
    ///
    /// # Errors
    /// As for [`Self::apply`].
    pub fn restore(
        &mut self,
        snapshot: Snapshot,
        head: &Head,
        floor: UtcMicros,
        links: &[SignedLink],
    ) -> Result<Applied, ApplyError> {
        let applied = self.take(snapshot, head, links)?;
        self.no_head = u64::MAX;
        *self.floor.get_mut() = floor.max(head.at).0;
        Ok(applied)
    }

    /// Central is not where it was: nothing is open until another snapshot is applied. What was
    /// closed stays closed as it was, what was open waits.
    pub fn distrust(&mut self) {
        (self.snapshot, self.central) = (None, None);
        self.snapshot_hash = [0; 32];
        self.own.clear();
        self.asserted = None;
        self.rows.clear();
        self.asset_of.clear();
        for place in self.standing.values_mut() {
            if let Place::Open(_) = place {
                *place = Place::Closed(Reason::GrantStale);
            }
        }
        self.absent = Reason::GrantStale;
    }

    /// Something was said at the station: `links` are all that the snapshot does not know.
    /// None if no snapshot came yet, so that nothing is open anyway.
    pub fn say(&mut self, links: &[SignedLink]) -> Option<Applied> {
        let central = self.central.take().or_else(|| self.snapshot.take())?;
        Some(self.lay(central, links))
    }

    /// As central computed it, if it ever did.
    pub fn of_central(&self) -> Option<&Snapshot> {
        self.central.as_ref().or(self.snapshot.as_ref())
    }

    fn take(&mut self, snapshot: Snapshot, head: &Head, links: &[SignedLink]) -> Result<Applied, ApplyError> {
        if snapshot.controller != *self.rules.controller() {
            let expected = self.rules.controller().clone();
            return Err(ApplyError::Controller { found: snapshot.controller, expected });
        }
        if snapshot.hash() != head.snapshot_hash {
            return Err(ApplyError::OtherSnapshot);
        }
        let assets: HashSet<AssetId> = snapshot.grants.iter().map(|grant| grant.asset).collect();
        if assets.len() < snapshot.grants.len() {
            return Err(ApplyError::AssetTwice);
        }
        self.snapshot_hash = head.snapshot_hash;
        self.head_at = head.at;
        Ok(self.lay(snapshot, links))
    }

    /// Makes a snapshot of central, with what was said here, the one that holds.
    fn lay(&mut self, central: Snapshot, links: &[SignedLink]) -> Applied {
        let other_bundle = central.bundle_hash != self.rules.hash();
        let snapshot = if links.is_empty() {
            self.central = None;
            self.own.clear();
            central
        } else {
            let here = at_station(&self.rules, &central, links, self.head_at, self.asserted);
            (self.central, self.asserted) = (Some(central), here.asserted);
            self.own = here.own;
            here.snapshot
        };
        self.rows.clear();
        self.standing.clear();
        self.asset_of.clear();
        self.absent = if other_bundle { Reason::NoBundle } else { Reason::NoGrant };
        let closed = |grant: &ClosedGrant| (grant.id, Place::Closed(grant.reason));
        self.standing.extend(snapshot.closed.iter().map(closed));
        let mut refused = Vec::new();
        for (place, grant) in snapshot.grants.iter().enumerate() {
            for identifier in &grant.identifiers {
                let holder = self.asset_of.entry(*identifier).or_insert(Some(grant.asset));
                if *holder != Some(grant.asset) {
                    *holder = None;
                }
            }
            if !other_bundle {
                self.open_row(place, grant, self.head_at, &mut refused);
            }
        }
        self.snapshot = Some(snapshot);
        Applied { opened: self.rows.open_count(), refused, other_bundle }
    }

    /// Takes a newer head of the same snapshot.
    ///
    /// # Errors
    /// [`ApplyError::OtherSnapshot`] if it names another one, or none was applied.
    pub fn refresh(&mut self, head: &Head, asked: Stamp) -> Result<(), ApplyError> {
        if self.snapshot.is_none() || head.snapshot_hash != self.snapshot_hash {
            return Err(ApplyError::OtherSnapshot);
        }
        self.believe(head, asked);
        Ok(())
    }

    fn believe(&mut self, head: &Head, asked: Stamp) {
        (self.head_boot, self.no_head) = (asked.boot, 0);
        *self.floor.get_mut() = head.at.0;
    }

    fn open_row(
        &mut self,
        place: usize,
        grant: &Grant,
        head_at: UtcMicros,
        refused: &mut Vec<(AssetId, Wider)>,
    ) {
        let rules = Arc::clone(&self.rules);
        self.rows.begin(grant.asset, grant.order);
        for flow in rules.flows() {
            let said = grant.closed.iter().find(|(closed, _)| *closed == flow.slug);
            let opened = grant.flows.iter().position(|opened| opened.flow == flow.slug);
            let reason = match (said, opened.map(|n| (n, &grant.flows[n]))) {
                // What is closed and open at once is closed.
                (Some((_, reason)), _) => *reason,
                (None, None) => Reason::NoGrant,
                (None, Some((n, opened))) => match flow_no_wider(grant, opened, &rules, head_at) {
                    Err(wider) => {
                        refused.push((grant.asset, wider));
                        Reason::RuleBroken
                    }
                    Ok(()) => match self.standing.get(&opened.id) {
                        Some(Place::Closed(reason)) => *reason,
                        _ => {
                            let own = self.own.contains(&opened.id);
                            let slot = self.rows.open(
                                flow.index,
                                own,
                                opened.believe.lease_seconds,
                                Opened::new(opened, (place, n)),
                            );
                            self.standing.insert(opened.id, Place::Open(slot));
                            Reason::NoGrant
                        }
                    },
                },
            };
            self.rows.close(reason);
        }
        let unknown = grant.flows.iter().filter(|opened| rules.find(&opened.flow).is_none());
        let wider = |opened: &FlowGrant| (grant.asset, Wider::UnknownFlow { flow: opened.flow.clone() });
        refused.extend(unknown.map(wider));
    }

    /// The asset of an identifier, where central named it to this gateway.
    pub fn find(&self, identifier: &BlindIndex) -> Option<AssetId> {
        self.asset_of.get(identifier).copied().flatten()
    }

    /// An opening of the snapshot, and the grant that it stands in.
    pub fn opening(&self, id: GrantId) -> Option<(&Grant, &FlowGrant)> {
        let Place::Open(opened) = self.standing.get(&id)? else { return None };
        let opened = self.rows.slot(*opened);
        let grant = &self.snapshot.as_ref()?.grants[opened.grant as usize];
        Some((grant, &grant.flows[opened.place as usize]))
    }

    /// Whether a batch of an opening may be sent now.
    pub fn standing(&self, id: GrantId, now: Stamp) -> Standing {
        self.see(now);
        match self.standing.get(&id) {
            None => Standing::Park(Reason::GrantStale),
            Some(Place::Closed(reason)) => Standing::after(*reason),
            Some(Place::Open(opened)) => match self.why_over(self.rows.slot(*opened), now) {
                None => Standing::Send,
                Some(reason) => Standing::after(reason),
            },
        }
    }

    #[inline]
    pub(crate) fn row(&self, asset: AssetId) -> Option<Row<'_>> {
        self.rows.find(asset)
    }

    /// The row that was asked for last, if it is of this asset.
    #[inline]
    pub(crate) fn last_row(&self, asset: AssetId) -> Option<Row<'_>> {
        self.rows.last(asset)
    }

    /// The time that counts: the wall clock, but never below the latest that was seen.
    pub fn time(&self, now: Stamp) -> UtcMicros {
        self.wall(now)
    }

    /// Whether no open flow of a row can be over yet: one question instead of one for each.
    #[inline]
    pub(crate) fn all_in_force(&self, row: Row<'_>, now: Stamp) -> bool {
        now.quality != TimeQuality::Unset
            && self.wall(now) < row.earliest_end()
            && self.head_age_micros(now) <= row.shortest_lease_micros()
    }

    /// The open flows of a row that are in force now, at least as far as they are among those `asked` for.
    #[inline]
    pub(crate) fn in_force(&self, row: Row<'_>, asked: u128, now: Stamp) -> u128 {
        if self.all_in_force(row, now) { row.open() } else { self.still_in_force(row, asked, now) }
    }

    /// The same where some opening of the row may be over: each that is asked for is looked at.
    #[inline(never)]
    fn still_in_force(&self, row: Row<'_>, asked: u128, now: Stamp) -> u128 {
        let mut live = 0;
        let mut rest = row.open() & asked;
        while rest != 0 {
            let flow = FlowIndex::first_of(rest);
            if self.why_over(self.opened_of(row, flow), now).is_none() {
                live |= flow.bit();
            }
            rest &= rest - 1;
        }
        live
    }

    /// The flows that take what was recognised in this way and comes from there.
    #[inline]
    pub(crate) const fn accepted(&self, by: Identification, from: SourceClass) -> u128 {
        self.accepts[rank(by)][from.place()]
    }

    pub(crate) fn why_closed(&self, row: Row<'_>, flow: FlowIndex, now: Stamp) -> Reason {
        if row.open() & flow.bit() == 0 {
            return self.rows.reason(row, flow);
        }
        self.why_over(self.opened_of(row, flow), now).unwrap_or(Reason::NoGrant)
    }

    fn why_over(&self, opened: &Opened, now: Stamp) -> Option<Reason> {
        if now.quality == TimeQuality::Unset {
            Some(Reason::ClockUntrusted)
        } else if opened.until <= self.wall(now) {
            Some(opened.ends_as)
        } else if self.head_age_micros(now) > opened.lease_micros {
            Some(Reason::GrantStale)
        } else {
            None
        }
    }

    /// The opening of a flow that is open for a row.
    #[inline]
    pub(crate) fn opened_of(&self, row: Row<'_>, flow: FlowIndex) -> &Opened {
        self.rows.opened(row, flow)
    }

    /// The order that a row is of, if any.
    pub(crate) fn order_of(&self, row: Row<'_>) -> Option<OrderId> {
        self.rows.order(row)
    }

    /// Looks at the clock where nothing else does: what it shows counts as seen, whatever
    /// was asked, so that a clock set back reopens nothing.
    pub(crate) fn see(&self, now: Stamp) {
        if now.quality != TimeQuality::Unset {
            self.wall(now);
        }
    }

    /// The wall clock, never below the latest that was seen.
    #[inline]
    pub(crate) fn wall(&self, now: Stamp) -> UtcMicros {
        let floor = self.floor.load(Ordering::Relaxed);
        if now.wall.0 > floor {
            self.floor.store(now.wall.0, Ordering::Relaxed);
            now.wall
        } else {
            UtcMicros(floor)
        }
    }

    fn head_age_micros(&self, now: Stamp) -> u64 {
        now.boot.0.saturating_sub(self.head_boot.0) | self.no_head
    }
}

/// The place of an identification among the four, weakest first.
pub(crate) const fn rank(identification: Identification) -> usize {
    match identification {
        Identification::Pinned => 0,
        Identification::Tool => 1,
        Identification::Asserted => 2,
        Identification::BusVin => 3,
    }
}
