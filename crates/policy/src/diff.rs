//! What a new version of a bundle permits that the old one did not, and what it denies.
//!
//! Computed from the compiled rules, rule by rule and signal by signal, in the sense of
//! decisions: a rule written otherwise that decides alike is no difference. Promises:
//! - [`Diff::is_equal`]: both decide, explain and word alike in every world.
//! - Not [`Diff::widens`]: whatever the new rules let through in a world, the old ones let
//!   through in it too, and said no less. What cannot be compared counts as wider.

mod flows;
mod frame;
mod order;
mod people;
mod terms;
mod words;

use crate::{Flow, Rules};
use serde::Serialize;
use std::fmt;
use vernport_types::{Catalogue, Slug};

/// In which direction a difference goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Something passes that did not.
    Permits,
    /// Some things pass that did not, and others do no longer.
    Both,
    /// Something does not pass that did.
    Denies,
    /// The same passes; what is said of it differs.
    Says,
}

impl Effect {
    /// Whether something is newly permitted.
    pub const fn permits(self) -> bool {
        matches!(self, Self::Permits | Self::Both)
    }

    /// Whether something is newly denied.
    pub const fn denies(self) -> bool {
        matches!(self, Self::Denies | Self::Both)
    }
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The rule, such as `flow.workshop.signals.Vehicle.TraveledDistance`.
    pub path: String,
    /// In which direction.
    pub effect: Effect,
    /// What it was and what it is.
    pub what: String,
    /// The flows that it bears on.
    pub flows: Vec<Slug>,
    /// Whether people have to be told by a newer notice before it may hold. Not so for the dates of
    /// an agreement that is renewed, nor for a notice itself, which opens nothing before it is served.
    pub to_be_told: bool,
}

/// All differences between two versions of a controller's rules, by rule.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Diff {
    changes: Vec<Change>,
}

/// Compares two versions of rules that were compiled against the same catalogue.
pub fn diff(old: &Rules, new: &Rules, catalogue: &Catalogue) -> Diff {
    let mut found = Found { old, new, catalogue, changes: Vec::new() };
    found.controller();
    found.notices();
    found.purposes();
    found.recipients();
    found.retentions();
    found.holds();
    found.forms();
    found.messages();
    found.rights();
    found.identified();
    found.flows();
    found.refusals();
    found.paths();
    let mut changes = found.changes;
    changes.sort_by(|a, b| (&a.path, a.effect, &a.what).cmp(&(&b.path, b.effect, &b.what)));
    Diff { changes }
}

impl Diff {
    /// All differences, by path.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// What is newly permitted.
    pub fn permitted(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(|change| change.effect.permits())
    }

    /// What is newly denied.
    pub fn denied(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(|change| change.effect.denies())
    }

    /// Whether anything is newly permitted.
    pub fn widens(&self) -> bool {
        self.permitted().next().is_some()
    }

    /// Whether anything is newly denied.
    pub fn narrows(&self) -> bool {
        self.denied().next().is_some()
    }

    /// Whether there is no difference that anybody could observe.
    pub fn is_equal(&self) -> bool {
        self.changes.is_empty()
    }
}

impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_equal() {
            return f.write_str("no difference\n");
        }
        for Change { path, effect, what, .. } in &self.changes {
            let sign = match effect {
                Effect::Permits => "wider   ",
                Effect::Both => "other   ",
                Effect::Denies => "narrower",
                Effect::Says => "wording ",
            };
            writeln!(f, "{sign}  {path}: {what}")?;
        }
        Ok(())
    }
}

/// The comparison while it goes on.
struct Found<'a> {
    old: &'a Rules,
    new: &'a Rules,
    catalogue: &'a Catalogue,
    changes: Vec<Change>,
}

/// Which flows a rule bears on.
type Bears<'a> = &'a dyn Fn(&Flow) -> bool;

impl Found<'_> {
    /// Notes a difference, if it is one. It bears on those flows of either version that `bears` picks.
    fn note(&mut self, path: &str, effect: Option<Effect>, what: impl Into<String>, bears: Bears<'_>) {
        let Some(effect) = effect else { return };
        let both = self.new.flows().iter().chain(self.old.flows());
        let mut flows: Vec<Slug> = both.filter(|flow| bears(flow)).map(|flow| flow.slug.clone()).collect();
        flows.sort_unstable();
        flows.dedup();
        let to_be_told = effect.permits();
        self.changes.push(Change { path: path.into(), effect, what: what.into(), flows, to_be_told });
    }

    /// The same for what no notice has to tell of.
    fn note_untold(&mut self, path: &str, effect: Option<Effect>, what: impl Into<String>, bears: Bears<'_>) {
        self.note(path, effect, what, bears);
        if let (Some(_), Some(last)) = (effect, self.changes.last_mut()) {
            last.to_be_told = false;
        }
    }
}
