//! Fuzzing: builds the targets of `tests/fuzz` with coverage counters, replays
//! each corpus, and goes on from there for a while.
//!
//! The counters are a pass of LLVM that any rustc can run; no nightly is needed.
//! AddressSanitizer would be, and would find little in a workspace that denies
//! unsafe code. What is found lies below `target/fuzz/found`.

use crate::{
    report::Report,
    workspace::{Workspace, shown, succeed},
};
use anyhow::{Context as _, Result, bail};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
};

const MANIFEST: &str = "tests/fuzz/Cargo.toml";
const TARGETS: &str = "tests/fuzz/targets";
const CORPUS: &str = "tests/fuzz/corpus";
/// Instruments every edge and comparison, for libFuzzer.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
     -Cllvm-args=-sanitizer-coverage-trace-compares -Clink-dead-code";
/// Longest input. The stateful targets read a hundred frames out of it; longer ones find little and cost much.
const MAX_INPUT_BYTES: u32 = 1024;
/// Longest time for one input, in seconds: more is a hang.
const MAX_INPUT_S: u32 = 10;
/// Most memory of one target.
const MAX_MEMORY_MIB: u32 = 2048;

/// How long each target runs.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Effort {
    /// For so many seconds.
    Seconds(u32),
    /// So many executions.
    Runs(u64),
}

/// What CI gives each target.
pub(crate) const CI: Effort = Effort::Seconds(20);

/// How one target did.
struct Outcome {
    name: String,
    executions: u64,
    coverage: u64,
    found: Option<String>,
}

/// Runs the named targets, or all; an error if one found something.
pub(crate) fn run(workspace: &Workspace, wanted: &[String], effort: Effort) -> Result<()> {
    let report = suite(workspace, wanted, effort)?;
    println!("fuzz: {report}");
    if report.failed > 0 {
        bail!("a target found something; its input lies in target/fuzz/found");
    }
    Ok(())
}

/// The same as a suite: a target that finds nothing is a test passed.
pub(crate) fn suite(workspace: &Workspace, wanted: &[String], effort: Effort) -> Result<Report> {
    let targets = targets(workspace)?;
    if let Some(unknown) = wanted.iter().find(|name| !targets.contains(name)) {
        bail!("there is no fuzz target '{unknown}'; there are {}", targets.join(", "));
    }
    let folder = build(workspace)?;
    let chosen = targets.into_iter().filter(|name| wanted.is_empty() || wanted.contains(name));
    let queue = Mutex::new(chosen.collect::<Vec<_>>());
    let outcomes = Mutex::new(Vec::new());
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(name) = queue.lock().unwrap_or_else(PoisonError::into_inner).pop() {
                    let outcome = run_one(workspace, &folder, name, effort);
                    outcomes.lock().unwrap_or_else(PoisonError::into_inner).push(outcome);
                }
            });
        }
    });
    let mut outcomes: Vec<Outcome> =
        outcomes.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().collect::<Result<_>>()?;
    outcomes.sort_by(|a, b| a.name.cmp(&b.name));
    let mut report = Report::default();
    for outcome in outcomes {
        let Outcome { name, executions, coverage, found } = outcome;
        println!("fuzz {name}: {executions} executions, {coverage} edges");
        if let Some(found) = &found {
            println!("fuzz {name} FOUND\n{found}");
        }
        report.one(found.is_none());
    }
    Ok(report)
}

fn targets(workspace: &Workspace) -> Result<Vec<String>> {
    let folder = workspace.root().join(TARGETS);
    let files = fs::read_dir(&folder).with_context(|| format!("cannot read {TARGETS}"))?;
    let mut names = Vec::new();
    for file in files {
        let path = file.with_context(|| format!("cannot read {TARGETS}"))?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).context("a target's name is not text")?;
        names.push(stem.replace('_', "-"));
    }
    names.sort_unstable_by(|a, b| b.cmp(a));
    Ok(names)
}

/// Builds all targets and gives the folder they are in.
fn build(workspace: &Workspace) -> Result<PathBuf> {
    let host = host()?;
    let target = workspace.root().join("target/fuzz");
    // Named, so that the counters stay out of build scripts, which have no libFuzzer to keep them.
    let mut cargo =
        workspace.cargo(&["build", "--release", "--locked", "--quiet", "--manifest-path", MANIFEST]);
    cargo.args(["--target", &host]).env("CARGO_TARGET_DIR", &target).env("RUSTFLAGS", FLAGS);
    succeed(&mut cargo).context("the fuzz targets do not build; libFuzzer needs a C++ compiler")?;
    Ok(target.join(host).join("release"))
}

fn host() -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = crate::workspace::output(Command::new(rustc).arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc -vV names no host")?.to_owned())
}

fn run_one(workspace: &Workspace, folder: &Path, name: String, effort: Effort) -> Result<Outcome> {
    let base = workspace.root().join("target/fuzz");
    let grown = base.join("grown").join(&name);
    let found = base.join("found");
    for folder in [&grown, &found] {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let seeds = workspace.root().join(CORPUS).join(&name);
    let mut command = Command::new(folder.join(&name));
    command.arg(match effort {
        Effort::Seconds(seconds) => format!("-max_total_time={seconds}"),
        Effort::Runs(runs) => format!("-runs={runs}"),
    });
    command
        .arg(format!("-max_len={MAX_INPUT_BYTES}"))
        .arg(format!("-timeout={MAX_INPUT_S}"))
        .arg(format!("-rss_limit_mb={MAX_MEMORY_MIB}"))
        .arg(format!("-artifact_prefix={}/{name}-", found.display()))
        .args(["-print_final_stats=1", "-use_value_profile=0"])
        .arg(&grown);
    if seeds.is_dir() {
        command.arg(&seeds);
    }
    let output = command.output().with_context(|| format!("cannot run {}", shown(&command)))?;
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    let executions = stat(&log, "stat::number_of_executed_units:").unwrap_or(0);
    let coverage = stat(&log, " cov: ").unwrap_or(0);
    let found = if output.status.success() {
        (executions == 0).then(|| "nothing was executed".to_owned())
    } else {
        let lines: Vec<&str> = log.lines().collect();
        Some(lines[lines.len().saturating_sub(40)..].join("\n"))
    };
    fs::write(base.join(format!("{name}.log")), &log).context("cannot write the log of a target")?;
    Ok(Outcome { name, executions, coverage, found })
}

/// The number after the last `label`.
fn stat(log: &str, label: &str) -> Option<u64> {
    log.rsplit_once(label)?.1.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "#2\tINITED cov: 12 ft: 13 corp: 1/1b exec/s: 0 rss: 30Mb\n\
         #5000\tDONE   cov: 345 ft: 400 corp: 60/1000b lim: 4096 exec/s: 2500 rss: 40Mb\n\
         stat::number_of_executed_units: 5000\nstat::average_exec_per_sec:     2500\n";

    #[test]
    fn numbers_are_read_out_of_the_log_of_a_target() {
        assert_eq!(stat(LOG, "stat::number_of_executed_units:"), Some(5000));
        assert_eq!(stat(LOG, " cov: "), Some(345));
        assert_eq!(stat("nothing", "stat::number_of_executed_units:"), None);
    }
}
