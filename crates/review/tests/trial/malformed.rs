//! A file that is no trial is refused with its line and what to mend, and
//! nothing makes the reader panic.

use crate::common::{BUNDLE, WORLD, catalogue, rules};
use proptest::prelude::*;
use vernport_review::trial::{Trial, TrialError};

const HEAD: &str = "clause = \"T-3\"\nsays = \"A test.\"\n";

const GOOD: &str = r#"
[[expect]]
time = "-1h"
asset = "car"
signal = "Vehicle.TraveledDistance"
value = 158910605
by = "asserted"
from = "tool"
station = "main/bay-2"
head = "-90m"
before = ["-80m"]
flow = "near"
released = 158910000
clause = "T-8"
latest_due = "P30D"

[[expect]]
time = "+1h"
batch = { asset = "car", flow = "speed", opened = 2026-05-01T09:00:00Z }
sent = "destroy:consent-withdrawn"
"#;

fn good() -> String {
    format!("{HEAD}{WORLD}{GOOD}")
}

fn refused(text: &str) -> TrialError {
    match Trial::from_toml("t.toml", text) {
        Ok(_) => panic!("read:\n{text}"),
        Err(error) => error,
    }
}

/// The line, from 1, of the first place of a text within another.
fn line_of(text: &str, part: &str) -> usize {
    text[..text.find(part).expect("it is there")].matches('\n').count() + 1
}

#[test]
fn a_good_file_is_read() {
    let trial = Trial::from_toml("t.toml", &good()).expect("a trial");
    assert_eq!((trial.clause(), trial.says(), trial.len()), ("T-3", "A test.", 2));
}

#[test]
fn what_is_wrong_at_the_top_is_refused() {
    for (head, part) in [
        ("says = \"A test.\"\n", "missing field `clause`"),
        ("clause = \"T-3\"\n", "missing field `says`"),
        ("clause = 3\nsays = \"A test.\"\n", "expected a string"),
        ("clause = \"T-3\"\nsays = \"A test.\"\nnow = \"soon\"\n", "`now` is not a time"),
        ("clause = \"T-3\"\nsays = \"A test.\"\nwithout_keys = [\"A B\"]\n", ""),
        ("clause = \"T-3\"\nsays = \"A test.\"\ncolour = 1\n", "unknown field `colour`"),
        ("clause = \"T-3\"\nsays = \"A test.\n", ""),
    ] {
        let error = refused(&format!("{head}{WORLD}{GOOD}"));
        assert!(error.message.contains(part), "{head}: {error}");
        assert_eq!(error.file, "t.toml");
    }
    let error = refused(&format!("{HEAD}{WORLD}"));
    assert!(error.message.contains("add an [[expect]]"), "{error}");
    let colour = format!("{HEAD}colour = 1\n{WORLD}{GOOD}");
    assert_eq!(refused(&colour).line, 3);
}

#[test]
fn an_expectation_on_a_category_says_who_uses_it_or_that_nobody_may() {
    for (rest, part) in [
        ("", "a category is expected"),
        ("used = []\nwithheld = \"category-not-in-notice\"", "a category is expected"),
        ("withheld = \"restricted\"", "a category is expected"),
        ("time = \"now\"\nused = []", "unknown field `time`"),
    ] {
        let error = refused(&format!("{HEAD}{WORLD}[[expect]]\ncategory = \"odometer\"\n{rest}\n"));
        assert!(error.message.contains(part), "{rest}: {error}");
    }
}

#[test]
fn what_is_wrong_in_an_expectation_on_the_bundle_alone_is_refused() {
    for (expect, part) in [
        ("flow = \"near\"\npurpose = \"planning\"\nsignals = []", "missing field `to`"),
        ("message = \"letter\"\nclass = \"nice\"\npurpose = \"letters\"", "unknown variant `nice`"),
        ("purpose = \"service\"\nbasis = \"A6-1-z\"", ""),
        ("purpose = \"service\"", "missing field `basis`"),
        ("regions = [\"EEA\"]", "missing field `elsewhere`"),
        ("regions = [\"EEA\"]\nelsewhere = \"sometimes\"", "`elsewhere` is one of never, with-tool"),
    ] {
        let error = refused(&format!("{HEAD}{WORLD}[[expect]]\n{expect}\n"));
        assert!(error.message.contains(part), "{expect}: {error}");
    }
}

#[test]
fn what_is_wrong_in_an_expectation_is_refused_at_its_line() {
    for (from, to, part) in [
        ("time = \"-1h\"", "time = \"1h\"", "`time` is not a time"),
        ("time = \"-1h\"\n", "", "missing field `time`"),
        ("asset = \"car\"\nsignal", "asset = \"cat\"\nsignal", "no asset is named `cat`"),
        ("asset = \"car\"\nsignal", "signal", "missing field `asset`"),
        ("signal = \"Vehicle.TraveledDistance\"\n", "", "missing field `signal`"),
        ("value = 158910605", "value = [1]", "`value` is no value"),
        ("value = 158910605", "value = { lat = 91, lon = 0 }", "`value` is no value"),
        ("value = 158910605", "value = { h3 = \"+1\" }", "`value` is no value"),
        ("value = 158910605", "value = { h3 = \"\" }", "`value` is no value"),
        ("value = 158910605", "value = { none = false }", "`value` is no value"),
        ("value = 158910605", "value = { spn = 524288, fmi = 1 }", "`value` is no value"),
        ("value = 158910605", "value = nan", "`value` is no value"),
        ("value = 158910605", "valu = 158910605", "unknown field `valu`"),
        ("value = 158910605", "deliver = [\"post\"]", "unknown variant `post`"),
        ("value = 158910605", "stamped = \"noon\"", "`stamped` is not a time"),
        ("released = 158910000", "withheld = \"restricted\"\nstamped = \"now\"", "of what is released"),
        ("by = \"asserted\"", "by = \"guess\"", "`by` is one of pinned, tool, asserted, bus-vin"),
        ("from = \"tool\"", "from = \"can\"", "`from` is one of vehicle, tool, manual"),
        ("station = \"main/bay-2\"", "station = \"bay-2\"", "site/station"),
        ("station = \"main/bay-2\"", "station = \"main/Bay 2\"", "site/station"),
        ("head = \"-90m\"", "head = \"-59m\"", "`head` and `before` are not after `time`"),
        ("before = [\"-80m\"]", "before = [\"now\"]", "`head` and `before` are not after `time`"),
        ("before = [\"-80m\"]", "before = \"-80m\"", ""),
        ("flow = \"near\"", "flow = \"Near By\"", ""),
        ("flow = \"near\"\n", "", "name it with `flow`"),
        ("released = 158910000", "released = { from = 1 }", "`released` is no value"),
        ("released = 158910000\n", "", "name one of them"),
        ("released = 158910000", "released = 1\nwithheld = \"erased\"", "name one of them"),
        ("released = 158910000", "withheld = \"erazed\"", "no reason has this code"),
        ("released = 158910000", "withheld = \"erased\"", "are of what is released"),
        ("latest_due = \"P30D\"", "latest_due = \"30 days\"", "`latest_due`: not a period"),
        ("latest_due = \"P30D\"", "latest_due = \"P30D\"\nsent = \"send\"", "unknown field `sent`"),
    ] {
        assert_eq!(GOOD.matches(from).count(), 1, "{from}");
        let text = format!("{HEAD}{WORLD}{}", GOOD.replace(from, to));
        let error = refused(&text);
        assert!(error.message.contains(part), "{to}: {error}");
        let expect = line_of(&text, "[[expect]]");
        assert!((expect..expect + 16).contains(&error.line), "{to}: {error}");
    }
}

#[test]
fn what_is_wrong_in_an_expectation_on_a_batch_is_refused_at_its_line() {
    for (from, to, part) in [
        ("time = \"+1h\"", "time = 2026-05-01T08:59:00Z", "`time` is before"),
        ("time = \"+1h\"\n", "", "missing field `time`"),
        (
            "{ asset = \"car\", flow = \"speed\"",
            "{ asset = \"cat\", flow = \"speed\"",
            "no asset is named `cat`",
        ),
        ("{ asset = \"car\", flow = \"speed\"", "{ asset = \"car\"", "missing field `flow`"),
        (", opened = 2026-05-01T09:00:00Z", "", "missing field `opened`"),
        (", opened = 2026-05-01T09:00:00Z", ", opened = 2026-05-01T09:00:00", "`opened` is not a time"),
        ("09:00:00Z }", "09:00:00Z, station = \"bay\" }", "site/station"),
        ("sent = \"destroy:consent-withdrawn\"", "sent = \"sent\"", "`sent` is send, park:<reason>"),
        ("sent = \"destroy:consent-withdrawn\"", "sent = \"send:erased\"", "`sent` is send, park:<reason>"),
        ("sent = \"destroy:consent-withdrawn\"", "sent = \"park:\"", "no reason has this code"),
        ("sent = \"destroy:consent-withdrawn\"", "signal = \"Vehicle.Speed\"", "unknown field `signal`"),
    ] {
        assert_eq!(GOOD.matches(from).count(), 1, "{from}");
        let text = format!("{HEAD}{WORLD}{}", GOOD.replace(from, to));
        let error = refused(&text);
        assert!(error.message.contains(part), "{to}: {error}");
        let second = text.rfind("[[expect]]").expect("two expectations");
        let line = text[..second].matches('\n').count() + 1;
        assert!((line..line + 4).contains(&error.line), "{to}: {error}");
    }
}

#[test]
fn a_ledger_that_is_refused_is_told_at_the_line_of_its_event() {
    let text = good().replace("valid_until = 2027-05-01T08:30:00Z", "valid_until = 2026-05-01T08:00:00Z");
    let error = refused(&text);
    assert_eq!(error.line, line_of(&text, "[[event]]\nname = \"given\""), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Bytes taken out, doubled and exchanged: read or refused with a line of the file, and what
    /// is read can be run.
    #[test]
    fn a_damaged_file_makes_nothing_panic(
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..40, any::<char>()), 1..6),
    ) {
        let mut text: Vec<char> = good().chars().collect();
        for (place, length, other) in &cuts {
            let start = place.index(text.len());
            let end = (start + length).min(text.len());
            match length % 3 {
                0 => drop(text.drain(start..end)),
                1 => text[start] = *other,
                _ => {
                    let again: Vec<char> = text[start..end].to_vec();
                    text.splice(start..start, again);
                }
            }
        }
        let text: String = text.into_iter().collect();
        let lines = text.matches('\n').count() + 1;
        match Trial::from_toml("t.toml", &text) {
            Ok(trial) => {
                let (first, last) = (1, lines);
                for failure in trial.run(&rules(), &catalogue()) {
                    prop_assert!((first..=last).contains(&failure.line), "{failure}");
                }
            }
            Err(error) => prop_assert!((1..=lines).contains(&error.line), "{error}"),
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,200}") {
        let _ = Trial::from_toml("t.toml", &text);
    }
}

#[test]
fn the_bundle_of_these_tests_names_each_minimiser() {
    for minimiser in ["exact", "bucket-20", "cell-6", "presence", "round-10000", "drop"] {
        assert!(BUNDLE.contains(&format!("\"{minimiser}\"")), "{minimiser}");
    }
}

#[test]
fn what_is_wrong_in_an_expectation_on_what_is_kept_is_refused_at_its_line() {
    let due = "\n[[expect]]\ntime = \"+1h\"\ndue = { asset = \"car\", flow = \"near\", read = \"-1h\" }\nheld = true\n";
    Trial::from_toml("t.toml", &format!("{}{due}", good())).expect("a trial");
    for (from, to, part) in [
        ("held = true", "", "name one of them"),
        ("held = true", "held = true\nat = \"+2h\"", "name one of them"),
        ("held = true", "at = \"later\"", "`at` is not a time"),
        ("held = true", "held = \"yes\"", "expected a boolean"),
        ("held = true", "held = true\nsent = \"send\"", "unknown field `sent`"),
        ("time = \"+1h\"\n", "", "missing field `time`"),
        ("time = \"+1h\"", "time = \"-2h\"", "`time` is before"),
        ("asset = \"car\"", "asset = \"cat\"", "no asset is named `cat`"),
        (", read = \"-1h\"", "", "missing field `read`"),
    ] {
        assert_eq!(due.matches(from).count(), 1, "{from}");
        let text = format!("{}{}", good(), due.replace(from, to));
        let error = refused(&text);
        assert!(error.message.contains(part), "{to}: {error}");
        let line = text[..text.rfind("[[expect]]").expect("three")].matches('\n').count() + 1;
        assert!((line..line + 4).contains(&error.line), "{to}: {error}");
    }
}

#[test]
fn what_is_wrong_in_an_expectation_on_a_message_is_refused_at_its_line() {
    let message =
        "\n[[expect]]\ntime = \"+1h\"\nmessage = \"coach-letter\"\nsubject = \"kari\"\nallowed = true\n";
    Trial::from_toml("t.toml", &format!("{}{message}", good())).expect("a trial");
    for (from, to, part) in [
        ("allowed = true", "", "`allowed = true` or `withheld`"),
        ("allowed = true", "allowed = false", "`allowed = true` or `withheld`"),
        ("allowed = true", "allowed = true\nwithheld = \"erased\"", "`allowed = true` or `withheld`"),
        ("allowed = true", "withheld = \"erazed\"", "no reason has this code"),
        ("allowed = true", "allowed = true\nsimilar = 1", "expected a boolean"),
        ("allowed = true", "allowed = true\nflow = \"near\"", "unknown field `flow`"),
        ("subject = \"kari\"\n", "", "missing field `subject`"),
        ("subject = \"kari\"", "subject = \"karl\"", "no subject is named `karl`"),
        ("message = \"coach-letter\"", "message = \"Coach Letter\"", ""),
        ("time = \"+1h\"", "time = \"then\"", "`time` is not a time"),
    ] {
        assert_eq!(message.matches(from).count(), 1, "{from}");
        let text = format!("{}{}", good(), message.replace(from, to));
        let error = refused(&text);
        assert!(error.message.contains(part), "{to}: {error}");
        let line = text[..text.rfind("[[expect]]").expect("three")].matches('\n').count() + 1;
        assert!((line..line + 5).contains(&error.line), "{to}: {error}");
    }
}
