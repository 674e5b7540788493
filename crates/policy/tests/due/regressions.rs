//! What went wrong elsewhere and must not go wrong here.

use crate::drawn::{EPOCH, flow, moment, rules_text};
use crate::world::{ANNE, DAY, ORDER, TRUCK, World, bay, id, shipped};
use std::collections::BTreeSet;
use vernport_policy::{Kept, Role, due, may_be_sent};
use vernport_registry::*;
use vernport_types::*;

/// A document store put a deletion off because of a hold, and nothing took it up
/// again when the hold was lifted (OpenTranscribe, issue 442).
#[test]
fn regression_a_deletion_that_a_hold_put_off_is_due_when_the_hold_is_lifted() {
    let mut world = World::empty(&rules_text());
    world.now = moment(0);
    world.link(ANNE, Role::Owner);
    let template = flow(&world.rules, "reading");
    let kept = Kept::read(&world.facts, &template, TRUCK, moment(0), EPOCH);
    let free = due(&world.facts, &world.rules, &kept, world.now).at;
    let scope = HoldScope::Epochs(BTreeSet::from([EPOCH]));
    let (ground, citation) = (HoldGround::Dispute, id("case 442"));
    let hold = world.say(Event::HoldSet(HoldSet { scope, ground, citation, until: moment(90) }));
    world.later(40 * DAY);
    let held = due(&world.facts, &world.rules, &kept, world.now);
    assert!(free < world.now && held.held_by.is_some() && !held.is_over(world.now));
    world.later(DAY).say(Event::HoldLifted(HoldLifted { hold }));
    let lifted = due(&world.facts, &world.rules, &kept, world.now);
    assert_eq!((lifted.at, lifted.held_by), (free, None), "the old time, not a new one");
    assert!(lifted.is_over(world.now), "at once");
    let mut ran_out = World::empty(&rules_text());
    ran_out.now = moment(0);
    let scope = HoldScope::Epochs(BTreeSet::from([EPOCH]));
    let citation = id("case 442");
    ran_out.say(Event::HoldSet(HoldSet { scope, ground, citation, until: moment(90) }));
    ran_out.now = moment(90);
    assert!(
        due(&ran_out.facts, &ran_out.rules, &kept, ran_out.now).is_over(ran_out.now),
        "nor when it ran out"
    );
}

/// An event store made a new key for an erased person when something was
/// appended, and the erased came back within reach (Cratis Chronicle, key lifecycle).
#[test]
fn regression_what_is_said_after_an_erasure_brings_nothing_of_before_back() {
    let mut world = World::ready(shipped("westrum"));
    world.link(ANNE, Role::Owner);
    let mut grants = world.grant().expect("an asset of interest").flows;
    let open = grants.pop().expect("an open flow");
    let opening = world.tables.opening(open.id).clone();
    let flow = world.rules.find(&open.flow).expect("of the bundle").clone();
    let before = Kept::read(&world.facts, &flow, TRUCK, world.now, EPOCH);
    let erased = world.later(60).now;
    let (ground, case) = (ErasureGround::NoLongerNeeded, id("case 11"));
    world.say(Event::ErasureOrdered(Erasure { whom: Whom::Subject(ANNE), purpose: None, ground, case }));
    // All that could make the person known again: a link, a contact, an account, another order.
    world.later(60).link(ANNE, Role::Owner);
    for milestone in [Milestone::Interaction, Milestone::AccountOpened] {
        world.say(Event::MilestoneReached(MilestoneReached { whom: Whom::Subject(ANNE), milestone }));
    }
    world.close_order();
    let second = OrderId::from_bytes([0x0E; 16]);
    assert_ne!(second, ORDER);
    let order = OrderOpened::new(second, TRUCK, bay(), world.later(60).now);
    world.say(Event::OrderOpened(order));

    let gone = due(&world.facts, &world.rules, &before, world.now);
    assert_eq!((gone.at, gone.erased_by.is_some()), (erased, true));
    assert!(gone.is_over(world.now));
    assert_eq!(may_be_sent(&world.facts, &world.rules, &opening, world.now), Err(Reason::Erased));
    let again = world.open_id(open.flow.as_str());
    assert_ne!(again, open.id, "another opening, so another key");
    let after = Kept::read(&world.facts, &flow, TRUCK, world.now, EpochId::from_bytes([0xED; 16]));
    let kept = due(&world.facts, &world.rules, &after, world.now);
    assert!(kept.erased_by.is_none() && !kept.is_over(world.now), "what is read afterwards stays");
}
