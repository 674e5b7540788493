//! Consents: given, renewed, withdrawn, expired, voided.

use crate::samples::{self, EIGHT, slug};
use crate::told::*;
use vernport_registry::*;
use vernport_types::*;

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
fn a_receipt_withdraws_nothing_once_its_consent_was_voided() {
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

/// A counter's way to get around a withdrawal.
#[test]
fn a_consent_that_is_voided_after_its_withdrawal_and_written_again_does_not_come_back() {
    let withdrawn = "[[event]]\nkind = \"consent-withdrawn\"\ntime = \"-3h\"\nscope = { receipt = \"one\" }\n\
                     [[event]]\nkind = \"voided\"\ntime = \"-2h\"\nentry = \"wrong\"\nreason = \"mistake\"\n";
    let wrong = gives("anna", "time = \"-5h\"\nreceipt = \"one\"\nname = \"wrong\"");
    // The same, and for what it should have said: as the owner, and of the place.
    let owner = wrong.replace("driver", "owner").replace("odometer", "location");
    for wrong in [wrong, owner] {
        let with_old_date = gives("anna", "time = \"-5h\"\nrecorded = \"-1h\"\nreceipt = \"two\"");
        let told = told(&format!("{wrong}{withdrawn}{with_old_date}"));
        assert_eq!(told.consent("anna", Category::Odometer, hours(-2)), "missing");
        assert_eq!(told.consent("anna", Category::Odometer, EIGHT), "withdrawn");
    }
    let asked_again = gives("anna", "time = \"-1h\"\nreceipt = \"two\"");
    let told = told(&format!(
        "{}{withdrawn}{asked_again}",
        gives("anna", "time = \"-5h\"\nreceipt = \"one\"\nname = \"wrong\"")
    ));
    assert_eq!(told.consent("anna", Category::Odometer, EIGHT), "given", "she may change her mind");
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

/// What the counter is told, by vehicle and by receipt.
#[test]
fn what_of_a_consent_still_holds_is_told_by_vehicle_and_by_receipt() {
    let given = "[[event]]\nkind = \"linked\"\ntime = \"-9h\"\nasset = \"truck\"\nsubject = \"anna\"\nrole = \"driver\"\n\
                 [[event]]\nkind = \"consent-given\"\nsubject = \"anna\"\nrole = \"driver\"\npurpose = \"service\"\n\
                 recipient = \"fleet\"\ncategories = [\"odometer\", \"location\"]\ntime = \"-5h\"\n\
                 valid_until = \"+10h\"\nreceipt = \"1R70-W3GE-1R7Q\"\n";
    let part = "[[event]]\nkind = \"consent-withdrawn\"\ntime = \"-2h\"\n\
                scope = { subject = { subject = \"anna\", categories = [\"location\"] } }\n";
    let bo = gives("bo", "time = \"-4h\"");
    let told = told(&format!("{given}{part}{bo}"));
    let both = std::collections::BTreeSet::from([Category::Odometer, Category::Location]);
    let at = |now| {
        let [consent] = &told.facts.consents_at(told.truck(), now)[..] else {
            panic!("bo is not linked to the truck")
        };
        consent.clone()
    };
    let before = at(hours(-3));
    assert_eq!((&before.in_force, before.withdrawn_at), (&both, None));
    let after = at(EIGHT);
    assert_eq!(after.in_force, [Category::Odometer].into());
    assert_eq!((after.categories, after.withdrawn_at), (both, Some(hours(-2))));
    assert_eq!(at(hours(10)).in_force, [].into(), "expiry equals withdrawal");
    let receipt: ReceiptCode = "1R70-W3GE-1R7Q".parse().expect("a receipt");
    let by_receipt = told.facts.consent_of(&receipt, None, EIGHT).expect("anna has it");
    assert_eq!(by_receipt.in_force, [Category::Odometer].into());
    assert_eq!(by_receipt.subject, told.subject("anna"));
    assert_eq!(told.facts.consent_of(&ReceiptCode::from_bytes([9; 7]), None, EIGHT), None);
}
