//! The test suites: `unit` is what lies in the crates, every other one a test
//! target of the root package, so that a new target is a new suite. One of them
//! runs where CAN is.

use crate::{
    metadata::Metadata,
    report::Report,
    vcan,
    workspace::{Workspace, in_ci, shown},
};
use anyhow::{Context as _, Result, bail};
use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
};

/// The package of the whole-path suites.
const ROOT_PACKAGE: &str = "vernport-suites";
/// The suite of the crates' own tests.
const UNIT: &str = "unit";

/// Shows the names of the suites.
pub(crate) fn list(workspace: &Workspace) -> Result<()> {
    for name in names(workspace)? {
        println!("{name}");
    }
    Ok(())
}

/// Runs the named suites, or all; the last line is the sum.
pub(crate) fn run(workspace: &Workspace, wanted: &[String]) -> Result<()> {
    let names = names(workspace)?;
    if let Some(unknown) = wanted.iter().find(|name| !names.contains(name)) {
        bail!("there is no suite '{unknown}'; there are {}", names.join(", "));
    }
    let chosen = names.iter().filter(|name| wanted.is_empty() || wanted.contains(name));
    let mut total = Report::default();
    let mut broken = Vec::new();
    for name in chosen {
        println!("suite {name}");
        let (report, succeeded) = run_one(workspace, name)?;
        println!("suite {name}: {report}");
        for skipped in &report.skipped {
            println!("  skipped {skipped}");
        }
        if !succeeded && report.failed == 0 {
            broken.push(format!("suite {name} could not be built or ended before its time"));
        } else if report.ran_nothing() {
            broken.push(format!("suite {name} ran no test"));
        }
        total.add(report);
    }
    for why in &broken {
        println!("{why}");
    }
    let skipped_in_ci = total.skipped() > 0 && in_ci();
    if skipped_in_ci {
        println!("a skipped test is a failure in CI; cargo xtask setup installs what is missing");
    }
    println!("{total}");
    if total.failed > 0 || !broken.is_empty() || skipped_in_ci {
        std::process::exit(1);
    }
    Ok(())
}

fn names(workspace: &Workspace) -> Result<Vec<String>> {
    let metadata = Metadata::read(workspace)?;
    let root = metadata.members().find(|package| package.name == ROOT_PACKAGE);
    let targets = &root.with_context(|| format!("there is no package {ROOT_PACKAGE}"))?.targets;
    let suites = targets.iter().filter(|target| target.kind.iter().any(|kind| kind == "test"));
    Ok(std::iter::once(UNIT.to_owned()).chain(suites.map(|target| target.name.clone())).collect())
}

/// The report of one suite, and whether cargo was content.
fn run_one(workspace: &Workspace, name: &str) -> Result<(Report, bool)> {
    let mut cargo = workspace.cargo(&["test", "--locked", "--quiet", "--no-fail-fast"]);
    if name == vcan::SUITE {
        vcan::lead(workspace, &mut cargo)?;
    }
    if name == UNIT {
        cargo.args(["--workspace", "--exclude", ROOT_PACKAGE]);
    } else {
        cargo.args(["--package", ROOT_PACKAGE, "--test", name]);
    }
    cargo.args(["--", "--show-output", "--format=pretty"]);
    let mut child =
        cargo.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot run {}", shown(&cargo)))?;
    let output = child.stdout.take().context("the output is piped")?;
    let mut report = Report::default();
    for line in BufReader::new(output).split(b'\n') {
        let line =
            String::from_utf8_lossy(&line.context("cannot read the output of the tests")?).into_owned();
        if report.line(&line) {
            println!("{line}");
        }
    }
    let status = child.wait().with_context(|| format!("cannot wait for {}", shown(&cargo)))?;
    Ok((report, status.success()))
}
