//! Milestones, accounts, disclosures, and what one person was told.

use crate::samples::{EIGHT, slug};
use crate::told::*;
use vernport_registry::*;
use vernport_types::*;

fn reached(whom: &str, milestone: &str, more: &str) -> String {
    format!(
        "[[event]]\nkind = \"milestone-reached\"\nwhom = {{ {whom} }}\nmilestone = \"{milestone}\"\n{more}\n"
    )
}

const DISCLOSED: &str = r#"
[[event]]
kind = "disclosure-approved"
name = "approval"
time = "-5h"
recorded = "-4h"
disclosure = "police-4"
ground = "court-order"
assets = ["truck"]
flows = ["odometer"]
until = "+5h"
"#;

fn disclosed(told: &Told, flow: &str, now: UtcMicros) -> Option<UtcMicros> {
    told.facts.disclosure(told.truck(), &slug(flow), now).map(|open| open.until)
}

#[test]
fn the_latest_milestone_decides_however_late_it_is_recorded() {
    let anna = "subject = \"anna\"";
    let told = told(
        &[
            reached(anna, "interaction", "time = \"-9h\""),
            reached(anna, "interaction", "time = \"-5h\"\nrecorded = \"-1h\""),
            reached(anna, "interaction", "time = \"-2h\"\nname = \"mistake\""),
            reached("asset = \"truck\"", "vehicle-ended", "time = \"-3h\""),
            "[[event]]\nkind = \"voided\"\ntime = \"-1h\"\nentry = \"mistake\"\n".to_owned(),
        ]
        .concat(),
    );
    let at = |whom, milestone, now| told.facts.milestone(whom, milestone, now).map(|(_, at)| at);
    let anna = Whom::Subject(told.subject("anna"));
    assert_eq!(at(anna, Milestone::Interaction, hours(-10)), None);
    assert_eq!(at(anna, Milestone::Interaction, hours(-6)), Some(hours(-9)));
    assert_eq!(at(anna, Milestone::Interaction, EIGHT), Some(hours(-5)), "what was a mistake never was");
    assert_eq!(at(anna, Milestone::RelationshipEnded, EIGHT), None);
    assert_eq!(at(Whom::Subject(told.subject("bo")), Milestone::Interaction, EIGHT), None);
    assert_eq!(at(Whom::Asset(told.truck()), Milestone::VehicleEnded, EIGHT), Some(hours(-3)));
}

#[test]
fn an_account_is_open_until_closed_and_one_closed_in_the_same_moment_is_closed() {
    let bo = "subject = \"bo\"";
    let events = [
        reached(bo, "account-opened", "time = \"-9h\""),
        reached(bo, "account-closed", "time = \"-7h\""),
        reached(bo, "account-opened", "time = \"-5h\""),
        reached(bo, "account-closed", "time = \"-5h\""),
        reached("subject = \"bo-again\"", "account-opened", "time = \"-3h\""),
    ]
    .concat();
    let apart = told(&events);
    let open = |told: &Told, name, now| told.facts.account(told.subject(name), now).is_some();
    for (now, expected) in [(-10, false), (-9, true), (-8, true), (-7, false), (-5, false), (-1, false)] {
        assert_eq!(open(&apart, "bo", hours(now)), expected, "{now} h");
    }
    assert!(open(&apart, "bo-again", EIGHT) && !open(&apart, "anna", EIGHT));
    let merge = "[[event]]\nkind = \"subject-merged\"\ntime = \"-1h\"\nfrom = \"bo-again\"\ninto = \"bo\"\n";
    assert!(
        open(&told(&format!("{events}{merge}")), "bo", EIGHT),
        "one person, and the account of the second id"
    );
}

#[test]
fn a_disclosure_is_open_for_its_flows_from_when_it_was_recorded_until_its_end() {
    let approved = told(DISCLOSED);
    assert_eq!(disclosed(&approved, "odometer", hours(-5)), None, "nobody could rest on it");
    assert_eq!(disclosed(&approved, "odometer", hours(-4)), Some(hours(5)));
    assert_eq!(disclosed(&approved, "odometer", hours(5)), None);
    assert_eq!(disclosed(&approved, "position", EIGHT), None);
    let stranger = approved.world.asset("stranger").expect("declared");
    assert_eq!(approved.facts.disclosure(stranger, &slug("odometer"), EIGHT), None);

    let ended = "[[event]]\nkind = \"disclosure-ended\"\ntime = \"-2h\"\ndisclosure = \"approval\"\n";
    let ended = told(&format!("{DISCLOSED}{ended}"));
    assert_eq!(disclosed(&ended, "odometer", hours(-3)), Some(hours(5)));
    assert_eq!(disclosed(&ended, "odometer", hours(-2)), None);

    let longer = DISCLOSED.replace("+5h", "+9h").replace("approval", "second").replace("-5h", "-6h");
    assert_eq!(disclosed(&told(&format!("{DISCLOSED}{longer}")), "odometer", EIGHT), Some(hours(9)));
}

#[test]
fn an_end_of_a_disclosure_that_is_backdated_ends_it_all_the_same() {
    let ended = "[[event]]\nkind = \"disclosure-ended\"\ntime = \"-8h\"\nrecorded = \"-1h\"\ndisclosure = \"approval\"\n";
    let ended = told(&format!("{DISCLOSED}{ended}"));
    assert_eq!(disclosed(&ended, "odometer", EIGHT), None);
}

#[test]
fn who_was_told_of_a_notice_is_one_person_and_not_everybody() {
    let told = told(
        r#"
        [[event]]
        kind = "notice-served"
        time = "-5h"
        notice = "fleet-2"
        subject = "bo"
        [[event]]
        kind = "notice-served"
        time = "-5h"
        notice = "fleet-1"
        [[event]]
        kind = "subject-merged"
        time = "-1h"
        from = "bo-again"
        into = "bo"
        "#,
    );
    let asked = |notice, name, now| told.facts.notice_told(notice, told.subject(name), now).is_some();
    assert!(!asked("fleet-2", "bo", hours(-6)));
    assert!(asked("fleet-2", "bo", hours(-5)) && asked("fleet-2", "bo-again", EIGHT));
    assert!(!asked("fleet-2", "anna", EIGHT));
    assert!(!asked("fleet-1", "bo", EIGHT), "served to everybody is not told to one");
    assert_eq!(told.facts.notice_served("fleet-2", EIGHT), None, "and the other way round");
}
