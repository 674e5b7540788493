//! Purposes, recipients and retention: what flows take from them.

use super::{
    Bears, Found,
    frame::NONE,
    order::{self, other, step, wording},
    words::{arrow, list, moment, none_or},
};
use crate::{Agreement, Flow, Period, Purpose, Recipient, RetentionRule, Rules, bundle::ground_name};
use vernport_types::Slug;

impl Found<'_> {
    pub(super) fn purposes(&mut self) {
        for (slug, was, is) in paired(self.old.purposes(), self.new.purposes(), |p: &Purpose| &p.slug) {
            let (Some(was), Some(is)) = (was, is) else { continue };
            let path = format!("purpose.{slug}");
            let bears = |flow: &Flow| flow.purpose == *slug;
            let Purpose {
                slug: _,
                iri: _,
                basis: _,
                necessity: _,
                statute: _,
                balancing: _,
                marketing: _,
                profiling: _,
                internal_administration: _,
                required_for_contract: _,
                categories: _,
                // With the paths.
                clauses: _,
                assumed: _,
            } = is;
            let mut note = |effect, what| self.note(&path, effect, what, &bears);
            let data = |purpose: &Purpose| purpose.categories.as_ref().map_or("all listed".into(), list);
            note(
                step(&was.categories, &is.categories, order::fewer_or_all),
                arrow("categories", data(was), data(is)),
            );
            note(other(&was.basis, &is.basis), arrow("basis", was.basis.code(), is.basis.code()));
            note(other(&was.iri, &is.iri), arrow("iri", &was.iri, &is.iri));
            note(
                step(&was.marketing, &is.marketing, order::closes),
                arrow("marketing", was.marketing, is.marketing),
            );
            note(
                step(&was.profiling, &is.profiling, order::closes),
                arrow("profiling", was.profiling, is.profiling),
            );
            note(
                step(&was.internal_administration, &is.internal_administration, order::opens),
                arrow("internal_administration", was.internal_administration, is.internal_administration),
            );
            note(
                wording(&was.required_for_contract, &is.required_for_contract),
                arrow("required_for_contract", was.required_for_contract, is.required_for_contract),
            );
            note(wording(&was.necessity, &is.necessity), "necessity: other words".into());
            note(
                wording(&was.statute, &is.statute),
                arrow("statute", none_or(was.statute.as_ref()), none_or(is.statute.as_ref())),
            );
            note(
                wording(&was.balancing, &is.balancing),
                arrow("balancing", none_or(was.balancing.as_ref()), none_or(is.balancing.as_ref())),
            );
        }
    }

    pub(super) fn recipients(&mut self) {
        let pairs = paired(self.old.recipients(), self.new.recipients(), |r: &Recipient| &r.slug);
        for (slug, was, is) in pairs {
            // One that comes or goes receives by flows, and by nothing else.
            let (Some(was), Some(is)) = (was, is) else { continue };
            let path = format!("recipient.{slug}");
            let bears: Bears<'_> = &|flow| flow.recipient == *slug;
            self.agreement(&path, was.agreement.as_ref(), is.agreement.as_ref(), bears);
            let ends = (was.transfer_until(), is.transfer_until());
            self.note_untold(
                &path,
                step(&ends.0, &ends.1, order::end),
                arrow("transfer until", none_or(ends.0.map(moment)), none_or(ends.1.map(moment))),
                bears,
            );
            let Recipient {
                slug: _,
                name: _,
                role: _,
                region: _,
                agreement: _,
                transfer: _,
                // With the region and the controller's.
                outside: _,
                // With the paths.
                clauses: _,
                assumed: _,
            } = is;
            let mut note = |effect, what| self.note(&path, effect, what, bears);
            note(other(&was.role, &is.role), arrow("role", was.role, is.role));
            note(other(&was.region, &is.region), arrow("region", &was.region, &is.region));
            note(wording(&was.name, &is.name), arrow("name", &was.name, &is.name));
            let tool = |recipient: &Recipient| {
                none_or(recipient.transfer.as_ref().map(|t| format!("{} {}", t.tool, t.reference)))
            };
            note(wording(&tool(was), &tool(is)), arrow("transfer", tool(was), tool(is)));
        }
    }

    /// An agreement may be renewed without telling people: what it allows stays the same.
    pub(super) fn agreement(
        &mut self,
        path: &str,
        was: Option<&Agreement>,
        is: Option<&Agreement>,
        bears: Bears<'_>,
    ) {
        let span = |agreement: Option<&Agreement>| agreement.map(|a| (a.from, a.ends()));
        let text = |agreement: Option<&Agreement>| {
            none_or(agreement.map(|a| format!("{} to {}", moment(a.from), moment(a.ends()))))
        };
        self.note_untold(
            path,
            step(&span(was), &span(is), order::span),
            arrow("agreement", text(was), text(is)),
            bears,
        );
        let said = |agreement: Option<&Agreement>| agreement.map(|a| (a.id.clone(), a.assumed));
        let name = |agreement: Option<&Agreement>| none_or(agreement.map(|a| a.id.clone()));
        self.note(path, wording(&said(was), &said(is)), arrow("agreement", name(was), name(is)), NONE);
    }

    pub(super) fn retentions(&mut self) {
        let pairs = paired(self.old.retentions(), self.new.retentions(), |r: &RetentionRule| &r.slug);
        for (slug, was, is) in pairs {
            let (Some(was), Some(is)) = (was, is) else { continue };
            let path = format!("retention.{slug}");
            let bears = |flow: &Flow| flow.retention.rule == *slug;
            let RetentionRule {
                slug: _,
                start: _,
                period: _,
                at_most: _,
                ground: _,
                categories: _,
                // With the paths.
                clauses: _,
                assumed: _,
            } = is;
            let mut note = |effect, what| self.note(&path, effect, what, &bears);
            note(
                wording(&was.categories, &is.categories),
                arrow("categories", list(&was.categories), list(&is.categories)),
            );
            let kept = |rule: &RetentionRule| {
                format!("{} after {}, at most {}", rule.period, rule.start, rule.at_most)
            };
            note(step(was, is, order::retention_rule), arrow("kept", kept(was), kept(is)));
            note(other(&was.ground, &is.ground), arrow("ground", was.ground, is.ground));
        }
    }

    pub(super) fn holds(&mut self) {
        let grounds = |rules: &Rules| rules.holds().iter().map(|hold| hold.ground).collect::<Vec<_>>();
        let mut all = grounds(self.old);
        all.extend(grounds(self.new));
        all.sort_by_key(|ground| ground_name(*ground));
        all.dedup();
        for ground in all {
            let longest = |rules: &Rules| rules.hold(ground).map(|hold| hold.at_most);
            let (was, is) = (longest(self.old), longest(self.new));
            let no_longer = |a: &Option<Period>, b: &Option<Period>| match (a, b) {
                (None, _) => true,
                (Some(_), None) => false,
                (Some(a), Some(b)) => order::period(a, b),
            };
            let what = arrow("at_most", none_or(was), none_or(is));
            self.note(&format!("hold.{}", ground_name(ground)), step(&was, &is, no_longer), what, &|_| true);
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

/// Several categories in the words of the bundle.
pub(super) fn categories(categories: &[vernport_types::Category]) -> String {
    list(categories)
}
