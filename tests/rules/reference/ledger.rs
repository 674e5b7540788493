//! Which entries count at a time, and which of them decides.

use super::{Asset, Entry, EntryId, Event, Fault, Known, Micros, Milestone, Person};

/// Note 0005, *Two times*: what an event does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    Opens,
    Closes,
    States,
}

/// Note 0005, *Two times*, kind by kind as the doc comments of the events say it.
fn effect(event: &Event) -> Effect {
    match event {
        Event::NoticeServed { .. }
        | Event::ConsentGiven(_)
        | Event::ConsentRenewed(..)
        | Event::ObjectionWeighed(_)
        | Event::RestrictionLiftingAnnounced(_)
        | Event::RestrictionLifted(_)
        | Event::OrderOpened { .. }
        | Event::PrivateModeEnded(_)
        | Event::GatewayEnrolled { .. }
        | Event::RecipientKeyActivated { .. }
        | Event::DisclosureApproved { .. }
        | Event::RestrictionExcepted { .. }
        | Event::RecipientResumed(_)
        | Event::HoldLifted(_) => Effect::Opens,
        Event::ConsentWithdrawn(_)
        | Event::ObjectionRaised(..)
        | Event::ObjectionUpheld(_)
        | Event::RestrictionSet { .. }
        | Event::OrderClosed(_)
        | Event::PrivateModeStarted(_)
        | Event::EnrolmentEnded(_)
        | Event::RecipientKeyRevoked(_)
        | Event::HoldSet { .. }
        | Event::ErasureExcepted { .. }
        | Event::DisclosureEnded(_)
        | Event::RecipientPaused { .. }
        | Event::ErasureOrdered { .. } => Effect::Closes,
        Event::Linked { .. }
        | Event::Unlinked { .. }
        | Event::OwnerChanged { .. }
        | Event::SubjectMerged { .. }
        | Event::AssetMerged { .. }
        | Event::MilestoneReached(_)
        | Event::Voided(_) => Effect::States,
    }
}

/// Note 0005, *Mistakes*: when the first voiding of an entry was recorded.
pub(super) fn voided(known: &Known<'_>, entry: EntryId) -> Option<Micros> {
    if known.fault == Some(Fault::VoidIsIgnored) {
        return None;
    }
    let voidings = known.ledger.iter().filter(|e| matches!(e.event, Event::Voided(of) if of == entry));
    voidings.map(|voiding| voiding.recorded).min()
}

/// Note 0005, *Two times* and *Mistakes*: whether an entry counts at a time.
pub(super) fn counts(known: &Known<'_>, entry: &Entry, now: Micros) -> bool {
    let (mut opens, mut closes) = (entry.occurred.max(entry.recorded), entry.occurred);
    if known.fault == Some(Fault::OpensFromOccurred) {
        opens = entry.occurred;
    }
    if known.fault == Some(Fault::ClosesFromRecorded) {
        closes = entry.recorded.max(entry.occurred);
    }
    match effect(&entry.event) {
        // Before that nobody could rest on it; voided, it never counted.
        Effect::Opens => opens <= now && voided(known, entry.id).is_none(),
        // However late it is recorded; voided, until that was recorded.
        Effect::Closes => closes <= now && voided(known, entry.id).is_none_or(|voided| now < voided),
        Effect::States => entry.occurred <= now && voided(known, entry.id).is_none(),
    }
}

/// The entries that count at a time.
pub(super) fn counting<'a>(known: &Known<'a>, now: Micros) -> Vec<&'a Entry> {
    known.ledger.iter().filter(|entry| counts(known, entry, now)).collect()
}

/// Note 0005, *Two times*: the latest `occurred_at` decides; at one and the same
/// moment what closes wins. What still is equal is told apart by when it was
/// recorded and by its name.
pub(super) fn is_later(known: &Known<'_>, entry: &Entry, than: &Entry) -> bool {
    let place = |entry: &Entry, rank| (entry.occurred, rank, entry.recorded, entry.name);
    let (mut rank, mut other) = (entry_rank(entry), entry_rank(than));
    if known.fault == Some(Fault::OpensWinsTies) {
        (rank, other) = (-rank, -other);
    }
    place(entry, rank) > place(than, other)
}

/// What closes is looked at after what opens. Among links a sale ends what was
/// before it, a link of that moment stands, and an end of that moment ends it. An account
/// that is opened and closed at one moment is closed.
fn entry_rank(entry: &Entry) -> i32 {
    match (&entry.event, effect(&entry.event)) {
        (Event::OwnerChanged { .. }, _) => 0,
        (Event::Unlinked { .. } | Event::MilestoneReached(Milestone::AccountClosed(_)), _) => 2,
        (_, Effect::Closes) => 3,
        (_, Effect::States | Effect::Opens) => 1,
    }
}

/// The one of several entries that decides.
pub(super) fn latest<'a>(
    known: &Known<'_>,
    entries: impl IntoIterator<Item = &'a Entry>,
) -> Option<&'a Entry> {
    let mut latest: Option<&Entry> = None;
    for entry in entries {
        if latest.is_none_or(|latest| is_later(known, entry, latest)) {
            latest = Some(entry);
        }
    }
    latest
}

/// Note 0005, *Two times*: a merge has no time, it was always one thing. A voided one is none.
fn merges(known: &Known<'_>, wanted: impl Fn(&Event) -> Option<(usize, usize)>) -> Vec<(usize, usize)> {
    let merges = known.ledger.iter().filter_map(|entry| Some((entry, wanted(&entry.event)?)));
    merges.filter(|(entry, _)| voided(known, entry.id).is_none()).map(|(_, merge)| merge).collect()
}

fn asset_merges(known: &Known<'_>) -> Vec<(usize, usize)> {
    merges(known, |event| match event {
        Event::AssetMerged { from, into } => Some((*from, *into)),
        _ => None,
    })
}

fn person_merges(known: &Known<'_>) -> Vec<(usize, usize)> {
    merges(known, |event| match event {
        Event::SubjectMerged { from, into } => Some((*from, *into)),
        _ => None,
    })
}

/// The id that stays, of all that were merged.
fn stands_for(merges: &[(usize, usize)], mut id: usize) -> usize {
    while let Some((_, into)) = merges.iter().find(|(from, _)| *from == id) {
        id = *into;
    }
    id
}

/// The id that stands for an asset.
pub(super) fn the_asset(known: &Known<'_>, asset: Asset) -> Asset {
    stands_for(&asset_merges(known), asset)
}

/// The id that stands for a person.
pub(super) fn the_person(known: &Known<'_>, person: Person) -> Person {
    stands_for(&person_merges(known), person)
}
