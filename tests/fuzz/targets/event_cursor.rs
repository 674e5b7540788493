//! Where a caller says it is in a ledger: what reads is written as it was read, alone and in a request.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vernport_api::{Cursor, EventsRequest, FindEntryRequest};

/// `1.`, an era, a position and sixteen digits of an entry.
const MAX_CHARS: usize = 2 + 10 + 1 + 19 + 1 + 16;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(cursor) = text.parse::<Cursor>()
    {
        assert!(text.len() <= MAX_CHARS && cursor.position >= 0);
        assert_eq!(cursor.to_string(), text);
        let written = serde_json::to_string(&cursor).expect("a text");
        assert_eq!(written, format!("\"{text}\""));
        assert_eq!(serde_json::from_str::<Cursor>(&written).ok(), Some(cursor));
    }
    if let Ok(asked) = serde_json::from_slice::<EventsRequest>(bytes) {
        let written = serde_json::to_vec(&asked).expect("plain data");
        assert_eq!(serde_json::from_slice::<EventsRequest>(&written).ok().as_ref(), Some(&asked));
        if let Some(cursor) = asked.after {
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
    }
    if let Ok(asked) = serde_json::from_slice::<FindEntryRequest>(bytes) {
        let written = serde_json::to_vec(&asked).expect("plain data");
        assert_eq!(serde_json::from_slice::<FindEntryRequest>(&written).ok().as_ref(), Some(&asked));
    }
});
