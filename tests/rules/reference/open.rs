//! Whether a flow is open for an asset, for how long that is believed, and what it rests on.

use super::consent::{Wanted, consented};
use super::ledger::the_asset;
use super::people::{everybody, people};
use super::places::{carries_gateway, has_key, open_order, served};
use super::rights::{erasures, is_private, objected, restricted};
use super::{
    Asset, Basis, DAY, EntryId, Fault, Flow, Known, Micros, Name, Notice, Person, Recipient, Role, Window,
    calendar,
};

/// A flow that was opened for an asset: the state of things that note 0004 calls a grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Opening {
    /// When it was first told.
    pub(crate) at: Micros,
    pub(crate) asset: Asset,
    pub(crate) flow: Name,
    pub(crate) order: Option<u32>,
    /// Everybody linked, with their roles.
    pub(crate) people: Vec<(Role, Person)>,
    /// The entries that it rests on.
    pub(crate) rests_on: Vec<EntryId>,
    /// The last orders to erase that came before it.
    pub(crate) erasures: Vec<EntryId>,
    /// The calendar year, by which names change.
    pub(crate) year: i64,
    /// Believed for so long after a head.
    pub(crate) lease: Option<Micros>,
    /// Believed until, and why not from then on.
    pub(crate) until: (Micros, Name),
}

impl Opening {
    /// Note 0004: what makes it another opening. How long it is believed does not.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let same = |opening: &Self| Self { at: 0, lease: None, until: (0, ""), ..opening.clone() };
        same(self) == same(other)
    }
}

/// Design 6, *Grants*: the assets that a station may meet, by the ids that stand: those with an
/// order open there, and those that carry a gateway enrolled there.
pub(crate) fn is_known_asset(known: &Known<'_>, asset: Asset, station: Name, now: Micros) -> bool {
    the_asset(known, asset) == asset
        && (open_order(known, asset, station, now).is_some() || carries_gateway(known, asset, station, now))
}

/// Design 3.1 and 6, note 0008: whether a flow is open for an asset that the station may
/// meet; else the first of the reasons in the order of note 0008.
pub(crate) fn open(
    known: &Known<'_>,
    flow: &Flow,
    asset: Asset,
    station: Name,
    now: Micros,
) -> Result<Opening, Name> {
    let mut ends = vec![believed_at_most(now)];
    let mut rests_on = vec![notice(known, flow, now)?];
    ends.extend(agreements(known, flow, now)?);
    // What is sealed already is sealed to its keys: only opening asks for one.
    if !has_key(known, flow.recipient, flow.purpose, now) {
        return Err("recipient-key-missing");
    }
    let order = open_order(known, asset, station, now);
    if flow.window == Window::Order {
        // Only while a work order is open.
        let order = order.ok_or("order-not-open")?;
        rests_on.push(order.entry);
        ends.push((order.expires, "order-not-open"));
    }
    let linked = everybody(known, asset, now);
    stops(known, flow, asset, &linked, now)?;
    for (entry, end) in basis(known, flow, asset, now)? {
        rests_on.push(entry);
        ends.extend(end);
    }
    let mut once = Vec::new();
    for entry in rests_on {
        if !once.contains(&entry) {
            once.push(entry);
        }
    }
    // The earliest end; of several the one that is asked for first.
    let mut until = ends[0];
    for end in &ends[1..] {
        if end.0 < until.0 {
            until = *end;
        }
    }
    Ok(Opening {
        at: now,
        asset,
        flow: flow.id,
        order: order.filter(|_| flow.window == Window::Order).map(|order| order.number),
        erasures: erasures(known, flow, asset, &linked, now),
        people: linked,
        rests_on: once,
        year: calendar::year(now),
        lease: lease(known, flow),
        until,
    })
}

/// Note 0004: no opening is believed for more than 30 days after its head, counted from midnight UTC.
fn believed_at_most(now: Micros) -> (Micros, Name) {
    (now - now.rem_euclid(DAY) + 30 * DAY, "grant-stale")
}

/// Design 6, *Believe-until per basis*: five minutes where the basis can change from afar, by a
/// withdrawal or (GDPR Art. 21) an objection; format (`believe`) may shorten it.
fn lease(known: &Known<'_>, flow: &Flow) -> Option<Micros> {
    match known.purpose(flow.purpose).basis {
        Basis::Contract | Basis::LegalObligation => None,
        _ => Some(flow.believe.unwrap_or(300) * 1_000_000),
    }
}

/// Note 0007: of the versions served the newest in the bundle is in force, also where it lists
/// less. Note 0008: what the newest version of the bundle lists waits for it to be served; what
/// it does not list is not in the notice.
fn notice(known: &Known<'_>, flow: &Flow, now: Micros) -> Result<EntryId, Name> {
    let wanted = known.categories(flow);
    let lists = |notice: &Notice| wanted.iter().all(|category| notice.categories.contains(category));
    for notice in known.bundle.notices.iter().rev() {
        if let Some(entry) = served(known, notice.version, now) {
            if lists(notice) {
                return Ok(entry);
            }
            break;
        }
    }
    let newest = known.bundle.notices.last().expect("a bundle has a notice");
    Err(if lists(newest) { "notice-not-served" } else { "category-not-in-notice" })
}

/// Note 0008: agreement and transfer tool, and when they end.
pub(super) fn agreements(known: &Known<'_>, flow: &Flow, now: Micros) -> Result<Vec<(Micros, Name)>, Name> {
    let Recipient { agreement, transfer, .. } = known.recipient(flow.recipient);
    let mut ends = Vec::new();
    if let Some((from, until)) = agreement {
        let (from, until) = (calendar::midnight(*from), calendar::midnight(*until));
        if now < from || until <= now {
            return Err("agreement-missing");
        }
        ends.push((until, "agreement-missing"));
    }
    if let Some(until) = transfer {
        let until = calendar::midnight(*until);
        if until <= now {
            return Err("transfer-not-allowed");
        }
        ends.push((until, "transfer-not-allowed"));
    }
    Ok(ends)
}

/// Note 0008: restriction, objection, private mode.
fn stops(
    known: &Known<'_>,
    flow: &Flow,
    asset: Asset,
    linked: &[(Role, Person)],
    now: Micros,
) -> Result<(), Name> {
    if restricted(known, flow, asset, linked, now) {
        return Err("restricted");
    }
    objected(known, flow, linked, now)?;
    if flow.private_mode && is_private(known, asset, now) {
        return Err("private-mode");
    }
    Ok(())
}

type RestsOn = Vec<(EntryId, Option<(Micros, Name)>)>;

/// Design 3.7: of each role that the flow names at least one person, and where it rests on
/// consent the consent of all of them, to all categories that it reads.
fn basis(known: &Known<'_>, flow: &Flow, asset: Asset, now: Micros) -> Result<RestsOn, Name> {
    let purpose = known.purpose(flow.purpose);
    let mut rests_on = Vec::new();
    for role in &flow.roles {
        let holders = people(known, asset, *role, now);
        if holders.is_empty() {
            return Err("role-missing");
        }
        let mut refused = None;
        for holder in &holders {
            rests_on.push((holder.entry, holder.until.map(|until| (until, "role-missing"))));
            if purpose.basis != Basis::Consent {
                continue;
            }
            match consents(known, flow, asset, *role, holder.person, now) {
                Ok(given) => rests_on.extend(given),
                Err(reason) => refused = refused.or(Some(reason)),
            }
        }
        let enough = known.fault == Some(Fault::OneOfManyConsents)
            && holders.iter().any(|h| consents(known, flow, asset, *role, h.person, now).is_ok());
        if let Some(reason) = refused.filter(|_| !enough) {
            return Err(reason);
        }
    }
    Ok(rests_on)
}

/// The consents of one person to all that a flow reads.
pub(super) fn consents(
    known: &Known<'_>,
    flow: &Flow,
    asset: Asset,
    role: Role,
    person: Person,
    now: Micros,
) -> Result<RestsOn, Name> {
    let mut given = Vec::new();
    for category in known.categories(flow) {
        let wanted =
            Wanted { asset, person, role, purpose: flow.purpose, category, recipient: flow.recipient };
        let (entry, until) = consented(known, wanted, now)?;
        given.push((entry, Some((until, "consent-expired"))));
    }
    Ok(given)
}
