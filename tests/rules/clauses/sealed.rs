//! One reading under a bundle, from facts to the envelope: what leaves, and who can read it.

use super::world::{catalogue, compile};
use std::sync::Arc;
use vernport_crypto::{IdentityKey, OpeningKey, SigningKey};
use vernport_policy::{Head, Opening, Outcomes, Rules, Sampler, SnapshotFor, StationRef, Table, snapshot};
use vernport_registry::{Facts, world::World};
use vernport_review::{ask::Names, trial::give_keys};
use vernport_seal::{BatchContext, EpochContext, EpochSealer, ReceivedEnvelope};
use vernport_types::{
    BatchId, BootId, BootMicros, EpochId, Identification, Reading, Source, Stamp, TimeQuality, UtcMicros,
    Value,
};

/// 4 May 2026, 10:00 UTC.
pub(super) const NOW: UtcMicros = UtcMicros(1_777_888_800_000_000);
/// The distance that is sealed, in metres.
pub(super) const METRES: i64 = 158_910_605;

const WORLD: &str = r#"
format = 1

[[asset]]
name = "car"
since = "-30d"
vin = "YV2RT40A8KB123456"

[[subject]]
name = "kari"

[[event]]
time = "-30d"
kind = "linked"
asset = "car"
subject = "kari"
role = "owner"

[[event]]
time = "-1h"
kind = "order-opened"
order = "1017"
assets = ["car"]
station = "main/bay-1"
"#;

/// A batch with one record, and everybody who had to do with it.
pub(super) struct SealedBatch {
    pub(super) rules: Rules,
    pub(super) envelope: ReceivedEnvelope,
    pub(super) recipient: OpeningKey,
    pub(super) recovery: OpeningKey,
    pub(super) device: SigningKey,
    pub(super) opening: Opening,
}

/// Facts of the world above, with every version of the notice served and told.
pub(super) fn facts(rules: &Rules) -> Facts {
    let mut text = WORLD.to_owned();
    for notice in rules.notices() {
        let served = format!(
            "\n[[event]]\ntime = \"-30d\"\nkind = \"notice-served\"\nnotice = \"{}\"\n",
            notice.version
        );
        text += &served;
        text += &served;
        text += "subject = \"kari\"\n";
    }
    let world = World::from_toml("sealed.toml", &text).expect("a world");
    let identity = IdentityKey::from_bytes([0; 32]);
    let mut facts = world.facts(rules.controller(), &identity, NOW).expect("facts");
    give_keys(&mut facts, rules, |_| false).expect("keys");
    facts
}

/// Seals the odometer of a car that was handed in, under one flow of a bundle's text.
pub(super) fn seal_odometer(bundle: &str, flow: &str) -> SealedBatch {
    let catalogue = catalogue();
    let rules = compile(bundle).expect("a sound bundle");
    let facts = facts(&rules);
    let stamp = Stamp { wall: NOW, boot: BootMicros(1_000_000), quality: TimeQuality::Synced };
    let recovery = OpeningKey::generate();
    let whom = SnapshotFor {
        gateway: "bay-1-box".parse().expect("a slug"),
        at: StationRef { site: "main".parse().expect("a slug"), station: "bay-1".parse().expect("a slug") },
        recovery: recovery.wrapping_key(),
        closed: Vec::new(),
    };
    let mut names = Names::default();
    let snapshot = snapshot(&facts, &rules, whom, NOW, &mut names);
    let head = Head { era: 1, sequence: 1, at: NOW, nonce: [0; 16], snapshot_hash: snapshot.hash() };
    let asset = snapshot.grants.first().expect("the car waits").asset;
    let mut table = Table::new(Arc::new(rules.clone()));
    table.apply(snapshot, &head, stamp).expect("of these rules");
    let reading = Reading {
        asset,
        signal: catalogue.find("Vehicle.TraveledDistance").expect("of the catalogue"),
        value: Value::Integer(METRES),
        at: stamp,
        source: Source::J1939 { pgn: 65_217, sa: 0 },
        identified_by: Identification::BusVin,
    };
    let mut outcomes = Outcomes::new();
    table.decide(&reading, stamp, &mut Sampler::default(), &mut outcomes);
    let wanted = rules.find(&flow.parse().expect("a slug")).expect("a flow of the bundle");
    let released = outcomes.released().iter().find(|released| released.flow() == wanted.index);
    let released = *released.expect("the flow is open");
    let (grant, opened) = table.opening(released.grant_id()).expect("opened");
    let context = BatchContext {
        bundle_hash: rules.hash(),
        notice: rules.notices().last().expect("a notice").version.to_string(),
        purpose: wanted.purpose_iri.clone(),
        basis: opened.basis,
        rests_on: opened.rests_on.clone(),
        catalogue_hash: vernport_crypto::sha256(&catalogue.normal_form()),
        collector: "main/bay-1/bus-0".into(),
        order: grant.order,
        software: "test".into(),
        boot: BootId::from_bytes([7; 16]),
    };
    let epoch = EpochContext {
        controller: rules.controller().clone(),
        gateway: "bay-1-box".parse().expect("a slug"),
        flow: wanted.slug.clone(),
        epoch: EpochId::from_bytes([5; 16]),
        retention_rule: wanted.retention.rule.clone(),
        grant: released.grant_id(),
    };
    let (recipient, device) = (OpeningKey::generate(), SigningKey::generate());
    let mut sealer =
        EpochSealer::new(epoch, &[recipient.wrapping_key()], &recovery.wrapping_key()).expect("an epoch");
    let due = wanted.retention.latest_due(NOW);
    let batch = BatchId::from_bytes([4; 16]);
    let sealed = sealer.seal(&device, batch, due, context, &[released], &catalogue).expect("sealed");
    let envelope = ReceivedEnvelope::parse(sealed.as_bytes()).expect("an envelope");
    let opening = names.opening(released.grant_id()).expect("drawn here").clone();
    SealedBatch { rules, envelope, recipient, recovery, device, opening }
}

impl SealedBatch {
    /// Whether the distance stands in the envelope in the clear, in any of its usual encodings.
    pub(super) fn shows_the_distance(&self) -> bool {
        let bytes = self.envelope.as_bytes();
        let holds = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
        let zigzag = postcard_varint(u64::try_from(METRES).expect("positive") * 2);
        holds(METRES.to_string().as_bytes())
            || holds(&METRES.to_le_bytes()[..4])
            || holds(&METRES.to_be_bytes()[4..])
            || holds(&zigzag)
    }
}

/// A number as the body of a batch writes it: seven bits a byte, the lowest first.
fn postcard_varint(mut n: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(n & 0x7F).expect("seven bits");
        n >>= 7;
        if n == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}
