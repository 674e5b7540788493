//! A topic, or a payload about deletion: what is read out of it makes the same again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vernport_mqtt::{DeletionConfirmed, DeletionNotice, Stream, ToolAddress};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(notice) = DeletionNotice::from_json(bytes) {
        assert_eq!(DeletionNotice::from_json(&notice.to_json()), Ok(notice));
    }
    if let Ok(answer) = DeletionConfirmed::from_json(bytes) {
        assert_eq!(DeletionConfirmed::from_json(&answer.to_json()), Ok(answer));
    }
    let Ok(topic) = std::str::from_utf8(bytes) else { return };
    if let Some((tool, form)) = ToolAddress::from_readings_topic(topic) {
        assert_eq!(tool.readings_topic(form), topic);
    }
    if let Some((stream, last)) = Stream::from_topic(topic) {
        assert!(stream.value_topic(last).eq_ignore_ascii_case(topic));
    }
});
