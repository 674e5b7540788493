//! The rules as they are built against the rules as they are written, on random worlds.
//!
//! A world is one bundle, one ledger, one clock and one reading; bundle and ledger serve many
//! clocks and readings. `VERNPORT_WORLDS=<n>` asks for a full run, `VERNPORT_SEED=<n>` for
//! other worlds. A difference is shrunk and printed as a bundle and a world file with
//! `[[expect]]`, and with the seed that repeats it.

mod bundles;
mod case;
mod dice;
mod ledgers;
mod real;
mod report;
mod shrink;
mod steps;
mod written;

use crate::reference::{Event, Fault};
use case::{Case, Tally};
use dice::Dice;
use real::Ground;
use vernport_review::trial::Trial;

/// How many worlds are compared where nobody asks for more.
const WORLDS: u64 = 20_000;
/// How many worlds it may take to find a deliberate fault.
const WORLDS_FOR_A_FAULT: u64 = 40_000;
/// How many ledgers one bundle serves.
const LEDGERS: usize = 4;

/// What a reading can be refused for here.
const REASONS: [&str; 25] = [
    "account-not-open",
    "agreement-missing",
    "category-not-in-notice",
    "clock-untrusted",
    "consent-expired",
    "consent-missing",
    "consent-withdrawn",
    "disclosure-not-open",
    "dropped-by-rule",
    "grant-stale",
    "identification-too-weak",
    "no-grant",
    "no-purpose",
    "notice-not-served",
    "objection-pending",
    "objection-upheld",
    "order-not-open",
    "private-mode",
    "recipient-key-missing",
    "restricted",
    "role-missing",
    "rule-broken",
    "sampled-out",
    "source-not-in-notice",
    "transfer-not-allowed",
];

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|number| number.parse().ok()).unwrap_or(default)
}

/// The first difference.
#[derive(Debug)]
struct Found {
    /// That of its bundle.
    seed: u64,
    /// How many worlds agreed before it.
    after: u64,
    case: Case,
}

/// Compares until so many worlds are done, or to the first difference.
fn compare(first_seed: u64, worlds: u64, fault: Option<Fault>) -> Result<Tally, Box<Found>> {
    let ground = Ground::new();
    let mut all = Tally::default();
    let mut seed = first_seed;
    while all.worlds < worlds {
        let mut dice = Dice::new(seed);
        let (bundle, rules) = case::bundle(&mut dice, &ground);
        for _ in 0..LEDGERS {
            let case = case::case(&mut dice, &bundle);
            match case::run(&case, &rules, &ground, fault) {
                Ok(tally) => all.add(tally),
                Err(_) => return Err(Box::new(Found { seed, after: all.worlds, case })),
            }
        }
        seed += 1;
    }
    Ok(all)
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.worlds += other.worlds;
        self.released += other.released;
        self.openings += other.openings;
        self.opened += other.opened;
        self.batches += other.batches;
        self.ledgers += other.ledgers;
        self.entries += other.entries;
        self.refused += other.refused;
        for (reason, times) in other.reasons {
            *self.reasons.entry(reason).or_default() += times;
        }
    }
}

/// A figure of a run, for whoever looks.
fn say(text: &str) {
    let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{text}\n").as_bytes());
}

#[test]
fn the_rules_decide_as_their_prose_says_in_every_random_world() {
    let (seed, worlds) = (number("VERNPORT_SEED", 1), number("VERNPORT_WORLDS", WORLDS));
    let begun = std::time::Instant::now();
    match compare(seed, worlds, None) {
        Ok(tally) => {
            let text = format!("{tally:?} in {:.1?}", begun.elapsed());
            say(&text);
            assert!(tally.released * 25 > tally.worlds, "too few worlds release anything: {text}");
            assert!(tally.refused * 4 < tally.entries, "too many entries are refused: {text}");
            let missing: Vec<_> =
                REASONS.iter().filter(|reason| !tally.reasons.contains_key(*reason)).collect();
            assert!(missing.is_empty(), "no world shows {missing:?}: {text}");
        }
        Err(found) => {
            let (case, difference) = shrink::shrink(found.case, None);
            panic!("{}", report::whole(found.seed, &case, &difference));
        }
    }
}

#[test]
fn each_deliberate_fault_of_the_reference_is_found() {
    for fault in [
        Fault::VoidIsIgnored,
        Fault::ClosesFromRecorded,
        Fault::OpensFromOccurred,
        Fault::ExpiryIsLater,
        Fault::OneOfManyConsents,
        Fault::LiftedUnannounced,
        Fault::OpensWinsTies,
        Fault::ClockMayGoBack,
        Fault::HalvesGoDown,
        Fault::RestrictionDestroys,
    ] {
        match compare(1, WORLDS_FOR_A_FAULT, Some(fault)) {
            Ok(_) => panic!("{fault:?} was not found in {WORLDS_FOR_A_FAULT} worlds"),
            Err(found) => say(&format!("{fault:?} was found after {} worlds", found.after)),
        }
    }
}

/// What is printed is small, and can be read: the bundle compiles, and the world is a trial of it
/// that fails where the reference was broken.
#[test]
fn a_difference_is_shrunk_to_a_small_world_file() {
    let fault = Some(Fault::VoidIsIgnored);
    let found = compare(1, WORLDS_FOR_A_FAULT, fault).expect_err("a difference");
    let (case, difference) = shrink::shrink(found.case, fault);
    let text = report::whole(found.seed, &case, &difference);
    assert_eq!(case.bundle.flows.len(), 1, "{text}");
    assert!(case.entries.len() <= 8, "{text}");
    assert!(case.entries.iter().any(|entry| matches!(entry.event, Event::Voided(_))), "{text}");
    assert!(text.contains(&format!("VERNPORT_SEED={}", found.seed)), "{text}");

    let world = report::world(&case, &difference);
    let trial = Trial::from_toml("world.toml", &world).unwrap_or_else(|error| panic!("{error}\n{world}"));
    let ground = Ground::new();
    let rules = ground.rules(&case.bundle).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert!(!trial.run(&rules, ground.catalogue()).is_empty(), "{text}");
}
