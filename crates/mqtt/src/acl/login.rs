//! The name that a broker knows a client by, and who that is.

use super::Principal;
use thiserror::Error;

/// The longest name, in bytes.
const MAX_NAME_BYTES: usize = 256;

/// Why a name cannot stand in a broker's rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "a login name has 1 to {MAX_NAME_BYTES} printable ASCII characters, none of them '+', '#' or a quotation mark, and no space at its ends"
)]
pub struct LoginError;

/// A login, and the principal that it is. Sorted by name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Login {
    name: String,
    principal: Principal,
}

impl Login {
    /// A login by a name of the broker's choice, such as the subject of a certificate.
    ///
    /// # Errors
    /// [`LoginError`]: brokers read rules line by line and quote by quote, and refuse
    /// to look up names with wildcards.
    pub fn new(name: &str, principal: Principal) -> Result<Self, LoginError> {
        let is_printed = name.bytes().all(|byte| matches!(byte, b' '..=b'~') && !b"+#\"".contains(&byte));
        if !is_printed || name.is_empty() || name.len() > MAX_NAME_BYTES || name.trim() != name {
            return Err(LoginError);
        }
        Ok(Self { name: name.to_owned(), principal })
    }

    /// A login by the principal's own name: as user name, or as common name of a certificate.
    pub fn by_name(principal: Principal) -> Self {
        // Slugs and dots.
        Self { name: principal.to_string(), principal }
    }

    /// The name that the broker sees.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Who it is.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }
}

impl PartialOrd for Login {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Login {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let key = |login: &Self| (login.name.clone(), login.principal.to_string());
        key(self).cmp(&key(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_write_a_rule_of_its_own() {
        let who: Principal = "operator.a".parse().expect("a principal");
        assert_eq!(Login::by_name(who.clone()).name(), "operator.a");
        assert!(Login::new("O=NO-999999999,OU=recipient,CN=a", who.clone()).is_ok());
        assert!(Login::new(r"O=Acme\, Inc,CN=a", who.clone()).is_ok());
        let long = "a".repeat(MAX_NAME_BYTES + 1);
        for bad in ["", " a", "a ", "a\ntopic #", "a\r", "a\"b", "a+b", "#", "\u{e5}", "a\0", &long] {
            assert_eq!(Login::new(bad, who.clone()), Err(LoginError), "{bad:?}");
        }
    }
}
