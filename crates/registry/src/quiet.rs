//! Parser messages without the values that they quote: a member that holds
//! what it should not is named, its content is not repeated.

/// The message of a parser with every quoted value taken out.
///
/// serde writes a value it did not expect as `invalid type: <value>, expected …`,
/// `invalid value: <value>, expected …` or ``unknown variant `<value>`, expected …``.
pub(crate) fn quiet(message: &str) -> String {
    for start in ["invalid type: ", "invalid value: ", "unknown variant "] {
        let Some(begin) = message.find(start) else { continue };
        // The last one: the value itself may hold the word.
        let Some(end) = message.rfind(", expected") else { break };
        if begin + start.len() <= end {
            return format!("{}{}…{}", &message[..begin], start, &message[end..]);
        }
    }
    message.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_goes_and_the_rest_stays() {
        assert_eq!(
            quiet("invalid type: string \"01019012345, expected\", expected i64 at line 1 column 9"),
            "invalid type: …, expected i64 at line 1 column 9"
        );
        assert_eq!(
            quiet("linked: unknown variant `anna`, expected one of `owner`, `driver`"),
            "linked: unknown variant …, expected one of `owner`, `driver`"
        );
        assert_eq!(quiet("missing field `subject`"), "missing field `subject`");
        assert_eq!(quiet("unknown field `name`, expected `asset`"), "unknown field `name`, expected `asset`");
    }
}
