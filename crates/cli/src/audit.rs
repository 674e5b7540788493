//! `vernport audit`: checks, proves, mends and exports evidence logs, of a gateway or
//! of central, out of a spool, a database or exported files.

mod export;
mod fsck;
mod keys;
mod log;
mod prove;
mod report;
mod verify;
mod walk;

use crate::args::{Audit, AuditFsck, AuditVerify};
use anyhow::Result;
pub use report::{Found, Report};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Something that has to be read for an answer, and cannot.
#[derive(Debug, Error)]
pub enum Unreadable {
    /// A file.
    #[error("{}: cannot be read", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A spool.
    #[error("{}: not a spool that this version reads; start its gateway once, or look at its path", path.display())]
    Spool {
        /// Which.
        path: PathBuf,
        /// What SQLite said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Central's database.
    #[error("central's database cannot be read")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No such thing, or not enough said about it.
    #[error("{0}")]
    Typed(String),
}

/// Something does not fit; it was printed.
#[derive(Debug, Error)]
#[error("{count} findings")]
pub struct Broken {
    /// How many.
    pub count: usize,
}

/// Carries out what was typed.
///
/// # Errors
/// [`Unreadable`] where no answer can be given, [`Broken`] where it is no.
pub async fn run(args: &Audit) -> Result<()> {
    match args {
        Audit::Verify(args) if !verify::is_proof(args) => check(args).await?.tell(args.json),
        Audit::Verify(args) => verify::proof(args),
        Audit::Prove(args) => prove::run(args).await,
        Audit::Fsck(args) => fsck(args).await?.tell(args.json),
        Audit::Export(args) => export::run(args).await,
    }
}

/// Checks a whole log with the keys of its keeper: `vernport audit verify`.
///
/// # Errors
/// [`Unreadable`].
pub async fn check(args: &AuditVerify) -> Result<Report> {
    let keys = keys::Keys::read(&args.keys, &args.witnesses)?;
    let mut log = log::Log::open(&args.place).await?;
    let (report, _) = walk::walk(&mut log, &keys).await?;
    log.close().await;
    Ok(report)
}

/// Holds a spool or central's database against its own log: `vernport audit fsck`.
///
/// # Errors
/// [`Unreadable`].
pub async fn fsck(args: &AuditFsck) -> Result<Report> {
    fsck::report(args).await
}

fn read(path: &Path) -> Result<Vec<u8>, Unreadable> {
    std::fs::read(path).map_err(|source| Unreadable::File { path: path.into(), source })
}
