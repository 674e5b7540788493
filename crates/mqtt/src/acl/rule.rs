//! One right of a principal, and when a filter covers what is asked for.

/// What a rule lets its principal do, or keeps it from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Right {
    /// It never publishes there, whatever another rule says.
    NeverPublish,
    /// It may publish there, but not have it retained.
    Publish,
    /// It may publish there, retained or not.
    Retain,
    /// It may subscribe to whatever the filter covers, and is handed what the filter matches.
    Subscribe,
}

/// One right.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Rule {
    /// What about.
    pub right: Right,
    /// Where: a filter of MQTT (5.0, 4.7), which begins with a word and never with a wildcard.
    pub filter: String,
}

/// Whether one of these rights covers what is asked for.
pub(super) fn has(rules: &[Rule], rights: &[Right], asked: &str) -> bool {
    rules.iter().any(|rule| rights.contains(&rule.right) && covers(&rule.filter, asked))
}

/// Whether they let somebody publish to the topic.
pub(super) fn lets_publish(rules: &[Rule], topic: &str) -> bool {
    is_topic(topic)
        && !has(rules, &[Right::NeverPublish], topic)
        && has(rules, &[Right::Publish, Right::Retain], topic)
}

/// Whether a message may be published to it: not empty, no wildcard, no NUL.
fn is_topic(topic: &str) -> bool {
    !topic.is_empty() && !topic.contains(['+', '#', '\0'])
}

/// Whether `filter` matches every topic that `asked`, a topic or a filter, matches. What is
/// neither is covered by nothing.
fn covers(filter: &str, asked: &str) -> bool {
    if !is_filter(asked) {
        return false;
    }
    let mut filters = filter.split('/');
    let mut levels = asked.split('/');
    loop {
        match (filters.next(), levels.next()) {
            // `a/#` matches `a` too (4.7.1.2).
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(level)) if level != "#" => {}
            (Some(wanted), Some(level)) if wanted == level => {}
            _ => return false,
        }
    }
}

/// `+` is a whole level, `#` is the whole last level.
fn is_filter(text: &str) -> bool {
    let levels: Vec<&str> = text.split('/').collect();
    let last = levels.len() - 1;
    let is_level = |(at, level): (usize, &&str)| match *level {
        "+" => true,
        "#" => at == last,
        level => !level.contains(['+', '#', '\0']),
    };
    !text.is_empty() && levels.iter().enumerate().all(is_level)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The standard's prose for a topic without wildcards.
    fn matches(filter: &[&str], topic: &[&str]) -> bool {
        match (filter, topic) {
            ([], []) => true,
            (["#"], _) => true,
            ([], _) | (_, []) => false,
            ([f, fs @ ..], [t, ts @ ..]) => (*f == "+" || f == t) && matches(fs, ts),
        }
    }

    fn levels(text: &str) -> Vec<&str> {
        text.split('/').collect()
    }

    proptest! {
        #[test]
        fn what_is_covered_matches_nothing_beyond(
            filter in "[ab+](/[ab+]){0,3}(/#)?",
            asked in "[ab+](/[ab+]){0,3}(/#)?",
            topic in "[ab](/[ab]){0,4}",
        ) {
            let both = matches(&levels(&asked), &levels(&topic));
            if covers(&filter, &asked) && both {
                prop_assert!(matches(&levels(&filter), &levels(&topic)));
            }
            prop_assert_eq!(covers(&filter, &topic), matches(&levels(&filter), &levels(&topic)));
        }

        #[test]
        fn what_is_not_covered_matches_something_beyond(
            filter in "[ab+](/[ab+]){0,2}(/#)?",
            asked in "[ab+](/[ab+]){0,2}(/#)?",
        ) {
            // Each wildcard of what is asked for, as levels that no rule names.
            let beyond = ["c", "c/c", "c/c/c/c/c"].map(|deep| {
                let tail = if asked.ends_with("/#") { asked.replace("/#", &format!("/{deep}")) } else { asked.clone() };
                tail.replace('+', "c")
            });
            let parent = asked.trim_end_matches("/#").replace('+', "c");
            let all = beyond.iter().chain([&parent]).all(|topic| matches(&levels(&filter), &levels(topic)));
            prop_assert_eq!(covers(&filter, &asked), all, "{} {}", filter, asked);
        }
    }
}
