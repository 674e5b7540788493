//! From the raw bundle to checked parts: every name resolves, every number has
//! a bound, and what a rule promises it may promise.

mod flows;

use crate::{
    Bundle, BundleError, Flow, FlowIndex, Form, Notice, Recipient,
    bundle::{Elsewhere, RawPurpose, RawRecipient, RecipientRole},
    check,
    rules::Refusal,
};
use jiff::{
    civil::Date,
    tz::{TimeZone, TimeZoneDatabase},
};
use std::{collections::HashSet, ops::Range};
use toml::{Spanned, value::Datetime};
use vernport_types::{Catalogue, Category, LegalBasis, SignalId, Slug, UtcMicros};

/// Where DPV purposes live (DPV 2.3).
const DPV: &str = "https://w3id.org/dpv#";
/// The longest text of a form, in characters.
const MAX_FORM_CHARS: usize = 4_000;
/// The countries of the European Economic Area, by ISO 3166.
const EEA: &[&str] = &[
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IS", "IT",
    "LI", "LT", "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK",
];

pub(crate) struct Parts {
    pub(crate) zone: TimeZone,
    pub(crate) notices: Vec<Notice>,
    pub(crate) recipients: Vec<Recipient>,
    pub(crate) flows: Vec<Flow>,
    pub(crate) forms: Vec<Form>,
    pub(crate) identify: Vec<SignalId>,
    pub(crate) refusals: Vec<Refusal>,
}

pub(crate) fn parts(bundle: &Bundle, catalogue: &Catalogue) -> Result<Parts, BundleError> {
    let compiler = Compiler { bundle, catalogue, zone: zone(bundle)? };
    compiler.regions()?;
    compiler.names_once()?;
    compiler.clauses_named()?;
    for purpose in &bundle.raw.purpose {
        compiler.purpose(purpose)?;
    }
    let notices = compiler.notices()?;
    let recipients =
        bundle.raw.recipient.iter().map(|raw| compiler.recipient(raw)).collect::<Result<Vec<_>, _>>()?;
    let forms = compiler.forms()?;
    let identify = compiler.identify(&notices)?;
    let flows = bundle
        .raw
        .flow
        .iter()
        .enumerate()
        .map(|(place, raw)| compiler.flow(place, raw, &notices, &forms))
        .collect::<Result<Vec<_>, _>>()?;
    check::composites(bundle, &flows, catalogue)?;
    let refusal = |raw: &crate::bundle::RawRefusal| Refusal {
        reason: raw.reason,
        category: raw.category,
        clause: raw.clause.clone(),
    };
    let refusals = bundle.raw.refusal.iter().map(refusal).collect();
    Ok(Parts { zone: compiler.zone, notices, recipients, flows, forms, identify, refusals })
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

    /// Every id stands once in its list, and there is room for the flows.
    fn names_once(&self) -> Result<(), BundleError> {
        let raw = &self.bundle.raw;
        let once = |what: &str, ids: &mut dyn Iterator<Item = &Spanned<Slug>>| {
            let mut seen = HashSet::new();
            for id in ids {
                if !seen.insert(id.get_ref()) {
                    let what = format!("{what} `{}` stands twice", id.get_ref());
                    return Err(self.fault(&id.span(), what, "give each its own name"));
                }
            }
            Ok(())
        };
        once("notice", &mut raw.notice.iter().map(|r| &r.version))?;
        once("purpose", &mut raw.purpose.iter().map(|r| &r.id))?;
        once("recipient", &mut raw.recipient.iter().map(|r| &r.id))?;
        once("retention", &mut raw.retention.iter().map(|r| &r.id))?;
        once("form", &mut raw.form.iter().map(|r| &r.id))?;
        once("flow", &mut raw.flow.iter().map(|r| &r.id))?;
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
        let lists = std::iter::once(&raw.controller.clauses)
            .chain(raw.notice.iter().map(|r| &r.clauses))
            .chain(raw.purpose.iter().map(|r| &r.clauses))
            .chain(raw.recipient.iter().map(|r| &r.clauses))
            .chain(raw.retention.iter().map(|r| &r.clauses))
            .chain(raw.form.iter().map(|r| &r.clauses))
            .chain(raw.identify.iter().map(|r| &r.clauses))
            .chain(raw.flow.iter().map(|r| &r.clauses));
        for list in lists {
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

    fn regions(&self) -> Result<(), BundleError> {
        let controller = &self.bundle.raw.controller;
        for region in controller.regions.iter().chain([&controller.jurisdiction]) {
            self.country(region, true)?;
        }
        Ok(())
    }

    /// A country code, or `EEA` where a group of countries may stand.
    fn country(&self, region: &Spanned<String>, group: bool) -> Result<(), BundleError> {
        let text = region.get_ref();
        let country = text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase());
        if country || (group && text == "EEA") {
            return Ok(());
        }
        Err(self.fault(
            &region.span(),
            format!("`{text}` is no region"),
            "write a country code of ISO 3166 such as NO, or EEA in `regions`",
        ))
    }

    fn purpose(&self, raw: &RawPurpose) -> Result<(), BundleError> {
        let basis = *raw.basis.get_ref();
        let name = raw.iri.get_ref().strip_prefix(DPV).unwrap_or("");
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(self.fault(
                &raw.iri.span(),
                "not a purpose of DPV 2.3",
                "write its IRI, such as https://w3id.org/dpv#ServiceProvision",
            ));
        }
        if raw.necessity.get_ref().trim().is_empty() {
            let remedy = "say in one sentence why the purpose needs the data";
            return Err(self.fault(&raw.necessity.span(), "a purpose without a necessity", remedy));
        }
        let said = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.trim().is_empty());
        if basis == LegalBasis::LegalObligation && !said(&raw.statute) {
            let remedy = "name it: `statute = \"…\"`";
            return Err(self.fault(&raw.basis.span(), "a legal obligation without its statute", remedy));
        }
        if basis == LegalBasis::LegitimateInterest && !said(&raw.balancing) {
            let remedy = "reference it: `balancing = \"…\"`";
            return Err(self.fault(
                &raw.basis.span(),
                "legitimate interest without a balancing test",
                remedy,
            ));
        }
        Ok(())
    }

    fn notices(&self) -> Result<Vec<Notice>, BundleError> {
        if self.bundle.raw.notice.is_empty() {
            let remedy =
                "add `[[notice]]` with the categories that it lists; without one nothing may be read";
            return Err(self.fault(&(0..0), "a bundle without a notice", remedy));
        }
        let notice = |raw: &crate::bundle::RawNotice| Notice {
            version: raw.version.get_ref().clone(),
            categories: raw.categories.clone(),
            clauses: raw.clauses.get_ref().clone(),
        };
        Ok(self.bundle.raw.notice.iter().map(notice).collect())
    }

    fn recipient(&self, raw: &RawRecipient) -> Result<Recipient, BundleError> {
        self.country(&raw.region, false)?;
        let agreement = match &raw.agreement {
            Some(agreement) => {
                let from = self.midnight(&agreement.from)?;
                let until = self.midnight(&agreement.until)?;
                if until <= from {
                    let span = agreement.until.span();
                    return Err(self.fault(&span, "the agreement ends before it begins", "mend the dates"));
                }
                Some((from, until))
            }
            None if raw.role == RecipientRole::Controller => None,
            None => {
                return Err(self.fault(
                    &raw.id.span(),
                    format!("recipient `{}` has no agreement", raw.id.get_ref()),
                    "add `agreement = { id, from, until }`; only the controller itself needs none",
                ));
            }
        };
        let controller = &self.bundle.raw.controller;
        let region = raw.region.get_ref().as_str();
        let inside = controller.regions.iter().any(|allowed| {
            allowed.get_ref() == region || (allowed.get_ref() == "EEA" && EEA.contains(&region))
        });
        let transfer_until = match (&raw.transfer, inside, controller.elsewhere) {
            (_, true, _) => None,
            (Some(tool), false, Elsewhere::WithTool) => Some(self.midnight(&tool.until)?),
            (None, false, Elsewhere::WithTool) => {
                return Err(self.fault(
                    &raw.region.span(),
                    format!("recipient `{}` is outside of the regions", raw.id.get_ref()),
                    "add `transfer = { tool, reference, until }`",
                ));
            }
            (_, false, Elsewhere::Never) => {
                return Err(self.fault(
                    &raw.region.span(),
                    format!("recipient `{}` is outside of the regions", raw.id.get_ref()),
                    "the notice allows no transfer there: take the recipient out",
                ));
            }
        };
        Ok(Recipient { slug: raw.id.get_ref().clone(), agreement, transfer_until })
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

    fn forms(&self) -> Result<Vec<Form>, BundleError> {
        let form = |raw: &crate::bundle::RawForm| {
            let texts = raw.texts.get_ref();
            let good = |text: &String| {
                let chars = text.trim().chars().count();
                (1..=MAX_FORM_CHARS).contains(&chars)
            };
            if texts.is_empty() || !texts.values().all(good) || raw.categories.is_empty() {
                return Err(self.fault(
                    &raw.id.span(),
                    format!("form `{}` does not say what is consented to", raw.id.get_ref()),
                    "give it categories, and a text of at most 4000 characters for each language",
                ));
            }
            self.known_purpose(&raw.purpose)?;
            self.known_recipient(&raw.recipient)?;
            Ok(Form {
                slug: raw.id.get_ref().clone(),
                purpose: raw.purpose.get_ref().clone(),
                recipient: raw.recipient.get_ref().clone(),
                categories: raw.categories.clone(),
                valid: *raw.valid.get_ref(),
                texts: texts.clone(),
            })
        };
        self.bundle.raw.form.iter().map(form).collect()
    }

    fn identify(&self, notices: &[Notice]) -> Result<Vec<SignalId>, BundleError> {
        let Some(raw) = &self.bundle.raw.identify else { return Ok(Vec::new()) };
        self.known_purpose(&raw.purpose)?;
        let mut ids = Vec::new();
        for path in &raw.signals {
            let id = self.signal(path)?;
            if self.catalogue.signal(id).category != Category::Identifier {
                let remedy = "take it out: only identifiers recognise a vehicle";
                return Err(self.fault(
                    &path.span(),
                    format!("`{}` identifies nothing", path.get_ref()),
                    remedy,
                ));
            }
            self.listed(path, id, notices)?;
            ids.push(id);
        }
        Ok(ids)
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

    /// A rule may name only what some version of the notice lists.
    fn listed(&self, path: &Spanned<String>, id: SignalId, notices: &[Notice]) -> Result<(), BundleError> {
        let category = self.catalogue.signal(id).category;
        if notices.iter().any(|notice| notice.categories.contains(&category)) {
            return Ok(());
        }
        Err(self.fault(
            &path.span(),
            format!("no version of the notice lists `{category}`, which `{}` is", path.get_ref()),
            "take the signal out, or serve a notice that lists the category",
        ))
    }
}
