//! Who uses a broker and is in no registry: tools, and firms with certificates from elsewhere.

use super::unread;
use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use std::path::Path;
use vernport_mqtt::acl::{Login, Principal};

/// Most entries of a file.
const MAX_ENTRIES: usize = 10_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u16,
    #[serde(default)]
    principal: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// `tool.<site>.<station>.<tool>`, `gateway.<gateway>.<site>` or `operator.<operator>`.
    name: String,
    /// What the broker knows it by: a user name, or the subject of its certificate (RFC 2253).
    login: Option<String>,
}

/// Reads an inventory. Who has no login of its own is known by `usual`.
///
/// # Errors
/// [`crate::link::Unusable`] if it cannot be read; else what is wrong in it, and where.
pub(super) fn read(file: &Path, usual: impl Fn(Principal) -> Result<Login>) -> Result<Vec<Login>> {
    let text = std::fs::read_to_string(file).with_context(|| unread(file.display()))?;
    parse(&text, usual).with_context(|| file.display().to_string())
}

fn parse(text: &str, usual: impl Fn(Principal) -> Result<Login>) -> Result<Vec<Login>> {
    let read: File = toml::from_str(text)?;
    ensure!(read.format == 1, "format {} is not known; write format = 1", read.format);
    ensure!(
        read.principal.len() <= MAX_ENTRIES,
        "more than {MAX_ENTRIES} principals; make two brokers of it"
    );
    let logins = read.principal.into_iter().enumerate().map(|(at, entry)| {
        let entry_is = || format!("[[principal]] number {}", at + 1);
        let principal: Principal = entry.name.parse().with_context(entry_is)?;
        match entry.login {
            Some(login) => Login::new(&login, principal).with_context(entry_is),
            None => usual(principal),
        }
    });
    logins.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Result<Vec<String>> {
        let logins = parse(text, |principal| Ok(Login::by_name(principal)))?;
        Ok(logins.iter().map(|login| format!("{} = {}", login.name(), login.principal())).collect())
    }

    #[test]
    fn an_inventory_names_tools_and_what_they_are_known_by() {
        let text = "format = 1\n[[principal]]\nname = \"tool.north.bay-1.scanner\"\n\
                    [[principal]]\nname = \"operator.a\"\nlogin = \"CN=a,O=Acme\"\n";
        let expected = ["tool.north.bay-1.scanner = tool.north.bay-1.scanner", "CN=a,O=Acme = operator.a"];
        assert_eq!(names(text).expect("an inventory"), expected);
        assert!(names("format = 1").expect("empty").is_empty());
    }

    #[test]
    fn what_is_wrong_in_an_inventory_is_told_with_its_place() {
        let entry =
            |line: &str| format!("format = 1\n[[principal]]\nname = \"operator.a\"\n[[principal]]\n{line}\n");
        for (text, told) in [
            (entry("name = \"scanner\""), "[[principal]] number 2: expected tool."),
            (entry("name = \"operator.+\""), "number 2"),
            (entry("name = \"operator.a\"\nlogin = \"a\\ntopic #\""), "number 2: a login name"),
            (entry("name = \"operator.a\"\nuser = \"a\""), "unknown field"),
            ("format = 2".to_owned(), "write format = 1"),
            ("[[principal]]".to_owned(), "missing field"),
        ] {
            let error = format!("{:#}", names(&text).expect_err(&text));
            assert!(error.contains(told), "{error}");
        }
    }
}
