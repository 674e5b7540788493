//! What an operator calls a vehicle: sealed to it when it is said, told under the vehicle's alias, and readable
//! for nobody else.

use crate::{
    common::{ASSET, CONTROLLER, Central, refused, slug, taken},
    notices::{
        DAY_SECONDS, central_at, central_publishing, opened, publishing, publishing_but_to, soon, subscribed,
    },
};
use serde_json::{Value, json};
use std::{fs, sync::Arc};
use vernport_api::{Code, FleetNumberAnswer, PATH_FLEET_NUMBERS};
use vernport_crypto::{OpenError, OpeningKey};
use vernport_mqtt::{Heard, Listed, RosterVehicle, Subscription};

const NUMBER: &str = "Lastebil 17";

/// The registrar says what the workshop calls the vehicle.
async fn call(central: &Central, number: Value) -> FleetNumberAnswer {
    call_as(central, "workshop", number).await
}

/// The registrar says what an operator calls it.
async fn call_as(central: &Central, operator: &str, number: Value) -> FleetNumberAnswer {
    let said = json!({"asset": ASSET, "operator": operator, "number": number});
    taken(central.post(&central.registrar(), PATH_FLEET_NUMBERS, &said).await).await
}

async fn listed(subscription: &mut Subscription) -> Listed {
    match soon(subscription.next()).await.expect("it runs") {
        Heard::Roster(listed) => listed,
        other => panic!("nothing else is said here: {other:?}"),
    }
}

fn only(listed: &Listed) -> RosterVehicle {
    let [vehicle] = listed.roster.vehicles() else { panic!("one vehicle") };
    vehicle.clone()
}

/// What the workshop reads.
fn read(central: &Central, listed: &Listed) -> String {
    let (vehicle, controller) = (only(listed), CONTROLLER.parse().expect("a controller"));
    let opened =
        vehicle.number().open(&central.world.workshop, &controller, &slug("workshop"), &vehicle.purpose);
    opened.expect("its own key").expose().to_owned()
}

#[tokio::test]
async fn an_operator_finds_its_own_number_under_the_alias_and_nobody_else_reads_it() {
    let (central, broker) = publishing().await;
    let mut workshop = subscribed(&broker, "workshop").await;
    let alias = opened(&central, "odometer").await.alias;
    let answer = call(&central, NUMBER.into()).await;
    assert_eq!((answer.purposes, answer.without_key), (vec![slug("service")], vec![]));
    let told = listed(&mut workshop).await;
    assert_eq!(told.roster.verify(&slug("workshop"), &central.world.head_key()), Ok(()));
    assert_eq!((only(&told).vehicle, only(&told).purpose), (alias, slug("service")));
    assert_eq!(read(&central, &told), NUMBER);

    let (coach, controller) = (&central.world.coach, CONTROLLER.parse().expect("a controller"));
    let stolen = only(&told).number().open(coach, &controller, &slug("workshop"), &slug("service"));
    assert!(matches!(stolen, Err(OpenError::OtherKey { .. })));
    // Nor does central: it lies nowhere but sealed.
    let world = central.stop().await;
    let mut files = 0;
    for file in fs::read_dir(world.folder.path()).expect("a folder") {
        let path = file.expect("a file").path();
        if path.is_file() {
            let bytes = fs::read(&path).expect("readable");
            let is_there = bytes.windows(NUMBER.len()).any(|window| window == NUMBER.as_bytes());
            assert!(!is_there, "{}", path.display());
            files += 1;
        }
    }
    assert!(files > 1, "databases were looked into");
}

#[tokio::test]
async fn a_number_is_sealed_to_the_key_that_came_last() {
    let (central, broker) = publishing().await;
    let mut workshop = subscribed(&broker, "workshop").await;
    opened(&central, "odometer").await;
    let first = central.world.workshop.wrapping_key().key_id();
    // One that stands behind the first by its name, and one before it.
    for is_behind in [true, false] {
        central.world.advance_seconds(1);
        let next = std::iter::repeat_with(OpeningKey::generate)
            .find(|next| (next.wrapping_key().key_id() > first) == is_behind)
            .expect("half of them are");
        central
            .say(json!({"kind": "recipient-key-activated", "recipient": "workshop", "purpose": "service",
                        "key": next.wrapping_key()}))
            .await;
        call(&central, NUMBER.into()).await;
        let told = listed(&mut workshop).await;
        assert_eq!(only(&told).number().key(), next.wrapping_key().key_id());
        told.ack.done();
    }
}

#[tokio::test]
async fn what_changes_is_told_at_once_everything_daily_and_what_was_taken_away_no_more() {
    let (central, broker) = publishing().await;
    let mut workshop = subscribed(&broker, "workshop").await;
    for number in [NUMBER, "Lastebil 18"] {
        call(&central, number.into()).await;
        let told = listed(&mut workshop).await;
        assert_eq!(read(&central, &told), number);
        told.ack.done();
    }
    let world = central.stop().await;
    world.advance_seconds(DAY_SECONDS + 1);
    let central = central_at(Arc::clone(&world), &broker).await;
    let again = listed(&mut workshop).await;
    assert_eq!(read(&central, &again), "Lastebil 18");
    again.ack.done();

    let answer = call(&central, Value::Null).await;
    assert_eq!((answer.purposes, answer.without_key), (vec![], vec![]));
    let world = central.stop().await;
    world.advance_seconds(DAY_SECONDS + 1);
    let central = central_at(world, &broker).await;
    // The next that is heard is the next that is said.
    call(&central, "Lastebil 19".into()).await;
    assert_eq!(read(&central, &listed(&mut workshop).await), "Lastebil 19");
}

#[tokio::test]
async fn an_operator_that_the_bundle_does_not_name_any_more_is_told_nothing() {
    let (central, broker) = publishing().await;
    let mut workshop = subscribed(&broker, "workshop").await;
    let mut coach = subscribed(&broker, "coach").await;
    for operator in ["coach", "workshop"] {
        call_as(&central, operator, NUMBER.into()).await;
    }
    listed(&mut coach).await.ack.done();
    listed(&mut workshop).await.ack.done();
    let next_day = async |central: Central, published: usize| {
        let world = central.stop().await;
        world.advance_seconds(DAY_SECONDS + 1);
        central_publishing(world, &broker, published).await
    };
    // They are told by name, so the coach was passed over when the workshop is told.
    let central = next_day(central, 1).await;
    listed(&mut workshop).await.ack.done();
    let central = next_day(central, 2).await;
    let told = listed(&mut coach).await.roster.at.0;
    assert!(told.0 > central.world.now().0 - DAY_SECONDS * 1_000_000, "of the last day");
}

#[tokio::test]
async fn an_operator_whose_topic_the_broker_refuses_keeps_no_other_from_its_roster() {
    let (central, broker) = publishing_but_to(Some("coach")).await;
    let mut workshop = subscribed(&broker, "workshop").await;
    // Each round begins with the coach, whose roster is always due.
    assert_eq!(call_as(&central, "coach", "Buss 3".into()).await.without_key, []);
    call(&central, NUMBER.into()).await;
    let told = listed(&mut workshop).await;
    assert_eq!(read(&central, &told), NUMBER);
}

#[tokio::test]
async fn who_may_not_say_it_or_says_it_of_nothing_is_refused_without_effect() {
    let (central, broker) = publishing().await;
    let mut workshop = subscribed(&broker, "workshop").await;
    let good = json!({"asset": ASSET, "operator": "workshop", "number": NUMBER});
    let with = |key: &str, value: Value| {
        let mut changed = good.clone();
        changed[key] = value;
        changed
    };
    let registrar = central.registrar();
    for (said, code) in [
        (with("asset", "77".repeat(16).into()), Code::NotFound),
        (with("operator", "nobody".into()), Code::NotFound),
        (with("number", "two\nlines".into()), Code::BadRequest),
        (with("number", "x".repeat(41).into()), Code::BadRequest),
        (with("more", 1.into()), Code::BadRequest),
    ] {
        let problem = refused(central.post(&registrar, PATH_FLEET_NUMBERS, &said).await, code).await;
        assert!(!format!("{problem:?}").contains("two"), "it is not repeated");
    }
    refused(central.post(&central.gateway(), PATH_FLEET_NUMBERS, &good).await, Code::RoleNotAllowed).await;
    // The first that is told is the first that was said well.
    call(&central, "Lastebil 1".into()).await;
    assert_eq!(read(&central, &listed(&mut workshop).await), "Lastebil 1");
}
