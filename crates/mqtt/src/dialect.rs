//! What a tool speaks: our own contract, or what a mapping reads; and in which
//! zone its clock stands, where its times do not say.

use crate::{
    Mapping, MessageKey, PassedOver, ToolMessage, tool_postcard,
    tool_result::{Refused, ResultCode},
    topic::PayloadForm,
};
use jiff::tz::TimeZone;
use std::sync::Arc;
use thiserror::Error;
use vernport_crypto::IdentityKey;
use vernport_types::{Catalogue, UtcMicros};

/// Why a name is no time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("there is no such time zone; write one of IANA's, such as Europe/Oslo")]
pub struct ZoneError;

/// How a tool's payloads are read.
#[derive(Debug, Clone, Default)]
pub struct Dialect {
    mapping: Option<Arc<Mapping>>,
    zone: Option<TimeZone>,
}

/// What a tool said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// What it is answered by: the id of its one message, or one of the whole where it said several.
    pub id: MessageKey,
    /// The messages: one, or as many as a mapping finds. One that was read by a mapping may hold no reading: the
    /// sender speaks of other things, too.
    pub messages: Vec<ToolMessage>,
    /// What of it became no reading.
    pub passed_over: PassedOver,
}

impl Dialect {
    /// Our own contract, with zones in its times.
    pub fn own() -> Self {
        Self::default()
    }

    /// What a mapping reads, or our own contract; by a clock in this zone, where times have none.
    ///
    /// # Errors
    /// [`ZoneError`] for what is no zone.
    pub fn new(mapping: Option<Arc<Mapping>>, zone: Option<&str>) -> Result<Self, ZoneError> {
        let zone = zone.map(TimeZone::get).transpose().map_err(|_| ZoneError)?;
        Ok(Self { mapping, zone })
    }

    /// Reads a payload. `key` makes ids of messages that have none of their own. Postcard is
    /// always our own contract; a tool with a mapping does not send it.
    ///
    /// # Errors
    /// [`Refused`] with the code for the tool.
    pub fn read(
        &self,
        form: PayloadForm,
        payload: &[u8],
        catalogue: &Catalogue,
        now: UtcMicros,
        key: &IdentityKey,
    ) -> Result<Said, Refused> {
        let zone = self.zone.as_ref();
        let own = |message: ToolMessage| Said {
            id: message.id.clone(),
            messages: vec![message],
            passed_over: PassedOver::default(),
        };
        match (form, &self.mapping) {
            (PayloadForm::Text, Some(mapping)) => mapping.read(payload, now, zone, key),
            (PayloadForm::Text, None) => ToolMessage::from_json_of(payload, catalogue, now, zone).map(own),
            (PayloadForm::Postcard, None) => tool_postcard::read(payload, catalogue, now).map(own),
            (PayloadForm::Postcard, Some(_)) => Err(Refused { id: None, code: ResultCode::Malformed }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_tool_whose_clock_is_known_may_leave_out_the_zone() {
        let catalogue = Catalogue::from_toml([(
            "test",
            "format = 1\n[[signal]]\npath = \"Vehicle.X\"\nkind = \"flag\"\ncategory = \"component-status\"\n",
        )])
        .expect("a catalogue");
        let (now, key) = (UtcMicros(1_795_165_200_000_000), IdentityKey::generate());
        let payload =
            br#"{"id":"1","readings":[{"path":"Vehicle.X","value":true,"time":"2026-11-20T10:00:00"}]}"#;
        let read = |dialect: &Dialect| {
            let said = dialect.read(PayloadForm::Text, payload, &catalogue, now, &key);
            said.map(|said| said.messages[0].readings[0].at).map_err(|refused| refused.code)
        };
        assert_eq!(read(&Dialect::own()), Err(ResultCode::TimeWithoutZone));
        assert_eq!(read(&Dialect::new(None, Some("Europe/Oslo")).expect("a zone")), Ok(now));
        assert_eq!(read(&Dialect::new(None, Some("Europe/London")).expect("a zone")), Err(ResultCode::Time));
        assert_eq!(Dialect::new(None, Some("Bay One")).map(|_| ()), Err(ZoneError));
    }
}
