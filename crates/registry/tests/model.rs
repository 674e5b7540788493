//! The facts, kept entry by entry, against a naive model that reads the whole
//! ledger again for each question.
//!
//! Random ledgers of a small world: three assets, three people, two stations,
//! 16 moments. Whatever is admitted is asked about at every moment.

mod naive;
mod samples;

use naive::{Naive, all_assets};
use proptest::prelude::*;
use samples::{asset, entry, order, slug, subject, text};
use std::collections::BTreeSet;
use vernport_crypto::{BlindIndex, VerifyingKey, WrappingKey};
use vernport_registry::*;
use vernport_types::*;

/// How many moments there are.
const MOMENTS: u8 = 16;

const MOMENT_SECONDS: i64 = 3_600;

fn moment(n: u8) -> UtcMicros {
    samples::EIGHT.plus_seconds(MOMENT_SECONDS * i64::from(n))
}

fn purpose(n: u8) -> Slug {
    slug(["service", "marketing"][usize::from(n % 2)])
}

fn recipient(n: u8) -> Slug {
    slug(["fleet", "maker"][usize::from(n % 2)])
}

fn role(n: u8) -> Role {
    Role::ALL[usize::from(n % 2)]
}

fn station(n: u8) -> StationRef {
    StationRef { site: slug("oslo"), station: slug(["bay-1", "onboard"][usize::from(n % 2)]) }
}

fn index(n: u8) -> BlindIndex {
    BlindIndex::from_bytes([n % 2; 32])
}

fn key(n: u8) -> WrappingKey {
    WrappingKey::from_bytes([n % 2; 32])
}

fn epoch(n: u8) -> EpochId {
    EpochId::from_bytes([n % 2; 16])
}

fn whom(n: u8) -> Whom {
    if n.is_multiple_of(2) {
        Whom::Subject(subject(1 + n / 2 % 3))
    } else {
        Whom::Asset(all_assets()[usize::from(n / 2 % 3)])
    }
}

fn against(n: u8) -> Against {
    match n % 3 {
        0 => Against::Marketing,
        1 => Against::Profiling,
        _ => Against::Purpose(purpose(n / 3)),
    }
}

fn categories(n: u8) -> BTreeSet<Category> {
    match n % 3 {
        0 => BTreeSet::from([Category::Odometer]),
        1 => BTreeSet::from([Category::Location]),
        _ => BTreeSet::from([Category::Odometer, Category::Location]),
    }
}

/// One line of a random ledger: what, when, how much later recorded, and
/// numbers that the event is made of.
#[derive(Debug, Clone, Copy)]
struct Line {
    kind: u8,
    at: u8,
    late: u8,
    numbers: [u8; 4],
}

fn line() -> impl Strategy<Value = Line> {
    let late = prop_oneof![3 => Just(0_u8), 1 => 1..6_u8];
    (0..33_u8, 0..MOMENTS, late, any::<[u8; 4]>()).prop_map(|(kind, at, late, numbers)| Line {
        kind,
        at,
        late,
        numbers,
    })
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
            notice: text(["notice 1", "notice 2"][usize::from(a % 2)]),
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
        10 => Event::RestrictionSet(Restriction {
            whom: whom(a),
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
            gateway: slug("box"),
            station: station(b),
            device_key: VerifyingKey::from_bytes([1; 32]),
            pinned: (c < 128).then_some(asset_a),
        }),
        25 => Event::EnrolmentEnded(EnrolmentEnded { gateway: slug("box") }),
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
        29 if d < 20 => {
            let newer = format!("{{\"kind\":\"newer\",\"closes\":{},\"asset\":\"{asset_a}\"}}", c < 200);
            serde_json::from_str(&newer).expect("readable")
        }
        _ => Event::Voided(Voided { entry: refers(Event::KINDS), reason: VoidReason::Mistake }),
    };
    entry(event, moment(at), moment(at + late), &format!("WS-{number}"))
}

/// Writes the lines, and gives what was admitted.
fn ledger(lines: &[Line]) -> (Vec<Entry>, Facts) {
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

/// Every answer about one asset, a line each, from the facts or from the model.
macro_rules! answers {
    ($of:expr, $asset:expr $(, $now:expr)?) => {{
        let (of, asset) = (&$of, $asset);
        let mut lines = vec![
            format!("identifiers {:?}", of.identifiers(asset $(, $now)?)),
            format!("private {:?}", of.private_mode(asset $(, $now)?)),
            format!("closed {:?}", of.closed_by_unknown(asset $(, $now)?)),
            format!("order {:?}", of.open_order(asset, None $(, $now)?)),
            format!("order at bay {:?}", of.open_order(asset, Some(&station(0)) $(, $now)?)),
        ];
        for p in 0..2 {
            lines.push(format!("restricted {:?}", of.restriction(Whom::Asset(asset), &purpose(p) $(, $now)?)));
            lines.push(format!("erased {:?}", of.erasure(Whom::Asset(asset), &purpose(p) $(, $now)?)));
            for e in 0..2 {
                lines.push(format!("hold {:?}", of.hold(asset, &purpose(p), epoch(e) $(, $now)?)));
            }
        }
        for r in 0..2 {
            let linked = of.subjects(asset, role(r) $(, $now)?);
            lines.push(format!("{} {linked:?}", role(r)));
            for Linked { subject, .. } in linked {
                for n in 0..12 {
                    let against = against(n);
                    lines.push(format!("objects {:?}", of.objection(subject, &against $(, $now)?)));
                }
                for n in 0..8 {
                    let asked = ConsentQuestion {
                        asset,
                        subject,
                        role: role(r),
                        purpose: &purpose(n),
                        category: [Category::Odometer, Category::Location][usize::from(n / 2 % 2)],
                        recipient: &recipient(n / 4),
                    };
                    lines.push(format!("consent {:?}", of.consent(&asked $(, $now)?)));
                }
                for p in 0..2 {
                    let whom = Whom::Subject(subject);
                    lines.push(format!("restricted {:?}", of.restriction(whom, &purpose(p) $(, $now)?)));
                    lines.push(format!("erased {:?}", of.erasure(whom, &purpose(p) $(, $now)?)));
                }
            }
        }
        lines
    }};
}

/// Every answer about the controller as a whole.
macro_rules! answers_at_large {
    ($of:expr $(, $now:expr)?) => {{
        let of = &$of;
        let mut lines = vec![format!("enrolled {:?}", of.enrolment(&slug("box") $(, $now)?))];
        for n in 0..2 {
            lines.push(format!("found {:?}", of.find_asset(&index(n) $(, $now)?)));
            lines.push(format!("at {:?}", of.assets_of_interest(&station(n) $(, $now)?)));
            lines.push(format!("notice {:?}", of.notice_served(["notice 1", "notice 2"][usize::from(n)] $(, $now)?)));
        }
        lines
    }};
}

fn keys(facts: &Facts, naive: &Naive, now: UtcMicros) -> [Vec<(KeyId, EntryHash)>; 2] {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for n in 0..4 {
        let (recipient, purpose) = (recipient(n), purpose(n / 2));
        let found = facts.recipient_keys(&recipient, &purpose, now);
        ours.extend(found.into_iter().map(|(key, entry)| (key.key_id(), entry)));
        theirs.extend(naive.recipient_keys(&recipient, &purpose));
    }
    [ours, theirs]
}

/// Moments between and on those of the ledger, and long after it.
fn times() -> impl Iterator<Item = UtcMicros> {
    (0..MOMENTS + 14).flat_map(|n| [moment(n), moment(n).plus_micros(-1)])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_facts_answer_as_the_whole_ledger_read_again_does(lines in prop::collection::vec(line(), 1..40)) {
        let (entries, facts) = ledger(&lines);
        let entries: Vec<_> = entries.into_iter().map(|entry| (entry.hash(), entry)).collect();
        for now in times() {
            let naive = Naive::read(&entries, now);
            for asset in all_assets() {
                prop_assert_eq!(answers!(facts, asset, now), answers!(naive, asset), "{} at {:?}", asset, now);
            }
            prop_assert_eq!(answers_at_large!(facts, now), answers_at_large!(naive), "at {:?}", now);
            let [ours, theirs] = keys(&facts, &naive, now);
            prop_assert_eq!(ours, theirs);
        }
    }

    #[test]
    fn the_order_of_arrival_changes_no_answer(
        lines in prop::collection::vec(line(), 1..40),
        seed in any::<u64>(),
    ) {
        let (entries, facts) = ledger(&lines);
        let mut shuffled: Vec<&Entry> = entries.iter().collect();
        shuffled.sort_by_key(|entry| u64::from_be_bytes(std::array::from_fn(|n| entry.hash().as_bytes()[n])) ^ seed);
        let mut other = Facts::new(samples::controller());
        for entry in shuffled {
            other.replay(entry).expect("of this ledger");
            prop_assert!(other.replay(entry).expect("of this ledger").duplicate, "filed once");
        }
        for now in times() {
            for asset in all_assets() {
                prop_assert_eq!(answers!(facts, asset, now), answers!(other, asset, now));
            }
            prop_assert_eq!(answers_at_large!(facts, now), answers_at_large!(other, now));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn an_entry_changes_no_answer_about_an_asset_that_it_does_not_touch(
        lines in prop::collection::vec(line(), 20..40),
    ) {
        let mut before = Facts::new(samples::controller());
        for entry in ledger(&lines).0 {
            let mut after = before.clone();
            let touched = after.replay(&entry).expect("of this ledger").touched;
            // A hold keeps what is stored and changes no grant.
            let grants = |mut lines: Vec<String>| {
                lines.retain(|line| !line.starts_with("hold"));
                lines
            };
            for now in times().step_by(5) {
                for asset in all_assets().into_iter().filter(|asset| !touched.includes(*asset)) {
                    let (old, new) = (answers!(before, asset, now), answers!(after, asset, now));
                    prop_assert_eq!(grants(old), grants(new), "{:?}", entry.event);
                }
            }
            before = after;
        }
    }
}

#[test]
fn the_random_ledgers_hold_every_kind_in_fair_number() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let strategy = prop::collection::vec(line(), 30..40);
    let mut kinds = std::collections::BTreeMap::<String, usize>::new();
    for _ in 0..192 {
        let lines = strategy.new_tree(&mut runner).expect("lines").current();
        for entry in ledger(&lines).0 {
            *kinds.entry(entry.event.kind().to_owned()).or_default() += 1;
        }
    }
    for kind in Event::KINDS.iter().chain(&["newer"]) {
        assert!(kinds.get(*kind).is_some_and(|n| *n >= 10), "{kind}: {kinds:?}");
    }
}
