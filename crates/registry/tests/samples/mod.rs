//! One entry of each kind, with every member set.

#![allow(dead_code, reason = "each suite uses its part")]

use std::collections::BTreeSet;
use vernport_crypto::{BlindIndex, VerifyingKey, WrappingKey};
use vernport_registry::*;
use vernport_types::*;

pub(crate) fn slug(text: &str) -> Slug {
    text.parse().expect("a slug")
}

pub(crate) fn text(text: &str) -> Text {
    text.parse().expect("a text")
}

pub(crate) fn controller() -> ControllerId {
    "NO-999999999".parse().expect("a controller")
}

pub(crate) fn station() -> StationRef {
    StationRef { site: slug("oslo"), station: slug("bay-1") }
}

pub(crate) fn asset(n: u8) -> AssetId {
    AssetId::from_bytes([n; 16])
}

pub(crate) fn subject(n: u8) -> SubjectId {
    SubjectId::from_bytes([0xA0 | n; 16])
}

pub(crate) fn order(n: u8) -> OrderId {
    OrderId::from_bytes([0xB0 | n; 16])
}

/// 2026-11-20T08:00:00Z.
pub(crate) const EIGHT: UtcMicros = UtcMicros(1_795_161_600_000_000);

/// An entry with a reference of its own.
pub(crate) fn entry(event: Event, occurred_at: UtcMicros, recorded_at: UtcMicros, reference: &str) -> Entry {
    Entry {
        format: ENTRY_FORMAT,
        controller: controller(),
        event,
        actor: Actor { role: ActorRole::Staff, id: slug("counter-2") },
        occurred_at,
        recorded_at,
        source: slug("workshop"),
        external_ref: text(reference),
    }
}

pub(crate) fn consent() -> Consent {
    Consent {
        subject: subject(1),
        role: Role::Driver,
        purpose: slug("fleet-service"),
        categories: BTreeSet::from([Category::Odometer, Category::Location]),
        recipient: slug("example-fleet"),
        processing: text("cells of 1 km, kept 30 days"),
        form: slug("driver-location"),
        text_hash: TextHash([0x11; 32]),
        language: slug("nb"),
        method: Method::Screen,
        recorded_by: slug("counter-2"),
        evidence: Some(text("archive/2026/0017.pdf")),
        receipt: ReceiptCode::from_bytes([1, 2, 3, 4, 5, 6, 7]),
        valid_until: EIGHT.plus_seconds(365 * 86_400),
    }
}

pub(crate) fn agreement() -> ProcessorAgreed {
    ProcessorAgreed {
        processor: "NO-912345678".parse().expect("an organisation"),
        name: slug("dealer-system"),
        contract: text("DPA 2026-11"),
        scope: ["consent-given", "consent-withdrawn", "order-opened", "order-closed"].map(slug).into(),
        until: EIGHT.plus_seconds(2 * 365 * 86_400),
    }
}

/// One event of each kind, in the order of [`Event::KINDS`].
pub(crate) fn events() -> Vec<Event> {
    let hash = EntryHash::from_bytes([0xEE; 32]);
    let outcome = ObjectionOutcome { objection: hash, reasons: text("case 17"), decided_by: slug("lead-1") };
    let categories = BTreeSet::from([Category::Location]);
    vec![
        Event::NoticeServed(NoticeServed {
            notice: text("example-fleet 2026-10"),
            text_hash: TextHash([0x22; 32]),
            language: slug("da"),
            method: Method::Web,
            subject: Some(subject(1)),
            evidence: Some(text("site archive 2026-10-01")),
        }),
        Event::ConsentGiven(consent()),
        Event::ConsentRenewed(Renewal { renews: hash, consent: consent() }),
        Event::ConsentWithdrawn(Withdrawal {
            scope: WithdrawalScope::Subject {
                subject: subject(1),
                purpose: Some(slug("fleet-service")),
                recipient: Some(slug("example-fleet")),
                categories,
            },
            method: Method::Spoken,
            recorded_by: Some(slug("counter-2")),
        }),
        Event::ObjectionRaised(Objection {
            subject: subject(1),
            against: Against::Purpose(slug("product-improvement")),
            method: Method::Message,
            recorded_by: Some(slug("counter-2")),
        }),
        Event::ObjectionWeighed(outcome.clone()),
        Event::ObjectionUpheld(outcome),
        Event::RestrictionSet(Restriction {
            whom: Whom::Subject(subject(1)),
            purpose: Some(slug("fleet-service")),
            ground: Ground::AccuracyDisputed,
            case: text("case 18"),
        }),
        Event::RestrictionLiftingAnnounced(RestrictionLifting {
            restriction: hash,
            method: Method::Message,
            evidence: text("mail 2026-11-19"),
        }),
        Event::RestrictionLifted(RestrictionLifted { restriction: hash }),
        Event::OrderOpened(OrderOpened::new(order(1), asset(1), station(), EIGHT)),
        Event::OrderClosed(OrderClosed { order: order(1) }),
        Event::AssetIdentified(AssetIdentified {
            asset: asset(1),
            identifier_kind: IdentifierKind::Vin,
            index: BlindIndex::from_bytes([0x33; 32]),
        }),
        Event::IdentifierEnded(IdentifierEnded {
            asset: asset(1),
            index: BlindIndex::from_bytes([0x33; 32]),
        }),
        Event::Linked(Link {
            asset: asset(1),
            subject: subject(1),
            role: Role::Deliverer,
            until: Some(EIGHT.plus_seconds(86_400)),
        }),
        Event::Unlinked(Unlink { asset: asset(1), subject: subject(1), role: Role::Deliverer }),
        Event::OwnerChanged(OwnerChanged { asset: asset(1), owners: vec![subject(2), subject(3)] }),
        Event::SubjectMerged(Merge { from: subject(1), into: subject(2) }),
        Event::AssetMerged(Merge { from: asset(1), into: asset(2) }),
        Event::PrivateModeStarted(PrivateMode { asset: asset(1) }),
        Event::PrivateModeEnded(PrivateMode { asset: asset(1) }),
        Event::GatewayEnrolled(GatewayEnrolled {
            gateway: slug("truck-7"),
            station: StationRef { site: slug("fleet"), station: slug("onboard") },
            device_key: VerifyingKey::from_bytes([0x44; 32]),
            pinned: Some(asset(1)),
        }),
        Event::EnrolmentEnded(EnrolmentEnded { gateway: slug("truck-7") }),
        Event::RecipientKeyActivated(RecipientKeyActivated {
            recipient: slug("example-fleet"),
            purpose: slug("fleet-service"),
            key: WrappingKey::from_bytes([0x55; 32]),
        }),
        Event::RecipientKeyRevoked(RecipientKeyRevoked { key: KeyId::from_bytes([0x66; 16]) }),
        Event::HoldSet(HoldSet {
            scope: HoldScope::Flows {
                asset: Some(asset(1)),
                flows: BTreeSet::from([slug("service-odometer")]),
            },
            ground: HoldGround::Dispute,
            citation: text("case 19"),
            until: EIGHT.plus_seconds(90 * 86_400),
        }),
        Event::HoldLifted(HoldLifted { hold: hash }),
        Event::ErasureOrdered(Erasure {
            whom: Whom::Asset(asset(1)),
            purpose: Some(slug("fleet-service")),
            ground: ErasureGround::ConsentWithdrawn,
            case: text("case 20"),
        }),
        Event::Voided(Voided { entry: hash, reason: VoidReason::WrongAsset }),
        Event::MilestoneReached(MilestoneReached {
            whom: Whom::Subject(subject(1)),
            milestone: Milestone::AccountOpened,
        }),
        Event::DisclosureApproved(DisclosureApproved {
            disclosure: slug("police-2026-4"),
            reference: text("order of 2026-11-18"),
            ground: DisclosureGround::CourtOrder,
            assets: vec![asset(1), asset(2)],
            flows: BTreeSet::from([slug("disclosure-odometer")]),
            approvers: BTreeSet::from([slug("lead-1"), slug("lawyer-1")]),
            until: EIGHT.plus_seconds(30 * 86_400),
        }),
        Event::DisclosureEnded(DisclosureEnded { disclosure: hash }),
        Event::RestrictionExcepted(RestrictionExcepted {
            restriction: hash,
            exception: RestrictionException::Consent,
            flows: BTreeSet::from([slug("service-odometer")]),
            case: text("case 21"),
            approver: Some(slug("lead-1")),
            receipt: Some(ReceiptCode::from_bytes([1, 2, 3, 4, 5, 6, 7])),
            until: EIGHT.plus_seconds(30 * 86_400),
        }),
        Event::ErasureExcepted(ErasureExcepted {
            erasure: hash,
            exception: ErasureException::LegalDuty,
            scope: HoldScope::Flows { asset: None, flows: BTreeSet::from([slug("invoice-odometer")]) },
            reason: text("bookkeeping act, section 13"),
            approver: slug("lead-1"),
            until: EIGHT.plus_seconds(5 * 366 * 86_400),
        }),
        Event::ProcessorAgreed(agreement()),
        Event::ProcessorEnded(ProcessorEnded { agreement: hash }),
        Event::GatewayRevoked(GatewayRevoked { gateway: slug("truck-7") }),
        Event::RecipientPaused(RecipientPaused {
            recipient: slug("fjord-freight"),
            purpose: slug("service-planning"),
            ground: PauseGround::DeletionUnconfirmed,
        }),
        Event::RecipientResumed(RecipientResumed { pause: hash }),
    ]
}

/// One entry of each kind.
pub(crate) fn entries() -> Vec<Entry> {
    let recorded = EIGHT.plus_seconds(5);
    events()
        .into_iter()
        .enumerate()
        .map(|(n, event)| entry(event, EIGHT, recorded, &format!("WS-2026/{n}")))
        .collect()
}
