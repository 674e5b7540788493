//! What follows from a ledger, told as small worlds.

mod samples;

use samples::{EIGHT, slug};
use vernport_crypto::IdentityKey;
use vernport_registry::{world::World, *};
use vernport_types::*;

const TRUCK: &str = r#"
format = 1
[[asset]]
name = "truck"
since = "-30d"
vin = "WDB9634031L738001"
plate = { country = "NO", number = "AB12345" }
[[asset]]
name = "stranger"
since = "-1h"
[[subject]]
name = "anna"
[[subject]]
name = "bo"
[[subject]]
name = "bo-again"
"#;

/// A truck, two people, and a ledger.
struct Told {
    world: World,
    facts: Facts,
}

fn identity() -> IdentityKey {
    IdentityKey::from_bytes([0x2A; 32])
}

fn told(events: &str) -> Told {
    let text = format!("{TRUCK}{events}");
    let world = World::from_toml("test.toml", &text).unwrap_or_else(|e| panic!("{e}"));
    let facts = world.facts(&samples::controller(), &identity(), EIGHT).unwrap_or_else(|e| panic!("{e}"));
    Told { world, facts }
}

impl Told {
    fn truck(&self) -> AssetId {
        self.world.asset("truck").expect("declared")
    }

    fn subject(&self, name: &str) -> SubjectId {
        self.world.subject(name).expect("declared")
    }

    /// The consent of a driver to the service of the fleet, in one word.
    fn consent(&self, name: &str, category: Category, now: UtcMicros) -> &'static str {
        let asked = ConsentQuestion {
            asset: self.truck(),
            subject: self.subject(name),
            role: Role::Driver,
            purpose: &slug("service"),
            category,
            recipient: &slug("fleet"),
        };
        match self.facts.consent(&asked, now) {
            ConsentState::Given { .. } => "given",
            ConsentState::Withdrawn { .. } => "withdrawn",
            ConsentState::Expired { .. } => "expired",
            ConsentState::Missing => "missing",
        }
    }

    fn linked(&self, role: Role, now: UtcMicros) -> Vec<SubjectId> {
        self.facts.subjects(self.truck(), role, now).into_iter().map(|linked| linked.subject).collect()
    }
}

fn hours(n: i64) -> UtcMicros {
    EIGHT.plus_seconds(3_600 * n)
}

/// `consent-given` of somebody, with the times that are given.
fn gives(name: &str, lines: &str) -> String {
    format!(
        "[[event]]\nkind = \"consent-given\"\nsubject = \"{name}\"\nrole = \"driver\"\npurpose = \"service\"\n\
         recipient = \"fleet\"\ncategories = [\"odometer\"]\nvalid_until = \"+10h\"\n{lines}\n"
    )
}

#[test]
fn expiry_equals_withdrawal_from_the_first_moment_on() {
    let told = told(&gives("anna", "time = \"-1h\""));
    assert_eq!(told.consent("anna", Category::Odometer, hours(-1).plus_micros(-1)), "missing");
    assert_eq!(told.consent("anna", Category::Odometer, hours(-1)), "given");
    assert_eq!(told.consent("anna", Category::Odometer, hours(10).plus_micros(-1)), "given");
    assert_eq!(told.consent("anna", Category::Odometer, hours(10)), "expired");
    assert_eq!(told.consent("anna", Category::Location, EIGHT), "missing");
    assert_eq!(told.consent("bo", Category::Odometer, EIGHT), "missing");
}

#[test]
fn a_consent_on_paper_opens_from_when_it_was_recorded_and_not_from_when_it_was_signed() {
    let told = told(&gives("anna", "time = \"-3h\"\nrecorded = \"-1h\""));
    assert_eq!(told.consent("anna", Category::Odometer, hours(-2)), "missing");
    assert_eq!(told.consent("anna", Category::Odometer, hours(-1)), "given");
}

#[test]
fn a_withdrawal_recorded_late_holds_from_when_it_was_said() {
    let withdrawn = "[[event]]\nkind = \"consent-withdrawn\"\ntime = \"-2h\"\nrecorded = \"now\"\n\
                     scope = { subject = { subject = \"anna\" } }\n";
    let told = told(&format!("{}{withdrawn}", gives("anna", "time = \"-5h\"")));
    assert_eq!(told.consent("anna", Category::Odometer, hours(-2).plus_micros(-1)), "given");
    assert_eq!(told.consent("anna", Category::Odometer, hours(-2)), "withdrawn");
}

#[test]
fn a_paper_signed_before_a_withdrawal_and_recorded_after_it_opens_nothing() {
    let withdrawn = "[[event]]\nkind = \"consent-withdrawn\"\ntime = \"-2h\"\n\
                     scope = { subject = { subject = \"anna\" } }\n";
    let paper = gives("anna", "time = \"-3h\"\nrecorded = \"-1h\"");
    let told = told(&format!("{withdrawn}{paper}"));
    assert_eq!(told.consent("anna", Category::Odometer, EIGHT), "withdrawn");
}

#[test]
fn said_in_one_moment_the_withdrawal_wins_and_a_later_consent_counts_again() {
    let withdrawn = "[[event]]\nkind = \"consent-withdrawn\"\ntime = \"-2h\"\n\
                     scope = { subject = { subject = \"anna\" } }\n";
    let told = told(&format!(
        "{}{withdrawn}{}",
        gives("anna", "time = \"-2h\"\nreceipt = \"one\""),
        gives("anna", "time = \"-1h\"\nreceipt = \"two\"")
    ));
    assert_eq!(told.consent("anna", Category::Odometer, hours(-2)), "withdrawn");
    assert_eq!(told.consent("anna", Category::Odometer, hours(-1)), "given");
}

#[test]
fn a_withdrawal_by_receipt_covers_the_renewal_and_nobody_else() {
    let told = told(&format!(
        "{}{}{}",
        gives("anna", "time = \"-5h\"\nname = \"first\"\nreceipt = \"one\""),
        gives("bo", "time = \"-5h\"\nreceipt = \"two\""),
        r#"
        [[event]]
        kind = "consent-renewed"
        time = "-4h"
        renews = "first"
        [event.consent]
        subject = "anna"
        role = "driver"
        purpose = "service"
        recipient = "fleet"
        categories = ["odometer"]
        valid_until = "+20h"
        receipt = "three"
        [[event]]
        kind = "consent-withdrawn"
        time = "-1h"
        scope = { receipt = "one" }
        "#
    ));
    assert_eq!(told.consent("anna", Category::Odometer, hours(-2)), "given");
    assert_eq!(told.consent("anna", Category::Odometer, EIGHT), "withdrawn");
    assert_eq!(told.consent("bo", Category::Odometer, EIGHT), "given");
}

#[test]
fn a_receipt_of_a_consent_that_is_recorded_later_withdraws_what_was_said_before_it() {
    let told = told(&format!(
        "{}{}[[event]]\nkind = \"consent-withdrawn\"\ntime = \"-2h\"\nrecorded = \"now\"\nscope = {{ receipt = \"two\" }}\n",
        gives("anna", "time = \"-5h\"\nreceipt = \"one\""),
        gives("anna", "time = \"-4h\"\nrecorded = \"now\"\nreceipt = \"two\""),
    ));
    assert_eq!(told.consent("anna", Category::Odometer, hours(-3)), "given");
    assert_eq!(told.consent("anna", Category::Odometer, hours(-1)), "withdrawn");
}

#[test]
fn a_receipt_of_a_voided_consent_withdraws_nothing() {
    let told = told(&format!(
        "{}{}{}",
        gives("anna", "time = \"-5h\"\nreceipt = \"one\""),
        gives("anna", "time = \"-4h\"\nreceipt = \"two\"\nname = \"wrong\""),
        r#"
        [[event]]
        kind = "voided"
        time = "-3h"
        entry = "wrong"
        reason = "wrong-subject"
        [[event]]
        kind = "consent-withdrawn"
        time = "-2h"
        scope = { receipt = "two" }
        "#
    ));
    assert_eq!(told.consent("anna", Category::Odometer, EIGHT), "given");
}

#[test]
fn of_two_voidings_of_one_entry_the_first_recorded_holds_in_either_order() {
    let private = Event::PrivateModeStarted(PrivateMode { asset: samples::asset(1) });
    let started = samples::entry(private, hours(0), hours(0), "started");
    let void = |n| {
        let voided = Voided { entry: started.hash(), reason: VoidReason::Mistake };
        samples::entry(Event::Voided(voided), hours(n), hours(n), &format!("void {n}"))
    };
    for order in [[2, 4], [4, 2]] {
        let mut facts = Facts::new(samples::controller());
        facts.replay(&started).expect("read");
        for n in order {
            facts.replay(&void(n)).expect("read");
        }
        assert_eq!(facts.private_mode(samples::asset(1), hours(1)), Some(started.hash()));
        assert_eq!(facts.private_mode(samples::asset(1), hours(3)), None);
        assert_eq!(facts.voided_at(&started.hash()), Some(hours(2)));
    }
}

#[test]
fn a_withdrawal_at_the_station_covers_everybody_for_that_asset_only() {
    let told = told(&format!(
        "{}{}[[event]]\nkind = \"consent-withdrawn\"\ntime = \"-1h\"\nscope = {{ asset = \"truck\" }}\n",
        gives("anna", "time = \"-5h\"\nreceipt = \"one\""),
        gives("bo", "time = \"-5h\"\nreceipt = \"two\""),
    ));
    for name in ["anna", "bo"] {
        assert_eq!(told.consent(name, Category::Odometer, EIGHT), "withdrawn");
    }
    let elsewhere = ConsentQuestion {
        asset: told.world.asset("stranger").expect("declared"),
        subject: told.subject("anna"),
        role: Role::Driver,
        purpose: &slug("service"),
        category: Category::Odometer,
        recipient: &slug("fleet"),
    };
    assert!(matches!(told.facts.consent(&elsewhere, EIGHT), ConsentState::Given { .. }));
}

#[test]
fn a_voided_consent_never_was_and_a_voided_withdrawal_stopped_until_it_was_voided() {
    let told_consent = told(&format!(
        "{}[[event]]\nkind = \"voided\"\ntime = \"-1h\"\nentry = \"given\"\nreason = \"wrong-subject\"\n",
        gives("anna", "time = \"-5h\"\nname = \"given\"")
    ));
    assert_eq!(told_consent.consent("anna", Category::Odometer, hours(-2)), "missing");
    let told_withdrawal = told(&format!(
        "{}{}",
        gives("anna", "time = \"-5h\""),
        r#"
        [[event]]
        kind = "consent-withdrawn"
        name = "wrong"
        time = "-4h"
        scope = { subject = { subject = "anna" } }
        [[event]]
        kind = "voided"
        time = "-1h"
        entry = "wrong"
        "#
    ));
    assert_eq!(told_withdrawal.consent("anna", Category::Odometer, hours(-2)), "withdrawn");
    assert_eq!(told_withdrawal.consent("anna", Category::Odometer, hours(-1)), "given");
}

#[test]
fn an_order_is_open_until_closed_and_never_past_its_end() {
    let opened = "[[event]]\nkind = \"order-opened\"\ntime = \"-3h\"\norder = \"1017\"\nassets = [\"truck\"]\n\
                  station = \"oslo/bay-1\"\n";
    let closed = "[[event]]\nkind = \"order-closed\"\ntime = \"-1h\"\norder = \"1017\"\n";
    let (bay, other) = (samples::station(), StationRef { site: slug("oslo"), station: slug("bay-2") });
    let forgotten = told(opened);
    let open = |told: &Told, station, now| told.facts.open_order(told.truck(), station, now).map(|o| o.id);
    let id = forgotten.world.order("1017");
    assert_eq!(open(&forgotten, Some(&bay), EIGHT), Some(id));
    assert_eq!(open(&forgotten, None, EIGHT), Some(id));
    assert_eq!(open(&forgotten, Some(&other), EIGHT), None);
    assert_eq!(open(&forgotten, None, hours(69).plus_micros(-1)), Some(id));
    assert_eq!(open(&forgotten, None, hours(69)), None, "72 hours after it was opened");
    assert!(forgotten.facts.orders_at(&bay, hours(69)).is_empty());
    assert_eq!(forgotten.facts.assets_of_interest(&bay, EIGHT), [forgotten.truck()].into());
    assert!(forgotten.facts.assets_of_interest(&other, EIGHT).is_empty());
    let handed_back = told(&format!("{opened}{closed}"));
    assert_eq!(open(&handed_back, None, hours(-2)), Some(id));
    assert_eq!(open(&handed_back, None, hours(-1)), None);
}

#[test]
fn a_closing_from_the_station_holds_however_late_and_out_of_order_it_arrives() {
    let told = told(
        "[[event]]\nkind = \"order-opened\"\ntime = \"-1h\"\norder = \"1\"\nassets = [\"truck\"]\n\
         station = \"oslo/bay-1\"\n[[event]]\nkind = \"order-closed\"\ntime = \"-2h\"\nrecorded = \"now\"\norder = \"1\"\n",
    );
    assert_eq!(told.facts.open_order(told.truck(), None, hours(-1)), None);
    assert_eq!(told.facts.open_order(told.truck(), None, EIGHT), None);
}

#[test]
fn everybody_in_a_role_is_found_and_a_sale_ends_every_link() {
    let told = told(
        r#"
        [[event]]
        kind = "linked"
        time = "-9h"
        asset = "truck"
        subject = "anna"
        role = "owner"
        [[event]]
        kind = "linked"
        time = "-9h"
        asset = "truck"
        subject = "anna"
        role = "driver"
        until = "-6h"
        [[event]]
        kind = "linked"
        time = "-9h"
        asset = "truck"
        subject = "bo"
        role = "driver"
        [[event]]
        kind = "owner-changed"
        time = "-3h"
        asset = "truck"
        owners = ["bo"]
        "#,
    );
    let (anna, bo) = (told.subject("anna"), told.subject("bo"));
    let mut both = vec![anna, bo];
    both.sort();
    assert_eq!(told.linked(Role::Driver, hours(-7)), both);
    assert_eq!(told.linked(Role::Driver, hours(-6)), [bo], "anna's shift is over");
    assert_eq!(told.linked(Role::Owner, hours(-4)), [anna]);
    assert_eq!(told.linked(Role::Owner, hours(-3)), [bo]);
    assert!(told.linked(Role::Driver, hours(-3)).is_empty(), "drivers drove for the former owner");
}

#[test]
fn two_pseudonyms_of_one_person_are_one_in_every_question() {
    let told = told(&format!(
        "{}{}",
        gives("bo-again", "time = \"-5h\""),
        r#"
        [[event]]
        kind = "linked"
        time = "-5h"
        asset = "truck"
        subject = "bo"
        role = "driver"
        [[event]]
        kind = "consent-withdrawn"
        time = "-1h"
        scope = { subject = { subject = "bo" } }
        [[event]]
        kind = "subject-merged"
        time = "now"
        from = "bo-again"
        into = "bo"
        "#
    ));
    assert_eq!(told.consent("bo", Category::Odometer, hours(-2)), "given");
    assert_eq!(told.consent("bo-again", Category::Odometer, EIGHT), "withdrawn");
    assert_eq!(told.linked(Role::Driver, EIGHT), [told.subject("bo")]);
}

#[test]
fn a_provisional_asset_becomes_one_with_the_real_one() {
    let told = told(
        r#"
        [[event]]
        kind = "order-opened"
        time = "-1h"
        order = "1"
        assets = ["stranger"]
        station = "oslo/bay-1"
        [[event]]
        kind = "asset-merged"
        time = "now"
        from = "stranger"
        into = "truck"
        "#,
    );
    let stranger = told.world.asset("stranger").expect("declared");
    assert_eq!(told.facts.canonical_asset(stranger), told.truck());
    assert!(told.facts.open_order(told.truck(), None, EIGHT).is_some());
    assert_eq!(told.facts.assets_of_interest(&samples::station(), EIGHT), [told.truck()].into());
}

#[test]
fn a_changed_plate_finds_the_vehicle_no_longer() {
    let told = told(
        r#"
        [[event]]
        kind = "identifier-ended"
        time = "-1h"
        asset = "truck"
        identifier = { plate = { country = "NO", number = "AB 12345" } }
        [[event]]
        kind = "asset-identified"
        time = "-1h"
        asset = "truck"
        identifier = { plate = { country = "NO", number = "CD 54321" } }
        "#,
    );
    let plate = |number| identity().index(&Identifier::Plate(Plate::new("NO", number).expect("valid")));
    assert_eq!(told.facts.find_asset(&plate("AB12345"), hours(-2)), Some(told.truck()));
    assert_eq!(told.facts.find_asset(&plate("AB12345"), hours(-1)), None);
    assert_eq!(told.facts.find_asset(&plate("CD54321"), hours(-1)), Some(told.truck()));
    assert_eq!(told.facts.identifiers(told.truck(), EIGHT).len(), 2, "VIN and new plate");
}

#[test]
fn an_objection_waits_until_weighed_and_one_to_marketing_does_not() {
    let told = told(
        r#"
        [[event]]
        kind = "objection-raised"
        name = "service"
        time = "-5h"
        subject = "anna"
        against = { purpose = "service" }
        [[event]]
        kind = "objection-weighed"
        time = "-2h"
        objection = "service"
        [[event]]
        kind = "objection-raised"
        time = "-5h"
        subject = "bo"
        against = "marketing"
        "#,
    );
    let service = Against::Purpose(slug("service"));
    let asked = |name, against: &Against, now| told.facts.objection(told.subject(name), against, now);
    assert_eq!(asked("anna", &service, hours(-6)), Objected::No);
    assert!(matches!(asked("anna", &service, hours(-3)), Objected::Pending { .. }));
    assert_eq!(asked("anna", &service, EIGHT), Objected::No);
    assert!(matches!(asked("bo", &Against::Marketing, hours(-5)), Objected::Upheld { .. }));
    assert_eq!(asked("bo", &service, EIGHT), Objected::No);
    assert_eq!(asked("bo", &Against::Profiling, EIGHT), Objected::No);
}

#[test]
fn a_restriction_lasts_until_lifted_and_comes_back_if_the_announcement_was_a_mistake() {
    let lifted = r#"
        [[event]]
        kind = "restriction-set"
        name = "restriction"
        time = "-5h"
        whom = { subject = "anna" }
        ground = "accuracy-disputed"
        [[event]]
        kind = "restriction-lifting-announced"
        name = "told"
        time = "-4h"
        restriction = "restriction"
        [[event]]
        kind = "restriction-lifted"
        time = "-2h"
        restriction = "restriction"
        "#;
    let restricted = |told: &Told, now| {
        told.facts.restriction(Whom::Subject(told.subject("anna")), &slug("service"), now).is_some()
    };
    let proper = told(lifted);
    assert!(!restricted(&proper, hours(-6)));
    assert!(restricted(&proper, hours(-3)), "announcing lifts nothing");
    assert!(!restricted(&proper, hours(-2)));
    let mistaken = told(&format!("{lifted}[[event]]\nkind = \"voided\"\ntime = \"-1h\"\nentry = \"told\"\n"));
    assert!(restricted(&mistaken, EIGHT));
}

#[test]
fn private_mode_a_notice_a_hold_and_an_erasure_answer_at_their_times() {
    let told = told(
        r#"
        [[event]]
        kind = "private-mode-started"
        time = "-5h"
        asset = "truck"
        [[event]]
        kind = "private-mode-ended"
        time = "-3h"
        asset = "truck"
        [[event]]
        kind = "notice-served"
        time = "-3h"
        notice = "fleet 2026-10"
        [[event]]
        kind = "notice-served"
        time = "-3h"
        notice = "to anna alone"
        subject = "anna"
        [[event]]
        kind = "hold-set"
        name = "hold"
        time = "-3h"
        scope = { flows = { asset = "truck", flows = ["odometer"] } }
        ground = "dispute"
        until = "+5h"
        [[event]]
        kind = "erasure-ordered"
        time = "-2h"
        whom = { subject = "anna" }
        ground = "consent-withdrawn"
        "#,
    );
    let facts = &told.facts;
    let truck = told.truck();
    assert!(facts.private_mode(truck, hours(-4)).is_some());
    assert!(facts.private_mode(truck, hours(-3)).is_none());
    assert!(facts.notice_served("fleet 2026-10", hours(-4)).is_none());
    assert!(facts.notice_served("fleet 2026-10", hours(-3)).is_some());
    assert!(facts.notice_served("fleet 2026-11", EIGHT).is_none());
    assert!(facts.notice_served("to anna alone", EIGHT).is_none());
    let held = |flow, now| facts.hold(truck, &slug(flow), EpochId::from_bytes([0; 16]), now).map(|h| h.until);
    assert_eq!(held("odometer", EIGHT), Some(hours(5)));
    assert_eq!(held("odometer", hours(5)), None);
    assert_eq!(held("position", EIGHT), None);
    let erased = facts.erasure(Whom::Subject(told.subject("anna")), &slug("service"), EIGHT);
    assert_eq!(erased.map(|(_, up_to)| up_to), Some(hours(-2)));
}

#[test]
fn an_unknown_closing_event_closes_its_asset_and_any_other_opens_nothing() {
    let mut told = told("");
    let newer = |json: &str, reference: &str| {
        samples::entry(serde_json::from_str(json).expect("readable"), hours(-1), hours(-1), reference)
    };
    let (truck, stranger) = (told.truck(), told.world.asset("stranger").expect("declared"));
    told.facts.replay(&newer("{\"kind\":\"vehicle-blessed\"}", "a")).expect("read");
    assert_eq!(told.facts.closed_by_unknown(truck, EIGHT), None);
    let closing = format!("{{\"kind\":\"vehicle-scrapped\",\"closes\":true,\"asset\":\"{truck}\"}}");
    let applied = told.facts.replay(&newer(&closing, "b")).expect("read");
    assert_eq!(told.facts.closed_by_unknown(truck, EIGHT), Some(applied.entry));
    assert!(applied.touched.includes(truck) && !applied.touched.includes(stranger));
    assert_eq!(told.facts.closed_by_unknown(stranger, EIGHT), None);
    let all = told.facts.replay(&newer("{\"kind\":\"bankruptcy\",\"closes\":true}", "c")).expect("read");
    assert_eq!(told.facts.closed_by_unknown(stranger, EIGHT), Some(all.entry));
    assert_eq!(told.facts.closed_by_unknown(stranger, hours(-2)), None);
}
