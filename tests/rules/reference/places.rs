//! Stations, orders, gateways and keys.

use super::ledger::{counting, is_later, latest, the_asset, the_person};
use super::{Asset, Entry, EntryId, Event, Flow, Known, Micros, Name, Person};

/// An order that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) number: u32,
    pub(super) entry: EntryId,
    pub(super) expires: Micros,
}

/// Note 0005, *Ends*: the order that is open for an asset at a
/// station; of several the one that was opened last. A closing holds for the number.
pub(super) fn open_order(known: &Known<'_>, asset: Asset, station: Name, now: Micros) -> Option<Order> {
    let said = counting(known, now);
    let open = said.iter().copied().filter(|entry| match &entry.event {
        Event::OrderOpened { order, assets, station: at, expires } => {
            assets.iter().any(|one| the_asset(known, *one) == the_asset(known, asset))
                && *at == station
                && now < *expires
                && !said
                    .iter()
                    .any(|other| matches!(other.event, Event::OrderClosed(number) if number == *order))
        }
        _ => false,
    });
    let entry = latest(known, open)?;
    let Event::OrderOpened { order, expires, .. } = entry.event else { return None };
    Some(Order { number: order, entry: entry.id, expires })
}

/// Whether a gateway that is enrolled at a station is mounted in an asset.
pub(super) fn carries_gateway(known: &Known<'_>, asset: Asset, station: Name, now: Micros) -> bool {
    let said = counting(known, now);
    let about = |event: &Event| match event {
        Event::GatewayEnrolled { gateway, .. } | Event::EnrolmentEnded(gateway) => Some(*gateway),
        _ => None,
    };
    said.iter().filter_map(|entry| about(&entry.event)).any(|gateway| {
        let last = latest(known, said.iter().copied().filter(|entry| about(&entry.event) == Some(gateway)));
        matches!(
            last.map(|entry| &entry.event),
            Some(Event::GatewayEnrolled { station: at, pinned: Some(pinned), .. })
                if *at == station && the_asset(known, *pinned) == the_asset(known, asset)
        )
    })
}

/// Note 0006: whether a recipient has a key in use for a purpose. A revoked key never comes back.
pub(super) fn has_key(known: &Known<'_>, recipient: Name, purpose: Name, now: Micros) -> bool {
    let said = counting(known, now);
    said.iter().any(|entry| match entry.event {
        Event::RecipientKeyActivated { recipient: whose, purpose: of, key } => {
            whose == recipient
                && of == purpose
                && !said
                    .iter()
                    .any(|other| matches!(other.event, Event::RecipientKeyRevoked(gone) if gone == key))
        }
        _ => false,
    })
}

/// Note 0024: whether a recipient gets nothing for a purpose, because one pause was not lifted.
pub(super) fn paused(known: &Known<'_>, recipient: Name, purpose: Name, now: Micros) -> bool {
    let said = counting(known, now);
    let lifted =
        |pause| said.iter().any(|entry| matches!(entry.event, Event::RecipientResumed(of) if of == pause));
    said.iter().any(|entry| match entry.event {
        Event::RecipientPaused { recipient: whose, purpose: of } => {
            whose == recipient && of == purpose && !lifted(entry.id)
        }
        _ => false,
    })
}

/// Note 0007: a notice version counts when the ledger says that it was served, to everybody
/// concerned; served again, it was served before. `to` one person: that they were told of it.
pub(super) fn served(known: &Known<'_>, version: Name, to: Option<Person>, now: Micros) -> Option<EntryId> {
    let said = counting(known, now);
    let serving = said.into_iter().filter(|entry| match entry.event {
        Event::NoticeServed { notice, to: told } if notice == version => {
            told.map(|person| the_person(known, person)) == to.map(|person| the_person(known, person))
        }
        _ => false,
    });
    let mut first: Option<&Entry> = None;
    for entry in serving {
        if first.is_none_or(|first| is_later(known, first, entry)) {
            first = Some(entry);
        }
    }
    first.map(|entry| entry.id)
}

/// Note 0005, *Added with the rules for three notices*: the disclosure that is open for an asset
/// and a flow on one of its grounds, with its end; of several the one that lasts longest. An end
/// holds whatever the two times.
pub(super) fn disclosed(
    known: &Known<'_>,
    flow: &Flow,
    asset: Asset,
    now: Micros,
) -> Option<(EntryId, Micros)> {
    let said = counting(known, now);
    let ended = |id| said.iter().any(|entry| matches!(entry.event, Event::DisclosureEnded(of) if of == id));
    let mut longest: Option<(&Entry, Micros)> = None;
    for entry in &said {
        let Event::DisclosureApproved { ground, assets, flows, until, .. } = &entry.event else { continue };
        let concerns = assets.iter().any(|one| the_asset(known, *one) == the_asset(known, asset));
        if !concerns || !flows.contains(&flow.id) || !flow.grounds.contains(ground) {
            continue;
        }
        if now < *until
            && !ended(entry.id)
            && longest
                .is_none_or(|(other, end)| end < *until || (end == *until && is_later(known, entry, other)))
        {
            longest = Some((entry, *until));
        }
    }
    longest.map(|(entry, until)| (entry.id, until))
}
