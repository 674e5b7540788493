//! Facts to grants: what opens, what closes, why, until when, and what becomes of
//! batches that are on the way. Numbers are those of the invariants in `tests/README.md`.

mod world;

use vernport_policy::{Role, Wider, closing_reason, may_be_sent, may_be_used, no_wider};
use vernport_registry::{
    Against, Erasure, ErasureGround, Event, Ground, Link, Method, Objection, ObjectionOutcome, PrivateMode,
    RecipientKeyRevoked, Restriction, RestrictionLifted, RestrictionLifting, Whom,
};
use vernport_types::{Fate, GrantId, LegalBasis, Reason, UtcMicros};
use world::{ANNE, BENT, DAY, HOUR, NOON, TRUCK, World, example, id};

const REMINDER: &str = "maintenance-reminder";

fn westrum() -> World {
    World::ready(example("westrum"))
}

fn fleet() -> World {
    World::ready(example("example-fleet"))
}

fn object(world: &mut World, against: Against) -> vernport_types::EntryHash {
    world.say(Event::ObjectionRaised(Objection {
        subject: ANNE,
        against,
        method: Method::Message,
        recorded_by: None,
    }))
}

fn restrict(world: &mut World, whom: Whom) -> vernport_types::EntryHash {
    let restriction =
        Restriction { whom, purpose: None, ground: Ground::AccuracyDisputed, case: id("case 1") };
    world.say(Event::RestrictionSet(restriction))
}

/// What happens to batches of an opening now.
fn sending(world: &World, grant: GrantId) -> Result<(), Reason> {
    may_be_sent(&world.facts, &world.rules, world.tables.opening(grant), world.now)
}

/// 1. Deny by default: each thing that is missing closes, by its own reason.
#[test]
fn nothing_opens_before_notice_key_and_order() {
    let mut world = World::empty(example("westrum"));
    assert_eq!(world.grant(), None, "nobody waits for the truck");
    world.open_order();
    assert_eq!(world.closed("workshop"), Some(Reason::NoticeNotServed));
    world.serve("westrum-0");
    assert_eq!(world.closed("workshop"), Some(Reason::NoticeNotServed), "that was another notice");
    world.serve_notices();
    assert_eq!(world.closed("workshop"), Some(Reason::RecipientKeyMissing));
    world.activate_keys();
    assert_eq!(world.closed("workshop"), None);
    assert_eq!(world.closed(REMINDER), Some(Reason::RoleMissing));
}

#[test]
fn a_newer_notice_binds_from_when_it_is_served() {
    let text = example("westrum").replace(
        "[[notice]]",
        "[[notice]]\nversion = \"westrum-0\"\nserved_when = \"recorded\"\ncategories = [\"odometer\"]\n\
         clauses = [\"WEST-2.4\"]\n\n[[notice]]",
    );
    let mut world = World::empty(&text);
    world.activate_keys();
    world.open_order();
    world.serve("westrum-0");
    assert_eq!(
        world.closed("workshop"),
        Some(Reason::NoticeNotServed),
        "component status is in the newer one"
    );
    world.serve("westrum-1");
    assert_eq!(world.closed("workshop"), None);
    // A newer notice that lists less takes away, once it is served.
    let less = example("westrum").replace(
        "[[purpose]]\nid = \"service-delivery\"",
        "[[notice]]\nversion = \"westrum-2\"\nserved_when = \"recorded\"\ncategories = [\"odometer\"]\n\
         clauses = [\"WEST-2.4\"]\n\n[[purpose]]\nid = \"service-delivery\"",
    );
    let mut world = World::empty(&less);
    world.activate_keys();
    world.open_order();
    world.serve("westrum-1");
    assert_eq!(world.closed("workshop"), None);
    world.serve("westrum-2");
    assert_eq!(world.closed("workshop"), Some(Reason::CategoryNotInNotice));
}

/// 2. An order that ends normally closes the flow, and lets its batches go.
#[test]
fn an_order_opens_until_its_end_and_its_batches_go_on() {
    let mut world = westrum();
    let grant = world.grant().expect("an asset of interest");
    let workshop = grant.flows.iter().find(|flow| flow.flow == id("workshop")).expect("open");
    assert_eq!(workshop.basis, LegalBasis::Contract);
    assert_eq!(workshop.believe.until, NOON.plus_seconds(72 * HOUR));
    assert_eq!(workshop.believe.ends_as, Reason::OrderNotOpen);
    assert_eq!(workshop.believe.lease_seconds, None);
    let opening = workshop.id;
    world.later(HOUR).close_order();
    assert_eq!(world.grant(), None);
    assert_eq!(sending(&world, opening), Ok(()));
    let opening = world.tables.opening(opening).clone();
    assert_eq!(closing_reason(&world.facts, &world.rules, &opening, world.now), Reason::OrderNotOpen);
    assert_eq!(Reason::OrderNotOpen.fate(), Fate::Send);
}

#[test]
fn a_forgotten_order_ends_by_itself() {
    let mut world = westrum();
    world.later(72 * HOUR - 1);
    assert_eq!(world.closed("workshop"), None);
    world.later(1);
    assert_eq!(world.grant(), None);
}

/// 7. Consent of everyone named.
#[test]
fn consent_is_needed_of_everybody_in_the_role() {
    let mut world = westrum();
    world.link(ANNE, Role::Driver);
    world.consent(ANNE, Role::Driver, REMINDER);
    assert_eq!(world.closed(REMINDER), Some(Reason::RoleMissing), "a driver is no owner");
    world.link(ANNE, Role::Owner);
    assert_eq!(world.closed(REMINDER), Some(Reason::ConsentMissing), "she consented as a driver");
    world.consent(ANNE, Role::Owner, REMINDER);
    assert_eq!(world.closed(REMINDER), None);
    world.link(BENT, Role::Owner);
    assert_eq!(world.closed(REMINDER), Some(Reason::ConsentMissing));
    world.consent(BENT, Role::Owner, REMINDER);
    assert_eq!(world.closed(REMINDER), None);
    world.unlink(BENT, Role::Owner);
    assert_eq!(world.closed(REMINDER), None);
}

/// 2 and 3. What is withdrawn stops, also in the queue; a consent given again does not bring it back.
#[test]
fn withdrawal_closes_the_flow_and_destroys_what_waits() {
    let mut world = westrum();
    world.link(ANNE, Role::Owner);
    world.consent(ANNE, Role::Owner, REMINDER);
    let (reminder, workshop) = (world.open_id(REMINDER), world.open_id("workshop"));
    world.later(HOUR).withdraw(ANNE);
    assert_eq!(world.closed(REMINDER), Some(Reason::ConsentWithdrawn));
    assert_eq!(sending(&world, reminder), Err(Reason::ConsentWithdrawn));
    assert_eq!(Reason::ConsentWithdrawn.fate(), Fate::Destroy);
    assert_eq!(world.open_id("workshop"), workshop, "the contract goes on under the same opening");
    assert_eq!(sending(&world, workshop), Ok(()));
    world.later(HOUR).consent(ANNE, Role::Owner, REMINDER);
    assert_ne!(world.open_id(REMINDER), reminder, "a consent given again is another opening");
}

/// 3. Expiry equals withdrawal.
#[test]
fn an_expired_consent_closes_as_a_withdrawn_one() {
    let mut world = fleet();
    world.link(ANNE, Role::Driver);
    world.consent(ANNE, Role::Driver, "eco-coaching");
    let grant = world.grant().expect("an asset of interest");
    let coaching = grant.flows.iter().find(|flow| flow.flow == id("eco-coaching")).expect("open");
    assert_eq!(coaching.believe.lease_seconds, Some(300));
    assert!(coaching.believe.until <= NOON.plus_seconds(30 * DAY));
    let opening = coaching.id;
    world.later(29 * DAY);
    world.say(Event::OrderOpened(vernport_registry::OrderOpened::new(
        vernport_types::OrderId::from_bytes([0x0E; 16]),
        TRUCK,
        world::bay(),
        world.now,
    )));
    let grant = world.grant().expect("an asset of interest");
    let coaching = grant.flows.iter().find(|flow| flow.flow == id("eco-coaching")).expect("open");
    assert_eq!(coaching.believe.until, NOON.plus_seconds(30 * DAY));
    assert_eq!(coaching.believe.ends_as, Reason::ConsentExpired);
    world.later(DAY);
    assert_eq!(world.closed("eco-coaching"), Some(Reason::ConsentExpired));
    assert_eq!(sending(&world, opening), Err(Reason::ConsentExpired));
}

#[test]
fn a_new_person_closes_a_consent_flow_but_not_what_was_read_before() {
    let mut world = westrum();
    world.link(ANNE, Role::Owner);
    world.consent(ANNE, Role::Owner, REMINDER);
    let before = world.open_id(REMINDER);
    world.link(BENT, Role::Owner);
    assert_eq!(world.closed(REMINDER), Some(Reason::ConsentMissing));
    assert_eq!(sending(&world, before), Ok(()), "everybody concerned then had consented");
}

#[test]
fn a_link_with_an_end_bounds_how_long_consent_is_believed() {
    let mut world = westrum();
    let until = Some(NOON.plus_seconds(2 * HOUR));
    world.say(Event::Linked(Link { asset: TRUCK, subject: ANNE, role: Role::Owner, until }));
    world.consent(ANNE, Role::Owner, REMINDER);
    let grant = world.grant().expect("an asset of interest");
    let reminder = grant.flows.iter().find(|flow| flow.flow == id(REMINDER)).expect("open");
    assert_eq!(reminder.believe.until, NOON.plus_seconds(2 * HOUR));
    assert_eq!(reminder.believe.ends_as, Reason::RoleMissing);
    world.later(2 * HOUR);
    assert_eq!(world.closed(REMINDER), Some(Reason::RoleMissing));
}

/// 4. Restriction suspends, and nothing of it is destroyed.
#[test]
fn restriction_parks_until_it_is_lifted_after_the_notice() {
    for whom in [Whom::Asset(TRUCK), Whom::Subject(ANNE)] {
        let mut world = westrum();
        world.link(ANNE, Role::Deliverer);
        let opening = world.open_id("workshop");
        let restriction = restrict(world.later(1), whom);
        assert_eq!(world.closed("workshop"), Some(Reason::Restricted));
        assert_eq!(sending(&world, opening), Err(Reason::Restricted));
        assert_eq!(Reason::Restricted.fate(), Fate::Park);
        world.later(1);
        let evidence = id("letter 1");
        world.say(Event::RestrictionLiftingAnnounced(RestrictionLifting {
            restriction,
            method: Method::Paper,
            evidence,
        }));
        assert_eq!(world.closed("workshop"), Some(Reason::Restricted), "announced is not lifted");
        world.later(1).say(Event::RestrictionLifted(RestrictionLifted { restriction }));
        assert_eq!(world.closed("workshop"), None);
        assert_eq!(sending(&world, opening), Ok(()));
    }
}

/// 4. Restriction suspends deletion, too: what would destroy a batch waits until it is lifted.
#[test]
fn under_a_restriction_nothing_destroys_a_batch_and_nobody_uses_it() {
    let mut world = westrum();
    world.link(ANNE, Role::Owner);
    world.consent(ANNE, Role::Owner, REMINDER);
    let opening = world.open_id(REMINDER);
    let restriction = restrict(world.later(1), Whom::Subject(ANNE));
    world.later(1).withdraw(ANNE);
    assert_eq!(sending(&world, opening), Err(Reason::Restricted));
    let opened = world.tables.opening(opening).clone();
    let used = |world: &World| may_be_used(&world.facts, &world.rules, &opened, world.now);
    assert_eq!(used(&world), Err(Reason::Restricted));
    let evidence = id("letter 1");
    let told = RestrictionLifting { restriction, method: Method::Paper, evidence };
    world.later(1).say(Event::RestrictionLiftingAnnounced(told));
    world.later(1).say(Event::RestrictionLifted(RestrictionLifted { restriction }));
    assert_eq!(sending(&world, opening), Err(Reason::ConsentWithdrawn), "now it goes");
    assert_eq!(used(&world), Ok(()), "withdrawal is not retroactive");
    object(world.later(1), Against::Marketing);
    assert_eq!(used(&world), Ok(()), "a reminder is no marketing");
}

/// 2 and 4. While it is restricted nobody sees that the consent ended. It did, and a new one is not for it.
#[test]
fn a_consent_given_again_under_a_restriction_is_not_for_what_was_read_before_it() {
    let lift = |world: &mut World, restriction| {
        let evidence = id("letter 1");
        let told = RestrictionLifting { restriction, method: Method::Paper, evidence };
        world.later(1).say(Event::RestrictionLiftingAnnounced(told));
        world.later(1).say(Event::RestrictionLifted(RestrictionLifted { restriction }));
    };
    for (pause, reason) in [(1, Reason::ConsentWithdrawn), (4_000 * DAY, Reason::ConsentExpired)] {
        let mut world = westrum();
        world.link(ANNE, Role::Owner);
        world.consent(ANNE, Role::Owner, REMINDER);
        let opening = world.open_id(REMINDER);
        let restriction = restrict(world.later(1), Whom::Subject(ANNE));
        world.later(pause);
        if reason == Reason::ConsentWithdrawn {
            world.withdraw(ANNE);
        }
        world.later(1).consent(ANNE, Role::Owner, REMINDER);
        assert_eq!(sending(&world, opening), Err(Reason::Restricted));
        lift(&mut world, restriction);
        assert_eq!(sending(&world, opening), Err(reason));
    }
    // Given again before the first ended, nothing ended.
    let mut world = westrum();
    world.link(ANNE, Role::Owner);
    world.consent(ANNE, Role::Owner, REMINDER);
    let opening = world.open_id(REMINDER);
    let restriction = restrict(world.later(1), Whom::Subject(ANNE));
    world.later(1).consent(ANNE, Role::Owner, REMINDER);
    lift(&mut world, restriction);
    assert_eq!(sending(&world, opening), Ok(()));
}

/// 5. An objection stops what rests on an interest, never the administration.
#[test]
fn an_objection_is_weighed_for_an_interest_and_stops_no_contract() {
    let mut world = World::ready(example("cars-software"));
    world.link(ANNE, Role::Driver);
    let improve = world.open_id("improve-services");
    let objection = object(world.later(1), Against::Purpose(id("improve-services")));
    assert_eq!(world.closed("improve-services"), Some(Reason::ObjectionPending));
    assert_eq!(sending(&world, improve), Err(Reason::ObjectionPending));
    let outcome = ObjectionOutcome { objection, reasons: id("memo 4"), decided_by: id("staff-9") };
    world.later(1).say(Event::ObjectionUpheld(outcome));
    assert_eq!(world.closed("improve-services"), Some(Reason::ObjectionUpheld));
    assert_eq!(sending(&world, improve), Err(Reason::ObjectionUpheld));
    object(world.later(1), Against::Purpose(id("service-delivery")));
    object(&mut world, Against::Marketing);
    assert_eq!(world.closed("service-delivery"), None, "a contract is not objected to");
    assert_eq!(world.closed("customer-report"), None);
}

/// 5. Against marketing it is absolute, also where consent was given.
#[test]
fn a_marketing_objection_closes_at_once_whatever_the_basis() {
    let text = example("westrum").replace(
        "clauses = [\"WEST-8.1\"]\nassumed = true\n\n# Newsletters",
        "clauses = [\"WEST-8.1\"]\nmarketing = true\n\n# Newsletters",
    );
    let mut world = World::ready(&text);
    world.link(ANNE, Role::Owner);
    world.consent(ANNE, Role::Owner, REMINDER);
    let opening = world.open_id(REMINDER);
    let objection = object(world.later(1), Against::Marketing);
    assert_eq!(world.closed(REMINDER), Some(Reason::ObjectionUpheld));
    assert_eq!(sending(&world, opening), Err(Reason::ObjectionUpheld));
    assert_eq!(world.closed("workshop"), None);
    world.later(1).void(objection);
    assert_eq!(world.closed(REMINDER), None);
}

#[test]
fn private_mode_closes_what_tells_of_the_driver_and_nothing_else() {
    let mut world = fleet();
    let before = world.open_id("route-planning");
    world.later(1).say(Event::PrivateModeStarted(PrivateMode { asset: TRUCK }));
    assert_eq!(world.closed("route-planning"), Some(Reason::PrivateMode));
    assert_eq!(world.closed("maintenance"), None);
    assert_eq!(sending(&world, before), Ok(()), "it was read before the private trip");
    let opening = world.tables.opening(before).clone();
    assert_eq!(closing_reason(&world.facts, &world.rules, &opening, world.now), Reason::PrivateMode);
    world.later(1).say(Event::PrivateModeEnded(PrivateMode { asset: TRUCK }));
    assert_eq!(world.closed("route-planning"), None);
}

/// A mistake never had a basis: what rested on it goes.
#[test]
fn a_voided_entry_closes_and_destroys() {
    let mut world = westrum();
    world.link(ANNE, Role::Owner);
    let consent = world.consent(ANNE, Role::Owner, REMINDER);
    let opening = world.open_id(REMINDER);
    world.later(1).void(consent);
    assert_eq!(world.closed(REMINDER), Some(Reason::ConsentMissing));
    assert_eq!(sending(&world, opening), Err(Reason::EntryVoided));
    let mut world = World::empty(example("westrum"));
    world.serve_notices();
    world.activate_keys();
    let order = world.open_order();
    let workshop = world.open_id("workshop");
    world.later(1).void(order);
    assert_eq!(world.grant(), None);
    assert_eq!(sending(&world, workshop), Err(Reason::EntryVoided));
}

/// 11. An erasure is a fence: what was opened before it goes, what opens after it is another opening.
#[test]
fn an_erasure_ends_every_opening_before_it() {
    let mut world = westrum();
    let before = world.open_id("workshop");
    world.later(1).say(Event::ErasureOrdered(Erasure {
        whom: Whom::Asset(TRUCK),
        purpose: None,
        ground: ErasureGround::NoLongerNeeded,
        case: id("case 2"),
    }));
    let after = world.open_id("workshop");
    assert_ne!(before, after);
    assert_eq!(sending(&world, before), Err(Reason::Erased));
    assert_eq!(sending(&world, after), Ok(()));
}

#[test]
fn an_agreement_that_ran_out_and_a_revoked_key_close_their_recipient_only() {
    let text = example("westrum").replace("until = 2031-01-01", "until = 2026-11-22");
    let mut world = World::ready(&text);
    // Midnight in Oslo is 23 h UTC of the day before.
    let end = UtcMicros(NOON.0 + 35 * HOUR * 1_000_000);
    let grant = world.grant().expect("an asset of interest");
    let report = grant.flows.iter().find(|flow| flow.flow == id("customer-report")).expect("open");
    assert_eq!((report.believe.until, report.believe.ends_as), (end, Reason::AgreementMissing));
    let opening = report.id;
    world.later(35 * HOUR);
    assert_eq!(world.closed("customer-report"), Some(Reason::AgreementMissing));
    assert_eq!(sending(&world, opening), Err(Reason::AgreementMissing));
    assert_eq!(world.closed("workshop"), None);
    let key = world::key("westrum-workshop", "service-delivery").key_id();
    world.say(Event::RecipientKeyRevoked(RecipientKeyRevoked { key }));
    assert_eq!(world.closed("workshop"), Some(Reason::RecipientKeyMissing));
    assert_eq!(world.closed("warranty"), None);
}

#[test]
fn a_transfer_tool_that_ran_out_stops_the_flow() {
    let text = example("cars-software").replace(
        "role = \"customer\"\nregion = \"NO\"",
        "role = \"customer\"\nregion = \"US\"\n\
         transfer = { tool = \"adequacy\", reference = \"dpf\", until = 2026-11-21 }",
    );
    let mut world = World::ready(&text);
    assert_eq!(world.closed("customer-report"), None);
    world.later(11 * HOUR);
    assert_eq!(world.closed("customer-report"), Some(Reason::TransferNotAllowed));
}

/// Invariant 9: one alias per recipient, purpose and year; one grant id per state of things.
#[test]
fn aliases_differ_by_recipient_and_purpose_and_change_with_the_year() {
    let mut world = westrum();
    let first = world.grant().expect("an asset of interest");
    assert_eq!(world.grant().as_ref(), Some(&first), "the same question, the same answer");
    let alias = |flow: &str| first.flows.iter().find(|f| f.flow == id(flow)).expect("open").alias;
    assert_ne!(alias("workshop"), alias("warranty"), "another purpose");
    assert_ne!(alias("workshop"), alias("customer-report"), "another recipient");
    // 31 December 2026, 23:30 UTC is the year 2027 in Oslo.
    let mut world = westrum();
    world.later(41 * DAY + 10 * HOUR);
    world.say(Event::OrderOpened(vernport_registry::OrderOpened::new(
        vernport_types::OrderId::from_bytes([0x0E; 16]),
        TRUCK,
        world::bay(),
        world.now,
    )));
    let old = world.open_id("workshop");
    world.later(3 * HOUR / 2);
    assert_ne!(world.open_id("workshop"), old, "another alias is another opening");
}

#[test]
fn each_change_of_what_it_rests_on_is_another_opening() {
    let mut world = westrum();
    let first = world.open_id("workshop");
    world.link(ANNE, Role::Owner);
    let linked = world.open_id("workshop");
    assert_ne!(first, linked);
    world.later(HOUR);
    assert_eq!(world.open_id("workshop"), linked, "time alone changes nothing");
    world.unlink(ANNE, Role::Owner);
    assert_eq!(world.open_id("workshop"), first, "the same state of things is the same opening");
}

#[test]
fn a_grant_stays_within_the_bundle_or_is_refused() {
    let mut world = fleet();
    world.link(ANNE, Role::Driver);
    world.consent(ANNE, Role::Driver, "eco-coaching");
    let grant = world.grant().expect("an asset of interest");
    assert_eq!(grant.flows.len(), 3);
    assert_eq!(no_wider(&grant, &world.rules, NOON), Ok(()));
    let refuse = |change: &dyn Fn(&mut vernport_policy::Grant)| {
        let mut wider = grant.clone();
        change(&mut wider);
        no_wider(&wider, &world.rules, NOON).expect_err("a wider grant")
    };
    let flow = id("route-planning");
    assert_eq!(refuse(&|g| g.flows[1].flow = id("all-of-it")), Wider::UnknownFlow { flow: id("all-of-it") });
    assert_eq!(refuse(&|g| g.flows.push(g.flows[1].clone())), Wider::Twice { flow: id("route-planning") });
    assert!(matches!(refuse(&|g| g.flows[1].basis = LegalBasis::Contract), Wider::Basis { .. }));
    let long = Wider::TooLong { flow };
    assert_eq!(refuse(&|g| g.flows[1].believe.lease_seconds = Some(121)), long, "the bundle says PT2M");
    assert_eq!(refuse(&|g| g.flows[1].believe.lease_seconds = None), long);
    assert_eq!(refuse(&|g| g.flows[1].believe.until = NOON.plus_seconds(30 * DAY + 1)), long);
    assert_eq!(refuse(&|g| g.order = None), Wider::NoOrder { flow: id("maintenance") });
    assert!(matches!(refuse(&|g| g.flows[1].rests_on.clear()), Wider::RestsOnNothing { .. }));
}
