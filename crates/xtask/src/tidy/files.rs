//! What every file keeps to.

/// The longest Rust file, in lines: one idea each.
const MAX_LINES: usize = 500;

/// What may lie at the top of the repository.
const TOP_LEVEL: [&str; 20] = [
    ".cargo",
    ".ci",
    ".clippy.toml",
    ".config",
    ".deny.toml",
    ".gitattributes",
    ".gitignore",
    ".rustfmt.toml",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "SECURITY.md",
    "benches",
    "config",
    "crates",
    "firmware-bridge",
    "tests",
];

/// Words of code that is not finished or switched off. Written in two halves,
/// so that this file does not hold them.
const UNFINISHED: [[&str; 2]; 5] =
    [["to", "do!("], ["unimple", "mented!("], ["#[ig", "nore"], ["FIX", "ME"], ["XX", "X"]];

/// Registries' hosts: a build must not depend on where packages come from.
const HOSTS: [[&str; 2]; 5] =
    [["index.cra", "tes"], ["static.cra", "tes"], [".debian", ".org"], [".npm", "js"], ["pypi", ".org"]];

/// Folders of one machine. A path into them begins a word.
const MACHINE_FOLDERS: [[&str; 2]; 5] =
    [["/ho", "me/"], ["/ro", "ot/"], ["/tm", "p/"], ["/wo", "rk/"], ["/fa", "rm/"]];

/// What lies at the top and should not.
pub(crate) fn top_level(files: &[String]) -> Vec<String> {
    let mut tops: Vec<&str> = files.iter().filter_map(|file| file.split('/').next()).collect();
    tops.dedup();
    tops.retain(|top| !TOP_LEVEL.contains(top));
    tops.iter().map(|top| format!("{top} does not belong at the top of the repository")).collect()
}

/// What is wrong with one file.
pub(crate) fn findings(file: &str, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    if file.ends_with(".lock") {
        return findings;
    }
    if file.ends_with(".rs") {
        if !text.starts_with("//!") {
            findings.push(format!("{file} does not open with //! (what it is, what it promises)"));
        }
        let lines = text.lines().count();
        if lines > MAX_LINES {
            findings.push(format!("{file} has {lines} lines, more than {MAX_LINES}; one idea a file"));
        }
    }
    for (line, number) in text.lines().zip(1..) {
        for [first, second] in UNFINISHED.iter().chain(&HOSTS) {
            let word = format!("{first}{second}");
            if line.contains(&word) {
                findings.push(format!("{file}:{number} holds '{word}'"));
            }
        }
        if let Some(folder) =
            MACHINE_FOLDERS.iter().map(|halves| halves.concat()).find(|it| names_path(line, it))
        {
            findings.push(format!("{file}:{number} holds a path of one machine, under {folder}"));
        }
    }
    findings
}

/// Whether a line holds an absolute path under this folder: nothing of a word
/// or a longer path before it, a name after it.
fn names_path(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + folder.len()..].chars().next();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '.')
            && after.is_some_and(char::is_alphanumeric)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> usize {
        findings("crates/a/src/lib.rs", &format!("//! A.\n{text}\n")).len()
    }

    #[test]
    fn a_rust_file_opens_with_its_header_and_ends_in_time() {
        assert_eq!(findings("a.rs", "use std;\n").len(), 1);
        assert_eq!(findings("a.rs", "//! A.\n"), [""; 0]);
        assert_eq!(findings("a.md", "# A\n"), [""; 0]);
        let long = format!("//! A.\n{}", "\n".repeat(MAX_LINES));
        assert_eq!(findings("a.rs", &long).len(), 1);
        assert_eq!(findings("a.rs", &long[..long.len() - 1]), [""; 0]);
    }

    #[test]
    fn unfinished_code_hosts_and_machine_paths_are_found_by_line() {
        for [first, second] in UNFINISHED.iter().chain(&HOSTS) {
            assert_eq!(found(&format!("x {first}{second} y")), 1, "{first}{second}");
        }
        for [first, second] in MACHINE_FOLDERS {
            let folder = format!("{first}{second}");
            assert_eq!(found(&format!("open(\"{folder}a\")")), 1, "{folder}");
            assert_eq!(found(&format!("a{folder}b")), 0, "part of a longer path");
            assert_eq!(found(&format!("..{folder}b")), 0, "a relative path");
            assert_eq!(found(&format!("{folder}<name>")), 0, "no real path");
        }
        let [first, second] = UNFINISHED[0];
        let text = format!("//! A.\n\n{first}{second}");
        assert!(findings("a.rs", &text)[0].starts_with("a.rs:3 "));
    }

    #[test]
    fn the_top_holds_only_what_belongs_there() {
        let files = ["Cargo.toml", "crates/a/src/lib.rs", "docs/a.md", "docs/b.md", "notes.txt"];
        let found = top_level(&files.map(str::to_owned));
        assert_eq!(found.len(), 2);
        assert!(found[0].starts_with("docs ") && found[1].starts_with("notes.txt "));
    }
}
