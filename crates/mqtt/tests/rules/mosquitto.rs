//! A reader of mosquitto's `acl_file`, after its manual page: topics before the first user are for
//! connections without a name, `deny` goes before everything, what is not listed is refused. A
//! subscription is never refused; what it would bring is checked message by message.

use crate::{levels, matches};

/// One `topic` line.
struct Line {
    user: Option<String>,
    access: String,
    filter: String,
}

pub(crate) struct AclFile(Vec<Line>);

impl AclFile {
    pub(crate) fn read(text: &str) -> Self {
        let mut user = None;
        let mut lines = Vec::new();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some(name) = line.strip_prefix("user ") {
                user = Some(name.to_owned());
            } else {
                let rest = line.strip_prefix("topic ").unwrap_or_else(|| panic!("not a rule: {line}"));
                let (access, filter) = rest.split_once(' ').expect("access and topic");
                assert!(["deny", "read", "write"].contains(&access), "{line}");
                lines.push(Line { user: user.clone(), access: access.to_owned(), filter: filter.to_owned() });
            }
        }
        Self(lines)
    }

    pub(crate) fn may_write(&self, user: Option<&str>, topic: &str) -> bool {
        self.may("write", user, topic)
    }

    pub(crate) fn may_read(&self, user: Option<&str>, topic: &str) -> bool {
        self.may("read", user, topic)
    }

    fn may(&self, access: &str, user: Option<&str>, topic: &str) -> bool {
        let fits = |wanted: &str| {
            let of_user = self.0.iter().filter(|line| line.user.as_deref() == user && line.access == wanted);
            let mut of_user = of_user.filter(|line| !topic.starts_with('$') || line.filter.starts_with('$'));
            of_user.any(|line| matches(&levels(&line.filter), &levels(topic)))
        };
        !fits("deny") && fits(access)
    }
}
