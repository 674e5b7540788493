//! What people can stop: restriction, objection, private mode, erasure.

use super::consent::untouched;
use super::ledger::{counting, is_later, latest, the_asset, the_person};
use super::{
    Against, Asset, Basis, Entry, EntryId, Event, Fault, Flow, Known, Micros, Name, Person, Role, Whom,
};

fn is_about(known: &Known<'_>, whom: Whom, asset: Asset, people: &[(Role, Person)]) -> bool {
    match whom {
        Whom::Asset(of) => the_asset(known, of) == the_asset(known, asset),
        Whom::Person(of) => {
            people.iter().any(|(_, person)| the_person(known, *person) == the_person(known, of))
        }
    }
}

fn is_for(purpose: Option<Name>, flow: &Flow) -> bool {
    purpose.is_none_or(|purpose| purpose == flow.purpose)
}

/// Invariant 4, note 0005: every restriction of the asset or of anybody linked has to be
/// excepted for the flow; the exceptions, each with its end.
pub(super) fn restricted(
    known: &Known<'_>,
    flow: &Flow,
    asset: Asset,
    people: &[(Role, Person)],
    now: Micros,
) -> Result<Vec<(EntryId, Micros)>, Name> {
    let mut exceptions: Vec<(EntryId, Micros)> = Vec::new();
    let concerned = people.iter().map(|person| vec![*person]).chain([Vec::new()]);
    // One after the other, the asset last.
    for concerned in concerned {
        for entry in counting(known, now) {
            let Event::RestrictionSet { whom, purpose } = entry.event else { continue };
            let of_asset = matches!(whom, Whom::Asset(_));
            if of_asset != concerned.is_empty()
                || !is_about(known, whom, asset, &concerned)
                || !is_for(purpose, flow)
                || lifted(known, entry.id, now)
            {
                continue;
            }
            let exception = excepted(known, (entry.id, whom), flow, asset, now).ok_or("restricted")?;
            if !exceptions.contains(&exception) {
                exceptions.push(exception);
            }
        }
    }
    Ok(exceptions)
}

/// Note 0005: an exception opens one restriction for named flows until an end; of several the one
/// that lasts longest. One that rests on consent counts while that is in force, and never from
/// a restriction of the asset.
fn excepted(
    known: &Known<'_>,
    (restriction, whom): (EntryId, Whom),
    flow: &Flow,
    asset: Asset,
    now: Micros,
) -> Option<(EntryId, Micros)> {
    let mut longest: Option<(&Entry, Micros)> = None;
    for entry in counting(known, now) {
        let Event::RestrictionExcepted { restriction: of, flows, receipt, until } = &entry.event else {
            continue;
        };
        if *of != restriction || !flows.contains(&flow.id) {
            continue;
        }
        let until = match (receipt, whom) {
            (None, _) => *until,
            (Some(_), Whom::Asset(_)) => continue,
            (Some(receipt), Whom::Person(person)) => {
                match untouched(known, *receipt, (person, asset), flow.purpose, now) {
                    Some(consented) => consented.min(*until),
                    None => continue,
                }
            }
        };
        if now < until
            && longest
                .is_none_or(|(other, end)| end < until || (end == until && is_later(known, entry, other)))
        {
            longest = Some((entry, until));
        }
    }
    longest.map(|(entry, until)| (entry.id, until))
}

/// Invariant 4: lifting only after the notice was given. A lifting that counts, and before it an
/// announcement that counts, which is later than the restriction itself.
fn lifted(known: &Known<'_>, restriction: EntryId, now: Micros) -> bool {
    let said = counting(known, now);
    let set = said.iter().find(|entry| entry.id == restriction).expect("it counts");
    said.iter().any(|lifting| {
        matches!(lifting.event, Event::RestrictionLifted(of) if of == restriction)
            && lifting.occurred > set.occurred
            && (known.fault == Some(Fault::LiftedUnannounced)
                || said.iter().any(|told| {
                    matches!(told.event, Event::RestrictionLiftingAnnounced(of) if of == restriction)
                        && set.occurred < told.occurred
                        && told.occurred < lifting.occurred
                }))
    })
}

/// What an objection amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Objected {
    No,
    Pending,
    Upheld,
}

/// Invariants 2 and 5: objections of anybody linked. Against marketing and profiling one is
/// absolute; against a purpose it counts where the basis is a legitimate interest or a
/// public task (GDPR Art. 21), is weighed, and stops the flow meanwhile.
pub(super) fn objected(
    known: &Known<'_>,
    flow: &Flow,
    people: &[(Role, Person)],
    now: Micros,
) -> Result<(), Name> {
    let purpose = known.purpose(flow.purpose);
    let mut worst = Objected::No;
    for entry in counting(known, now) {
        let Event::ObjectionRaised(who, against) = &entry.event else { continue };
        if !people.iter().any(|(_, person)| the_person(known, *person) == the_person(known, *who)) {
            continue;
        }
        let found = match against {
            Against::Marketing if purpose.marketing => Objected::Upheld,
            Against::Profiling if purpose.profiling => Objected::Upheld,
            Against::Purpose(id)
                if *id == flow.purpose
                    && matches!(purpose.basis, Basis::LegitimateInterest | Basis::PublicTask) =>
            {
                outcome(known, entry.id, now)
            }
            _ => Objected::No,
        };
        worst = match (worst, found) {
            (Objected::Upheld, _) | (_, Objected::Upheld) => Objected::Upheld,
            (Objected::Pending, _) | (_, Objected::Pending) => Objected::Pending,
            _ => Objected::No,
        };
    }
    match worst {
        Objected::No => Ok(()),
        Objected::Pending => Err("objection-pending"),
        Objected::Upheld => Err("objection-upheld"),
    }
}

/// What became of an objection: the last outcome that counts decides. What is dated before the
/// objection says nothing about it.
fn outcome(known: &Known<'_>, objection: EntryId, now: Micros) -> Objected {
    let said = counting(known, now);
    let raised = said.iter().copied().find(|entry| entry.id == objection).expect("it counts");
    let outcomes = said.iter().copied().filter(|entry| match entry.event {
        Event::ObjectionWeighed(of) | Event::ObjectionUpheld(of) => {
            of == objection && is_later(known, entry, raised)
        }
        _ => false,
    });
    match latest(known, outcomes).map(|entry| &entry.event) {
        None => Objected::Pending,
        Some(Event::ObjectionWeighed(_)) => Objected::No,
        Some(_) => Objected::Upheld,
    }
}

/// A bundle's `private_mode`: private trips close the flow.
pub(super) fn is_private(known: &Known<'_>, asset: Asset, now: Micros) -> bool {
    let switches = counting(known, now).into_iter().filter(|entry| match entry.event {
        Event::PrivateModeStarted(of) | Event::PrivateModeEnded(of) => {
            the_asset(known, of) == the_asset(known, asset)
        }
        _ => false,
    });
    matches!(latest(known, switches).map(|entry| &entry.event), Some(Event::PrivateModeStarted(_)))
}

/// Invariant 11, the doc comment of `erasure-ordered`: a fence. For the asset and for each person
/// the last order to erase what was read for a flow: up to its time everything goes.
pub(super) fn erasures(
    known: &Known<'_>,
    flow: &Flow,
    asset: Asset,
    people: &[(Role, Person)],
    now: Micros,
) -> Vec<EntryId> {
    let said = counting(known, now);
    let last = |people: &[(Role, Person)], of_asset: bool| {
        let ordered = said.iter().copied().filter(|entry| match entry.event {
            Event::ErasureOrdered { whom, purpose } => {
                matches!(whom, Whom::Asset(_)) == of_asset
                    && is_about(known, whom, asset, people)
                    && is_for(purpose, flow)
            }
            _ => false,
        });
        latest(known, ordered).map(|entry| entry.id)
    };
    let each = people.iter().filter_map(|person| last(&[*person], false));
    each.chain(last(&[], true)).collect()
}
