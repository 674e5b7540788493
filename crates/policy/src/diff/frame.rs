//! What stands around the flows: notices, purposes, recipients, retention, forms,
//! what recognises a vehicle, and the clauses behind refusals.

use super::{
    Effect, Found,
    flows::{arrow, kept, shown},
    order,
};
use crate::{Flow, Form, Notice, Recipient, Rules};
use std::collections::BTreeSet;
use vernport_types::{Category, Reason, SignalId, Slug};

impl Found<'_> {
    pub(super) fn frame(&mut self) {
        let (old, new) = (self.old, self.new);
        let all: super::Bears<'_> = &|_| true;
        self.note(
            "controller",
            order::other(&old.controller(), &new.controller()),
            arrow("id", &old.controller(), &new.controller()),
            all,
        );
        let zone = |rules: &Rules| rules.zone().iana_name().unwrap_or("UTC").to_owned();
        let zones = (zone(old), zone(new));
        self.note(
            "controller",
            order::other(&zones.0, &zones.1),
            arrow("time_zone", &zones.0, &zones.1),
            all,
        );
        self.notices();
        self.purposes();
        self.recipients();
        self.retentions();
        self.forms();
        self.identified();
    }

    /// Which flows a served notice opens. The newest that was served counts, by the order of each
    /// bundle: all pairs of newest versions are tried that one ledger can give.
    fn notices(&mut self) {
        let (old, new) = (self.old, self.new);
        for (was, is) in newest_pairs(old.notices(), new.notices()) {
            for flow in new.flows() {
                let Some(before) = old.find(&flow.slug) else { continue };
                let opened = (opens(old.notices(), was, before), opens(new.notices(), is, flow));
                let effect = order::step(&opened.0, &opened.1, order::opens);
                let version = |notices: &[Notice], place: Option<usize>| {
                    place.map_or("none".to_owned(), |place| notices[place].version.to_string())
                };
                let counts = (version(old.notices(), was), version(new.notices(), is));
                let name = if is.is_some() { &counts.1 } else { &counts.0 };
                let what = arrow("in force", &counts.0, &counts.1);
                let this = |other: &Flow| other.slug == flow.slug;
                let path = format!("notice.{name}");
                if is.is_some_and(|is| place_of(old.notices(), &new.notices()[is].version).is_none()) {
                    self.note_untold(&path, effect, what, &this);
                } else {
                    self.note(&path, effect, what, &this);
                }
            }
        }
        let names = |rules: &Rules| rules.notices().iter().map(|n| n.version.clone()).collect::<Vec<_>>();
        let (was, is) = (names(old), names(new));
        self.note("notice", order::wording(&was, &is), shown("versions", &was, &is), &|_| false);
        for notice in new.notices() {
            let Some(before) = old.notices().iter().find(|n| n.version == notice.version) else { continue };
            let path = format!("notice.{}", notice.version);
            let set = |n: &Notice| n.categories.iter().copied().collect::<BTreeSet<Category>>();
            let (was, is) = (set(before), set(notice));
            self.note(&path, order::wording(&was, &is), shown("categories", &was, &is), &|_| false);
            self.note(
                &path,
                order::wording(&before.clauses, &notice.clauses),
                shown("clauses", &before.clauses, &notice.clauses),
                &|_| false,
            );
        }
    }

    /// What flows take from their purposes.
    fn purposes(&mut self) {
        for is in self.new.flows() {
            let Some(was) = self.old.find(&is.slug).filter(|was| was.purpose == is.purpose) else { continue };
            let path = format!("purpose.{}", is.purpose);
            let this = |other: &Flow| other.slug == is.slug;
            self.note(&path, order::other(&was.basis, &is.basis), arrow("basis", was.basis, is.basis), &this);
            self.note(
                &path,
                order::other(&was.purpose_iri, &is.purpose_iri),
                arrow("iri", &was.purpose_iri, &is.purpose_iri),
                &this,
            );
            self.note(
                &path,
                order::step(&was.marketing, &is.marketing, order::closes),
                arrow("marketing", was.marketing, is.marketing),
                &this,
            );
        }
    }

    fn recipients(&mut self) {
        let pairs = paired(self.old.recipients(), self.new.recipients(), |r: &Recipient| &r.slug);
        for (slug, was, is) in pairs {
            let path = format!("recipient.{slug}");
            let bears = |flow: &Flow| flow.recipient == *slug;
            let span = |of: &Recipient| of.agreement.as_ref().map(|agreed| (agreed.from, agreed.ends()));
            let (Some(was), Some(is)) = (was, is) else {
                self.whole(&path, was.is_none(), &bears);
                continue;
            };
            self.note_untold(
                &path,
                order::step(&span(was), &span(is), order::span),
                shown("agreement from and until", span(was), span(is)),
                &bears,
            );
            self.note_untold(
                &path,
                order::step(&was.transfer_until(), &is.transfer_until(), order::end),
                shown("transfer tool until", was.transfer_until(), is.transfer_until()),
                &bears,
            );
        }
    }

    /// The rule that a flow is kept by, where it is the same by name.
    fn retentions(&mut self) {
        let mut seen = BTreeSet::new();
        for is in self.new.flows() {
            let Some(was) = self.old.find(&is.slug) else { continue };
            let (was, is) = (&was.retention, &is.retention);
            if was.rule == is.rule && seen.insert(is.rule.clone()) {
                self.note(
                    &format!("retention.{}", is.rule),
                    order::step(was, is, order::retention),
                    arrow("kept", kept(was), kept(is)),
                    &|flow| flow.retention.rule == is.rule,
                );
            }
        }
    }

    fn forms(&mut self) {
        for (slug, was, is) in paired(self.old.forms(), self.new.forms(), |form: &Form| &form.slug) {
            let path = format!("form.{slug}");
            let bears = |flow: &Flow| {
                let asks = |form: &&Form| form.purpose == flow.purpose && form.recipient == flow.recipient;
                was.iter().chain(&is).any(asks)
            };
            let (Some(was), Some(is)) = (was, is) else {
                self.whole(&path, was.is_none(), &bears);
                continue;
            };
            self.note(
                &path,
                order::other(&was.purpose, &is.purpose),
                arrow("purpose", &was.purpose, &is.purpose),
                &bears,
            );
            self.note(
                &path,
                order::other(&was.recipient, &is.recipient),
                arrow("recipient", &was.recipient, &is.recipient),
                &bears,
            );
            let fewer = |a: &Vec<Category>, b: &Vec<Category>| a.iter().all(|category| b.contains(category));
            self.note(
                &path,
                order::step(&was.categories, &is.categories, fewer),
                shown("categories", &was.categories, &is.categories),
                &bears,
            );
            self.note(
                &path,
                order::step(&was.valid, &is.valid, order::period),
                arrow("valid", was.valid, is.valid),
                &bears,
            );
            let languages = (was.texts.keys().collect::<Vec<_>>(), is.texts.keys().collect::<Vec<_>>());
            self.note(
                &path,
                order::wording(&was.texts, &is.texts),
                shown("texts", &languages.0, &languages.1),
                &bears,
            );
        }
    }

    /// A rule that only one of the two has.
    pub(super) fn whole(&mut self, path: &str, is_new: bool, bears: super::Bears<'_>) {
        let (effect, what) = if is_new { (Effect::Permits, "new") } else { (Effect::Denies, "gone") };
        self.note(path, Some(effect), what, bears);
    }

    fn identified(&mut self) {
        let fewer = |a: &[SignalId], b: &[SignalId]| a.iter().all(|id| b.contains(id));
        let effect = order::step(self.old.identify(), self.new.identify(), fewer);
        let paths = |ids: &[SignalId]| -> Vec<&str> {
            ids.iter().map(|id| &*self.catalogue.signal(*id).path).collect()
        };
        let what = shown("signals", paths(self.old.identify()), paths(self.new.identify()));
        self.note("identify", effect, what, &|_| false);
    }

    /// The reason of signals that no flow names, and the clause behind each refusal of each signal.
    pub(super) fn refusals(&mut self) {
        let (old, new) = (self.old, self.new);
        let mut changed = BTreeSet::new();
        for (id, signal) in self.catalogue.iter() {
            let unnamed = (old.unnamed_reason(id), new.unnamed_reason(id));
            if let ((Some(was), Some(is)), true) = (unnamed, unnamed.0 != unnamed.1) {
                changed.insert((format!("refusal.{is}.{}", signal.category), arrow("reason", was, is)));
            }
            for reason in Reason::ALL {
                let (was, is) = (old.clause_for(id, *reason), new.clause_for(id, *reason));
                if was != is {
                    let own = |rules: &Rules| {
                        let of = |r: &crate::rules::Refusal| {
                            r.reason == *reason && r.category == Some(signal.category)
                        };
                        rules.refusals().iter().any(of)
                    };
                    let path = if own(old) || own(new) {
                        format!("refusal.{reason}.{}", signal.category)
                    } else {
                        format!("refusal.{reason}")
                    };
                    let what = arrow("clause", was.unwrap_or("none"), is.unwrap_or("none"));
                    changed.insert((path, what));
                }
            }
        }
        for (path, what) in changed {
            self.note(&path, Some(Effect::Says), what, &|_| false);
        }
    }
}

/// Both versions of each rule, by name.
pub(super) fn paired<'a, T>(
    old: &'a [T],
    new: &'a [T],
    name: impl Fn(&'a T) -> &'a Slug,
) -> Vec<(&'a Slug, Option<&'a T>, Option<&'a T>)> {
    let find = |list: &'a [T], slug: &Slug| list.iter().find(|rule| name(rule) == slug);
    let known = old.iter().map(|was| (name(was), Some(was), find(new, name(was))));
    let added = new.iter().filter(|is| find(old, name(is)).is_none()).map(|is| (name(is), None, Some(is)));
    known.chain(added).collect()
}

/// The place of a version in a list.
fn place_of(notices: &[Notice], version: &Slug) -> Option<usize> {
    notices.iter().position(|notice| notice.version == *version)
}

/// Whether a flow is open under a notice in force, as far as notices are asked.
fn opens(notices: &[Notice], newest: Option<usize>, flow: &Flow) -> bool {
    newest.is_some_and(|place| flow.categories.iter().all(|c| notices[place].categories.contains(c)))
}

/// All pairs of the newest version served, by the old order and by the new one, that some ledger gives.
fn newest_pairs(old: &[Notice], new: &[Notice]) -> Vec<(Option<usize>, Option<usize>)> {
    let places =
        |notices: &[Notice]| std::iter::once(None).chain((0..notices.len()).map(Some)).collect::<Vec<_>>();
    let mut pairs = Vec::new();
    for was in places(old) {
        for is in places(new) {
            // What the one knows as newest, the other either does not know or has nothing newer than.
            let was_fits = was.is_none_or(|was| {
                place_of(new, &old[was].version).is_none_or(|at| is.is_some_and(|is| at <= is))
            });
            let is_fits = is.is_none_or(|is| {
                place_of(old, &new[is].version).is_none_or(|at| was.is_some_and(|was| at <= was))
            });
            if was_fits && is_fits {
                pairs.push((was, is));
            }
        }
    }
    pairs
}
