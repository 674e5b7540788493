//! A topic, or a payload of central's (about deletion, a roster): what is read out of it makes the same again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vernport_mqtt::{DeletionConfirmed, DeletionNotice, Roster, Stream, ToolAddress};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(notice) = DeletionNotice::from_json(bytes) {
        assert_eq!(DeletionNotice::from_json(&notice.to_json()), Ok(notice));
    }
    if let Ok(answer) = DeletionConfirmed::from_json(bytes) {
        assert_eq!(DeletionConfirmed::from_json(&answer.to_json()), Ok(answer));
    }
    if let Ok(roster) = Roster::from_json(bytes) {
        assert_eq!(Roster::from_json(&roster.to_json()), Ok(roster));
    }
    let Ok(topic) = std::str::from_utf8(bytes) else { return };
    if let Some((tool, form)) = ToolAddress::from_readings_topic(topic) {
        assert_eq!(tool.readings_topic(form), topic);
    }
    if let Some((stream, last)) = Stream::from_topic(topic) {
        assert!(stream.value_topic(last).eq_ignore_ascii_case(topic));
    }
});
