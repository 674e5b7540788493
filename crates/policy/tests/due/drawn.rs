//! Random ledgers of one truck, its owner and its driver, and something that was
//! read of it early on.

use crate::world::{ANNE, BENT, DAY, NOON, ORDER, TRUCK, bay, compile, id, shipped};
use proptest::prelude::*;
use std::collections::BTreeSet;
use vernport_policy::{Flow, Kept, Period, Role, Rules};
use vernport_registry::*;
use vernport_types::*;

/// How many moments there are, a day each.
pub(crate) const MOMENTS: u8 = 24;
/// The moment of the reading.
pub(crate) const READ: u8 = 4;
/// The length of the period, and the cap after the reading, in moments.
pub(crate) const PERIOD: u8 = 6;
pub(crate) const AT_MOST: u8 = 16;
/// The longest hold for an incident, in moments.
pub(crate) const LONGEST_INCIDENT: u8 = 5;

pub(crate) const STARTS: [&str; 8] = [
    "reading",
    "order-closed",
    "last-interaction",
    "relationship-end",
    "warranty-end",
    "vehicle-end-of-life",
    "consent-end",
    "account-closed",
];

pub(crate) const EPOCH: EpochId = EpochId::from_bytes([0xEC; 16]);

/// The rules and what was written.
pub(crate) struct Drawn {
    pub(crate) rules: Rules,
    pub(crate) facts: Facts,
    pub(crate) entries: Vec<(EntryHash, Entry)>,
}

pub(crate) fn moment(n: u8) -> UtcMicros {
    NOON.plus_seconds(DAY * i64::from(n))
}

/// Rules that know holds for statutes and disputes of years and for incidents of
/// a few days, and none for queries.
pub(crate) fn rules_text() -> String {
    let text = shipped("example-fleet");
    let mut known = text.split("[[hold]]");
    let mut text = known.next().expect("a text").to_owned();
    for (ground, at_most) in [("statute", "P6Y"), ("dispute", "P3Y"), ("incident", "P5D")] {
        let hold = format!("\n[[hold]]\nground = \"{ground}\"\nat_most = \"{at_most}\"\nclauses = [\"C\"]\n");
        text.push_str(&hold);
    }
    // What follows a hold of the bundle stays.
    for rest in known {
        if let Some(at) = rest.find("\n[") {
            text.push_str(&rest[at..]);
        }
    }
    text
}

/// A flow of a driver's consent whose period starts with an event.
pub(crate) fn flow(rules: &Rules, start: &str) -> Flow {
    let mut flow = rules.flows()[0].clone();
    flow.slug = id("location");
    flow.purpose = id("planning");
    flow.recipient = id("fleet");
    flow.basis = LegalBasis::Consent;
    flow.roles = vec![Role::Driver];
    flow.categories = vec![Category::Odometer, Category::Location];
    flow.marketing = true;
    flow.profiling = false;
    flow.retention.start = id(start);
    flow.retention.period = format!("P{PERIOD}D").parse::<Period>().expect("a period");
    flow.retention.at_most = format!("P{AT_MOST}D").parse::<Period>().expect("a period");
    flow
}

pub(crate) fn kept(flow: &Flow) -> Kept<'_> {
    Kept {
        flow,
        asset: TRUCK,
        subjects: vec![(Role::Owner, ANNE), (Role::Driver, BENT)],
        order: Some(ORDER),
        read_at: moment(READ),
        latest_due: flow.retention.latest_due(moment(READ)),
        epoch: EPOCH,
    }
}

/// One line of a ledger: what, when, how much later recorded, and choices.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line {
    kind: u8,
    at: u8,
    late: u8,
    choices: [u8; 3],
}

pub(crate) fn line() -> impl Strategy<Value = Line> {
    let late = prop_oneof![3 => Just(0_u8), 1 => 1..4_u8];
    (0..30_u8, 0..MOMENTS, late, any::<[u8; 3]>()).prop_map(|(kind, at, late, choices)| Line {
        kind,
        at,
        late,
        choices,
    })
}

fn whom(n: u8) -> Whom {
    [Whom::Asset(TRUCK), Whom::Subject(ANNE), Whom::Subject(BENT)][usize::from(n % 3)]
}

fn person(n: u8) -> SubjectId {
    [ANNE, BENT][usize::from(n % 2)]
}

fn scope(n: u8) -> HoldScope {
    match n % 4 {
        0 => HoldScope::Epochs(BTreeSet::from([EPOCH])),
        1 => HoldScope::Flows { asset: Some(TRUCK), flows: BTreeSet::from([id("location")]) },
        2 => HoldScope::Flows { asset: None, flows: BTreeSet::from([id("location"), id("odometer")]) },
        _ => HoldScope::Flows { asset: None, flows: BTreeSet::from([id("odometer")]) },
    }
}

fn consent(line: Line, number: usize) -> Event {
    let [a, b, c] = line.choices;
    Event::ConsentGiven(Consent {
        subject: BENT,
        role: Role::Driver,
        purpose: id("planning"),
        categories: match a % 5 {
            0 => BTreeSet::from([Category::Odometer]),
            _ => BTreeSet::from([Category::Odometer, Category::Location]),
        },
        recipient: id(if b % 8 == 0 { "somebody-else" } else { "fleet" }),
        processing: id("as the form says"),
        form: id("form-1"),
        text_hash: TextHash([8; 32]),
        language: id("nb"),
        method: Method::Screen,
        recorded_by: id("staff-7"),
        evidence: None,
        receipt: ReceiptCode::from_bytes([u8::try_from(number).expect("few"); 7]),
        valid_until: moment(line.at + 4 + c % 40),
    })
}

fn write(line: Line, number: usize, before: &[(EntryHash, Entry)]) -> Entry {
    let Line { kind, at, late, choices: [a, b, c] } = line;
    let refers = |wanted: &[&str]| {
        let found: Vec<_> = before.iter().filter(|(_, e)| wanted.contains(&e.event.kind())).collect();
        if found.is_empty() { EntryHash::from_bytes([0; 32]) } else { found[usize::from(c) % found.len()].0 }
    };
    let reached = |whom, milestone| Event::MilestoneReached(MilestoneReached { whom, milestone });
    let until = moment(at + 1 + b % 20);
    let event = match kind {
        0 | 1 => reached(whom(a), Milestone::Interaction),
        2 => reached(Whom::Subject(ANNE), Milestone::RelationshipEnded),
        3 => reached(whom(a), Milestone::RelationshipEnded),
        4 => reached(Whom::Asset(TRUCK), Milestone::WarrantyEnded),
        5 => reached(Whom::Asset(TRUCK), Milestone::VehicleEnded),
        6 => reached(Whom::Subject(person(a)), Milestone::AccountOpened),
        7 | 8 => reached(Whom::Subject(person(a)), Milestone::AccountClosed),
        9 => Event::Linked(Link { asset: TRUCK, subject: person(a), role: Role::Owner, until: None }),
        10 => Event::OwnerChanged(OwnerChanged { asset: TRUCK, owners: vec![person(a)] }),
        11..14 => consent(line, number),
        14 => Event::ConsentWithdrawn(Withdrawal {
            scope: if a % 2 == 0 {
                WithdrawalScope::Asset(TRUCK)
            } else {
                let categories = BTreeSet::new();
                WithdrawalScope::Subject { subject: BENT, purpose: None, recipient: None, categories }
            },
            method: Method::Spoken,
            recorded_by: None,
        }),
        15 => Event::ObjectionRaised(Objection {
            subject: person(a),
            against: if b % 2 == 0 { Against::Marketing } else { Against::Profiling },
            method: Method::Web,
            recorded_by: None,
        }),
        16 => Event::OrderClosed(OrderClosed { order: ORDER }),
        17..20 => Event::HoldSet(HoldSet {
            scope: scope(a),
            ground: [HoldGround::Statute, HoldGround::Incident, HoldGround::Query][usize::from(c % 3)],
            citation: id("case"),
            until,
        }),
        20 => Event::HoldLifted(HoldLifted { hold: refers(&["hold-set"]) }),
        21 => Event::ErasureOrdered(Erasure {
            whom: whom(a),
            purpose: (b % 3 != 0).then(|| id(["planning", "planning", "billing"][usize::from(c % 3)])),
            ground: ErasureGround::Unlawful,
            case: id("case"),
        }),
        22 | 23 => Event::ErasureExcepted(ErasureExcepted {
            erasure: refers(&["erasure-ordered"]),
            exception: ErasureException::LegalClaim,
            scope: scope(a),
            reason: id("case"),
            approver: id("lead-1"),
            until,
        }),
        24 => Event::RestrictionSet(Restriction {
            whom: whom(a),
            purpose: (b % 2 == 0).then(|| id("planning")),
            ground: Ground::Unlawful,
            case: id("case"),
        }),
        25 => Event::RestrictionLiftingAnnounced(RestrictionLifting {
            restriction: refers(&["restriction-set"]),
            method: Method::Message,
            evidence: id("mail"),
        }),
        26 | 27 => Event::RestrictionLifted(RestrictionLifted { restriction: refers(&["restriction-set"]) }),
        _ => Event::Voided(Voided { entry: refers(Event::KINDS), reason: VoidReason::Mistake }),
    };
    entry(event, moment(at), moment(at + late), number)
}

fn entry(event: Event, occurred_at: UtcMicros, recorded_at: UtcMicros, number: usize) -> Entry {
    Entry {
        format: ENTRY_FORMAT,
        controller: rules_controller(),
        event,
        actor: Actor { role: ActorRole::Staff, id: id("staff-7") },
        occurred_at,
        recorded_at,
        source: id("test"),
        external_ref: id(&format!("ref-{number}")),
    }
}

fn rules_controller() -> ControllerId {
    id("NO-111111111")
}

/// A truck with its owner, its driver who consents, and an order; then the lines
/// that may be written.
pub(crate) fn ledger(lines: &[Line]) -> Drawn {
    let rules = compile(&rules_text());
    let mut facts = Facts::new(rules_controller());
    let mut entries: Vec<(EntryHash, Entry)> = Vec::new();
    let first = Line { kind: 11, at: 0, late: 0, choices: [1, 1, 30] };
    let order = OrderOpened {
        order: ORDER,
        assets: vec![TRUCK],
        station: bay(),
        expires_at: moment(if lines.len().is_multiple_of(2) { 12 } else { 60 }),
    };
    let link = |subject, role| Event::Linked(Link { asset: TRUCK, subject, role, until: None });
    let opening =
        [Event::OrderOpened(order), link(ANNE, Role::Owner), link(BENT, Role::Driver), consent(first, 250)];
    let opening =
        opening.into_iter().enumerate().map(|(n, event)| entry(event, moment(0), moment(0), 200 + n));
    for entry in opening {
        let hash = facts.apply(&entry).expect("it opens").entry;
        entries.push((hash, entry));
    }
    for (number, line) in lines.iter().enumerate() {
        let entry = write(*line, number, &entries);
        if let Ok(applied) = facts.apply(&entry) {
            entries.push((applied.entry, entry));
        }
    }
    Drawn { rules, facts, entries }
}
