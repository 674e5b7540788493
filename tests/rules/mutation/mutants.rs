//! Mutants of a bundle: each of its rules taken out, and each loosened by one step.
//!
//! A mutant is a text: it has to go through the reader and the compiler as a
//! bundle would. What only explains (names, necessity, references, clauses,
//! texts) is no rule and has no mutants.

use toml::{Table, Value};
use vernport_types::{Catalogue, Category};

/// A bundle with one change.
pub(super) struct Mutant {
    /// The rule, by its table and id.
    pub(super) rule: String,
    /// What was changed.
    pub(super) what: String,
    /// The whole text.
    pub(super) text: String,
}

/// All mutants of a bundle's text.
pub(super) fn mutants(text: &str, catalogue: &Catalogue) -> Vec<Mutant> {
    let bundle: Table = text.parse().expect("the shipped bundle is TOML");
    let mut maker = Maker { bundle, catalogue, made: Vec::new() };
    maker.single("controller");
    maker.single("hosting");
    maker.single("identify");
    for (table, name) in TABLES {
        maker.list(table, name);
    }
    maker.parameters();
    maker.made
}

/// The lists of rules, and what names each.
const TABLES: [(&str, &str); 10] = [
    ("notice", "version"),
    ("purpose", "id"),
    ("recipient", "id"),
    ("retention", "id"),
    ("form", "id"),
    ("flow", "id"),
    ("hold", "ground"),
    ("message", "id"),
    ("right", "right"),
    ("refusal", "reason"),
];
/// Keys that say nothing that is decided by.
const EXPLAINING: [&str; 14] = [
    "id",
    "name",
    "version",
    "clauses",
    "assumed",
    "iri",
    "necessity",
    "statute",
    "balancing",
    "texts",
    "jurisdiction",
    "time_zone",
    "reason",
    "clause",
];

struct Maker<'a> {
    bundle: Table,
    catalogue: &'a Catalogue,
    made: Vec<Mutant>,
}

impl Maker<'_> {
    fn make(&mut self, rule: &str, what: impl Into<String>, change: impl FnOnce(&mut Table)) {
        let mut bundle = self.bundle.clone();
        change(&mut bundle);
        if bundle == self.bundle {
            return;
        }
        let text = toml::to_string(&bundle).expect("a table of texts and lists");
        self.made.push(Mutant { rule: rule.into(), what: what.into(), text });
    }

    fn single(&mut self, table: &str) {
        let Some(rule) = self.bundle.get(table).and_then(Value::as_table).cloned() else { return };
        if table != "controller" {
            self.make(table, "taken out", |bundle| {
                bundle.remove(table);
            });
        }
        let table = table.to_owned();
        for (what, changed) in self.loosened(&table, &rule) {
            self.make(&table.clone(), what, |bundle| {
                bundle.insert(table.clone(), Value::Table(changed));
            });
        }
    }

    fn list(&mut self, table: &str, name: &str) {
        let rules = self.bundle.get(table).and_then(Value::as_array).cloned().unwrap_or_default();
        for (place, rule) in rules.iter().enumerate() {
            let Some(rule) = rule.as_table() else { continue };
            let id = format!("{table}.{}", rule.get(name).and_then(Value::as_str).unwrap_or("?"));
            self.make(&id, "taken out", |bundle| {
                let list = bundle.get_mut(table).and_then(Value::as_array_mut).expect("it was there");
                list.remove(place);
            });
            for (what, changed) in self.loosened(table, rule) {
                self.make(&id, what, |bundle| {
                    let list = bundle.get_mut(table).and_then(Value::as_array_mut).expect("it was there");
                    list[place] = Value::Table(changed);
                });
            }
        }
    }

    /// What stands for several places is one step looser in all of them.
    fn parameters(&mut self) {
        let parameters = self.bundle.get("parameters").and_then(Value::as_table).cloned().unwrap_or_default();
        for (name, parameter) in parameters {
            let Some(value) = parameter.get("value").and_then(Value::as_str) else { continue };
            let Some(longer) = longer(value) else { continue };
            self.make(&format!("parameters.{name}"), format!("{value} → {longer}"), |bundle| {
                bundle["parameters"][&name]["value"] = longer.clone().into();
            });
        }
    }

    /// A rule with one key taken out or loosened.
    fn loosened(&self, table: &str, rule: &Table) -> Vec<(String, Table)> {
        let mut out = Vec::new();
        let mut with = |what: String, change: &dyn Fn(&mut Table)| {
            let mut changed = rule.clone();
            change(&mut changed);
            out.push((what, changed));
        };
        for (key, value) in rule {
            if EXPLAINING.contains(&key.as_str()) {
                continue;
            }
            with(format!("`{key}` taken out"), &|rule| _ = rule.remove(key));
            for (what, looser) in self.steps(table, key, value) {
                with(format!("`{key}` {what}"), &|rule| _ = rule.insert(key.clone(), looser.clone()));
            }
        }
        for (key, value) in absent(table) {
            if !rule.contains_key(*key) {
                let value: Value =
                    toml::from_str::<Table>(&format!("v = {value}")).expect("a value")["v"].clone();
                with(format!("`{key} = {value}` added"), &|rule| {
                    _ = rule.insert((*key).into(), value.clone());
                });
            }
        }
        out
    }

    /// One step looser, every way there is.
    fn steps(&self, table: &str, key: &str, value: &Value) -> Vec<(String, Value)> {
        let text = |steps: &[&str]| -> Vec<(String, Value)> {
            let now = value.as_str().unwrap_or("");
            let others = steps.iter().filter(|other| **other != now);
            others.map(|other| (format!("{now} → {other}"), Value::from(*other))).collect()
        };
        match (key, value) {
            ("period" | "at_most" | "valid" | "deadline", Value::String(period)) => longer(period)
                .map(|longer| (format!("{period} → {longer}"), longer.into()))
                .into_iter()
                .collect(),
            ("believe", Value::String(_)) => text(&["PT5M"]),
            ("sample" | "time", Value::String(step)) => finer_step(step)
                .into_iter()
                .map(|finer| (format!("{step} → {finer}"), finer.into()))
                .collect(),
            ("regions", Value::Array(_)) => more(value, ["SE", "US"]),
            ("region", Value::String(_)) => text(&["SE", "US"]),
            ("elsewhere", _) => text(&["with-tool"]),
            ("categories", Value::Array(_)) => {
                more(value, Category::ALL.iter().map(|category| category.as_str()))
            }
            ("sources", Value::Array(_)) => more(value, ["vehicle", "tool", "manual"]),
            ("grounds", Value::Array(_)) => {
                more(value, ["court-order", "terms", "security", "protection", "legal-duty"])
            }
            ("served_when", _) => text(&["recorded"]),
            ("basis", _) => text(&["A6-1-b", "A6-1-c", "A6-1-f"]),
            ("role", _) if table == "recipient" => text(&["controller", "customer"]),
            ("roles", Value::Array(roles)) => fewer(roles),
            ("signals", Value::Array(signals)) => fewer(signals),
            ("signals", Value::Table(signals)) => self.signals(signals),
            ("start", _) => text(&[
                "reading",
                "order-closed",
                "last-interaction",
                "relationship-end",
                "vehicle-end-of-life",
                "consent-end",
            ]),
            ("ground", _) if table == "retention" => text(&["law", "service", "traceability", "consent"]),
            ("identity", _) => text(&["known"]),
            ("class", _) => text(&["administrative"]),
            ("window", _) => text(&["link", "order"]),
            ("weakest", Value::String(now)) => {
                const STRENGTHS: [&str; 4] = ["pinned", "tool", "asserted", "bus-vin"];
                let place = STRENGTHS.iter().position(|strength| strength == now).unwrap_or(0);
                text(&STRENGTHS[place.saturating_sub(1)..place])
            }
            ("deliver", Value::Table(deliver)) => delivered(deliver),
            ("agreement" | "transfer", Value::Table(agreement)) => agreed(agreement),
            (_, Value::Boolean(flag)) => vec![(format!("{flag} → {}", !flag), (!flag).into())],
            _ => Vec::new(),
        }
    }

    fn signals(&self, signals: &Table) -> Vec<(String, Value)> {
        let mut out = Vec::new();
        let mut with = |what: String, path: &str, minimiser: Option<&str>| {
            let mut changed = signals.clone();
            match minimiser {
                Some(minimiser) => _ = changed.insert(path.into(), minimiser.into()),
                None => _ = changed.remove(path),
            }
            out.push((what, Value::Table(changed)));
        };
        for (path, minimiser) in signals {
            let now = minimiser.as_str().unwrap_or("");
            with(format!("{path} taken out"), path, None);
            for finer in finer(now) {
                with(format!("{path}: {now} → {finer}"), path, Some(&finer));
            }
        }
        for (_, signal) in self.catalogue.iter() {
            if !signals.contains_key(&*signal.path) {
                with(format!("{} added", signal.path), &signal.path, Some("exact"));
            }
        }
        out
    }
}

/// Keys whose presence loosens a rule.
fn absent(table: &str) -> &'static [(&'static str, &'static str)] {
    match table {
        "controller" => &[("elsewhere", "\"with-tool\"")],
        "flow" => &[("offline", "true")],
        "message" => &[("similar_goods", "true")],
        "purpose" => &[("internal_administration", "true"), ("required_for_contract", "true")],
        _ => &[],
    }
}

/// The next finer minimisers.
fn finer(minimiser: &str) -> Vec<String> {
    let number = |prefix: &str| minimiser.strip_prefix(prefix).and_then(|rest| rest.parse::<u32>().ok());
    if let Some(step) = number("round-") {
        return vec![if step > 1 { format!("round-{}", step.div_ceil(2)) } else { "exact".into() }];
    }
    if let Some(width) = number("bucket-") {
        return vec![if width > 1 { format!("bucket-{}", width.div_ceil(2)) } else { "exact".into() }];
    }
    if let Some(resolution) = number("cell-") {
        return vec![if resolution < 15 { format!("cell-{}", resolution + 1) } else { "exact".into() }];
    }
    match minimiser {
        "drop" => vec!["presence".into(), "exact".into()],
        "presence" => vec!["exact".into()],
        _ => Vec::new(),
    }
}

/// An ISO 8601 period with each of its numbers, one more.
fn longer(period: &str) -> Option<String> {
    let digits: String =
        period.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    let more = digits.parse::<u32>().ok()? + 1;
    Some(period.replacen(&digits, &more.to_string(), 1))
}

/// A step of time that is half as long.
fn finer_step(step: &str) -> Option<String> {
    let digits: String = step.chars().filter(char::is_ascii_digit).collect();
    let (count, unit) = (digits.parse::<u32>().ok()?, step.chars().last()?);
    Some(match (count, unit) {
        (1, 'D') => "PT12H".into(),
        (1, 'H') => "PT30M".into(),
        (1, 'M') if step.starts_with("PT") => "PT30S".into(),
        _ => step.replacen(&digits, &count.div_ceil(2).to_string(), 1),
    })
}

/// The list with each of these that it lacks, one at a time.
fn more<'a>(list: &Value, all: impl IntoIterator<Item = &'a str>) -> Vec<(String, Value)> {
    let list = list.as_array().cloned().unwrap_or_default();
    let mut out: Vec<(String, Value)> = Vec::new();
    for other in all {
        if !list.iter().any(|has| has.as_str() == Some(other)) {
            let mut longer = list.clone();
            longer.push(other.into());
            out.push((format!("and {other}"), Value::Array(longer)));
        }
    }
    out.extend(fewer(&list));
    out
}

/// The list without each of its members.
fn fewer(list: &[Value]) -> Vec<(String, Value)> {
    let without = |place: usize| {
        let mut shorter = list.to_vec();
        let gone = shorter.remove(place);
        (format!("without {gone}"), Value::Array(shorter))
    };
    (0..list.len()).map(without).collect()
}

fn delivered(deliver: &Table) -> Vec<(String, Value)> {
    let mut out = Vec::new();
    let mut with = |what: &str, key: &str, value: Value| {
        if deliver.get(key) != Some(&value) {
            let mut changed = deliver.clone();
            changed.insert(key.into(), value);
            out.push((what.to_owned(), Value::Table(changed)));
        }
    };
    with("to the store, too", "store", true.into());
    with("on a sealed topic", "topic", "sealed".into());
    with("on a plain topic", "topic", "plain".into());
    out
}

fn agreed(agreement: &Table) -> Vec<(String, Value)> {
    let mut out = Vec::new();
    for (key, years) in [("from", -1), ("until", 1), ("attested_until", 1)] {
        let Some(Value::Datetime(date)) = agreement.get(key) else { continue };
        let mut moved = *date;
        if let Some(day) = &mut moved.date {
            day.year = day.year.saturating_add_signed(years);
        }
        let mut changed = agreement.clone();
        changed.insert(key.into(), Value::Datetime(moved));
        out.push((format!("{key} {date} → {moved}"), Value::Table(changed)));
    }
    out
}
