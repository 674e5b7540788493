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
mod shrink;
mod written;

use crate::reference::{
    ASSETS, Answer, Asked, Clock, Fault, Head, Micros, Opening, Quality, Said, Value, written as written_time,
};
use case::{Case, Difference, Tally};
use dice::Dice;
use real::Ground;
use std::fmt::Write;

/// How many worlds are compared where nobody asks for more.
const WORLDS: u64 = 40_000;
/// How many worlds it may take to find a deliberate fault.
const WORLDS_FOR_A_FAULT: u64 = 40_000;
/// How many ledgers one bundle serves.
const LEDGERS: usize = 4;

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|number| number.parse().ok()).unwrap_or(default)
}

/// Compares until so many worlds are done, or to the first difference: the seed of its bundle.
fn compare(
    first_seed: u64,
    worlds: u64,
    fault: Option<Fault>,
) -> Result<Tally, Box<(u64, Case, Difference)>> {
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
                Err(difference) => return Err(Box::new((seed, case, *difference))),
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

/// A difference as somebody reads it: what differs, the bundle, and the world file.
fn report(seed: u64, case: &Case, difference: &Difference) -> String {
    let mut text = format!(
        "\nthe two implementations differ (VERNPORT_SEED={seed})\n  reference: {}\n  real:      {}\n",
        difference.reference, difference.real
    );
    let _ = write!(text, "\n# ---- bundle.toml\n{}", written::bundle(&case.bundle));
    let knows = if case.as_it_went { "what was recorded until then" } else { "all from the beginning" };
    let _ = write!(text, "\n# ---- world.toml; central knows {knows}\n{}", written::world(&case.entries));
    for step in &case.steps[..=difference.step] {
        let _ = writeln!(text, "# then: {step:?}");
    }
    let _ = write!(text, "\n{}\n", difference.expect);
    text
}

/// The question about a batch, with the answer of the reference.
fn expect_batch(opening: &Opening, at: Micros, sent: String) -> String {
    format!(
        "[[expect]]\ntime = \"{}\"\nbatch = {{ asset = \"{}\", flow = \"{}\", opened = \"{}\" }}\nsent = \"{sent}\"\n",
        written_time(at),
        ASSETS[opening.asset],
        opening.flow,
        written_time(opening.at),
    )
}

/// The question about a reading, with the answers of the reference.
fn expect_reading(asked: &Asked, now: Clock, head: Option<Head>, answers: &[Answer]) -> String {
    let mut text = match head {
        Some(head) => format!(
            "# the last head came {} s before, of what held at {}\n",
            (now.boot - head.boot) / 1_000_000,
            written_time(head.told)
        ),
        None => "# before the first head\n".to_owned(),
    };
    if now.quality == Quality::Unset {
        text += "# with a clock that is not set\n";
    }
    for answer in answers {
        let _ = write!(
            text,
            "[[expect]]\ntime = \"{}\"\nasset = \"{}\"\nsignal = \"{}\"\nby = \"{}\"\nfrom = \"{}\"\n",
            written_time(now.wall),
            ASSETS[asked.asset],
            asked.signal.unwrap_or("Vehicle.Unknown"),
            written::identified(asked.by),
            written::origin(asked.from)
        );
        if let Some(value) = plain(&asked.value) {
            let _ = writeln!(text, "value = {value}");
        }
        if let Some(flow) = answer.flow {
            let _ = writeln!(text, "flow = \"{flow}\"");
        }
        let _ = match &answer.said {
            Said::Withheld(reason) => writeln!(text, "withheld = \"{reason}\""),
            Said::Released { value, .. } => {
                writeln!(text, "released = {}", plain(value).unwrap_or_else(|| "\"nothing\"".into()))
            }
        };
    }
    text
}

/// A value as world files write it; none for "asked, none".
fn plain(value: &Value) -> Option<String> {
    Some(match value {
        Value::Integer(n) => n.to_string(),
        Value::Number(x) => format!("{x:?}"),
        Value::Flag(flag) => flag.to_string(),
        Value::Label(text) => format!("\"{text}\""),
        Value::Position(north, east) => {
            format!("{{ lat = {}, lon = {} }}", f64::from(*north) / 1e7, f64::from(*east) / 1e7)
        }
        Value::TroubleCode(code) => format!("\"P{code:04X}\""),
        Value::Nothing => return None,
        Value::Cell(cell) => format!("{{ h3 = \"{cell:015x}\" }}"),
        Value::Bucket(from, to) => format!("{{ from = {from}, to = {to} }}"),
        Value::Present => "\"present\"".into(),
    })
}

#[test]
fn the_rules_decide_as_their_prose_says_in_every_random_world() {
    let (seed, worlds) = (number("VERNPORT_SEED", 1), number("VERNPORT_WORLDS", WORLDS));
    let begun = std::time::Instant::now();
    match compare(seed, worlds, None) {
        Ok(tally) => {
            let text = format!("{tally:?} in {:.1?}", begun.elapsed());
            std::io::Write::write_all(&mut std::io::stderr(), format!("{text}\n").as_bytes())
                .expect("stderr");
            assert!(tally.released * 25 > tally.worlds, "too few worlds release anything: {text}");
            assert!(tally.refused * 4 < tally.entries, "too many entries are refused: {text}");
        }
        Err(found) => {
            let (seed, case, _) = *found;
            let (case, difference) = shrink::shrink(case, None);
            panic!("{}", report(seed, &case, &difference));
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
        let found = compare(1, WORLDS_FOR_A_FAULT, Some(fault));
        assert!(found.is_err(), "{fault:?} was not found in {WORLDS_FOR_A_FAULT} worlds");
    }
}

/// What is printed can be read: the shrunk case still shows the difference, and is small.
#[test]
fn a_difference_is_shrunk_to_a_small_world_file() {
    let found = compare(1, WORLDS_FOR_A_FAULT, Some(Fault::VoidIsIgnored)).expect_err("a difference");
    let (seed, case, _) = *found;
    let before = case.entries.len();
    let (case, difference) = shrink::shrink(case, Some(Fault::VoidIsIgnored));
    assert!(case.entries.len() <= before && case.entries.len() <= 8, "{}", report(seed, &case, &difference));
    assert_eq!(case.bundle.flows.len(), 1, "{}", report(seed, &case, &difference));
    let voids = |entry: &crate::reference::Entry| matches!(entry.event, crate::reference::Event::Voided(_));
    assert!(case.entries.iter().any(voids), "{}", report(seed, &case, &difference));
    let text = report(seed, &case, &difference);
    for part in [format!("VERNPORT_SEED={seed}"), "[[flow]]".into(), "kind = \"voided\"".into()] {
        assert!(text.contains(&part), "{text}");
    }
}
