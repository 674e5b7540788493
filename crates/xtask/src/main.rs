//! House work, for people and for CI: `cargo xtask setup | test | vcan | ci | tidy`.
//!
//! Needs nothing but cargo, git and a C compiler; `setup` installs what is
//! missing on Debian. Every check that can run without a network does.

// A command line tool speaks on its standard output.
#![allow(clippy::print_stdout)]

mod ci;
mod licences;
mod metadata;
mod proof;
mod report;
mod setup;
mod suites;
mod tidy;
mod vcan;
mod workspace;

use clap::{Parser, Subcommand};
use std::{ffi::OsString, process::ExitCode};
use workspace::Workspace;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "House work of vernport")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what the suites need (Debian packages, as root; a kernel with CAN)
    Setup,
    /// Run test suites: all of them, or those named
    Test {
        /// Names of suites; `cargo xtask test --list` shows them
        #[arg(value_name = "SUITE")]
        suites: Vec<String>,
        /// Show the suites and run none
        #[arg(long)]
        list: bool,
    },
    /// Run a command on a kernel with CAN and vcan: this one, or a guest's
    Vcan {
        /// The command; the suite vcan unless given
        #[arg(value_name = "COMMAND", last = true)]
        command: Vec<OsString>,
    },
    /// Run every check, or those named
    Ci {
        /// Checks, in the order in which to run them
        #[arg(value_name = "CHECK", value_enum)]
        checks: Vec<ci::Check>,
    },
    /// Check the house rules: floors, licences, file headers, lengths, words
    Tidy,
}

fn main() -> ExitCode {
    match run(&Arguments::parse().task) {
        Ok(status) => status,
        Err(error) => {
            println!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: &Task) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::find()?;
    match task {
        Task::Setup => setup::run(&workspace),
        Task::Test { list: true, .. } => suites::list(&workspace),
        Task::Test { suites, list: false } => suites::run(&workspace, suites),
        Task::Vcan { command } if command.is_empty() => suites::run(&workspace, &[vcan::SUITE.to_owned()]),
        Task::Vcan { command } => return Ok(vcan::run(&workspace, command)?.into()),
        Task::Ci { checks } => ci::run(&workspace, checks),
        Task::Tidy => tidy::run(&workspace),
    }?;
    Ok(ExitCode::SUCCESS)
}
