//! The naive statement of what is due: reads the ledger of one truck from its
//! beginning for each question, with loops and no index. Written from the prose
//! of decision note 0005 and of `due`, and shares nothing with them but the types.

use crate::drawn::{AT_MOST, EPOCH, LONGEST_INCIDENT, PERIOD, READ, moment};
use crate::world::{ANNE, BENT, DAY, ORDER, TRUCK, id};
use vernport_policy::Role;
use vernport_registry::*;
use vernport_types::*;

type Ledger = [(EntryHash, Entry)];

/// When, held by, excepted by, restricted by.
pub(crate) type Answer = (UtcMicros, Option<EntryHash>, Option<EntryHash>, Option<EntryHash>);

/// The entries that count at a time, in the order of time; at one moment what closes is last.
fn counting(ledger: &Ledger, now: UtcMicros) -> Vec<&(EntryHash, Entry)> {
    let mut counting: Vec<_> =
        ledger.iter().filter(|(hash, entry)| counts(ledger, *hash, entry, now)).collect();
    counting.sort_by_key(|(hash, entry)| {
        let rank = match (&entry.event, entry.event.effect()) {
            // An account opened and closed at one moment is closed.
            (Event::MilestoneReached(r), _) if r.milestone == Milestone::AccountClosed => 1,
            // A link of the moment of a sale stands.
            (Event::Linked(_), _) => 1,
            (_, Effect::States) => 0,
            (_, Effect::Opens) => 2,
            (_, Effect::Closes) => 3,
        };
        (entry.occurred_at, rank, entry.recorded_at, *hash)
    });
    counting
}

fn counts(ledger: &Ledger, hash: EntryHash, entry: &Entry, now: UtcMicros) -> bool {
    let mut voided = None;
    for (_, other) in ledger {
        if matches!(&other.event, Event::Voided(void) if void.entry == hash) {
            voided = Some(other.recorded_at);
        }
    }
    match entry.event.effect() {
        Effect::Opens => voided.is_none() && entry.occurred_at <= now && entry.recorded_at <= now,
        Effect::States => voided.is_none() && entry.occurred_at <= now,
        Effect::Closes => entry.occurred_at <= now && voided.is_none_or(|voided| now < voided),
    }
}

pub(crate) fn due(ledger: &Ledger, start: &str, now: UtcMicros) -> Answer {
    let told = counting(ledger, now);
    let started = match start {
        "reading" => Some(moment(READ)),
        "order-closed" => order_closed(ledger, &told, now),
        "last-interaction" => Some(last_interaction(&told)),
        "relationship-end" => relationship_end(&told),
        "warranty-end" => last(&told, Whom::Asset(TRUCK), Milestone::WarrantyEnded),
        "vehicle-end-of-life" => last(&told, Whom::Asset(TRUCK), Milestone::VehicleEnded),
        "consent-end" => consent_end(ledger, &told, now),
        "account-closed" => account_closed(&told),
        other => panic!("{other}"),
    };
    let cap = moment(READ + AT_MOST);
    let mut at = match started {
        Some(started) => started.max(moment(READ)).plus_seconds(DAY * i64::from(PERIOD)).min(cap),
        None => cap,
    };
    let excepted = erased(&told, now, &mut at);
    let held = held(&told, now, &mut at);
    (at, held, excepted, restricted(&told))
}

fn last(told: &[&(EntryHash, Entry)], whom: Whom, milestone: Milestone) -> Option<UtcMicros> {
    let mut last = None;
    for (_, entry) in told {
        if matches!(&entry.event, Event::MilestoneReached(r) if (r.whom, r.milestone) == (whom, milestone)) {
            last = Some(entry.occurred_at);
        }
    }
    last
}

fn order_closed(ledger: &Ledger, told: &[&(EntryHash, Entry)], now: UtcMicros) -> Option<UtcMicros> {
    let mut end = None;
    for (hash, entry) in ledger {
        let voided = ledger.iter().any(|(_, e)| matches!(&e.event, Event::Voided(v) if v.entry == *hash));
        if let Event::OrderOpened(order) = &entry.event
            && order.order == ORDER
            && !voided
        {
            end = Some(order.expires_at);
        }
    }
    for (_, entry) in told {
        if matches!(&entry.event, Event::OrderClosed(_)) {
            end = end.map(|end| end.min(entry.occurred_at));
        }
    }
    end.filter(|end| *end <= now)
}

/// What is said of the truck after it was sold is about somebody else's contact.
fn last_interaction(told: &[&(EntryHash, Entry)]) -> UtcMicros {
    let mut last = moment(READ);
    let mut sold: Option<UtcMicros> = None;
    for (_, entry) in told {
        if matches!(entry.event, Event::OwnerChanged(_)) && entry.occurred_at > moment(READ) {
            sold = sold.or(Some(entry.occurred_at));
        }
    }
    for (_, entry) in told {
        if let Event::MilestoneReached(reached) = &entry.event
            && reached.milestone == Milestone::Interaction
            && (reached.whom != Whom::Asset(TRUCK) || sold.is_none_or(|sold| entry.occurred_at < sold))
        {
            last = last.max(entry.occurred_at);
        }
    }
    last
}

/// Anne is the customer. It is over when she or the truck is said to have left, and
/// neither a link as owner nor an account came after that.
fn relationship_end(told: &[&(EntryHash, Entry)]) -> Option<UtcMicros> {
    let with_anne = last(told, Whom::Subject(ANNE), Milestone::RelationshipEnded);
    let with_truck = last(told, Whom::Asset(TRUCK), Milestone::RelationshipEnded);
    let ended = with_anne.max(with_truck)?;
    let (mut owns, mut account) = (None, None);
    for (_, entry) in told {
        match &entry.event {
            Event::Linked(link) if link.subject == ANNE && link.role == Role::Owner => {
                owns = Some(entry.occurred_at);
            }
            Event::OwnerChanged(change) => {
                owns = change.owners.contains(&ANNE).then_some(entry.occurred_at);
            }
            Event::MilestoneReached(r) if r.whom == Whom::Subject(ANNE) => match r.milestone {
                Milestone::AccountOpened => account = Some(entry.occurred_at),
                Milestone::AccountClosed => account = None,
                _ => {}
            },
            _ => {}
        }
    }
    // An account counts if it is younger than the end with her, whatever became of the truck.
    let account = account.filter(|since| with_anne.is_none_or(|ended| ended < *since));
    let again = owns.max(account).is_some_and(|since| since > ended);
    if again { None } else { Some(ended) }
}

fn account_closed(told: &[&(EntryHash, Entry)]) -> Option<UtcMicros> {
    let mut closed = None;
    for (_, entry) in told {
        match &entry.event {
            Event::MilestoneReached(r) if r.whom == Whom::Subject(ANNE) => match r.milestone {
                Milestone::AccountOpened => closed = None,
                Milestone::AccountClosed => closed = Some(entry.occurred_at),
                _ => {}
            },
            _ => {}
        }
    }
    closed
}

/// Day by day from the reading on: the first day on which Bent's consent to both
/// categories is not in force, as it is known now; or the first objection to marketing.
fn consent_end(ledger: &Ledger, told: &[&(EntryHash, Entry)], now: UtcMicros) -> Option<UtcMicros> {
    let mut end = None;
    for (_, entry) in told {
        if matches!(&entry.event, Event::ObjectionRaised(o) if o.against == Against::Marketing) {
            end = end.or(Some(entry.occurred_at));
        }
    }
    let mut day = READ;
    while moment(day) <= now {
        let whole = [Category::Odometer, Category::Location];
        if whole.iter().any(|category| !consents(ledger, told, *category, moment(day))) {
            return Some(end.map_or(moment(day), |end: UtcMicros| end.min(moment(day))));
        }
        day += 1;
    }
    end
}

/// Withdrawals are those that are known at the time of the question; consents
/// count from when they were written down.
fn consents(ledger: &Ledger, told: &[&(EntryHash, Entry)], category: Category, day: UtcMicros) -> bool {
    let mut until = None;
    let mut given = None;
    for (_, entry) in counting(ledger, day) {
        if let Event::ConsentGiven(consent) = &entry.event
            && consent.categories.contains(&category)
            && consent.recipient == id::<Slug>("fleet")
        {
            given = Some(entry.occurred_at);
            until = Some(consent.valid_until);
        }
    }
    for (_, entry) in told {
        if matches!(entry.event, Event::ConsentWithdrawn(_))
            && entry.occurred_at <= day
            && given.is_some_and(|given| given <= entry.occurred_at)
        {
            return false;
        }
    }
    until.is_some_and(|until| day < until)
}

fn about_this(scope: &HoldScope) -> bool {
    match scope {
        HoldScope::Epochs(epochs) => epochs.contains(&EPOCH),
        HoldScope::Flows { asset, flows } => {
            asset.is_none_or(|asset| asset == TRUCK) && flows.contains(&id::<Slug>("location"))
        }
    }
}

/// Orders to erase that came after the reading, each with what excepts from it.
fn erased(told: &[&(EntryHash, Entry)], now: UtcMicros, at: &mut UtcMicros) -> Option<EntryHash> {
    let mut unexcepted: Option<UtcMicros> = None;
    let mut shortest: Option<(UtcMicros, EntryHash)> = None;
    for (order, entry) in told {
        let Event::ErasureOrdered(erasure) = &entry.event else { continue };
        let this = erasure.purpose.as_ref().is_none_or(|purpose| *purpose == id::<Slug>("planning"));
        if !this || entry.occurred_at < moment(READ) {
            continue;
        }
        let mut longest: Option<(UtcMicros, EntryHash)> = None;
        for (hash, entry) in told {
            if let Event::ErasureExcepted(excepted) = &entry.event
                && excepted.erasure == *order
                && about_this(&excepted.scope)
                && excepted.until > now
                && longest.is_none_or(|(until, _)| until <= excepted.until)
            {
                longest = Some((excepted.until, *hash));
            }
        }
        match longest {
            None => unexcepted = unexcepted.or(Some(entry.occurred_at)),
            Some(found) => shortest = Some(shortest.map_or(found, |known| known.min(found))),
        }
    }
    match (unexcepted, shortest) {
        (Some(up_to), _) => {
            *at = (*at).min(up_to);
            None
        }
        (None, Some((until, exception))) => {
            *at = until;
            Some(exception)
        }
        (None, None) => None,
    }
}

fn held(told: &[&(EntryHash, Entry)], now: UtcMicros, at: &mut UtcMicros) -> Option<EntryHash> {
    let mut longest: Option<(UtcMicros, EntryHash)> = None;
    for (hash, entry) in told {
        let Event::HoldSet(hold) = &entry.event else { continue };
        let lifted = told.iter().any(|(_, lift)| {
            matches!(&lift.event, Event::HoldLifted(l) if l.hold == *hash)
                && lift.occurred_at > entry.occurred_at
        });
        let until = match hold.ground {
            HoldGround::Statute => hold.until,
            HoldGround::Incident => {
                hold.until.min(entry.occurred_at.plus_seconds(DAY * i64::from(LONGEST_INCIDENT)))
            }
            HoldGround::Query | HoldGround::Dispute => continue,
        };
        if about_this(&hold.scope) && !lifted && now < until {
            longest = longest.max(Some((until, *hash)));
        }
    }
    let (until, hash) = longest?;
    if *at < until {
        *at = until;
        Some(hash)
    } else {
        None
    }
}

/// The first restriction of the truck, else of Anne, else of Bent, that was not
/// lifted after it was announced.
fn restricted(told: &[&(EntryHash, Entry)]) -> Option<EntryHash> {
    for whom in [Whom::Asset(TRUCK), Whom::Subject(ANNE), Whom::Subject(BENT)] {
        for (hash, entry) in told {
            let Event::RestrictionSet(set) = &entry.event else { continue };
            if set.whom != whom || set.purpose.as_ref().is_some_and(|only| *only != id::<Slug>("planning")) {
                continue;
            }
            let mut announced = None;
            let mut lifted = false;
            // What was announced before it was set was not announced: it comes before in the order of time.
            let set_here = told.iter().position(|(h, _)| h == hash).expect("it counts");
            for (_, later) in &told[set_here + 1..] {
                match &later.event {
                    Event::RestrictionLiftingAnnounced(told) if told.restriction == *hash => {
                        announced = announced.or(Some(later.occurred_at));
                    }
                    Event::RestrictionLifted(lift) if lift.restriction == *hash => {
                        lifted |= announced.is_some_and(|announced| announced < later.occurred_at);
                    }
                    _ => {}
                }
            }
            if !lifted {
                return Some(*hash);
            }
        }
    }
    None
}
