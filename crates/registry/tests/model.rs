//! The facts, kept entry by entry, against a naive model that reads the whole
//! ledger again for each question.
//!
//! Whatever is admitted of a random ledger is asked about at every moment.

mod ledgers;
mod naive;
mod samples;

use ledgers::{
    MILESTONES, MOMENTS, against, epoch, index, ledger, line, moment, processor, purpose, recipient, role,
    station,
};
use naive::{Naive, all_assets};
use proptest::prelude::*;
use samples::{order, slug, subject};
use vernport_registry::*;
use vernport_types::*;

/// What lifts the restrictions of somebody, and what keeps something in spite of
/// an erasure: a line each.
macro_rules! exceptions {
    ($of:expr, $asset:expr, $whom:expr, $purpose:expr $(, $now:expr)?) => {{
        let (of, asset, whom, purpose) = ($of, $asset, $whom, $purpose);
        let restrictions = of.restrictions(whom, purpose $(, $now)?);
        let mut lines = vec![format!("restricted by {restrictions:?}")];
        for f in 0..2 {
            let flow = ledgers::purpose(f);
            for restriction in &restrictions {
                let excepted = of.restriction_excepted(*restriction, asset, purpose, &flow $(, $now)?);
                lines.push(format!("excepted {excepted:?}"));
            }
            for (erasure, up_to) in of.erasures(whom, purpose $(, $now)?) {
                for e in 0..2 {
                    lines.push(format!("erased up to {up_to:?} by {erasure}"));
                    let kept = of.erasure_excepted(erasure, asset, &flow, epoch(e) $(, $now)?);
                    lines.push(format!("hold in spite {kept:?}"));
                }
            }
        }
        lines
    }};
}

/// Every answer about one asset, a line each, from the facts or from the model.
macro_rules! answers {
    ($of:expr, $asset:expr $(, $now:expr)?) => {{
        let (of, asset) = (&$of, $asset);
        let mut lines = vec![
            format!("identifiers {:?}", of.identifiers(asset $(, $now)?)),
            format!("sold {:?}", of.sold(asset, moment(2) $(, $now)?)),
            format!("private {:?}", of.private_mode(asset $(, $now)?)),
            format!("closed {:?}", of.closed_by_unknown(asset $(, $now)?)),
            format!("agreed {:?}", of.agreement(&processor(0) $(, $now)?)),
            format!("agreed {:?}", of.agreement(&processor(1) $(, $now)?)),
            format!("order {:?}", of.open_order(asset, None $(, $now)?)),
            format!("order at bay {:?}", of.open_order(asset, Some(&station(0)) $(, $now)?)),
        ];
        for milestone in MILESTONES {
            let reached = of.milestone(Whom::Asset(asset), milestone $(, $now)?);
            lines.push(format!("reached {reached:?}"));
        }
        for p in 0..2 {
            lines.push(format!("restricted {:?}", of.restriction(Whom::Asset(asset), &purpose(p) $(, $now)?)));
            lines.push(format!("erased {:?}", of.erasure(Whom::Asset(asset), &purpose(p) $(, $now)?)));
            lines.push(format!("disclosed {:?}", of.disclosure(asset, &purpose(p) $(, $now)?)));
            lines.push(format!("paused {:?}", of.pauses(&recipient(0), &purpose(p) $(, $now)?)));
            lines.extend(exceptions!(of, asset, Whom::Asset(asset), &purpose(p) $(, $now)?));
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
                    lines.push(format!("since {:?}", of.objected(subject, &against $(, $now)?)));
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
                    lines.extend(exceptions!(of, asset, whom, &purpose(p) $(, $now)?));
                }
                for milestone in MILESTONES {
                    let reached = of.milestone(Whom::Subject(subject), milestone $(, $now)?);
                    lines.push(format!("reached {reached:?}"));
                }
                lines.push(format!("account {:?}", of.account(subject $(, $now)?)));
                lines.push(format!("customer {:?}", of.customer(subject $(, $now)?)));
                for n in 0..8 {
                    let category = [Category::Odometer, Category::Location][usize::from(n / 2 % 2)];
                    let (purpose, recipient) = (purpose(n), recipient(n / 4));
                    let state = of.person_consent(subject, &purpose, category, &recipient $(, $now)?);
                    lines.push(format!("personal {state:?}"));
                }
                for notice in ["notice-1", "notice-2"] {
                    lines.push(format!("told {:?}", of.notice_told(notice, subject $(, $now)?)));
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
        for n in 0..4 {
            lines.push(format!("ended {:?}", of.order_ended(order(n) $(, $now)?)));
        }
        for n in 0..2 {
            lines.push(format!("found {:?}", of.find_asset(&index(n) $(, $now)?)));
            lines.push(format!("at {:?}", of.assets_of_interest(&station(n) $(, $now)?)));
            lines.push(format!("notice {:?}", of.notice_served(["notice-1", "notice-2"][usize::from(n)] $(, $now)?)));
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
            for n in 0..2 {
                let here = |asset| facts.stations_of(asset, now).contains(&station(n));
                let of = all_assets().into_iter().filter(|asset| here(*asset));
                let of = of.map(|asset| facts.canonical_asset(asset)).collect();
                prop_assert_eq!(facts.assets_of_interest(&station(n), now), of, "the two are one question");
            }
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

/// The ledger without what does not count at `now` because it was voided. Voided consents stay, as
/// such: what was withdrawn by their receipts stays withdrawn.
fn without_mistakes(ledger: &[(EntryHash, Entry)], now: UtcMicros) -> Vec<(EntryHash, Entry)> {
    let voided = |hash: &EntryHash, effect: Effect| {
        ledger.iter().any(|(_, entry)| match &entry.event {
            Event::Voided(void) if void.entry == *hash => {
                effect != Effect::Closes || entry.recorded_at <= now
            }
            _ => false,
        })
    };
    let is_consent = |event: &Event| matches!(event, Event::ConsentGiven(_) | Event::ConsentRenewed(_));
    let of_consent =
        |hash: &EntryHash| ledger.iter().any(|(of, entry)| of == hash && is_consent(&entry.event));
    let stays = |(hash, entry): &&(EntryHash, Entry)| match &entry.event {
        Event::Voided(void) => of_consent(&void.entry),
        event => is_consent(event) || !voided(hash, event.effect()),
    };
    ledger.iter().filter(stays).cloned().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_consent_ends_at_the_first_moment_at_which_it_is_not_in_force(
        lines in prop::collection::vec(line(), 10..40),
    ) {
        let (entries, facts) = ledger(&lines);
        let entries: Vec<_> = entries.into_iter().map(|entry| (entry.hash(), entry)).collect();
        for last in [MOMENTS / 2, MOMENTS + 8] {
            let now = moment(last);
            let known = without_mistakes(&entries, now);
            let worlds: Vec<_> = (0..=last).map(|n| Naive::read(&known, moment(n))).collect();
            for n in 0..24 {
                let asked = ConsentQuestion {
                    asset: all_assets()[usize::from(n % 3)],
                    subject: subject(1 + n % 3),
                    role: role(n),
                    purpose: &purpose(n),
                    category: [Category::Odometer, Category::Location][usize::from(n / 2 % 2)],
                    recipient: &recipient(n / 4),
                };
                for since in [0, 3, 6] {
                    let over = |at: &u8| {
                        let state = worlds[usize::from(*at)].consent(&asked);
                        !matches!(state, ConsentState::Given { .. })
                    };
                    let expected = (since..=last).find(over).map(moment);
                    let ended = facts.consent_ended(&asked, |_, _, until| until, moment(since), now);
                    prop_assert_eq!(ended, expected, "{:?} since {}", asked, since);
                }
            }
        }
    }

    #[test]
    fn an_entry_changes_no_answer_about_an_asset_that_it_does_not_touch(
        lines in prop::collection::vec(line(), 20..40),
    ) {
        let mut before = Facts::new(samples::controller());
        for entry in ledger(&lines).0 {
            let mut after = before.clone();
            let touched = after.replay(&entry).expect("of this ledger").touched;
            // A hold keeps what is stored, a customer gets messages: neither changes a grant.
            let grants = |mut lines: Vec<String>| {
                lines.retain(|line| !line.starts_with("hold") && !line.starts_with("agreed") && !line.starts_with("customer"));
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
    let mut by_consent = 0;
    for _ in 0..384 {
        let lines = strategy.new_tree(&mut runner).expect("lines").current();
        for entry in ledger(&lines).0 {
            *kinds.entry(entry.event.kind().to_owned()).or_default() += 1;
            let consent = matches!(&entry.event, Event::RestrictionExcepted(e) if e.receipt.is_some());
            by_consent += usize::from(consent);
        }
    }
    assert!(by_consent >= 10, "exceptions by consent: {by_consent}");
    for kind in Event::KINDS.iter().chain(&["newer"]) {
        assert!(kinds.get(*kind).is_some_and(|n| *n >= 10), "{kind}: {kinds:?}");
    }
}
