//! Reads what `cargo test -- --show-output` says, and counts.
//!
//! A test that cannot run prints a line `SKIPPED <name>: <why>` and returns;
//! the test harness takes it for passed, this report does not. A line `MEASURED <what>`
//! is shown.

use std::fmt;

/// What one suite came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// What the harness calls passed, skipped ones among them.
    returned: u64,
    pub(crate) failed: u64,
    /// Each skipped test with the reason, as it wrote it.
    pub(crate) skipped: Vec<String>,
    /// The lines that come now are about failed tests, and so of interest.
    in_failures: bool,
}

impl Report {
    /// Takes the next line; whether a person wants to see it.
    pub(crate) fn line(&mut self, line: &str) -> bool {
        if let Some(skipped) = line.trim_start().strip_prefix("SKIPPED ") {
            self.skipped.push(skipped.trim_end().to_owned());
            return false;
        }
        if line.starts_with("MEASURED ") {
            return true;
        }
        if line.starts_with("running ") && (line.ends_with(" tests") || line.ends_with(" test")) {
            self.in_failures = false;
            return false;
        }
        self.in_failures |= line == "failures:";
        if let Some(result) = line.strip_prefix("test result: ") {
            self.in_failures = false;
            let count = |what: &str| {
                let number = result.split([';', '.']).find_map(|part| part.trim().strip_suffix(what));
                number.and_then(|number| number.trim().parse::<u64>().ok()).unwrap_or(0)
            };
            self.returned += count(" passed");
            self.failed += count(" failed");
            let ignored = count(" ignored");
            self.skipped.extend((0..ignored).map(|_| "a test: it is marked to be ignored".to_owned()));
            self.returned += ignored;
            return false;
        }
        self.in_failures || (line.starts_with("test ") && line.ends_with(" ... FAILED"))
    }

    /// Tests that ran to their end and said yes.
    pub(crate) fn passed(&self) -> u64 {
        self.returned.saturating_sub(self.skipped())
    }

    pub(crate) fn skipped(&self) -> u64 {
        u64::try_from(self.skipped.len()).unwrap_or(u64::MAX)
    }

    /// A suite without a test proves nothing.
    pub(crate) fn ran_nothing(&self) -> bool {
        self.returned == 0 && self.failed == 0
    }

    /// One test that no harness ran.
    pub(crate) fn one(&mut self, passed: bool) {
        if passed { self.returned += 1 } else { self.failed += 1 }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.returned += other.returned;
        self.failed += other.failed;
        self.skipped.extend(other.skipped);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed(), self.failed, self.skipped())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "
running 4 tests
test one ... ok
test two ... ok
test three ... FAILED
test four ... ignored

successes:

---- two stdout ----
progress of two
SKIPPED two: no kernel with CAN; run cargo xtask setup

failures:

---- three stdout ----
thread 'three' panicked at src/lib.rs:1:1:
not equal

failures:
    three

test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.31s

running 1 test
test five ... ok

successes:
    five

test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 12.01s
";

    #[test]
    fn what_was_measured_is_shown_and_counts_for_nothing() {
        let mut report = Report::default();
        assert!(report.line("MEASURED load: 4000 frames a second"));
        assert_eq!(report, Report::default());
    }

    #[test]
    fn a_test_that_skipped_itself_is_not_counted_as_passed() {
        let mut report = Report::default();
        assert!(report.ran_nothing());
        let shown: Vec<&str> = OUTPUT.lines().filter(|line| report.line(line)).collect();
        assert_eq!(report.to_string(), "2 passed, 1 failed, 2 skipped");
        assert!(!report.ran_nothing());
        assert_eq!(
            report.skipped,
            ["two: no kernel with CAN; run cargo xtask setup", "a test: it is marked to be ignored"]
        );
        assert!(shown.contains(&"test three ... FAILED") && shown.contains(&"not equal"), "{shown:?}");
        assert!(!shown.contains(&"progress of two") && !shown.contains(&"test one ... ok"), "{shown:?}");
    }

    #[test]
    fn suites_add_up() {
        let mut total = Report::default();
        for _ in 0..2 {
            let mut report = Report::default();
            OUTPUT.lines().for_each(|line| _ = report.line(line));
            total.add(report);
        }
        assert_eq!(total.to_string(), "4 passed, 2 failed, 4 skipped");
    }
}
