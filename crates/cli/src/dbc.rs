//! `vernport dbc check`: what is wrong in DBC files, and what is read from them.

use crate::{args, shipped, show};
use anyhow::{Context as _, Result, bail};
use serde_json::{Value as Json, json};
use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};
use thiserror::Error;
use vernport_decode::dbc::{Database, Explained, Finding, Mapping, Severity};
use vernport_status::output;
use vernport_types::Catalogue;

/// A file cannot be read at all: the command ends with 2.
#[derive(Debug, Error)]
#[error("{count} of {of} files cannot be read")]
pub struct Unreadable {
    pub(crate) count: usize,
    pub(crate) of: usize,
}

/// What was found in one file.
struct Checked {
    messages: usize,
    signals: usize,
    findings: Vec<Finding>,
    explained: Vec<Explained>,
}

impl Checked {
    fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }
}

/// Checks each file.
///
/// # Errors
/// [`Unreadable`] if one cannot be read; else an error if something in one is lost.
pub fn run(args: &args::Dbc) -> Result<()> {
    let args::Dbc::Check { files, map, json } = args;
    let catalogue = shipped::catalogue();
    let mapping = mapping(map.as_deref(), &catalogue)?;
    let checked: Vec<(&PathBuf, Result<Checked>)> =
        files.iter().map(|file| (file, check(file, &mapping, &catalogue))).collect();
    if *json {
        let list: Vec<Json> =
            checked.iter().map(|(file, checked)| as_json(file, checked, &catalogue)).collect();
        output::tell(&serde_json::to_string_pretty(&list)?)?;
    } else {
        for (file, checked) in &checked {
            match checked {
                Ok(checked) => output::tell(as_text(file, checked, &catalogue).trim_end())?,
                Err(error) => output::remark(&format!("{error:#}")),
            }
        }
    }
    let unreadable = checked.iter().filter(|(_, checked)| checked.is_err()).count();
    if unreadable > 0 {
        return Err(Unreadable { count: unreadable, of: files.len() }.into());
    }
    let errors: usize = checked
        .iter()
        .filter_map(|(_, checked)| checked.as_ref().ok())
        .map(|c| c.count(Severity::Error))
        .sum();
    if errors > 0 {
        bail!("{errors} errors: what they are about is not decoded");
    }
    Ok(())
}

/// The shipped rules, after those of a file.
fn mapping(map: Option<&Path>, catalogue: &Catalogue) -> Result<Mapping> {
    let Some(file) = map else { return Ok(Mapping::shipped()) };
    let text =
        std::fs::read_to_string(file).with_context(|| format!("{}: cannot be read", file.display()))?;
    let own = Mapping::from_toml(&file.display().to_string(), &text)?;
    if let Some(path) = own.paths().find(|path| catalogue.find(path).is_none()) {
        bail!("{}: {path} is not in the signal catalogue; mend the path", file.display());
    }
    Ok(own.before(Mapping::shipped()))
}

fn check(file: &Path, mapping: &Mapping, catalogue: &Catalogue) -> Result<Checked> {
    let mut bytes = Vec::new();
    let most = u64::try_from(Database::MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    File::open(file)
        .and_then(|opened| opened.take(most).read_to_end(&mut bytes))
        .with_context(|| format!("{}: cannot be read", file.display()))?;
    let (database, findings) = Database::read(&bytes).with_context(|| file.display().to_string())?;
    Ok(Checked {
        messages: database.messages.len(),
        signals: database.messages.iter().map(|message| message.signals.len()).sum(),
        explained: mapping.explain(&database, catalogue),
        findings,
    })
}

fn as_text(file: &Path, checked: &Checked, catalogue: &Catalogue) -> String {
    let file = file.display();
    let mut text: String = checked
        .findings
        .iter()
        .map(|finding| {
            format!("{file}:{}: {}: {}; {}\n", finding.line, finding.severity, finding.what, finding.mend)
        })
        .collect();
    text += &format!(
        "{file}: {} messages, {} signals; {} errors, {} warnings\n",
        checked.messages,
        checked.signals,
        checked.count(Severity::Error),
        checked.count(Severity::Warning)
    );
    let (taken, passed): (Vec<&Explained>, Vec<&Explained>) =
        checked.explained.iter().partition(|explained| explained.outcome.is_ok());
    if taken.is_empty() {
        text += "no signal is read as one of the catalogue; a mapping (--map) can name some\n";
    } else {
        let rows = taken.iter().map(|explained| row(explained, catalogue));
        text += &show::table(&["line", "read", "unit", "as"], rows);
    }
    if !passed.is_empty() {
        let rows = passed.iter().map(|explained| row(explained, catalogue));
        text += &show::table(&["line", "not read", "unit", "because"], rows);
    }
    text
}

fn row(explained: &Explained, catalogue: &Catalogue) -> Vec<String> {
    let outcome = match &explained.outcome {
        Ok(path) => catalogue.signal(*path).path.to_string(),
        Err(why) => why.clone(),
    };
    vec![explained.line.to_string(), explained.name.clone(), explained.unit.to_string(), outcome]
}

fn as_json(file: &Path, checked: &Result<Checked>, catalogue: &Catalogue) -> Json {
    let file = file.display().to_string();
    let checked = match checked {
        Ok(checked) => checked,
        Err(error) => return json!({ "file": file, "unreadable": format!("{error:#}") }),
    };
    let findings: Vec<Json> = checked
        .findings
        .iter()
        .map(|finding| {
            json!({
                "line": finding.line,
                "severity": finding.severity.as_str(),
                "what": finding.what,
                "mend": finding.mend,
            })
        })
        .collect();
    let signals: Vec<Json> = checked
        .explained
        .iter()
        .map(|explained| {
            let (path, why) = match &explained.outcome {
                Ok(path) => (Some(&*catalogue.signal(*path).path), None),
                Err(why) => (None, Some(why)),
            };
            json!({
                "line": explained.line,
                "name": explained.name,
                "unit": explained.unit,
                "path": path,
                "not_read_because": why,
            })
        })
        .collect();
    json!({
        "file": file,
        "messages": checked.messages,
        "signals": checked.signals,
        "errors": checked.count(Severity::Error),
        "warnings": checked.count(Severity::Warning),
        "findings": findings,
        "mapping": signals,
    })
}
