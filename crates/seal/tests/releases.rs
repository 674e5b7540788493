//! From decisions to envelopes and messages: what policy released is what the
//! recipient reads, and nothing of another opening gets into an epoch.

use proptest::prelude::*;
use std::sync::Arc;
use vernport_crypto::{OpeningKey, SigningKey, StorageKey, sha256};
use vernport_policy::{
    Believe, Bundle, FlowGrant, Grant, Head, How, Outcomes, Released, Rules, Sampler, Snapshot, Table,
};
use vernport_seal::{
    BatchContext, Body, EpochContext, EpochSealer, MAX_RECORDS, ReceivedEnvelope, Recipient, SealError,
    Sealed, Storage, TopicMessage, open_from_storage, seal_for_storage,
};
use vernport_types::{
    AssetId, BatchId, BootId, BootMicros, Catalogue, EntryHash, EpochId, GrantId, Identification, LegalBasis,
    MessageId, OrderId, Reading, Reason, Source, Stamp, TimeQuality, UtcMicros, Value, VehicleAlias,
};

const NOW: Stamp = Stamp {
    wall: UtcMicros(1_795_180_000_000_000),
    boot: BootMicros(1_000_000),
    quality: TimeQuality::Synced,
};
const DUE: UtcMicros = UtcMicros(1_800_000_000_000_000);

const CATALOGUE: &str = r#"
format = 1
[[signal]]
path = "Vehicle.TraveledDistance"
unit = "m"
kind = "integer"
category = "odometer"
[[signal]]
path = "Vehicle.EngineHours"
unit = "h"
kind = "integer"
category = "component-status"
"#;

const BUNDLE: &str = r#"
format = 1
requires = []
name = "example"

[controller]
id = "NO-999999999"
name = "Example"
role = "controller"
jurisdiction = "NO"
time_zone = "Europe/Oslo"
regions = ["NO"]
clauses = ["1"]

[[notice]]
version = "notice-1"
served_when = "recorded"
categories = ["odometer", "component-status"]
clauses = ["2"]

[[purpose]]
id = "service"
iri = "https://w3id.org/dpv#ServiceProvision"
basis = "A6-1-b"
necessity = "The service follows the distance driven."
clauses = ["3"]

[[recipient]]
id = "workshop"
name = "Example's workshop"
role = "controller"
region = "NO"
clauses = ["4"]

[[retention]]
id = "order-plus-90d"
start = "order-closed"
period = "P90D"
at_most = "P180D"
clauses = ["5"]

[[flow]]
id = "service-odometer"
purpose = "service"
recipient = "workshop"
retention = "order-plus-90d"
deliver = { store = true }
weakest = "tool"
clauses = ["6"]

[flow.signals]
"Vehicle.TraveledDistance" = "exact"
"Vehicle.EngineHours" = "bucket-100"
"#;

/// One asset with one open flow.
struct World {
    catalogue: Catalogue,
    table: Table,
}

impl World {
    fn new(grant: GrantId, alias: VehicleAlias) -> Self {
        let catalogue = Catalogue::from_toml([("signals.toml", CATALOGUE)]).expect("a catalogue");
        let bundle = Bundle::from_toml("bundle.toml", BUNDLE).expect("a bundle");
        let rules = Arc::new(Rules::compile(&bundle, &catalogue).expect("sound rules"));
        let flow = FlowGrant {
            flow: "service-odometer".parse().expect("a slug"),
            id: grant,
            basis: LegalBasis::Contract,
            believe: Believe {
                lease_seconds: None,
                until: NOW.wall.plus_seconds(3600),
                ends_as: Reason::OrderNotOpen,
            },
            alias,
            rests_on: vec![EntryHash::from_bytes([9; 32])],
        };
        let snapshot = Snapshot {
            format: Snapshot::FORMAT,
            controller: rules.controller().clone(),
            gateway: "bay-1-box".parse().expect("a slug"),
            bundle_hash: rules.hash(),
            identify_open: false,
            grants: vec![Grant {
                asset: asset(),
                identifiers: Vec::new(),
                order: Some(OrderId::from_bytes([8; 16])),
                flows: vec![flow],
                closed: Vec::new(),
            }],
            closed: Vec::new(),
            recipient_keys: Vec::new(),
            recovery: OpeningKey::generate().wrapping_key(),
        };
        let head = Head { era: 0, sequence: 1, at: NOW.wall, nonce: [0; 16], snapshot_hash: snapshot.hash() };
        let mut table = Table::new(rules);
        let applied = table.apply(snapshot, &head, NOW).expect("applies");
        assert_eq!(applied.opened, 1, "{applied:?}");
        Self { catalogue, table }
    }

    fn release(&self, path: &str, n: i64, identified_by: Identification) -> Released {
        let reading = Reading {
            asset: asset(),
            signal: self.catalogue.find(path).expect("listed"),
            value: Value::Integer(n),
            at: NOW,
            source: Source::J1939 { pgn: 65217, sa: 0 },
            identified_by,
        };
        let mut outcomes = Outcomes::new();
        self.table.decide(&reading, NOW, &mut Sampler::default(), &mut outcomes);
        *outcomes.released().first().expect("the flow is open")
    }
}

fn asset() -> AssetId {
    AssetId::from_bytes([1; 16])
}

fn grant(n: u8) -> GrantId {
    GrantId::from_bytes([n; 16])
}

fn alias(n: u8) -> VehicleAlias {
    VehicleAlias::from_bytes([n; 16])
}

fn context() -> BatchContext {
    BatchContext {
        bundle_hash: sha256(BUNDLE.as_bytes()),
        notice: "notice-1".into(),
        purpose: "https://w3id.org/dpv#ServiceProvision".into(),
        basis: LegalBasis::Contract,
        rests_on: vec![EntryHash::from_bytes([9; 32])],
        catalogue_hash: sha256(CATALOGUE.as_bytes()),
        collector: "bay-1".into(),
        order: Some(OrderId::from_bytes([8; 16])),
        software: "test".into(),
        boot: BootId::from_bytes([7; 16]),
    }
}

/// An epoch of one grant, its recipient and its gateway.
struct Epoch {
    sealer: EpochSealer,
    recipient: OpeningKey,
    device: SigningKey,
}

impl Epoch {
    fn new(grant: GrantId) -> Self {
        let recipient = OpeningKey::generate();
        let context = EpochContext {
            controller: "NO-999999999".parse().expect("valid"),
            gateway: "bay-1-box".parse().expect("valid"),
            flow: "service-odometer".parse().expect("valid"),
            epoch: EpochId::from_bytes([5; 16]),
            retention_rule: "order-plus-90d".parse().expect("valid"),
            grant,
        };
        let recovery = OpeningKey::generate().wrapping_key();
        let sealer = EpochSealer::new(context, &[recipient.wrapping_key()], &recovery).expect("begins");
        Self { sealer, recipient, device: SigningKey::generate() }
    }

    fn seal(&mut self, released: &[Released], catalogue: &Catalogue) -> Result<Body, SealError> {
        let batch = BatchId::from_bytes([4; 16]);
        let sealed = self.sealer.seal(&self.device, batch, DUE, context(), released, catalogue)?;
        let received = ReceivedEnvelope::parse(sealed.as_bytes()).expect("an envelope");
        received.verify(&self.device.verifying_key()).expect("signed");
        assert_eq!((received.header().batch, received.header().latest_due), (batch, DUE));
        Ok(received.open(&self.recipient).expect("sealed to the recipient"))
    }
}

#[test]
fn the_recipient_reads_what_was_released_and_how_it_was_minimised() {
    let world = World::new(grant(1), alias(2));
    let released = [
        world.release("Vehicle.TraveledDistance", 158_910_600, Identification::BusVin),
        world.release("Vehicle.EngineHours", 4_217, Identification::Tool),
        world.release("Vehicle.TraveledDistance", 158_910_700, Identification::Asserted),
    ];
    let body = Epoch::new(grant(1)).seal(&released, &world.catalogue).expect("seals");
    assert_eq!(body.head.context, context());
    assert_eq!(body.head.alias, alias(2));
    assert_eq!(body.head.identified_by, Identification::Tool, "the weakest of the three");
    let names: Vec<_> =
        body.head.signals.iter().map(|s| (s.path.as_str(), s.unit.as_str(), s.minimiser.as_str())).collect();
    assert_eq!(
        names,
        [("Vehicle.TraveledDistance", "m", "exact"), ("Vehicle.EngineHours", "h", "bucket-100")]
    );
    let records: Vec<_> = body.records.iter().map(|r| (r.signal, r.value, r.how)).collect();
    assert_eq!(
        records,
        [
            (0, Value::Integer(158_910_600), How::Exact),
            (1, Value::Bucket(4_200, 4_300), How::Coarsened),
            (0, Value::Integer(158_910_700), How::Exact),
        ]
    );
    assert!(body.records.iter().all(|r| r.at == NOW && r.source == Source::J1939 { pgn: 65217, sa: 0 }));
}

#[test]
fn an_epoch_seals_releases_of_its_own_grant_and_alias_only() {
    let world = World::new(grant(1), alias(2));
    let release = |world: &World| world.release("Vehicle.TraveledDistance", 1, Identification::BusVin);
    let (own, other_grant) = (release(&world), release(&World::new(grant(3), alias(2))));
    let other_alias = release(&World::new(grant(1), alias(4)));
    let mut epoch = Epoch::new(grant(1));
    let mut seal = |released: &[Released]| epoch.seal(released, &world.catalogue).map(drop);
    assert_eq!(seal(&[own, other_grant]), Err(SealError::OtherGrant { expected: grant(1), found: grant(3) }));
    assert_eq!(seal(&[own, other_alias]), Err(SealError::OtherAlias));
    assert_eq!(seal(&[]), Err(SealError::Empty));
    assert_eq!(seal(&[own, own]), Ok(()));
}

#[test]
fn the_fullest_batch_fits_and_one_release_more_does_not() {
    let world = World::new(grant(1), alias(2));
    let one = world.release("Vehicle.TraveledDistance", i64::MAX, Identification::BusVin);
    let mut epoch = Epoch::new(grant(1));
    let full = epoch.seal(&vec![one; MAX_RECORDS], &world.catalogue).expect("fits");
    assert_eq!(full.records.len(), MAX_RECORDS);
    let more = vec![one; MAX_RECORDS + 1];
    assert_eq!(epoch.seal(&more, &world.catalogue), Err(SealError::Records { records: MAX_RECORDS + 1 }));
}

#[test]
fn a_message_is_rendered_from_a_release_or_carries_an_envelope() {
    let world = World::new(grant(1), alias(2));
    let release = world.release("Vehicle.TraveledDistance", 158_910_600, Identification::BusVin);
    let (key, id) = (StorageKey::generate(), MessageId::from_bytes([6; 16]));
    let plain = TopicMessage::from_released(&release, id, DUE, |release| {
        (format!("fleet/{}", release.alias()), format!("{:?}", release.how()).into_bytes())
    })
    .expect("short");
    let opened = open_from_storage(&key, &seal_for_storage(&key, plain)).expect("opens");
    assert_eq!(opened.topic(), format!("fleet/{}", alias(2)));
    assert_eq!((opened.payload(), opened.expiry(), opened.message_id()), (&b"Exact"[..], DUE, id));

    let mut epoch = Epoch::new(grant(1));
    let batch = BatchId::from_bytes([4; 16]);
    let sealed =
        epoch.sealer.seal(&epoch.device, batch, DUE, context(), &[release], &world.catalogue).expect("seals");
    let carried = TopicMessage::from_sealed(&sealed, id, DUE, |sealed| {
        ("fleet/sealed".into(), sealed.as_bytes().to_vec())
    })
    .expect("short");
    assert_eq!(carried.payload(), sealed.as_bytes());
}

/// Has one meaning for a type without any of the traits below, and is ambiguous,
/// so that this file does not compile, for a type with one of them.
trait NotMadeOtherwise<Marker> {
    fn is_not_made_otherwise() {}
}
struct Any;
struct Deserialised;
struct Defaulted;
struct Converted;
impl<T> NotMadeOtherwise<Any> for T {}
impl<T: serde::de::DeserializeOwned> NotMadeOtherwise<Deserialised> for T {}
impl<T: Default> NotMadeOtherwise<Defaulted> for T {}
impl<T: From<Reading>> NotMadeOtherwise<Converted> for T {}

#[test]
fn releases_and_sealed_things_are_not_read_defaulted_or_converted() {
    <Released as NotMadeOtherwise<_>>::is_not_made_otherwise();
    <Sealed<Recipient> as NotMadeOtherwise<_>>::is_not_made_otherwise();
    <Sealed<Storage> as NotMadeOtherwise<_>>::is_not_made_otherwise();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    /// The naive model: the records are the releases, one by one.
    #[test]
    fn records_are_the_releases_in_their_order(picks in prop::collection::vec((any::<bool>(), 0..1_000_000_i64), 1..40)) {
        let world = World::new(grant(1), alias(2));
        let released: Vec<Released> = picks
            .iter()
            .map(|(odometer, n)| {
                let path = if *odometer { "Vehicle.TraveledDistance" } else { "Vehicle.EngineHours" };
                world.release(path, *n, Identification::BusVin)
            })
            .collect();
        let body = Epoch::new(grant(1)).seal(&released, &world.catalogue).expect("seals");
        prop_assert_eq!(body.records.len(), released.len());
        for (record, release) in body.records.iter().zip(&released) {
            let path = &body.head.signals[usize::from(record.signal)].path;
            prop_assert_eq!(path.as_str(), &*world.catalogue.signal(release.signal()).path);
            prop_assert_eq!((record.value, record.at, record.source, record.how),
                (release.value(), release.at(), release.source(), release.how()));
        }
    }
}
