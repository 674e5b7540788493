//! One line for a log: an error and what caused it.

use std::error::Error;

/// An error and all its causes, outermost first, parted by colons. Our errors never repeat a value, so
/// their chains do not either.
pub fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use thiserror::Error;

    #[derive(Debug, Error)]
    #[error("inside")]
    struct Inner;

    #[derive(Debug, Error)]
    #[error("outside")]
    struct Outer(#[source] Inner);

    #[test]
    fn the_cause_stands_behind_what_it_caused() {
        assert_eq!(chain(&Outer(Inner)), "outside: inside");
        assert_eq!(chain(&Inner), "inside");
    }
}
