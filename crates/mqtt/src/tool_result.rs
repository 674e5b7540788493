//! What a workshop tool is answered (frozen, decision note 0010).
//!
//! `{"id":"visit-81-3","accepted":true,"code":"accepted"}`, on the tool's
//! `…/result` topic; `schema/tool-result-v1.json` states the same.

use crate::tool_message::MessageKey;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The closed list of answers to a tool (frozen; new ones at the end). They say
/// what to do about the message and nothing about what was released to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResultCode {
    /// Decided on, and the outcome is durable.
    Accepted,
    /// Had been accepted before; nothing was done again.
    Duplicate,
    /// Not the shape of the schema.
    Malformed,
    /// Over [`crate::tool_message::MAX_PAYLOAD_BYTES`].
    TooLarge,
    /// A path that the catalogue does not have.
    UnknownSignal,
    /// No listed conversion from this unit to the catalogue's.
    Unit,
    /// Not a value of the signal's kind and range.
    Value,
    /// A time without `Z` or an offset.
    TimeWithoutZone,
    /// No such time, or too far ahead.
    Time,
    /// Not a VIN, plate or order id, or none that is known here.
    Vehicle,
    /// The topic is not the sender's.
    Identity,
    /// Over the tool's rate; send again later.
    Limited,
    /// Cannot be kept at the moment; send again later.
    Busy,
}

impl ResultCode {
    /// All codes.
    pub const ALL: &[Self] = &[
        Self::Accepted,
        Self::Duplicate,
        Self::Malformed,
        Self::TooLarge,
        Self::UnknownSignal,
        Self::Unit,
        Self::Value,
        Self::TimeWithoutZone,
        Self::Time,
        Self::Vehicle,
        Self::Identity,
        Self::Limited,
        Self::Busy,
    ];

    /// Whether the tool is done with the message.
    pub const fn accepted(self) -> bool {
        matches!(self, Self::Accepted | Self::Duplicate)
    }

    /// The written form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Malformed => "malformed",
            Self::TooLarge => "too-large",
            Self::UnknownSignal => "unknown-signal",
            Self::Unit => "unit",
            Self::Value => "value",
            Self::TimeWithoutZone => "time-without-zone",
            Self::Time => "time",
            Self::Vehicle => "vehicle",
            Self::Identity => "identity",
            Self::Limited => "limited",
            Self::Busy => "busy",
        }
    }
}

/// The answer to one message, on `…/result`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolResult {
    /// The id of the message; absent where none could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Whether the tool is done with it.
    pub accepted: bool,
    /// Why, or why not.
    pub code: ResultCode,
}

impl ToolResult {
    /// The answer to a message of this id.
    pub fn new(id: Option<&MessageKey>, code: ResultCode) -> Self {
        Self { id: id.map(|id| id.as_str().to_owned()), accepted: code.accepted(), code }
    }

    /// The payload.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("plain fields always encode")
    }
}

/// Why a message was refused. Carries the id, where one could be read, for the answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the tool's message was refused: {}", code.as_str())]
pub struct Refused {
    /// The id, where one could be read.
    pub id: Option<MessageKey>,
    /// Why.
    pub code: ResultCode,
}

impl Refused {
    /// What to answer.
    pub fn result(&self) -> ToolResult {
        ToolResult::new(self.id.as_ref(), self.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_written_as_serde_writes_them() {
        for code in ResultCode::ALL {
            assert_eq!(serde_json::to_value(code).expect("encodes"), code.as_str());
        }
    }
}
