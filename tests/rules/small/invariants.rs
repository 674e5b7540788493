//! The invariants of the rules by their numbers, each said once more in its own words.
//!
//! Each looks at what is seen after an entry and answers how often it had something to
//! say (0: it held trivially), or what is wrong.

use super::{
    line::{Answers, Batch, Seen, Under},
    story::{FLOWS, Flow, Person, Story, View},
};
use vernport_policy::Standing;
use vernport_types::Reason;

/// What happened, what is seen, and what would be seen had it been said otherwise.
#[derive(Debug, Clone)]
pub(super) struct Case<'a> {
    pub(super) story: &'a Story,
    pub(super) seen: Seen,
    /// Where time passed beyond a consent: the same with a withdrawal at that very moment.
    pub(super) withdrawn: Option<Seen>,
    /// Where Anna objected: the same without.
    pub(super) unobjected: Option<Seen>,
}

type Found = Result<u64, String>;

/// By their numbers.
pub(super) const ALL: [fn(&Case<'_>) -> Found; 7] =
    [invariant_1, invariant_2, invariant_3, invariant_4, invariant_5, invariant_6, invariant_7];

fn flows(answers: &Answers) -> impl Iterator<Item = (Flow, &Result<Under, Reason>)> {
    FLOWS.into_iter().zip(answers)
}

/// Deny by default: without notice, purpose, basis, recipient and a grant in force nothing passes.
pub(super) fn invariant_1(case: &Case<'_>) -> Found {
    let (view, seen) = (case.story.now(), &case.seen);
    if seen.nameless {
        return Err("1: a signal passed that no purpose names".into());
    }
    let mut denied = 0;
    for (flow, now) in flows(&seen.now) {
        let basis = match flow {
            Flow::Work => view.order().is_some(),
            Flow::Upkeep => true,
            Flow::Coaching | Flow::Offers => {
                view.drivers().iter().any(|(driver, _)| view.consent(flow, *driver).is_some())
            }
        };
        let private = flow == Flow::Coaching && view.private();
        if view.notice().is_none() || !view.has_key(flow) || !basis || private {
            denied += 1;
            if now.is_ok() {
                return Err(format!("1: {flow:?} passed without notice, recipient or basis, or in private"));
            }
        }
    }
    let grants = [
        ("with a clock that is not set", &seen.unset, [false; 4]),
        ("six minutes after the last head", &seen.unheard, [true, false, false, false]),
        ("31 days after the last head", &seen.later, [false; 4]),
    ];
    for (when, answers, may) in grants {
        for ((flow, answer), may) in flows(answers).zip(may) {
            denied += u64::from(!may && seen.now[flow as usize].is_ok());
            if !may && answer.is_ok() {
                return Err(format!("1: {flow:?} passed {when}"));
            }
        }
    }
    Ok(denied)
}

/// Why a batch may not be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Mistake,
    Objection,
    NoConsent,
}

impl Cause {
    fn of(reason: Reason) -> Option<Self> {
        match reason {
            Reason::EntryVoided => Some(Self::Mistake),
            Reason::ObjectionUpheld => Some(Self::Objection),
            Reason::ConsentWithdrawn | Reason::ConsentExpired | Reason::ConsentMissing => {
                Some(Self::NoConsent)
            }
            _ => None,
        }
    }
}

/// What has to become of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Must {
    Send,
    Park,
    Destroy(Vec<Cause>),
}

/// All that destroys a batch, as far as was known then.
fn causes(story: &Story, batch: &Batch, then: View<'_>) -> Vec<Cause> {
    let read = story.then(batch.born);
    let mut rests_on: Vec<usize> = read.notice().into_iter().collect();
    if batch.flow == Flow::Work {
        rests_on.extend(read.order());
    }
    if batch.flow.on_consent() {
        rests_on.extend(read.drivers().iter().map(|(_, link)| *link));
        rests_on.extend(read.drivers().iter().filter_map(|(driver, _)| read.consent(batch.flow, *driver)));
    }
    let mut causes = Vec::new();
    if rests_on.iter().any(|entry| !then.counts(*entry)) {
        causes.push(Cause::Mistake);
    }
    if batch.flow == Flow::Offers && then.objects() && batch.drivers.contains(&Person::Anna) {
        causes.push(Cause::Objection);
    }
    let held = |driver: &Person| then.consented_since(batch.born, batch.flow, *driver);
    if batch.flow.on_consent() && !batch.drivers.iter().all(held) {
        causes.push(Cause::NoConsent);
    }
    causes
}

/// Restricted it waits; what destroys it then or later does so once it is not; else it goes on,
/// whatever became of the order, the link or private mode.
fn must(story: &Story, batch: &Batch) -> Must {
    let mut must = Must::Send;
    for place in batch.born..=story.now().last {
        let then = story.then(place);
        let causes = causes(story, batch, then);
        must = if then.restricted() && batch.drivers.contains(&Person::Anna) {
            Must::Park
        } else if causes.is_empty() {
            Must::Send
        } else {
            return Must::Destroy(causes);
        };
    }
    must
}

/// What was read before is sent, parked or destroyed by its own basis, and by nothing else.
pub(super) fn invariant_2(case: &Case<'_>) -> Found {
    let mut judged = 0;
    for batch in &case.seen.batches {
        let must = must(case.story, batch);
        for (who, standing) in [("central", batch.central), ("the gateway", batch.gateway)] {
            let right = match (&must, standing) {
                (Must::Send, Standing::Send) => true,
                (Must::Park, Standing::Park(reason)) => reason == Reason::Restricted,
                (Must::Destroy(causes), Standing::Destroy(reason)) => {
                    Cause::of(reason).is_some_and(|cause| causes.contains(&cause))
                }
                _ => false,
            };
            if !right {
                let Batch { flow, born, .. } = batch;
                return Err(format!(
                    "2: what {flow:?} read after step {born} must be {must:?}, and {who} says {standing:?}"
                ));
            }
        }
        judged += u64::from(!batch.open);
    }
    Ok(judged)
}

/// Expiry is withdrawal by another name.
fn alike(one: Option<Reason>, other: Option<Reason>) -> bool {
    let ended = |reason| matches!(reason, Some(Reason::ConsentExpired | Reason::ConsentWithdrawn));
    one == other || ended(one) && ended(other)
}

fn reason(standing: Standing) -> Option<Reason> {
    match standing {
        Standing::Send => None,
        Standing::Park(reason) | Standing::Destroy(reason) => Some(reason),
    }
}

/// Expiry equals withdrawal, and a clock set back reopens nothing.
pub(super) fn invariant_3(case: &Case<'_>) -> Found {
    let seen = &case.seen;
    let mut said = 0;
    for (flow, later) in flows(&seen.later) {
        let (now, back) = (&seen.now[flow as usize], &seen.back[flow as usize]);
        said += u64::from(now.is_ok() && later.is_err());
        if later.is_err() && back.is_ok() {
            return Err(format!("3: a clock that was set back reopened {flow:?}"));
        }
    }
    let Some(other) = &case.withdrawn else { return Ok(said) };
    for (flow, expired) in flows(&seen.now) {
        let withdrawn = &other.now[flow as usize];
        let same = match (expired, withdrawn) {
            (Ok(one), Ok(other)) => one == other,
            (Err(one), Err(other)) => alike(Some(*one), Some(*other)),
            _ => false,
        };
        if !same {
            return Err(format!("3: {flow:?} is {expired:?} by expiry and {withdrawn:?} by withdrawal"));
        }
    }
    let same = |one: &Batch, other: &Batch| {
        (one.flow, one.born, one.open) == (other.flow, other.born, other.open)
            && alike(reason(one.central), reason(other.central))
            && alike(reason(one.gateway), reason(other.gateway))
    };
    let (one, other) = (&seen.batches, &other.batches);
    if one.len() != other.len() || !one.iter().zip(other).all(|(one, other)| same(one, other)) {
        return Err(format!("3: batches are {one:?} by expiry and {other:?} by withdrawal"));
    }
    Ok(said + 1)
}

/// A restriction suspends use and deletion, and is lifted only after it was announced.
pub(super) fn invariant_4(case: &Case<'_>) -> Found {
    let view = case.story.now();
    if !view.each_lifting_was_announced() {
        return Err("4: a restriction was lifted and the person had not been told".into());
    }
    if !view.restricted() {
        return Ok(0);
    }
    let mut suspended = 0;
    if view.drives(Person::Anna) {
        suspended += 1;
        for answers in [&case.seen.now, &case.seen.unheard, &case.seen.back] {
            if answers.iter().any(Result::is_ok) {
                return Err("4: something passed of a person who restricts".into());
            }
        }
    }
    let begun = (0..=view.last).rev().find(|place| !case.story.then(*place).restricted());
    for batch in case.seen.batches.iter().filter(|batch| batch.drivers.contains(&Person::Anna)) {
        // What was destroyed before the restriction began is gone.
        let gone = begun.is_some_and(|last| {
            batch.born <= last && (batch.born..=last).any(|place| destroyed_at(case.story, batch, place))
        });
        suspended += u64::from(!gone);
        let waits = |standing| matches!(standing, Standing::Park(Reason::Restricted));
        let kept = gone || waits(batch.central) && waits(batch.gateway);
        if !kept {
            return Err(format!("4: under a restriction {batch:?} does not wait"));
        }
    }
    Ok(suspended)
}

fn destroyed_at(story: &Story, batch: &Batch, place: usize) -> bool {
    let then = story.then(place);
    !then.restricted() && !causes(story, batch, then).is_empty()
}

/// An objection to marketing closes all marketing about that person, and changes nothing else.
pub(super) fn invariant_5(case: &Case<'_>) -> Found {
    let Some(without) = &case.unobjected else { return Ok(0) };
    let (view, seen) = (case.story.now(), &case.seen);
    if view.objects() && view.drives(Person::Anna) {
        for answers in [&seen.now, &seen.unset, &seen.unheard, &seen.later, &seen.back] {
            if answers[Flow::Offers as usize].is_ok() {
                return Err("5: marketing passed about a person who objects".into());
            }
        }
    }
    for flow in FLOWS.into_iter().filter(|flow| *flow != Flow::Offers) {
        let place = flow as usize;
        if seen.now[place] != without.now[place] || seen.unheard[place] != without.unheard[place] {
            return Err(format!("5: an objection to marketing changed {flow:?}"));
        }
        let of = |seen: &Seen| -> Vec<Batch> {
            seen.batches.iter().filter(|batch| batch.flow == flow).cloned().collect()
        };
        if of(seen) != of(without) {
            return Err(format!("5: an objection to marketing changed what {flow:?} had read"));
        }
    }
    Ok(1)
}

/// Readings go to the right asset, its people and its order, or to nobody.
pub(super) fn invariant_6(case: &Case<'_>) -> Found {
    let (view, seen) = (case.story.now(), &case.seen);
    if seen.stranger.iter().any(Result::is_ok) {
        return Err("6: a reading of another car passed".into());
    }
    let drivers: Vec<Person> = view.drivers().iter().map(|(driver, _)| *driver).collect();
    let mut named = 0;
    for answers in [&seen.now, &seen.unheard, &seen.back] {
        for (flow, answer) in flows(answers) {
            let Ok(under) = answer else { continue };
            named += 1;
            let order = if flow == Flow::Work { view.order() } else { None };
            if under.drivers != drivers || under.order != order {
                return Err(format!("6: {flow:?} passed under {under:?}, and it is {drivers:?}, {order:?}"));
            }
        }
    }
    // As often as the link or the order changed since something was read.
    let changed = |batch: &&Batch| {
        let read = case.story.then(batch.born);
        read.drivers() != view.drivers() || batch.flow == Flow::Work && read.order() != view.order()
    };
    let over = seen.batches.iter().filter(changed).count();
    Ok(if named == 0 { 0 } else { u64::try_from(over).expect("small") })
}

/// Consent of everyone named: of each driver, and of one at least.
pub(super) fn invariant_7(case: &Case<'_>) -> Found {
    let view = case.story.now();
    let drivers = view.drivers();
    let mut refused = 0;
    for (flow, answer) in flows(&case.seen.now).filter(|(flow, _)| flow.on_consent()) {
        let agree = drivers.iter().filter(|(driver, _)| view.consent(flow, *driver).is_some()).count();
        if drivers.is_empty() || agree < drivers.len() {
            refused += u64::from(drivers.len() == 2 && agree == 1);
            if answer.is_ok() {
                return Err(format!("7: {flow:?} passed on {agree} consents of {} drivers", drivers.len()));
            }
        }
    }
    Ok(refused)
}
