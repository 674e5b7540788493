//! Promises and rules, held against each other.

use crate::{BUNDLE, CLAUSES, NOW, change, found, found_at, named};
use proptest::prelude::*;
use vernport_review::{
    coverage::{Clauses, Counts, Test},
    lint::Known,
};

#[test]
fn clauses_are_counted_by_how_they_are_kept() {
    let counts = found(BUNDLE, CLAUSES).counts;
    let expected = Counts {
        clauses: 5,
        enforced: 4,
        covered: 3,
        due_later: 1,
        open: 0,
        supported: 1,
        organisational: 0,
    };
    assert_eq!(counts, expected);
}

#[test]
fn a_promise_without_a_rule_is_open() {
    for (old, new, what) in [
        ("status = \"due-later\"", "status = \"supported\"", "neither covered nor due later"),
        ("rules = [\"notice.small-1\"]\ntests", "tests", "no rule is named"),
        (
            "rules = [\"notice.small-1\"]",
            "rules = [\"notice.small-1\", \"flow.gone\"]",
            "no rule `flow.gone`",
        ),
        (
            "rules = [\"notice.small-1\"]",
            "rules = [\"notice.small-1\", \"parameter.gone\"]",
            "no rule `parameter.gone`",
        ),
    ] {
        let findings = found(BUNDLE, &change(CLAUSES, old, new));
        let promise = findings.all.iter().find(|finding| finding.id == "promise-without-rule");
        assert!(promise.is_some_and(|finding| finding.what.contains(what)), "{what}: {:?}", named(&findings));
        assert_eq!(findings.counts.open, 1, "{what}");
    }
}

#[test]
fn a_rule_without_a_promise_is_found_and_an_unused_one_is_called_so() {
    for (rule, finding) in [
        ("\"retention.year\", ", "rule-without-promise retention.year"),
        (", \"flow.partner\"", "rule-without-promise flow.partner"),
        ("\"controller\", ", "rule-without-promise controller"),
        (", \"hold.dispute\"", "rule-without-promise hold.dispute"),
    ] {
        assert_eq!(named(&found(BUNDLE, &change(CLAUSES, rule, ""))), [finding]);
    }
    let more = "[[retention]]\nid = \"idle\"\nstart = \"reading\"\nperiod = \"P1D\"\nat_most = \"P1D\"\nclauses = [\"S-4\"]\n";
    assert_eq!(named(&found(&format!("{BUNDLE}{more}"), CLAUSES)), ["unused-retention retention.idle"]);
    let more = "[[recipient]]\nid = \"idle\"\nname = \"I\"\nrole = \"controller\"\nregion = \"NO\"\nclauses = [\"S-1\"]\n";
    assert_eq!(named(&found(&format!("{BUNDLE}{more}"), CLAUSES)), ["unused-recipient recipient.idle"]);
    // A refusal names its clause itself; one that nobody wrote is none.
    let unknown = change(
        BUNDLE,
        "reason = \"restricted\"\nclause = \"S-5\"",
        "reason = \"restricted\"\nclause = \"S-55\"",
    );
    assert_eq!(
        named(&found(&unknown, CLAUSES)),
        ["rule-without-promise refusal.restricted", "unknown-clause refusal.restricted"]
    );
}

#[test]
fn a_test_that_is_not_there_makes_its_clause_open() {
    let missing = |test: &Test| if test.to_string().contains("S-2") { Known::Missing } else { Known::There };
    let findings = found_at(BUNDLE, Some(CLAUSES), NOW, &missing);
    assert_eq!(named(&findings), ["test-missing S-2"]);
    assert_eq!((findings.counts.covered, findings.counts.open), (2, 1));
    let findings = found(BUNDLE, &change(CLAUSES, "tests = [\"tests/S-2.toml\"]\n", ""));
    assert_eq!(named(&findings), ["test-missing S-2"]);
    // Where nobody can tell, nothing is claimed.
    assert_eq!(named(&found_at(BUNDLE, Some(CLAUSES), NOW, &|_| Known::Unknown)), [""; 0]);
}

#[test]
fn a_bundle_without_a_list_of_clauses_says_so() {
    let findings = found_at(BUNDLE, None, NOW, &|_| Known::There);
    assert_eq!(named(&findings), ["clauses-missing controller"]);
    assert_eq!(findings.counts, Counts::default());
}

#[test]
fn a_broken_list_is_refused_with_its_line_and_a_remedy() {
    for (old, new, said) in [
        ("status = \"due-later\"", "status = \"later\"", "clauses.toml:22: unknown variant `later`"),
        ("id = \"S-5\"", "id = \"S-4\"", "clauses.toml:24: clause S-4 stands twice; join the two"),
        (
            "tests/S-2.toml",
            "../S-2.toml",
            "clauses.toml:7: `../S-2.toml` is no test; write tests/<name>.toml",
        ),
        ("tests/S-2.toml", "/tests/S-2.toml", "is no test"),
        ("tests/S-2.toml", "s_2", "`s_2` is no test"),
        ("class = \"E/S\"", "class = \"S/E\"", "unknown variant `S/E`"),
        ("class = \"E/S\"", "class = \"E/S\"\nwhy = 1", "unknown field `why`"),
    ] {
        let error =
            Clauses::from_toml("clauses.toml", &change(CLAUSES, old, new)).expect_err(said).to_string();
        assert!(error.contains(said), "{error}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(cut in 0..CLAUSES.len(), noise in ".{0,40}", far in 0..CLAUSES.len()) {
        let broken = format!("{}{noise}{}", &CLAUSES[..cut.min(far)], &CLAUSES[far..]);
        let _ = Clauses::from_toml("clauses.toml", &broken);
        let _ = Clauses::from_toml("clauses.toml", &noise);
    }
}
