//! Flows: compared by name, attribute by attribute and signal by signal.

use super::{Effect, Found, order};
use crate::{Flow, Minimiser, Retention, Sampling};
use std::fmt::{Debug, Display};
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
            "{verb}: {} for {} on {}, kept by {}",
            flow.purpose, flow.recipient, flow.basis, flow.retention.rule
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
        let path = format!("flow.{}", is.slug);
        let this = |other: &Flow| other.slug == is.slug;
        let mut note = |effect, what: String| self.note(&path, effect, what, &this);
        note(order::other(&was.purpose, &is.purpose), arrow("purpose", &was.purpose, &is.purpose));
        note(order::other(&was.recipient, &is.recipient), arrow("recipient", &was.recipient, &is.recipient));
        note(
            order::step(&was.deliver, &is.deliver, order::store),
            arrow("store", was.deliver.store, is.deliver.store),
        );
        let topic = |flow: &Flow| flow.deliver.topic.as_ref().map(|topic| topic.payload);
        note(order::step(&was.deliver, &is.deliver, order::topic), shown("topic", topic(was), topic(is)));
        note(
            order::step(&was.weakest, &is.weakest, order::weakest),
            shown("weakest", was.weakest, is.weakest),
        );
        note(order::step(&was.window, &is.window, order::window), shown("window", was.window, is.window));
        note(
            order::step(&was.roles, &is.roles, |a, b| order::roles(a, b)),
            shown("roles", &was.roles, &is.roles),
        );
        note(
            order::step(&was.private_mode, &is.private_mode, order::closes),
            arrow("private_mode", was.private_mode, is.private_mode),
        );
        note(
            order::step(&was.sampling, &is.sampling, order::sampling),
            arrow("sample", samples(was.sampling), samples(is.sampling)),
        );
        note(
            order::step(&was.time_step_micros, &is.time_step_micros, order::time_step),
            arrow("time step in seconds", seconds(was.time_step_micros), seconds(is.time_step_micros)),
        );
        note(
            order::step(&was.lease_seconds, &is.lease_seconds, order::end),
            shown("believed, in seconds", was.lease_seconds, is.lease_seconds),
        );
        note(order::wording(&was.clauses, &is.clauses), shown("clauses", &was.clauses, &is.clauses));
        if was.retention.rule != is.retention.rule {
            note(
                order::step(&was.retention, &is.retention, order::retention).or(Some(Effect::Says)),
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
            let effect = order::step(&or_drop(before), &or_drop(after), order::minimiser);
            // Named and dropped, or not named at all: the same passes, for another reason.
            let effect = effect.or_else(|| order::wording(&before.is_some(), &after.is_some()));
            let text = |minimiser: Option<Minimiser>| minimiser.map_or("not named".into(), |m| m.to_string());
            let path = self.signal_path(path, id);
            self.note(&path, effect, format!("{} → {}", text(before), text(after)), &this);
        }
    }
}

/// How long a retention rule keeps, in words of the bundle.
pub(super) fn kept(retention: &Retention) -> String {
    let Retention { rule, start, period, at_most, .. } = retention;
    format!("{rule} ({period} after {start}, at most {at_most})")
}

fn samples(sampling: Sampling) -> String {
    match sampling {
        Sampling::Every => "every reading".into(),
        Sampling::PerOrder => "per order".into(),
        Sampling::Interval(micros) => format!("every {} s", seconds(micros)),
    }
}

const fn seconds(micros: i64) -> i64 {
    micros / 1_000_000
}

pub(super) fn arrow(name: &str, was: impl Display, is: impl Display) -> String {
    format!("{name}: {was} → {is}")
}

pub(super) fn shown(name: &str, was: impl Debug, is: impl Debug) -> String {
    format!("{name}: {was:?} → {is:?}")
}
