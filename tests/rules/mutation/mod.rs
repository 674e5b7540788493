//! Every rule of every shipped bundle is taken out and loosened by one step, and
//! somebody notices (invariant 16).
//!
//! A mutant is caught by the compiler, by a world file of the bundle, by the check
//! of its clauses, by a term that its clauses ask of the bundle, or (what no decision shows: where a recipient stands, why
//! something is kept) because it no longer says what is published beside it in
//! `rules.md`; or `diff` proves that it decides like the original in every world.
//! What is left has survived, and the test fails with its name.

mod mutants;

use crate::clauses::{
    catalogue, compile,
    terms::{self, Term},
    text, with_vehicle_data,
};
use mutants::{Mutant, mutants};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
    thread,
};
use vernport_policy::{Rules, diff};
use vernport_review::{
    coverage::Clauses,
    lint::{Checked, Known, lint},
    render::render,
    trial::Trial,
};
use vernport_types::{Catalogue, UtcMicros};

/// When bundles are checked: 2026-11-20.
const NOW: UtcMicros = UtcMicros(1_795_132_800_000_000);

/// How a mutant ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Compiler,
    World,
    Check,
    Term,
    Published,
    Equal,
    Survived,
}

/// A bundle and all that is held against its mutants.
struct Stand {
    catalogue: Catalogue,
    rules: Rules,
    clauses: Clauses,
    findings: usize,
    worlds: Vec<World>,
    published: String,
    terms: Option<fn(&Rules) -> Vec<Term>>,
}

struct World {
    text: String,
    trial: Trial,
    /// Whether it is about the bundle with vehicle data beside it.
    made: bool,
}

impl Stand {
    fn new(bundle: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("config/bundles").join(bundle);
        let catalogue = catalogue();
        let rules = compile(&text(bundle)).unwrap_or_else(|error| panic!("{error}"));
        let file = folder.join("clauses.toml");
        let clauses =
            Clauses::from_toml("clauses.toml", &read(&file)).unwrap_or_else(|error| panic!("{error}"));
        let mut worlds = worlds(&folder.join("tests"), false);
        worlds.extend(worlds_if_there(&folder.join("with-vehicle-data/tests")));
        let findings = open_findings(&rules, &catalogue, &clauses);
        let published = read(&folder.join("rules.md"));
        let terms: Option<fn(&Rules) -> Vec<Term>> = match bundle {
            "westrum" => Some(terms::westrum),
            "car-special" => Some(terms::car_special),
            _ => None,
        };
        Self { catalogue, rules, clauses, findings, worlds, published, terms }
    }

    fn end(&self, mutant: &Mutant) -> End {
        let Ok(rules) = compile(&mutant.text) else { return End::Compiler };
        if diff(&self.rules, &rules, &self.catalogue).is_equal() {
            return End::Equal;
        }
        let made =
            self.worlds.iter().any(|world| world.made).then(|| compile(&with_vehicle_data(&mutant.text)));
        let id = mutant.rule.split('.').nth(1).unwrap_or(&mutant.rule);
        // The worlds that name the rule are the likeliest to notice.
        let (first, rest): (Vec<&World>, Vec<&World>) =
            self.worlds.iter().partition(|world| world.text.contains(id));
        for world in first.into_iter().chain(rest) {
            let fails = match (&made, world.made) {
                (Some(Ok(made)), true) => !world.trial.run(made, &self.catalogue).is_empty(),
                (_, true) => true,
                (_, false) => !world.trial.run(&rules, &self.catalogue).is_empty(),
            };
            if fails {
                return End::World;
            }
        }
        if open_findings(&rules, &self.catalogue, &self.clauses) != self.findings {
            return End::Check;
        }
        if self.terms.is_some_and(|terms| terms(&rules).iter().any(|(_, _, kept)| !kept)) {
            return End::Term;
        }
        if said(&render(&rules, &self.catalogue)) != said(&self.published) {
            return End::Published;
        }
        End::Survived
    }
}

/// A rendering without its last line, which names the file's hash.
fn said(rendering: &str) -> &str {
    rendering.trim_end().rsplit_once('\n').map_or("", |(said, _)| said)
}

fn open_findings(rules: &Rules, catalogue: &Catalogue, clauses: &Clauses) -> usize {
    let exists = |_: &vernport_review::coverage::Test| Known::Unknown;
    lint(Checked { rules, catalogue, clauses: Some(clauses), now: NOW, exists: &exists }).open().count()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn worlds(folder: &Path, made: bool) -> Vec<World> {
    let files = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    files.sort();
    let world = |file: &PathBuf| {
        let text = read(file);
        let trial =
            Trial::from_toml(&file.display().to_string(), &text).unwrap_or_else(|error| panic!("{error}"));
        World { text, trial, made }
    };
    files.iter().map(world).collect()
}

fn worlds_if_there(folder: &Path) -> Vec<World> {
    if folder.is_dir() { worlds(folder, true) } else { Vec::new() }
}

/// Makes and judges all mutants of a bundle; prints how they ended.
#[expect(clippy::print_stdout, reason = "the suite shows the counts")]
fn judge(bundle: &str) {
    let stand = Stand::new(bundle);
    let mutants = mutants(&text(bundle), &stand.catalogue);
    let next = Mutex::new(mutants.iter());
    let ends = Mutex::new(Vec::with_capacity(mutants.len()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let Some(mutant) = next.lock().expect("nobody panics in between").next() else { return };
                    let end = stand.end(mutant);
                    ends.lock().expect("nobody panics in between").push((end, mutant));
                }
            });
        }
    });
    let ends = ends.into_inner().expect("all threads are done");
    let mut counts = BTreeMap::new();
    for (end, _) in &ends {
        *counts.entry(*end).or_insert(0_usize) += 1;
    }
    println!("{bundle}: {} mutants: {counts:?}", ends.len());
    let mut survived: Vec<String> = ends
        .iter()
        .filter(|(end, _)| *end == End::Survived)
        .map(|(_, mutant)| format!("{}: {}", mutant.rule, mutant.what))
        .collect();
    survived.sort();
    assert!(survived.is_empty(), "nobody noticed {} mutants:\n{}", survived.len(), survived.join("\n"));
}

#[test]
fn every_mutant_of_cars_software_is_noticed() {
    judge("cars-software");
}

#[test]
fn every_mutant_of_westrum_is_noticed() {
    judge("westrum");
}

#[test]
fn every_mutant_of_car_special_is_noticed() {
    judge("car-special");
}

#[test]
fn every_mutant_of_the_example_fleet_is_noticed() {
    judge("example-fleet");
}
