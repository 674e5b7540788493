//! The name that a broker knows a client by, and who that is.

use super::{Principal, Right, Rule, rule::lets_publish};
use std::collections::BTreeSet;
use thiserror::Error;
use vernport_types::Slug;

/// The longest name, in bytes.
const MAX_NAME_BYTES: usize = 256;

/// Why a name cannot stand in a broker's rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "a login name has 1 to {MAX_NAME_BYTES} printable ASCII characters, none of them '+', '#' or a quotation mark, and no space at its ends"
)]
pub struct LoginError;

/// A login, the principal that it is, and what is known of it that its name does not say. Sorted by name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Login {
    name: String,
    principal: Principal,
    publishes: Option<BTreeSet<(Slug, Slug)>>,
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
        Ok(Self { name: name.to_owned(), principal, publishes: None })
    }

    /// A login by the principal's own name: as user name, or as common name of a certificate.
    pub fn by_name(principal: Principal) -> Self {
        // Slugs and dots.
        Self { name: principal.to_string(), principal, publishes: None }
    }

    /// Of a gateway whose rules are known: it publishes to these operators for these purposes and to nobody else,
    /// so that who has one box cannot speak to every fleet. For others it changes nothing.
    #[must_use]
    pub fn publishing(mut self, streams: BTreeSet<(Slug, Slug)>) -> Self {
        self.publishes = Some(streams);
        self
    }

    /// All that it may do: what its principal may, and where more is known of it, less than that.
    pub fn rules(&self) -> Vec<Rule> {
        let rules = self.principal.rules().into_iter();
        let (Some(streams), Principal::Gateway { .. }) = (&self.publishes, &self.principal) else {
            return rules.collect();
        };
        let narrowed = rules.flat_map(|rule| {
            if rule.right != Right::Publish || rule.filter != Principal::ALL_STREAMS {
                return vec![rule];
            }
            let of = |(operator, purpose): &(Slug, Slug)| Rule {
                right: Right::Publish,
                filter: format!("vernport/v1/fleet/{operator}/{purpose}/+/+"),
            };
            streams.iter().map(of).collect()
        });
        narrowed.collect()
    }

    /// Whether it may publish to the topic.
    pub fn may_publish(&self, topic: &str) -> bool {
        lets_publish(&self.rules(), topic)
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
        let names = self.name.cmp(&other.name);
        let principals = || self.principal.to_string().cmp(&other.principal.to_string());
        names.then_with(principals).then_with(|| self.publishes.cmp(&other.publishes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_whose_rules_are_known_reaches_their_operators_for_their_purposes_only() {
        let slug = |text: &str| text.parse::<Slug>().expect("a slug");
        let wide = Login::by_name("gateway.box-1.north".parse().expect("a principal"));
        let narrow = wide.clone().publishing([(slug("a"), slug("service"))].into());
        let topic = |operator: &str, purpose: &str, last: &str| {
            format!("vernport/v1/fleet/{operator}/{purpose}/{}/{last}", "a5".repeat(16))
        };
        for (of, last, wide_may, narrow_may) in [
            (("a", "service"), "Vehicle.Speed", true, true),
            (("a", "service"), "sealed", true, true),
            (("a", "insurance"), "sealed", true, false),
            (("b", "service"), "Vehicle.Speed", true, false),
            (("a", "service"), "delete", false, false),
        ] {
            let topic = topic(of.0, of.1, last);
            assert_eq!(
                (wide.may_publish(&topic), narrow.may_publish(&topic)),
                (wide_may, narrow_may),
                "{topic}"
            );
        }
        let status = "vernport/v1/gateway/box-1/status";
        assert!(narrow.may_publish(status) && narrow.may_publish("vernport/v1/tool/north/b/t/result"));
        let nobody = wide.publishing(BTreeSet::new());
        assert!(nobody.may_publish(status) && !nobody.may_publish(&topic("a", "service", "sealed")));
        let operator = Login::by_name("operator.a".parse().expect("a principal"));
        assert_eq!(operator.clone().publishing(BTreeSet::new()).rules(), operator.rules());
    }

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
