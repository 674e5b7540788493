//! The rules of principals as foreign brokers read them: an `acl_file` of
//! mosquitto, an `acl.conf` of EMQX 5.
//!
//! - Whoever is not named may nothing, and a file that names nobody allows nothing.
//! - The same logins give the same bytes; comments come from the caller.
//! - mosquitto 2.0 looks at a subscription when it delivers and not when it is made, and
//!   not at all at whether a message is to be retained; EMQX looks at all three at once.

use super::{Login, Right};
use std::{collections::BTreeSet, fmt::Write as _};

/// An `acl_file` of mosquitto, with these lines of comment at its head.
pub fn mosquitto(comment: &[String], logins: &BTreeSet<Login>) -> String {
    let mut text = String::new();
    for line in comment {
        let _ = writeln!(text, "# {}", one_line(line));
    }
    // For connections without a name, which no listener of ours lets in. And a file without a rule
    // is none to mosquitto.
    text.push_str("topic deny #\n");
    for login in logins {
        let _ = writeln!(text, "\nuser {}", login.name());
        for rule in login.rules() {
            let access = match rule.right {
                Right::NeverPublish => "deny",
                Right::Publish | Right::Retain => "write",
                Right::Subscribe => "read",
            };
            let _ = writeln!(text, "topic {access} {}", rule.filter);
        }
    }
    text
}

/// An `acl.conf` of EMQX 5, with these lines of comment at its head. Rules are read in order, the first that fits counts.
pub fn emqx(comment: &[String], logins: &BTreeSet<Login>) -> String {
    let mut text = String::new();
    for line in comment {
        let _ = writeln!(text, "%% {}", one_line(line));
    }
    for login in logins {
        let name = login.name().replace('\\', "\\\\");
        text.push('\n');
        for rule in login.rules() {
            let (verdict, action) = match rule.right {
                Right::NeverPublish => ("deny", "publish"),
                Right::Publish => ("allow", "{publish, [{retain, false}]}"),
                Right::Retain => ("allow", "publish"),
                Right::Subscribe => ("allow", "subscribe"),
            };
            let filter = rule.filter;
            let _ = writeln!(text, "{{{verdict}, {{username, \"{name}\"}}, {action}, [\"{filter}\"]}}.");
        }
    }
    text.push_str("\n{deny, all}.\n");
    text
}

/// What of such a file counts: its rules, without comments and empty lines.
pub fn without_comments(text: &str) -> Vec<&str> {
    let lines = text.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#') && !line.starts_with('%')).collect()
}

/// A comment cannot go on as a rule.
fn one_line(comment: &str) -> String {
    comment.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logins() -> BTreeSet<Login> {
        let names = ["tool.north.bay-1.scanner", "operator.a", "gateway.box-1.north"];
        names.iter().map(|name| by_name(name)).collect()
    }

    fn by_name(name: &str) -> Login {
        Login::by_name(name.parse().expect("a principal"))
    }

    #[test]
    fn the_files_keep_their_bytes() {
        let comment = ["registry of NO-999999999".to_owned(), "a\nuser b".to_owned()];
        let slug = |text: &str| text.parse().expect("a slug");
        let expected = concat!(
            "# registry of NO-999999999\n# a user b\ntopic deny #\n",
            "\nuser gateway.box-1.north\n",
            "topic deny vernport/v1/fleet/+/+/+/delete\n",
            "topic deny vernport/v1/fleet/+/+/+/deleted\n",
            "topic write vernport/v1/fleet/+/+/+/+\n",
            "topic write vernport/v1/gateway/box-1/status\n",
            "topic write vernport/v1/tool/north/+/+/result\n",
            "topic read vernport/v1/tool/north/+/+/reading\n",
            "topic read vernport/v1/tool/north/+/+/reading.postcard\n",
            "\nuser operator.a\n",
            "topic write vernport/v1/fleet/a/+/+/deleted\n",
            "topic read vernport/v1/fleet/a/#\n",
            "\nuser tool.north.bay-1.scanner\n",
            "topic write vernport/v1/tool/north/bay-1/scanner/reading\n",
            "topic write vernport/v1/tool/north/bay-1/scanner/reading.postcard\n",
            "topic read vernport/v1/tool/north/bay-1/scanner/result\n",
        );
        assert_eq!(mosquitto(&comment, &logins()), expected);
        let streams = [(slug("a"), slug("eco")), (slug("a"), slug("service"))];
        let narrow = by_name("gateway.box-1.north").publishing(streams.into());
        let narrow: BTreeSet<Login> =
            [narrow, by_name("operator.a"), by_name("tool.north.bay-1.scanner")].into();
        let streams =
            "topic write vernport/v1/fleet/a/eco/+/+\ntopic write vernport/v1/fleet/a/service/+/+\n";
        let expected = expected.replace("topic write vernport/v1/fleet/+/+/+/+\n", streams);
        assert_eq!(mosquitto(&comment, &narrow), expected);
        let of_a: BTreeSet<Login> =
            logins().into_iter().filter(|login| login.name() == "operator.a").collect();
        let expected = concat!(
            "%% registry of NO-999999999\n%% a user b\n",
            "\n{allow, {username, \"operator.a\"}, {publish, [{retain, false}]}, [\"vernport/v1/fleet/a/+/+/deleted\"]}.\n",
            "{allow, {username, \"operator.a\"}, subscribe, [\"vernport/v1/fleet/a/#\"]}.\n",
            "\n{deny, all}.\n",
        );
        assert_eq!(emqx(&comment, &of_a), expected);
    }

    #[test]
    fn comments_and_empty_lines_do_not_count() {
        let text = mosquitto(&["of yesterday".into()], &logins());
        let other = mosquitto(&["of today".into(), "and more".into()], &logins()) + "\n\n";
        assert_eq!(without_comments(&text), without_comments(&other));
        assert_eq!(without_comments(&emqx(&["x".into()], &BTreeSet::new())), ["{deny, all}."]);
    }
}
