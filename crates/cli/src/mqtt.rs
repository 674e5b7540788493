//! `vernport mqtt acl|crl|try`: rules and revoked certificates for a broker of another maker, and what
//! comes of the payloads of a tool.

mod attempt;
mod clients;
mod crl;
mod inventory;

use crate::{
    args::{self, AclFormat},
    bundle::replace,
    link::Unusable,
};
use anyhow::{Context as _, Result, bail};
use clients::Clients;
use std::{collections::BTreeSet, io::Write as _};
use vernport_mqtt::acl;

/// Carries out one of them.
///
/// # Errors
/// [`Unusable`]; if clients cannot be told apart; if the file to check does not fit; and if a payload would be
/// refused.
pub async fn run(args: args::Mqtt) -> Result<()> {
    match args {
        args::Mqtt::Acl(args) => {
            let clients = Clients::gather(&args).await?;
            let text = match args.format {
                AclFormat::Mosquitto => acl::mosquitto(&clients.comment, &clients.logins),
                AclFormat::Emqx => acl::emqx(&clients.comment, &clients.logins),
            };
            if let Some(file) = &args.check {
                let there = std::fs::read_to_string(file).with_context(|| unread(file.display()))?;
                return check(&there, &text);
            }
            match &args.out {
                Some(file) => {
                    replace(file, text.as_bytes())?;
                    print(&format!("{}: rules of {} clients", file.display(), clients.logins.len()));
                }
                None => print(text.trim_end()),
            }
            Ok(())
        }
        args::Mqtt::Try(args) => attempt::run(&args),
        args::Mqtt::Crl(args) => {
            let (pem, count) = crl::list(&args)?;
            replace(&args.out, pem.as_bytes())?;
            print(&format!(
                "{}: {count} certificates are revoked, for {} days",
                args.out.display(),
                args.days
            ));
            Ok(())
        }
    }
}

/// Says which rules came or went since a file was written.
fn check(there: &str, now: &str) -> Result<()> {
    let (old, new) = (acl::without_comments(there), acl::without_comments(now));
    if old == new {
        print("the file fits");
        return Ok(());
    }
    let (old, new) = (by_user(&old), by_user(&new));
    for gone in old.difference(&new) {
        print(&format!("- {gone}"));
    }
    for missing in new.difference(&old) {
        print(&format!("+ {missing}"));
    }
    bail!("the file does not fit any more; write it anew with --out, and start the broker again")
}

/// Each rule with the user that it stands under, where the format has it so.
fn by_user(lines: &[&str]) -> BTreeSet<String> {
    let mut user = "";
    let mut rules = BTreeSet::new();
    for line in lines {
        if let Some(name) = line.strip_prefix("user ") {
            user = name;
        } else if user.is_empty() {
            rules.insert((*line).to_owned());
        } else {
            rules.insert(format!("{user}: {line}"));
        }
    }
    rules
}

fn unread(what: impl std::fmt::Display) -> Unusable {
    Unusable(format!("{what}: cannot be used"))
}

/// The answer of the command. Whoever reads it may stop early: a closed pipe is no fault.
fn print(line: &str) {
    let _closed = writeln!(std::io::stdout().lock(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_fits_whatever_its_comments_say() {
        let rules = "# of yesterday\ntopic deny #\n\nuser operator.a\ntopic read vernport/v1/fleet/a/#\n";
        assert!(check(rules, &rules.replace("yesterday", "today")).is_ok());
        for other in [
            rules.replace("operator.a", "operator.b"),
            rules.replace("topic read", "topic write"),
            String::new(),
        ] {
            assert!(check(&other, rules).is_err(), "{other}");
        }
        // The same lines under another user are other rules.
        let (a, b) =
            ("user a\ntopic read x\nuser b\ntopic read y", "user b\ntopic read x\nuser a\ntopic read y");
        assert!(check(a, b).is_err());
    }
}
