//! From the raw bundle to checked parts: every name resolves, every number has
//! a bound, and what a rule promises it may promise.

mod flows;
mod notices;
mod parties;
mod people;
mod terms;

use crate::{
    Acknowledged, Bundle, BundleError, FlowIndex, Parameter, Refusal, RulePath,
    bundle::{RawPurpose, RawRecipient},
    check,
    rules::Parts,
};
use jiff::{
    civil::Date,
    tz::{TimeZone, TimeZoneDatabase},
};
use std::{collections::HashSet, ops::Range};
use toml::{Spanned, value::Datetime};
use vernport_types::{Catalogue, SignalId, Slug, UtcMicros};

pub(crate) fn parts(bundle: &Bundle, catalogue: &Catalogue) -> Result<Parts, BundleError> {
    let raw = &bundle.raw;
    let compiler = Compiler { bundle, catalogue, zone: zone(bundle)? };
    let controller = compiler.controller()?;
    compiler.names_once()?;
    compiler.clauses_named()?;
    let purposes = raw.purpose.iter().map(|raw| compiler.purpose(raw)).collect::<Result<_, _>>()?;
    let notices = compiler.notices()?;
    let hosting = compiler.hosting()?;
    let recipients = raw.recipient.iter().map(|raw| compiler.recipient(raw)).collect::<Result<_, _>>()?;
    let retentions =
        raw.retention.iter().map(|raw| compiler.retention(raw)).collect::<Result<Vec<_>, _>>()?;
    let forms = compiler.forms()?;
    let identify = compiler.identify(&notices)?;
    let flow = |(place, raw)| compiler.flow(place, raw, &notices, &retentions, &forms);
    let flows = raw.flow.iter().enumerate().map(flow).collect::<Result<Vec<_>, _>>()?;
    check::composites(bundle, &flows, catalogue)?;
    let messages = raw.message.iter().map(|raw| compiler.message(raw, &notices)).collect::<Result<_, _>>()?;
    Ok(Parts {
        controller,
        hosting,
        purposes,
        recipients,
        retentions,
        forms,
        identify,
        flows,
        messages,
        refusals: compiler.refusals()?,
        holds: raw.hold.iter().map(|raw| compiler.hold(raw)).collect::<Result<_, _>>()?,
        rights: raw.right.iter().map(|raw| compiler.right(raw)).collect::<Result<_, _>>()?,
        parameters: compiler.parameters()?,
        acknowledged: compiler.acknowledged()?,
        paths: compiler.paths(),
        zone: compiler.zone,
        notices,
    })
}

fn zone(bundle: &Bundle) -> Result<TimeZone, BundleError> {
    let name = &bundle.raw.controller.time_zone;
    TimeZoneDatabase::bundled().get(name.get_ref()).map_err(|_| {
        bundle.fault(
            &name.span(),
            format!("`{}` is no time zone", name.get_ref()),
            "write a name of the IANA list, such as Europe/Oslo",
        )
    })
}

struct Compiler<'a> {
    bundle: &'a Bundle,
    catalogue: &'a Catalogue,
    zone: TimeZone,
}

impl Compiler<'_> {
    fn fault(&self, span: &Range<usize>, what: impl Into<String>, remedy: &str) -> BundleError {
        self.bundle.fault(span, what, remedy)
    }

    /// Every rule stands once in its list, and there is room for the flows.
    fn names_once(&self) -> Result<(), BundleError> {
        let raw = &self.bundle.raw;
        let refusal = |r: &crate::bundle::RawRefusal| (refusal_path(r), r.reason.span());
        let refusals = raw.refusal.iter().map(refusal);
        let mut seen = HashSet::new();
        for (path, span) in raw.stands().into_iter().map(|rule| (rule.path, rule.span)).chain(refusals) {
            let (kind, name) = path.split_once('.').unwrap_or((&path, ""));
            let what = format!("{kind} `{name}` stands twice");
            if !seen.insert(path) {
                return Err(self.fault(&span, what, "give each its own name"));
            }
        }
        match raw.flow.get(usize::from(FlowIndex::COUNT_MAX)) {
            None => Ok(()),
            Some(flow) => Err(self.fault(
                &flow.id.span(),
                "more than 128 flows",
                "join flows of one purpose and one recipient",
            )),
        }
    }

    /// Every rule names the clause that it follows.
    fn clauses_named(&self) -> Result<(), BundleError> {
        let raw = &self.bundle.raw;
        let of_parameters = raw.parameters.values().map(|parameter| &parameter.clauses);
        for list in raw.stands().into_iter().map(|rule| rule.clauses).chain(of_parameters) {
            if list.get_ref().is_empty() || list.get_ref().iter().any(|clause| clause.trim().is_empty()) {
                return Err(self.fault(
                    &list.span(),
                    "a rule without a clause",
                    "name the clause of the notice that it follows",
                ));
            }
        }
        Ok(())
    }

    fn refusals(&self) -> Result<Vec<Refusal>, BundleError> {
        let refusal = |raw: &crate::bundle::RawRefusal| {
            if raw.clause.get_ref().trim().is_empty() {
                let remedy = "name the clause of the notice that stands behind it";
                return Err(self.fault(&raw.clause.span(), "a refusal without a clause", remedy));
            }
            let (reason, clause) = (*raw.reason.get_ref(), raw.clause.get_ref().clone());
            Ok(Refusal { reason, category: raw.category, clause })
        };
        self.bundle.raw.refusal.iter().map(refusal).collect()
    }

    /// The parameters with the rules that use them; each is used.
    fn parameters(&self) -> Result<Vec<Parameter>, BundleError> {
        let parameter = |(name, raw): (&Spanned<Slug>, &crate::bundle::RawParameter)| {
            let mut used_by: Vec<String> = Vec::new();
            for used in self.bundle.uses.iter().filter(|used| used.name == name.get_ref().as_str()) {
                if !used_by.contains(&used.rule) {
                    used_by.push(used.rule.clone());
                }
            }
            // A rule of the base that used it may be another one here.
            if used_by.is_empty() && self.bundle.is_own(&name.span()) {
                let what = format!("no rule uses the parameter `{}`", name.get_ref());
                return Err(self.fault(&name.span(), what, "write `$name` where it belongs, or take it out"));
            }
            let value = match raw.value.get_ref() {
                toml::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let (name, clauses) = (name.get_ref().clone(), raw.clauses.get_ref().clone());
            Ok(Parameter { name, value, used_by, clauses, assumed: raw.assumed })
        };
        self.bundle.raw.parameters.iter().map(parameter).collect()
    }

    fn acknowledged(&self) -> Result<Vec<Acknowledged>, BundleError> {
        let known = |raw: &crate::bundle::RawAcknowledged| {
            for text in [&raw.finding, &raw.reason] {
                if text.get_ref().trim().is_empty() {
                    let what = "a finding is acknowledged by its id, with a reason";
                    return Err(self.fault(&text.span(), what, "say which finding, and why it stays"));
                }
            }
            if let Some(rule) = &raw.rule
                && !self.paths().iter().any(|known| known.path == *rule.get_ref())
            {
                let what = format!("there is no rule `{}`", rule.get_ref());
                return Err(self.fault(&rule.span(), what, "write its path, such as flow.x"));
            }
            Ok(Acknowledged {
                finding: raw.finding.get_ref().clone(),
                rule: raw.rule.as_ref().map(|rule| rule.get_ref().clone()),
                reason: raw.reason.get_ref().clone(),
            })
        };
        self.bundle.raw.acknowledged.iter().map(known).collect()
    }

    /// Every rule by its path.
    fn paths(&self) -> Vec<RulePath> {
        let raw = &self.bundle.raw;
        let path = |path, span: &Range<usize>, clauses: &[String], assumed| {
            let (file, line) = self.bundle.place(span);
            RulePath { path, file: file.into(), line, clauses: clauses.to_vec(), assumed }
        };
        let stands = raw.stands();
        let rules = stands.iter().map(|r| path(r.path.clone(), &r.span, r.clauses.get_ref(), r.assumed));
        let refusal = |r: &crate::bundle::RawRefusal| {
            let clause = std::slice::from_ref(r.clause.get_ref());
            path(refusal_path(r), &r.reason.span(), clause, false)
        };
        rules.chain(raw.refusal.iter().map(refusal)).collect()
    }

    /// The first moment of a local date in the controller's zone.
    fn midnight(&self, date: &Spanned<Datetime>) -> Result<UtcMicros, BundleError> {
        let moment = date.get_ref().to_string().parse::<Date>().ok().and_then(|day| {
            let plain = date.get_ref().time.is_none();
            plain.then(|| day.to_zoned(self.zone.clone()).ok()).flatten()
        });
        match moment {
            Some(start) => Ok(UtcMicros(start.timestamp().as_microsecond())),
            None => Err(self.fault(&date.span(), "not a date", "write a day such as 2027-01-31")),
        }
    }

    fn known_purpose(&self, name: &Spanned<Slug>) -> Result<&RawPurpose, BundleError> {
        let found = self.bundle.raw.purpose.iter().find(|purpose| purpose.id.get_ref() == name.get_ref());
        found.ok_or_else(|| {
            let what = format!("there is no purpose `{}`", name.get_ref());
            self.fault(&name.span(), what, "add `[[purpose]]`, or mend the name")
        })
    }

    fn known_recipient(&self, name: &Spanned<Slug>) -> Result<&RawRecipient, BundleError> {
        let found =
            self.bundle.raw.recipient.iter().find(|recipient| recipient.id.get_ref() == name.get_ref());
        found.ok_or_else(|| {
            let what = format!("there is no recipient `{}`", name.get_ref());
            self.fault(&name.span(), what, "add `[[recipient]]`, or mend the name")
        })
    }

    fn signal(&self, path: &Spanned<String>) -> Result<SignalId, BundleError> {
        self.catalogue.find(path.get_ref()).ok_or_else(|| {
            let what = format!("`{}` is not in the signal catalogue", path.get_ref());
            self.fault(&path.span(), what, "mend the path, or add the signal to config/signals")
        })
    }
}

fn refusal_path(raw: &crate::bundle::RawRefusal) -> String {
    match raw.category {
        Some(category) => format!("refusal.{}.{category}", raw.reason.get_ref()),
        None => format!("refusal.{}", raw.reason.get_ref()),
    }
}
