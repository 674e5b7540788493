//! `[parameters]`: `$name` stands for a value wherever a string stands.
//!
//! The values are put in before anything else is read, so that every rule is
//! checked as if its author had written them there.

use super::{Raw, Stands};
use std::{collections::BTreeMap, ops::Range};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// What a bundle says of itself before its rules; no parameter stands there.
const NO_RULES: &[&str] = &["format", "requires", "extends", "name", "parameters"];

/// The values by name.
pub(crate) type Values<'a> = BTreeMap<String, DeValue<'a>>;

/// One place where a parameter stands.
#[derive(Debug, Clone)]
pub(crate) struct Use {
    pub(crate) name: String,
    /// The path of the rule.
    pub(crate) rule: String,
}

impl Use {
    /// Whether another file says something else in place of the rule.
    pub(crate) fn is_replaced_by(&self, upper: &Raw) -> bool {
        let within = |rule: &Stands<'_>| {
            let rest = self.rule.strip_prefix(&rule.path);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        upper.stands().iter().any(within)
    }
}

/// What is wrong with a parameter: where, what and the remedy.
pub(crate) type Fault = (Range<usize>, String, &'static str);

/// The parameters that a file has.
pub(crate) fn values<'a>(root: &DeTable<'a>) -> Result<Values<'a>, Fault> {
    let mut values = Values::new();
    let Some(table) = root.get("parameters").and_then(|found| found.get_ref().as_table()) else {
        return Ok(values);
    };
    for (name, entry) in table.iter() {
        // What has no value at all is refused with the shape of the bundle.
        let Some(value) = entry.get_ref().as_table().and_then(|entry| entry.get("value")) else { continue };
        let one = value.get_ref();
        let nested = one.as_str().is_some_and(|text| text.starts_with('$'));
        if nested || one.as_array().is_some() || one.as_table().is_some() {
            let what = format!("parameter `{}` is not one value", name.get_ref());
            return Err((value.span(), what, "write a text, a number or a day"));
        }
        values.insert(name.get_ref().to_string(), one.clone());
    }
    Ok(values)
}

/// Puts values in the places of their names, and says where.
pub(crate) fn put<'a>(root: &mut DeTable<'a>, values: &Values<'a>) -> Result<Vec<Use>, Fault> {
    let mut put = Put { values, uses: Vec::new() };
    for (key, value) in root.iter_mut() {
        let key = key.get_ref().as_ref();
        if NO_RULES.contains(&key) {
            continue;
        }
        match value.get_mut() {
            DeValue::Array(tables) => {
                for table in tables.iter_mut() {
                    let rule = rule_path(key, table.get_ref());
                    put.walk(table, &rule)?;
                }
            }
            _ => put.walk(value, key)?,
        }
    }
    Ok(put.uses)
}

struct Put<'v, 'a> {
    values: &'v Values<'a>,
    uses: Vec<Use>,
}

impl<'a> Put<'_, 'a> {
    fn walk(&mut self, value: &mut Spanned<DeValue<'a>>, rule: &str) -> Result<(), Fault> {
        let span = value.span();
        match value.get_mut() {
            DeValue::String(text) => {
                let Some(name) = text.strip_prefix('$') else { return Ok(()) };
                let Some(found) = self.values.get(name) else {
                    let what = format!("there is no parameter `{name}`");
                    return Err((span, what, "add it to `[parameters]`, or mend the name"));
                };
                self.uses.push(Use { name: name.to_owned(), rule: rule.to_owned() });
                *value.get_mut() = found.clone();
            }
            DeValue::Array(values) => {
                for value in values.iter_mut() {
                    self.walk(value, rule)?;
                }
            }
            DeValue::Table(table) => {
                for (key, value) in table.iter_mut() {
                    // A signal of a flow is a rule of its own.
                    let of_signal = rule.ends_with(".signals") && rule.starts_with("flow.");
                    let deeper = match key.get_ref().as_ref() {
                        "signals" if rule.starts_with("flow.") => Some(format!("{rule}.signals")),
                        path if of_signal => Some(format!("{rule}.{path}")),
                        _ => None,
                    };
                    self.walk(value, deeper.as_deref().unwrap_or(rule))?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// The path of the rule in a table of a list.
fn rule_path(key: &str, table: &DeValue<'_>) -> String {
    let text = |name| table.as_table().and_then(|table| table.get(name)?.get_ref().as_str());
    let id = match key {
        "notice" => text("version"),
        "hold" => text("ground"),
        "right" => text("right"),
        "refusal" => text("reason"),
        _ => text("id"),
    };
    let category = if key == "refusal" { text("category") } else { None };
    [Some(key), id, category].into_iter().flatten().collect::<Vec<_>>().join(".")
}
