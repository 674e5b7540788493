//! Single promises about what is due.

use crate::drawn::{AT_MOST, EPOCH, PERIOD, READ, flow, kept, moment, rules_text};
use crate::world::{ANNE, BENT, DAY, ORDER, TRUCK, World, id, shipped};
use std::collections::BTreeSet;
use vernport_policy::{Due, Flow, Kept, Role, due};
use vernport_registry::*;
use vernport_types::*;

/// The truck with its owner and its driver, an order open, at the moment of the reading.
fn world() -> World {
    let mut world = World::empty(&rules_text());
    world.now = moment(0);
    world.link(ANNE, Role::Owner);
    world.link(BENT, Role::Driver);
    world.now = moment(READ);
    world.open_order();
    world
}

fn asked(world: &World, flow: &Flow) -> Due {
    due(&world.facts, &world.rules, &kept(flow), world.now)
}

fn days(n: u8) -> i64 {
    DAY * i64::from(n)
}

fn hold(ground: HoldGround, until: UtcMicros) -> Event {
    let scope = HoldScope::Flows { asset: Some(TRUCK), flows: BTreeSet::from([id("location")]) };
    Event::HoldSet(HoldSet { scope, ground, citation: id("case 9"), until })
}

#[test]
fn what_was_read_knows_its_people_and_its_order_by_the_time_of_the_reading() {
    let mut world = world();
    world.later(days(1)).close_order();
    world.unlink(BENT, Role::Driver);
    let flow = flow(&world.rules, "order-closed");
    let kept = Kept::read(&world.facts, &flow, TRUCK, moment(READ), EPOCH);
    assert_eq!(kept.subjects, [(Role::Owner, ANNE), (Role::Driver, BENT)]);
    assert_eq!(kept.order, Some(ORDER));
    let found = due(&world.facts, &world.rules, &kept, world.now);
    assert_eq!((found.started, found.at), (Some(moment(READ + 1)), moment(READ + 1 + PERIOD)));
    assert_eq!(found.rule, flow.retention.rule);
    let later = Kept::read(&world.facts, &flow, TRUCK, moment(READ + 1), EPOCH);
    assert_eq!((later.subjects, later.order), (vec![(Role::Owner, ANNE)], None));
}

#[test]
fn an_event_that_does_not_come_leaves_the_latest_time_and_a_late_one_does_not_move_it() {
    let mut world = world();
    let flow = flow(&world.rules, "vehicle-end-of-life");
    let cap = moment(READ + AT_MOST);
    let waiting = asked(&world, &flow);
    assert_eq!((waiting.started, waiting.at), (None, cap));
    world.later(days(AT_MOST - 1));
    let milestone = Milestone::VehicleEnded;
    world.say(Event::MilestoneReached(MilestoneReached { whom: Whom::Asset(TRUCK), milestone }));
    let late = asked(&world, &flow);
    assert_eq!((late.started, late.at), (Some(world.now), cap));
    assert!(!late.is_over(cap.plus_micros(-1)) && late.is_over(cap));
}

#[test]
fn an_envelope_of_an_older_bundle_keeps_its_latest_time() {
    let world = world();
    let flow = flow(&world.rules, "warranty-end");
    let kept = Kept { latest_due: moment(READ + 2), ..kept(&flow) };
    assert_eq!(due(&world.facts, &world.rules, &kept, world.now).at, moment(READ + 2));
}

#[test]
fn the_contact_of_a_new_owner_does_not_keep_what_was_read_of_the_old_one() {
    let mut world = world();
    let flow = flow(&world.rules, "last-interaction");
    let contact =
        |whom| Event::MilestoneReached(MilestoneReached { whom, milestone: Milestone::Interaction });
    world.later(days(1)).say(contact(Whom::Asset(TRUCK)));
    assert_eq!(asked(&world, &flow).at, moment(READ + 1 + PERIOD));
    world.later(days(1)).say(Event::OwnerChanged(OwnerChanged { asset: TRUCK, owners: vec![BENT] }));
    world.later(days(1)).say(contact(Whom::Asset(TRUCK)));
    assert_eq!(asked(&world, &flow).at, moment(READ + 1 + PERIOD), "the new owner's");
    world.later(days(1)).say(contact(Whom::Subject(ANNE)));
    assert_eq!(asked(&world, &flow).at, moment(READ + 4 + PERIOD), "her own, wherever");
}

#[test]
fn a_consent_given_again_is_for_what_is_read_later() {
    let mut world = World::empty(&rules_text());
    world.now = moment(0);
    world.link(BENT, Role::Driver);
    let template = flow(&world.rules, "consent-end");
    let give = |world: &mut World, seed| {
        world.say(Event::ConsentGiven(Consent {
            subject: BENT,
            role: Role::Driver,
            purpose: id("planning"),
            categories: template.categories.iter().copied().collect(),
            recipient: id("fleet"),
            processing: id("as the form says"),
            form: id("form-1"),
            text_hash: TextHash([8; 32]),
            language: id("nb"),
            method: Method::Screen,
            recorded_by: id("staff-7"),
            evidence: None,
            receipt: ReceiptCode::from_bytes([seed; 7]),
            valid_until: world.now.plus_seconds(DAY * 60),
        }))
    };
    give(&mut world, 1);
    world.now = moment(READ + 1);
    world.withdraw(BENT);
    world.later(days(1));
    give(&mut world, 2);
    let kept = Kept::read(&world.facts, &template, TRUCK, moment(READ), EPOCH);
    let before = due(&world.facts, &world.rules, &kept, world.now);
    assert_eq!((before.started, before.at), (Some(moment(READ + 1)), moment(READ + 1 + PERIOD)));
    let kept = Kept::read(&world.facts, &template, TRUCK, moment(READ + 2), EPOCH);
    assert_eq!(due(&world.facts, &world.rules, &kept, world.now).started, None);
}

#[test]
fn a_consent_keeps_what_was_read_no_longer_than_its_form_says() {
    let mut world = World::empty(shipped("cars-software"));
    let by_consent = |flow: &&Flow| {
        flow.retention.start == id("consent-end")
            && flow.roles.len() == 1
            && flow.basis == LegalBasis::Consent
    };
    let flow = world.rules.flows().iter().find(by_consent).expect("a flow by consent").clone();
    let fits =
        |form: &&vernport_policy::Form| form.purpose == flow.purpose && form.recipient == flow.recipient;
    let form = world.rules.forms().iter().find(fits).expect("its form").clone();
    world.link(ANNE, flow.roles[0]);
    let read_at = world.now;
    world.say(Event::ConsentGiven(Consent {
        subject: ANNE,
        role: flow.roles[0],
        purpose: form.purpose.clone(),
        categories: flow.categories.iter().copied().collect(),
        recipient: form.recipient.clone(),
        processing: id("as the form says"),
        form: form.slug.clone(),
        text_hash: TextHash([8; 32]),
        language: id("nb"),
        method: Method::Screen,
        recorded_by: id("staff-7"),
        evidence: None,
        receipt: ReceiptCode::from_bytes([3; 7]),
        valid_until: read_at.plus_seconds(DAY * 3_000),
    }));
    let end = form.valid.after(read_at, world.rules.zone());
    let kept = Kept::read(&world.facts, &flow, TRUCK, read_at, EPOCH);
    assert_eq!(due(&world.facts, &world.rules, &kept, end.plus_micros(-1)).started, None);
    assert_eq!(due(&world.facts, &world.rules, &kept, end).started, Some(end));
}

#[test]
fn a_hold_counts_if_the_bundle_knows_its_ground_and_no_longer_than_the_bundle_says() {
    let mut world = world();
    let flow = flow(&world.rules, "reading");
    let far = moment(100);
    world.say(hold(HoldGround::Query, far));
    let unknown = asked(&world, &flow);
    assert_eq!((unknown.at, unknown.held_by), (moment(READ + PERIOD), None), "no bundle rule");
    world.later(days(4));
    let incident = world.say(hold(HoldGround::Incident, far));
    let held = asked(&world, &flow);
    assert_eq!(held.at, moment(READ + 4 + 5), "five days after it was set");
    assert_eq!(held.held_by.map(|hold| (hold.entry, hold.until)), Some((incident, held.at)));
    assert!(held.is_held() && !held.is_over(held.at.plus_micros(-1)) && held.is_over(held.at));
    let dispute = world.say(hold(HoldGround::Dispute, far));
    let held = asked(&world, &flow);
    assert_eq!(
        (held.at, held.held_by.map(|hold| hold.entry)),
        (far, Some(dispute)),
        "even past the latest time"
    );
}

#[test]
fn an_exception_from_one_erasure_is_none_from_another_and_a_hold_stops_both() {
    let mut world = world();
    let flow = flow(&world.rules, "reading");
    let erase = |whom| {
        let (ground, case) = (ErasureGround::NoLongerNeeded, id("case 3"));
        Event::ErasureOrdered(Erasure { whom, purpose: None, ground, case })
    };
    let except = |erasure, until| {
        Event::ErasureExcepted(ErasureExcepted {
            erasure,
            exception: ErasureException::LegalClaim,
            scope: HoldScope::Epochs(BTreeSet::from([EPOCH])),
            reason: id("claim 4"),
            approver: id("lead-1"),
            until,
        })
    };
    world.later(days(1));
    let of_anne = world.say(erase(Whom::Subject(ANNE)));
    let ordered = world.now;
    assert_eq!((asked(&world, &flow).at, asked(&world, &flow).erased_by), (ordered, Some(of_anne)));
    let exception = world.say(except(of_anne, moment(30)));
    let excepted = asked(&world, &flow);
    assert_eq!((excepted.at, excepted.excepted_by), (moment(30), Some(exception)));
    world.later(days(1));
    let of_truck = world.say(erase(Whom::Asset(TRUCK)));
    let again = asked(&world, &flow);
    assert_eq!((again.at, again.erased_by, again.excepted_by), (world.now, Some(of_truck), None));
    world.say(hold(HoldGround::Dispute, moment(20)));
    let held = asked(&world, &flow);
    assert_eq!((held.at, held.is_held()), (moment(20), true));
    assert_eq!(held.erased_by, Some(of_truck), "and then it goes");
}

#[test]
fn a_restriction_suspends_the_deletion_whatever_its_time() {
    let mut world = world();
    let flow = flow(&world.rules, "reading");
    let (whom, case) = (Whom::Subject(BENT), id("case 5"));
    let ground = Ground::Unlawful;
    let restriction = world.say(Event::RestrictionSet(Restriction { whom, purpose: None, ground, case }));
    world.later(days(PERIOD + AT_MOST));
    let restricted = asked(&world, &flow);
    assert_eq!(restricted.restricted_by, Some(restriction));
    assert!(restricted.at < world.now && !restricted.is_over(world.now));
    world.say(Event::RestrictionLiftingAnnounced(RestrictionLifting {
        restriction,
        method: Method::Message,
        evidence: id("mail"),
    }));
    assert!(!asked(&world, &flow).is_over(world.now), "announcing lifts nothing");
    world.later(days(1)).say(Event::RestrictionLifted(RestrictionLifted { restriction }));
    assert!(asked(&world, &flow).is_over(world.now), "it was put off, not forgotten");
}
