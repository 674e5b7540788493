//! What stands around the flows: the controller, where it is hosted, its notices,
//! what recognises a vehicle, and the clauses behind refusals.

use super::{
    Bears, Effect, Found,
    order::{self, other, step, wording},
    words::{arrow, list, moment, none_or},
};
use crate::{ControllerInfo, Elsewhere, Flow, Hosting, Notice, Rules, ServedWhen};
use std::collections::BTreeSet;
use vernport_types::{Category, Reason, SignalId, Slug};

const ALL: Bears<'_> = &|_| true;
pub(super) const NONE: Bears<'_> = &|_| false;

impl Found<'_> {
    pub(super) fn controller(&mut self) {
        let (was, is) = (self.old.controller_info(), self.new.controller_info());
        let ControllerInfo {
            id: _,
            name: _,
            role: _,
            jurisdiction: _,
            time_zone: _,
            regions: _,
            elsewhere: _,
            review_by: _,
            attested: _,
            // With the paths.
            clauses: _,
            assumed: _,
        } = is;
        let mut note = |effect, what| self.note("controller", effect, what, ALL);
        note(other(&was.id, &is.id), arrow("id", &was.id, &is.id));
        note(other(&was.role, &is.role), arrow("role", was.role, is.role));
        note(
            other(&was.jurisdiction, &is.jurisdiction),
            arrow("jurisdiction", &was.jurisdiction, &is.jurisdiction),
        );
        note(other(&was.time_zone, &is.time_zone), arrow("time_zone", &was.time_zone, &is.time_zone));
        note(
            step(&was.regions[..], &is.regions[..], order::regions),
            arrow("regions", list(&was.regions), list(&is.regions)),
        );
        let never = |elsewhere| elsewhere == Elsewhere::Never;
        note(
            step(&never(was.elsewhere), &never(is.elsewhere), order::closes),
            arrow("elsewhere", was.elsewhere, is.elsewhere),
        );
        note(step(&was.attested, &is.attested, order::closes), arrow("attested", was.attested, is.attested));
        note(wording(&was.name, &is.name), arrow("name", &was.name, &is.name));
        note(
            wording(&was.review_by, &is.review_by),
            arrow("review_by", none_or(was.review_by.map(moment)), none_or(is.review_by.map(moment))),
        );
        self.hosting();
    }

    fn hosting(&mut self) {
        let (was, is) = (self.old.hosting(), self.new.hosting());
        let regions = |hosting: Option<&Hosting>| hosting.map(|hosting| hosting.regions.clone());
        let (from, to) = (regions(was), regions(is));
        let text = |regions: &Option<Vec<String>>| regions.as_ref().map_or("anywhere".to_owned(), list);
        self.note(
            "hosting",
            step(&from, &to, |a, b| match (a, b) {
                (_, None) => true,
                (None, Some(_)) => false,
                (Some(a), Some(b)) => order::regions(a, b),
            }),
            arrow("regions", text(&from), text(&to)),
            ALL,
        );
        let by = |hosting: Option<&Hosting>| hosting.and_then(|hosting| hosting.processor.clone());
        self.note(
            "hosting",
            other(&by(was), &by(is)),
            arrow("processor", none_or(by(was)), none_or(by(is))),
            ALL,
        );
        let agreement = |hosting: Option<&Hosting>| hosting.and_then(|hosting| hosting.agreement.clone());
        self.agreement("hosting", agreement(was).as_ref(), agreement(is).as_ref(), ALL);
    }

    /// Which flows a served notice opens. The newest that was served counts, by the order of each
    /// bundle: all pairs of newest versions are tried that one ledger can give.
    pub(super) fn notices(&mut self) {
        let (old, new) = (self.old, self.new);
        let pairs = newest_pairs(old.notices(), new.notices());
        for flow in new.flows() {
            let Some(before) = old.find(&flow.slug) else { continue };
            for (was, is) in &pairs {
                let open = (opens(old.notices(), *was, before), opens(new.notices(), *is, flow));
                let version = |rules: &Rules, place: Option<usize>| {
                    place.map_or("no notice".to_owned(), |place| rules.notices()[place].version.to_string())
                };
                let counts = (version(old, *was), version(new, *is));
                let says = |open: bool, counts: &str| {
                    format!("{} under {counts}", if open { "open" } else { "closed" })
                };
                let what = format!("{} → {}", says(open.0, &counts.0), says(open.1, &counts.1));
                let path = if before.notice != flow.notice {
                    format!("flow.{}", flow.slug)
                } else {
                    let named = if is.is_some() { &counts.1 } else { &counts.0 };
                    format!("notice.{named}")
                };
                let this = |other: &Flow| other.slug == flow.slug;
                let effect = step(&open.0, &open.1, order::opens);
                if is.is_some_and(|is| place_of(old.notices(), &new.notices()[is].version).is_none()) {
                    // It opens nothing before it is served.
                    self.note_untold(&path, effect, what, &this);
                } else {
                    self.note(&path, effect, what, &this);
                }
            }
        }
        self.notice_words();
    }

    fn notice_words(&mut self) {
        let (old, new) = (self.old, self.new);
        let names = |rules: &Rules| list(rules.notices().iter().map(|notice| &notice.version));
        let (was, is) = (names(old), names(new));
        self.note("notice", wording(&was, &is), arrow("versions", &was, &is), NONE);
        for is in new.notices() {
            let Some(was) = old.notices().iter().find(|was| was.version == is.version) else { continue };
            let path = format!("notice.{}", is.version);
            let set = |notice: &Notice| notice.categories.iter().copied().collect::<BTreeSet<Category>>();
            let (before, after) = (set(was), set(is));
            self.note(
                &path,
                wording(&before, &after),
                arrow("categories", list(&before), list(&after)),
                NONE,
            );
            self.note(
                &path,
                wording(&was.sources, &is.sources),
                arrow("sources", list(was.sources.iter()), list(is.sources.iter())),
                NONE,
            );
            let told = |notice: &Notice| notice.served_when == ServedWhen::Told;
            self.note(
                &path,
                step(&told(was), &told(is), order::closes),
                arrow("served_when", was.served_when, is.served_when),
                ALL,
            );
        }
    }

    pub(super) fn identified(&mut self) {
        let (was, is) = (self.old.identify(), self.new.identify());
        let paths = |ids: &[SignalId]| list(ids.iter().map(|id| &self.catalogue.signal(*id).path));
        let what = arrow("signals", paths(was), paths(is));
        self.note("identify", step(was, is, order::fewer), what, NONE);
        if let (Some(was), Some(is)) = (self.old.identify_rule(), self.new.identify_rule()) {
            self.note(
                "identify",
                other(&was.purpose, &is.purpose),
                arrow("purpose", &was.purpose, &is.purpose),
                NONE,
            );
        }
    }

    /// The reason of signals that no flow names, and the clause behind each refusal of each signal.
    pub(super) fn refusals(&mut self) {
        let (old, new) = (self.old, self.new);
        let mut changed = BTreeSet::new();
        for (id, signal) in self.catalogue.iter() {
            if let (Some(was), Some(is)) = (old.unnamed_reason(id), new.unnamed_reason(id))
                && was != is
            {
                changed.insert((format!("refusal.{is}.{}", signal.category), arrow("reason", was, is)));
            }
            if old.unnamed_reason(id).is_some() != new.unnamed_reason(id).is_some() {
                // Named by a flow on one side only, which is said there.
                continue;
            }
            for reason in Reason::ALL {
                let (was, is) = (old.clause_for(id, *reason), new.clause_for(id, *reason));
                if was == is {
                    continue;
                }
                let own = |rules: &Rules| {
                    let mut of = rules.refusals().iter().filter(|refusal| refusal.reason == *reason);
                    of.any(|refusal| refusal.category == Some(signal.category))
                };
                let path = if own(old) || own(new) {
                    format!("refusal.{reason}.{}", signal.category)
                } else {
                    format!("refusal.{reason}")
                };
                changed.insert((path, arrow("clause", none_or(was), none_or(is))));
            }
        }
        for (path, what) in changed {
            self.note(&path, Some(Effect::Says), what, NONE);
        }
    }

    /// What every rule says of itself: its clauses, and whether it is assumed. Rules that nothing
    /// else is said of came or went without letting anything through.
    pub(super) fn paths(&mut self) {
        let (old, new) = (self.old, self.new);
        // Compared by what they say: refusals. With their flow: signals.
        let own = |path: &str| !path.starts_with("refusal.") && !path.contains(".signals.");
        for is in new.paths().iter().filter(|rule| own(&rule.path)) {
            match old.paths().iter().find(|was| was.path == is.path) {
                Some(was) => {
                    self.note(
                        &is.path,
                        wording(&was.clauses, &is.clauses),
                        arrow("clauses", list(&was.clauses), list(&is.clauses)),
                        NONE,
                    );
                    self.note(
                        &is.path,
                        wording(&was.assumed, &is.assumed),
                        arrow("assumed", was.assumed, is.assumed),
                        NONE,
                    );
                }
                None => self.unless_said(&is.path, "new"),
            }
        }
        for was in old.paths().iter().filter(|rule| own(&rule.path)) {
            if !new.paths().iter().any(|is| is.path == was.path) {
                self.unless_said(&was.path, "gone");
            }
        }
    }

    fn unless_said(&mut self, path: &str, what: &str) {
        if !self.changes.iter().any(|change| change.path == path) {
            self.note(path, Some(Effect::Says), what, NONE);
        }
    }
}

/// The place of a version in a list.
fn place_of(notices: &[Notice], version: &Slug) -> Option<usize> {
    notices.iter().position(|notice| notice.version == *version)
}

/// Whether a flow is open under a notice in force, as far as notices are asked.
fn opens(notices: &[Notice], newest: Option<usize>, flow: &Flow) -> bool {
    newest.is_some_and(|place| {
        flow.notice_place <= place && flow.categories.iter().all(|c| notices[place].categories.contains(c))
    })
}

/// All pairs of the newest version served, by the old order and by the new one, that some ledger gives.
fn newest_pairs(old: &[Notice], new: &[Notice]) -> Vec<(Option<usize>, Option<usize>)> {
    let places = |notices: &[Notice]| -> Vec<Option<usize>> {
        std::iter::once(None).chain((0..notices.len()).map(Some)).collect()
    };
    // What one of them knows as newest, the other does not know, or knows as no newer than its own.
    let fits = |newest: Option<usize>, mine: &[Notice], other: &[Notice], of_other: Option<usize>| {
        let known = newest.and_then(|place| place_of(other, &mine[place].version));
        known.is_none_or(|known| of_other.is_some_and(|newest| known <= newest))
    };
    let mut pairs = Vec::new();
    for was in places(old) {
        for is in places(new) {
            if fits(was, old, new, is) && fits(is, new, old, was) {
                pairs.push((was, is));
            }
        }
    }
    pairs
}
