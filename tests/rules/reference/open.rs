//! Whether a flow is open for an asset, for how long that is believed, and what it rests on.

use super::consent::{self, Wanted, consented};
use super::ledger::the_asset;
use super::people::{account, everybody, people};
use super::places::{Order, carries_gateway, disclosed, has_key, open_order, paused, served};
use super::rights::{erasures, is_private, objected, restricted};
use super::{
    Asset, Basis, DAY, Entry, EntryId, Fault, Flow, Known, Micros, Name, Notice, Origin, Person, Recipient,
    Role, Window, calendar,
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

/// Note 0004, *grants*: the assets that a station may meet, by the ids that stand: those with an
/// order open there, and those that carry a gateway enrolled there.
pub(crate) fn is_known_asset(known: &Known<'_>, asset: Asset, station: Name, now: Micros) -> bool {
    the_asset(known, asset) == asset
        && (open_order(known, asset, station, now).is_some() || carries_gateway(known, asset, station, now))
}

/// Invariant 1, note 0008: whether a flow is open for an asset that the station may
/// meet; else the first of the reasons in the order of note 0008.
pub(crate) fn open(
    known: &Known<'_>,
    flow: &Flow,
    asset: Asset,
    station: Name,
    now: Micros,
) -> Result<Opening, Name> {
    let mut ends = vec![believed_at_most(now)];
    let linked = everybody(known, asset, now);
    let mut rests_on = notice(known, flow, &linked, now)?;
    ends.extend(agreements(known, flow, now)?);
    // What is sealed already is sealed to its keys: only opening asks for one.
    if !has_key(known, flow.recipient, flow.purpose, now) {
        return Err("recipient-key-missing");
    }
    // Note 0015: what is stopped is told before what only waits for an order.
    let exceptions = stops(known, flow, asset, &linked, now)?;
    let order = open_order(known, asset, station, now).filter(|_| flow.window == Window::Order);
    for (entry, end) in window(known, flow, asset, order, now)? {
        rests_on.push(entry);
        ends.extend(end);
    }
    for (exception, until) in exceptions {
        rests_on.push(exception);
        ends.push((until, "restricted"));
    }
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
        order: order.map(|order| order.number),
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

/// Note 0004, *Believe*: five minutes where the basis can change from afar, by a
/// withdrawal or (GDPR Art. 21) an objection; format (`believe`) may shorten it.
fn lease(known: &Known<'_>, flow: &Flow) -> Option<Micros> {
    match known.purpose(flow.purpose).basis {
        Basis::Contract | Basis::LegalObligation => None,
        _ => Some(flow.believe.unwrap_or(300) * 1_000_000),
    }
}

/// Note 0007: of the versions served the newest in the bundle is in force, also where it lists
/// less; it has to be the one that first told of the flow, or a later one. Note 0008: what the
/// newest version of the bundle lists waits for it to be served; what it does not list is not in
/// the notice.
fn notice(
    known: &Known<'_>,
    flow: &Flow,
    linked: &[(Role, Person)],
    now: Micros,
) -> Result<Vec<EntryId>, Name> {
    let wanted = known.categories(flow);
    let lists = |notice: &Notice| wanted.iter().all(|category| notice.categories.contains(category));
    let notices = &known.bundle.notices;
    for (place, notice) in notices.iter().enumerate().rev() {
        if let Some(entries) = was_served(known, notice, linked, now) {
            if first_told(known, flow) <= place && lists(notice) {
                return Ok(entries);
            }
            break;
        }
    }
    let newest = notices.last().expect("a bundle has a notice");
    Err(if lists(newest) { "notice-not-served" } else { "category-not-in-notice" })
}

/// The place of the version that first told of a flow: the oldest, unless the flow names another.
fn first_told(known: &Known<'_>, flow: &Flow) -> usize {
    let named = |notice: &Notice| flow.notice.is_none_or(|version| version == notice.version);
    known.bundle.notices.iter().position(named).expect("a version of the bundle")
}

/// Format (`served_when`): published; or everybody linked was told. Where nobody is linked there
/// is nobody to tell, and publishing it is enough.
fn was_served(
    known: &Known<'_>,
    notice: &Notice,
    linked: &[(Role, Person)],
    now: Micros,
) -> Option<Vec<EntryId>> {
    if !notice.told || linked.is_empty() {
        return served(known, notice.version, None, now).map(|entry| vec![entry]);
    }
    linked.iter().map(|(_, person)| served(known, notice.version, Some(*person), now)).collect()
}

/// Format (`sources`): where a flow's data may be taken from: where it says itself, else where
/// every version says that told of it.
pub(super) fn takes_from(known: &Known<'_>, flow: &Flow, from: Origin) -> bool {
    match &flow.sources {
        Some(sources) => sources.contains(&from),
        None => known.bundle.notices[first_told(known, flow)..]
            .iter()
            .all(|notice| notice.sources.contains(&from)),
    }
}

/// Format (`window`): an order, a disclosure, an account of an owner or orderer.
fn window(
    known: &Known<'_>,
    flow: &Flow,
    asset: Asset,
    order: Option<Order>,
    now: Micros,
) -> Result<RestsOn, Name> {
    let mut rests_on = Vec::new();
    if flow.window == Window::Order {
        // Only while a work order is open.
        let order = order.ok_or("order-not-open")?;
        rests_on.push((order.entry, Some((order.expires, "order-not-open"))));
    }
    if flow.window == Window::Disclosure {
        let (entry, until) = disclosed(known, flow, asset, now).ok_or("disclosure-not-open")?;
        rests_on.push((entry, Some((until, "disclosure-not-open"))));
    }
    if flow.account || flow.window == Window::Account {
        // Of several the one who stays longest; of these the account whose entry has the lowest name.
        let mut best: Option<(&Entry, Micros)> = None;
        for role in [Role::Owner, Role::Orderer] {
            for holder in people(known, asset, role, now) {
                let Some(opened) = account(known, holder.person, now) else { continue };
                let stays = holder.until.unwrap_or(Micros::MAX);
                if best.is_none_or(|(other, end)| end < stays || (end == stays && opened.name < other.name)) {
                    best = Some((opened, stays));
                }
            }
        }
        let (entry, stays) = best.ok_or("account-not-open")?;
        rests_on.push((entry.id, (stays < Micros::MAX).then_some((stays, "account-not-open"))));
    }
    Ok(rests_on)
}

/// Note 0008: the agreement with whoever runs the machines, that with the recipient, its transfer
/// tool; and when they end. Note 0024: a recipient that is paused gets nothing.
pub(super) fn agreements(known: &Known<'_>, flow: &Flow, now: Micros) -> Result<Vec<(Micros, Name)>, Name> {
    let Recipient { agreement, transfer, .. } = known.recipient(flow.recipient);
    let mut ends = Vec::new();
    for agreement in [&known.bundle.hosting, agreement].into_iter().flatten() {
        let attested = agreement.attested_until.map_or(Micros::MAX, calendar::midnight);
        let until = calendar::midnight(agreement.until).min(attested);
        if now < calendar::midnight(agreement.from) || until <= now {
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
    if paused(known, flow.recipient, flow.purpose, now) {
        return Err("recipient-paused");
    }
    Ok(ends)
}

/// Note 0008: restriction, objection, private mode. The exceptions that lift every restriction.
fn stops(
    known: &Known<'_>,
    flow: &Flow,
    asset: Asset,
    linked: &[(Role, Person)],
    now: Micros,
) -> Result<Vec<(EntryId, Micros)>, Name> {
    let exceptions = restricted(known, flow, asset, linked, now)?;
    objected(known, flow, linked, now)?;
    if flow.private_mode && is_private(known, asset, now) {
        return Err("private-mode");
    }
    Ok(exceptions)
}

type RestsOn = Vec<(EntryId, Option<(Micros, Name)>)>;

/// Invariant 7: of each role that the flow names at least one person, and where it rests on
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

/// Invariant 2: whether the consents of one person in one role to all that a flow reads were in force at
/// each moment from one time to another.
pub(super) fn held(
    known: &Known<'_>,
    flow: &Flow,
    (asset, role, person): (Asset, Role, Person),
    (since, now): (Micros, Micros),
) -> Result<(), Name> {
    known.categories(flow).into_iter().try_for_each(|category| {
        let wanted =
            Wanted { asset, person, role, purpose: flow.purpose, category, recipient: flow.recipient };
        consent::held(known, wanted, since, now)
    })
}
