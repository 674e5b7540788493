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
    let file = path.display().to_string();
    let trial = Trial::from_toml(&file, &read(&path)).unwrap_or_else(|error| panic!("{error}"));
    let failures = trial.run(&rules(bundle), &catalogue());
    let said: Vec<String> = failures.iter().map(ToString::to_string).collect();
    assert!(said.is_empty(), "{}", said.join("\n"));
}

/// A shipped bundle with one place changed; the place must be there once.
pub(super) fn changed(bundle: &str, from: &str, to: &str) -> String {
    let text = text(bundle);
    assert_eq!(text.matches(from).count(), 1, "`{from}` stands once in {bundle}");
    text.replacen(from, to, 1)
}

/// What the compiler says about a shipped bundle with one place changed.
///
/// # Panics
/// If it compiles: then nothing keeps the bundle from saying so.
pub(super) fn refused(bundle: &str, from: &str, to: &str) -> String {
    match compile(&changed(bundle, from, to)) {
        Ok(_) => panic!("{bundle} compiles with `{to}` in place of `{from}`"),
        Err(error) => error,
    }
}
