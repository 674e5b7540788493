//! Whether somebody consents.

use super::ledger::{counting, latest, the_asset, the_person, voided};
use super::{
    Asset, Consent, Entry, EntryId, Event, Fault, Known, Micros, Name, Person, Role, Withdrawal, calendar,
};

/// Whose consent, to what, for whom.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) asset: Asset,
    pub(super) person: Person,
    pub(super) role: Role,
    pub(super) purpose: Name,
    pub(super) category: Name,
    pub(super) recipient: Name,
}

fn consent(event: &Event) -> Option<&Consent> {
    match event {
        // A renewal is a whole new consent.
        Event::ConsentGiven(consent) | Event::ConsentRenewed(_, consent) => Some(consent),
        _ => None,
    }
}

/// Note 0005, *Consent*: whether a consent says what is wanted.
fn answers(known: &Known<'_>, consent: &Consent, wanted: Wanted) -> bool {
    the_person(known, consent.person) == the_person(known, wanted.person)
        && consent.role == wanted.role
        && consent.purpose == wanted.purpose
        && consent.recipient == wanted.recipient
        && consent.categories.contains(&wanted.category)
}

/// Note 0005, *Consent*: a withdrawal names a receipt, a person (narrowed as they
/// like) or an asset. A receipt stands for what its consent covers, renewals included. If that was
/// voided, it stands up to then for all that its person gave towards that purpose and recipient, and
/// from then on for nothing.
fn covers(known: &Known<'_>, (withdrawal, said): (&Withdrawal, Micros), wanted: Wanted) -> bool {
    match withdrawal {
        Withdrawal::Receipt(receipt) => known
            .ledger
            .iter()
            .filter_map(|entry| Some((consent(&entry.event)?, voided(known, entry.id))))
            .filter(|(consent, _)| consent.receipt == *receipt)
            .any(|(consent, mistake)| match mistake {
                None => answers(known, consent, wanted),
                Some(voided) => {
                    said <= voided
                        && the_person(known, consent.person) == the_person(known, wanted.person)
                        && (consent.purpose, consent.recipient) == (wanted.purpose, wanted.recipient)
                }
            }),
        Withdrawal::Person { person, purpose, recipient, categories } => {
            the_person(known, *person) == the_person(known, wanted.person)
                && purpose.is_none_or(|purpose| purpose == wanted.purpose)
                && recipient.is_none_or(|recipient| recipient == wanted.recipient)
                && (categories.is_empty() || categories.contains(&wanted.category))
        }
        Withdrawal::Asset(asset) => the_asset(known, *asset) == the_asset(known, wanted.asset),
    }
}

/// Invariants 3 and 7, note 0005, *Consent*: the entry of a consent in force and
/// its end; or why there is none. Among what counts, the latest word decides. A form of the
/// bundle binds: what was given on it is about its purpose, recipient and categories only, and
/// holds for no longer than it says.
pub(super) fn consented(known: &Known<'_>, wanted: Wanted, now: Micros) -> Result<(EntryId, Micros), Name> {
    consented_then(known, wanted, now, now)
}

/// Invariant 2 and note 0004: a consent that ended and was given again is in force for what is
/// read from then on. Whether one was in force at each moment from one time to another.
pub(super) fn held(known: &Known<'_>, wanted: Wanted, since: Micros, now: Micros) -> Result<(), Name> {
    // Between two of these nothing about consent changes.
    let times = |entry: &Entry| {
        let mut times = Vec::new();
        if let Some(consent) = consent(&entry.event) {
            let form = consent.form.and_then(|used| known.bundle.forms.iter().find(|form| form.id == used));
            times.extend([entry.occurred, entry.recorded, consent.until]);
            times.extend(form.map(|form| calendar::months_later(entry.occurred, form.months)));
        } else if matches!(entry.event, Event::ConsentWithdrawn(_)) {
            times.extend([entry.occurred, entry.recorded]);
        }
        times
    };
    let mut moments: Vec<Micros> = known.ledger.iter().flat_map(times).chain([since, now]).collect();
    moments.retain(|moment| (since..=now).contains(moment));
    moments.sort_unstable();
    moments.dedup();
    moments.into_iter().try_for_each(|then| consented_then(known, wanted, then, now).map(|_| ()))
}

/// [`consented`] at a time, with the mistakes known by another.
fn consented_then(
    known: &Known<'_>,
    wanted: Wanted,
    then: Micros,
    today: Micros,
) -> Result<(EntryId, Micros), Name> {
    let now = then;
    let said = counting(known, then);
    let given = said.iter().copied().filter(|e| consent(&e.event).is_some_and(|c| answers(known, c, wanted)));
    let Some(given) = latest(known, given) else { return Err("consent-missing") };
    let said = counting(known, today);
    let withdrawn = said.iter().copied().filter(|e| e.occurred <= then).filter(
        |e| matches!(&e.event, Event::ConsentWithdrawn(said) if covers(known, (said, e.occurred), wanted)),
    );
    if let Some(withdrawn) = latest(known, withdrawn)
        && let Some(last) = latest(known, [given, withdrawn])
        && last.id == withdrawn.id
    {
        return Err("consent-withdrawn");
    }
    let said = consent(&given.event).expect("a consent");
    let mut until = said.until;
    if known.fault == Some(Fault::ExpiryIsLater) {
        until += 1;
    }
    // The end is the first moment at which it is no longer valid.
    if until <= now {
        return Err("consent-expired");
    }
    let form = said.form.and_then(|used| known.bundle.forms.iter().find(|form| form.id == used));
    if let Some(form) = form {
        if form.purpose != wanted.purpose
            || form.recipient != wanted.recipient
            || !form.categories.contains(&wanted.category)
        {
            return Err("consent-missing");
        }
        until = until.min(calendar::months_later(given.occurred, form.months));
    }
    if now < until { Ok((given.id, until)) } else { Err("consent-expired") }
}

/// Note 0005, *Added with the rules for three notices*: until when the consent of a receipt is in
/// force for a purpose: of that person, untouched in every part; what was withdrawn at a vehicle
/// touches it as far as that asset goes.
pub(super) fn untouched(
    known: &Known<'_>,
    receipt: u32,
    (person, asset): (Person, Asset),
    purpose: Name,
    now: Micros,
) -> Option<Micros> {
    let said = counting(known, now);
    let given = said.iter().copied().filter(|entry| {
        consent(&entry.event).is_some_and(|consent| {
            consent.receipt == receipt
                && consent.purpose == purpose
                && the_person(known, consent.person) == the_person(known, person)
        })
    });
    let given = latest(known, given)?;
    let of = consent(&given.event).expect("a consent");
    // A withdrawal touches it if it covers one of its categories.
    let touched = of.categories.iter().any(|category| {
        let wanted =
            Wanted { asset, person, role: of.role, purpose: of.purpose, category, recipient: of.recipient };
        said.iter().any(|entry| {
            let what = |said| covers(known, (said, entry.occurred), wanted);
            matches!(&entry.event, Event::ConsentWithdrawn(said) if what(said))
                && given.occurred <= entry.occurred
        })
    });
    (now < of.until && !touched).then_some(of.until)
}
