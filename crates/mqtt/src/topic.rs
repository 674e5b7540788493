//! The topics of vernport, built and read in one place (frozen, decision note 0010).
//!
//! ```text
//! vernport/v1/tool/<site>/<station>/<tool>/reading      a tool's readings
//! vernport/v1/tool/<site>/<station>/<tool>/reading.postcard  the same in postcard
//! vernport/v1/tool/<site>/<station>/<tool>/result       the answer to each
//! vernport/v1/fleet/<operator>/<purpose>/<alias>/<path> one released value; VSS path, dotted, one level
//! vernport/v1/fleet/<operator>/<purpose>/<alias>/sealed one sealed batch
//! vernport/v1/fleet/<operator>/<purpose>/<alias>/skipped  how many messages never came
//! vernport/v1/fleet/<operator>/<purpose>/<alias>/delete   deletion notice, from central
//! vernport/v1/fleet/<operator>/<purpose>/<alias>/deleted  its confirmation, from the operator
//! vernport/v1/fleet/<operator>/roster                   aliases and fleet numbers, sealed
//! vernport/v1/gateway/<gateway>/status                  retained; says nothing about a vehicle
//! ```
//!
//! Levels are slugs, aliases are 32 hexadecimal digits: no level can hold a
//! wildcard, a separator or a name.

use std::{fmt, str::FromStr};
use thiserror::Error;
use vernport_types::{Slug, VehicleAlias};

/// How a tool's readings are written: the last level of their topic says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PayloadForm {
    /// Text: JSON, or what the tool's mapping reads. On `…/reading`.
    Text,
    /// Postcard of [`crate::tool_postcard`]. On `…/reading.postcard`.
    Postcard,
}

impl PayloadForm {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Text, Self::Postcard];

    /// The last level of its topics.
    pub const fn level(self) -> &'static str {
        match self {
            Self::Text => "reading",
            Self::Postcard => "reading.postcard",
        }
    }
}

/// Where a tool stands: its place in the topics, and its identity.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ToolAddress {
    /// The site.
    pub site: Slug,
    /// The station at the site.
    pub station: Slug,
    /// The tool at the station.
    pub tool: Slug,
}

impl ToolAddress {
    /// Where it publishes readings in this form.
    pub fn readings_topic(&self, form: PayloadForm) -> String {
        format!("vernport/v1/tool/{self}/{}", form.level())
    }

    /// Where it is answered.
    pub fn result_topic(&self) -> String {
        format!("vernport/v1/tool/{self}/result")
    }

    /// Reads address and form out of a `…/reading` or `…/reading.postcard` topic.
    pub fn from_readings_topic(topic: &str) -> Option<(Self, PayloadForm)> {
        let (address, level) = topic.strip_prefix("vernport/v1/tool/")?.rsplit_once('/')?;
        let form = PayloadForm::ALL.into_iter().find(|form| form.level() == level)?;
        Some((address.parse().ok()?, form))
    }
}

impl fmt::Display for ToolAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.site, self.station, self.tool)
    }
}

/// Why a text is not a tool's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a tool is written <site>/<station>/<tool>, each out of a-z, 0-9 and '-'")]
pub struct AddressError;

impl FromStr for ToolAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let mut levels = text.split('/').map(|level| level.parse().map_err(|_| AddressError));
        let mut next = || levels.next().unwrap_or(Err(AddressError));
        let address = Self { site: next()?, station: next()?, tool: next()? };
        if levels.next().is_none() { Ok(address) } else { Err(AddressError) }
    }
}

/// The filters of all tools' readings at one site, or at one station of it, in every form.
pub fn readings_filters(site: &Slug, station: Option<&Slug>) -> Vec<String> {
    let station = station.map_or("+", Slug::as_str);
    let filter = |form: PayloadForm| format!("vernport/v1/tool/{site}/{station}/+/{}", form.level());
    PayloadForm::ALL.map(filter).to_vec()
}

/// One vehicle of one operator for one purpose: the stream that `seq` counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Stream {
    /// Who receives.
    pub operator: Slug,
    /// For what.
    pub purpose: Slug,
    /// What the vehicle is called towards this operator for this purpose.
    pub vehicle: VehicleAlias,
}

impl Stream {
    /// The topic of a released value: the path is one level, dots and all.
    pub fn value_topic(&self, path: &str) -> String {
        format!("{self}/{path}")
    }

    /// The topic of sealed batches.
    pub fn sealed_topic(&self) -> String {
        format!("{self}/sealed")
    }

    /// The last level of deletion notices.
    pub(crate) const DELETE: &str = "delete";
    /// The last level of their confirmations.
    pub(crate) const DELETED: &str = "deleted";

    /// The topic of deletion notices.
    pub fn delete_topic(&self) -> String {
        format!("{self}/{}", Self::DELETE)
    }

    /// The topic of their confirmations.
    pub fn deleted_topic(&self) -> String {
        format!("{self}/{}", Self::DELETED)
    }

    /// The topic that says how many messages never came.
    pub fn skipped_topic(&self) -> String {
        format!("{self}/skipped")
    }

    /// Reads a stream and the last level out of a fleet topic.
    pub fn from_topic(topic: &str) -> Option<(Self, &str)> {
        let mut levels = topic.strip_prefix("vernport/v1/fleet/")?.splitn(4, '/');
        let stream = Self {
            operator: levels.next()?.parse().ok()?,
            purpose: levels.next()?.parse().ok()?,
            vehicle: levels.next()?.parse().ok()?,
        };
        let last = levels.next()?;
        (!last.is_empty() && !last.contains('/')).then_some((stream, last))
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "vernport/v1/fleet/{}/{}/{}", self.operator, self.purpose, self.vehicle)
    }
}

/// Everything an operator receives.
pub fn operator_filter(operator: &Slug) -> String {
    format!("vernport/v1/fleet/{operator}/#")
}

/// What every operator is told to delete.
pub fn notices_filter() -> String {
    format!("vernport/v1/fleet/+/+/+/{}", Stream::DELETE)
}

/// What every operator confirms that it deleted.
pub fn confirmations_filter() -> String {
    format!("vernport/v1/fleet/+/+/+/{}", Stream::DELETED)
}

/// What an operator's own numbers of its vehicles come on.
pub fn roster_topic(operator: &Slug) -> String {
    format!("vernport/v1/fleet/{operator}/roster")
}

/// What every operator's roster comes on.
pub fn rosters_filter() -> String {
    "vernport/v1/fleet/+/roster".to_owned()
}

/// The retained status of a gateway.
pub fn status_topic(gateway: &Slug) -> String {
    format!("vernport/v1/gateway/{gateway}/status")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn slug(text: &str) -> Slug {
        text.parse().expect("a slug")
    }

    #[test]
    fn topics_keep_their_bytes() {
        let tool: ToolAddress = "north/bay-1/scanner".parse().expect("an address");
        let text = "vernport/v1/tool/north/bay-1/scanner/reading";
        assert_eq!(tool.readings_topic(PayloadForm::Text), text);
        assert_eq!(ToolAddress::from_readings_topic(text), Some((tool.clone(), PayloadForm::Text)));
        let postcard = "vernport/v1/tool/north/bay-1/scanner/reading.postcard";
        assert_eq!(tool.readings_topic(PayloadForm::Postcard), postcard);
        assert_eq!(ToolAddress::from_readings_topic(postcard), Some((tool.clone(), PayloadForm::Postcard)));
        assert_eq!(tool.result_topic(), "vernport/v1/tool/north/bay-1/scanner/result");
        assert_eq!(
            readings_filters(&tool.site, None),
            ["vernport/v1/tool/north/+/+/reading", "vernport/v1/tool/north/+/+/reading.postcard"]
        );
        assert_eq!(
            readings_filters(&tool.site, Some(&tool.station)),
            ["vernport/v1/tool/north/bay-1/+/reading", "vernport/v1/tool/north/bay-1/+/reading.postcard"]
        );
        let stream = Stream {
            operator: slug("fjord-freight"),
            purpose: slug("service-planning"),
            vehicle: VehicleAlias::from_bytes([0xA5; 16]),
        };
        let base =
            "vernport/v1/fleet/fjord-freight/service-planning/a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5".to_owned();
        let value = stream.value_topic("Vehicle.TraveledDistance");
        assert_eq!(value, base.clone() + "/Vehicle.TraveledDistance");
        assert_eq!(stream.sealed_topic(), base.clone() + "/sealed");
        assert_eq!(stream.skipped_topic(), base + "/skipped");
        assert_eq!(Stream::from_topic(&value), Some((stream, "Vehicle.TraveledDistance")));
        assert_eq!(operator_filter(&slug("fjord-freight")), "vernport/v1/fleet/fjord-freight/#");
        assert_eq!(roster_topic(&slug("fjord-freight")), "vernport/v1/fleet/fjord-freight/roster");
        assert_eq!(status_topic(&slug("box-1")), "vernport/v1/gateway/box-1/status");
    }

    #[test]
    fn a_topic_with_a_level_too_many_or_too_few_is_no_tool() {
        for bad in [
            "vernport/v1/tool/north/bay-1/reading",
            "vernport/v1/tool/north/bay-1/scanner/x/reading",
            "vernport/v1/tool/north/bay-1/+/reading",
            "vernport/v1/tool/north/bay-1/scanner/result",
            "vernport/v2/tool/north/bay-1/scanner/reading",
        ] {
            assert_eq!(ToolAddress::from_readings_topic(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_can_be_read_as_a_topic(text in "(vernport/v1/(tool|fleet)/)?.{0,60}(/reading)?") {
            if let Some((tool, form)) = ToolAddress::from_readings_topic(&text) {
                prop_assert_eq!(tool.readings_topic(form), text.clone());
            }
            if let Some((stream, last)) = Stream::from_topic(&text) {
                prop_assert_eq!(stream.value_topic(last).to_lowercase(), text.to_lowercase());
            }
        }
    }
}
