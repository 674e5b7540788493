//! `vernport bundle …`: work on rules. Each sub-command has a file of its own.
//!
//! Answers alone go to standard output; what is wrong goes to standard error, with file, line
//! and remedy. The end: 0 for yes, 1 for no, 2 for a bundle that cannot be used.

mod activate;
mod check;
mod diff;
mod export;
mod files;
mod history;
mod render;
mod sign;
mod test;

pub(crate) use files::replace;

use crate::args;
use anyhow::Result;
use thiserror::Error;

/// What `vernport bundle check --json` prints, as a JSON Schema.
pub const CHECK_SCHEMA: &str = include_str!("../schema/bundle-check-v1.json");

/// Bundles that cannot be used: the command ends with 2.
#[derive(Debug, Error)]
#[error("{count} of {of} bundles cannot be used")]
pub struct Invalid {
    count: usize,
    of: usize,
}

impl Invalid {
    /// The one bundle of a command.
    const ONE: Self = Self { count: 1, of: 1 };
}

/// Carries out a sub-command.
///
/// # Errors
/// [`Invalid`] for a bundle that cannot be used, another error for a plain no.
pub fn run(args: &args::Bundle) -> Result<()> {
    match args {
        args::Bundle::Check(args) => check::run(args),
        args::Bundle::Render { bundle } => render::run(bundle),
        args::Bundle::Sign { folder, key } => sign::run(folder, key),
        args::Bundle::Activate(args) => activate::run(args),
        args::Bundle::History { dir } => history::run(dir),
        args::Bundle::Diff { old, new, json } => diff::run(old, new, *json),
        args::Bundle::Export { bundle, format } => export::run(bundle, *format),
        args::Bundle::Test(args) => test::run(args),
    }
}
