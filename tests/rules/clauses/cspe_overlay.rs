//! Car Special with vehicle data: the shipped bundle and a made notice and made flows behind it.
//!
//! The shipped bundle lets nothing of a vehicle pass, so much of what its notice promises cannot
//! be seen with it. What stands in `config/bundles/car-special/with-vehicle-data/flows.toml` is
//! appended to the shipped text; the world files beside it are held against both together.

use super::world::{catalogue, compile, text};
use std::{fs, path::PathBuf};
use vernport_policy::Rules;
use vernport_review::trial::Trial;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("config/bundles/car-special/with-vehicle-data")
}

/// The text of Car Special's bundle, or of a mutant of it, with the made flows.
pub(crate) fn with_vehicle_data(bundle: &str) -> String {
    let path = folder().join("flows.toml");
    let flows = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    format!("{bundle}{flows}")
}

/// The shipped bundle with the made flows.
pub(super) fn made() -> String {
    with_vehicle_data(&text("car-special"))
}

/// Its rules.
pub(super) fn rules() -> Rules {
    compile(&made()).unwrap_or_else(|error| panic!("{error}"))
}

/// What the compiler says when one place of bundle and flows is changed.
///
/// # Panics
/// If it compiles, or if the place is not there once.
pub(super) fn refused(from: &str, to: &str) -> String {
    let text = made();
    assert_eq!(text.matches(from).count(), 1, "`{from}` stands once");
    match compile(&text.replacen(from, to, 1)) {
        Ok(_) => panic!("compiles with `{to}` in place of `{from}`"),
        Err(error) => error,
    }
}

/// Runs `with-vehicle-data/tests/<clause>.toml`.
///
/// # Panics
/// With every expectation that was not met, by file and line.
pub(super) fn world(clause: &str) {
    let path = folder().join("tests").join(format!("{clause}.toml"));
    let file = path.display().to_string();
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
    let trial = Trial::from_toml(&file, &text).unwrap_or_else(|error| panic!("{error}"));
    let failures = trial.run(&rules(), &catalogue());
    let said: Vec<String> = failures.iter().map(ToString::to_string).collect();
    assert!(said.is_empty(), "{}", said.join("\n"));
}
