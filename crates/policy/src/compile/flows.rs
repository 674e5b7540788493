//! Flows: from the raw table to the checked rule.

use super::Compiler;
use crate::{
    BundleError, Deliver, Flow, FlowIndex, Form, Minimiser, Notice, Payload, Period, Retention, Sampling,
    TopicForm, Window,
    bundle::RawFlow,
    flow::{longest_lease_seconds, tells_of_driver},
};
use toml::Spanned;
use vernport_registry::Role;
use vernport_types::{Category, LegalBasis, Slug};

/// The longest time step or sampling interval: a week.
const MAX_STEP_MICROS: i64 = 7 * 86_400 * 1_000_000;

impl Compiler<'_> {
    pub(super) fn flow(
        &self,
        place: usize,
        raw: &RawFlow,
        notices: &[Notice],
        forms: &[Form],
    ) -> Result<Flow, BundleError> {
        let purpose = self.known_purpose(&raw.purpose)?;
        let recipient = self.known_recipient(&raw.recipient)?;
        let basis = *purpose.basis.get_ref();
        let mut signals = Vec::with_capacity(raw.signals.len());
        let mut categories = Vec::new();
        for (path, minimiser) in &raw.signals {
            let id = self.signal(path)?;
            let signal = self.catalogue.signal(id);
            if !minimiser.get_ref().fits(signal.kind) {
                return Err(self.fault(
                    &minimiser.span(),
                    format!("`{}` does not fit `{}`", minimiser.get_ref(), path.get_ref()),
                    "round and bucket are for numbers, cell is for positions",
                ));
            }
            self.listed(path, id, notices)?;
            if *minimiser.get_ref() != Minimiser::Drop && !categories.contains(&signal.category) {
                categories.push(signal.category);
            }
            signals.push((id, *minimiser.get_ref()));
        }
        signals.sort_unstable_by_key(|(id, _)| *id);
        categories.sort_unstable();
        let retention = self.retention(&raw.retention)?;
        let lease_seconds = self.lease(raw, basis)?;
        let topic = raw
            .deliver
            .get_ref()
            .topic
            .map(|payload| TopicForm { operator: recipient.id.get_ref().clone(), payload });
        let flow = Flow {
            index: FlowIndex(u8::try_from(place).expect("at most 128, checked with the names")),
            slug: raw.id.get_ref().clone(),
            purpose: purpose.id.get_ref().clone(),
            purpose_iri: purpose.iri.get_ref().clone(),
            marketing: purpose.marketing,
            recipient: recipient.id.get_ref().clone(),
            basis,
            clauses: raw.clauses.get_ref().clone(),
            deliver: Deliver { store: raw.deliver.get_ref().store, topic },
            retention,
            weakest: raw.weakest,
            window: *raw.window.get_ref(),
            roles: raw.roles.clone(),
            private_mode: raw.private_mode,
            offline: raw.offline,
            sampling: self.sampling(raw)?,
            time_step_micros: match &raw.time {
                None => 0,
                Some(text) => self.step(text)?,
            },
            lease_seconds,
            signals,
            categories,
        };
        self.flow_rules(raw, &flow, forms)?;
        Ok(flow)
    }

    /// What no flow may do, whatever its bundle says.
    fn flow_rules(&self, raw: &RawFlow, flow: &Flow, forms: &[Form]) -> Result<(), BundleError> {
        let refuse = |what: &str, remedy: &str| {
            let what = format!("flow `{}` {what}", flow.slug);
            Err(self.fault(&raw.id.span(), what, remedy))
        };
        let plain = flow.deliver.topic.as_ref().is_some_and(|topic| topic.payload == Payload::Plain);
        let of_driver = flow.categories.iter().any(|category| tells_of_driver(*category));
        if flow.signals.is_empty() {
            return refuse("names no signal", "name one, or take the flow out");
        }
        if !flow.deliver.store && flow.deliver.topic.is_none() {
            return refuse("is delivered nowhere", "add `store = true` or a topic to `deliver`");
        }
        if flow.basis == LegalBasis::Consent {
            if flow.roles.is_empty() {
                return refuse("rests on consent of nobody", "name in `roles` whose consent counts");
            }
            if plain {
                return refuse("shows consented data to a whole topic", "write `topic = \"sealed\"`");
            }
            let asks = |form: &Form| {
                form.purpose == flow.purpose
                    && form.recipient == flow.recipient
                    && flow.categories.iter().all(|category| form.categories.contains(category))
            };
            if !forms.iter().any(asks) {
                return refuse(
                    "rests on a consent that no form asks for",
                    "add `[[form]]` with its purpose, its recipient and all of its categories",
                );
            }
        }
        if flow.marketing && flow.basis != LegalBasis::Consent {
            return refuse("uses vehicle data for marketing", "rest it on consent, or take it out");
        }
        if flow.basis == LegalBasis::Contract && of_driver && !flow.roles.contains(&Role::Driver) {
            return refuse(
                "tells of the driver on a contract with somebody else",
                "a contract covers its party only: name `driver` in `roles`, or use another basis",
            );
        }
        if of_driver && !flow.private_mode && flow.basis != LegalBasis::LegalObligation {
            return refuse("tells of the driver also in private", "add `private_mode = true`");
        }
        if plain && flow.categories.contains(&Category::Identifier) {
            return refuse("shows identifiers on a topic", "deliver it to the store, or seal the topic");
        }
        if flow.window == Window::Link && flow.basis == LegalBasis::Contract && flow.roles.is_empty() {
            return refuse(
                "rests on a contract with nobody",
                "name in `roles` the party, or open it only with an order: `window = \"order\"`",
            );
        }
        Ok(())
    }

    fn retention(&self, name: &Spanned<Slug>) -> Result<Retention, BundleError> {
        let Some(raw) = self.bundle.raw.retention.iter().find(|r| r.id.get_ref() == name.get_ref()) else {
            let what = format!("there is no retention `{}`", name.get_ref());
            return Err(self.fault(
                &name.span(),
                what,
                "add `[[retention]]`; nothing is kept without a rule",
            ));
        };
        let (period, at_most) = (*raw.period.get_ref(), *raw.at_most.get_ref());
        if period.rough_micros() > at_most.rough_micros() {
            let what = "the period is longer than its cap";
            return Err(self.fault(&raw.at_most.span(), what, "raise `at_most`, or shorten `period`"));
        }
        Ok(Retention {
            rule: name.get_ref().clone(),
            start: crate::rules::start_name(raw.start).parse().expect("start events are slugs"),
            period,
            at_most,
            zone: self.zone.clone(),
        })
    }

    fn lease(&self, raw: &RawFlow, basis: LegalBasis) -> Result<Option<u32>, BundleError> {
        let longest = longest_lease_seconds(basis);
        let Some(text) = &raw.believe else { return Ok(longest) };
        let seconds = self.step(text)? / 1_000_000;
        match u32::try_from(seconds) {
            Ok(seconds) if seconds > 0 && longest.is_none_or(|longest| seconds <= longest) => {
                Ok(Some(seconds))
            }
            _ => Err(self.fault(
                &text.span(),
                "a bundle may only shorten how long an opening is believed",
                "consent and legitimate interest are believed for at most PT5M after a head",
            )),
        }
    }

    fn sampling(&self, raw: &RawFlow) -> Result<Sampling, BundleError> {
        Ok(match raw.sample.as_ref().map(|text| (text, text.get_ref().as_str())) {
            None => Sampling::Every,
            Some((_, "per-order")) if *raw.window.get_ref() == Window::Order => Sampling::PerOrder,
            Some((text, "per-order")) => {
                let what = "a sample per order in a flow that needs no order";
                return Err(self.fault(&text.span(), what, "write `window = \"order\"`, or an interval"));
            }
            Some((text, _)) => Sampling::Interval(self.step(text)?),
        })
    }

    fn step(&self, text: &Spanned<String>) -> Result<i64, BundleError> {
        let micros = text.get_ref().parse::<Period>().ok().and_then(|period| period.fixed_micros());
        match micros {
            Some(micros) if micros <= MAX_STEP_MICROS => Ok(micros),
            _ => Err(self.fault(
                &text.span(),
                format!("`{}` is no interval", text.get_ref()),
                "write days, hours, minutes or seconds of ISO 8601 up to a week, such as PT10M",
            )),
        }
    }
}
