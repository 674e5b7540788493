//! Promises without a rule, rules without a promise, tests that are not there.

use super::{Finding, Found, Known};
use crate::coverage::{Clause, Clauses, Keeper, Status};
use std::collections::HashSet;
use vernport_policy::{RulePath, Rules};

pub(super) const NO_RULE: &str = "promise-without-rule";
pub(super) const NO_TEST: &str = "test-missing";

impl Found<'_> {
    pub(super) fn promises(&mut self) {
        let Some(clauses) = self.checked.clauses else {
            let what = "no list of clauses stands beside the bundle";
            return self.about("clauses-missing", "controller", what, "write clauses.toml beside it");
        };
        for clause in clauses.clauses() {
            self.kept(clauses, clause);
        }
        self.promised(clauses);
        self.named(clauses);
    }

    /// Whether a clause has the rules and the tests that its status promises.
    fn kept(&mut self, clauses: &Clauses, clause: &Clause) {
        let rules = self.checked.rules;
        let mut say = |id: &str, what: String, remedy: &str| {
            self.all.push(Finding {
                id: id.into(),
                rule: None,
                clause: Some(clause.id.clone()),
                file: clauses.file.clone(),
                line: clause.line,
                what: format!("{}: {what}", clause.id),
                remedy: remedy.into(),
                acknowledged: None,
            });
        };
        if clause.class.is_enforced() && !matches!(clause.status, Status::Covered | Status::DueLater) {
            let what = format!("a clause of class {} is neither covered nor due later", clause.class);
            say(NO_RULE, what, "write the rule that keeps it");
        }
        if clause.status == Status::Covered {
            if clause.rules.is_empty() {
                say(NO_RULE, "covered, and no rule is named".into(), "name the rules that keep it");
            }
            if clause.tests.is_empty() {
                say(NO_TEST, "covered, and no test is named".into(), "name the tests that show it");
            }
        }
        for rule in &clause.rules {
            if let Keeper::Rule(path) = rule
                && !is_there(rules, path)
            {
                let what = format!("the bundle has no rule `{path}`");
                say(NO_RULE, what, "mend the path, or write the rule");
            }
        }
        for test in &clause.tests {
            if (self.checked.exists)(test) == Known::Missing {
                say(NO_TEST, format!("there is no test `{test}`"), "mend its name, or write it");
            }
        }
    }

    /// Whether each rule is named by a clause. A flow speaks for its signals, and a refusal
    /// names its clause itself.
    fn promised(&mut self, clauses: &Clauses) {
        let rules = self.checked.rules;
        let named: HashSet<&str> = clauses.clauses().iter().flat_map(paths).collect();
        let ids: HashSet<&str> = clauses.clauses().iter().map(|clause| clause.id.as_str()).collect();
        for rule in rules.paths() {
            let flow = rule.path.split_once(".signals.").map(|(flow, _)| flow);
            let refuses = rule.path.starts_with("refusal.")
                && rule.clauses.iter().any(|clause| ids.contains(clause.as_str()));
            let spoken = named.contains(rule.path.as_str()) || flow.is_some_and(|flow| named.contains(flow));
            if spoken || refuses {
                continue;
            }
            if flow.is_some_and(|flow| !named.contains(flow)) {
                // Said once, for the flow.
                continue;
            }
            match rule.path.split_once('.').filter(|(kind, name)| is_unused(rules, kind, name)) {
                Some((kind, name)) => {
                    let what = format!("nothing uses the {kind} `{name}`, and no clause names it");
                    self.about(&format!("unused-{kind}"), &rule.path, what, "take it out, or use it");
                }
                None => {
                    let what = format!("no clause names the rule `{}`", rule.path);
                    let remedy = "name it in clauses.toml beside the clause that it keeps, or take it out";
                    self.about("rule-without-promise", &rule.path, what, remedy);
                }
            }
        }
    }

    /// Whether each clause that a rule names is in the list. Names of another kind, such as a
    /// statute's, are not looked up.
    fn named(&mut self, clauses: &Clauses) {
        let prefix = |id: &str| id.split_once('-').map(|(prefix, _)| prefix.to_owned());
        let prefixes: HashSet<String> = clauses.clauses().iter().filter_map(|c| prefix(&c.id)).collect();
        let ids: HashSet<&str> = clauses.clauses().iter().map(|clause| clause.id.as_str()).collect();
        let rules = self.checked.rules;
        let unknown = |rule: &&RulePath| !rule.path.contains(".signals.");
        for rule in rules.paths().iter().filter(unknown) {
            for clause in &rule.clauses {
                let ours = prefix(clause).is_some_and(|prefix| prefixes.contains(&prefix));
                if ours && !ids.contains(clause.as_str()) {
                    let what = format!("`{}` follows {clause}, which clauses.toml does not list", rule.path);
                    self.about("unknown-clause", &rule.path, what, "mend the clause, or list it");
                }
            }
        }
    }
}

/// The paths that a clause names.
fn paths(clause: &Clause) -> impl Iterator<Item = &str> {
    clause.rules.iter().filter_map(|rule| match rule {
        Keeper::Rule(path) => Some(path.as_str()),
        Keeper::Engine(_) => None,
    })
}

/// Whether a bundle has a rule, or a value that it names once: `parameter.<name>`.
fn is_there(rules: &Rules, path: &str) -> bool {
    match path.strip_prefix("parameter.") {
        Some(name) => rules.parameters().iter().any(|parameter| parameter.name.as_str() == name),
        None => rules.paths().iter().any(|known| known.path == path),
    }
}

/// Whether nothing in the bundle refers to a rule that is there to be referred to.
fn is_unused(rules: &Rules, kind: &str, name: &str) -> bool {
    let flows = || rules.flows().iter();
    match kind {
        "purpose" => {
            let asked = rules.forms().iter().any(|form| form.purpose.as_str() == name);
            let told = rules.messages().iter().any(|message| message.purpose.as_str() == name);
            let identifies = rules.identify_rule().is_some_and(|rule| rule.purpose.as_str() == name);
            !(asked || told || identifies || flows().any(|flow| flow.purpose.as_str() == name))
        }
        "recipient" => {
            let asked = rules.forms().iter().any(|form| form.recipient.as_str() == name);
            !(asked || flows().any(|flow| flow.recipient.as_str() == name))
        }
        "retention" => {
            let mut rules = rules.retentions().iter();
            let about = rules.any(|rule| rule.slug.as_str() == name && !rule.categories.is_empty());
            !(about || flows().any(|flow| flow.retention.rule.as_str() == name))
        }
        "form" => {
            let Some(form) = rules.forms().iter().find(|form| form.slug.as_str() == name) else {
                return false;
            };
            let told = rules.messages().iter().any(|message| message.form.as_ref() == Some(&form.slug));
            !(told || flows().any(|flow| flow.purpose == form.purpose && flow.recipient == form.recipient))
        }
        _ => false,
    }
}
