//! Topic names and filters (MQTT 5.0, 4.7): what is valid, and what matches.
//!
//! The codec's own `matches` looks at the first byte of a topic as if it were
//! ASCII and lets no filter match a topic that starts with `$`, so the rules
//! stand here once more, as the standard has them.

/// The longest topic or filter, in bytes of UTF-8.
pub const MAX_TOPIC_BYTES: usize = 1024;

/// Whether a message may be published to it: not empty, no wildcard, no NUL.
pub fn is_topic(topic: &str) -> bool {
    (1..=MAX_TOPIC_BYTES).contains(&topic.len()) && !topic.contains(['+', '#', '\0'])
}

/// Whether it may be subscribed to: `+` is a whole level, `#` is the whole last level.
pub fn is_filter(filter: &str) -> bool {
    if !(1..=MAX_TOPIC_BYTES).contains(&filter.len()) || filter.contains('\0') {
        return false;
    }
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        let alone = match level {
            "+" => true,
            "#" => levels.peek().is_none(),
            _ => !level.contains(['+', '#']),
        };
        if !alone {
            return false;
        }
    }
    true
}

/// Whether a valid filter matches a valid topic. A filter that starts with a
/// wildcard does not match a topic that starts with `$` (4.7.2); `a/#` matches
/// `a` too (4.7.1.2).
pub fn matches(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut filters = filter.split('/');
    let mut topics = topic.split('/');
    loop {
        match (filters.next(), topics.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(wanted), Some(level)) if wanted == level => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The standard's prose, level by level, without cleverness.
    fn naive(filter: &[&str], topic: &[&str]) -> bool {
        match (filter, topic) {
            ([], []) => true,
            (["#"], _) => true,
            ([], _) | (_, []) => false,
            ([f, fs @ ..], [t, ts @ ..]) => (*f == "+" || f == t) && naive(fs, ts),
        }
    }

    fn level() -> impl Strategy<Value = String> {
        prop_oneof!["[ab]{0,2}", Just("$a".to_owned()), Just("å".to_owned())]
    }

    fn filter_level() -> impl Strategy<Value = String> {
        prop_oneof![3 => level(), 2 => Just("+".to_owned()), 1 => Just("#".to_owned())]
    }

    proptest! {
        #[test]
        fn matching_agrees_with_the_naive_matcher(
            filter in prop::collection::vec(filter_level(), 1..5),
            topic in prop::collection::vec(level(), 1..5),
        ) {
            let (text, name) = (filter.join("/"), topic.join("/"));
            prop_assume!(is_filter(&text) && is_topic(&name));
            let hidden = name.starts_with('$') && (text.starts_with('+') || text.starts_with('#'));
            let levels: Vec<&str> = filter.iter().map(String::as_str).collect();
            let names: Vec<&str> = topic.iter().map(String::as_str).collect();
            prop_assert_eq!(matches(&text, &name), !hidden && naive(&levels, &names));
        }

        #[test]
        fn any_two_texts_can_be_compared(filter in ".{0,20}", topic in ".{0,20}") {
            let _ = (is_filter(&filter), is_topic(&topic), matches(&filter, &topic));
        }
    }

    #[test]
    fn the_examples_of_the_standard_hold() {
        for (filter, topic, expected) in [
            ("sport/tennis/player1/#", "sport/tennis/player1", true),
            ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true),
            ("sport/tennis/+", "sport/tennis/player1/ranking", false),
            ("sport/+", "sport", false),
            ("sport/+", "sport/", true),
            ("+/+", "/finance", true),
            ("/+", "/finance", true),
            ("+", "/finance", false),
            ("#", "$SYS/monitor", false),
            ("+/monitor", "$SYS/monitor", false),
            ("$SYS/#", "$SYS/monitor", true),
        ] {
            assert_eq!(matches(filter, topic), expected, "{filter} {topic}");
        }
        for bad in ["", "sport/tennis#", "sport/#/ranking", "sport+", "a/+b", "a\0"] {
            assert!(!is_filter(bad), "{bad}");
        }
        for bad in ["", "a/+", "#", "a\0"] {
            assert!(!is_topic(bad), "{bad}");
        }
    }
}
