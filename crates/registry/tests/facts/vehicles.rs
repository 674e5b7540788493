//! Orders, people and identifiers of vehicles.

use crate::samples::{self, EIGHT, slug};
use crate::told::*;
use vernport_registry::*;
use vernport_types::*;

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
fn in_one_moment_a_sale_comes_first_then_links_then_their_ends() {
    let told = told(
        r#"
        [[event]]
        kind = "unlinked"
        time = "-1h"
        asset = "truck"
        subject = "anna"
        role = "driver"
        [[event]]
        kind = "linked"
        time = "-1h"
        asset = "truck"
        subject = "anna"
        role = "driver"
        [[event]]
        kind = "linked"
        time = "-1h"
        asset = "truck"
        subject = "bo"
        role = "driver"
        [[event]]
        kind = "owner-changed"
        time = "-1h"
        asset = "truck"
        owners = ["anna"]
        [[event]]
        kind = "identifier-ended"
        time = "-30d"
        asset = "truck"
        identifier = { vin = "WDB9634031L738001" }
        "#,
    );
    assert_eq!(told.linked(Role::Driver, EIGHT), [told.subject("bo")]);
    assert_eq!(told.linked(Role::Owner, EIGHT), [told.subject("anna")]);
    assert_eq!(told.facts.identifiers(told.truck(), EIGHT).len(), 1, "the plate; the VIN ended as it began");
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
