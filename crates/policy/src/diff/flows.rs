//! Flows: compared by name, attribute by attribute and signal by signal.

use super::{
    Effect, Found, order,
    order::{other, step},
    words::{arrow, identification, list, none_or, samples, seconds},
};
use crate::{Flow, Minimiser, Retention};
use vernport_registry::DisclosureGround;
use vernport_types::SignalId;

impl Found<'_> {
    pub(super) fn flows(&mut self) {
        let (old, new) = (self.old, self.new);
        for was in old.flows() {
            match new.find(&was.slug) {
                Some(is) => self.flow(was, is),
                None => self.whole_flow(was, Effect::Denies),
            }
        }
        for is in new.flows().iter().filter(|is| old.find(&is.slug).is_none()) {
            self.whole_flow(is, Effect::Permits);
        }
    }

    /// A flow that only one of the two has. One that drops everything lets nothing through.
    fn whole_flow(&mut self, flow: &Flow, effect: Effect) {
        let path = format!("flow.{}", flow.slug);
        let verb = if effect == Effect::Permits { "new" } else { "gone" };
        let of = |minimiser: Minimiser| if minimiser == Minimiser::Drop { Effect::Says } else { effect };
        let whole = flow.signals.iter().map(|(_, minimiser)| of(*minimiser)).min().unwrap_or(Effect::Says);
        let what = format!(
            "{verb}: {} for {} on {}, {}",
            flow.purpose,
            flow.recipient,
            flow.basis.code(),
            kept(&flow.retention)
        );
        let this = |other: &Flow| other.slug == flow.slug;
        self.note(&path, Some(whole), what, &this);
        for (signal, minimiser) in &flow.signals {
            let path = self.signal_path(&path, *signal);
            self.note(&path, Some(of(*minimiser)), format!("{verb}: {minimiser}"), &this);
        }
    }

    fn signal_path(&self, flow: &str, signal: SignalId) -> String {
        format!("{flow}.signals.{}", self.catalogue.signal(signal).path)
    }

    fn flow(&mut self, was: &Flow, is: &Flow) {
        every_field(is);
        let path = format!("flow.{}", is.slug);
        let this = |other: &Flow| other.slug == is.slug;
        let mut note = |effect, what: String| self.note(&path, effect, what, &this);
        note(other(&was.purpose, &is.purpose), arrow("purpose", &was.purpose, &is.purpose));
        note(other(&was.recipient, &is.recipient), arrow("recipient", &was.recipient, &is.recipient));
        let (to, from) = (&was.deliver, &is.deliver);
        note(step(to, from, order::store), arrow("store", to.store, from.store));
        note(step(to, from, order::topic), arrow("topic", order::shown(to), order::shown(from)));
        note(
            step(&was.weakest, &is.weakest, order::weakest),
            arrow("weakest", identification(was.weakest), identification(is.weakest)),
        );
        note(
            step(&was.window, &is.window, order::window),
            arrow("window", was.window.as_str(), is.window.as_str()),
        );
        note(
            step(&was.roles[..], &is.roles[..], order::roles),
            arrow(
                "roles",
                list(was.roles.iter().map(|role| role.as_str())),
                list(is.roles.iter().map(|role| role.as_str())),
            ),
        );
        note(
            step(&was.private_mode, &is.private_mode, order::closes),
            arrow("private_mode", was.private_mode, is.private_mode),
        );
        note(step(&was.offline, &is.offline, order::opens), arrow("offline", was.offline, is.offline));
        note(step(&was.account, &is.account, order::closes), arrow("account", was.account, is.account));
        note(
            step(&was.grounds[..], &is.grounds[..], order::fewer),
            arrow("grounds", grounds(&was.grounds), grounds(&is.grounds)),
        );
        note(
            step(&was.sources, &is.sources, |a, b| a.is_within(*b)),
            arrow("sources", list(was.sources.iter()), list(is.sources.iter())),
        );
        note(
            step(&was.sampling, &is.sampling, order::sampling),
            arrow("sample", samples(was.sampling), samples(is.sampling)),
        );
        let times = (was.time_step_micros, is.time_step_micros);
        note(step(&times.0, &times.1, order::time_step), arrow("time", seconds(times.0), seconds(times.1)));
        note(
            step(&was.lease_seconds, &is.lease_seconds, order::end),
            arrow("believe, in seconds", none_or(was.lease_seconds), none_or(is.lease_seconds)),
        );
        if was.retention.rule != is.retention.rule {
            note(
                step(&was.retention, &is.retention, order::retention).or(Some(Effect::Says)),
                arrow("retention", kept(&was.retention), kept(&is.retention)),
            );
        }
        self.signals(was, is, &path);
    }

    fn signals(&mut self, was: &Flow, is: &Flow, path: &str) {
        let this = |other: &Flow| other.slug == is.slug;
        let mut ids: Vec<_> = was.signals.iter().chain(&is.signals).map(|(id, _)| *id).collect();
        ids.sort_unstable();
        ids.dedup();
        for id in ids {
            let (before, after) = (was.minimiser(id), is.minimiser(id));
            let or_drop = |minimiser: Option<Minimiser>| minimiser.unwrap_or(Minimiser::Drop);
            let effect = step(&or_drop(before), &or_drop(after), order::minimiser);
            // Named and dropped, or not named at all: the same passes, for another reason.
            let effect = effect.or_else(|| order::wording(&before.is_some(), &after.is_some()));
            let text = |minimiser: Option<Minimiser>| minimiser.map_or("not named".into(), |m| m.to_string());
            let path = self.signal_path(path, id);
            self.note(&path, effect, format!("{} → {}", text(before), text(after)), &this);
        }
    }
}

/// Every field of a flow is compared: in this file, or where this says. One that is added does not
/// compile before it has its place here.
fn every_field(flow: &Flow) {
    let Flow {
        slug: _,
        purpose: _,
        recipient: _,
        deliver: _,
        weakest: _,
        window: _,
        roles: _,
        private_mode: _,
        offline: _,
        account: _,
        grounds: _,
        sources: _,
        sampling: _,
        time_step_micros: _,
        lease_seconds: _,
        signals: _,
        // With the signals.
        categories: _,
        // With the notices.
        notice: _,
        notice_place: _,
        // With the purposes.
        purpose_iri: _,
        basis: _,
        marketing: _,
        profiling: _,
        // With the retention rules, where it is the same by name.
        retention: _,
        // With the paths.
        clauses: _,
        assumed: _,
        // Says nothing: flows are compared by name.
        index: _,
    } = flow;
}

fn grounds(grounds: &[DisclosureGround]) -> String {
    list(grounds.iter().map(|ground| match ground {
        DisclosureGround::CourtOrder => "court-order",
        DisclosureGround::Terms => "terms",
        DisclosureGround::Security => "security",
        DisclosureGround::Protection => "protection",
        DisclosureGround::LegalDuty => "legal-duty",
    }))
}

/// How long a flow's rule keeps, in words of the bundle.
fn kept(retention: &Retention) -> String {
    let Retention { rule, start, period, at_most, .. } = retention;
    format!("kept by {rule} ({period} after {start}, at most {at_most})")
}
