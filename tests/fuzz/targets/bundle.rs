//! Bundles with a piece cut out and another put in: refused with a place, or rules that are the same each time.
//!
//! | Bytes | What |
//! |---|---|
//! | 1 | which bundle; 0: none, the rest is the text |
//! | 2 | where the piece begins, high byte first |
//! | 1 | how long it is |
//! | rest | what takes its place |

#![no_main]

use libfuzzer_sys::fuzz_target;
use vernport_fuzz::CATALOGUE;
use vernport_policy::{Bundle, Rules};

/// The bundles that the tests of the policy go by: each stands for itself.
const BUNDLES: [&str; 4] = [
    include_str!("../../../crates/policy/tests/bundles/cars-software.toml"),
    include_str!("../../../crates/policy/tests/bundles/westrum.toml"),
    include_str!("../../../crates/policy/tests/bundles/car-special.toml"),
    include_str!("../../../crates/policy/tests/bundles/example-fleet.toml"),
];

/// The text that the bytes tell of.
fn text(bytes: &[u8]) -> Option<String> {
    let (&which, rest) = bytes.split_first()?;
    let Some(which) = which.checked_sub(1) else { return String::from_utf8(rest.to_vec()).ok() };
    let bundle = BUNDLES[usize::from(which) % BUNDLES.len()].as_bytes();
    let (begins, rest) = rest.split_first_chunk()?;
    let (&length, piece) = rest.split_first()?;
    let begins = usize::from(u16::from_be_bytes(*begins)).min(bundle.len());
    let ends = (begins + usize::from(length)).min(bundle.len());
    String::from_utf8([&bundle[..begins], piece, &bundle[ends..]].concat()).ok()
}

fuzz_target!(|bytes: &[u8]| {
    let Some(text) = text(bytes) else { return };
    let lines = text.split('\n').count();
    let compiled =
        Bundle::from_toml("fuzzed.toml", &text).and_then(|bundle| Rules::compile(&bundle, &CATALOGUE));
    match compiled {
        Ok(rules) => {
            let again = Bundle::from_toml("fuzzed.toml", &text).expect("it read once");
            let again = Rules::compile(&again, &CATALOGUE).expect("it compiled once");
            assert_eq!((rules.hash(), rules.flows().len()), (again.hash(), again.flows().len()));
        }
        Err(error) => assert!((1..=lines).contains(&error.line) && error.column >= 1),
    }
});
