//! Who may do what on a broker of vernport's: pure rules over topics, for our
//! own broker's callback and for generated rules of foreign ones.
//!
//! A principal is what authentication found: the user name, or the common name
//! of the client certificate. Levels are joined by dots, since mosquitto
//! refuses user names with a slash in patterns:
//! `tool.<site>.<station>.<tool>`, `gateway.<gateway>.<site>`, `operator.<operator>`.

use crate::topic::{PayloadForm, ToolAddress, operator_filter, status_topic};
use std::{fmt, str::FromStr};
use thiserror::Error;
use vernport_types::Slug;

/// Who is connected.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Principal {
    /// A workshop tool: writes its own readings, reads its own results.
    Tool(ToolAddress),
    /// A gateway: reads readings and writes results at its site, writes all
    /// fleet topics and its own status.
    Gateway {
        /// The gateway.
        gateway: Slug,
        /// Where it stands.
        site: Slug,
    },
    /// A fleet operator: reads its own topics, confirms deletions.
    Operator(Slug),
}

/// Why a name is nobody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("expected tool.<site>.<station>.<tool>, gateway.<gateway>.<site> or operator.<operator>")]
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
        }
    }
}

impl Principal {
    /// Whether it may publish to the topic.
    pub fn may_publish(&self, topic: &str) -> bool {
        match self {
            Self::Tool(tool) => PayloadForm::ALL.iter().any(|form| topic == tool.readings_topic(*form)),
            Self::Gateway { gateway, site } => {
                topic == status_topic(gateway)
                    || (at_site(topic, site) && topic.ends_with("/result"))
                    || (topic.starts_with("vernport/v1/fleet/") && !topic.ends_with("/deleted"))
            }
            Self::Operator(operator) => crate::topic::Stream::from_topic(topic)
                .is_some_and(|(stream, last)| stream.operator == *operator && last == "deleted"),
        }
    }

    /// Whether it may have what it publishes there retained: a gateway its own
    /// status, and nothing else. Personal data is never retained.
    pub fn may_retain(&self, topic: &str) -> bool {
        matches!(self, Self::Gateway { gateway, .. } if topic == status_topic(gateway))
    }

    /// Whether it may subscribe to the filter. A filter is allowed if it can
    /// match nothing beyond what the principal may see.
    pub fn may_subscribe(&self, filter: &str) -> bool {
        match self {
            Self::Tool(tool) => filter == tool.result_topic(),
            Self::Gateway { site, .. } => {
                let is_level = |form: &PayloadForm| filter.rsplit('/').next() == Some(form.level());
                at_site(filter, site) && PayloadForm::ALL.iter().any(is_level)
            }
            Self::Operator(operator) => {
                let all = operator_filter(operator);
                let own = all.trim_end_matches('#');
                filter.starts_with(own) && filter.len() > own.len()
            }
        }
    }
}

fn at_site(topic: &str, site: &Slug) -> bool {
    topic
        .strip_prefix("vernport/v1/tool/")
        .and_then(|rest| rest.strip_prefix(site.as_str()))
        .is_some_and(|rest| rest.starts_with('/') && rest.split('/').count() == 4 && !rest.contains('#'))
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
        for own in ["vernport/v1/fleet/a/#", "vernport/v1/fleet/a/+/+/Vehicle.TraveledDistance"] {
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
            "vernport/v1/fleet/a",
            "vernport/v1/tool/#",
            "vernport/v1/fleet/a/",
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
        assert!(gateway.may_retain("vernport/v1/gateway/box-1/status"));
        assert!(!gateway.may_retain("vernport/v1/gateway/box-2/status"));
        assert!(!gateway.may_retain("vernport/v1/fleet/a/p/v/x"));
    }

    #[test]
    fn names_are_read_back_and_nothing_else_is_anybody() {
        for name in ["tool.north.bay-1.scanner", "gateway.box-1.north", "operator.a"] {
            assert_eq!(who(name).to_string(), name);
        }
        for bad in ["", "tool.north.bay-1", "operator", "operator.+", "operator.#", "admin.a", "operator.a.b"]
        {
            assert_eq!(bad.parse::<Principal>(), Err(PrincipalError), "{bad}");
        }
    }
}
