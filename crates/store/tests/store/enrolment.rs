//! Invitations are used once, and what was issued is known.

use crate::{
    bed::{Bed, NOW, controller, on_all, record, slug},
    records::entry,
};
use std::sync::Arc;
use vernport_store::{Change, GatewayCertificate, Invitation, InvitationUsed, RecordError, Store};
use vernport_types::{ControllerId, EntryHash, UtcMicros};

on_all! {
    an_invitation_is_kept_as_it_was_made_and_only_so_many_are_open,
    of_two_uses_at_once_one_wins_and_the_other_records_nothing,
    certificates_are_known_within_their_bound_and_the_last_one_is_never_forgotten,
}

fn hours(hours: i64) -> UtcMicros {
    NOW.plus_seconds(hours * 3_600)
}

fn invitation(byte: u8) -> Invitation {
    Invitation {
        token_hash: [byte; 32],
        gateway: slug("bay-7"),
        site: slug("oslo"),
        station: slug("bay-7"),
        replace: byte.is_multiple_of(2),
        invited_by: slug("dms"),
        invited_at: NOW,
        expires_at: hours(24),
        used: None,
    }
}

fn certificate(serial: u8, issued_at: UtcMicros) -> GatewayCertificate {
    GatewayCertificate {
        gateway: slug("bay-7"),
        serial: vec![serial; 16],
        enrolment: EntryHash::from_bytes([9; 32]),
        key_hash: [serial; 32],
        certificate: vec![0x30, serial],
        issued_at,
        not_after: issued_at.plus_seconds(30 * 86_400),
    }
}

async fn opened(bed: &Bed) -> Store {
    let store = bed.open().await;
    store.add_controller(&controller()).await.expect("added");
    store
}

async fn an_invitation_is_kept_as_it_was_made_and_only_so_many_are_open(bed: Bed) {
    let store = opened(&bed).await;
    for byte in 1..=3 {
        assert!(store.invite(&controller(), &invitation(byte), 3).await.expect("kept"));
    }
    assert!(!store.invite(&controller(), &invitation(4), 3).await.expect("no failure"));
    let found = store.invitation(&controller(), &[2; 32]).await.expect("read");
    assert_eq!(found, Some(invitation(2)));
    assert_eq!(store.invitation(&controller(), &[4; 32]).await.expect("read"), None);
    let elsewhere: ControllerId = "DK-10628334".parse().expect("a controller");
    assert_eq!(store.invitation(&elsewhere, &[2; 32]).await.expect("read"), None);
    assert_eq!(store.open_invitations(&controller(), NOW).await.expect("read").len(), 3);
    assert!(store.open_invitations(&controller(), hours(24)).await.expect("read").is_empty());

    // What is past its time makes room, is known for a while, and then is not.
    let later = |byte, at| Invitation { invited_at: at, expires_at: at.plus_seconds(60), ..invitation(byte) };
    assert!(store.invite(&controller(), &later(5, hours(25)), 3).await.expect("kept"));
    assert!(store.invitation(&controller(), &[2; 32]).await.expect("read").is_some());
    assert!(store.invite(&controller(), &later(6, hours(24 * 9)), 3).await.expect("kept"));
    assert!(store.invitation(&controller(), &[2; 32]).await.expect("read").is_none());
}

async fn of_two_uses_at_once_one_wins_and_the_other_records_nothing(bed: Bed) {
    let store = Arc::new(opened(&bed).await);
    store.invite(&controller(), &invitation(1), 8).await.expect("kept");
    let used = |byte: u8| Change {
        entries: vec![entry(byte, &format!("use {byte}"))],
        invitation: Some(InvitationUsed {
            token_hash: [1; 32],
            keys_hash: [byte; 32],
            certificate: GatewayCertificate {
                enrolment: EntryHash::from_bytes([byte; 32]),
                ..certificate(byte, NOW)
            },
        }),
        ..Change::default()
    };
    let (one, other) = (used(11), used(12));
    let (first, second) = tokio::join!(record(&store, &one), record(&store, &other));
    assert_ne!(first.is_ok(), second.is_ok());
    // Whoever lost was overtaken; computed again, it finds the token used.
    let (won, lost) = if first.is_ok() { (11, &other) } else { (12, &one) };
    let before = store.current(&controller()).await.expect("is there");
    assert!(matches!(record(&store, lost).await, Err(RecordError::InvitationUsed)));
    assert_eq!(store.current(&controller()).await.expect("is there"), before);
    assert_eq!(store.entry_hashes(&controller()).await.expect("read").len(), 1);

    let found = store.invitation(&controller(), &[1; 32]).await.expect("read").expect("kept");
    assert_eq!(found.used, Some(([won; 32], EntryHash::from_bytes([won; 32]))));
    let known = store.gateway_certificates(&controller(), &slug("bay-7")).await.expect("read");
    assert_eq!(known.iter().map(|it| it.key_hash).collect::<Vec<_>>(), [[won; 32]]);
    assert!(store.open_invitations(&controller(), NOW).await.expect("read").is_empty());

    let unknown = Change {
        invitation: lost.invitation.clone().map(|used| InvitationUsed { token_hash: [3; 32], ..used }),
        ..Change::default()
    };
    assert!(matches!(record(&store, &unknown).await, Err(RecordError::InvitationUsed)));
}

async fn certificates_are_known_within_their_bound_and_the_last_one_is_never_forgotten(bed: Bed) {
    let store = opened(&bed).await;
    let (controller, gateway) = (controller(), slug("bay-7"));
    assert!(store.gateway_certificates(&controller, &gateway).await.expect("read").is_empty());
    for serial in 1..=2 {
        assert!(store.note_certificate(&controller, &certificate(serial, NOW), 2).await.expect("noted"));
    }
    assert!(!store.note_certificate(&controller, &certificate(3, NOW), 2).await.expect("no failure"));
    let known = store.gateway_certificates(&controller, &gateway).await.expect("read");
    assert_eq!(known, [certificate(1, NOW), certificate(2, NOW)]);
    let until = store.certificates_until(&controller).await.expect("read");
    assert_eq!(until, [(gateway.clone(), certificate(1, NOW).not_after)]);

    // Ended ones go when the next one comes, and not before.
    let later = hours(24 * 31);
    assert!(store.note_certificate(&controller, &certificate(4, later), 2).await.expect("noted"));
    let known = store.gateway_certificates(&controller, &gateway).await.expect("read");
    assert_eq!(known, [certificate(4, later)]);
    assert!(store.gateway_certificates(&controller, &slug("bay-8")).await.expect("read").is_empty());
}
