//! What opens and closes flows beside orders, consents and objections: what people were told,
//! accounts, disclosures, exceptions from restrictions, agreements about the machines, forms.

mod world;

use vernport_policy::{Role, closing_reason, may_be_sent};
use vernport_registry::{
    Against, DisclosureApproved, DisclosureEnded, DisclosureGround, Event, Ground, Method, Milestone,
    MilestoneReached, NoticeServed, Objection, Restriction, RestrictionExcepted, RestrictionException,
    TextHash, Whom,
};
use vernport_types::{EntryHash, Fate, Reason, SubjectId};
use world::{ANNE, BENT, DAY, HOUR, TRUCK, World, example, id};

const REMINDER: &str = "maintenance-reminder";

/// The example of a workshop, changed in one place.
fn with(old: &str, new: &str) -> String {
    let text = example("westrum");
    assert_eq!(text.matches(old).count(), 1, "one place to change: {old}");
    text.replace(old, new)
}

fn tell(world: &mut World, notice: &str, subject: SubjectId) -> EntryHash {
    world.say(Event::NoticeServed(NoticeServed {
        notice: id(notice),
        text_hash: TextHash([7; 32]),
        language: id("nb"),
        method: Method::Paper,
        subject: Some(subject),
        evidence: None,
    }))
}

fn sending(world: &World, grant: vernport_policy::GrantId) -> Result<(), Reason> {
    may_be_sent(&world.facts, &world.rules, world.tables.opening(grant), world.now)
}

fn closing(world: &World, grant: vernport_policy::GrantId) -> Reason {
    closing_reason(&world.facts, &world.rules, world.tables.opening(grant), world.now)
}

#[test]
fn a_notice_to_be_told_counts_when_everybody_linked_was_told() {
    let mut world = World::empty(&with("served_when = \"recorded\"", "served_when = \"told\""));
    world.activate_keys();
    world.open_order();
    assert_eq!(world.closed("workshop"), Some(Reason::NoticeNotServed));
    world.serve("westrum-1");
    assert_eq!(world.closed("workshop"), None, "nobody is linked: there is nobody to tell");
    world.link(ANNE, Role::Owner);
    assert_eq!(world.closed("workshop"), Some(Reason::NoticeNotServed));
    let told = tell(&mut world, "westrum-1", ANNE);
    assert_eq!(world.closed("workshop"), None);
    let opening = world.open_id("workshop");
    assert!(world.tables.opening(opening).rests_on.contains(&told));
    world.link(BENT, Role::Driver);
    assert_eq!(world.closed("workshop"), Some(Reason::NoticeNotServed), "Bent was not told");
    tell(&mut world, "westrum-1", BENT);
    assert_eq!(world.closed("workshop"), None);
    world.void(told);
    assert_eq!(world.closed("workshop"), Some(Reason::NoticeNotServed));
    assert_eq!(sending(&world, opening), Err(Reason::EntryVoided));
}

#[test]
fn a_flow_waits_for_the_notice_that_first_told_of_it() {
    let newer = "[[notice]]\nversion = \"westrum-2\"\nserved_when = \"recorded\"\ncategories = [\"odometer\", \
                 \"component-status\", \"body-function\"]\nclauses = [\"X\"]\n\n[[purpose]]\nid = \"service-delivery\"";
    let text = with("[[purpose]]\nid = \"service-delivery\"", newer)
        .replace("sample = \"per-order\"", "sample = \"per-order\"\nnotice = \"westrum-2\"")
        // The VIN is in the older version only; this is about flows.
        .replace(
            "categories = [\"odometer\", \"component-status\", \"body-function\"]",
            "categories = [\"odometer\", \"component-status\", \"body-function\", \"identifier\"]",
        );
    let mut world = World::empty(&text);
    world.activate_keys();
    world.open_order();
    world.serve("westrum-1");
    assert_eq!(world.closed("workshop"), None, "the first version told of it");
    assert_eq!(world.closed("warranty"), Some(Reason::NoticeNotServed));
    world.serve("westrum-2");
    assert_eq!(world.closed("warranty"), None);
}

#[test]
fn nothing_opens_while_the_agreement_about_the_machines_has_lapsed() {
    let hosting = |until: &str| {
        let table = format!(
            "[hosting]\nregions = [\"NO\"]\nprocessor = \"x\"\nagreement = {{ id = \"a\", from = 2018-01-01, {until} }}\n\
             clauses = [\"WEST-5.2\"]\n\n[[notice]]"
        );
        World::ready(&with("[[notice]]", &table))
    };
    // The order is open for three days from noon of 20 November 2026.
    for until in ["until = 2026-11-22", "until = 2030-01-01, attested_until = 2026-11-22"] {
        let mut world = hosting(until);
        let opening = world.open_id("workshop");
        let believe = world.grant().expect("a grant").flows[0].believe;
        assert_eq!(believe.ends_as, Reason::AgreementMissing);
        world.later(2 * DAY);
        assert_eq!(world.closed("workshop"), Some(Reason::AgreementMissing), "{until}");
        assert_eq!(sending(&world, opening), Err(Reason::AgreementMissing));
        assert_eq!(Reason::AgreementMissing.fate(), Fate::Park);
    }
}

fn account(world: &mut World, subject: SubjectId, milestone: Milestone) -> EntryHash {
    world.say(Event::MilestoneReached(MilestoneReached { whom: Whom::Subject(subject), milestone }))
}

#[test]
fn an_account_of_an_owner_or_orderer_opens_and_its_end_closes() {
    for (window, order) in [("window = \"account\"", false), ("window = \"order\"\naccount = true", true)] {
        let mut world = World::ready(&with(
            "window = \"order\"\nsample = \"per-order\"",
            &format!("{window}\nsample = \"PT1H\""),
        ));
        assert_eq!(world.closed("warranty"), Some(Reason::AccountNotOpen), "nobody is linked");
        world.link(ANNE, Role::Owner);
        world.link(BENT, Role::Driver);
        account(&mut world, BENT, Milestone::AccountOpened);
        assert_eq!(world.closed("warranty"), Some(Reason::AccountNotOpen), "a driver's account is none");
        let opened = account(&mut world, ANNE, Milestone::AccountOpened);
        assert_eq!(world.closed("warranty"), None);
        let grant = world.grant().expect("a grant");
        let flow = grant.flows.iter().find(|flow| flow.flow == id("warranty")).expect("open");
        assert!(flow.rests_on.contains(&opened));
        assert_eq!(world.tables.opening(flow.id).order.is_some(), order);
        let opening = flow.id;
        world.later(HOUR);
        account(&mut world, ANNE, Milestone::AccountClosed);
        assert_eq!(world.closed("warranty"), Some(Reason::AccountNotOpen));
        assert_eq!(sending(&world, opening), Ok(()), "it was lawful when it was read");
        assert_eq!(closing(&world, opening).fate(), Fate::Send);
        if !order {
            assert_eq!(closing(&world, opening), Reason::AccountNotOpen);
        }
    }
}

#[test]
fn a_disclosure_opens_on_its_grounds_until_its_end() {
    let authority = "[[recipient]]\nid = \"police\"\nname = \"P\"\nrole = \"authority\"\nregion = \"NO\"\nclauses = [\"X\"]\n\n\
                     [[retention]]\nid = \"warranty\"";
    let text = with("[[retention]]\nid = \"warranty\"", authority)
        + "[[flow]]\nid = \"ordered\"\npurpose = \"service-delivery\"\nrecipient = \"police\"\nretention = \"warranty\"\n\
           deliver = { store = true }\nweakest = \"tool\"\nwindow = \"disclosure\"\ngrounds = [\"court-order\"]\n\
           clauses = [\"X\"]\n[flow.signals]\n\"Vehicle.TraveledDistance\" = \"exact\"\n";
    let mut world = World::ready(&text);
    assert_eq!(world.closed("ordered"), Some(Reason::DisclosureNotOpen));
    let until = world.now.plus_seconds(DAY);
    let approve = |world: &mut World, ground, days| {
        world.say(Event::DisclosureApproved(DisclosureApproved {
            disclosure: id("d-1"),
            reference: id("case 1"),
            ground,
            assets: vec![TRUCK],
            flows: [id("ordered")].into(),
            approvers: [id("lead-1"), id("lead-2")].into(),
            until: world.now.plus_seconds(days * DAY),
        }))
    };
    approve(&mut world, DisclosureGround::Terms, 30);
    assert_eq!(world.closed("ordered"), Some(Reason::DisclosureNotOpen), "another ground");
    let entry = approve(&mut world, DisclosureGround::CourtOrder, 1);
    assert_eq!(world.closed("ordered"), None);
    let grant = world.grant().expect("a grant");
    let flow = grant.flows.iter().find(|flow| flow.flow == id("ordered")).expect("open");
    assert_eq!((flow.believe.until, flow.believe.ends_as), (until, Reason::DisclosureNotOpen));
    assert!(flow.rests_on.contains(&entry));
    let opening = flow.id;
    world.later(HOUR).say(Event::DisclosureEnded(DisclosureEnded { disclosure: entry }));
    assert_eq!(world.closed("ordered"), Some(Reason::DisclosureNotOpen));
    assert_eq!((sending(&world, opening), closing(&world, opening)), (Ok(()), Reason::DisclosureNotOpen));
}

#[test]
fn a_restriction_is_lifted_for_a_flow_by_exceptions_of_all_of_them() {
    let mut world = World::ready(example("westrum"));
    world.link(ANNE, Role::Owner);
    let restrict = |world: &mut World, whom| {
        world.say(Event::RestrictionSet(Restriction {
            whom,
            purpose: None,
            ground: Ground::AccuracyDisputed,
            case: id("case 1"),
        }))
    };
    let except = |world: &mut World, restriction, hours| {
        world.say(Event::RestrictionExcepted(RestrictionExcepted {
            restriction,
            exception: RestrictionException::LegalClaim,
            flows: [id("warranty")].into(),
            case: id("claim 1"),
            approver: None,
            receipt: None,
            until: world.now.plus_seconds(hours * HOUR),
        }))
    };
    let (person, vehicle) =
        (restrict(&mut world, Whom::Subject(ANNE)), restrict(&mut world, Whom::Asset(TRUCK)));
    assert_eq!(world.closed("warranty"), Some(Reason::Restricted));
    let first = except(&mut world, person, 2);
    assert_eq!(world.closed("warranty"), Some(Reason::Restricted), "the vehicle's stands");
    let second = except(&mut world, vehicle, 4);
    assert_eq!(world.closed("warranty"), None);
    assert_eq!(world.closed("workshop"), Some(Reason::Restricted), "another flow");
    let grant = world.grant().expect("a grant");
    let flow = &grant.flows[0];
    assert!(flow.rests_on.contains(&first) && flow.rests_on.contains(&second));
    assert_eq!(flow.believe.until, world.now.plus_seconds(2 * HOUR));
    assert_eq!(flow.believe.ends_as, Reason::Restricted);
    let opening = flow.id;
    world.later(2 * HOUR);
    assert_eq!(world.closed("warranty"), Some(Reason::Restricted));
    assert_eq!(sending(&world, opening), Err(Reason::Restricted));
    assert_eq!(Reason::Restricted.fate(), Fate::Park);
}

#[test]
fn an_objection_to_profiling_stops_it_at_once_and_nothing_else() {
    let necessity = "necessity = \"Whether a warranty";
    let mut world = World::ready(&with(necessity, &format!("profiling = true\n{necessity}")));
    world.link(ANNE, Role::Owner);
    let opening = world.open_id("warranty");
    world.say(Event::ObjectionRaised(Objection {
        subject: ANNE,
        against: Against::Profiling,
        method: Method::Message,
        recorded_by: None,
    }));
    assert_eq!(world.closed("warranty"), Some(Reason::ObjectionUpheld));
    assert_eq!(sending(&world, opening), Err(Reason::ObjectionUpheld));
    assert_eq!(world.closed("workshop"), None);
}

/// The example's form is called `form-1`, as the consents of these worlds name it.
fn formed(valid: &str, categories: &str) -> World {
    let text = with("id = \"maintenance-reminder-1\"", "id = \"form-1\"")
        .replace("valid = \"P2Y\"", &format!("valid = \"{valid}\""))
        .replace("categories = [\"odometer\"]\nvalid", &format!("categories = {categories}\nvalid"));
    let mut world = World::ready(&text);
    world.link(ANNE, Role::Owner);
    world
}

#[test]
fn a_consent_ends_when_its_form_says() {
    // The consents of these worlds are written for 30 days.
    for (valid, until) in [("P1D", DAY), ("PT6H", 6 * HOUR)] {
        let mut world = formed(valid, "[\"odometer\"]");
        world.consent(ANNE, Role::Owner, REMINDER);
        let given = world.now;
        let grant = world.grant().expect("a grant");
        let flow = grant.flows.iter().find(|flow| flow.flow == id(REMINDER)).expect("open");
        assert_eq!(flow.believe.until, given.plus_seconds(until));
        assert_eq!(flow.believe.ends_as, Reason::ConsentExpired);
        let opening = flow.id;
        world.later(until);
        assert_eq!(world.closed(REMINDER), Some(Reason::ConsentExpired));
        assert_eq!(sending(&world, opening), Err(Reason::ConsentExpired));
    }
    let mut world = formed("P2Y", "[\"odometer\"]");
    world.consent(ANNE, Role::Owner, REMINDER);
    world.later(2 * DAY);
    assert_eq!(world.closed(REMINDER), None, "the form is longer than what was written");
}

#[test]
fn a_consent_is_about_what_its_form_says() {
    let about = |text: &str| {
        let mut world = World::ready(text);
        world.link(ANNE, Role::Owner);
        world.consent(ANNE, Role::Owner, REMINDER);
        world.closed(REMINDER)
    };
    // Another form of the bundle, by the name that the consent bears: about something else.
    let other = |purpose: &str, recipient: &str, categories: &str| {
        let form = format!(
            "[[form]]\nid = \"form-1\"\npurpose = \"{purpose}\"\nrecipient = \"{recipient}\"\ncategories = [\"{categories}\"]\n\
             valid = \"P2Y\"\nclauses = [\"X\"]\ntexts = {{ en = \"yes\" }}\n"
        );
        about(&(example("westrum").to_owned() + &form))
    };
    assert_eq!(about(example("westrum")), None, "a form that the bundle does not have");
    assert_eq!(other(REMINDER, "westrum-workshop", "odometer"), None);
    assert_eq!(other("marketing", "westrum-workshop", "odometer"), Some(Reason::ConsentMissing));
    assert_eq!(other(REMINDER, "nordic-haulage", "odometer"), Some(Reason::ConsentMissing));
    assert_eq!(other(REMINDER, "westrum-workshop", "component-status"), Some(Reason::ConsentMissing));
}
