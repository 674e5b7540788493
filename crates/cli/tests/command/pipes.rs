//! `vernport … | head -1`: whoever reads may stop, and that ends what only shows, quietly; what
//! does or judges something goes on to its end.

use crate::program::{done, program, stderr, vernport};
use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Output, Stdio},
};

/// Types the words, reads so many lines of what comes, and closes the pipe.
fn read_lines(words: &[&str], lines: usize, temporary: Option<&Path>) -> (Vec<String>, Output) {
    let mut program = program();
    if let Some(folder) = temporary {
        program.env("TMPDIR", folder);
    }
    let mut child = program
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
    let read = stdout.lines().take(lines).map(|line| line.expect("text")).collect();
    (read, child.wait_with_output().expect("it ends"))
}

fn ended_quietly(words: &[&str], output: &Output) {
    assert!(output.status.success(), "{words:?}: {}", stderr(output));
    assert_eq!(stderr(output), "", "{words:?}");
}

#[test]
fn the_demo_ends_when_nobody_reads_on_and_leaves_nothing_behind() {
    let temporary = tempfile::tempdir().expect("a folder");
    let (read, output) = read_lines(&["demo"], 1, Some(temporary.path()));
    assert_eq!(read, ["vernport demo: one truck, one station of each controller"]);
    ended_quietly(&["demo"], &output);
    let left: Vec<_> = fs::read_dir(temporary.path()).expect("a folder").collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn what_shows_ends_quietly_also_when_its_first_line_finds_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("dev");
    let dev = dir.to_str().expect("UTF-8");
    done(&vernport(&["init", "--dev", dev]));
    let config = format!("{dev}/westrum/gateway.toml");
    let shown: [&[&str]; 4] = [
        &["bundle", "render", "westrum"],
        &["bundle", "export", "--format", "dpv", "westrum"],
        &["doctor", "--central", &format!("{dev}/central.toml")],
        // It looks again and again, until nobody does.
        &["status", "--watch", "--config", &config],
    ];
    for words in shown {
        for lines in [0, 1] {
            let (read, output) = read_lines(words, lines, None);
            assert_eq!(read.len(), lines, "{words:?}: {}", stderr(&output));
            ended_quietly(words, &output);
        }
    }
}

#[test]
fn a_judgement_stands_although_nobody_reads_why() {
    let (_, output) = read_lines(&["dbc", "check", "no-such.dbc", "--json"], 0, None);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
}

/// A device that is always full, which every Linux has.
#[cfg(target_os = "linux")]
#[test]
fn an_answer_that_does_not_fit_on_the_disk_is_an_error() {
    let full = File::options().write(true).open("/dev/full").expect("it is there");
    let output = program().args(["bundle", "render", "westrum"]).stdout(full).output().expect("it ends");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("standard output cannot be written"), "{}", stderr(&output));
}
