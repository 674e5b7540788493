//! A reader of EMQX's `acl.conf`, after its documentation: rules in order, the first that fits counts. A
//! subscription is matched as if it were a topic, so that `+` in a rule covers `#` at its end.

use crate::levels;

enum Action {
    Publish,
    PublishUnretained,
    Subscribe,
}

struct Rule {
    allow: bool,
    /// None: everybody, everything.
    about: Option<(String, Action, String)>,
}

pub(crate) struct AclConf(Vec<Rule>);

impl AclConf {
    pub(crate) fn read(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with("%%"));
        Self(lines.map(rule).collect())
    }

    pub(crate) fn may_publish(&self, user: &str, topic: &str, retained: bool) -> bool {
        self.first(user, topic, |action| match action {
            Action::Publish => true,
            Action::PublishUnretained => !retained,
            Action::Subscribe => false,
        })
    }

    pub(crate) fn may_subscribe(&self, user: &str, filter: &str) -> bool {
        self.first(user, filter, |action| matches!(action, Action::Subscribe))
    }

    fn first(&self, user: &str, asked: &str, fits: impl Fn(&Action) -> bool) -> bool {
        let fitting = self.0.iter().find(|rule| match &rule.about {
            None => true,
            Some((name, action, filter)) => {
                name == user && fits(action) && words_match(&levels(asked), &levels(filter))
            }
        });
        fitting.expect("the last rule is for everybody").allow
    }
}

fn words_match(asked: &[&str], filter: &[&str]) -> bool {
    match (asked, filter) {
        ([], []) => true,
        ([a, asked @ ..], [f, filter @ ..]) if a == f || *f == "+" => words_match(asked, filter),
        (_, ["#"]) => true,
        _ => false,
    }
}

/// `{allow, {username, "x"}, subscribe, ["f"]}.`, with `\\` for a backslash in names.
fn rule(line: &str) -> Rule {
    let inner = line.strip_prefix('{').and_then(|line| line.strip_suffix("}.")).expect("a tuple");
    let (verdict, rest) = inner.split_once(", ").expect("a verdict");
    let allow = verdict == "allow";
    assert!(allow || verdict == "deny", "{line}");
    if rest == "all" {
        return Rule { allow, about: None };
    }
    let rest = rest.strip_prefix("{username, \"").expect("a user");
    let (name, rest) = rest.split_once("\"}, ").expect("a name");
    let (action, filter) = rest.rsplit_once(", [\"").expect("an action");
    let action = match action {
        "publish" => Action::Publish,
        "{publish, [{retain, false}]}" => Action::PublishUnretained,
        "subscribe" => Action::Subscribe,
        other => panic!("no action: {other}"),
    };
    let filter = filter.strip_suffix("\"]").expect("one topic");
    Rule { allow, about: Some((name.replace("\\\\", "\\"), action, filter.to_owned())) }
}
