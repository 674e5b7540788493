//! The frozen forms of the contract. Where one of these fails, mend the code,
//! not the file: gateways in the field speak this (decision note 0006).

mod frozen;

use frozen::{frozen, slug};
use vernport_api::{
    Answer, BatchAnswer, BatchAnswers, Blob, Code, Consented, ConsentsAnswer, ConsentsRequest, EntryResult,
    FeedNonce, FeedRequest, FindAnswer, FindRequest, FleetNumberAnswer, FleetNumberRequest, GatewayEffect,
    GoesOn, LedgerAnswer, LedgerEffect, LinkOutcome, LinkResult, LogAlarm, LogHash, Person, Problem,
    ReadAnswer, ReadRequest, SealedIdentifier, SegmentAnswer, SegmentRequest, Status, Stopped, WitnessAnswer,
    WitnessRequest, batch,
    explain::{
        EXPLANATION_FORMAT, ExplainAnswer, ExplainRequest, Explained, ExplainedEntry, ExplainedRelease,
        Explanation, Vehicle,
    },
};
use vernport_crypto::{BlindIndex, SigningKey};
use vernport_policy::{Link, Merged, SourceClass, StationOpening, StationRef};
use vernport_registry::{Actor, ActorRole, Entry, Event, OrderOpened, ReceiptCode, Role};
use vernport_types::{
    AssetId, BatchId, Category, EntryHash, GrantId, Identification, Identifier, KeyId, LegalBasis, LinkHash,
    OrderId, Plate, Reason, SegmentId, SubjectId, TimeQuality, UtcMicros, VehicleAlias,
};

#[test]
fn the_answers_are_these_words_for_ever() {
    let words: Vec<&str> = Answer::ALL.iter().map(|answer| answer.code()).collect();
    assert_eq!(words, ["committed", "duplicate", "refused-withdrawn", "parked-restricted", "retry"]);
    let answers = (0..)
        .zip(Answer::ALL)
        .map(|(n, answer)| BatchAnswer { batch: BatchId::from_bytes([n; 16]), answer: *answer });
    frozen(include_str!("../golden/answers.json"), &BatchAnswers { answers: answers.collect() });
}

#[test]
fn the_body_of_batches_has_these_bytes() {
    let mut encoder = batch::Encoder::default();
    encoder.push(GrantId::from_bytes([0xA1; 16]), b"one").expect("fits");
    encoder.push(GrantId::from_bytes([0xB2; 16]), b"three").expect("fits");
    let body = encoder.finish();
    let expected = [
        "0002",                             // number of items
        "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1", // grant
        "00000003",                         // length of the envelope
        "6f6e65",                           // envelope
        "b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2", // grant
        "00000005",                         // length of the envelope
        "7468726565",                       // envelope
    ];
    assert_eq!(hex::encode(&body), expected.concat());
    let items = batch::decode(&body).expect("was written");
    assert_eq!((items[1].grant, items[1].envelope), (GrantId::from_bytes([0xB2; 16]), &b"three"[..]));
}

#[test]
fn logs_are_witnessed_like_this() {
    let request = WitnessRequest {
        checkpoint: "vernport/gateway/NO-977195306/bay-1/0011223344556677\n2\n...".to_owned(),
        from: 1,
        proof: vec![LogHash([0xAB; 32])],
        central_from: 7,
        cosignature: Some("\u{2014} vernport/gateway/NO-977195306/bay-1 AAAA\n".to_owned()),
        alarm: Some(LogAlarm::Shrunk),
    };
    frozen(include_str!("../golden/witness-request.json"), &request);
    let answer = WitnessAnswer {
        cosignature: Some("\u{2014} vernport/central/NO-977195306 AAAA\n".to_owned()),
        prove_from: Some(1),
        alarm: Some(LogAlarm::BegunAnew),
        seen: Some("vernport/gateway/NO-977195306/bay-1/8899aabbccddeeff\n9\n...".to_owned()),
        checkpoint: "vernport/central/NO-977195306/0011223344556677\n8\n...".to_owned(),
        proof: vec![LogHash([0xCD; 32])],
    };
    frozen(include_str!("../golden/witness-answer.json"), &answer);
    let words = [LogAlarm::Shrunk, LogAlarm::Forked, LogAlarm::Unproven, LogAlarm::BegunAnew];
    assert_eq!(words.map(LogAlarm::code), ["shrunk", "forked", "unproven", "begun-anew"]);
    for word in words {
        assert_eq!(serde_json::to_value(word).expect("a word"), word.code());
    }
}

#[test]
fn the_feed_is_asked_like_this() {
    let request = FeedRequest {
        gateway: slug("westrum-bay-1"),
        nonce: FeedNonce([0x0F; 16]),
        known: Some([0xAB; 32]),
        wait_ms: 5_000,
        notices: false,
    };
    frozen(include_str!("../golden/feed-request.json"), &request);
    let reads = FeedRequest { notices: true, ..request.clone() };
    assert_eq!(serde_json::to_value(&reads).expect("plain data")["notices"], true);
    let first = FeedRequest { known: None, ..request };
    let written = serde_json::to_value(&first).expect("plain data");
    assert_eq!(written["known"], serde_json::Value::Null);
    assert_eq!(serde_json::from_value::<FeedRequest>(written).expect("was written"), first);
}

#[test]
fn the_ledger_answers_like_this() {
    let result = EntryResult {
        external_ref: "withdrawal-17".into(),
        entry: EntryHash::from_bytes([0xE1; 32]),
        duplicate: false,
    };
    let effect = LedgerEffect {
        erasures: Vec::new(),
        stopped: vec![Stopped {
            grant: GrantId::from_bytes([0xA1; 16]),
            asset: AssetId::from_bytes([0xC3; 16]),
            flow: slug("fleet-odometer"),
            reason: Reason::ConsentWithdrawn,
            since: UtcMicros(1_795_132_800_000_000),
            gateways: vec![
                GatewayEffect {
                    gateway: slug("westrum-bay-1"),
                    took_effect_at: Some(UtcMicros(1_795_132_800_040_000)),
                    at_the_latest: Some(UtcMicros(1_795_133_100_000_000)),
                },
                GatewayEffect { gateway: slug("westrum-bay-2"), took_effect_at: None, at_the_latest: None },
            ],
        }],
        opened: vec![GrantId::from_bytes([0xA2; 16])],
        goes_on: vec![GoesOn {
            asset: AssetId::from_bytes([0xC3; 16]),
            flow: slug("service-odometer"),
            purpose: slug("service"),
            basis: LegalBasis::Contract,
        }],
    };
    frozen(include_str!("../golden/ledger-answer.json"), &LedgerAnswer { results: vec![result], effect });
}

#[test]
fn reads_are_asked_and_answered_like_this() {
    let request = ReadRequest {
        controller: "DK-10628334".parse().expect("a controller"),
        task: slug("repair-4711"),
        recipient_key: KeyId::from_bytes([0x4B; 16]),
        after: Some(41),
        limit: 64,
    };
    frozen(include_str!("../golden/read-request.json"), &request);
    let answer = ReadAnswer { envelopes: vec![Blob(vec![0, 0xFF, 0x10])], cursor: Some(42) };
    frozen(include_str!("../golden/read-answer.json"), &answer);
}

#[test]
fn assets_are_found_like_this() {
    let identifier = Identifier::Vin("WDB9634031L738001".parse().expect("a VIN"));
    frozen(include_str!("../golden/find-request.json"), &FindRequest { identifier });
    let found = FindAnswer { asset: Some(AssetId::from_bytes([0xC3; 16])) };
    frozen(include_str!("../golden/find-answer.json"), &found);
}

#[test]
fn fleet_numbers_are_said_like_this() {
    let number = Some("Lastebil 17".parse().expect("a number"));
    let operator = slug("nordic-haulage");
    let request = FleetNumberRequest { asset: AssetId::from_bytes([0xC3; 16]), operator, number };
    frozen(include_str!("../golden/fleet-number-request.json"), &request);
    let answer = FleetNumberAnswer {
        purposes: vec![slug("customer-report")],
        without_key: vec![slug("eco-coaching")],
    };
    frozen(include_str!("../golden/fleet-number-answer.json"), &answer);
}

#[test]
fn links_are_brought_and_answered_like_this() {
    let key = SigningKey::from_seed([7; 32]);
    let gateway = slug("westrum-bay-1");
    let said_at = UtcMicros(1_795_132_800_000_000);
    let entry = Entry {
        format: 1,
        controller: "NO-999999999".parse().expect("a controller"),
        event: Event::OrderOpened(OrderOpened {
            order: OrderId::from_bytes([0x0D; 16]),
            assets: vec![AssetId::from_bytes([0xC3; 16])],
            station: StationRef { site: slug("main"), station: slug("bay-1") },
            expires_at: said_at.plus_seconds(72 * 3_600),
        }),
        actor: Actor { role: ActorRole::Gateway, id: gateway.clone() },
        occurred_at: said_at,
        recorded_at: said_at,
        source: gateway.clone(),
        external_ref: "5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e/1".parse().expect("short"),
    };
    let link = Link {
        format: Link::FORMAT,
        gateway: gateway.clone(),
        segment: SegmentId::from_bytes([0x5E; 16]),
        sequence: 1,
        previous: LinkHash::from_bytes([0; 32]),
        clock: TimeQuality::Bounded,
        entry: entry.clone(),
        stands_here: false,
        openings: vec![StationOpening {
            flow: slug("workshop"),
            grant: GrantId::from_bytes([0xA1; 16]),
            alias: VehicleAlias::from_bytes([0xA7; 16]),
        }],
    };
    let tip = link.tip();
    let signed = link.sign(&key);
    signed.verify(&key.verifying_key()).expect("signed just now");
    let sealed = SealedIdentifier { index: BlindIndex::from_bytes([0xB1; 32]), sealed: Blob(vec![1, 0xFF]) };
    let request = SegmentRequest { links: vec![signed], identifiers: vec![sealed] };
    frozen(include_str!("../golden/segment-request.json"), &request);

    let recorded =
        LinkResult { sequence: 1, outcome: LinkOutcome::Recorded, entry: Some(entry.hash()), problem: None };
    let refused = LinkResult {
        sequence: 2,
        outcome: LinkOutcome::Refused,
        entry: None,
        problem: Some("what was wrong, and how to mend it".into()),
    };
    let duplicate = LinkResult { sequence: 1, outcome: LinkOutcome::Duplicate, ..recorded.clone() };
    let answer = SegmentAnswer { results: vec![duplicate, recorded, refused], tip };
    frozen(include_str!("../golden/segment-answer.json"), &answer);

    let merged = Merged { gateway, tip, snapshot_hash: [0xAB; 32] }.sign(&key);
    frozen(include_str!("../golden/merged.json"), &merged);
}

#[test]
fn consents_are_asked_for_and_told_like_this() {
    let receipt = ReceiptCode::from_bytes([7; 7]);
    frozen(include_str!("../golden/consents-by-receipt.json"), &ConsentsRequest::Receipt(receipt));
    let plate = Identifier::Plate(Plate::new("NO", "AB12345").expect("a plate"));
    frozen(include_str!("../golden/consents-by-vehicle.json"), &ConsentsRequest::Vehicle(plate));
    let subject = SubjectId::from_bytes([0xD4; 16]);
    let consented = Consented {
        entry: EntryHash::from_bytes([0xE5; 32]),
        subject,
        role: Role::Driver,
        purpose: slug("coaching"),
        recipient: slug("coach"),
        form: slug("coaching-1"),
        categories: vec![Category::Odometer, Category::DrivingBehaviour],
        in_force: vec![Category::Odometer],
        given_at: UtcMicros(1_795_161_600_000_000),
        valid_until: UtcMicros(1_826_697_600_000_000),
        withdrawn_at: Some(UtcMicros(1_795_248_000_000_000)),
    };
    let answer = ConsentsAnswer {
        asset: Some(AssetId::from_bytes([0xC3; 16])),
        people: vec![Person { subject, role: Role::Driver }],
        consents: vec![consented],
    };
    frozen(include_str!("../golden/consents-answer.json"), &answer);
}

#[test]
fn the_status_looks_like_this() {
    let status = Status {
        api: vernport_api::VERSION,
        software: "0.1.0".into(),
        batches: 12,
        deleted: std::collections::BTreeMap::new(),
        log_alarms: 0,
    };
    frozen(include_str!("../golden/status.json"), &status);
}

#[test]
fn every_problem_has_its_document() {
    let documents: Vec<Problem> =
        Code::ALL.iter().map(|code| Problem::new(*code, "what was wrong, and how to mend it")).collect();
    frozen(include_str!("../golden/problems.json"), &documents);
    let at_item = Problem::new(Code::EnvelopeForged, "seal it anew").at_item(3);
    assert_eq!(serde_json::to_value(&at_item).expect("plain data")["item"], 3);
}

#[test]
fn why_something_passes_is_asked_and_answered_like_this() {
    let identifier = Identifier::Vin("WDB9634031L738001".parse().expect("a VIN"));
    let request = ExplainRequest {
        signal: Some("Vehicle.TraveledDistance".into()),
        flow: Some(slug("workshop")),
        by: Some(Identification::Asserted),
        from: Some(SourceClass::Tool),
        station: Some(station()),
        at: Some(UtcMicros(1_795_132_800_000_000)),
        ..ExplainRequest::new(Vehicle::Identifier(identifier))
    };
    frozen(include_str!("../golden/explain-request.json"), &request);
    let least = ExplainRequest::new(Vehicle::Asset(AssetId::from_bytes([0xA5; 16])));
    frozen(include_str!("../golden/explain-request-least.json"), &least);
    let explanation = explanation();
    frozen(include_str!("../golden/explain-recipient.json"), &explanation.for_recipient());
    frozen(include_str!("../golden/explain-answer.json"), &ExplainAnswer { explanation: Some(explanation) });
    let none = serde_json::to_value(ExplainAnswer { explanation: None }).expect("plain data");
    assert_eq!(none, serde_json::json!({ "explanation": null }));
}

fn station() -> StationRef {
    StationRef { site: slug("oslo"), station: slug("bay-1") }
}

fn explanation() -> Explanation {
    let entry = EntryHash::from_bytes([0xE1; 32]);
    let (kind, recorded_at) = (Some("order-opened".into()), Some(UtcMicros(1_795_129_200_000_000)));
    let open = Explained {
        signal: "Vehicle.TraveledDistance".into(),
        unit: "m".into(),
        flow: Some(slug("workshop")),
        withheld: None,
        remedy: None,
        released: Some(ExplainedRelease {
            minimiser: "round-1000".parse().expect("a minimiser"),
            before: "158910605".into(),
            after: "158911000".into(),
            believe_until: UtcMicros(1_795_392_000_000_000),
            ends_as: Reason::OrderNotOpen,
            lease_seconds: None,
            retention: slug("service"),
            start: slug("order-closed"),
            period: "P1Y".into(),
            latest_due: UtcMicros(1_889_827_200_000_000),
        }),
        rule: Some("flow.workshop.signals.Vehicle.TraveledDistance".into()),
        clauses: vec!["WEST-3.1".into()],
        entries: vec![ExplainedEntry { entry, kind, recorded_at }],
    };
    let unknown = ExplainedEntry { entry: EntryHash::from_bytes([0xE2; 32]), kind: None, recorded_at: None };
    let closed = Explained {
        signal: "Vehicle.Speed".into(),
        unit: "km/h".into(),
        flow: None,
        withheld: Some(Reason::ConsentWithdrawn),
        remedy: Some(Reason::ConsentWithdrawn.remedy().into()),
        released: None,
        rule: None,
        clauses: Vec::new(),
        entries: vec![unknown],
    };
    Explanation {
        v: EXPLANATION_FORMAT,
        controller: "NO-999999999".parse().expect("a controller"),
        bundle: slug("westrum"),
        at: UtcMicros(1_795_132_800_000_000),
        station: station(),
        by: Identification::BusVin,
        from: SourceClass::Vehicle,
        answers: vec![open, closed],
    }
}

#[test]
fn a_recipient_learns_one_of_four_words_and_no_reason() {
    let mut explanation = explanation();
    let shape = explanation.answers[1].clone();
    explanation.answers =
        Reason::ALL.iter().map(|reason| Explained { withheld: Some(*reason), ..shape.clone() }).collect();
    let told = serde_json::to_string(&explanation.for_recipient()).expect("plain data");
    for reason in Reason::ALL {
        assert!(!told.contains(reason.code()), "{reason}");
    }
    let words: std::collections::BTreeSet<_> =
        told.split("\"status\":\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(Vec::from_iter(words), ["closed", "delete-by", "open", "paused"]);
}
