//! Flows: from the raw table to the checked rule.

use super::Compiler;
use crate::{
    BundleError, Deliver, Flow, FlowIndex, Form, Minimiser, Notice, Payload, Period, RecipientRole,
    Retention, RetentionGround, RetentionRule, Sampling, Sources, TopicForm, Window,
    bundle::{RawFlow, RawPurpose},
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
        retentions: &[RetentionRule],
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
            self.of_purpose(&path.span(), signal.category, purpose)?;
            if *minimiser.get_ref() != Minimiser::Drop && !categories.contains(&signal.category) {
                categories.push(signal.category);
            }
            signals.push((id, *minimiser.get_ref()));
        }
        signals.sort_unstable_by_key(|(id, _)| *id);
        categories.sort_unstable();
        let retention = self.kept(&raw.retention, retentions)?;
        let notice_place = self.told_by(raw.notice.as_ref(), notices)?;
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
            profiling: purpose.profiling,
            recipient: recipient.id.get_ref().clone(),
            basis,
            clauses: raw.clauses.get_ref().clone(),
            assumed: raw.assumed,
            notice: notices[notice_place].version.clone(),
            notice_place,
            sources: self.sources(raw, &notices[notice_place..])?,
            account: raw.account || *raw.window.get_ref() == Window::Account,
            grounds: raw.grounds.as_ref().map_or(Vec::new(), |grounds| grounds.get_ref().clone()),
            offline: raw.offline,
            deliver: Deliver { store: raw.deliver.get_ref().store, topic },
            retention,
            weakest: raw.weakest,
            window: *raw.window.get_ref(),
            roles: raw.roles.clone(),
            private_mode: raw.private_mode,
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
        self.windows(raw, &flow)?;
        self.group(raw, &flow, purpose)?;
        Ok(flow)
    }

    /// Where data may be taken from: what every version says that told of the flow.
    fn sources(&self, raw: &RawFlow, told: &[Notice]) -> Result<Sources, BundleError> {
        let of_all = told.iter().fold(Sources::ALL, |all, notice| all.and(notice.sources));
        let Some(said) = &raw.sources else {
            if of_all.is_empty() {
                let what = format!("flow `{}` has no source that all its notices tell of", raw.id.get_ref());
                return Err(self.fault(&raw.id.span(), what, "name the `notice` that first told of it"));
            }
            return Ok(of_all);
        };
        let sources: Sources = said.get_ref().iter().copied().collect();
        if sources.is_empty() || !sources.is_within(of_all) {
            return Err(self.fault(
                &said.span(),
                format!("flow `{}` takes data from where its notice does not tell of", raw.id.get_ref()),
                "name some of the `sources` of its notice, and of every later one",
            ));
        }
        Ok(sources)
    }

    /// What each window is for.
    fn windows(&self, raw: &RawFlow, flow: &Flow) -> Result<(), BundleError> {
        let refuse = |what: &str, remedy: &str| {
            let what = format!("flow `{}` {what}", flow.slug);
            Err(self.fault(&raw.id.span(), what, remedy))
        };
        let to_authority = self.known_recipient(&raw.recipient)?.role == RecipientRole::Authority;
        if to_authority && flow.window != Window::Disclosure {
            return refuse(
                "tells an authority without a disclosure",
                "write `window = \"disclosure\"`: each one is approved",
            );
        }
        if !to_authority && flow.window == Window::Disclosure {
            return refuse(
                "discloses to somebody who is no authority",
                "give it a recipient with `role = \"authority\"`, or another window",
            );
        }
        match &raw.grounds {
            None if flow.window == Window::Disclosure => {
                return refuse("discloses on no ground", "add `grounds`, such as [\"court-order\"]");
            }
            Some(grounds) if grounds.get_ref().is_empty() || flow.window != Window::Disclosure => {
                let what = "grounds are for `window = \"disclosure\"`, at least one";
                return Err(self.fault(&grounds.span(), what, "name one, or take `grounds` out"));
            }
            None | Some(_) => {}
        }
        if raw.account && flow.window != Window::Order {
            return refuse("asks for an account beside its window", "write `window = \"account\"`");
        }
        if flow.offline {
            if flow.basis != LegalBasis::Contract {
                return refuse("is opened by a station, and rests on no contract", "take out `offline`");
            }
            if flow.deliver.topic.is_some() {
                return refuse("is opened by a station, and goes to a topic", "deliver it to the store only");
            }
            if flow.window != Window::Order {
                return refuse("is opened by a station without an order", "write `window = \"order\"`");
            }
            if !flow.roles.is_empty() {
                return refuse("is opened by a station, which knows nobody", "take out `roles` or `offline`");
            }
            if flow.account {
                return refuse("is opened by a station, which knows no account", "take out `offline`");
            }
        }
        Ok(())
    }

    /// What a company of the group may get: internal administration, and nothing of a vehicle.
    fn group(&self, raw: &RawFlow, flow: &Flow, purpose: &RawPurpose) -> Result<(), BundleError> {
        if self.known_recipient(&raw.recipient)?.role != RecipientRole::Group {
            return Ok(());
        }
        if !purpose.internal_administration {
            return Err(self.fault(
                &raw.purpose.span(),
                format!("flow `{}` gives a group company more than internal administration", flow.slug),
                "give it a purpose with `internal_administration = true`, or another recipient",
            ));
        }
        let Some(category) = flow.categories.iter().find(|category| kept_from_group(**category)) else {
            return Ok(());
        };
        Err(self.fault(
            &raw.id.span(),
            format!("flow `{}` gives a group company `{category}`", flow.slug),
            "take its signals out: internal administration needs none of them",
        ))
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
        if flow.retention.ground == RetentionGround::Consent && flow.basis != LegalBasis::Consent {
            return refuse(
                "is kept on a consent that it does not rest on",
                "give it a retention with another `ground`",
            );
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

    fn kept(&self, name: &Spanned<Slug>, rules: &[RetentionRule]) -> Result<Retention, BundleError> {
        let Some(rule) = rules.iter().find(|rule| rule.slug == *name.get_ref()) else {
            let what = format!("there is no retention `{}`", name.get_ref());
            return Err(self.fault(
                &name.span(),
                what,
                "add `[[retention]]`; nothing is kept without a rule",
            ));
        };
        Ok(Retention {
            rule: rule.slug.clone(),
            start: rule.start.as_str().parse().expect("start events are slugs"),
            period: rule.period,
            ground: rule.ground,
            at_most: rule.at_most,
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

/// Categories that tell of a vehicle or its use: no part of internal administration.
const fn kept_from_group(category: Category) -> bool {
    matches!(
        category,
        Category::Location
            | Category::DrivingBehaviour
            | Category::Odometer
            | Category::ComponentStatus
            | Category::BodyFunction
    )
}
