//! What is wrong with a tool's message, and where: by the published JSON Schema
//! for its shape, by the parser that the station has for its meaning.
//!
//! No text repeats anything of the message: a place is told by names of the
//! schema and by numbers.

use jsonschema::{ValidationError, error::ValidationErrorKind};
use serde_json::{Value as Json, json};
use std::fmt::Write as _;
use vernport_mqtt::{
    ResultCode, ToolMessage,
    schema::TOOL_READING,
    tool_message::{MAX_AHEAD_SECONDS, MAX_PAYLOAD_BYTES},
};
use vernport_types::{Catalogue, UtcMicros};

/// The id of a message that the station will be able to read; else where it will not, and what to write.
pub(crate) fn check(payload: &[u8], catalogue: &Catalogue, now: UtcMicros) -> Result<String, String> {
    if payload.len() > MAX_PAYLOAD_BYTES {
        return Err(format!("more than {MAX_PAYLOAD_BYTES} bytes; send its readings in several messages"));
    }
    let message: Json = serde_json::from_slice(payload)
        .map_err(|error| format!("line {}, column {}: not JSON", error.line(), error.column()))?;
    let schema: Json = serde_json::from_str(TOOL_READING).expect("the shipped schema is tested");
    let schema = jsonschema::validator_for(&schema).expect("the shipped schema is tested");
    if let Some(error) = schema.iter_errors(&message).next() {
        return Err(format!("{}: {}", place(&error), said(&error)));
    }
    match ToolMessage::from_json(payload, catalogue, now) {
        Ok(message) => Ok(message.id.as_str().to_owned()),
        Err(refused) => Err(meaning(&message, refused.code, catalogue, now)),
    }
}

/// `readings[2].unit`, of a path in which only names of the schema can stand.
fn place(error: &ValidationError<'_>) -> String {
    let mut place = String::new();
    for segment in error.instance_path().as_str().split('/').skip(1) {
        match segment.parse::<usize>() {
            Ok(at) => write!(place, "[{at}]").expect("a text takes text"),
            Err(_) => place += &if place.is_empty() { segment.to_owned() } else { format!(".{segment}") },
        }
    }
    if place.is_empty() { "at the top".to_owned() } else { place }
}

fn said(error: &ValidationError<'_>) -> String {
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            format!("lacks {}", property.as_str().unwrap_or_default())
        }
        ValidationErrorKind::AdditionalProperties { .. } => "has a member that the schema has not".to_owned(),
        ValidationErrorKind::Type { .. } => "is of another JSON type".to_owned(),
        ValidationErrorKind::Pattern { pattern } => format!("is not of the form {pattern}"),
        ValidationErrorKind::MinItems { limit } => format!("has fewer than {limit}"),
        ValidationErrorKind::MaxItems { limit } => format!("has more than {limit}"),
        ValidationErrorKind::MinLength { .. } => "is empty".to_owned(),
        ValidationErrorKind::MaxLength { limit } => format!("is longer than {limit}"),
        _ => "is in none of the forms of crates/mqtt/schema/tool-reading-v1.json".to_owned(),
    }
}

/// Where a message of the right shape has the wrong meaning. Its readings are tried one by one.
fn meaning(message: &Json, code: ResultCode, catalogue: &Catalogue, now: UtcMicros) -> String {
    let alone = |reading: &Json| {
        let alone = json!({"id": "1", "readings": [reading]}).to_string();
        ToolMessage::from_json(alone.as_bytes(), catalogue, now).map(drop).map_err(|refused| refused.code)
    };
    let readings = message["readings"].as_array().map_or(&[][..], Vec::as_slice);
    let found = readings.iter().enumerate().find_map(|(at, reading)| Some((at, alone(reading).err()?)));
    let (place, code) = match (found, code) {
        (Some((at, code)), _) => (format!("readings[{at}]"), code),
        (None, ResultCode::Vehicle) => ("vehicle".to_owned(), code),
        // The texts of the parser and of a JSON value differ in repeated keys only.
        (None, _) => ("at the top".to_owned(), code),
    };
    let (member, what) = match code {
        ResultCode::UnknownSignal => (".path", "no signal of the catalogue (config/signals)".to_owned()),
        ResultCode::Unit => (".unit", "has no listed conversion to the unit of the signal".to_owned()),
        ResultCode::Value => (".value", "is not of the kind, or not in the range, of the signal".to_owned()),
        ResultCode::TimeWithoutZone => {
            (".time", "has no zone; write Z or an offset such as +01:00".to_owned())
        }
        ResultCode::Time => {
            (".time", format!("no such time, or more than {MAX_AHEAD_SECONDS} s ahead of this clock"))
        }
        ResultCode::Vehicle => ("", "is no VIN, plate or order that can be".to_owned()),
        _ => ("", "is not as the schema says; a key may be there twice".to_owned()),
    };
    format!("{place}{member}: {what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    // 2026-11-20T09:00:00Z
    const NOW: UtcMicros = UtcMicros(1_795_165_200_000_000);
    const GOOD: &str = r#"{"id":"k-7","vehicle":{"vin":"WDB9634031L738001"},"readings":[
        {"path":"Vehicle.TraveledDistance","value":1,"unit":"km","time":"2026-11-20T09:00:00Z"},
        {"path":"Vehicle.Service.DistanceToService","value":18500,"unit":"km","time":"2026-11-20T09:00:00Z"}]}"#;

    fn wrong(text: &str) -> String {
        check(text.as_bytes(), &crate::shipped::catalogue(), NOW).expect_err("it is wrong")
    }

    fn with(old: &str, new: &str) -> String {
        assert!(GOOD.contains(old), "{old}");
        wrong(&GOOD.replacen(old, new, 1))
    }

    #[test]
    fn a_message_that_the_station_can_read_passes() {
        let checked = check(GOOD.as_bytes(), &crate::shipped::catalogue(), NOW);
        assert_eq!(checked, Ok("k-7".to_owned()));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (told, expected) in [
            (wrong("{"), "line 1, column 1: not JSON"),
            (wrong("{}"), "at the top: lacks id"),
            (with("\"id\"", "\"key\""), "at the top: "),
            (with("k-7", "k 7"), "id: is not of the form ^["),
            (with("WDB9634031L738001", "WDB9634031L73800O"), "vehicle: "),
            (with("\"vin\"", "\"vim\""), "vehicle: "),
            (with("18500", "[]"), "readings[1].value: "),
            (with("\"value\":1,", "\"value\":-1,"), "readings[0].value: "),
            (with("\"unit\":\"km\",\"time\"", "\"unit\":\"h\",\"time\""), "readings[0].unit: "),
            (with("Vehicle.Service.DistanceToService", "Vehicle.Secret"), "readings[1].path: no signal"),
            (with("09:00:00Z", "09:00:00"), "readings[0].time: is not of the form"),
            (with("2026-11-20T09:00", "2026-11-20T10:00"), "readings[0].time: no such time"),
            (with("\"id\":\"k-7\"", "\"id\":\"k-7\",\"id\":\"k-7\""), "at the top: "),
            (wrong(&" ".repeat(MAX_PAYLOAD_BYTES + 1)), "more than 65536 bytes"),
        ] {
            assert!(told.starts_with(expected), "{told}; expected {expected}");
            assert!(!told.contains("WDB") && !told.contains("Secret") && !told.contains("k-7"), "{told}");
        }
    }
}
