//! Frozen bytes (decision note 0004). A change here is a new format, not a new expectation.

mod world;

use vernport_crypto::{BlindIndex, SigningKey, WrappingKey, sha256};
use vernport_policy::{
    Believe, ClosedGrant, FlowGrant, Grant, GrantId, Head, HeadError, Opening, RecipientKey, Role, Snapshot,
    SnapshotError,
};
use vernport_types::{
    AssetId, Category, EntryHash, LegalBasis, OrderId, Reason, SubjectId, UtcMicros, VehicleAlias,
};
use world::id;

fn grant() -> Grant {
    Grant {
        asset: AssetId::from_bytes([0xA5; 16]),
        identifiers: vec![BlindIndex::from_bytes([0x1D; 32])],
        order: Some(OrderId::from_bytes([0x0D; 16])),
        flows: vec![FlowGrant {
            flow: id("workshop"),
            id: GrantId::from_bytes([0x61; 16]),
            basis: LegalBasis::Contract,
            believe: Believe {
                lease_seconds: Some(300),
                until: UtcMicros(1_795_435_200_000_000),
                ends_as: Reason::OrderNotOpen,
            },
            alias: VehicleAlias::from_bytes([0xA1; 16]),
            rests_on: vec![EntryHash::from_bytes([0xE1; 32])],
        }],
        closed: vec![(id("reminder"), Reason::ConsentWithdrawn)],
    }
}

fn snapshot() -> Snapshot {
    Snapshot {
        format: Snapshot::FORMAT,
        controller: id("NO-999999999"),
        gateway: id("bay-1-box"),
        bundle_hash: [0xB0; 32],
        identify_open: true,
        grants: vec![grant()],
        closed: vec![ClosedGrant { id: GrantId::from_bytes([0x62; 16]), reason: Reason::Restricted }],
        recipient_keys: vec![RecipientKey {
            recipient: id("workshop"),
            purpose: id("service"),
            key: WrappingKey::from_bytes([0x4B; 32]),
        }],
        recovery: WrappingKey::from_bytes([0x4C; 32]),
    }
}

fn head() -> Head {
    Head {
        era: 1,
        sequence: 300,
        at: UtcMicros(1_795_176_000_000_000),
        nonce: [0x9A; 16],
        snapshot_hash: [0x5A; 32],
    }
}

fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_grant_has_its_frozen_bytes() {
    let bytes = postcard::to_allocvec(&grant()).expect("encodes");
    assert_eq!(text(&bytes), include_str!("golden/grant.hex").trim());
    assert_eq!(postcard::from_bytes::<Grant>(&bytes).expect("decodes"), grant());
}

#[test]
fn a_snapshot_has_its_frozen_bytes_and_hash() {
    let bytes = snapshot().encode();
    assert_eq!(text(&bytes), include_str!("golden/snapshot.hex").trim());
    assert_eq!(Snapshot::decode(&bytes).expect("decodes"), snapshot());
    assert_eq!(snapshot().hash(), sha256(&bytes));
}

#[test]
fn a_snapshot_says_the_same_in_json() {
    let json = serde_json::to_string_pretty(&snapshot()).expect("encodes");
    assert_eq!(json, include_str!("golden/snapshot.json").trim());
    let read: Snapshot = serde_json::from_str(&json).expect("decodes");
    assert_eq!(read.hash(), snapshot().hash(), "the hash is of the bytes, however it came");
}

#[test]
fn a_signed_head_has_its_frozen_bytes() {
    let key = SigningKey::from_seed([0x11; 32]);
    assert_eq!(text(&head().signed_bytes()), include_str!("golden/head.hex").trim());
    let signed = head().sign(&key);
    let json = serde_json::to_string_pretty(&signed).expect("encodes");
    assert_eq!(json, include_str!("golden/head.json").trim());
    assert_eq!(signed.verify(&key.verifying_key(), &[0x9A; 16], None).expect("signed"), head());
}

#[test]
fn a_head_is_believed_only_if_signed_asked_for_and_not_from_before() {
    let key = SigningKey::from_seed([0x11; 32]);
    let signed = head().sign(&key);
    let verify = |last: Option<&Head>| signed.verify(&key.verifying_key(), &[0x9A; 16], last);
    assert!(verify(Some(&head())).is_ok(), "the same place in the sequence, asked again");
    let later = Head { sequence: 301, ..head() };
    assert!(matches!(verify(Some(&later)), Err(HeadError::Backwards { last_sequence: 301, .. })));
    let era = Head { era: 2, sequence: 0, ..head() };
    assert!(matches!(verify(Some(&era)), Err(HeadError::Backwards { last_era: 2, .. })));
    assert!(verify(Some(&Head { sequence: 299, ..head() })).is_ok());
    assert!(matches!(signed.verify(&key.verifying_key(), &[0; 16], None), Err(HeadError::Nonce)));
    let other = SigningKey::from_seed([0x12; 32]).verifying_key();
    assert!(matches!(signed.verify(&other, &[0x9A; 16], None), Err(HeadError::Signature(_))));
    let mut changed = signed;
    changed.head.at = changed.head.at.plus_seconds(1);
    assert!(matches!(changed.verify(&key.verifying_key(), &[0x9A; 16], None), Err(HeadError::Signature(_))));
}

/// The key under which central finds an opening again: a change would draw new ids for everything.
#[test]
fn an_opening_has_its_frozen_key() {
    let opening = Opening {
        asset: AssetId::from_bytes([0xA5; 16]),
        flow: id("reminder"),
        purpose: id("maintenance-reminder"),
        recipient: id("workshop"),
        basis: LegalBasis::Consent,
        categories: vec![Category::Odometer],
        order: None,
        alias: VehicleAlias::from_bytes([0xA1; 16]),
        subjects: vec![(Role::Owner, SubjectId::from_bytes([0x0A; 16]))],
        consent_of: vec![Role::Owner],
        rests_on: vec![EntryHash::from_bytes([0xE1; 32])],
        erasures: Vec::new(),
    };
    assert_eq!(text(&opening.key()), include_str!("golden/opening-key.hex").trim());
}

#[test]
fn malformed_snapshots_are_refused_and_never_panic() {
    let bytes = snapshot().encode();
    for cut in 0..bytes.len() {
        assert!(matches!(Snapshot::decode(&bytes[..cut]), Err(SnapshotError::Shape(_))), "cut at {cut}");
    }
    let mut more = bytes.clone();
    more.push(0);
    assert!(matches!(Snapshot::decode(&more), Err(SnapshotError::LeftOver { bytes: 1 })));
    let newer = Snapshot { format: 2, ..snapshot() }.encode();
    assert!(matches!(Snapshot::decode(&newer), Err(SnapshotError::Format { format: 2 })));
    // A length that claims more than there is: refused without taking that much room.
    let claims = [1, 12, b'N', b'O', b'-', 0xFF, 0xFF, 0xFF, 0xFF, 0x0F];
    assert!(Snapshot::decode(&claims).is_err());
    for place in 0..bytes.len() {
        for flip in [0x01, 0x80, 0xFF] {
            let mut changed = bytes.clone();
            changed[place] ^= flip;
            if let Ok(read) = Snapshot::decode(&changed) {
                assert_ne!(read, snapshot(), "each byte says something");
            }
        }
    }
}
