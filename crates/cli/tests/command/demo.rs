//! `vernport demo` as a newcomer runs it: what the README shows is what it
//! prints, and a changed rule changes the outcome.

use crate::program::{program, stderr, stdout as stdout_of};
use serde_json::Value as Json;
use std::{
    io::Read,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::{Duration, Instant},
};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Much longer than it takes on any machine, however busy: what is not over by then hangs.
const HANGS_AFTER: Duration = Duration::from_secs(600);

fn demo(args: &[&str]) -> Output {
    let mut child = program()
        .arg("demo")
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let (stdout, stderr_of) = (child.stdout.take(), child.stderr.take());
    let reading = [
        std::thread::spawn(move || read_all(stdout.expect("it is piped"))),
        std::thread::spawn(move || read_all(stderr_of.expect("it is piped"))),
    ];
    let until = Instant::now() + HANGS_AFTER;
    let status = loop {
        if let Some(status) = child.try_wait().expect("our child") {
            break status;
        }
        if Instant::now() > until {
            child.kill().expect("our child");
            break child.wait().expect("our child");
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let [stdout, stderr_read] = reading.map(|one| one.join().expect("it reads"));
    let output = Output { status, stdout, stderr: stderr_read };
    assert!(output.status.success(), "{}: {}{}", output.status, stdout_of(&output), stderr(&output));
    output
}

fn read_all(mut from: impl Read) -> Vec<u8> {
    let mut read = Vec::new();
    from.read_to_end(&mut read).expect("a pipe");
    read
}

/// The shipped bundles in a folder, changed.
struct Bundles(tempfile::TempDir);

impl Bundles {
    fn with(name: &str, change: impl Fn(&str) -> String) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (shipped, text) in vernport::shipped::BUNDLES {
            let dir = folder.path().join(shipped);
            std::fs::create_dir(&dir).expect("a folder");
            let text = if *shipped == name { change(text) } else { (*text).to_owned() };
            std::fs::write(dir.join("bundle.toml"), text).expect("a file");
        }
        Self(folder)
    }

    fn demo(&self) -> Json {
        let dir = self.0.path().to_str().expect("a path in UTF-8");
        json(&demo(&["--json", "--bundles", dir]))
    }
}

fn json(output: &Output) -> Json {
    serde_json::from_slice(&output.stdout).expect("the summary stands alone on standard output")
}

fn count(summary: &Json, controller: &str, what: &str) -> u64 {
    summary["controllers"][controller][what].as_u64().unwrap_or_else(|| panic!("{controller} has {what}"))
}

fn reason(summary: &Json, controller: &str, code: &str) -> u64 {
    summary["controllers"][controller]["reasons"][code].as_u64().unwrap_or(0)
}

/// What differs in each run: aliases, key ids, sizes and numbers of batches, which depend on the moment of a flush.
fn masked(text: &str) -> Vec<String> {
    text.lines()
        .map(|line| {
            let words: Vec<String> = line
                .split_whitespace()
                .map(|word| {
                    let core = word.trim_end_matches([';', ',', ':']);
                    let key = core.len() == 32 && core.bytes().all(|b| b.is_ascii_hexdigit());
                    let part = |part: &str| if part.ends_with('…') { "<alias>" } else { part }.to_owned();
                    if key { "<key>".into() } else { core.split('/').map(part).collect::<Vec<_>>().join("/") }
                })
                .collect();
            words.join(" ")
        })
        .filter(|line| !line.is_empty())
        .collect()
}

/// Rows whose numbers depend on the moment of a flush, without them.
fn stable(lines: Vec<String>) -> Vec<String> {
    let mut section = 0;
    let mut kept: Vec<String> = lines
        .into_iter()
        .map(|line| {
            if let Some(number) = line.split(". ").next().and_then(|n| n.parse().ok()) {
                section = number;
            }
            let numbers = |line: &str| line.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
            match section {
                2 if line.contains("/sealed") => numbers(&line),
                3 => numbers(&line),
                4 if line.starts_with("Vehicle.") => line.split(' ').next().unwrap_or_default().to_owned(),
                _ => line,
            }
        })
        .collect();
    // Operators' topics stand in the order of their aliases.
    kept.sort();
    kept
}

#[test]
fn the_readme_shows_what_the_demo_prints() {
    let readme = std::fs::read_to_string(repository().join("README.md")).expect("the README");
    let after = readme.split("<!-- demo:").nth(1).expect("the README marks its block");
    let shown = after.split("```").nth(1).expect("a block in fences");
    let printed = String::from_utf8(demo(&[]).stdout).expect("UTF-8");
    let (shown, printed) = (stable(masked(shown)), stable(masked(&printed)));
    let missing = |of: &[String], from: &[String]| -> Vec<String> {
        of.iter().filter(|line| !from.contains(line)).cloned().collect()
    };
    let (gone, new) = (missing(&shown, &printed), missing(&printed, &shown));
    let told = "run the demo and put its output into the README";
    assert!(gone.is_empty() && new.is_empty(), "{told}; only there: {gone:#?}, only printed: {new:#?}");
    assert_eq!(shown.len(), printed.len(), "{told}");
}

#[test]
fn the_summary_has_the_promised_shape_and_its_parts_agree() {
    let summary = json(&demo(&["--json"]));
    for controller in ["cars-software", "westrum", "car-special", "example-fleet"] {
        let by_reason = summary["controllers"][controller]["reasons"].as_object().expect("reasons");
        let sum: u64 = by_reason.values().filter_map(Json::as_u64).sum();
        assert_eq!(sum, count(&summary, controller, "withheld"), "{controller}");
        for code in by_reason.keys() {
            assert!(vernport_types::Reason::from_code(code).is_some(), "{code} is of the closed list");
        }
    }
    assert_eq!(count(&summary, "car-special", "released") + count(&summary, "car-special", "coarsened"), 0);
    for controller in ["cars-software", "westrum"] {
        assert!(count(&summary, controller, "released") > 0 && count(&summary, controller, "coarsened") > 0);
    }
    assert!(reason(&summary, "example-fleet", "consent-withdrawn") > 0);
    assert!(reason(&summary, "cars-software", "no-purpose") > 0);
    let released: u64 = ["cars-software", "westrum", "example-fleet"]
        .iter()
        .map(|c| count(&summary, c, "released") + count(&summary, c, "coarsened"))
        .sum();
    // Every flow that releases here goes to the store, and nothing was withdrawn before it was sent.
    assert_eq!(summary["store"]["records"].as_u64(), Some(released));
    assert!(summary["store"]["batches"].as_u64() > Some(0));
    let topics = summary["mqtt"]["topics"].as_array().expect("topics");
    assert!(topics.iter().filter_map(Json::as_str).all(|topic| topic.starts_with("vernport/v1/fleet/")));
    assert!(summary["mqtt"]["messages"].as_u64() >= Some(topics.len() as u64));
}

#[test]
fn a_signal_taken_out_of_a_flow_is_not_released_by_it() {
    let line = "\"Vehicle.LowVoltageBattery.CurrentVoltage\" = \"exact\"\n";
    let changed = Bundles::with("westrum", |text| {
        assert!(text.contains(line), "the shipped bundle has the line");
        text.replacen(line, "", 1)
    });
    let (before, after) = (json(&demo(&["--json"])), changed.demo());
    let battery = 13;
    assert_eq!(count(&after, "westrum", "released"), count(&before, "westrum", "released") - battery);
    assert_eq!(count(&after, "cars-software", "released"), count(&before, "cars-software", "released"));
    assert!(count(&after, "westrum", "withheld") >= count(&before, "westrum", "withheld") + battery);
}

#[test]
fn a_coarser_minimiser_turns_exact_into_coarsened() {
    let line = "\"Vehicle.Powertrain.FuelSystem.RelativeLevel\" = \"exact\"";
    let changed = Bundles::with("westrum", |text| {
        assert!(text.contains(line), "the shipped bundle has the line");
        text.replacen(line, "\"Vehicle.Powertrain.FuelSystem.RelativeLevel\" = \"round-10\"", 1)
    });
    let (before, after) = (json(&demo(&["--json"])), changed.demo());
    let fuel = 13;
    assert_eq!(count(&after, "westrum", "released"), count(&before, "westrum", "released") - fuel);
    assert_eq!(count(&after, "westrum", "coarsened"), count(&before, "westrum", "coarsened") + fuel);
}

#[test]
fn a_notice_that_was_not_served_closes_everything() {
    let changed = Bundles::with("westrum", |text| {
        // An older notice that lists identifiers only; the one with vehicle data was not served yet.
        let older = "[[notice]]\nversion = \"westrum-0\"\nserved_when = \"recorded\"\ncategories = [\"identifier\"]\n\
                     clauses = [\"WEST-2.4\"]\n\n[[notice]]";
        text.replacen("[[notice]]", older, 1)
    });
    let after = changed.demo();
    assert_eq!(count(&after, "westrum", "released") + count(&after, "westrum", "coarsened"), 0);
    assert!(reason(&after, "westrum", "notice-not-served") > 0);
    assert!(count(&after, "cars-software", "released") > 0, "the others are not concerned");
}
