//! `vernport bundle check`: reads bundles as a gateway would.

mod test;

use crate::{args, shipped};
use anyhow::{Result, bail};
use std::path::Path;
use vernport_policy::{Bundle, Rules};

/// Checks each folder; ends with an error when one is broken.
///
/// # Errors
/// If a bundle is broken; each was named with file, line and remedy before.
pub fn run(args: &args::Bundle) -> Result<()> {
    let folders = match args {
        args::Bundle::Check { folders } => folders,
        args::Bundle::Test(args) => return test::run(args),
    };
    let catalogue = shipped::catalogue();
    let mut broken = 0;
    for folder in folders {
        match check(folder, &catalogue) {
            Ok(line) => print(&line),
            Err(error) => {
                broken += 1;
                eprint(&format!("{error:#}"));
            }
        }
    }
    if broken > 0 {
        bail!("{broken} of {} bundles cannot be used", folders.len());
    }
    Ok(())
}

fn check(folder: &Path, catalogue: &vernport_types::Catalogue) -> Result<String> {
    let (file, text) = shipped::read_bundle(folder)?;
    let rules = Rules::compile(&Bundle::from_toml(&file, &text)?, catalogue)?;
    let signals = catalogue.iter().filter(|(id, _)| rules.flows().iter().any(|f| f.minimiser(*id).is_some()));
    Ok(format!(
        "{file}: in order; controller {}, {} flows, {} of {} signals named by a flow",
        rules.controller(),
        rules.flows().len(),
        signals.count(),
        catalogue.len()
    ))
}

#[expect(clippy::print_stdout, reason = "the answer of the command")]
fn print(line: &str) {
    println!("{line}");
}

#[expect(clippy::print_stderr, reason = "the answer of the command")]
fn eprint(line: &str) {
    eprintln!("{line}");
}
