//! The findings F-1 to F-13: contradictions and gaps of notices. Those that rules show are
//! computed; the others are taken from the flags of clauses.

use super::{Finding, Found};
use std::collections::BTreeMap;
use vernport_policy::{Minimiser, RecipientRole, Right};
use vernport_registry::Role;
use vernport_types::{Category, LegalBasis};

/// What each flag means, and what to do about it.
const MEANINGS: [(&str, &str, &str); 13] = [
    (
        "F-1",
        "the notice takes silence or use of a site for consent",
        "no rule rests on implied consent, and the ledger cannot write one; mend the notice",
    ),
    ("F-2", "the notice lists no category that the vehicle has signals of", "nothing of the vehicle passes"),
    (
        "F-3",
        "improvement stands on the contract or on a legal duty",
        "rest it on legitimate interest, so that people can object, or show that the contract needs it",
    ),
    (
        "F-4",
        "the notice limits use to what law demands in one place, and allows more in another",
        "read the limit as that of the statutory purpose",
    ),
    ("F-5", "the notice names no period, and the bundle assumes one", "ask the controller for the period"),
    (
        "F-6",
        "a partner receives that the notice does not name",
        "ask for its name and agreement; until then it stays assumed",
    ),
    (
        "F-7",
        "who is the controller, or who agreed, is assumed",
        "ask for the number and the parties of the agreement",
    ),
    ("F-8", "the notice gives no right to erasure", "law's own right holds: write `[[right]]` for erasure"),
    ("F-9", "the notice reads refusal and fee together", "one or the other, with an approver"),
    ("F-10", "an address or a number in the notice may be outdated", "check it when the notice is published"),
    (
        "F-11",
        "a listed category has signals, and no flow uses them",
        "it stays withheld; add a flow with purpose, precision and period, or strike the category",
    ),
    (
        "F-12",
        "marketing to customers without consent, beside controllers that ask for it",
        "objections and consents stay with each controller",
    ),
    (
        "F-13",
        "drivers are not told of, and their vehicles are read",
        "tell them, and let flows that bear on them name the role `driver`",
    ),
];

/// Purposes of DPV 2.3 that are improvement or research, not the service itself.
const IMPROVEMENT: [&str; 9] = [
    "AcademicResearch",
    "CommercialResearch",
    "ImproveExistingProductsAndServices",
    "ImproveInternalCRMProcesses",
    "OptimisationForConsumer",
    "OptimisationForController",
    "OptimiseUserInterface",
    "ResearchAndDevelopment",
    "ServiceOptimisation",
];

impl Found<'_> {
    pub(super) fn shown(&mut self) {
        self.categories();
        self.purposes();
        self.periods();
        self.parties();
        self.people();
    }

    fn flag(&mut self, id: &str, rule: &str, what: Option<String>) {
        let (_, meaning, remedy) =
            MEANINGS.iter().find(|(known, ..)| *known == id).expect("one of the table");
        let what = what.map_or_else(|| (*meaning).to_owned(), |what| format!("{meaning}: {what}"));
        self.about(id, rule, what, remedy);
    }

    /// F-2 and F-11, by the newest version of the notice.
    fn categories(&mut self) {
        let (rules, catalogue) = (self.checked.rules, self.checked.catalogue);
        let Some(notice) = rules.notices().last() else { return };
        let path = format!("notice.{}", notice.version);
        let has_signals = |category: &Category| catalogue.iter().any(|(_, s)| s.category == *category);
        let listed: Vec<Category> = notice.categories.iter().copied().filter(has_signals).collect();
        if listed.is_empty() {
            self.flag("F-2", &path, None);
        }
        let of = |category: Category| move |id| catalogue.signal(id).category == category;
        for category in listed {
            let is = of(category);
            let used = rules.flows().iter().flat_map(|flow| &flow.signals);
            let used = used.filter(|(_, minimiser)| *minimiser != Minimiser::Drop).any(|(id, _)| is(*id));
            if !used && !rules.identify().iter().any(|id| is(*id)) {
                self.flag("F-11", &path, Some(category.to_string()));
            }
        }
    }

    /// F-3.
    fn purposes(&mut self) {
        for purpose in self.checked.rules.purposes() {
            let name = purpose.iri.rsplit('#').next().unwrap_or_default();
            let owed = matches!(purpose.basis, LegalBasis::Contract | LegalBasis::LegalObligation);
            if owed && IMPROVEMENT.contains(&name) {
                self.flag("F-3", &format!("purpose.{}", purpose.slug), Some(purpose.slug.to_string()));
            }
        }
    }

    /// F-5: how long something is kept, where that is assumed, by itself or through a parameter.
    fn periods(&mut self) {
        let rules = self.checked.rules;
        let periods = |path: &&vernport_policy::RulePath| {
            path.path.starts_with("retention.") || path.path.starts_with("hold.")
        };
        for rule in rules.paths().iter().filter(periods) {
            let by = rules.parameters().iter().find(|p| p.assumed && p.used_by.contains(&rule.path));
            match by {
                Some(parameter) => {
                    let what = format!("{} by ${} = {}", rule.path, parameter.name, parameter.value);
                    self.flag("F-5", &rule.path, Some(what));
                }
                None if rule.assumed => self.flag("F-5", &rule.path, Some(rule.path.clone())),
                None => {}
            }
        }
    }

    /// F-6 and F-7.
    fn parties(&mut self) {
        let rules = self.checked.rules;
        for recipient in rules.recipients() {
            if recipient.role == RecipientRole::Partner && recipient.assumed {
                let what = Some(recipient.slug.to_string());
                self.flag("F-6", &format!("recipient.{}", recipient.slug), what);
            }
        }
        if rules.controller_info().assumed {
            self.flag("F-7", "controller", Some(rules.controller().to_string()));
        }
        let agreement = rules.hosting().and_then(|hosting| hosting.agreement.as_ref());
        if let Some(agreement) = agreement.filter(|agreement| agreement.assumed) {
            self.flag("F-7", "hosting", Some(agreement.id.clone()));
        }
    }

    /// F-8, F-12 and F-13.
    fn people(&mut self) {
        let rules = self.checked.rules;
        if !rules.rights().iter().any(|rule| rule.right == Right::Erasure && !rule.assumed) {
            let said = rules.rights().iter().any(|rule| rule.right == Right::Erasure);
            self.flag("F-8", if said { "right.erasure" } else { "controller" }, None);
        }
        for message in rules.messages().iter().filter(|message| message.similar_goods) {
            self.flag("F-12", &format!("message.{}", message.slug), Some(message.slug.to_string()));
        }
        let reads = rules.flows().iter().any(|flow| !flow.categories.is_empty());
        if reads && !rules.flows().iter().any(|flow| flow.roles.contains(&Role::Driver)) {
            self.flag("F-13", "controller", None);
        }
    }

    /// Flags of clauses that no rule shows: one finding for each, with its clauses.
    pub(super) fn flags(&mut self) {
        let Some(clauses) = self.checked.clauses else { return };
        let mut flagged: BTreeMap<&str, Vec<&crate::coverage::Clause>> = BTreeMap::new();
        for clause in clauses.clauses() {
            if let Some(flag) = &clause.flag {
                flagged.entry(flag).or_default().push(clause);
            }
        }
        for (flag, of) in flagged {
            if self.all.iter().any(|finding| finding.id == flag) {
                continue;
            }
            let known = MEANINGS.iter().find(|(known, ..)| *known == flag);
            let (meaning, remedy) = known.map_or(("flagged", "say in `note` what is meant"), |k| (k.1, k.2));
            let names: Vec<&str> = of.iter().map(|clause| clause.id.as_str()).collect();
            self.all.push(Finding {
                id: flag.into(),
                rule: None,
                clause: Some(of[0].id.clone()),
                file: clauses.file.clone(),
                line: of[0].line,
                what: format!("{meaning} ({})", names.join(", ")),
                remedy: remedy.into(),
                acknowledged: None,
            });
        }
    }
}
