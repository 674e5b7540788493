//! `vernport bundle check`: reads bundles as a gateway would, and holds them against the
//! clauses of their notices.

use super::{Invalid, files::in_folder};
use crate::{args, shipped};
use anyhow::{Context as _, Result, bail};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde_json::{Value as Json, json};
use std::{
    fs,
    path::{Path, PathBuf},
};
use vernport_policy::Rules;
use vernport_review::{
    coverage::{Clauses, Test},
    lint::{Checked, Finding, Findings, Known, lint},
};
use vernport_status::output;
use vernport_types::{Catalogue, UtcMicros};

/// What was found in one bundle that can be used.
struct Report {
    file: String,
    rules: Rules,
    clauses: Option<Clauses>,
    findings: Findings,
}

/// Checks each folder: ends with 0 if nothing new is found, 1 if something is, 2 if a bundle
/// cannot be used.
pub(super) fn run(args: &args::BundleCheck) -> Result<()> {
    let catalogue = shipped::catalogue();
    let now = moment(args.at.as_deref())?;
    let reports: Vec<(&PathBuf, Result<Report>)> =
        args.folders.iter().map(|folder| (folder, report(folder, &catalogue, now))).collect();
    for error in reports.iter().filter_map(|(_, report)| report.as_ref().err()) {
        output::remark(&format!("{error:#}"));
    }
    if args.json {
        let bundles: Vec<Json> = reports.iter().map(|(folder, report)| as_json(folder, report)).collect();
        output::tell(&serde_json::to_string_pretty(&json!({ "format": 1, "bundles": bundles }))?)?;
    } else {
        for report in reports.iter().filter_map(|(_, report)| report.as_ref().ok()) {
            output::tell(&(as_text(report, &catalogue) + "\n"))?;
        }
    }
    let count = reports.iter().filter(|(_, report)| report.is_err()).count();
    if count > 0 {
        return Err(Invalid { count, of: reports.len() }.into());
    }
    let open: usize = reports
        .iter()
        .filter_map(|(_, report)| report.as_ref().ok())
        .map(|r| r.findings.open().count())
        .sum();
    if open > 0 {
        bail!("{open} findings that no bundle acknowledges: mend them, or give a reason in [[acknowledged]]");
    }
    Ok(())
}

/// The time of a check: a day (its first moment in UTC), a time, or now.
fn moment(at: Option<&str>) -> Result<UtcMicros> {
    let Some(text) = at else { return Ok(UtcMicros(Timestamp::now().as_microsecond())) };
    let day = |day: Date| day.to_zoned(TimeZone::UTC).map(|start| start.timestamp());
    let found = text.parse::<Timestamp>().or_else(|_| text.parse::<Date>().and_then(day));
    let found = found.with_context(|| format!("--at {text}: not a day such as 2027-01-31, nor a time"))?;
    Ok(UtcMicros(found.as_microsecond()))
}

fn report(folder: &Path, catalogue: &Catalogue, now: UtcMicros) -> Result<Report> {
    let usable = in_folder(folder, catalogue)?;
    let list = folder.join("clauses.toml");
    let clauses = match fs::read_to_string(&list) {
        Ok(text) => Some(Clauses::from_toml(&list.display().to_string(), &text)?),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(error).with_context(|| format!("{}: cannot be read", list.display())),
    };
    let sources = Sources { repository: repository(folder), bundle: folder };
    let findings = lint(Checked {
        rules: &usable.rules,
        catalogue,
        clauses: clauses.as_ref(),
        now,
        exists: &|test| sources.has(test),
    });
    Ok(Report { file: usable.file, rules: usable.rules, clauses, findings })
}

fn as_text(report: &Report, catalogue: &Catalogue) -> String {
    let Report { file, rules, findings, .. } = report;
    let named = |flows: &[vernport_policy::Flow]| {
        catalogue.iter().filter(|(id, _)| flows.iter().any(|flow| flow.minimiser(*id).is_some())).count()
    };
    let mut text = format!(
        "{file}: in order; controller {}, {} flows, {} of {} signals named by a flow\n",
        rules.controller(),
        rules.flows().len(),
        named(rules.flows()),
        catalogue.len()
    );
    let counts = findings.counts;
    if report.clauses.is_some() {
        text += &format!(
            "  {} clauses; of {} that rules have to keep: {} covered, {} due later, {} open; {} supported, {} \
             organisational\n",
            counts.clauses,
            counts.enforced,
            counts.covered,
            counts.due_later,
            counts.open,
            counts.supported,
            counts.organisational
        );
    }
    for Finding { id, file, line, what, remedy, acknowledged, .. } in &findings.all {
        text += &match acknowledged {
            Some(reason) => format!("  known  {id}: {what} ({reason})\n"),
            None => format!("  new    {id}: {file}:{line}: {what}; {remedy}\n"),
        };
    }
    text.truncate(text.trim_end().len());
    text
}

fn as_json(folder: &Path, report: &Result<Report>) -> Json {
    match report {
        Err(error) => json!({
            "folder": folder.display().to_string(),
            "valid": false,
            "error": format!("{error:#}"),
        }),
        Ok(Report { file, rules, clauses, findings }) => json!({
            "folder": folder.display().to_string(),
            "valid": true,
            "file": file,
            "name": rules.name().as_str(),
            "controller": rules.controller().as_str(),
            "hash": hex::encode(rules.hash()),
            "counts": findings.counts,
            "clauses": clauses.as_ref().map_or(&[][..], |clauses| clauses.clauses()),
            "findings": findings.all,
            "new_findings": findings.open().count(),
        }),
    }
}

/// The folder of the repository that a bundle lies in, if it does: there Rust tests can be looked up.
fn repository(folder: &Path) -> Option<PathBuf> {
    let folder = folder.canonicalize().ok()?;
    let here = |at: &&Path| at.join("Cargo.toml").is_file() && at.join("crates").is_dir();
    folder.ancestors().find(here).map(Path::to_path_buf)
}

/// Where tests are looked for.
struct Sources<'a> {
    repository: Option<PathBuf>,
    bundle: &'a Path,
}

impl Sources<'_> {
    fn has(&self, test: &Test) -> Known {
        let there = match test {
            Test::Trial(path) => self.bundle.join(path).is_file(),
            Test::Rust(path) => match &self.repository {
                None => return Known::Unknown,
                Some(repository) => has_function(repository, path),
            },
        };
        if there { Known::There } else { Known::Missing }
    }
}

/// Whether the function of a Rust test stands in the file of its module: of a suite below `tests`,
/// or in the sources or the test binaries of a crate.
fn has_function(repository: &Path, path: &[String]) -> bool {
    let [suite, modules @ .., function] = path else { return false };
    let crate_folder = repository.join("crates").join(suite);
    let tests = crate_folder.join("tests");
    let mut roots = vec![repository.join("tests").join(suite), crate_folder.join("src"), tests.clone()];
    let binaries = fs::read_dir(tests).into_iter().flatten().flatten().map(|entry| entry.path());
    roots.extend(binaries.filter(|folder| folder.is_dir()));
    let declared = format!("fn {function}(");
    roots.iter().any(|root| {
        // A module can stand in the file of the one above it.
        (0..=modules.len()).rev().any(|depth| {
            let module = modules[..depth].iter().fold(root.clone(), |folder, name| folder.join(name));
            let inside = ["mod.rs", "main.rs", "lib.rs"].map(|file| module.join(file));
            let files = inside.into_iter().chain([module.with_extension("rs")]);
            files.into_iter().any(|file| fs::read_to_string(file).is_ok_and(|text| text.contains(&declared)))
        })
    })
}
