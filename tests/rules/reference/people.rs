//! Who is what towards a vehicle.

use super::ledger::{counting, latest, the_asset, the_person};
use super::{Asset, Entry, EntryId, Event, Known, Micros, Milestone, PEOPLE, Person, Role};

/// A person in a role, by which entry, until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) person: Person,
    pub(super) entry: EntryId,
    pub(super) until: Option<Micros>,
}

/// Note 0005, *Ends*: whoever is linked to an asset in a
/// role now, by id. A sale ends every link of before, drivers' too.
pub(super) fn people(known: &Known<'_>, asset: Asset, role: Role, now: Micros) -> Vec<Link> {
    let asset = the_asset(known, asset);
    let said = counting(known, now);
    let mut found = Vec::new();
    for person in 0..PEOPLE.len() {
        if the_person(known, person) != person {
            continue;
        }
        let about: Vec<&Entry> =
            said.iter().copied().filter(|e| is_about(known, e, asset, person, role)).collect();
        let Some(entry) = latest(known, about) else { continue };
        let until = match &entry.event {
            Event::Linked { until, .. } => *until,
            Event::OwnerChanged { owners, .. } if role == Role::Owner && holds(known, owners, person) => None,
            _ => continue,
        };
        // `until` is the first moment at which the link is over.
        if until.is_none_or(|until| now < until) {
            found.push(Link { person, entry: entry.id, until });
        }
    }
    found
}

fn holds(known: &Known<'_>, people: &[Person], person: Person) -> bool {
    people.iter().any(|one| the_person(known, *one) == person)
}

/// Whether an entry says something about a person in a role towards an asset.
fn is_about(known: &Known<'_>, entry: &Entry, asset: Asset, person: Person, role: Role) -> bool {
    match &entry.event {
        Event::Linked { asset: of, person: who, role: what, .. }
        | Event::Unlinked { asset: of, person: who, role: what } => {
            the_asset(known, *of) == asset && the_person(known, *who) == person && *what == role
        }
        Event::OwnerChanged { asset: of, .. } => the_asset(known, *of) == asset,
        _ => false,
    }
}

/// Everybody linked to an asset now, with their roles.
pub(super) fn everybody(known: &Known<'_>, asset: Asset, now: Micros) -> Vec<(Role, Person)> {
    let mut all = Vec::new();
    for role in [Role::Owner, Role::Driver, Role::Deliverer, Role::Orderer] {
        all.extend(people(known, asset, role, now).into_iter().map(|link| (role, link.person)));
    }
    all
}

/// Note 0005, *Added with the rules for three notices*: the entry by which a person opened the
/// account that is open now.
pub(super) fn account<'a>(known: &Known<'a>, person: Person, now: Micros) -> Option<&'a Entry> {
    let about = |event: &Event| match event {
        Event::MilestoneReached(Milestone::AccountOpened(of) | Milestone::AccountClosed(of)) => {
            the_person(known, *of) == the_person(known, person)
        }
        _ => false,
    };
    let last = latest(known, counting(known, now).into_iter().filter(|entry| about(&entry.event)))?;
    matches!(last.event, Event::MilestoneReached(Milestone::AccountOpened(_))).then_some(last)
}
