//! The DBC files that a person names for a bus: read, checked, planned by a mapping.
//!
//! A file with errors is used as far as it can be; what is wrong in it is told by line.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
};
use thiserror::Error;
use vernport_decode::dbc::{Database, Mapping, MappingError, Plan, PlanError, ReadError, Severity};
use vernport_types::Catalogue;

/// Errors of one file that are told one by one.
const MAX_TOLD: usize = 5;

/// Why DBC files cannot be used.
#[derive(Debug, Error)]
pub enum DbcError {
    /// A file cannot be read.
    #[error("{}: cannot be read; check the path and its owner", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// No DBC file.
    #[error("{}: is no DBC file that can be used", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: ReadError,
    },
    /// A broken mapping.
    #[error(transparent)]
    Mapping(#[from] MappingError),
    /// Too much for one bus.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

/// What a bus is read by.
#[derive(Debug, Clone)]
pub struct DbcFiles {
    /// The catalogue's signals in them; none without a file.
    pub plan: Option<Arc<Plan>>,
    /// What is wrong in them, by file and line. What is only unusual is not told.
    pub findings: Vec<String>,
}

/// Reads the files. The rules of `map`, where there is one, come before the shipped ones.
///
/// # Errors
/// [`DbcError`], with the file.
pub fn read(files: &[PathBuf], map: Option<&Path>, catalogue: &Catalogue) -> Result<DbcFiles, DbcError> {
    let mut findings = Vec::new();
    if files.is_empty() {
        return Ok(DbcFiles { plan: None, findings });
    }
    let databases: Vec<Database> =
        files.iter().map(|file| database(file, &mut findings)).collect::<Result<_, _>>()?;
    let plan = Plan::new(&databases, &mapping(map)?, catalogue)?;
    if plan.is_empty() {
        findings.push("none of the DBC files has a signal that the catalogue lists".to_owned());
    }
    Ok(DbcFiles { plan: Some(Arc::new(plan)), findings })
}

fn mapping(map: Option<&Path>) -> Result<Mapping, DbcError> {
    let Some(path) = map else { return Ok(Mapping::shipped()) };
    let unread = |source| DbcError::Read { path: path.into(), source };
    let text = std::fs::read_to_string(path).map_err(unread)?;
    Ok(Mapping::from_toml(&path.display().to_string(), &text)?.before(Mapping::shipped()))
}

fn database(path: &Path, findings: &mut Vec<String>) -> Result<Database, DbcError> {
    let unread = |source| DbcError::Read { path: path.into(), source };
    let mut bytes = Vec::new();
    // One byte more than is read, so that a longer file is told from one that fits.
    let bound = Database::MAX_BYTES as u64 + 1;
    File::open(path).map_err(unread)?.take(bound).read_to_end(&mut bytes).map_err(unread)?;
    let wrong = |source| DbcError::File { path: path.into(), source };
    let (database, found) = Database::read(&bytes).map_err(wrong)?;
    let file = path.display();
    let errors: Vec<_> = found.iter().filter(|finding| finding.severity == Severity::Error).collect();
    findings.extend(errors.iter().take(MAX_TOLD).map(|error| format!("{file}: {error}")));
    if errors.len() > MAX_TOLD {
        findings.push(format!("{file}: {} errors in all", errors.len()));
    }
    Ok(database)
}
