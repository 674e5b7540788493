//! Each invariant can fail: handed an outcome that was falsified, it refuses it.

use super::{
    invariants::{
        Case, invariant_1, invariant_2, invariant_3, invariant_4, invariant_5, invariant_6, invariant_7,
    },
    line::{Batch, Ground, Under},
    story::{BARE, Flow, Person, READY, Story, What},
    walk::Worlds,
};
use vernport_policy::Standing;
use vernport_types::Reason;

const WORK: usize = Flow::Work as usize;
const UPKEEP: usize = Flow::Upkeep as usize;
const COACHING: usize = Flow::Coaching as usize;
const OFFERS: usize = Flow::Offers as usize;

/// The true outcome of a ledger, in which an invariant has something to say, and what is falsified in it.
fn refuses(
    invariant: fn(&Case<'_>) -> Result<u64, String>,
    steps: &[What],
    falsifications: &[fn(&mut Case<'_>)],
) {
    let ground = Ground::new();
    let ready = BARE.into_iter().chain(READY);
    let mut worlds = Worlds::after(&ground, ready.chain(steps.iter().copied()));
    let case = worlds.look(&ground);
    assert!(invariant(&case).expect("true") > 0, "has nothing to say after {steps:?}");
    for (n, falsify) in falsifications.iter().enumerate() {
        let mut case = case.clone();
        falsify(&mut case);
        assert!(invariant(&case).is_err(), "falsification {n} of {steps:?} was not refused");
    }
}

/// What a flow read last.
fn last<'a>(case: &'a mut Case<'_>, flow: Flow) -> &'a mut Batch {
    case.seen.batches.iter_mut().rfind(|batch| batch.flow == flow).expect("was read")
}

const fn nobody() -> Under {
    Under { drivers: Vec::new(), order: None }
}

#[test]
fn invariant_1_refuses_what_passes_by_default() {
    refuses(
        invariant_1,
        &[What::CloseOrder],
        &[
            |case| case.seen.now[WORK] = Ok(nobody()),
            |case| case.seen.nameless = true,
            |case| case.seen.unset[UPKEEP] = Ok(nobody()),
            |case| case.seen.unheard[COACHING] = Ok(nobody()),
            |case| case.seen.later[WORK] = Ok(nobody()),
        ],
    );
    let passes = |case: &mut Case<'_>| case.seen.now[COACHING] = Ok(nobody());
    refuses(invariant_1, &[What::Withdraw(Person::Anna)], &[passes]);
    refuses(invariant_1, &[What::Unlink(Person::Anna)], &[passes]);
}

#[test]
fn invariant_2_refuses_each_wrong_fate_of_a_batch() {
    // The order ended: its batch goes on.
    refuses(
        invariant_2,
        &[What::CloseOrder],
        &[
            |case| last(case, Flow::Work).central = Standing::Destroy(Reason::OrderNotOpen),
            |case| last(case, Flow::Work).gateway = Standing::Park(Reason::Restricted),
        ],
    );
    // Consent was withdrawn: its batch is destroyed, for that reason, and the others go on.
    refuses(
        invariant_2,
        &[What::Withdraw(Person::Anna)],
        &[
            |case| last(case, Flow::Coaching).central = Standing::Send,
            |case| last(case, Flow::Coaching).gateway = Standing::Destroy(Reason::EntryVoided),
            |case| last(case, Flow::Work).gateway = Standing::Destroy(Reason::ConsentWithdrawn),
        ],
    );
    // The order was a mistake.
    refuses(
        invariant_2,
        &[What::OpenOrder, What::Void],
        &[|case| {
            let batch = case.seen.batches.iter_mut().rfind(|batch| batch.flow == Flow::Work && !batch.open);
            batch.expect("of the second order").central = Standing::Send;
        }],
    );
    // Restricted: all waits.
    refuses(
        invariant_2,
        &[What::Restrict],
        &[
            |case| last(case, Flow::Upkeep).gateway = Standing::Send,
            |case| last(case, Flow::Upkeep).central = Standing::Destroy(Reason::Restricted),
        ],
    );
}

#[test]
fn invariant_3_refuses_an_expiry_that_differs_from_a_withdrawal_and_a_clock_that_reopens() {
    refuses(
        invariant_3,
        &[What::Expire],
        &[
            |case| case.seen.now[COACHING] = Ok(nobody()),
            |case| case.seen.now[COACHING] = Err(Reason::ConsentMissing),
            |case| last(case, Flow::Coaching).gateway = Standing::Send,
            |case| case.seen.back[UPKEEP] = Ok(nobody()),
        ],
    );
}

#[test]
fn invariant_4_refuses_use_and_destruction_under_a_restriction_and_an_unannounced_end() {
    refuses(
        invariant_4,
        &[What::Restrict, What::Withdraw(Person::Anna)],
        &[
            |case| case.seen.now[WORK] = Ok(nobody()),
            |case| last(case, Flow::Coaching).central = Standing::Destroy(Reason::ConsentWithdrawn),
            |case| last(case, Flow::Work).gateway = Standing::Send,
        ],
    );
    // A ledger would not take this.
    let ground = Ground::new();
    let mut worlds = Worlds::after(&ground, BARE.into_iter().chain(READY).chain([What::Restrict]));
    assert!(!worlds.step(&ground, What::Lift), "nobody was told");
    let mut story: Story = worlds.story.clone();
    story.push(story.next(What::Lift));
    let case = Case { story: &story, ..worlds.look(&ground) };
    assert!(invariant_4(&case).is_err(), "lifted unannounced");
}

#[test]
fn invariant_5_refuses_marketing_after_an_objection_and_any_other_change_by_it() {
    refuses(
        invariant_5,
        &[What::Object],
        &[
            |case| case.seen.now[OFFERS] = Ok(nobody()),
            |case| case.seen.now[WORK] = Err(Reason::ObjectionUpheld),
            |case| case.seen.now[COACHING] = Err(Reason::ObjectionUpheld),
            |case| last(case, Flow::Upkeep).central = Standing::Destroy(Reason::ObjectionUpheld),
        ],
    );
}

#[test]
fn invariant_6_refuses_another_car_other_people_and_another_order() {
    refuses(
        invariant_6,
        &[What::Link(Person::Bent), What::Give(Person::Bent)],
        &[
            |case| case.seen.stranger[WORK] = Ok(nobody()),
            |case| case.seen.now[COACHING] = Ok(Under { drivers: vec![Person::Anna], order: None }),
            |case| case.seen.now[WORK] = Ok(Under { drivers: vec![Person::Anna, Person::Bent], order: None }),
        ],
    );
}

#[test]
fn invariant_7_refuses_the_consent_of_one_of_two_and_of_nobody() {
    let passes = |case: &mut Case<'_>| case.seen.now[COACHING] = Ok(nobody());
    refuses(invariant_7, &[What::Link(Person::Bent)], &[passes]);
    refuses(
        invariant_7,
        &[What::Link(Person::Bent), What::Give(Person::Bent)],
        &[|case| {
            case.seen.now[OFFERS] = Ok(nobody());
        }],
    );
}
