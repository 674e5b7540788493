//! The lines of an import: those of the whole text however it comes, and each is an entry that is
//! written as it was read, or is refused with its place and nothing of what it says.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vernport_api::{ImportLine, ImportLines, LineError, MAX_LINE_BYTES, NextLine};
use vernport_registry::Entry;

/// Stands for a run that fills a line up to one byte: the fuzzer's inputs are shorter than any bound.
const RUN: u8 = 0xFF;
/// How many of them there are at most.
const MAX_RUNS: usize = 3;

fn unfolded(bytes: &[u8]) -> Vec<u8> {
    let (mut text, mut runs) = (Vec::new(), 0);
    for byte in bytes {
        if *byte == RUN && runs < MAX_RUNS {
            runs += 1;
            text.resize(text.len() + MAX_LINE_BYTES - 1, b'x');
        } else {
            text.push(*byte);
        }
    }
    text
}

/// What is given out of these parts, `None` for a line that is too long, and the digest of it.
fn read(parts: &[&[u8]]) -> (Vec<Option<Vec<u8>>>, [u8; 32]) {
    let (mut lines, mut given, mut parts) = (ImportLines::default(), Vec::new(), parts.iter());
    loop {
        match lines.next_line().expect("few lines") {
            NextLine::Line(line) => given.push(Some(line.to_vec())),
            NextLine::TooLong => given.push(None),
            NextLine::Wanting => match parts.next() {
                Some(part) => lines.push(part).expect("few bytes"),
                None => lines.end(),
            },
            NextLine::End => return (given, lines.digest()),
        }
        assert_eq!(lines.number() as usize, given.len());
    }
}

/// The same of the whole text, the naive way.
fn split(text: &[u8]) -> Vec<Option<Vec<u8>>> {
    let mut lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    if lines.last().is_some_and(|last| last.is_empty()) {
        lines.pop();
    }
    let given = lines.into_iter().map(|line| {
        (line.len() <= MAX_LINE_BYTES).then(|| line.strip_suffix(b"\r").unwrap_or(line).to_vec())
    });
    given.collect()
}

fn understand(line: &[u8]) {
    let said = ImportLine::read(line);
    assert_eq!(said, ImportLine::read(line));
    match said {
        Ok(said) => {
            let written = serde_json::to_vec(&said).expect("plain data");
            assert_eq!(ImportLine::read(&written).as_ref(), Ok(&said));
            let canonical = said.entry.canonical();
            assert_eq!(Entry::from_json(&canonical).as_ref(), Ok(&said.entry));
        }
        Err(error) => {
            match error {
                LineError::Empty => assert!(line.is_empty()),
                LineError::Text { byte } => {
                    assert!(
                        std::str::from_utf8(&line[..byte - 1]).is_ok() && std::str::from_utf8(line).is_err()
                    );
                }
                LineError::Entry { column } => assert!(column <= line.len()),
            }
            let told = error.to_string().replace(|digit: char| digit.is_ascii_digit(), "");
            assert!(
                told.starts_with("the line is empty;")
                    || told == "not UTF- from byte  on"
                    || told == "not an entry with its identifiers, at column "
            );
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((cut, rest)) = bytes.split_first() else { return };
    let text = unfolded(rest);
    let (first, second) = text.split_at(text.len() * usize::from(*cut) / 255);
    let (lines, digest) = read(&[&text]);
    assert!((&lines, digest) == (&split(&text), read(&[first, second]).1));
    assert!(lines == read(&[first, second]).0);
    for line in lines.into_iter().flatten() {
        understand(&line);
    }
});
