//! What the tests of the clauses share: world files run against the shipped
//! bundle, and bundles with one thing changed that must not compile.

use std::{fs, path::PathBuf};
use vernport_policy::{Bundle, Rules};
use vernport_review::trial::Trial;
use vernport_types::Catalogue;

fn folder(bundle: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("config/bundles").join(bundle)
}

fn read(path: &PathBuf) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The shipped signal catalogue.
pub(super) fn catalogue() -> Catalogue {
    let text = include_str!("../../../config/signals/vehicle.toml");
    Catalogue::from_toml([("vehicle.toml", text)]).expect("the shipped catalogue")
}

/// The text of a shipped bundle.
pub(super) fn text(bundle: &str) -> String {
    read(&folder(bundle).join("bundle.toml"))
}

/// The rules of a bundle's text.
///
/// # Errors
/// What the compiler says.
pub(super) fn compile(text: &str) -> Result<Rules, String> {
    let bundle = Bundle::from_toml("bundle.toml", text).map_err(|error| error.to_string())?;
    Rules::compile(&bundle, &catalogue()).map_err(|error| error.to_string())
}

/// The rules of a shipped bundle.
pub(super) fn rules(bundle: &str) -> Rules {
    compile(&text(bundle)).unwrap_or_else(|error| panic!("{bundle}: {error}"))
}

/// Runs `tests/<clause>.toml` of a shipped bundle against its rules.
///
/// # Panics
/// With every expectation that was not met, by file and line.
pub(super) fn world(bundle: &str, clause: &str) {
    let path = folder(bundle).join("tests").join(format!("{clause}.toml"));
    met(&path.display().to_string(), &read(&path), &rules(bundle));
}

/// Runs a trial that stands in a test against some rules.
///
/// # Panics
/// As [`world`].
pub(super) fn run(trial: &str, rules: &Rules) {
    met("trial", trial, rules);
}

fn met(file: &str, trial: &str, rules: &Rules) {
    let trial = Trial::from_toml(file, trial).unwrap_or_else(|error| panic!("{error}"));
    let said: Vec<String> = trial.run(rules, &catalogue()).iter().map(ToString::to_string).collect();
    assert!(said.is_empty(), "{}", said.join("\n"));
}

/// A text with one place changed; the place must be there once.
pub(super) fn changed_text(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "`{from}` stands once");
    text.replacen(from, to, 1)
}

/// A shipped bundle with one place changed; the place must be there once.
pub(super) fn changed(bundle: &str, from: &str, to: &str) -> String {
    changed_text(&text(bundle), from, to)
}

/// What the compiler says about a text with one place changed.
///
/// # Panics
/// If it compiles: then nothing keeps a bundle from saying so.
pub(super) fn refused_text(text: &str, from: &str, to: &str) -> String {
    match compile(&changed_text(text, from, to)) {
        Ok(_) => panic!("compiles with `{to}` in place of `{from}`"),
        Err(error) => error,
    }
}

/// What the compiler says about a shipped bundle with one place changed.
///
/// # Panics
/// If it compiles: then nothing keeps the bundle from saying so.
pub(super) fn refused(bundle: &str, from: &str, to: &str) -> String {
    refused_text(&text(bundle), from, to)
}
