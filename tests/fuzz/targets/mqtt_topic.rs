//! A topic: what is read out of it makes the same topic again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vernport_mqtt::{Stream, ToolAddress};

fuzz_target!(|bytes: &[u8]| {
    let Ok(topic) = std::str::from_utf8(bytes) else { return };
    if let Some((tool, form)) = ToolAddress::from_readings_topic(topic) {
        assert_eq!(tool.readings_topic(form), topic);
    }
    if let Some((stream, last)) = Stream::from_topic(topic) {
        assert!(stream.value_topic(last).eq_ignore_ascii_case(topic));
    }
});
