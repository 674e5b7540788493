//! Random ledgers of a small world: three assets, three people, two stations,
//! 16 moments. Shared with the suites of floors above.

#![allow(dead_code, reason = "each suite uses its part")]

use super::naive::all_assets;
use super::samples::{self, asset, entry, order, slug, subject, text};
use proptest::prelude::*;
use std::collections::BTreeSet;
use vernport_crypto::{BlindIndex, VerifyingKey, WrappingKey};
use vernport_registry::*;
use vernport_types::*;

/// How many moments there are.
pub(crate) const MOMENTS: u8 = 16;

const MOMENT_SECONDS: i64 = 3_600;

pub(crate) fn moment(n: u8) -> UtcMicros {
    samples::EIGHT.plus_seconds(MOMENT_SECONDS * i64::from(n))
}

pub(crate) fn purpose(n: u8) -> Slug {
    slug(["service", "marketing"][usize::from(n % 2)])
}

pub(crate) fn recipient(n: u8) -> Slug {
    slug(["fleet", "maker"][usize::from(n % 2)])
}

pub(crate) fn role(n: u8) -> Role {
    Role::ALL[usize::from(n % 2)]
}

pub(crate) fn station(n: u8) -> StationRef {
    StationRef { site: slug("oslo"), station: slug(["bay-1", "onboard"][usize::from(n % 2)]) }
}

pub(crate) fn gateway(n: u8) -> Slug {
    slug(["box", "van"][usize::from(n % 2)])
}

pub(crate) fn index(n: u8) -> BlindIndex {
    BlindIndex::from_bytes([n % 2; 32])
}

pub(crate) fn key(n: u8) -> WrappingKey {
    WrappingKey::from_bytes([n % 2; 32])
}

pub(crate) fn epoch(n: u8) -> EpochId {
    EpochId::from_bytes([n % 2; 16])
}

pub(crate) fn whom(n: u8) -> Whom {
    if n.is_multiple_of(2) {
        Whom::Subject(subject(1 + n / 2 % 3))
    } else {
        Whom::Asset(all_assets()[usize::from(n / 2 % 3)])
    }
}

pub(crate) fn against(n: u8) -> Against {
    match n % 3 {
        0 => Against::Marketing,
        1 => Against::Profiling,
        _ => Against::Purpose(purpose(n / 3)),
    }
}

pub(crate) fn categories(n: u8) -> BTreeSet<Category> {
    match n % 3 {
        0 => BTreeSet::from([Category::Odometer]),
        1 => BTreeSet::from([Category::Location]),
        _ => BTreeSet::from([Category::Odometer, Category::Location]),
    }
}

pub(crate) const MILESTONES: [Milestone; 6] = [
    Milestone::Interaction,
    Milestone::RelationshipEnded,
    Milestone::WarrantyEnded,
    Milestone::VehicleEnded,
    Milestone::AccountOpened,
    Milestone::AccountClosed,
];

/// An exception from a restriction, written late enough to find what it rests
/// on: mostly a consent of the person, if there is one.
fn excepted(restriction: EntryHash, line: Line, before: &[Entry]) -> Event {
    let [a, b, c, d] = line.numbers;
    let found = before.iter().find(|entry| entry.hash() == restriction).map(|entry| &entry.event);
    let consents: Vec<ReceiptCode> = before
        .iter()
        .filter_map(|entry| match (&entry.event, found) {
            (Event::ConsentGiven(consent), Some(Event::RestrictionSet(set)))
                if set.whom == Whom::Subject(consent.subject)
                    && set.purpose.as_ref().is_none_or(|purpose| *purpose == consent.purpose)
                    && consent.valid_until > moment(line.at + line.late) =>
            {
                Some(consent.receipt)
            }
            _ => None,
        })
        .collect();
    let receipt = (a < 200 && !consents.is_empty()).then(|| consents[usize::from(b) % consents.len()]);
    Event::RestrictionExcepted(RestrictionExcepted {
        restriction,
        exception: match receipt {
            Some(_) => RestrictionException::Consent,
            None => RestrictionException::LegalClaim,
        },
        flows: BTreeSet::from([purpose(c)]),
        case: text("case"),
        approver: None,
        receipt,
        until: moment(line.at.saturating_add(1 + d % 12)),
    })
}

/// One line of a random ledger: what, when, how much later recorded, and
/// numbers that the event is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line {
    kind: u8,
    at: u8,
    late: u8,
    numbers: [u8; 4],
}

pub(crate) fn line() -> impl Strategy<Value = Line> {
    let late = prop_oneof![3 => Just(0_u8), 1 => 1..6_u8];
    (0..50_u8, 0..MOMENTS, late, any::<[u8; 4]>()).prop_map(|(kind, at, late, numbers)| Line {
        kind,
        at,
        late,
        numbers,
    })
}

pub(crate) fn processor(n: u8) -> ControllerId {
    ["NO-912345678", "DK-12345678"][usize::from(n % 2)].parse().expect("an organisation")
}

/// The entry of a line. `before` are the entries that were written before, for
/// what refers to one.
fn write(line: Line, number: usize, before: &[Entry]) -> Entry {
    let Line { kind, at, late, numbers: [a, b, c, d] } = line;
    let (asset_a, subject_b) = (asset(1 + a % 3), subject(1 + b % 3));
    let refers = |wanted: &[&str]| {
        let found: Vec<_> = before.iter().filter(|entry| wanted.contains(&entry.event.kind())).collect();
        let nothing = EntryHash::from_bytes([0; 32]);
        if found.is_empty() { nothing } else { found[usize::from(d) % found.len()].hash() }
    };
    let until = moment(at.saturating_add(1 + c % 12));
    let number = u8::try_from(number).expect("short ledgers");
    let consent = Consent {
        subject: subject_b,
        role: role(a),
        purpose: purpose(c),
        recipient: recipient(d),
        categories: categories(d),
        form: slug(["driver-location", "counter"][usize::from(a / 2 % 2)]),
        receipt: ReceiptCode::from_bytes([number; 7]),
        valid_until: until,
        ..samples::consent()
    };
    let outcome = || ObjectionOutcome {
        objection: refers(&["objection-raised"]),
        reasons: text("case"),
        decided_by: slug("lead-1"),
    };
    let link = Link { asset: asset_a, subject: subject_b, role: role(c), until: (d < 60).then_some(until) };
    let event = match kind {
        0 => Event::NoticeServed(NoticeServed {
            notice: text(["notice-1", "notice-2"][usize::from(a % 2)]),
            text_hash: TextHash([0; 32]),
            language: slug("da"),
            method: Method::Web,
            subject: (b < 60).then_some(subject_b),
            evidence: None,
        }),
        1..4 => Event::ConsentGiven(consent),
        4 => Event::ConsentRenewed(Renewal { renews: refers(&["consent-given"]), consent }),
        5 | 6 => {
            let given = before.iter().filter_map(|entry| match &entry.event {
                Event::ConsentGiven(consent) => Some(consent.receipt),
                _ => None,
            });
            let receipts: Vec<ReceiptCode> = given.collect();
            let scope = match c % 4 {
                0 => WithdrawalScope::Asset(asset_a),
                1 | 2 if !receipts.is_empty() => {
                    WithdrawalScope::Receipt(receipts[usize::from(d) % receipts.len()])
                }
                _ => WithdrawalScope::Subject {
                    subject: subject_b,
                    purpose: (a < 128).then(|| purpose(a)),
                    recipient: (d < 128).then(|| recipient(d)),
                    categories: if c < 128 { categories(c) } else { BTreeSet::new() },
                },
            };
            Event::ConsentWithdrawn(Withdrawal { scope, method: Method::Spoken, recorded_by: None })
        }
        7 => Event::ObjectionRaised(Objection {
            subject: subject_b,
            against: against(c),
            method: Method::Web,
            recorded_by: None,
        }),
        8 => Event::ObjectionWeighed(outcome()),
        9 => Event::ObjectionUpheld(outcome()),
        10 | 42 | 43 => Event::RestrictionSet(Restriction {
            whom: if kind == 10 { whom(a) } else { Whom::Subject(subject_b) },
            purpose: (b < 100).then(|| purpose(b)),
            ground: Ground::Unlawful,
            case: text("case"),
        }),
        11 | 31 => Event::RestrictionLiftingAnnounced(RestrictionLifting {
            restriction: refers(&["restriction-set"]),
            method: Method::Message,
            evidence: text("mail"),
        }),
        12 | 32 => Event::RestrictionLifted(RestrictionLifted { restriction: refers(&["restriction-set"]) }),
        13 | 14 => Event::OrderOpened(OrderOpened {
            order: order(a % 4),
            assets: if b < 200 { vec![asset_a] } else { vec![asset_a, asset(1 + b % 3)] },
            station: station(d),
            expires_at: until,
        }),
        15 => Event::OrderClosed(OrderClosed { order: order(a % 4) }),
        16 => Event::AssetIdentified(AssetIdentified {
            asset: asset_a,
            identifier_kind: IdentifierKind::Plate,
            index: index(b),
        }),
        17 => Event::IdentifierEnded(IdentifierEnded { asset: asset_a, index: index(b) }),
        18 | 19 => Event::Linked(link),
        20 => Event::Unlinked(Unlink { asset: asset_a, subject: subject_b, role: role(c) }),
        21 => Event::OwnerChanged(OwnerChanged { asset: asset_a, owners: vec![subject_b] }),
        22 if d < 60 => Event::SubjectMerged(Merge { from: subject(1 + a % 3), into: subject_b }),
        22 if d < 120 => Event::AssetMerged(Merge { from: asset_a, into: asset(1 + b % 3) }),
        22 | 23 => Event::PrivateModeStarted(PrivateMode { asset: asset_a }),
        24 => Event::PrivateModeEnded(PrivateMode { asset: asset_a }),
        25 if d < 200 => Event::GatewayEnrolled(GatewayEnrolled {
            gateway: gateway(d),
            station: station(b),
            device_key: VerifyingKey::from_bytes([1; 32]),
            pinned: (c < 128).then_some(asset_a),
        }),
        25 if c < 128 => Event::EnrolmentEnded(EnrolmentEnded { gateway: gateway(a) }),
        25 => Event::GatewayRevoked(GatewayRevoked { gateway: gateway(a) }),
        26 if d < 160 => Event::RecipientKeyActivated(RecipientKeyActivated {
            recipient: recipient(a),
            purpose: purpose(b),
            key: key(c),
        }),
        26 => Event::RecipientKeyRevoked(RecipientKeyRevoked { key: key(c).key_id() }),
        27 => Event::HoldSet(HoldSet {
            scope: match c % 3 {
                0 => HoldScope::Epochs(BTreeSet::from([epoch(b)])),
                1 => HoldScope::Flows { asset: None, flows: BTreeSet::from([purpose(b)]) },
                _ => HoldScope::Flows { asset: Some(asset_a), flows: BTreeSet::from([purpose(b)]) },
            },
            ground: HoldGround::Dispute,
            citation: text("case"),
            until,
        }),
        28 if d < 128 => Event::HoldLifted(HoldLifted { hold: refers(&["hold-set"]) }),
        28 => Event::ErasureOrdered(Erasure {
            whom: whom(a),
            purpose: (b < 100).then(|| purpose(b)),
            ground: ErasureGround::Unlawful,
            case: text("case"),
        }),
        29 if d < 32 => {
            let newer = format!("{{\"kind\":\"newer\",\"closes\":{},\"asset\":\"{asset_a}\"}}", c < 200);
            serde_json::from_str(&newer).expect("readable")
        }
        33..36 => Event::MilestoneReached(MilestoneReached {
            whom: whom(a),
            milestone: MILESTONES[usize::from(b % 6)],
        }),
        36 => Event::DisclosureApproved(DisclosureApproved {
            disclosure: slug("police-4"),
            reference: text("order"),
            ground: DisclosureGround::CourtOrder,
            assets: vec![asset_a, asset(1 + b % 3)],
            flows: BTreeSet::from([purpose(c)]),
            approvers: BTreeSet::from([slug("lead-1"), slug("lead-2")]),
            until,
        }),
        37 => Event::DisclosureEnded(DisclosureEnded { disclosure: refers(&["disclosure-approved"]) }),
        38 | 39 | 44 | 45 => excepted(refers(&["restriction-set"]), line, before),
        40 | 41 => Event::ErasureExcepted(ErasureExcepted {
            erasure: refers(&["erasure-ordered"]),
            exception: ErasureException::LegalClaim,
            scope: match c % 3 {
                0 => HoldScope::Epochs(BTreeSet::from([epoch(b)])),
                1 => HoldScope::Flows { asset: None, flows: BTreeSet::from([purpose(b)]) },
                _ => HoldScope::Flows { asset: Some(asset_a), flows: BTreeSet::from([purpose(b)]) },
            },
            reason: text("case"),
            approver: slug("lead-1"),
            until,
        }),
        46 => Event::ProcessorAgreed(ProcessorAgreed {
            processor: processor(a),
            name: slug("dealer-system"),
            contract: text("contract"),
            scope: BTreeSet::from([slug(if b < 128 { "order-closed" } else { "linked" })]),
            until,
        }),
        47 => Event::ProcessorEnded(ProcessorEnded { agreement: refers(&["processor-agreed"]) }),
        48 => Event::RecipientPaused(RecipientPaused {
            recipient: recipient(a),
            purpose: purpose(b),
            ground: if c < 128 { PauseGround::DeletionUnconfirmed } else { PauseGround::Incident },
        }),
        49 => Event::RecipientResumed(RecipientResumed { pause: refers(&["recipient-paused"]) }),
        _ => Event::Voided(Voided { entry: refers(Event::KINDS), reason: VoidReason::Mistake }),
    };
    entry(event, moment(at), moment(at + late), &format!("WS-{number}"))
}

/// Writes the lines, and gives what was admitted.
pub(crate) fn ledger(lines: &[Line]) -> (Vec<Entry>, Facts) {
    let mut facts = Facts::new(samples::controller());
    let mut entries: Vec<Entry> = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let entry = write(*line, number, &entries);
        let applied = match entry.event {
            // Comes from a newer version only.
            Event::Unknown(_) => facts.replay(&entry),
            _ => facts.apply(&entry),
        };
        if applied.is_ok() {
            entries.push(entry);
        }
    }
    (entries, facts)
}
