//! Small worlds, exhaustively: one asset, two people, purposes on contract, legitimate interest
//! and consent, one of them marketing; all ledgers up to a length, and after each entry the
//! invariants 1 to 7 of the rules.
//!
//! A ledger begins where nothing was said yet, or where all is open. `VERNPORT_LENGTH=<n>` says how
//! much happens then. An entry that the ledger refuses is counted and ends its branch. A ledger in which
//! an invariant does not hold is printed as a world file.

mod falsified;
mod invariants;
mod line;
mod story;
mod walk;
mod written;

use line::Ground;
use story::{BARE, Person, READY, What};
use vernport_crypto::IdentityKey;
use vernport_registry::world::World;
use vernport_types::UtcMicros;
use walk::{Broken, Counts, Worlds, walk};

/// How much happens where nobody asks for more.
const LENGTH: usize = 3;

fn length() -> usize {
    std::env::var("VERNPORT_LENGTH").ok().and_then(|length| length.parse().ok()).unwrap_or(LENGTH)
}

fn beginnings() -> [(&'static str, Vec<What>); 2] {
    [("nothing said", BARE.to_vec()), ("all open", [BARE.as_slice(), &READY].concat())]
}

/// What breaks an invariant, for people.
fn report(broken: &Broken) -> String {
    let (story, wrong) = &**broken;
    format!("\ninvariant {wrong}\n\n# ---- world.toml\n{}", written::world(story))
}

#[test]
#[expect(clippy::print_stdout, reason = "--show-output shows how much was seen")]
fn small_worlds_keep_invariants_1_to_7_in_every_ledger() {
    let (ground, length) = (Ground::new(), length());
    let begun = std::time::Instant::now();
    let mut all = Counts::default();
    for (name, beginning) in beginnings() {
        let counts = walk(&ground, &beginning, length).unwrap_or_else(|broken| panic!("{}", report(&broken)));
        println!("small worlds up to {length} from {name}: {counts:?}");
        all.add(&counts);
    }
    println!("small worlds up to {length}: {all:?} in {:.1?}", begun.elapsed());
    assert!(all.released > all.ledgers, "too little passes: {all:?}");
    if length >= 2 {
        for (number, said) in (1..).zip(all.said) {
            assert!(said > 0, "invariant {number} held trivially everywhere: {all:?}");
        }
    }
}

/// What is printed can be read, and says the same.
#[test]
fn a_ledger_is_printed_as_a_world_file_that_says_the_same() {
    let ground = Ground::new();
    let mut worlds = Worlds::after(&ground, BARE.into_iter().chain(READY));
    let (anna, bent) = (Person::Anna, Person::Bent);
    let steps = [
        What::Link(bent),
        What::Give(bent),
        What::Expire,
        What::Give(bent),
        What::Give(anna),
        What::Restrict,
        What::Announce,
        What::Lift,
        What::PrivateOn,
        What::PrivateOff,
        What::Withdraw(anna),
        What::Unlink(anna),
        What::OpenOrder,
        What::Void,
        What::Link(anna),
        What::CloseOrder,
        What::Object,
    ];
    let mut answers = std::collections::BTreeSet::new();
    for what in steps {
        assert!(worlds.step(&ground, what), "{what:?} is taken");
        let text = written::world(&worlds.story);
        let world = World::from_toml("world.toml", &text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let (controller, key) = (ground.rules.controller(), IdentityKey::from_bytes([0; 32]));
        let facts =
            world.facts(controller, &key, UtcMicros(0)).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let (printed, told) = (
            line::said(&facts, &ground, &worlds.story),
            line::said(worlds.line.facts(), &ground, &worlds.story),
        );
        assert_eq!(printed, told, "after {what:?}\n{text}");
        answers.extend(told);
    }
    assert!(answers.len() > 9, "{answers:?}");
}
