//! What holds at a station that has said something central does not know yet: the
//! snapshot, less what the station closed, and what it may open by itself.
//!
//! Promises:
//! - What is said at the station closes at once, and nothing that is said there
//!   afterwards opens it again: that takes a snapshot that knows of it.
//! - The one thing that opens is an order, and it opens only flows on a contract that
//!   the bundle marks `offline`, which go to the store alone and name no person; not those that
//!   the snapshot closes for anything else than a missing order.
//! - A flow opened here ends with its order, and takes no identification weaker than a
//!   technician's assertion.
//! - Pure: a function of rules, snapshot and links.

mod link;

pub use link::{
    Link, LinkError, MAX_STATION_ORDER_SECONDS, Merged, SignedLink, SignedMerged, StationOpening, Tip,
};

use crate::{
    Believe, ClosedGrant, Flow, FlowGrant, Grant, GrantId, Opening, Rules, Snapshot, Tables, Window,
    grants::Asked, head::MAX_BELIEF_SECONDS,
};
use std::collections::{HashMap, HashSet};
use vernport_registry::{Event, Facts, OrderOpened, StationRef, WithdrawalScope};
use vernport_types::{AssetId, EntryHash, Fate, LegalBasis, OrderId, Reason, Slug, UtcMicros, VehicleAlias};

/// What holds at a station.
#[derive(Debug, Clone)]
pub struct AtStation {
    /// The snapshot with what was said here.
    pub snapshot: Snapshot,
    /// The openings that rest on the station's own word.
    pub own: HashSet<GrantId>,
    /// The vehicle that a technician said stands here, and when.
    pub asserted: Option<(AssetId, UtcMicros)>,
}

/// What holds when `links` were said here since central computed `snapshot`, whose head was
/// signed at `head_at`. `asserted` is what a technician said before.
pub fn at_station(
    rules: &Rules,
    snapshot: &Snapshot,
    links: &[SignedLink],
    head_at: UtcMicros,
    asserted: Option<(AssetId, UtcMicros)>,
) -> AtStation {
    let mut overlay = Overlay { asserted, ..Overlay::new(rules, snapshot, head_at) };
    for signed in links {
        overlay.say(&signed.link);
    }
    AtStation { snapshot: overlay.snapshot, own: overlay.own, asserted: overlay.asserted }
}

/// The flows that an order opens at a station, said at `at`, where `held` holds already
/// (as [`at_station`] gives it); and why the others that the bundle marks do not open.
pub fn opens_offline<'a>(
    rules: &'a Rules,
    held: &'a Snapshot,
    asset: AssetId,
    at: UtcMicros,
) -> impl Iterator<Item = (&'a Flow, Result<(), Reason>)> {
    let grant = held.grants.iter().find(move |grant| grant.asset == asset);
    let marked = rules.flows().iter().filter(|flow| is_offline(flow));
    marked.map(move |flow| (flow, may_open(rules, held, grant, flow, at)))
}

/// Whether a station alone may ever open a flow: a contract whose party is whoever handed the
/// vehicle in, for the store, while an order is open.
fn is_offline(flow: &Flow) -> bool {
    flow.offline
        && flow.basis == LegalBasis::Contract
        && flow.window == Window::Order
        && flow.deliver.store
        && flow.deliver.topic.is_none()
        && flow.roles.is_empty()
}

fn may_open(
    rules: &Rules,
    held: &Snapshot,
    grant: Option<&Grant>,
    flow: &Flow,
    at: UtcMicros,
) -> Result<(), Reason> {
    if held.bundle_hash != rules.hash() {
        return Err(Reason::NoBundle);
    }
    rules.recipient(&flow.recipient).ok_or(Reason::AgreementMissing)?.allowed(at)?;
    if held.keys_for(&flow.recipient, &flow.purpose).next().is_none() {
        return Err(Reason::RecipientKeyMissing);
    }
    let said =
        |grant: &Grant| grant.closed.iter().find(|(closed, _)| *closed == flow.slug).map(|(_, why)| *why);
    if let Some(reason) = held.grants.iter().filter_map(said).find(|reason| closes_everywhere(*reason)) {
        return Err(reason);
    }
    let Some(grant) = grant else { return Ok(()) };
    if grant.flows.iter().any(|opened| opened.flow == flow.slug && at < opened.believe.until) {
        // Open already: nothing is to be opened.
        return Err(Reason::NoGrant);
    }
    match said(grant) {
        None | Some(Reason::OrderNotOpen) => Ok(()),
        Some(reason) => Err(reason),
    }
}

/// Reasons that do not come from the vehicle: what closes a flow for one, closes it for all.
const fn closes_everywhere(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::NoBundle
            | Reason::NoticeNotServed
            | Reason::CategoryNotInNotice
            | Reason::AgreementMissing
            | Reason::TransferNotAllowed
            | Reason::RecipientKeyMissing
            | Reason::RuleBroken
    )
}

/// A snapshot on which links are laid, one after the other.
struct Overlay<'a> {
    rules: &'a Rules,
    head_at: UtcMicros,
    snapshot: Snapshot,
    /// Of which asset and on what basis each opening is, also when it is closed by now.
    known: HashMap<GrantId, (AssetId, LegalBasis)>,
    /// The assets that central named.
    named: HashSet<AssetId>,
    own: HashSet<GrantId>,
    asserted: Option<(AssetId, UtcMicros)>,
}

impl<'a> Overlay<'a> {
    fn new(rules: &'a Rules, snapshot: &Snapshot, head_at: UtcMicros) -> Self {
        let openings = |grant: &Grant| {
            let asset = grant.asset;
            grant.flows.iter().map(move |opened| (opened.id, (asset, opened.basis))).collect::<Vec<_>>()
        };
        Self {
            rules,
            head_at,
            known: snapshot.grants.iter().flat_map(openings).collect(),
            named: snapshot.grants.iter().map(|grant| grant.asset).collect(),
            snapshot: snapshot.clone(),
            own: HashSet::new(),
            asserted: None,
        }
    }

    fn say(&mut self, link: &Link) {
        match &link.entry.event {
            Event::OrderOpened(order) => {
                if let [asset] = order.assets[..] {
                    self.order(link, order, asset);
                }
            }
            Event::OrderClosed(closed) => self.close_order(closed.order),
            Event::ConsentWithdrawn(withdrawal) => match withdrawal.scope {
                WithdrawalScope::Asset(asset) => self.withdraw(Some(asset)),
                WithdrawalScope::Receipt(_) | WithdrawalScope::Subject { .. } => self.withdraw(None),
            },
            Event::PrivateModeStarted(private) => self.private(private.asset),
            Event::AssetIdentified(identified) => {
                if !self.named.contains(&identified.asset) {
                    let grant = self.grant(identified.asset);
                    if !grant.identifiers.contains(&identified.index) {
                        grant.identifiers.push(identified.index);
                    }
                }
                if link.stands_here {
                    self.asserted = Some((identified.asset, link.said_at()));
                }
            }
            // To switch private mode off opens, so it waits for central.
            _ => {}
        }
    }

    /// The grant of an asset; one that central did not name gets an empty one.
    fn grant(&mut self, asset: AssetId) -> &mut Grant {
        let grants = &mut self.snapshot.grants;
        let place = grants.iter().position(|grant| grant.asset == asset).unwrap_or_else(|| {
            let (identifiers, flows, closed) = (Vec::new(), Vec::new(), Vec::new());
            grants.push(Grant { asset, identifiers, order: None, flows, closed });
            grants.len() - 1
        });
        &mut grants[place]
    }

    fn order(&mut self, link: &Link, order: &OrderOpened, asset: AssetId) {
        let (rules, at) = (self.rules, link.said_at());
        self.grant(asset).order = Some(order.order);
        let last = self.head_at.plus_seconds(MAX_BELIEF_SECONDS);
        let entry = link.entry.hash();
        for opening in &link.openings {
            let Some(flow) = rules.find(&opening.flow).filter(|flow| is_offline(flow)) else { continue };
            let held = self.snapshot.grants.iter().find(|grant| grant.asset == asset);
            let fresh = !self.known.contains_key(&opening.grant);
            if !fresh || may_open(rules, &self.snapshot, held, flow, at).is_err() {
                continue;
            }
            let mut believe = Believe {
                lease_seconds: flow.lease_seconds,
                until: order.expires_at.min(last),
                ends_as: Reason::OrderNotOpen,
            };
            let ends = rules.recipient(&flow.recipient).and_then(|recipient| recipient.ends());
            if let Some((until, reason)) = ends.filter(|(until, _)| *until < believe.until) {
                (believe.until, believe.ends_as) = (until, reason);
            }
            // One that ended by itself stands in the way no longer.
            let over = held.into_iter().flat_map(|grant| &grant.flows).find(|over| over.flow == flow.slug);
            if let Some(over) = over.map(|over| over.id) {
                self.close_grant(over, Reason::OrderNotOpen);
            }
            self.known.insert(opening.grant, (asset, flow.basis));
            self.own.insert(opening.grant);
            let grant = self.grant(asset);
            grant.closed.retain(|(closed, _)| *closed != flow.slug);
            grant.flows.push(FlowGrant {
                flow: flow.slug.clone(),
                id: opening.grant,
                basis: flow.basis,
                believe,
                alias: opening.alias,
                rests_on: vec![entry],
            });
        }
        // Whoever waits for a vehicle may ask it who it is.
        self.snapshot.identify_open |= !rules.identify().is_empty();
    }

    fn close_order(&mut self, order: OrderId) {
        let of_order = |grant: &&mut Grant| grant.order == Some(order);
        let mut assets = Vec::new();
        for grant in self.snapshot.grants.iter_mut().filter(of_order) {
            grant.order = None;
            assets.push(grant.asset);
        }
        for asset in assets {
            self.close(asset, Reason::OrderNotOpen, |_| true);
            self.asserted = self.asserted.filter(|(asserted, _)| *asserted != asset);
        }
    }

    /// With an asset: its consents are gone. Without: somebody's are, and only central knows
    /// whose, so all of them wait. Batches of openings that are over may be concerned too.
    fn withdraw(&mut self, asset: Option<AssetId>) {
        let consents: Vec<GrantId> = self
            .known
            .iter()
            .filter(|(_, (of, basis))| {
                *basis == LegalBasis::Consent && asset.is_none_or(|asset| asset == *of)
            })
            .map(|(id, _)| *id)
            .collect();
        let reason = if asset.is_some() { Reason::ConsentWithdrawn } else { Reason::GrantStale };
        for id in consents {
            self.close_grant(id, reason);
        }
        let known = &self.known;
        let unknown = self.snapshot.closed.iter_mut().filter(|closed| !known.contains_key(&closed.id));
        for closed in unknown.filter(|closed| closed.reason.fate() == Fate::Send) {
            closed.reason = Reason::GrantStale;
        }
    }

    fn private(&mut self, asset: AssetId) {
        let rules = self.rules;
        self.close(asset, Reason::PrivateMode, |flow| flow.private_mode);
        // Nor does an order that is opened later open them.
        let grant = self.grant(asset);
        for flow in rules.flows().iter().filter(|flow| flow.private_mode) {
            match grant.closed.iter_mut().find(|(closed, _)| *closed == flow.slug) {
                Some((_, reason)) if *reason == Reason::OrderNotOpen => *reason = Reason::PrivateMode,
                Some(_) => {}
                None => grant.closed.push((flow.slug.clone(), Reason::PrivateMode)),
            }
        }
    }

    /// Closes the open flows of an asset that `which` names; a flow that no rule knows, too.
    fn close(&mut self, asset: AssetId, reason: Reason, which: impl Fn(&Flow) -> bool) {
        let rules = self.rules;
        let of_asset = self.snapshot.grants.iter().filter(|grant| grant.asset == asset);
        let open = of_asset.flat_map(|grant| &grant.flows);
        let ids: Vec<GrantId> = open
            .filter(|opened| rules.find(&opened.flow).is_none_or(&which))
            .map(|opened| opened.id)
            .collect();
        for id in ids {
            self.close_grant(id, reason);
        }
    }

    /// Closes one opening. What closed before for a reason that holds its batches back more stays so.
    fn close_grant(&mut self, id: GrantId, reason: Reason) {
        for grant in &mut self.snapshot.grants {
            if let Some(place) = grant.flows.iter().position(|opened| opened.id == id) {
                let opened = grant.flows.remove(place);
                grant.closed.push((opened.flow, reason));
            }
        }
        match self.snapshot.closed.iter_mut().find(|closed| closed.id == id) {
            Some(closed) if strength(closed.reason) < strength(reason) => closed.reason = reason,
            Some(_) => {}
            None => self.snapshot.closed.push(ClosedGrant { id, reason }),
        }
    }
}

/// How much a reason holds batches back.
const fn strength(reason: Reason) -> u8 {
    match reason.fate() {
        Fate::Send => 0,
        Fate::Park => 1,
        Fate::Destroy => 2,
    }
}

/// A station's opening, as central sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// What it rests on.
    pub opening: Opening,
    /// Why it should not have been opened: none of its batches may go on.
    pub over: Option<Reason>,
    /// In which calendar year its alias counts; none where central would not have opened it.
    pub year: Option<i16>,
}

/// Judges a station's opening by central's own rules, where its order is in the ledger by now.
/// None if no rule of the bundle has its flow.
///
/// `opened` is the entry of the order, `at` the station, `now` the time from which the order counts.
pub fn judge_opening(
    facts: &Facts,
    rules: &Rules,
    at: &StationRef,
    (order, opened): (&OrderOpened, EntryHash),
    opening: &StationOpening,
    now: UtcMicros,
) -> Option<Judged> {
    let asset = facts.canonical_asset(*order.assets.first()?);
    let flow = rules.find(&opening.flow)?;
    let mut kept = Kept { id: opening.grant, alias: opening.alias, opening: None, year: None };
    let judged = Asked { facts, rules, at, asset, now }.open(flow, &mut kept);
    let over = match judged {
        _ if !is_offline(flow) => Some(Reason::NoGrant),
        Ok(_) => None,
        // A private trip that the station did not know of.
        Err(Reason::PrivateMode) => Some(Reason::NoGrant),
        Err(reason) => (reason.fate() == Fate::Destroy).then_some(reason),
    };
    let mut rests = kept.opening.unwrap_or_else(|| Opening {
        asset,
        flow: flow.slug.clone(),
        purpose: flow.purpose.clone(),
        recipient: flow.recipient.clone(),
        basis: flow.basis,
        categories: flow.categories.clone(),
        order: Some(order.order),
        alias: opening.alias,
        subjects: Vec::new(),
        consent_of: Vec::new(),
        rests_on: Vec::new(),
        erasures: Vec::new(),
    });
    if !rests.rests_on.contains(&opened) {
        rests.rests_on.push(opened);
    }
    Some(Judged { opening: rests, over, year: kept.year.filter(|_| over.is_none()) })
}

/// Gives back what the gateway drew, and keeps what it stands for.
struct Kept {
    id: GrantId,
    alias: VehicleAlias,
    opening: Option<Opening>,
    year: Option<i16>,
}

impl Tables for Kept {
    fn grant_id(&mut self, opening: &Opening) -> GrantId {
        self.opening = Some(opening.clone());
        self.id
    }

    fn alias(&mut self, _: AssetId, _: &Slug, _: &Slug, year: i16) -> VehicleAlias {
        self.year = Some(year);
        self.alias
    }
}
