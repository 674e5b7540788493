//! Makes a case smaller as long as it still shows a difference: steps, entries, flows,
//! signals, roles and merely possible rules are taken out one by one.

use super::case::{Case, Difference, run};
use super::real::Ground;
use crate::reference::{Entry, EntryId, Event, Fault, Sampling};

/// The smallest case found, and its difference.
pub(super) fn shrink(mut case: Case, fault: Option<Fault>) -> (Case, Difference) {
    let ground = Ground::new();
    let mut difference = differs(&case, &ground, fault).expect("it differed before");
    case.steps.truncate(difference.step + 1);
    loop {
        let smaller = candidates(&case).find_map(|smaller| {
            let found = differs(&smaller, &ground, fault)?;
            Some((smaller, found))
        });
        match smaller {
            Some((found, shown)) => (case, difference) = (found, shown),
            None => return (case, difference),
        }
        case.steps.truncate(difference.step + 1);
    }
}

fn differs(case: &Case, ground: &Ground, fault: Option<Fault>) -> Option<Difference> {
    let rules = ground.rules(&case.bundle).ok()?;
    run(case, &rules, ground, fault).err().map(|difference| *difference)
}

/// Cases that are one thing smaller, the most promising first.
fn candidates(case: &Case) -> impl Iterator<Item = Case> {
    let mut smaller = Vec::new();
    let mut add = |change: &dyn Fn(&mut Case)| {
        let mut less = case.clone();
        change(&mut less);
        smaller.push(less);
    };
    for half in [0, case.steps.len() / 2] {
        if case.steps.len() > 3 {
            add(&|less| {
                less.steps.drain(half..half + less.steps.len() / 2);
            });
        }
    }
    for place in 0..case.steps.len().saturating_sub(1) {
        add(&|less| {
            less.steps.remove(place);
        });
    }
    for entry in &case.entries {
        add(&|less| without(&mut less.entries, entry.id));
    }
    if case.bundle.flows.len() > 1 {
        for place in 0..case.bundle.flows.len() {
            add(&|less| {
                less.bundle.flows.remove(place);
            });
        }
    }
    for (place, flow) in case.bundle.flows.iter().enumerate() {
        if flow.signals.len() > 1 {
            for signal in 0..flow.signals.len() {
                add(&|less| {
                    less.bundle.flows[place].signals.remove(signal);
                });
            }
        }
        for role in 0..flow.roles.len() {
            add(&|less| {
                less.bundle.flows[place].roles.remove(role);
            });
        }
        if flow.sampling != Sampling::Every {
            add(&|less| less.bundle.flows[place].sampling = Sampling::Every);
        }
        if flow.time_step > 0 {
            add(&|less| less.bundle.flows[place].time_step = 0);
        }
        if flow.believe.is_some() {
            add(&|less| less.bundle.flows[place].believe = None);
        }
        if flow.private_mode {
            add(&|less| less.bundle.flows[place].private_mode = false);
        }
    }
    if case.bundle.notices.len() > 1 {
        for place in 0..case.bundle.notices.len() {
            add(&|less| {
                less.bundle.notices.remove(place);
            });
        }
    }
    for (place, purpose) in case.bundle.purposes.iter().enumerate() {
        if !case.bundle.flows.iter().any(|flow| flow.purpose == purpose.id) {
            add(&|less| {
                less.bundle.purposes.remove(place);
            });
        }
    }
    for (place, recipient) in case.bundle.recipients.iter().enumerate() {
        if !case.bundle.flows.iter().any(|flow| flow.recipient == recipient.id) {
            add(&|less| {
                less.bundle.recipients.remove(place);
            });
        }
    }
    if case.bundle.hosting.is_some() {
        add(&|less| less.bundle.hosting = None);
    }
    for form in 0..case.bundle.forms.len() {
        add(&|less| {
            less.bundle.forms.remove(form);
        });
    }
    if !case.bundle.identify.is_empty() {
        add(&|less| less.bundle.identify.clear());
    }
    for (place, entry) in case.entries.iter().enumerate() {
        if entry.recorded != entry.occurred {
            add(&|less| less.entries[place].recorded = less.entries[place].occurred);
        }
    }
    smaller.into_iter()
}

/// Takes an entry out, and what refers to it.
fn without(entries: &mut Vec<Entry>, id: EntryId) {
    entries.retain(|entry| entry.id != id);
    let refers = |entry: &Entry| match entry.event {
        Event::ConsentRenewed(of, _)
        | Event::ObjectionWeighed(of)
        | Event::ObjectionUpheld(of)
        | Event::RestrictionLiftingAnnounced(of)
        | Event::RestrictionLifted(of)
        | Event::HoldLifted(of)
        | Event::ErasureExcepted { erasure: of, .. }
        | Event::DisclosureEnded(of)
        | Event::RecipientResumed(of)
        | Event::RestrictionExcepted { restriction: of, .. }
        | Event::Voided(of) => of == id,
        _ => false,
    };
    let gone: Vec<EntryId> = entries.iter().filter(|entry| refers(entry)).map(|entry| entry.id).collect();
    for id in gone {
        without(entries, id);
    }
}
