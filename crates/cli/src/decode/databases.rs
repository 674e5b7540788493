//! The DBC files that a person names: read, checked, planned by the shipped mapping.

use anyhow::{Context as _, Result};
use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
};
use vernport_decode::dbc::{Database, Mapping, Plan, Severity};
use vernport_types::Catalogue;

/// Errors of one file that are told one by one.
const MAX_TOLD: usize = 5;

/// The plan of these files, none without any, and what is wrong in them by line. What is only
/// unusual in a file is not told.
///
/// # Errors
/// If one cannot be read, is no DBC file, or all of them are too much for one bus.
pub fn read(files: &[PathBuf], catalogue: &Catalogue) -> Result<(Option<Arc<Plan>>, Vec<String>)> {
    if files.is_empty() {
        return Ok((None, Vec::new()));
    }
    let mut findings = Vec::new();
    let databases: Vec<Database> =
        files.iter().map(|file| database(file, &mut findings)).collect::<Result<_>>()?;
    let plan = Plan::new(&databases, &Mapping::shipped(), catalogue)?;
    if plan.is_empty() {
        findings.push("none of the DBC files has a signal that the catalogue lists".to_owned());
    }
    Ok((Some(Arc::new(plan)), findings))
}

fn database(path: &Path, findings: &mut Vec<String>) -> Result<Database> {
    let file = path.display();
    let mut bytes = Vec::new();
    // One byte more than is read, so that a longer file is told from one that fits.
    let bound = Database::MAX_BYTES as u64 + 1;
    let input = File::open(path).with_context(|| format!("{file}: cannot be opened"))?;
    input.take(bound).read_to_end(&mut bytes).with_context(|| format!("{file}: cannot be read"))?;
    let (database, found) = Database::read(&bytes).with_context(|| file.to_string())?;
    let errors: Vec<_> = found.iter().filter(|finding| finding.severity == Severity::Error).collect();
    findings.extend(errors.iter().take(MAX_TOLD).map(|error| format!("{file}: {error}")));
    if errors.len() > MAX_TOLD {
        findings.push(format!("{file}: {} errors in all", errors.len()));
    }
    Ok(database)
}
