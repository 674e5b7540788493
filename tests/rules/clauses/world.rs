//! What the tests of the clauses share: world files run against the shipped
//! bundle, and bundles with one thing changed that must not compile.

use std::{fs, path::PathBuf, sync::Arc};
use vernport_crypto::{IdentityKey, OpeningKey};
use vernport_policy::{Bundle, Head, Rules, SnapshotFor, SourceClass, Table, snapshot};
use vernport_registry::world::World;
use vernport_review::{
    ask::{Names, default_station},
    trial::{Trial, give_keys},
};
use vernport_types::{BootMicros, Catalogue, Category, Identification, Stamp, TimeQuality, UtcMicros};

fn folder(bundle: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("config/bundles").join(bundle)
}

fn read(path: &PathBuf) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The shipped signal catalogue.
pub(crate) fn catalogue() -> Catalogue {
    let text = include_str!("../../../config/signals/vehicle.toml");
    Catalogue::from_toml([("vehicle.toml", text)]).expect("the shipped catalogue")
}

/// The text of a shipped bundle.
pub(crate) fn text(bundle: &str) -> String {
    read(&folder(bundle).join("bundle.toml"))
}

/// The rules of a bundle's text.
///
/// # Errors
/// What the compiler says.
pub(crate) fn compile(text: &str) -> Result<Rules, String> {
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

/// The flows, forms and messages of a shipped bundle that use a category, by path.
pub(super) fn uses(bundle: &str, category: Category) -> Vec<String> {
    let rules = rules(bundle);
    let flows = rules.flows().iter().map(|flow| ("flow", &flow.slug, &flow.categories));
    let forms = rules.forms().iter().map(|form| ("form", &form.slug, &form.categories));
    let messages = rules.messages().iter().map(|message| ("message", &message.slug, &message.categories));
    let using = flows.chain(forms).chain(messages).filter(|(_, _, used)| used.contains(&category));
    let mut paths: Vec<_> = using.map(|(table, slug, _)| format!("{table}.{slug}")).collect();
    paths.sort();
    paths
}

/// The signals that a box at main/bay-1 may ask a vehicle for at a time: those of an open flow.
pub(super) fn open_signals(rules: &Rules, ledger: &str, asset: &str, time: &str) -> Vec<String> {
    let (rules, catalogue) = (Arc::new(rules.clone()), catalogue());
    let world = World::from_toml("ledger", ledger).unwrap_or_else(|error| panic!("{error}"));
    let now = world.time(1, "time", &time.into(), UtcMicros(0)).unwrap_or_else(|error| panic!("{error}"));
    let mut facts = world
        .facts(rules.controller(), &IdentityKey::from_bytes([0; 32]), now)
        .unwrap_or_else(|error| panic!("{error}"));
    give_keys(&mut facts, &rules, |_| false).expect("keys are taken");
    let whom = SnapshotFor {
        gateway: "box-1".parse().expect("a slug"),
        at: default_station(),
        recovery: OpeningKey::from_bytes([1; 32]).wrapping_key(),
        closed: Vec::new(),
    };
    let snapshot = snapshot(&facts, &rules, whom, now, &mut Names::default());
    let head = Head { era: 1, sequence: 1, at: now, nonce: [0; 16], snapshot_hash: snapshot.hash() };
    let stamp = Stamp { wall: now, boot: BootMicros(0), quality: TimeQuality::Synced };
    let mut table = Table::new(rules);
    table.apply(snapshot, &head, stamp).expect("a snapshot of these rules");
    let asset = world.asset(asset).expect("an asset of the world");
    let how = (Identification::BusVin, SourceClass::Vehicle);
    let open = catalogue.iter().filter(|(id, _)| table.open_flows(asset, *id, how, stamp) != 0);
    open.map(|(_, signal)| signal.path.to_string()).collect()
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
