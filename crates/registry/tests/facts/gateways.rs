//! Gateways: enrolled, ended, revoked; and whose signatures count.

use crate::samples::{EIGHT, controller, entry, slug, station};
use vernport_crypto::VerifyingKey;
use vernport_registry::*;
use vernport_types::UtcMicros;

fn key(byte: u8) -> VerifyingKey {
    VerifyingKey::from_bytes([byte; 32])
}

fn enrolled(byte: u8) -> Event {
    Event::GatewayEnrolled(GatewayEnrolled {
        gateway: slug("bay-1"),
        station: station(),
        device_key: key(byte),
        pinned: None,
    })
}

fn ended() -> Event {
    Event::EnrolmentEnded(EnrolmentEnded { gateway: slug("bay-1") })
}

fn revoked() -> Event {
    Event::GatewayRevoked(GatewayRevoked { gateway: slug("bay-1") })
}

fn at(seconds: usize) -> UtcMicros {
    EIGHT.plus_seconds(i64::try_from(seconds).expect("few"))
}

/// Says one thing a second; the facts after the last.
fn after(said: impl IntoIterator<Item = Event>) -> Facts {
    let mut facts = Facts::new(controller());
    for (second, event) in said.into_iter().enumerate() {
        let entry = entry(event, at(second), at(second), &format!("said-{second}"));
        facts.apply(&entry).expect("it may be said");
    }
    facts
}

fn stands(facts: &Facts) -> (EnrolmentState, Vec<VerifyingKey>) {
    let now = at(60);
    let state = facts.gateway(&slug("bay-1"), now).expect("it was enrolled").state;
    assert_eq!(facts.enrolment(&slug("bay-1"), now).is_some(), state == EnrolmentState::Enrolled);
    (state, facts.device_keys(&slug("bay-1"), now))
}

#[test]
fn what_an_ended_gateway_sealed_is_still_taken_and_nothing_of_a_revoked_one() {
    assert_eq!(stands(&after([enrolled(1)])), (EnrolmentState::Enrolled, vec![key(1)]));
    assert_eq!(stands(&after([enrolled(1), ended()])), (EnrolmentState::Ended, vec![key(1)]));
    assert_eq!(stands(&after([enrolled(1), revoked()])), (EnrolmentState::Revoked, vec![]));
    assert_eq!(stands(&after([enrolled(1), ended(), revoked()])), (EnrolmentState::Revoked, vec![]));
}

#[test]
fn the_keys_before_a_revocation_never_count_again() {
    let again = after([enrolled(1), enrolled(2), revoked(), enrolled(3)]);
    assert_eq!(stands(&again), (EnrolmentState::Enrolled, vec![key(3)]));
    let ended = after([enrolled(1), revoked(), enrolled(2), ended()]);
    assert_eq!(stands(&ended), (EnrolmentState::Ended, vec![key(2)]));
}

#[test]
fn a_gateway_is_told_with_its_last_enrolment_and_the_last_word_about_it() {
    let facts = after([enrolled(1), enrolled(2), ended()]);
    let gateway = facts.gateway(&slug("bay-1"), at(60)).expect("it was enrolled");
    assert_eq!((gateway.enrolled_at, gateway.said_at), (at(1), at(2)));
    assert_eq!(gateway.station, station());
    assert_eq!(facts.gateway(&slug("bay-2"), at(60)), None);
    assert_eq!(after([revoked()]).gateway(&slug("bay-1"), at(60)), None, "it was never enrolled");
}
