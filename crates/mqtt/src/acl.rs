//! Who may do what on a broker of vernport's: pure rules over topics, for our
//! own broker's callback and for generated rules of foreign ones.
//!
//! A principal is what authentication found: the user name, or the common name
//! of the client certificate. Levels are joined by dots, since mosquitto
//! refuses user names with a slash in patterns:
//! `tool.<site>.<station>.<tool>`, `gateway.<gateway>.<site>`, `operator.<operator>`, `central`.
//!
//! Each right stands once, in [`Principal::rules`]: our broker asks it, and what
//! [`mosquitto`] and [`emqx`] write for theirs is that list in their words, shorter where
//! more is known of a [`Login`] than its name says.

mod login;
mod rule;
mod written;

pub use login::{Login, LoginError};
pub use rule::{Right, Rule};
pub use written::{emqx, mosquitto, without_comments};

use crate::topic::{
    PayloadForm, ToolAddress, confirmations_filter, notices_filter, operator_filter, readings_filters,
    rosters_filter, status_topic,
};
use rule::{has, lets_publish};
use std::{fmt, str::FromStr};
use thiserror::Error;
use vernport_types::Slug;

/// Who is connected.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Principal {
    /// A workshop tool: writes its own readings, reads its own results.
    Tool(ToolAddress),
    /// A gateway: reads readings and writes results at its site, writes all
    /// fleet topics but those about deletion, and its own status.
    Gateway {
        /// The gateway.
        gateway: Slug,
        /// Where it stands.
        site: Slug,
    },
    /// A fleet operator: reads its own topics, confirms deletions.
    Operator(Slug),
    /// Central: tells every operator what to delete and its roster, reads what they confirm.
    Central,
}

/// Why a name is nobody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("expected tool.<site>.<station>.<tool>, gateway.<gateway>.<site>, operator.<operator> or central")]
pub struct PrincipalError;

impl FromStr for Principal {
    type Err = PrincipalError;

    fn from_str(name: &str) -> Result<Self, PrincipalError> {
        let slug = |text: &str| text.parse::<Slug>().map_err(|_| PrincipalError);
        match name.split('.').collect::<Vec<_>>()[..] {
            ["tool", site, station, tool] => {
                Ok(Self::Tool(ToolAddress { site: slug(site)?, station: slug(station)?, tool: slug(tool)? }))
            }
            ["gateway", gateway, site] => Ok(Self::Gateway { gateway: slug(gateway)?, site: slug(site)? }),
            ["operator", operator] => Ok(Self::Operator(slug(operator)?)),
            ["central"] => Ok(Self::Central),
            _ => Err(PrincipalError),
        }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tool(t) => write!(f, "tool.{}.{}.{}", t.site, t.station, t.tool),
            Self::Gateway { gateway, site } => write!(f, "gateway.{gateway}.{site}"),
            Self::Operator(operator) => write!(f, "operator.{operator}"),
            Self::Central => f.write_str("central"),
        }
    }
}

impl Principal {
    /// What a gateway publishes to, if it is not known for whom.
    const ALL_STREAMS: &str = "vernport/v1/fleet/+/+/+/+";

    /// All that it may do; nothing else. [`Right::NeverPublish`] stands first, so that the list may be
    /// read in order as well.
    pub fn rules(&self) -> Vec<Rule> {
        let rule = |right, filter: String| Rule { right, filter };
        match self {
            Self::Tool(tool) => vec![
                rule(Right::Publish, tool.readings_topic(PayloadForm::Text)),
                rule(Right::Publish, tool.readings_topic(PayloadForm::Postcard)),
                rule(Right::Subscribe, tool.result_topic()),
            ],
            Self::Gateway { gateway, site } => {
                let writes = [
                    rule(Right::NeverPublish, notices_filter()),
                    rule(Right::NeverPublish, confirmations_filter()),
                    rule(Right::Publish, Self::ALL_STREAMS.to_owned()),
                    rule(Right::Retain, status_topic(gateway)),
                    rule(Right::Publish, format!("vernport/v1/tool/{site}/+/+/result")),
                ];
                let reads = readings_filters(site, None).into_iter();
                writes.into_iter().chain(reads.map(|filter| rule(Right::Subscribe, filter))).collect()
            }
            Self::Operator(operator) => vec![
                rule(Right::Publish, format!("vernport/v1/fleet/{operator}/+/+/deleted")),
                rule(Right::Subscribe, operator_filter(operator)),
            ],
            Self::Central => vec![
                rule(Right::Publish, notices_filter()),
                rule(Right::Publish, rosters_filter()),
                rule(Right::Subscribe, confirmations_filter()),
            ],
        }
    }

    /// Whether it may publish to the topic.
    pub fn may_publish(&self, topic: &str) -> bool {
        lets_publish(&self.rules(), topic)
    }

    /// Whether it may have what it publishes there retained: a gateway its own
    /// status, and nothing else. Personal data is never retained.
    pub fn may_retain(&self, topic: &str) -> bool {
        self.may_publish(topic) && self.any(&[Right::Retain], topic)
    }

    /// Whether it may subscribe to the filter. A filter is allowed if it can
    /// match nothing beyond what the principal may see.
    pub fn may_subscribe(&self, filter: &str) -> bool {
        self.any(&[Right::Subscribe], filter)
    }

    fn any(&self, rights: &[Right], asked: &str) -> bool {
        has(&self.rules(), rights, asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(name: &str) -> Principal {
        name.parse().expect("a principal")
    }

    #[test]
    fn a_tool_publishes_as_nobody_else() {
        let tool = who("tool.north.bay-1.scanner");
        assert!(tool.may_publish("vernport/v1/tool/north/bay-1/scanner/reading"));
        assert!(tool.may_publish("vernport/v1/tool/north/bay-1/scanner/reading.postcard"));
        for other in [
            "vernport/v1/tool/north/bay-1/other/reading",
            "vernport/v1/tool/north/bay-2/scanner/reading",
            "vernport/v1/tool/south/bay-1/scanner/reading",
            "vernport/v1/tool/north/bay-1/scanner/result",
            "vernport/v1/fleet/a/b/a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5/x",
            "vernport/v1/gateway/box-1/status",
        ] {
            assert!(!tool.may_publish(other), "{other}");
            assert!(!tool.may_subscribe(other) || other.ends_with("scanner/result"), "{other}");
        }
        for wide in ["#", "+/#", "vernport/#", "vernport/v1/tool/north/bay-1/+/result"] {
            assert!(!tool.may_subscribe(wide), "{wide}");
        }
    }

    #[test]
    fn an_operator_sees_its_own_and_writes_one_topic() {
        let a = who("operator.a");
        for own in [
            "vernport/v1/fleet/a/#",
            "vernport/v1/fleet/a/+/+/Vehicle.TraveledDistance",
            "vernport/v1/fleet/a/+/#",
            "vernport/v1/fleet/a",
        ] {
            assert!(a.may_subscribe(own), "{own}");
        }
        for foreign in [
            "#",
            "+/+/fleet/#",
            "vernport/#",
            "vernport/v1/fleet/#",
            "vernport/v1/fleet/+/#",
            "vernport/v1/fleet/b/#",
            "vernport/v1/fleet/ab/#",
            "vernport/v1/fleet/#/a",
            "vernport/v1/fleet/a#",
            "$share/g/vernport/v1/fleet/a/#",
            "",
            "vernport/v1/tool/#",
            "vernport/v1/gateway/+/status",
        ] {
            assert!(!a.may_subscribe(foreign), "{foreign}");
        }
        let alias = "a5".repeat(16);
        assert!(a.may_publish(&format!("vernport/v1/fleet/a/p/{alias}/deleted")));
        for foreign in [
            format!("vernport/v1/fleet/a/p/{alias}/delete"),
            format!("vernport/v1/fleet/b/p/{alias}/deleted"),
            format!("vernport/v1/fleet/a/p/{alias}/x/deleted"),
        ] {
            assert!(!a.may_publish(&foreign), "{foreign}");
        }
    }

    #[test]
    fn a_gateway_stays_at_its_site_and_retains_its_status_only() {
        let gateway = who("gateway.box-1.north");
        assert!(gateway.may_subscribe("vernport/v1/tool/north/+/+/reading"));
        assert!(gateway.may_subscribe("vernport/v1/tool/north/+/+/reading.postcard"));
        for foreign in [
            "vernport/v1/tool/+/+/+/reading",
            "vernport/v1/tool/north/#",
            "vernport/v1/tool/northern/+/+/reading",
        ] {
            assert!(!gateway.may_subscribe(foreign), "{foreign}");
        }
        assert!(gateway.may_publish("vernport/v1/tool/north/bay-1/scanner/result"));
        assert!(!gateway.may_publish("vernport/v1/tool/south/bay-1/scanner/result"));
        assert!(gateway.may_publish("vernport/v1/fleet/a/p/v/Vehicle.TraveledDistance"));
        for foreign in [
            "vernport/v1/fleet/a/p/v/deleted",
            "vernport/v1/fleet/a/p/v/delete",
            "vernport/v1/fleet/a/roster",
            "vernport/v1/fleet/a/p/v/x/y",
            "vernport/v1/fleet/a",
        ] {
            assert!(!gateway.may_publish(foreign), "{foreign}");
        }
        assert!(gateway.may_retain("vernport/v1/gateway/box-1/status"));
        assert!(!gateway.may_retain("vernport/v1/gateway/box-2/status"));
        assert!(!gateway.may_retain("vernport/v1/fleet/a/p/v/x"));
    }

    #[test]
    fn central_speaks_and_hears_about_deletion_and_of_nothing_else() {
        let central = who("central");
        assert!(central.may_publish("vernport/v1/fleet/a/p/v/delete"));
        assert!(central.may_publish("vernport/v1/fleet/a/roster"));
        assert!(central.may_subscribe("vernport/v1/fleet/+/+/+/deleted"));
        for foreign in [
            "vernport/v1/fleet/a/p/v/deleted",
            "vernport/v1/fleet/a/p/v/Vehicle.Speed",
            "vernport/v1/fleet/a/p/v/sealed",
        ] {
            assert!(!central.may_publish(foreign), "{foreign}");
        }
        for foreign in
            ["vernport/v1/fleet/+/+/+/+", "vernport/v1/fleet/#", "vernport/v1/fleet/a/p/v/delete", "#"]
        {
            assert!(!central.may_subscribe(foreign), "{foreign}");
        }
        assert!(!central.may_retain("vernport/v1/fleet/a/p/v/delete"));
    }

    #[test]
    fn names_are_read_back_and_nothing_else_is_anybody() {
        for name in ["tool.north.bay-1.scanner", "gateway.box-1.north", "operator.a", "central"] {
            assert_eq!(who(name).to_string(), name);
        }
        for bad in [
            "",
            "tool.north.bay-1",
            "operator",
            "operator.+",
            "operator.#",
            "admin.a",
            "operator.a.b",
            "central.a",
        ] {
            assert_eq!(bad.parse::<Principal>(), Err(PrincipalError), "{bad}");
        }
    }
}
