//! Foreign senders read by a mapping file alone: the shipped ones, and shapes
//! that nobody shipped a mapping for.

mod places;
mod several;
mod shapes;
mod shipped;

use vernport_crypto::IdentityKey;
use vernport_mqtt::{FleetValue, Mapping, ResultCode, Said, ToolMessage, Trouble};
use vernport_types::{Catalogue, UtcMicros};

/// 2026-11-20T09:00:00Z.
pub(crate) const NOW: UtcMicros = UtcMicros(1_795_165_200_000_000);

pub(crate) fn catalogue() -> Catalogue {
    let text = include_str!("../../../../config/signals/vehicle.toml");
    Catalogue::from_toml([("vehicle.toml", text)]).expect("the shipped catalogue")
}

/// All that a payload says through a mapping, or where it says nothing that can be read.
pub(crate) fn read_closely(mapping: &str, payload: &str) -> Result<Said, Trouble> {
    let mapping =
        Mapping::from_toml("sender.toml", mapping, &catalogue()).unwrap_or_else(|error| panic!("{error}"));
    mapping.read_closely(payload.as_bytes(), NOW, None, &IdentityKey::from_bytes([7; 32]))
}

/// The one message of a payload.
pub(crate) fn read(mapping: &str, payload: &str) -> Result<ToolMessage, ResultCode> {
    let said = read_closely(mapping, payload).map_err(|trouble| trouble.refused.code)?;
    let [message] = <[ToolMessage; 1]>::try_from(said.messages).expect("one message");
    assert!(message.id == said.id, "it is answered by its id");
    Ok(message)
}

/// The same as lines: path without `Vehicle.`, value as an operator would see it, time.
pub(crate) fn said(mapping: &str, payload: &str) -> Vec<String> {
    let catalogue = catalogue();
    let message = read(mapping, payload).unwrap_or_else(|code| panic!("refused: {}", code.as_str()));
    let line = |reading: &vernport_mqtt::ToolReading| {
        let path = catalogue.signal(reading.signal).path.trim_start_matches("Vehicle.").to_owned();
        let value = serde_json::to_string(&FleetValue(reading.value)).expect("a value");
        let at = jiff::Timestamp::from_microsecond(reading.at.0).expect("a time");
        format!("{path} {value} {at}")
    };
    message.readings.iter().map(line).collect()
}
