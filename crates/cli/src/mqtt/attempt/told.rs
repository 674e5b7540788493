//! A refusal in words: what is wrong, where, and how to mend it.

use crate::publish::check;
use serde::de::IgnoredAny;
use vernport_mqtt::{
    PayloadForm, ResultCode, Step, Trouble,
    tool_message::{MAX_AHEAD_SECONDS, MAX_PAYLOAD_BYTES},
};
use vernport_types::{Catalogue, UtcMicros};

/// Why a payload would be refused.
pub(super) struct Wrong {
    /// What the tool would be answered.
    pub(super) code: ResultCode,
    /// Where, in the mapping and in the payload.
    pub(super) place: String,
    /// What is wrong there, and how to mend it.
    pub(super) what: String,
}

impl Wrong {
    /// What a mapping does not take.
    pub(super) fn of_mapping(file: &str, trouble: &Trouble, payload: &[u8]) -> Self {
        let code = trouble.refused.code;
        let mut place = match trouble.line {
            Some(line) => format!("{file}, line {line}"),
            None => file.to_owned(),
        };
        if let Some(signal) = &trouble.signal {
            place += &format!(", {signal}");
        }
        place += &match (&trouble.row, trouble.step) {
            (Some(row), _) => format!("; payload at {row}"),
            (None, Step::Payload) => not_json(payload).map(|at| format!("; payload{at}")).unwrap_or_default(),
            (None, _) => String::new(),
        };
        Self { code, place, what: of_step(trouble.step, code) }
    }

    /// What is not as our contract says.
    pub(super) fn of_contract(
        code: ResultCode,
        form: PayloadForm,
        payload: &[u8],
        catalogue: &Catalogue,
        now: UtcMicros,
    ) -> Self {
        let checked = match form {
            PayloadForm::Text => check::check(payload, catalogue, now).err(),
            PayloadForm::Postcard => None,
        };
        let told = checked.as_deref().and_then(|told| told.split_once(": "));
        let (place, what) = match told {
            Some((place, what)) => (place.to_owned(), what.to_owned()),
            None => ("payload".to_owned(), checked.clone().unwrap_or_else(|| of_contract(code))),
        };
        Self { code, place, what }
    }
}

/// Where the payload ceases to be JSON, if it does.
fn not_json(payload: &[u8]) -> Option<String> {
    let error =
        serde_json::Deserializer::from_slice(payload).into_iter::<IgnoredAny>().find_map(Result::err)?;
    Some(format!(", line {}, column {}", error.line(), error.column()))
}

fn of_step(step: Step, code: ResultCode) -> String {
    match (step, code) {
        (Step::Payload, ResultCode::TooLarge) => {
            format!("more than {MAX_PAYLOAD_BYTES} bytes; let the sender send its readings in several")
        }
        (Step::Payload, _) => "not of the form that input names (json without it); see its table in \
             config/tools/README.md"
            .to_owned(),
        (Step::Embedded, _) => {
            "a text that is named in embedded is no JSON document; take its path out of the list".to_owned()
        }
        (Step::Messages, _) => "more than 256 messages in one payload; let the sender send fewer".to_owned(),
        (Step::Id, _) => {
            "no id stands there, or two messages of the payload have the same; name fields that each \
             has, add \"@index\", or write id = \"payload\""
                .to_owned()
        }
        (Step::Require, _) => {
            "this condition does not hold; mend it, or keep such messages off the tool's topic".to_owned()
        }
        (Step::Vehicle, _) => {
            "no vehicle stands there, none that can be, or two; add \"visit\" to the list, or say in \
             messages where the message of each stands"
                .to_owned()
        }
        (Step::Reading, code) => of_reading(code),
    }
}

fn of_reading(code: ResultCode) -> String {
    match code {
        ResultCode::UnknownSignal => {
            "a name that no signal has; list it, or write unlisted = \"skip\"".to_owned()
        }
        ResultCode::Unit => "its unit has no listed conversion to the signal's; write unit, or add the sender's word \
             to units"
            .to_owned(),
        ResultCode::Value => "not of the signal's kind, or out of its range; look at unit, scale, values and missing, \
             or write bad_values = \"skip\""
            .to_owned(),
        ResultCode::TimeWithoutZone => {
            "its time has no zone; write zone beside it, or time_zone for the tool (here: --time-zone)".to_owned()
        }
        ResultCode::Time => format!(
            "no time, one before 2000, an hour that the clock shows twice, or more than {MAX_AHEAD_SECONDS} s ahead of \
             the arrival (here: --at); look at the unit, pattern and path of time"
        ),
        ResultCode::TooLarge => {
            "more readings than max_readings, or more rows than are looked at; raise it, or let the sender send fewer"
                .to_owned()
        }
        other => other.as_str().to_owned(),
    }
}

fn of_contract(code: ResultCode) -> String {
    match code {
        ResultCode::UnknownSignal => "a path that the catalogue does not have; see config/signals".to_owned(),
        ResultCode::Unit => "a unit without a listed conversion to the signal's".to_owned(),
        ResultCode::Value => "a value that is not of the signal's kind, or out of its range".to_owned(),
        ResultCode::Time | ResultCode::TimeWithoutZone => of_reading(code),
        ResultCode::TooLarge => of_step(Step::Payload, code),
        ResultCode::Vehicle => "no VIN, plate or order that can be".to_owned(),
        _ => "not of the form of our contract; see crates/mqtt/schema/tool-reading-v1.json and \
              crates/mqtt/src/tool_postcard.rs"
            .to_owned(),
    }
}
