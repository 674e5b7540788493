//! `vernport keys …`: makes key files as gateway, central, controller and recipient read
//! them, changes them, keeps them safe and looks them over. No secret is ever printed.

mod backup;
pub(crate) mod check;
pub(crate) mod file;
mod kind;
pub(crate) mod master;
mod new;
mod rotate;

use crate::args;
use anyhow::Result;

/// Carries out a sub-command.
///
/// # Errors
/// What `main` shows the person, with what to mend.
pub async fn run(args: args::Keys) -> Result<()> {
    match args {
        args::Keys::New(args) => new::run(&args),
        args::Keys::Rotate(args) => rotate::run(args).await,
        args::Keys::Backup(args) => backup::run(&args),
        args::Keys::Restore(args) => backup::restore(&args),
        args::Keys::Check(args) => check::run(&args),
    }
}
