//! Which messages may be sent to whom, by the shipped rules of Cars and of Westrum.

mod world;

use std::collections::BTreeSet;
use vernport_policy::{MessageBasis, Role, may_send};
use vernport_registry::*;
use vernport_types::*;
use world::{ANNE, BENT, DAY, TRUCK, World, id, shipped};

const ADMINISTRATIVE: [&str; 5] =
    ["order-confirmation", "invoice", "account-notice", "service-notice", "security-notice"];
const MARKETING: [&str; 3] = ["similar-goods", "tailored-offers", "newsletter"];

fn cars() -> World {
    let mut world = World::empty(shipped("cars-software"));
    world.serve_notices();
    world.link(ANNE, Role::Owner);
    world
}

fn asked(world: &World, message: &str, to: SubjectId) -> Result<MessageBasis, Reason> {
    may_send(&world.facts, &world.rules, &id(message), to, true, world.now)
}

/// Consent of a person on the form of a message, for so many days.
fn consents(world: &mut World, to: SubjectId, message: &str, days: i64) -> EntryHash {
    let slug: Slug = id(message);
    let message = world.rules.messages().iter().find(|known| known.slug == slug).expect("a message").clone();
    let form = world.rules.form(message.form.as_ref().expect("by consent")).expect("a form").clone();
    let receipt = ReceiptCode::from_bytes([u8::try_from(days % 251).expect("small"); 7]);
    world.say(Event::ConsentGiven(Consent {
        subject: to,
        role: Role::Orderer,
        purpose: form.purpose,
        categories: message.categories.iter().copied().collect(),
        recipient: form.recipient,
        processing: id("as the form says"),
        form: form.slug,
        text_hash: TextHash([8; 32]),
        language: id("nb"),
        method: Method::Web,
        recorded_by: id("staff-7"),
        evidence: None,
        receipt,
        valid_until: world.now.plus_seconds(days * DAY),
    }))
}

fn objects(world: &mut World, who: SubjectId, against: Against) -> EntryHash {
    world.say(Event::ObjectionRaised(Objection {
        subject: who,
        against,
        method: Method::Message,
        recorded_by: None,
    }))
}

fn reached(world: &mut World, whom: Whom, milestone: Milestone) {
    world.say(Event::MilestoneReached(MilestoneReached { whom, milestone }));
}

#[test]
fn an_objection_to_marketing_stops_every_marketing_message_and_no_administrative_one() {
    let mut world = cars();
    consents(&mut world, ANNE, "newsletter", 90);
    for message in ADMINISTRATIVE {
        assert_eq!(asked(&world, message, ANNE), Ok(MessageBasis::Administrative), "{message}");
    }
    for message in MARKETING {
        let basis = asked(&world, message, ANNE).unwrap_or_else(|e| panic!("{message}: {e}"));
        assert_ne!(basis, MessageBasis::Administrative, "{message}");
    }
    let before = world.now;
    world.later(60);
    let objection = objects(&mut world, ANNE, Against::Marketing);
    for message in MARKETING {
        assert_eq!(asked(&world, message, ANNE), Err(Reason::ObjectionUpheld), "{message}");
        let then = may_send(&world.facts, &world.rules, &id(message), ANNE, true, before);
        assert!(then.is_ok(), "{message}: what was sent before was lawful");
    }
    for message in ADMINISTRATIVE {
        assert_eq!(asked(&world, message, ANNE), Ok(MessageBasis::Administrative), "{message}");
    }
    // A consent or another contact later does not outweigh it; a mistake does not reach back.
    world.later(60);
    consents(&mut world, ANNE, "newsletter", 91);
    reached(&mut world, Whom::Subject(ANNE), Milestone::AccountOpened);
    assert_eq!(asked(&world, "newsletter", ANNE), Err(Reason::ObjectionUpheld));
    world.later(60).void(objection);
    assert!(asked(&world, "newsletter", ANNE).is_ok());
    let meanwhile = world.now.plus_seconds(-60);
    let then = may_send(&world.facts, &world.rules, &id("newsletter"), ANNE, true, meanwhile);
    assert_eq!(then, Err(Reason::ObjectionUpheld));
}

#[test]
fn similar_goods_are_offered_to_existing_customers_only() {
    let mut world = cars();
    let offered = |world: &World, to| asked(world, "similar-goods", to);
    assert!(matches!(offered(&world, ANNE), Ok(MessageBasis::SimilarGoods { .. })));
    assert_eq!(offered(&world, BENT), Err(Reason::ConsentMissing), "nobody knows him");
    reached(&mut world, Whom::Subject(BENT), Milestone::Interaction);
    assert_eq!(offered(&world, BENT), Err(Reason::ConsentMissing), "he asked a question and bought nothing");
    let other = may_send(&world.facts, &world.rules, &id("similar-goods"), ANNE, false, world.now);
    assert_eq!(other, Err(Reason::ConsentMissing), "about other goods");
    world.later(60);
    reached(&mut world, Whom::Subject(ANNE), Milestone::RelationshipEnded);
    assert_eq!(offered(&world, ANNE), Err(Reason::ConsentMissing), "no longer a customer");
    world.later(60);
    reached(&mut world, Whom::Subject(ANNE), Milestone::Interaction);
    assert_eq!(offered(&world, ANNE), Err(Reason::ConsentMissing), "asking for a copy is no purchase");
    world.link(ANNE, Role::Orderer);
    assert!(offered(&world, ANNE).is_ok(), "a customer again");
    world.later(60);
    reached(&mut world, Whom::Asset(TRUCK), Milestone::RelationshipEnded);
    assert_eq!(offered(&world, ANNE), Err(Reason::ConsentMissing), "as far as the truck goes");
}

#[test]
fn a_newsletter_needs_a_consent_in_force_on_its_form() {
    let mut world = cars();
    assert_eq!(asked(&world, "newsletter", ANNE), Err(Reason::ConsentMissing));
    let entry = consents(&mut world, ANNE, "newsletter", 20);
    let until = world.now.plus_seconds(20 * DAY);
    assert_eq!(asked(&world, "newsletter", ANNE), Ok(MessageBasis::Consent { entry, until }));
    assert_eq!(asked(&world, "newsletter", BENT), Err(Reason::ConsentMissing));
    world.later(DAY).withdraw(ANNE);
    assert_eq!(asked(&world, "newsletter", ANNE), Err(Reason::ConsentWithdrawn));
    world.later(DAY);
    consents(&mut world, ANNE, "newsletter", 21);
    world.say(Event::ConsentWithdrawn(Withdrawal {
        scope: WithdrawalScope::Asset(TRUCK),
        method: Method::Station,
        recorded_by: None,
    }));
    assert!(asked(&world, "newsletter", ANNE).is_ok(), "what is withdrawn at the truck is about the truck");
    world.later(21 * DAY);
    assert_eq!(asked(&world, "newsletter", ANNE), Err(Reason::ConsentExpired));
}

#[test]
fn a_form_binds_for_how_long_a_consent_to_messages_holds() {
    let mut world = cars();
    consents(&mut world, ANNE, "newsletter", 9 * 365);
    let form = world.rules.form(&id("newsletter-1")).expect("a form").clone();
    let end = form.valid.after(world.now, world.rules.zone());
    let Ok(MessageBasis::Consent { until, .. }) = asked(&world, "newsletter", ANNE) else {
        panic!("in force")
    };
    assert_eq!(until, end);
    world.now = end;
    assert_eq!(asked(&world, "newsletter", ANNE), Err(Reason::ConsentExpired));
}

#[test]
fn who_took_a_consent_back_gets_nothing_as_a_customer_either() {
    let both = shipped("cars-software").replace(
        "form = \"newsletter-1\"\nopt_out",
        "form = \"newsletter-1\"\nsimilar_goods = true\nopt_out",
    );
    assert_ne!(both, shipped("cars-software"));
    let mut world = World::empty(&both);
    world.serve_notices();
    world.link(ANNE, Role::Owner);
    assert!(matches!(asked(&world, "newsletter", ANNE), Ok(MessageBasis::SimilarGoods { .. })));
    consents(&mut world, ANNE, "newsletter", 20);
    assert!(matches!(asked(&world, "newsletter", ANNE), Ok(MessageBasis::Consent { .. })));
    world.later(DAY).withdraw(ANNE);
    assert_eq!(asked(&world, "newsletter", ANNE), Err(Reason::ConsentWithdrawn));
}

#[test]
fn an_objection_to_profiling_stops_what_profiles_and_nothing_else() {
    let mut world = cars();
    consents(&mut world, ANNE, "newsletter", 90);
    objects(&mut world, ANNE, Against::Profiling);
    for message in MARKETING.iter().chain(&ADMINISTRATIVE) {
        let slug: Slug = id(message);
        let rule = world.rules.messages().iter().find(|known| known.slug == slug).expect("a message");
        let purpose = world.rules.purposes().iter().find(|p| p.slug == rule.purpose).expect("a purpose");
        let expected = if purpose.profiling { Some(Reason::ObjectionUpheld) } else { None };
        assert_eq!(asked(&world, message, ANNE).err(), expected, "{message}");
    }
    let profiles = world.rules.purposes().iter().filter(|purpose| purpose.profiling);
    assert!(profiles.count() > 0, "else this shows nothing");
}

#[test]
fn a_restriction_an_erasure_and_an_unserved_notice_stop_a_message() {
    let mut world = World::empty(shipped("cars-software"));
    world.link(ANNE, Role::Owner);
    assert_eq!(asked(&world, "invoice", ANNE), Err(Reason::NoticeNotServed));
    assert_eq!(asked(&world, "no-such-class", ANNE), Err(Reason::NoPurpose));
    world.serve_notices();
    assert!(asked(&world, "invoice", ANNE).is_ok());
    world.later(60).say(Event::RestrictionSet(Restriction {
        whom: Whom::Subject(ANNE),
        purpose: Some(id("marketing")),
        ground: Ground::AccuracyDisputed,
        case: id("case 1"),
    }));
    assert_eq!(asked(&world, "similar-goods", ANNE), Err(Reason::Restricted));
    assert!(asked(&world, "invoice", ANNE).is_ok(), "restricted for marketing alone");
    world.later(60).say(Event::ErasureOrdered(Erasure {
        whom: Whom::Subject(ANNE),
        purpose: None,
        ground: ErasureGround::NoLongerNeeded,
        case: id("case 2"),
    }));
    assert_eq!(asked(&world, "invoice", ANNE), Err(Reason::Erased));
    world.later(60);
    consents(&mut world, ANNE, "newsletter", 30);
    assert!(asked(&world, "newsletter", ANNE).is_ok(), "she came back by herself");
    assert_eq!(asked(&world, "invoice", ANNE), Err(Reason::Erased));
    world.link(ANNE, Role::Orderer);
    assert!(asked(&world, "invoice", ANNE).is_ok(), "and ordered something");
}

#[test]
fn where_each_person_is_told_of_a_notice_a_message_waits_for_that_person() {
    let told = shipped("cars-software").replace("served_when = \"recorded\"", "served_when = \"told\"");
    assert_ne!(told, shipped("cars-software"));
    let mut world = World::empty(&told);
    world.serve_notices();
    assert_eq!(asked(&world, "invoice", ANNE), Err(Reason::NoticeNotServed), "published is not told");
    let version = world.rules.notices().last().expect("a notice").version.clone();
    world.say(Event::NoticeServed(NoticeServed {
        notice: id(version.as_str()),
        text_hash: TextHash([7; 32]),
        language: id("nb"),
        method: Method::Message,
        subject: Some(ANNE),
        evidence: None,
    }));
    assert!(asked(&world, "invoice", ANNE).is_ok());
    assert_eq!(asked(&world, "invoice", BENT), Err(Reason::NoticeNotServed));
}

/// Two pseudonyms of one person object and consent as one.
#[test]
fn an_objection_of_either_pseudonym_is_of_the_person() {
    let mut world = cars();
    objects(&mut world, BENT, Against::Marketing);
    assert!(asked(&world, "similar-goods", ANNE).is_ok());
    let merge = world.say(Event::SubjectMerged(Merge { from: BENT, into: ANNE }));
    assert_eq!(asked(&world, "similar-goods", ANNE), Err(Reason::ObjectionUpheld));
    world.later(60).void(merge);
    assert!(asked(&world, "similar-goods", ANNE).is_ok(), "they were two");
}

/// What is offered to customers by legitimate interest can be objected to as a purpose, too.
#[test]
fn an_objection_to_a_purpose_waits_until_it_is_weighed() {
    let mut world = cars();
    let objection = objects(&mut world, ANNE, Against::Purpose(id("marketing")));
    let rule = world.rules.purposes().iter().find(|p| p.slug == id("marketing")).expect("a purpose").clone();
    assert_eq!(rule.basis, LegalBasis::LegitimateInterest);
    assert_eq!(asked(&world, "similar-goods", ANNE), Err(Reason::ObjectionPending));
    let outcome = ObjectionOutcome { objection, reasons: id("case 3"), decided_by: id("lead-1") };
    world.later(60).say(Event::ObjectionWeighed(outcome.clone()));
    assert!(asked(&world, "similar-goods", ANNE).is_ok());
    world.later(60).say(Event::ObjectionUpheld(outcome));
    assert_eq!(asked(&world, "similar-goods", ANNE), Err(Reason::ObjectionUpheld));
}

/// Westrum asks for consent; being a customer is no reason there (flag F-12).
#[test]
fn westrum_sends_its_newsletter_by_consent_alone() {
    let mut world = World::empty(shipped("westrum"));
    world.serve_notices();
    world.link(ANNE, Role::Owner);
    assert_eq!(asked(&world, "newsletter", ANNE), Err(Reason::ConsentMissing));
    consents(&mut world, ANNE, "newsletter", 30);
    assert!(matches!(asked(&world, "newsletter", ANNE), Ok(MessageBasis::Consent { .. })));
    assert_eq!(asked(&world, "service-message", BENT), Ok(MessageBasis::Administrative));
    let all: BTreeSet<_> = world.rules.messages().iter().map(|message| message.slug.as_str()).collect();
    assert_eq!(all, BTreeSet::from(["newsletter", "service-message"]));
}
