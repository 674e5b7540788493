//! Tests that a document names: each is in the crate or suite that stands before it, so that nobody looks
//! for a promise in vain.

/// Which document names tests.
const DOCUMENT: &str = "tests/README.md";

/// Tests that the document names and no source of their crate or suite holds.
pub(crate) fn findings(sources: &[(&str, &str)]) -> Vec<String> {
    let Some((_, document)) = sources.iter().find(|(file, _)| *file == DOCUMENT) else {
        return vec![format!("{DOCUMENT} is not there")];
    };
    let mut findings = Vec::new();
    for (line, number) in document.lines().zip(1..) {
        let mut place = None;
        // Every second part stands between back quotes.
        for word in line.split('`').skip(1).step_by(2) {
            if is_test(word) {
                if !place.is_some_and(|place| is_held(sources, place, word)) {
                    let place = place.unwrap_or("no crate or suite");
                    findings.push(format!(
                        "{DOCUMENT}:{number} names the test {word} of {place}: it is not there"
                    ));
                }
            } else if sources.iter().any(|(file, _)| is_in(file, word)) {
                place = Some(word);
            }
        }
    }
    findings
}

/// A sentence in the form of a name; "…" stands for the end of it.
fn is_test(word: &str) -> bool {
    let name = word.trim_end_matches('…');
    (name.matches('_').count() >= 3 || name != word)
        && name.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '_')
}

/// Whether a file belongs to the crate or suite of that name.
fn is_in(file: &str, place: &str) -> bool {
    !place.is_empty()
        && [format!("crates/{place}/"), format!("tests/{place}/"), format!("{place}/")]
            .iter()
            .any(|folder| file.starts_with(folder))
}

fn is_held(sources: &[(&str, &str)], place: &str, test: &str) -> bool {
    let name = match test.strip_suffix('…') {
        Some(begins) => format!("fn {begins}"),
        None => format!("fn {test}("),
    };
    sources.iter().any(|(file, text)| file.ends_with(".rs") && is_in(file, place) && text.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCES: [(&str, &str); 2] = [
        ("crates/spool/tests/order.rs", "fn nothing_is_lost_in_it() {}"),
        ("tests/pipeline/whole.rs", "async fn all_of_it_arrives_once(bed: Bed) {}"),
    ];

    fn of(document: &str) -> usize {
        findings(&[&SOURCES[..], &[(DOCUMENT, document)]].concat()).len()
    }

    #[test]
    fn a_test_is_found_in_its_crate_or_suite_and_by_its_beginning() {
        assert_eq!(of("| `spool` `nothing_is_lost_in_it`; `pipeline` `all_of_it_arrives_once` |"), 0);
        assert_eq!(of("`spool` `nothing_is_…` and `CI`, `cargo xtask`, `one_more_word`, `VERNPORT_SEED`"), 0);
    }

    #[test]
    fn a_test_that_is_not_there_or_elsewhere_is_named() {
        assert_eq!(of("`spool` `nothing_is_lost_there`, `all_of_it_arrives_once`"), 2);
        assert_eq!(of("`nothing_is_lost_in_it` of no place"), 1);
        assert_eq!(findings(&SOURCES).len(), 1, "no document");
    }
}
